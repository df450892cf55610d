//! Attendances that give a published count back. Exact: how many, how many over four hours, and that each clock stops
//! inside the month by London's clocks; how many were admitted, and waited from the decision to admit, where these
//! fit (`placing`). Plausible: when they came, how long they stayed, how the others ended.

use std::fmt::Write;

use domain::event::{Attendance, DepartmentType, Disposal, Event, Fact, Statement};
use domain::time::{DAY, Millis, Minute, Second};
use jiff::tz::TimeZone;

use super::{Cell, Form, Month, Placed, Table, site_code};
use crate::arrivals::{local_hour, london};
use crate::national::{WEEKDAYS, profile};
use crate::random::{Draws, Purpose, key, reference};
use crate::stays::{minutes_over, minutes_within, until_morning};

impl Table {
    /// Gives every attendance of the table to `each`, one event each, cell by cell and in no order of time: as many as
    /// the table counts, booked appointments among them, and exactly as many of more than 240 minutes. `⌊departed_at⌋`
    /// lies in the local month; those who came just before its beginning stand for those who are still there at its
    /// end. Admissions and waits are those of [`Table::placing`]; where a table has no waits, no decision to admit is
    /// stated. The source is the provider's code and the form of the table.
    pub fn events(&self, seed: u64, each: &mut impl FnMut(Event<'_>)) {
        let zone = london();
        let mut calendars = Vec::new();
        let states_decisions = match self.form {
            Form::Msitae => true,
            Form::Monthly | Form::Ambsys | Form::GaBeds => false,
        };
        for (cell, placed) in self.cells.iter().zip(self.placing().cells) {
            let calendar = calendar(&mut calendars, &zone, cell);
            let provider = &self.providers[cell.provider];
            let site = site_code(&provider.code, cell.kind);
            let source = format!("{}.{}", provider.code.to_ascii_lowercase(), self.form.as_str());
            let place = key(&site);
            let month = u64::from(calendar.first.0);
            let mut draws = Draws::new(seed, Purpose::Import, place, month);
            let mut id = String::new();
            for n in 0..cell.attendances {
                let ending = Ending::of(n, cell, placed);
                let stay = stay(cell, ending, calendar, &mut draws);
                id.clear();
                write!(id, "{site}-{}-{:06}", cell.month, n + 1).expect("a String takes all");
                let number = month << 32 | u64::from(n);
                let mut says = Attendance::new(site.as_str(), reference(seed, place, number));
                says.department_type = Fact::Stated(cell.kind);
                says.arrived_at = Fact::Stated(stay.arrived_at);
                says.departed_at = Fact::Stated(stay.departed_at);
                says.disposal = Fact::Stated(stay.disposal);
                if let Some(decided_at) = stay.decided_at.filter(|_| states_decisions) {
                    says.decided_to_admit_at = Fact::Stated(decided_at);
                }
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

/// How an attendance of a cell ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Admitted over 12 hours after the decision.
    WaitedOver12Hours,
    /// Admitted 4–12 hours after the decision.
    Waited4To12Hours,
    /// Admitted sooner than that.
    Admitted { over: bool },
    /// Not admitted.
    Other { over: bool },
}

impl Ending {
    /// The ending of the n-th attendance, from 0: those over four hours come first, and of these the longest waits.
    fn of(n: u32, cell: &Cell, placed: Placed) -> Ending {
        let Placed { admitted_over, admitted_within, waited_4_to_12_hours, waited_over_12_hours } = placed;
        let over = n < cell.over_four_hours;
        match over {
            true if n < waited_over_12_hours => Ending::WaitedOver12Hours,
            true if n < waited_over_12_hours + waited_4_to_12_hours => Ending::Waited4To12Hours,
            true if n < admitted_over => Ending::Admitted { over },
            false if n - cell.over_four_hours < admitted_within => Ending::Admitted { over },
            true | false => Ending::Other { over },
        }
    }

    /// Minutes from the decision to the admission that a report would put into one of its bands.
    fn long_wait(self, draws: &mut Draws) -> Option<u32> {
        match self {
            Ending::WaitedOver12Hours => Some(721 + (draws.exponential(400.0) as u32).min(2_160)),
            Ending::Waited4To12Hours => Some(241 + (draws.exponential(170.0) as u32).min(479)),
            Ending::Admitted { .. } | Ending::Other { .. } => None,
        }
    }
}

struct Stay {
    arrived_at: Second,
    decided_at: Option<Second>,
    departed_at: Second,
    disposal: Disposal,
}

fn stay(cell: &Cell, ending: Ending, calendar: &Calendar, draws: &mut Draws) -> Stay {
    let mut arrived = calendar.arrival(draws);
    let (minutes, wait) = minutes(cell.kind, ending, calendar.local_minute(arrived), draws);
    if arrived.plus(minutes) >= calendar.end {
        // As one month follows another: who is still there at the end stands for who was there at the beginning.
        arrived = arrived.minus(calendar.end.0 - calendar.first.0);
    }
    let departed = arrived.plus(minutes);
    let mut within = |minute: Minute| Second(minute.start().0 + draws.below(60));
    Stay {
        arrived_at: within(arrived),
        decided_at: wait.map(|wait| within(departed.minus(wait))),
        departed_at: within(departed),
        disposal: if wait.is_some() { Disposal::Admitted } else { not_admitted(draws) },
    }
}

/// Minutes of the stay, and of these the ones after a decision to admit: never the minute of arrival, never the last.
fn minutes(kind: DepartmentType, ending: Ending, arrived: u32, draws: &mut Draws) -> (u32, Option<u32>) {
    let mut stay = |over: bool| {
        if !over {
            return minutes_within(kind, draws);
        }
        let minutes = minutes_over(kind, draws);
        minutes + until_morning(kind, (arrived + minutes) % DAY, draws)
    };
    match ending {
        Ending::WaitedOver12Hours | Ending::Waited4To12Hours => {
            let wait = ending.long_wait(draws).unwrap_or_default();
            (draws.between(30, 240) + wait, Some(wait))
        }
        Ending::Admitted { over } => {
            let minutes = stay(over);
            (minutes, Some(draws.between(1, (minutes - 1).min(240))))
        }
        Ending::Other { over } => (stay(over), None),
    }
}

fn not_admitted(draws: &mut Draws) -> Disposal {
    if draws.chance(0.04) { Disposal::Left } else { Disposal::Discharged }
}
