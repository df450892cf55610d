// The board: takes in the stream of figures, and keeps every part of the page in step with it.

import { Detail } from "./detail.js";
import { age, clock, count, day, moment, shortName } from "./format.js";
import { Strip } from "./strip.js";
import { OrgTable, make } from "./table.js";
import { tiles } from "./tiles.js";

// Figures that are this much older than the newest minute, or than now, are shown as stale.
const LATE_MINUTES = 3;
// A stream that says nothing for this long is opened again.
const SILENT_MS = 150e3;

class Board {
  organisations = new Map();
  columns = [];
  rows = new Map();
  versions = new Map();
  sparks = new Map();
  firing = new Set();
  alerts = [];
  status = {};
  target = null;
  mode = "live";
  head = null;
  today = null;
  sparkFrom = 0;
  sparkStep = 5;
  sparkMinutes = 240;
  // What the server's clock is ahead of ours, so that a kiosk with a wrong clock shows right ages.
  ahead = 0;
  connected = false;
  lastHeard = 0;

  now() {
    return Date.now() + this.ahead;
  }

  org(code) {
    return this.organisations.get(code);
  }

  regionOf(code) {
    for (let org = this.org(code); org; org = this.org(org.parent)) if (org.level === "region") return shortName(org.name);
    return "";
  }

  typeGroup(org) {
    return org.department_type === 4 ? 3 : org.department_type;
  }

  figures(code) {
    return this.rows.get(code) ?? null;
  }

  versionOf(code) {
    return `${this.versions.get(code) ?? 0}/${this.ageOf(code)?.stale}/${this.firing.has(code)}`;
  }

  // How old the facts behind the figures are, and why they are stale, if they are. Standing figures do not age.
  ageOf(code) {
    const f = this.rows.get(code);
    if (!f) return null;
    const minuteMs = f.minute * 60e3;
    const since = this.mode === "live" ? Math.max(0, (this.now() - minuteMs) / 1000) : 0;
    return { minuteMs, seconds: f.age_s < 0 ? null : f.age_s + since, stale: this.whyStale(f) };
  }

  // The cause in words, which is truth enough for a condition; empty: not stale. Without new figures no other can be known.
  whyStale(f) {
    if (this.silent()) return "the board gets no new figures";
    if (f.stale === 1) return "a feed behind these figures is silent";
    if (f.minute < this.head - LATE_MINUTES) return "newer figures of this organisation have not come, only of others";
    return "";
  }

  // Whether new figures have stopped coming altogether.
  silent() {
    return this.mode === "live" && this.head !== null && this.now() - this.head * 60e3 > (LATE_MINUTES + 1) * 60e3;
  }

  snapshot(message) {
    this.columns = message.columns;
    this.mode = message.mode;
    this.rows.clear();
    this.sparks.clear();
    this.sparkFrom = message.spark_from;
    this.sparkStep = message.spark_step;
    this.sparkMinutes = message.spark_minutes;
    for (const [code, [within, present]] of Object.entries(message.sparks)) this.sparks.set(code, { within, present });
    this.take(message);
  }

  delta(message) {
    this.moveSparks(message.head);
    for (const [code, minute, within, present] of message.sparks) {
      const line = this.sparks.get(code) ?? this.emptyLine(code);
      const at = (minute - this.sparkFrom) / this.sparkStep;
      if (at >= 0 && at < line.within.length) [line.within[at], line.present[at]] = [within, present];
      this.changed(code);
    }
    this.take(message);
  }

  take(message) {
    this.ahead = message.now_ms - Date.now();
    this.head = message.head;
    this.today = message.today;
    // Every mark is against the target: a new day may bring another.
    if (JSON.stringify(message.target) !== JSON.stringify(this.target)) {
      this.target = message.target;
      for (const code of this.rows.keys()) this.changed(code);
    }
    for (const [code, values] of Object.entries(message.orgs)) {
      this.rows.set(code, Object.fromEntries(this.columns.map((name, at) => [name, values[at]])));
      this.changed(code);
    }
    if (message.alerts) {
      this.alerts = message.alerts;
      this.firing = new Set(message.alerts.map((alert) => alert.org));
    }
    if (message.status) this.status = message.status;
  }

  changed(code) {
    this.versions.set(code, (this.versions.get(code) ?? 0) + 1);
  }

  lineLength() {
    return Math.floor(this.sparkMinutes / this.sparkStep) + 1;
  }

  emptyLine(code) {
    const line = { within: Array(this.lineLength()).fill(-1), present: Array(this.lineLength()).fill(-1) };
    this.sparks.set(code, line);
    return line;
  }

  // The lines end at the newest step: older points leave on the left.
  moveSparks(head) {
    const step = this.sparkStep;
    const last = Math.floor(head / step) * step;
    const move = last - this.sparkFrom - (this.lineLength() - 1) * step;
    const by = Math.max(0, Math.floor(move / step));
    if (by === 0 && [...this.sparks.values()].every((line) => line.within.length === this.lineLength())) return;
    const fit = (values) => [...values.slice(by), ...Array(Math.min(by, this.lineLength())).fill(-1)].concat(Array(this.lineLength()).fill(-1)).slice(0, this.lineLength());
    for (const [code, line] of this.sparks) {
      this.sparks.set(code, { within: fit(line.within), present: fit(line.present) });
      this.changed(code);
    }
    this.sparkFrom += by * step;
  }
}

const board = new Board();
const at = (id) => document.getElementById(id);
const page = {};

function build() {
  page.regions = new OrgTable(at("regions"), board, ["name", "t1", "all", "present", "over", "queue", "within-line"], "t1", "Regions, worst first");
  page.sites = new OrgTable(
    at("site-table"), board,
    ["name", "t1", "all", "departed", "present", "awaiting", "over", "due", "longest", "queue", "handover", "within-line", "present-line", "age"],
    "t1", "Departments, worst first",
  );
  page.detail = new Detail(at("detail"), board);
  page.strip = new Strip(at("alerts"), board);
  const regions = [...board.organisations.values()].filter((org) => org.level === "region");
  for (const region of regions.sort((a, b) => a.name.localeCompare(b.name))) at("filter-region").append(new Option(shortName(region.name), shortName(region.name)));
  const nation = [...board.organisations.values()].find((org) => org.level === "nation");
  page.nation = nation?.code;
  at("nation-title").textContent = nation?.name ?? "";
  at("filters").addEventListener("input", showSites);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", route);
}

function route() {
  const code = new URLSearchParams(location.hash.slice(1)).get("org");
  const open = code !== null && page.detail.open(code);
  if (!open) page.detail.open(null);
  at("sites").hidden = open;
  document.body.classList.toggle("detailed", open);
  if (!open) showSites();
  showTitle();
}

function showTitle() {
  const open = page.detail?.code && board.org(page.detail.code);
  document.title = `${open ? shortName(open.name) : "England"}: A&E now`;
}

function showSites() {
  const text = at("filter-text").value.trim().toLowerCase();
  const region = at("filter-region").value;
  const type = at("filter-type").value;
  const sites = [...board.organisations.values()].filter((org) => org.level === "site");
  const wanted = sites.filter((org) => {
    if (type && board.typeGroup(org) !== Number(type)) return false;
    if (region && board.regionOf(org.code) !== region) return false;
    const trust = board.org(org.parent)?.name ?? "";
    return !text || `${org.name} ${org.code} ${trust} ${board.regionOf(org.code)}`.toLowerCase().includes(text);
  });
  page.sites.show(wanted);
  at("sites").classList.toggle("one-type", type !== "");
  at("sites").classList.toggle("major-only", type === "1");
  const stale = wanted.filter((org) => board.ageOf(org.code)?.stale).length;
  at("sites-count").textContent = `${count(wanted.length)} of ${count(sites.length)}${stale ? `, ${count(stale)} stale` : ""}`;
}

function showState() {
  const headMs = board.head === null ? null : board.head * 60e3;
  const label = board.mode === "live" ? "Live, unvalidated, as at " : "Not live: unvalidated, as at ";
  at("as-at").replaceChildren(...(headMs === null ? ["Waiting for figures"] : [label, make("strong", "", clock(headMs)), ` ${day(headMs)}`]));
  const notices = [];
  if (!board.connected) notices.push("Connection lost: trying again. The figures below no longer change.");
  if (board.mode !== "live" && headMs !== null) notices.push(`These are kept figures as at ${clock(headMs)}, ${day(headMs)}: not live.`);
  if (board.silent()) notices.push(`No new figures since ${moment(headMs, board.now())}, ${age((board.now() - headMs) / 1000)} ago: everything below is stale.`);
  if (board.status.log_away) notices.push("The log of figures is away: nothing new can come.");
  if (board.status.behind_records) notices.push(`Catching up: ${count(board.status.behind_records)} records of figures are still to be read.`);
  const texts = notices.join("\n");
  if (at("notices").dataset.texts !== texts) {
    at("notices").dataset.texts = texts;
    at("notices").replaceChildren(...notices.map((text) => make("p", "notice", make("span", "shape", "⚠ "), text)));
  }
  const fine = board.connected && !board.silent();
  const words = board.mode === "live" ? (fine ? `● live, ${clock(board.now())}` : "○ not current") : "■ kept figures";
  if (at("connection").textContent !== words) at("connection").textContent = words;
  at("connection").classList.toggle("bad", !fine);
  document.body.classList.toggle("stale", board.silent() || !board.connected);
}

function show(alertsChanged) {
  showState();
  if (alertsChanged) page.strip.show();
  if (page.nation) tiles(at("nation"), board, page.nation);
  page.regions.show([...board.organisations.values()].filter((org) => org.level === "region"));
  if (page.detail.code) page.detail.show();
  else showSites();
}

// Opens the stream. Every stream begins with a snapshot; a delta that does not follow the last message opens it anew.
function listen() {
  page.stream?.close();
  const stream = new EventSource("/v1/live");
  page.stream = stream;
  let expected = null;
  const heard = (event, take) => {
    const message = JSON.parse(event.data);
    const headBefore = board.head;
    board.lastHeard = Date.now();
    board.connected = true;
    take(message);
    expected = message.seq + 1;
    show(Boolean(message.alerts));
    if (board.head !== headBefore && page.detail.code) page.detail.load();
  };
  stream.addEventListener("snapshot", (event) => heard(event, (message) => board.snapshot(message)));
  stream.addEventListener("delta", (event) => {
    if (Number(event.lastEventId) !== expected) listen();
    else heard(event, (message) => board.delta(message));
  });
  stream.addEventListener("error", () => {
    board.connected = false;
    showState();
    if (stream.readyState === EventSource.CLOSED && page.stream === stream) setTimeout(() => page.stream === stream && listen(), 10e3);
  });
}

function tick() {
  showState();
  page.sites.tick();
  if (!page.detail.code) showSites();
  if (board.mode === "live" && board.connected && Date.now() - board.lastHeard > SILENT_MS) {
    board.lastHeard = Date.now();
    listen();
  }
}

async function start() {
  try {
    const answer = await fetch("/v1/organisations");
    if (!answer.ok) throw new Error(String(answer.status));
    for (const org of (await answer.json()).organisations) board.organisations.set(org.code, org);
  } catch {
    showState();
    setTimeout(start, 5e3);
    return;
  }
  build();
  page.strip.show();
  listen();
  route();
  setInterval(tick, 15e3);
}

start();
