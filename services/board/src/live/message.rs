//! The JSON of snapshots and deltas: arrays in the order of the columns, because a national snapshot is sent whole.

use std::fmt::Write;

use domain::ids::OrgId;
use domain::time::Minute;
use serde::Serialize;

use super::{COLUMNS, Changed, Figures, Live, Mode, SPARK_MINUTES, SPARK_STEP, Spark, State};

/// What stands for "none" in an array of figures.
const NONE: i64 = -1;

/// The share that the within-four-hours figures are held against on the page.
#[derive(Serialize)]
struct TargetView {
    /// Thousandths: 780 for 78.0 %.
    permille: u32,
    /// Its first day.
    from: String,
    /// Whether a public page or publication gives the number.
    verified: bool,
}

impl Live {
    /// Everything, without the opening and closing brace and the time of sending.
    pub(super) fn snapshot(&self, state: &State) -> String {
        let mut json = String::with_capacity(400 * 1024);
        let columns =
            ["minute", "stale", "age_s"].into_iter().chain(COLUMNS.iter().map(|column| column.name));
        put(&mut json, "columns", &columns.collect::<Vec<_>>());
        json.push(',');
        match self.mode {
            Mode::Live => put(&mut json, "mode", &"live"),
            Mode::AsAt(_) => put(&mut json, "mode", &"as_at"),
        }
        json.push(',');
        self.put_times(state, &mut json);
        json.push_str(",\"orgs\":{");
        for (id, _) in self.organisations.iter() {
            if let Some(figures) = &state.figures[id.index()] {
                self.put_figures(id, figures, &mut json);
            }
        }
        close_list(&mut json, '}');
        let first = state.head.map_or(0, |head| head.minus(SPARK_MINUTES).0.div_ceil(SPARK_STEP));
        let last = state.head.map_or(0, |head| head.0 / SPARK_STEP + 1);
        let _infallible = write!(json, ",\"spark_step\":{SPARK_STEP},\"spark_minutes\":{SPARK_MINUTES}");
        let _infallible = write!(json, ",\"spark_from\":{},\"sparks\":{{", first * SPARK_STEP);
        for (id, org) in self.organisations.iter().filter(|(id, _)| !state.sparks[id.index()].is_empty()) {
            let points = || (first..last).map(|at| state.sparks[id.index()].get(&Minute(at * SPARK_STEP)));
            let _infallible = write!(json, "\"{}\":[[", org.code);
            points().for_each(|spark| put_number(&mut json, permille(spark)));
            close_list(&mut json, ']');
            json.push_str(",[");
            points().for_each(|spark| put_number(&mut json, present(spark)));
            close_list(&mut json, ']');
            json.push_str("],");
        }
        close_list(&mut json, '}');
        json.push(',');
        put(&mut json, "alerts", &state.episodes.shown());
        json.push(',');
        put(&mut json, "status", &state.status);
        json
    }

    /// What changed: figures and points of the small lines; episodes and status whole, where they changed.
    pub(super) fn delta(&self, state: &State, changed: &Changed, now_ms: i64) -> String {
        let mut json = format!("{{\"now_ms\":{now_ms},");
        self.put_times(state, &mut json);
        json.push_str(",\"orgs\":{");
        for id in &changed.orgs {
            if let Some(figures) = &state.figures[id.index()] {
                self.put_figures(*id, figures, &mut json);
            }
        }
        close_list(&mut json, '}');
        json.push_str(",\"sparks\":[");
        for (id, minute) in &changed.sparks {
            let spark = state.sparks[id.index()].get(minute);
            let code = &self.organisations.get(*id).code;
            let _infallible =
                write!(json, "[\"{code}\",{},{},{}],", minute.0, permille(spark), present(spark));
        }
        close_list(&mut json, ']');
        if changed.episodes {
            json.push(',');
            put(&mut json, "alerts", &state.episodes.shown());
        }
        if changed.status {
            json.push(',');
            put(&mut json, "status", &state.status);
        }
        json.push('}');
        json
    }

    /// The number of the message, the newest minute, the minute with which its local day began, and the target in force on
    /// that day (spec 2.5).
    fn put_times(&self, state: &State, json: &mut String) {
        put(json, "seq", &state.seq);
        json.push(',');
        put(json, "head", &state.head.map(|head| head.0));
        json.push(',');
        put(json, "today", &state.head.map(|head| self.days.midnight(head.minus(1)).0));
        json.push(',');
        put(json, "target", &state.head.and_then(|head| self.target_at(head)));
    }

    fn target_at(&self, head: Minute) -> Option<TargetView> {
        let step = self.target.as_ref()?.on(self.days.date(head.minus(1)))?;
        let share: f64 = step.value.to_string().parse().expect("a decimal reads as a number");
        let permille = (share * 1_000.0).round() as u32;
        Some(TargetView { permille, from: step.from.to_string(), verified: step.verified })
    }

    fn put_figures(&self, id: OrgId, figures: &Figures, json: &mut String) {
        let age = figures.freshness.age_seconds.map_or(NONE, i64::from);
        let stale = u8::from(figures.freshness.stale);
        let code = &self.organisations.get(id).code;
        let _infallible = write!(json, "\"{code}\":[{},{stale},{age},", figures.minute.0);
        figures.values.iter().for_each(|value| put_number(json, *value));
        close_list(json, ']');
        json.push(',');
    }
}

fn permille(spark: Option<&Spark>) -> i64 {
    spark.and_then(|spark| spark.within_permille).unwrap_or(NONE)
}

fn present(spark: Option<&Spark>) -> i64 {
    spark.map_or(NONE, |spark| spark.present)
}

fn put(json: &mut String, name: &str, value: &impl Serialize) {
    let text = serde_json::to_string(value).expect("plain structs with text keys");
    let _infallible = write!(json, "\"{name}\":{text}");
}

fn put_number(json: &mut String, number: i64) {
    let _infallible = write!(json, "{number},");
}

/// Replaces the comma after the last element, if there is one, by the bracket.
fn close_list(json: &mut String, bracket: char) {
    if json.ends_with(',') {
        json.pop();
    }
    json.push(bracket);
}
