//! What attendances add to `ae_four_hour`, `ae_arrivals`, `ae_department`, `ae_area`, `ae_treatment`, `ae_admission`.

use std::borrow::Cow;
use std::slice;

use domain::event::Disposal;
use domain::measures::Window;

use super::{Span, Tally};
use crate::model::Area;
use crate::model::clocks::Attendance;
use crate::model::table::Series;

/// 72 h in minutes: beyond it an attendance is neither present nor on the clock.
const STAY_MAX: i64 = 4_320;
/// 14 days in minutes: beyond it a record that nobody closed counts no more, and a stay is implausible.
const OPEN_MAX: i64 = 20_160;
/// A day in minutes: the longest time to treatment.
const TREATMENT_MAX: i64 = 1_440;

/// The series of a measure under which an attendance counts: of its type, and of `all` (1, 2 and 3 together).
fn series(measure: &'static str, attendance: &Attendance, window: Option<Window>) -> Vec<Series> {
    let tags: &[&'static str] = match attendance.department_type {
        1 => &["1", "all"],
        2 => &["2", "all"],
        3 => &["3", "all"],
        _ => &["5"],
    };
    tags.iter().map(|tag| Series { measure, tag: Cow::Borrowed(tag), window }).collect()
}

/// Type 5 is outside of this measure.
fn series_but_type_5(measure: &'static str, attendance: &Attendance, span: Span) -> Vec<Series> {
    if attendance.department_type == 5 {
        return Vec::new();
    }
    series(measure, attendance, Some(span.window))
}

pub(super) fn four_hour(tally: &mut Tally, attendance: &Attendance, span: Span) {
    let Some(stop) = attendance.clock_stop else { return };
    if attendance.planned || !span.covers(stop) {
        return;
    }
    let minutes = stop - attendance.clock_start;
    let plausible = (0..=OPEN_MAX).contains(&minutes);
    let fields = [
        ("implausible", i64::from(!plausible)),
        ("departed", i64::from(plausible)),
        ("within", i64::from(plausible && minutes <= 240)),
        ("over_12h", i64::from(plausible && minutes > 720)),
    ];
    for series in series_but_type_5("ae_four_hour", attendance, span) {
        tally.add(&attendance.places, &series, &fields);
    }
}

pub(super) fn arrivals(tally: &mut Tally, attendance: &Attendance, span: Span) {
    if !span.covers(attendance.clock_start) {
        return;
    }
    let fields = [
        ("arrived", i64::from(!attendance.planned)),
        ("by_ambulance", i64::from(!attendance.planned && attendance.by_ambulance)),
        ("planned", i64::from(attendance.planned)),
    ];
    for series in series("ae_arrivals", attendance, Some(span.window)) {
        tally.add(&attendance.places, &series, &fields);
    }
}

pub(super) fn treatment(tally: &mut Tally, attendance: &Attendance, span: Span) {
    let Some(treated) = attendance.treated else { return };
    let minutes = treated - attendance.clock_start;
    if attendance.planned || !span.covers(treated) || !(0..=TREATMENT_MAX).contains(&minutes) {
        return;
    }
    for series in series_but_type_5("ae_treatment", attendance, span) {
        tally.add(&attendance.places, &series, &[("treated", 1)]);
        tally.observe(&attendance.places, &series, minutes);
    }
}

pub(super) fn admission(tally: &mut Tally, attendance: &Attendance, span: Span) {
    let Some(departed) = attendance.departed else { return };
    if attendance.disposal != Some(Disposal::Admitted) || !span.covers(departed) {
        return;
    }
    let since_decision = attendance.decided_to_admit.map(|decided| departed - decided);
    let over = |minutes: i64| i64::from(since_decision.is_some_and(|since| since > minutes));
    let fields = [("admitted", 1), ("over_4h_decision", over(240)), ("over_12h_decision", over(720))];
    for series in series_but_type_5("ae_admission", attendance, span) {
        tally.add(&attendance.places, &series, &fields);
    }
}

fn has_happened(at: Option<i64>, m: i64) -> bool {
    at.is_some_and(|at| at < m)
}

fn is_present(attendance: &Attendance, m: i64) -> bool {
    m - attendance.clock_start <= STAY_MAX
        && has_happened(attendance.present_from, m)
        && !has_happened(attendance.departed, m)
}

fn is_on_clock(attendance: &Attendance, m: i64) -> bool {
    m - attendance.clock_start <= STAY_MAX
        && attendance.clock_start < m
        && !has_happened(attendance.clock_stop, m)
        && !attendance.planned
        && attendance.department_type != 5
}

pub(super) fn department(tally: &mut Tally, attendance: &Attendance, m: i64) {
    let elapsed = m - attendance.clock_start;
    let present = is_present(attendance, m);
    let decided = present && has_happened(attendance.decided_to_admit, m);
    let long_decided = attendance.decided_to_admit.is_some_and(|at| m - at > 720);
    let on_clock = is_on_clock(attendance, m);
    let due = |within: i64| i64::from(on_clock && elapsed <= 240 && 240 < elapsed + within);
    let departed = has_happened(attendance.departed, m);
    let unclosed = !departed && STAY_MAX < elapsed && elapsed <= OPEN_MAX;
    let fields = [
        ("present", i64::from(present)),
        ("awaiting_admission", i64::from(decided)),
        ("awaiting_over_12h", i64::from(decided && long_decided)),
        ("on_clock", i64::from(on_clock)),
        ("over_4h", i64::from(on_clock && elapsed > 240)),
        ("over_12h", i64::from(on_clock && elapsed > 720)),
        ("due_30m", due(30)),
        ("due_60m", due(60)),
        ("longest_minutes", if on_clock { elapsed } else { 0 }),
        ("unclosed", i64::from(unclosed)),
    ];
    for series in series("ae_department", attendance, None) {
        tally.add(&attendance.places, &series, &fields);
    }
}

/// Present, and in an area by the newest move that happened; of every type, at the site only.
pub(super) fn area(tally: &mut Tally, attendance: &Attendance, m: i64, areas: &[Area]) {
    let happened = attendance.moves.iter().filter(|(since, _)| since.div_euclid(60) < m);
    let Some((_, area)) = happened.max_by_key(|(since, _)| *since) else { return };
    if !is_present(attendance, m) {
        return;
    }
    let known = areas.iter().any(|one| one.site == *attendance.site && one.area == *area);
    let tag = if known { Cow::Owned(area.clone()) } else { Cow::Borrowed("other") };
    let series = Series { measure: "ae_area", tag, window: None };
    tally.add(slice::from_ref(&attendance.site), &series, &[("present", 1)]);
}
