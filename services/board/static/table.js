// The table of departments and that of regions: the same columns, sorted and filtered in the browser.

import { sparkline } from "./chart.js";
import { NONE, age, clock, count, meanSeconds, minutes, percent, permille, seconds, shortName } from "./format.js";

// Fewer departures than this say little: such rows come after the others when sorted by compliance.
const FEW = 10;

export function make(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// A share with its mark against the target: ▼ below, ▼▼ more than 20 points below. The mark has words for readers.
export function share(thousandths, target) {
  const cell = make("span", "share");
  if (thousandths !== null && target && thousandths < target.permille) {
    const far = thousandths < target.permille - 200;
    cell.classList.add(far ? "far" : "below");
    cell.append(make("span", "mark", make("span", "shape", far ? "▼▼" : "▼"), make("span", "words", far ? "far below target, " : "below target, ")));
  }
  cell.append(percent(thousandths));
  return cell;
}

// What the shares are held against: there is one target, for all types.
export function against(target) {
  return target ? `target of all types ${percent(target.permille)}${target.verified ? "" : ", not verified"}` : "no target in force";
}

function number(value, small) {
  const cell = make("span", "", count(value));
  if (small) cell.append(make("small", "", ` ${small}`));
  return cell;
}

// Compliance sorts by the worst; few departures come last, none at the very end.
function shareOrder(part, total) {
  const thousandths = permille(part, total);
  if (thousandths === null) return 3000;
  return thousandths + (total < FEW ? 1001 : 0);
}

// Departments without type 1 follow those with it, by all their types.
function majorOrder(f) {
  return f.t1_departed_4h > 0 ? shareOrder(f.t1_within_4h, f.t1_departed_4h) : 3000 + shareOrder(f.all_within_4h, f.all_departed_4h);
}

function lineLabel(values, write, what) {
  const there = values.filter((value) => value >= 0);
  if (there.length === 0) return `${what}: no figures in the last four hours`;
  return `${what} in the last four hours: from ${write(there[0])} to ${write(there[there.length - 1])}, least ${write(Math.min(...there))}, greatest ${write(Math.max(...there))}`;
}

function complianceLine(row, board) {
  const values = board.sparks.get(row.org.code)?.within;
  return values ? sparkline(values, [0, 1000], lineLabel(values, percent, "Within 4 h"), board.target?.permille ?? null) : NONE;
}

function presentLine(row, board) {
  const values = board.sparks.get(row.org.code)?.present;
  return values ? sparkline(values, [0, Math.max(4, ...values)], lineLabel(values, count, "Present")) : NONE;
}

function ageCell(row, board) {
  const told = board.ageOf(row.org.code);
  if (!told) return make("span", "none", "no figures");
  // Kept figures have no feed behind them: not silent, but without an age.
  const unknown = board.mode !== "live" && told.seconds === null;
  const cell = unknown ? make("span", "none", NONE) : make("span", "", age(told.seconds));
  cell.title = `figures as at ${clock(told.minuteMs)}`;
  return cell;
}

function typeBadge(type) {
  const badge = make("span", "badge type", `T${type}`);
  badge.title = `type ${type}`;
  return badge;
}

function nameCell(row, board) {
  const link = make("a", "", shortName(row.org.name));
  link.href = `#org=${encodeURIComponent(row.org.code)}`;
  link.title = row.org.name;
  // Where there is no room beside the name the region goes, whole.
  const who = make("span", "who", link);
  if (row.org.level === "site") who.append(make("small", "region", board.regionOf(row.org.code)));
  const cell = make("span", "name", who);
  if (row.org.department_type) cell.append(typeBadge(row.org.department_type));
  if (board.firing.has(row.org.code)) cell.append(make("span", "badge flag", "⚑ alert"));
  const why = board.ageOf(row.org.code)?.stale;
  if (why) {
    const badge = make("span", "badge stale-word", "stale");
    badge.title = why;
    cell.append(badge);
  }
  return cell;
}

// id, heading, what it is of, order (lower first; null: not sortable), cell, which class.
export const COLUMNS = [
  { id: "name", head: "Name", sub: "", order: (f, row) => shortName(row.org.name), cell: (f, row, board) => nameCell(row, board), css: "c-name" },
  { id: "t1", head: "Type 1", sub: "within 4 h", title: "type 1, within four hours, of those who left in the last four hours", order: majorOrder, cell: (f, row, board) => share(permille(f.t1_within_4h, f.t1_departed_4h), board.target), css: "c-key" },
  { id: "all", head: "All types", sub: "within 4 h", title: "types 1 to 4, within four hours, of those who left in the last four hours", order: (f) => shareOrder(f.all_within_4h, f.all_departed_4h), cell: (f, row, board) => share(permille(f.all_within_4h, f.all_departed_4h), board.target), css: "c-key c-all" },
  { id: "departed", head: "Departed", sub: "last 4 h", order: (f) => -f.all_departed_4h, cell: (f) => number(f.all_departed_4h), css: "c-wide" },
  { id: "present", head: "Present", sub: "now", order: (f) => -f.present, cell: (f) => number(f.present), css: "c-key" },
  { id: "awaiting", head: "Awaiting", sub: "admission", order: (f) => -f.awaiting_admission, cell: (f) => number(f.awaiting_admission), css: "c-mid" },
  { id: "over", head: "Over 4 h", sub: "on the clock", title: "four-hour clock running for over four hours, also of patients in ambulances outside", order: (f) => -f.over_4h, cell: (f) => number(f.over_4h), css: "c-key" },
  { id: "due", head: "Due", sub: "30 / 60 min", title: "on the clock, and reaching four hours within 30 and within 60 minutes", order: (f) => -(f.due_30m * 1000 + f.due_60m), cell: (f) => make("span", "", `${count(f.due_30m)} / ${count(f.due_60m)}`), css: "c-mid" },
  { id: "longest", head: "Longest", sub: "on the clock", title: "longest time since arrival of those whose four-hour clock runs, also in ambulances outside; planned follow-ups left out", order: (f) => -f.longest_minutes, cell: (f) => make("span", "", f.longest_minutes > 0 ? minutes(f.longest_minutes) : NONE), css: "c-mid" },
  { id: "queue", head: "Ambulances", sub: "now, longest", order: (f) => -(f.queue * 1e6 + f.queue_longest_s), cell: (f) => number(f.queue, f.queue > 0 ? seconds(f.queue_longest_s) : ""), css: "c-mid" },
  { id: "handover", head: "Handover", sub: "mean, 1 h", title: "mean of the handovers of the last hour, rounded up to the minute", order: (f) => (f.handovers_1h > 0 ? -f.handover_total_s_1h / f.handovers_1h : 1), cell: (f) => make("span", "", meanSeconds(f.handover_total_s_1h, f.handovers_1h)), css: "c-wide" },
  { id: "within-line", head: "Within 4 h", sub: "last 4 h", order: null, cell: (f, row, board) => complianceLine(row, board), css: "c-wide line-cell" },
  { id: "present-line", head: "Present", sub: "last 4 h", order: null, cell: (f, row, board) => presentLine(row, board), css: "c-wide c-widest line-cell" },
  { id: "age", head: "Age", sub: "of the data", order: (f, row, board) => -(board.ageOf(row.org.code)?.seconds ?? 1e12), cell: (f, row, board) => ageCell(row, board), css: "c-mid" },
];

export class OrgTable {
  // `columns`: ids in order; `sort`: the first order.
  constructor(container, board, columns, sort, caption) {
    this.board = board;
    this.columns = columns.map((id) => COLUMNS.find((column) => column.id === id));
    this.sort = { id: sort, down: false };
    this.rows = new Map();
    this.body = make("tbody");
    this.heads = this.columns.map((column) => this.head(column));
    const table = make("table", "orgs", make("caption", "", caption), make("thead", "", make("tr", "", ...this.heads)), this.body);
    container.replaceChildren(table);
    this.showSort();
  }

  head(column) {
    const cell = make("th", column.css);
    cell.scope = "col";
    if (column.title) cell.title = column.title;
    const sub = make("small", "", column.sub);
    if (column.order === null) {
      cell.append(make("span", "head", make("span", "title", column.head), sub));
      return cell;
    }
    const button = make("button", "head", make("span", "title", column.head, make("span", "arrow", "")), sub);
    button.type = "button";
    button.addEventListener("click", () => {
      this.sort = { id: column.id, down: this.sort.id === column.id && !this.sort.down };
      this.showSort();
      this.show(this.shown);
    });
    cell.append(button);
    return cell;
  }

  showSort() {
    this.columns.forEach((column, at) => {
      const sorted = column.id === this.sort.id;
      if (sorted) this.heads[at].setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else this.heads[at].removeAttribute("aria-sort");
      const arrow = this.heads[at].querySelector(".arrow");
      if (arrow) arrow.textContent = sorted ? (this.sort.down ? " ▴" : " ▾") : "";
    });
  }

  // Shows these organisations, sorted; rows that stay keep their elements, so that focus and selection stay.
  show(orgs) {
    this.shown = orgs;
    const column = this.columns.find((each) => each.id === this.sort.id);
    const rows = orgs.map((org) => this.row(org));
    for (const row of rows) row.order = row.figures ? column.order(row.figures, row, this.board) : Infinity;
    const sign = this.sort.down ? -1 : 1;
    rows.sort((a, b) => {
      if ((a.figures === null) !== (b.figures === null)) return a.figures === null ? 1 : -1;
      const order = typeof a.order === "string" && typeof b.order === "string" ? a.order.localeCompare(b.order, "en-GB") : a.order - b.order;
      return sign * (order || 0) || a.org.code.localeCompare(b.org.code);
    });
    const wanted = rows.map((row) => row.element);
    const same = wanted.length === this.body.children.length && wanted.every((element, at) => this.body.children[at] === element);
    if (!same) {
      const focused = document.activeElement;
      this.body.replaceChildren(...wanted);
      if (focused !== document.activeElement && this.body.contains(focused)) focused.focus({ preventScroll: true });
    }
  }

  // The row of an organisation, drawn anew only where something of it changed.
  row(org) {
    let row = this.rows.get(org.code);
    if (!row) {
      row = { org, element: make("tr", "", ...this.columns.map((column) => make(column.id === "name" ? "th" : "td", column.css))), version: null };
      row.element.firstChild.scope = "row";
      this.rows.set(org.code, row);
    }
    row.figures = this.board.figures(org.code);
    const version = this.board.versionOf(org.code);
    if (row.version !== version) {
      row.version = version;
      const told = this.board.ageOf(org.code);
      row.element.className = [told?.stale ? "stale" : "", this.board.firing.has(org.code) ? "alerting" : "", told ? "" : "empty"].join(" ").trim();
      this.columns.forEach((column, at) => {
        const nothing = row.figures === null && column.id !== "name" && column.id !== "age";
        row.element.children[at].replaceChildren(nothing ? NONE : column.cell(row.figures, row, this.board));
      });
    }
    return row;
  }

  // The ages grow without new figures.
  tick() {
    const at = this.columns.findIndex((column) => column.id === "age");
    for (const org of this.shown ?? []) {
      const row = this.rows.get(org.code);
      if (at >= 0 && row) row.element.children[at].replaceChildren(this.columns[at].cell(row.figures, row, this.board));
    }
  }
}
