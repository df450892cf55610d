//! An A&E attendance: from its facts to its clocks to what it adds to the figures (spec 2.2, 2.4). Pure functions of
//! the facts: when an event changes a fact, the old contribution goes and the new one comes.

use crate::event::{ArrivalMode, Attendance, DepartmentType, Disposal, Fact};
use crate::fact::{Link, NO_PLACE, RETRACTED, Record, SMALL, SMALL_BASE, Said};
use crate::ids::OrgId;
use crate::journey::JourneyTimes;
use crate::percentile::MINUTES_MAX;
use crate::time::{Minute, Second};

/// Exactly four hours is within: the standard is met at `minutes <= FOUR_HOURS`.
pub const FOUR_HOURS: u32 = 240;
/// Over twelve hours: `minutes > TWELVE_HOURS`.
pub const TWELVE_HOURS: u32 = 720;
/// After this many minutes on the clock an attendance is neither present nor on the clock: nobody closed its record.
pub const OPEN_AT_MOST: u32 = 72 * 60;
/// Up to this many minutes an open record counts as unclosed, and a stay is plausible.
pub const FOURTEEN_DAYS: u32 = 14 * 1_440;
/// The clock of a patient in an ambulance starts at handover, or this long after the ambulance's arrival.
const AMBULANCE_GRACE_SECONDS: u32 = 15 * 60;

/// The slots of an attendance in its [`Record`]. Only the checkpoint knows their numbers.
pub(crate) mod slot {
    pub(crate) const ARRIVED: usize = 0;
    pub(crate) const ASSESSED: usize = 1;
    pub(crate) const TREATED: usize = 2;
    pub(crate) const REFERRED: usize = 3;
    pub(crate) const DECIDED: usize = 4;
    pub(crate) const CLOCK_STOPPED: usize = 5;
    pub(crate) const DEPARTED: usize = 6;
    pub(crate) const TYPE: usize = 7;
    pub(crate) const PLANNED: usize = 8;
    pub(crate) const CHILD: usize = 9;
    pub(crate) const ACUITY: usize = 10;
    pub(crate) const MODE: usize = 11;
    pub(crate) const DISPOSAL: usize = 12;
    pub(crate) const VOID: usize = 13;
}

/// How many values each small fact has in its slot, counted from 0; see [`crate::fact::Shape`].
pub(crate) const SMALLS: [u8; SMALL] =
    [6, 2, 2, 6, ArrivalMode::ALL.len() as u8, Disposal::ALL.len() as u8, 2];

/// No such minute: it has not happened and is not known to.
pub(crate) const NEVER: Minute = Minute(u32::MAX);

/// Which department type a figure is counted under; 4 counts as 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CountedType {
    /// Type 1.
    One = 0,
    /// Type 2.
    Two = 1,
    /// Types 3 and 4.
    Three = 2,
    /// Type 5, outside the four-hour measure and outside `all`.
    Five = 3,
}

impl From<DepartmentType> for CountedType {
    fn from(department_type: DepartmentType) -> CountedType {
        match department_type {
            DepartmentType::Major => CountedType::One,
            DepartmentType::SingleSpecialty => CountedType::Two,
            DepartmentType::Other | DepartmentType::WalkInCentre => CountedType::Three,
            DepartmentType::SameDayEmergencyCare => CountedType::Five,
        }
    }
}

/// How an attendance whose clock has stopped counts in `ae_four_hour`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// At most four hours.
    Within,
    /// Over four hours, at most twelve.
    OverFour,
    /// Over twelve hours.
    OverTwelve,
    /// The clock stops before it starts, or after more than 14 days: in no other field.
    Implausible,
}

/// How an attendance counts in `ae_arrivals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// A planned follow-up.
    Planned,
    /// Unplanned, by ambulance.
    ByAmbulance,
    /// Unplanned, by any other way.
    Otherwise,
}

/// A clock that stopped: for `ae_four_hour`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// ⌊clock_stop⌋
    pub minute: Minute,
    /// Never type 5.
    pub department_type: CountedType,
    /// How it counts.
    pub closed: Closed,
}

/// A clock that started: for `ae_arrivals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// ⌊clock_start⌋
    pub minute: Minute,
    /// The type.
    pub department_type: CountedType,
    /// How it counts.
    pub arrived: Arrived,
}

/// A treatment that began: for `ae_treatment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// ⌊treated_at⌋
    pub minute: Minute,
    /// ⌊treated_at⌋ − ⌊clock_start⌋; at most a day.
    pub minutes: u16,
    /// Never type 5.
    pub department_type: CountedType,
}

/// How long before an admission it was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// At most four hours before, after it, or not at all.
    InTime,
    /// Over four hours before, at most twelve.
    OverFour,
    /// Over twelve hours before.
    OverTwelve,
}

/// An attendance that ended in an admission: for `ae_admission`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// ⌊departed_at⌋
    pub minute: Minute,
    /// Never type 5.
    pub department_type: CountedType,
    /// How it counts.
    pub decided: Decided,
}

/// A time in the department: for `ae_department`. Minutes that never come are `u32::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// ⌊clock_start⌋
    pub start: Minute,
    /// ⌊clock_stop⌋; 0 for one that is never on the clock (planned, or type 5).
    pub stop: Minute,
    /// The minute in which presence begins.
    pub present_from: Minute,
    /// ⌊departed_at⌋
    pub departed: Minute,
    /// ⌊decided_to_admit_at⌋
    pub decided: Minute,
    /// The type.
    pub department_type: CountedType,
}

impl Stay {
    /// The first minute at which it counts anywhere.
    pub fn begin(&self) -> Minute {
        self.start.min(self.present_from).plus(1)
    }

    /// From this minute on it counts nowhere.
    pub fn end(&self) -> Minute {
        let open = self.start.plus(OPEN_AT_MOST + 1);
        let present_or_on_clock = self.departed.max(self.stop).plus(1).min(open);
        // Whoever has departed by the end of 72 hours is never unclosed.
        let unclosed = if self.departed >= open {
            self.departed.plus(1).min(self.start.plus(FOURTEEN_DAYS + 1))
        } else {
            Minute(0)
        };
        present_or_on_clock.max(unclosed)
    }

    /// Whether the patient is in the department at `m`.
    pub fn is_present(&self, m: Minute) -> bool {
        self.present_from < m && self.departed >= m && m <= self.start.plus(OPEN_AT_MOST)
    }

    /// Minutes on the clock at `m`, if it runs.
    pub fn on_clock(&self, m: Minute) -> Option<u32> {
        let runs = self.start < m && self.stop >= m && m <= self.start.plus(OPEN_AT_MOST);
        runs.then(|| m.0 - self.start.0)
    }

    /// Whether it is a record that nobody closed.
    pub fn is_unclosed(&self, m: Minute) -> bool {
        self.departed >= m && m > self.start.plus(OPEN_AT_MOST) && m <= self.start.plus(FOURTEEN_DAYS)
    }
}

/// What one attendance adds to the figures of its site and of everything above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// Its site.
    pub site: OrgId,
    /// To `ae_arrivals`.
    pub arrival: Arrival,
    /// To `ae_four_hour`.
    pub closing: Option<Closing>,
    /// To `ae_department`.
    pub stay: Stay,
    /// To `ae_treatment`.
    pub treatment: Option<Treatment>,
    /// To `ae_admission`.
    pub admission: Option<Admission>,
}

/// The minute of an instant, or never.
fn minute_or_never(instant: Option<u32>) -> Minute {
    instant.map_or(NEVER, |seconds| Second(seconds).minute())
}

/// What the attendance adds, with the times of its journey if it has one; nothing if it is void or its clock never
/// starts. `excluded` holds the disposals that `measures.exclude_disposals` leaves out of `ae_four_hour`.
pub(crate) fn contribution(
    record: &Record,
    site_default: DepartmentType,
    journey: Option<JourneyTimes>,
    excluded: &[Disposal],
) -> Option<Contribution> {
    if record.small(slot::VOID) == Some(1) {
        return None;
    }
    let arrived = record.instant(slot::ARRIVED);
    let clock_start = clock_start(arrived, journey)?;
    let department_type =
        record.small(slot::TYPE).and_then(DepartmentType::from_number).unwrap_or(site_default).into();
    let planned = record.small(slot::PLANNED) == Some(1);
    let disposal = record.small(slot::DISPOSAL).map(|number| Disposal::ALL[usize::from(number)]);
    let departed = record.instant(slot::DEPARTED);
    let clock_stop = clock_stop(disposal, record.instant(slot::CLOCK_STOPPED), departed);
    let start = Second(clock_start).minute();
    let on_clock = !planned && department_type != CountedType::Five;
    let counted = on_clock && !disposal.is_some_and(|disposal| excluded.contains(&disposal));
    let decided = minute_or_never(record.instant(slot::DECIDED));
    let by_ambulance =
        record.stated_link().is_some() || record.small(slot::MODE) == Some(ArrivalMode::Ambulance as u8);
    Some(Contribution {
        site: OrgId(record.place),
        arrival: Arrival {
            minute: start,
            department_type,
            arrived: match (planned, by_ambulance) {
                (true, _) => Arrived::Planned,
                (false, true) => Arrived::ByAmbulance,
                (false, false) => Arrived::Otherwise,
            },
        },
        closing: clock_stop.filter(|_| counted).map(|stop| {
            let minute = Second(stop).minute();
            Closing { minute, department_type, closed: closed(start, minute) }
        }),
        stay: Stay {
            start,
            stop: if on_clock { minute_or_never(clock_stop) } else { Minute(0) },
            present_from: present_from(arrived, journey),
            departed: minute_or_never(departed),
            decided,
            department_type,
        },
        treatment: record
            .instant(slot::TREATED)
            .filter(|_| on_clock)
            .and_then(|treated| treatment(start, Second(treated).minute(), department_type)),
        admission: departed
            .filter(|_| disposal == Some(Disposal::Admitted) && department_type != CountedType::Five)
            .map(|departed| admission(decided, Second(departed).minute(), department_type)),
    })
}

/// Spec 2.4, `ae_treatment`: a time below 0 or over a day does not count.
fn treatment(start: Minute, treated: Minute, department_type: CountedType) -> Option<Treatment> {
    let minutes = u16::try_from(treated.0.checked_sub(start.0)?).ok()?;
    (minutes <= MINUTES_MAX).then_some(Treatment { minute: treated, minutes, department_type })
}

/// Spec 2.4, `ae_admission`; planned ones count too.
fn admission(decided: Minute, departed: Minute, department_type: CountedType) -> Admission {
    let decided = match departed.0.saturating_sub(decided.0) {
        minutes if minutes > TWELVE_HOURS => Decided::OverTwelve,
        minutes if minutes > FOUR_HOURS => Decided::OverFour,
        _ => Decided::InTime,
    };
    Admission { minute: departed, department_type, decided }
}

/// Spec 2.2, `clock_start`: with a journey the earlier of handover and 15 minutes after the ambulance's arrival.
fn clock_start(arrived: Option<u32>, journey: Option<JourneyTimes>) -> Option<u32> {
    let by_journey = journey.and_then(|times| {
        let grace = times.arrived.map(|seconds| seconds + AMBULANCE_GRACE_SECONDS);
        [times.handed_over, grace].into_iter().flatten().min()
    });
    by_journey.or(arrived)
}

/// Spec 2.2, `clock_stop`.
fn clock_stop(disposal: Option<Disposal>, stopped: Option<u32>, departed: Option<u32>) -> Option<u32> {
    match disposal {
        Some(Disposal::Admitted | Disposal::Transferred) => departed,
        Some(Disposal::Died | Disposal::Discharged | Disposal::Left | Disposal::Streamed) | None => {
            stopped.or(departed)
        }
    }
}

/// Spec 2.2, `present at m`: a patient whose ambulance has arrived is present from the handover, else from when the
/// crew was clear; until then in the queue.
fn present_from(arrived: Option<u32>, journey: Option<JourneyTimes>) -> Minute {
    match journey.filter(|times| times.arrived.is_some() || times.handed_over.is_some()) {
        Some(times) => minute_or_never(times.handed_over.or(times.cleared)),
        None => minute_or_never(arrived),
    }
}

/// Spec 2.2, minutes = ⌊clock_stop⌋ − ⌊clock_start⌋, and the bounds.
fn closed(start: Minute, stop: Minute) -> Closed {
    match stop.0.checked_sub(start.0) {
        None => Closed::Implausible,
        Some(minutes) if minutes > FOURTEEN_DAYS => Closed::Implausible,
        Some(minutes) if minutes > TWELVE_HOURS => Closed::OverTwelve,
        Some(minutes) if minutes > FOUR_HOURS => Closed::OverFour,
        Some(_) => Closed::Within,
    }
}

/// Puts the statement into slots. `journey` is the journey that it names; `area` numbers the text of an area.
pub(crate) fn said(
    attendance: &Attendance<'_>,
    journey: Option<Link>,
    area: impl FnOnce(&str) -> Option<u16>,
) -> Said {
    let mut said = Said::default();
    let instants = [
        (slot::ARRIVED, attendance.arrived_at),
        (slot::ASSESSED, attendance.assessed_at),
        (slot::TREATED, attendance.treated_at),
        (slot::REFERRED, attendance.referred_at),
        (slot::DECIDED, attendance.decided_to_admit_at),
        (slot::CLOCK_STOPPED, attendance.clock_stopped_at),
        (slot::DEPARTED, attendance.departed_at),
    ];
    for (slot, fact) in instants {
        say_instant(&mut said, slot, fact);
    }
    say_small(&mut said, slot::TYPE, attendance.department_type, |one| one.number());
    say_small(&mut said, slot::PLANNED, attendance.planned, u8::from);
    say_small(&mut said, slot::CHILD, attendance.child, u8::from);
    say_small(&mut said, slot::ACUITY, attendance.acuity, |one| one);
    say_small(&mut said, slot::MODE, attendance.arrival_mode, |one| one as u8);
    say_small(&mut said, slot::DISPOSAL, attendance.disposal, |one| one as u8);
    say_small(&mut said, slot::VOID, attendance.void, u8::from);
    match &attendance.ambulance {
        Fact::Absent => {}
        Fact::Retracted => said.say(crate::fact::LINK, RETRACTED),
        Fact::Stated(_) => {
            said.say(crate::fact::LINK, SMALL_BASE);
            said.link = journey.unwrap_or(Link { place: NO_PLACE, ..Link::default() });
        }
    }
    if let Some(location) = &attendance.location {
        // An area for which there is no number any more is as if it were not said: not as if it were retracted.
        said.moved = match location.area.as_deref() {
            Some(text) => area(text).map(|number| (location.since.0, Some(number))),
            None => Some((location.since.0, None)),
        };
    }
    said
}

/// Says a fact with an instant.
pub(crate) fn say_instant(said: &mut Said, slot: usize, fact: Fact<Second>) {
    match fact {
        Fact::Absent => {}
        Fact::Retracted => said.say(slot, RETRACTED),
        Fact::Stated(instant) => said.say(slot, instant.0),
    }
}

/// Says a small fact.
pub(crate) fn say_small<T: Copy>(said: &mut Said, slot: usize, fact: Fact<T>, number: impl Fn(T) -> u8) {
    match fact {
        Fact::Absent => {}
        Fact::Retracted => said.say(slot, RETRACTED),
        Fact::Stated(value) => said.say(slot, SMALL_BASE + u32::from(number(value))),
    }
}
