//! The measures at a minute m, counted from nothing (spec 2.1, 2.3, 2.4).

mod ambulances;
mod attendances;
mod statements;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::measures::Window;
use domain::time::Minute;

use super::Reading;
use super::table::{Fields, Measure, Points, Series};
use crate::london;

impl Reading<'_> {
    /// Every series of every place at m that is not all zeros. A window whose step does not divide m is left out.
    pub fn points(&self, m: Minute) -> Points {
        let mut tally = Tally::default();
        let minute = i64::from(m.0);
        for attendance in &self.attendances {
            attendances::department(&mut tally, attendance, minute);
            attendances::area(&mut tally, attendance, minute, &self.settings.areas);
        }
        for journey in &self.journeys {
            ambulances::queue(&mut tally, journey, minute);
        }
        statements::bed_states(&mut tally, &self.bed_states, minute);
        statements::escalation(&mut tally, &self.declarations, minute);
        for window in &self.settings.windows {
            if m.0.is_multiple_of(step(*window)) {
                self.count_window(&mut tally, Span::of(*window, m));
            }
        }
        let mut points = tally.points();
        points.extend(self.standards.get(&m).cloned().unwrap_or_default());
        points
    }

    fn count_window(&self, tally: &mut Tally, span: Span) {
        for attendance in &self.attendances {
            let excluded = attendance.disposal.is_some_and(|d| self.settings.exclude_disposals.contains(&d));
            attendances::arrivals(tally, attendance, span);
            attendances::treatment(tally, attendance, span);
            attendances::admission(tally, attendance, span);
            if !excluded {
                attendances::four_hour(tally, attendance, span);
            }
        }
        for journey in &self.journeys {
            ambulances::handover(tally, journey, span);
            ambulances::response(tally, journey, span);
        }
    }
}

/// What a window covers: [from, until) in floored minutes.
#[derive(Clone, Copy)]
struct Span {
    window: Window,
    from: i64,
    until: i64,
}

impl Span {
    fn of(window: Window, m: Minute) -> Span {
        let from = match window {
            Window::Rolling(minutes) => i64::from(m.0) - i64::from(minutes),
            Window::Today => i64::from(london::midnight(m.minus(1)).0),
        };
        Span { window, from, until: i64::from(m.0) }
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

/// The ⌈9 n / 10⌉-th smallest; of nothing, 0.
pub fn nearest_rank(observations: &[i64]) -> i64 {
    let mut sorted = observations.to_vec();
    sorted.sort_unstable();
    let rank = (9 * sorted.len()).div_ceil(10);
    if rank == 0 { 0 } else { sorted[rank - 1] }
}

/// The middle one, or the mean of the middle two; of nothing, 0.
pub fn median(observations: &[i64]) -> f64 {
    let mut sorted = observations.to_vec();
    sorted.sort_unstable();
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2] as f64,
        even => (sorted[even / 2 - 1] + sorted[even / 2]) as f64 / 2.0,
    }
}

/// The points as they are counted up.
#[derive(Default)]
struct Tally {
    counted: BTreeMap<(Arc<str>, Series), Counted>,
}

#[derive(Default)]
struct Counted {
    fields: BTreeMap<&'static str, i64>,
    /// What medians and percentiles are taken over: merged observations, never those of others.
    observations: Vec<i64>,
}

impl Tally {
    /// Adds to a series of every one of these places; the longest of something is the longest of all.
    fn add(&mut self, places: &[Arc<str>], series: &Series, fields: &[(&'static str, i64)]) {
        if fields.iter().all(|(_, amount)| *amount == 0) {
            return;
        }
        for place in places {
            let counted = self.counted.entry((place.clone(), series.clone())).or_default();
            for (field, amount) in fields {
                let value = counted.fields.entry(field).or_default();
                *value = if field.starts_with("longest") { (*value).max(*amount) } else { *value + amount };
            }
        }
    }

    /// One more observation, of which a median or a percentile is taken.
    fn observe(&mut self, places: &[Arc<str>], series: &Series, observation: i64) {
        for place in places {
            let counted = self.counted.entry((place.clone(), series.clone())).or_default();
            counted.observations.push(observation);
        }
    }

    fn points(self) -> Points {
        let mut points = Points::new();
        for ((place, series), counted) in self.counted {
            let mut fields: Fields =
                counted.fields.iter().map(|(field, value)| (*field, *value as f64)).collect();
            let measure = Measure::named(series.measure).expect("one of the table");
            let p90 = nearest_rank(&counted.observations) as f64;
            for field in measure.fields {
                match *field {
                    "median_minutes" => fields.insert(field, median(&counted.observations)),
                    "p90_minutes" | "p90_s" => fields.insert(field, p90),
                    _ => None,
                };
            }
            fields.retain(|_, value| *value != 0.0);
            if !fields.is_empty() {
                points.insert((place, series), fields);
            }
        }
        points
    }
}
