// The large figures of one organisation.

import { sparkline } from "./chart.js";
import { count, meanSeconds, minutes, percent, permille, seconds } from "./format.js";
import { against, make, share } from "./table.js";

// The size of a line in a tile.
const WIDE = [240, 40];

function tile(title, value, lines, extra) {
  const box = make("div", "tile", make("h3", "", title), make("p", "value", value), ...lines.map((line) => make("p", "", line)));
  if (extra) box.append(extra);
  return box;
}

function compliance(title, f, prefix, board, line) {
  const [within, departed] = [f[`${prefix}_within_4h`], f[`${prefix}_departed_4h`]];
  const [withinToday, departedToday] = [f[`${prefix}_within_today`], f[`${prefix}_departed_today`]];
  const today = make("span", "", make("strong", "", percent(permille(withinToday, departedToday))), " today", departedToday > 0 ? `, ${count(withinToday)} of ${count(departedToday)}` : ": nobody left yet");
  const box = tile(
    title,
    share(permille(within, departed), board.target),
    [departed > 0 ? `last 4 h, ${count(within)} of ${count(departed)} who left` : "last 4 h: nobody left", today, against(board.target)],
    line,
  );
  box.classList.add("wide");
  return box;
}

export function tiles(container, board, code) {
  const f = board.figures(code);
  if (!f) {
    container.replaceChildren(make("p", "none", "No figures yet."));
    return;
  }
  const sparks = board.sparks.get(code);
  const target = board.target?.permille ?? null;
  const within = sparks && sparkline(sparks.within, [0, 1000], "within 4 h over the last four hours, from 0 to 100 %", target, WIDE);
  const present = sparks && sparkline(sparks.present, [0, Math.max(4, ...sparks.present)], "present over the last four hours", null, WIDE);
  const site = board.org(code)?.level === "site";
  const type = board.org(code)?.department_type;
  container.replaceChildren(
    compliance("Type 1, within 4 h", f, "t1", board, site && type !== 1 ? null : within),
    compliance("All types, within 4 h", f, "all", board, site && type !== 1 ? within : null),
    tile("Present now, all types", count(f.present), [
      `${count(f.t1_present)} in type 1`,
      `${count(f.awaiting_admission)} awaiting admission`,
      `${count(f.awaiting_over_12h)} over 12 h since decision to admit`,
    ], present),
    tile("Over 4 h on the clock", count(f.over_4h), [
      `${count(f.t1_over_4h)} in type 1`,
      `${count(f.over_12h)} over 12 h since arrival`,
      f.longest_minutes > 0 ? `longest ${minutes(f.longest_minutes)} since arrival` : "",
    ]),
    tile("Due to breach 4 h", make("span", "", count(f.due_30m), make("small", "", " in 30 min")), [
      make("span", "", make("strong", "", count(f.due_60m)), " in 60 min"),
      `${count(f.all_over_12h_today)} left today over 12 h since arrival`,
    ]),
    tile("Ambulances waiting", count(f.queue), [
      f.queue > 0 ? `longest ${seconds(f.queue_longest_s)}, ${count(f.queue_over_30m)} over 30 min` : "none waiting",
      f.handovers_1h > 0 ? `mean handover ${meanSeconds(f.handover_total_s_1h, f.handovers_1h)}, ${count(f.handovers_1h)} in 1 h` : "no handover in the last hour",
      f.handovers_1h > 0 ? `${count(f.handovers_over_30m_1h)} of these over 30 min` : "",
    ]),
    tile("Arrived in the last hour", count(f.arrived_1h), [`${count(f.by_ambulance_1h)} by ambulance`, `${count(f.arrived_today)} today`]),
    tile("Data faults", count(f.unclosed), ["records open for over 72 h", `${count(f.all_implausible_today)} implausible today`]),
  );
}
