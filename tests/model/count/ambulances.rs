//! What ambulance journeys add to `amb_handover`, `amb_queue`, `amb_response`.

use std::borrow::Cow;
use std::sync::Arc;

use domain::measures::Window;

use super::{Span, Tally};
use crate::model::clocks::{Journey, minute};
use crate::model::table::Series;

/// 24 h in seconds: the longest wait or delay of an ambulance.
const DAY: i64 = 86_400;
/// 14 days in seconds.
const UNCLOSED_MAX: i64 = 14 * DAY;

fn series(measure: &'static str, window: Option<Window>) -> Series {
    Series { measure, tag: Cow::Borrowed(""), window }
}

/// The service of the journey, whatever its destination, and every place of its destination.
pub(super) fn handover(tally: &mut Tally, journey: &Journey, span: Span) {
    let (Some(arrived), Some(handed_over)) = (journey.arrived_at, journey.handed_over_at) else { return };
    let delay = handed_over - arrived;
    if !span.covers(minute(handed_over)) || !(0..=DAY).contains(&delay) {
        return;
    }
    let places: Vec<Arc<str>> = journey.service.first().into_iter().chain(&journey.places).cloned().collect();
    let series = series("amb_handover", Some(span.window));
    let mut fields = vec![("completed", 1), ("total_s", delay)];
    fields.extend(over(delay));
    fields.extend([("lost_15m_s", (delay - 900).max(0)), ("lost_30m_s", (delay - 1_800).max(0))]);
    tally.add(&places, &series, &fields);
    tally.observe(&places, &series, delay);
}

pub(super) fn queue(tally: &mut Tally, journey: &Journey, m: i64) {
    let happened = |at: Option<i64>| at.is_some_and(|at| minute(at) < m);
    let Some(arrived) = journey.arrived_at else { return };
    if minute(arrived) >= m || happened(journey.handed_over_at) || happened(journey.cleared_at) {
        return;
    }
    let wait = m * 60 - arrived;
    let series = series("amb_queue", None);
    if wait <= DAY {
        let mut fields = vec![("waiting", 1), ("longest_s", wait)];
        fields.extend(over(wait));
        tally.add(&journey.places, &series, &fields);
    } else if wait <= UNCLOSED_MAX {
        tally.add(&journey.places, &series, &[("unclosed", 1)]);
    }
}

fn over(seconds: i64) -> [(&'static str, i64); 4] {
    [
        ("over_15m", i64::from(seconds > 900)),
        ("over_30m", i64::from(seconds > 1_800)),
        ("over_45m", i64::from(seconds > 2_700)),
        ("over_60m", i64::from(seconds > 3_600)),
    ]
}

/// At the service and the nation, wherever the journey ends; without a category in no series.
pub(super) fn response(tally: &mut Tally, journey: &Journey, span: Span) {
    let (Some(started), Some(responded)) = (journey.clock_started_at, journey.responded_at) else { return };
    let Some(category) = &journey.category else { return };
    let seconds = responded - started;
    if !span.covers(minute(responded)) || !(0..=DAY).contains(&seconds) {
        return;
    }
    let tag = Cow::Owned(category.clone());
    let series = Series { measure: "amb_response", tag, window: Some(span.window) };
    tally.add(&journey.service, &series, &[("responses", 1), ("total_s", seconds)]);
    tally.observe(&journey.service, &series, seconds);
}
