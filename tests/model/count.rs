//! The measures at a minute m, counted from nothing (spec 2.1, 2.3, 2.4).

use std::collections::BTreeMap;

use domain::ids::OrgId;
use domain::measures::{MAX_FIELDS, Measure, SeriesKey, TypeTag, Window};
use domain::time::Minute;

use super::clocks::{Attendance, Journey, minute, upwards};
use super::{Points, Reading};
use crate::london;

/// 72 h in minutes: beyond it an attendance is neither present nor on the clock.
const STAY_MAX: i64 = 4_320;
/// 14 days in minutes: beyond it a record that nobody closed counts no more, and a stay is implausible.
const OPEN_MAX: i64 = 20_160;
/// 24 h in seconds: the longest wait or delay of an ambulance.
const AMBULANCE_MAX: i64 = 86_400;
/// 14 days in seconds.
const UNCLOSED_MAX: i64 = 14 * 86_400;

impl Reading<'_> {
    /// Every series of every organisation at m that is not all zeros. A window whose step does not divide m is left
    /// out.
    pub fn points(&self, m: Minute) -> Points {
        let mut tally = Tally::default();
        let m_minutes = i64::from(m.0);
        for attendance in &self.attendances {
            let orgs = upwards(self.orgs, attendance.site);
            for tag in tags(attendance.department_type) {
                department(&mut tally, &orgs, *tag, attendance, m_minutes);
            }
        }
        for journey in &self.journeys {
            if let Some(destination) = journey.destination {
                queue(&mut tally, &upwards(self.orgs, destination), journey, m_minutes);
            }
        }
        for window in &self.settings.windows {
            if m.0.is_multiple_of(step(*window)) {
                self.count_window(&mut tally, *window, Span::of(*window, m));
            }
        }
        tally.points()
    }

    fn count_window(&self, tally: &mut Tally, window: Window, span: Span) {
        for attendance in &self.attendances {
            let orgs = upwards(self.orgs, attendance.site);
            let excluded = attendance.disposal.is_some_and(|d| self.settings.exclude_disposals.contains(&d));
            for tag in tags(attendance.department_type) {
                arrivals(tally, &orgs, (*tag, window), attendance, span);
                if !excluded && attendance.department_type != 5 {
                    four_hour(tally, &orgs, (*tag, window), attendance, span);
                }
            }
        }
        for journey in &self.journeys {
            let mut orgs = vec![journey.service];
            orgs.extend(journey.destination.into_iter().flat_map(|site| upwards(self.orgs, site)));
            handover(tally, &orgs, window, journey, span);
        }
    }
}

/// [from, until) in floored minutes.
#[derive(Clone, Copy)]
struct Span {
    from: i64,
    until: i64,
}

impl Span {
    fn of(window: Window, m: Minute) -> Span {
        let from = match window {
            Window::Rolling(minutes) => i64::from(m.0) - i64::from(minutes),
            Window::Today => i64::from(london::midnight(m.minus(1)).0),
        };
        Span { from, until: i64::from(m.0) }
    }

    fn covers(self, minute: i64) -> bool {
        self.from <= minute && minute < self.until
    }
}

/// The step at which a window is published, in minutes (spec 2.1).
fn step(window: Window) -> u32 {
    match window {
        Window::Today => 1,
        Window::Rolling(minutes) => {
            if minutes <= 24 * 60 {
                1
            } else {
                15
            }
        }
    }
}

/// The values of tag `type` under which an attendance counts.
fn tags(department_type: u64) -> &'static [TypeTag] {
    match department_type {
        1 => &[TypeTag::One, TypeTag::All],
        2 => &[TypeTag::Two, TypeTag::All],
        3 => &[TypeTag::Three, TypeTag::All],
        _ => &[TypeTag::Five],
    }
}

fn four_hour(
    tally: &mut Tally,
    orgs: &[OrgId],
    (tag, window): (TypeTag, Window),
    attendance: &Attendance,
    span: Span,
) {
    let Some(stop) = attendance.clock_stop else { return };
    if attendance.planned || !span.covers(stop) {
        return;
    }
    let minutes = stop - attendance.clock_start;
    let series = (Measure::AeFourHour, Some(tag), Some(window));
    if !(0..=OPEN_MAX).contains(&minutes) {
        tally.count(orgs, series, "implausible", true);
        return;
    }
    tally.count(orgs, series, "departed", true);
    tally.count(orgs, series, "within", minutes <= 240);
    tally.count(orgs, series, "over_12h", minutes > 720);
}

fn arrivals(
    tally: &mut Tally,
    orgs: &[OrgId],
    (tag, window): (TypeTag, Window),
    attendance: &Attendance,
    span: Span,
) {
    if !span.covers(attendance.clock_start) {
        return;
    }
    let series = (Measure::AeArrivals, Some(tag), Some(window));
    tally.count(orgs, series, "arrived", !attendance.planned);
    tally.count(orgs, series, "by_ambulance", !attendance.planned && attendance.by_ambulance);
    tally.count(orgs, series, "planned", attendance.planned);
}

fn department(tally: &mut Tally, orgs: &[OrgId], tag: TypeTag, attendance: &Attendance, m: i64) {
    let series = (Measure::AeDepartment, Some(tag), None);
    let happened = |at: Option<i64>| at.is_some_and(|at| at < m);
    let elapsed = m - attendance.clock_start;
    let departed = happened(attendance.departed);

    if elapsed <= STAY_MAX && happened(attendance.present_from) && !departed {
        let decided = happened(attendance.decided_to_admit);
        let long_decided = attendance.decided_to_admit.is_some_and(|at| m - at > 720);
        tally.count(orgs, series, "present", true);
        tally.count(orgs, series, "awaiting_admission", decided);
        tally.count(orgs, series, "awaiting_over_12h", decided && long_decided);
    }
    let on_clock = happened(Some(attendance.clock_start))
        && !happened(attendance.clock_stop)
        && !attendance.planned
        && attendance.department_type != 5;
    if on_clock && elapsed <= STAY_MAX {
        tally.count(orgs, series, "on_clock", true);
        tally.count(orgs, series, "over_4h", elapsed > 240);
        tally.count(orgs, series, "over_12h", elapsed > 720);
        tally.count(orgs, series, "due_30m", elapsed <= 240 && 240 < elapsed + 30);
        tally.count(orgs, series, "due_60m", elapsed <= 240 && 240 < elapsed + 60);
        tally.raise(orgs, series, "longest_minutes", elapsed);
    }
    tally.count(orgs, series, "unclosed", !departed && elapsed > STAY_MAX && elapsed <= OPEN_MAX);
}

fn handover(tally: &mut Tally, orgs: &[OrgId], window: Window, journey: &Journey, span: Span) {
    let (Some(arrived), Some(handed_over)) = (journey.arrived_at, journey.handed_over_at) else { return };
    let delay = handed_over - arrived;
    if !span.covers(minute(handed_over)) || !(0..=AMBULANCE_MAX).contains(&delay) {
        return;
    }
    let series = (Measure::AmbHandover, None, Some(window));
    tally.count(orgs, series, "completed", true);
    over(tally, orgs, series, delay);
    tally.add(orgs, series, "total_s", delay);
    tally.observe(orgs, series, delay);
    tally.add(orgs, series, "lost_15m_s", (delay - 900).max(0));
    tally.add(orgs, series, "lost_30m_s", (delay - 1_800).max(0));
}

fn queue(tally: &mut Tally, orgs: &[OrgId], journey: &Journey, m: i64) {
    let happened = |at: Option<i64>| at.is_some_and(|at| minute(at) < m);
    let Some(arrived) = journey.arrived_at else { return };
    if minute(arrived) >= m || happened(journey.handed_over_at) || happened(journey.cleared_at) {
        return;
    }
    let wait = m * 60 - arrived;
    let series = (Measure::AmbQueue, None, None);
    if wait <= AMBULANCE_MAX {
        tally.count(orgs, series, "waiting", true);
        over(tally, orgs, series, wait);
        tally.raise(orgs, series, "longest_s", wait);
    } else if wait <= UNCLOSED_MAX {
        tally.count(orgs, series, "unclosed", true);
    }
}

fn over(tally: &mut Tally, orgs: &[OrgId], series: Series, seconds: i64) {
    tally.count(orgs, series, "over_15m", seconds > 900);
    tally.count(orgs, series, "over_30m", seconds > 1_800);
    tally.count(orgs, series, "over_45m", seconds > 2_700);
    tally.count(orgs, series, "over_60m", seconds > 3_600);
}

/// The ⌈9 n / 10⌉-th smallest; of nothing, 0.
pub fn nearest_rank(observations: &[i64]) -> i64 {
    let mut sorted = observations.to_vec();
    sorted.sort_unstable();
    let rank = (9 * sorted.len()).div_ceil(10);
    if rank == 0 { 0 } else { sorted[rank - 1] }
}

type Series = (Measure, Option<TypeTag>, Option<Window>);

/// The points as they are counted up.
#[derive(Default)]
struct Tally {
    values: Points,
    /// What percentiles are taken over: merged observations, never percentiles of percentiles.
    observations: BTreeMap<(OrgId, SeriesKey), Vec<i64>>,
}

impl Tally {
    fn count(&mut self, orgs: &[OrgId], series: Series, field: &str, counts: bool) {
        self.add(orgs, series, field, i64::from(counts));
    }

    fn add(&mut self, orgs: &[OrgId], series: Series, field: &str, amount: i64) {
        if amount != 0 {
            self.change(orgs, series, field, |value| value + amount);
        }
    }

    fn raise(&mut self, orgs: &[OrgId], series: Series, field: &str, to: i64) {
        self.change(orgs, series, field, |value| value.max(to));
    }

    fn observe(&mut self, orgs: &[OrgId], series: Series, observation: i64) {
        for org in orgs {
            self.observations.entry((*org, key(series))).or_default().push(observation);
        }
    }

    fn change(&mut self, orgs: &[OrgId], series: Series, field: &str, change: impl Fn(i64) -> i64) {
        let index = series.0.field(field).expect("the measure has that field");
        for org in orgs {
            let value = &mut self.values.entry((*org, key(series))).or_insert([0; MAX_FIELDS])[index];
            *value = change(*value);
        }
    }

    fn points(mut self) -> Points {
        let index = Measure::AmbHandover.field("p90_s").expect("the measure has that field");
        for (key, observations) in &self.observations {
            if let Some(values) = self.values.get_mut(key) {
                values[index] = nearest_rank(observations);
            }
        }
        self.values.retain(|_, values| values.iter().any(|value| *value != 0));
        self.values
    }
}

fn key((measure, department_type, window): Series) -> SeriesKey {
    SeriesKey::new(measure, department_type, window)
}
