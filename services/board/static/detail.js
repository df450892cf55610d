// One organisation in full: its tiles, and charts of the last 24 hours from /v1/measures. Opened by the address #org=CODE.

import { timeChart, legend } from "./chart.js";
import { LEVELS, clock, count, minutes, percent, permille } from "./format.js";
import { make } from "./table.js";
import { tiles } from "./tiles.js";

const STEP = 5;
const MINUTES = 24 * 60;

const CHARTS = [
  {
    title: "Within four hours, of those who left in the last four hours",
    measure: "ae_four_hour", tags: { type: "1,all", window: "4h" }, top: 100, unit: " %",
    target: "ae_four_hour.within / ae_four_hour.departed",
    lines: [
      { name: "Type 1", style: "first", of: "1", value: (p) => shareOf(p.within, p.departed) },
      { name: "All types", style: "second", of: "all", value: (p) => shareOf(p.within, p.departed) },
    ],
    write: (value) => percent(Math.round(value * 10)),
  },
  {
    title: "Present and on the clock, all types",
    measure: "ae_department", tags: { type: "all" },
    lines: [
      { name: "Present", style: "first", of: "all", value: (p) => p.present },
      { name: "Awaiting admission", style: "second", of: "all", value: (p) => p.awaiting_admission },
      { name: "On the clock over 4 h", style: "third", of: "all", value: (p) => p.over_4h },
    ],
    write: count,
  },
  {
    title: "Arrivals in the last hour, all types",
    measure: "ae_arrivals", tags: { type: "all", window: "1h" },
    lines: [
      { name: "Arrived", style: "first", of: "all", value: (p) => p.arrived },
      { name: "of these by ambulance", style: "second", of: "all", value: (p) => p.by_ambulance },
    ],
    write: count,
  },
  {
    title: "Ambulances waiting to hand over",
    measure: "amb_queue", tags: {},
    lines: [
      { name: "Waiting", style: "first", of: undefined, value: (p) => p.waiting },
      { name: "Over 30 min", style: "third", of: undefined, value: (p) => p.over_30m },
    ],
    write: count,
  },
  {
    title: "Handover, mean of the last hour (minutes)",
    measure: "amb_handover", tags: { window: "1h" },
    lines: [{ name: "Mean", style: "first", of: undefined, value: (p) => (p.completed > 0 ? Math.ceil(p.total_s / p.completed / 60) : null) }],
    write: minutes,
  },
  {
    title: "Longest on the clock, all types (hours since arrival)",
    measure: "ae_department", tags: { type: "all" },
    lines: [{ name: "Longest", style: "first", of: "all", value: (p) => Math.ceil(p.longest_minutes / 6) / 10 }],
    write: (value) => minutes(Math.round(value * 60)),
  },
];

// Shown only where there are figures: many places have none of these.
CHARTS.push(
  {
    title: "Time to treatment, median of those treated in the last hour, all types",
    measure: "ae_treatment", tags: { type: "all", window: "1h" }, optional: true,
    lines: [{ name: "Median", style: "first", of: "all", value: (p) => (p.treated > 0 ? Math.ceil(p.median_minutes) : null) }],
    write: minutes,
  },
  {
    title: "General and acute beds, occupied of open",
    measure: "bed_state", tags: {}, unit: " %", optional: true,
    lines: [{ name: "Occupied", style: "first", of: undefined, value: (p) => (p.open > 0 ? Math.ceil((p.occupied * 1000) / p.open) / 10 : null) }],
    write: (value) => percent(Math.round(value * 10)),
  },
);

function shareOf(part, total) {
  const thousandths = permille(part, total);
  return thousandths === null ? null : thousandths / 10;
}

export class Detail {
  constructor(section, board) {
    this.section = section;
    this.board = board;
    this.code = null;
    this.asked = 0;
  }

  open(code) {
    const org = this.board.org(code);
    this.code = org ? code : null;
    this.section.hidden = !this.code;
    if (!this.code) return false;
    this.tiles = make("div", "tiles");
    this.charts = make("div", "charts", make("p", "loading", "Loading the last 24 hours"));
    this.state = make("p", "as-at");
    const title = make("h2", "", org.name);
    title.id = "detail-title";
    const back = make("a", "back", "← All departments");
    back.href = "#";
    this.section.replaceChildren(back, title, this.where(org), this.state, this.tiles, this.charts);
    this.section.focus({ preventScroll: true });
    this.section.scrollIntoView({ block: "start" });
    this.show();
    this.load();
    return true;
  }

  // What it is, and the organisations above it.
  where(org) {
    const type = org.department_type ? `, type ${org.department_type}` : "";
    const line = make("p", "where", `${org.code}, ${LEVELS[org.level] ?? org.level}${type}`);
    for (let parent = this.board.org(org.parent); parent; parent = this.board.org(parent.parent)) {
      const link = make("a", "", parent.name);
      link.href = `#org=${encodeURIComponent(parent.code)}`;
      line.append(" · ", link);
    }
    return line;
  }

  show() {
    if (!this.code) return;
    const told = this.board.ageOf(this.code);
    this.section.classList.toggle("stale", Boolean(told?.stale));
    this.state.textContent = told
      ? `${told.stale ? `STALE: ${told.stale}. ` : ""}Figures as at ${clock(told.minuteMs)}`
      : "No figures of this organisation.";
    tiles(this.tiles, this.board, this.code);
  }

  // Asks for the points of the last 24 hours; an answer that comes after a newer question is dropped.
  async load() {
    const [code, asked] = [this.code, ++this.asked];
    const { head } = this.board;
    if (!code || head === null) return;
    const ask = (chart) => this.ask(chart, code, head);
    const answers = await Promise.all(CHARTS.map((chart) => ask(chart).catch((error) => error)));
    if (asked !== this.asked) return;
    const charts = CHARTS.map((chart, at) => [chart, answers[at]]);
    const shown = charts.filter(([chart, answer]) => !chart.optional || (answer.series?.length ?? 0) > 0);
    this.charts.replaceChildren(...shown.map(([chart, answer]) => this.chart(chart, answer, head)));
  }

  async ask(chart, code, head) {
    const iso = (minute) => new Date(minute * 60e3).toISOString();
    const query = new URLSearchParams({ measure: chart.measure, org: code, ...chart.tags, from: iso(head - MINUTES), until: iso(head), step: `${STEP}m` });
    const answer = await fetch(`/v1/measures?${query}`);
    if (!answer.ok) throw new Error(`the figures could not be read (${answer.status})`);
    return answer.json();
  }

  chart(chart, answer, head) {
    const box = make("figure", "", make("figcaption", "", chart.title));
    if (answer instanceof Error || answer.series.length === 0) {
      box.append(make("p", "none", answer instanceof Error ? answer.message : "No figures in the last 24 hours."));
      return box;
    }
    const lines = chart.lines.map((line) => {
      const series = answer.series.find((each) => each.type === line.of);
      const points = (series?.points ?? []).map((point) => {
        const fields = Object.fromEntries(answer.fields.map((field, at) => [field, point[at + 1]]));
        return [point[0] * 1000, line.value(fields)];
      });
      return { ...line, points };
    });
    // The target is that of all types, each step over the points at which it was in force.
    const steps = answer.series.find((each) => each.type === "all")?.targets ?? [];
    const targets = steps.filter((step) => step.value === chart.target).map((step) => ({ from: step.from * 1000, until: step.until * 1000, value: Math.round(step.target * 1000) / 10 }));
    const [from, until] = [(head - MINUTES) * 60e3, head * 60e3];
    const { title, top = null, unit = "" } = chart;
    box.append(timeChart({ title, lines, from, until, top, unit, targets }), legend(lines, chart.write), table(lines, chart.write));
    return box;
  }
}

// The same figures as a table, one row an hour.
function table(lines, write) {
  const head = make("tr", "", make("th", "", "Time"), ...lines.map((line) => make("th", "", line.name)));
  const rows = lines[0].points.filter((point) => point[0] % 3600e3 === 0).map((point) => {
    const at = (line) => line.points.find((each) => each[0] === point[0])?.[1] ?? null;
    const cells = lines.map((line) => make("td", "", at(line) === null ? "–" : write(at(line))));
    return make("tr", "", make("th", "", clock(point[0])), ...cells);
  });
  return make("details", "", make("summary", "", "As a table"), make("table", "", make("thead", "", head), make("tbody", "", ...rows)));
}
