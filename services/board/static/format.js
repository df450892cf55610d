// How figures, durations and times are written. Pure functions; nothing here touches the page.

const whole = new Intl.NumberFormat("en-GB");

// Times are those of London wherever the browser stands, with BST or GMT said.
const london = { timeZone: "Europe/London" };
const clockTime = new Intl.DateTimeFormat("en-GB", { ...london, hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
const hourTime = new Intl.DateTimeFormat("en-GB", { ...london, hour: "2-digit", minute: "2-digit" });
const dayTime = new Intl.DateTimeFormat("en-GB", { ...london, weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
const fullDay = new Intl.DateTimeFormat("en-GB", { ...london, weekday: "long", day: "numeric", month: "long", year: "numeric" });
const weekdayName = new Intl.DateTimeFormat("en-GB", { ...london, weekday: "short" });
const dayKey = new Intl.DateTimeFormat("en-CA", { ...london, year: "numeric", month: "2-digit", day: "2-digit" });

export const NONE = "–";

export function count(n) {
  return n === undefined || n === null || n < 0 ? NONE : whole.format(n);
}

// A share in thousandths, rounded down, which is towards the bad side; null of nothing.
export function permille(part, total) {
  return total > 0 ? Math.floor((part * 1000) / total) : null;
}

export function percent(thousandths) {
  if (thousandths === null || thousandths === undefined || thousandths < 0) return NONE;
  return `${Math.floor(thousandths / 10)}.${thousandths % 10} %`;
}

// Minutes as "47 min" or "13 h 05".
export function minutes(n) {
  if (n === undefined || n === null || n < 0) return NONE;
  if (n < 60) return `${n} min`;
  return `${Math.floor(n / 60)} h ${String(n % 60).padStart(2, "0")}`;
}

// Seconds in minutes, rounded up, which is towards the bad side.
export function seconds(n) {
  return n === undefined || n === null || n < 0 ? NONE : minutes(Math.ceil(n / 60));
}

// The mean of a sum of seconds over a number of them; a dash over none.
export function meanSeconds(total, number) {
  return number > 0 ? seconds(total / number) : NONE;
}

export function age(secondsOld) {
  if (secondsOld === null) return "never heard";
  const n = Math.ceil(Math.max(0, secondsOld) / 60);
  if (n < 120) return `${n} min`;
  return n < 2880 ? `${Math.floor(n / 60)} h` : `${Math.floor(n / 1440)} days`;
}

export const clock = (ms) => clockTime.format(ms);
export const hour = (ms) => hourTime.format(ms);
export const weekday = (ms) => weekdayName.format(ms);
export const day = (ms) => fullDay.format(ms);

// The clock time, with the day where it is not that of `now`.
export function moment(ms, now) {
  return dayKey.format(ms) === dayKey.format(now) ? clockTime.format(ms) : dayTime.format(ms);
}

// Names without what every name has; the full one stays in the tooltip.
export function shortName(name) {
  return name.replace(/\s+(NHS|National Health Service)\s+(Foundation\s+)?Trust/gi, "").replace(/\s*\(type \d\)$/i, "").replace(/^NHS\s+(.*?)\s+Integrated Care Board$/i, "$1");
}

export const LEVELS = { site: "department", service: "ambulance service", trust: "trust", system: "integrated care system", region: "region", nation: "nation" };
