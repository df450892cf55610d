// The alerts that are firing, the most urgent first: as many as three rows take, and how many more there are.

import { clock, count, moment, shortName } from "./format.js";
import { make } from "./table.js";

const ROWS = 3;
// In a single column, as on a telephone, a row is one alert.
const LEAST = 4;

const SEVERITIES = { page: "PAGE", warning: "WARNING", info: "INFO" };

// The rule's text without the name that stands before it anyway; records of older versions have none.
function words(alert) {
  if (!alert.summary) return `${alert.rule}: ${alert.value}${alert.threshold ? `, the bound is ${alert.threshold}` : ""}`;
  const name = `${alert.name}: `;
  return alert.summary.startsWith(name) ? alert.summary.slice(name.length) : alert.summary;
}

export class Strip {
  constructor(section, board) {
    this.section = section;
    this.board = board;
    this.open = false;
    this.list = make("ul", "");
    this.title = make("p", "title");
    this.more = make("button", "more");
    this.more.type = "button";
    this.more.addEventListener("click", () => {
      this.open = !this.open;
      this.fit();
    });
    section.replaceChildren(make("div", "head", this.title, this.more), this.list);
    window.addEventListener("resize", () => this.fit());
  }

  show() {
    const { alerts } = this.board;
    this.title.textContent = alerts.length ? `${count(alerts.length)} ${alerts.length === 1 ? "alert" : "alerts"} firing` : "No alert is firing";
    this.title.classList.toggle("firing", alerts.length > 0);
    this.section.classList.toggle("quiet", alerts.length === 0);
    this.list.replaceChildren(...alerts.map((alert) => this.item(alert)));
    this.fit();
  }

  item(alert) {
    const link = make("a", "", shortName(alert.name));
    link.href = `#org=${encodeURIComponent(alert.org)}`;
    const head = make("p", "who", make("span", "severity", SEVERITIES[alert.severity] ?? alert.severity), link);
    if (alert.state === "recovering") head.append(make("span", "badge", "recovering"));
    if (alert.stale) head.append(make("span", "badge stale-word", "stale, frozen"));
    if (alert.acknowledged_by) head.append(make("span", "badge", `seen by ${alert.acknowledged_by}`));
    head.append(make("span", "since", `since ${moment(alert.since_s * 1000, this.board.now())}`));
    const what = make("p", "what", words(alert));
    // The figures are those of the last change of the alert, not of now.
    const tags = Object.entries(alert.tags).map(([name, value]) => `, ${name} ${value}`).join("");
    const item = make("li", `alert ${alert.severity}${alert.stale ? " stale" : ""}`, head, what);
    item.title = `${alert.name}: ${words(alert)}\nfigures of ${clock(alert.told_s * 1000)}; rule ${alert.rule}${tags}: ${alert.threshold}`;
    return item;
  }

  // Hides what does not fit, and says how many that are.
  fit() {
    const items = [...this.list.children];
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const room = Math.max(LEAST, ROWS * columns);
    items.forEach((item, at) => { item.hidden = !this.open && at >= room; });
    const left = Math.max(0, items.length - room);
    this.more.hidden = left === 0;
    this.more.textContent = this.open ? "show fewer" : `and ${count(left)} more`;
    this.more.setAttribute("aria-expanded", String(this.open));
  }
}
