//! Attendances that give a published count back. Exact: how many, how many over four hours, and that each clock stops
//! inside the month by London's clocks. Plausible: when they came and how long they stayed. Made up, and said so in
//! the report: how each ended.

use std::fmt::Write;

use domain::event::{Attendance, DepartmentType, Disposal, Event, Fact, Statement};
use domain::time::{DAY, Millis, Minute, Second};
use jiff::tz::TimeZone;

use super::{Cell, Month, Table, site_code};
use crate::arrivals::{local_hour, london};
use crate::national::{WEEKDAYS, profile};
use crate::random::{Draws, Purpose, key, reference};
use crate::stays::{minutes_over, minutes_within, until_morning};

impl Table {
    /// Gives every attendance of the table to `each`, one event each, cell by cell and in no order of time: as many as
    /// the table counts, booked appointments among them, and exactly as many of more than 240 minutes. `⌊departed_at⌋`
    /// lies in the local month; those who came just before its beginning stand for those who are still there at its
    /// end. The source is the provider's code and the form of the table.
    pub fn events(&self, seed: u64, each: &mut impl FnMut(Event<'_>)) {
        let zone = london();
        let mut calendars = Vec::new();
        for cell in &self.cells {
            let calendar = calendar(&mut calendars, &zone, cell);
            let provider = &self.providers[cell.provider];
            let site = site_code(&provider.code, cell.kind);
            let source = format!("{}.{}", provider.code.to_ascii_lowercase(), self.form.as_str());
            let place = key(&site);
            let month = u64::from(calendar.first.0);
            let mut draws = Draws::new(seed, Purpose::Import, place, month);
            let mut id = String::new();
            for n in 0..cell.attendances {
                let stay = stay(cell, n < cell.over_four_hours, calendar, &mut draws);
                id.clear();
                write!(id, "{site}-{}-{:06}", cell.month, n + 1).expect("a String takes all");
                let number = month << 32 | u64::from(n);
                let mut says = Attendance::new(site.as_str(), reference(seed, place, number));
                says.department_type = Fact::Stated(cell.kind);
                says.arrived_at = Fact::Stated(stay.arrived_at);
                says.departed_at = Fact::Stated(stay.departed_at);
                says.disposal = Fact::Stated(stay.disposal);
                each(Event {
                    id: id.as_str().into(),
                    source: source.as_str().into(),
                    recorded_at: Millis(Millis::from(stay.departed_at).0 + i64::from(draws.below(300_000))),
                    statement: Statement::Attendance(says),
                });
            }
        }
    }
}

/// When the patients of a month come: its hours with the weights of a type.
struct Calendar {
    month: Month,
    kind: DepartmentType,
    first: Minute,
    end: Minute,
    /// Running totals of the weights of the month's hours.
    hours: Vec<u32>,
    /// How far local time is ahead of UTC in each of them, minutes.
    ahead: Vec<u32>,
}

fn calendar<'a>(known: &'a mut Vec<Calendar>, zone: &TimeZone, cell: &Cell) -> &'a Calendar {
    let fits = |calendar: &Calendar| calendar.month == cell.month && calendar.kind == cell.kind;
    let index = known.iter().position(fits).unwrap_or_else(|| {
        known.push(Calendar::new(zone, cell.month, cell.kind));
        known.len() - 1
    });
    &known[index]
}

impl Calendar {
    fn new(zone: &TimeZone, month: Month, kind: DepartmentType) -> Calendar {
        let (first, end, mut total) = (month.start(), month.end(), 0);
        let (mut hours, mut ahead) = (Vec::new(), Vec::new());
        for minute in (first.0..end.0).step_by(60) {
            let local = local_hour(zone, Minute(minute).start());
            let weight = f64::from(profile(kind).hour_weight(local.hour)) * WEEKDAYS[local.weekday];
            total += (100.0 * weight) as u32;
            hours.push(total);
            ahead.push(local.ahead_minutes);
        }
        Calendar { month, kind, first, end, hours, ahead }
    }

    /// The minute of the local day.
    fn local_minute(&self, minute: Minute) -> u32 {
        let hour = (minute.0 - self.first.0) as usize / 60;
        (minute.0 + self.ahead[hour.min(self.ahead.len() - 1)]) % DAY
    }

    fn arrival(&self, draws: &mut Draws) -> Minute {
        let hour = draws.position(&self.hours) as u32;
        self.first.plus(hour * 60 + draws.below(60))
    }
}

struct Stay {
    arrived_at: Second,
    departed_at: Second,
    disposal: Disposal,
}

fn stay(cell: &Cell, over: bool, calendar: &Calendar, draws: &mut Draws) -> Stay {
    let mut arrived = calendar.arrival(draws);
    let minutes = if over {
        let minutes = minutes_over(cell.kind, draws);
        minutes + until_morning(cell.kind, calendar.local_minute(arrived.plus(minutes)), draws)
    } else {
        minutes_within(cell.kind, draws)
    };
    if arrived.plus(minutes) >= calendar.end {
        // As one month follows another: who is still there at the end stands for who was there at the beginning.
        arrived = arrived.minus(calendar.end.0 - calendar.first.0);
    }
    Stay {
        arrived_at: Second(arrived.start().0 + draws.below(60)),
        departed_at: Second(arrived.plus(minutes).start().0 + draws.below(60)),
        disposal: disposal(cell.kind, over, draws),
    }
}

fn disposal(kind: DepartmentType, over: bool, draws: &mut Draws) -> Disposal {
    let admitted = match (kind == DepartmentType::Major, over) {
        (true, true) => 0.3,
        (true, false) => 0.2,
        (false, _) => 0.01,
    };
    let (is_admitted, left) = (draws.chance(admitted), draws.chance(0.04));
    match (is_admitted, left) {
        (true, _) => Disposal::Admitted,
        (false, true) => Disposal::Left,
        (false, false) => Disposal::Discharged,
    }
}
