//! How an event is read, whatever the wire form: which fields there are, what each may hold, and what is wrong
//! otherwise. The wire forms differ only in their [`Reading`]; so they cannot disagree about a rule of spec 1.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use domain::event::{
    ArrivalMode, Attendance, Beds, Category, DepartmentType, Disposal, Escalation, Event, Fact, Journey,
    JourneyName, Location, Return, Statement,
};
use domain::ids::Ref;
use domain::time::{Millis, Second};

use super::References;
use super::fields::{
    AttendanceField, BedsField, EscalationField, EventField, Field, HeartbeatField, JourneyField,
    JourneyNameField, LocationField, ReturnField,
};

/// What JSON numbers carry exactly everywhere.
const MAX_TOTAL: u64 = 1 << 53;

/// The one value at which a reader stands.
pub(crate) trait Reading<'a>: Sized {
    /// What is wrong, as far as this reader wants to know.
    type Error;

    /// An error at this value. `what` says what would be right and never holds a part of the input.
    fn wrong(&self, what: &'static str) -> Self::Error;
    /// Whether the value is a retraction; then it is consumed.
    fn null(&mut self) -> bool;
    /// Any text.
    fn text(&mut self) -> Result<Cow<'a, str>, Self::Error>;
    /// An instant to the millisecond.
    fn millis(&mut self) -> Result<Millis, Self::Error>;
    /// An instant floored to the second.
    fn second(&mut self) -> Result<Second, Self::Error>;
    /// A local date as days since 1970-01-01, within 2000–2099.
    fn date(&mut self) -> Result<u32, Self::Error>;
    /// A truth value.
    fn flag(&mut self) -> Result<bool, Self::Error>;
    /// A non-negative whole number.
    fn whole(&mut self) -> Result<u64, Self::Error>;
    /// A value of a closed set.
    fn choice<T: Choice>(&mut self) -> Result<T, Self::Error>;
    /// An object: `each` is called for every field that it has, standing at its value. The keys must be there, and
    /// one of the facts.
    fn object<F: Field>(
        &mut self,
        each: impl FnMut(&mut Self, F) -> Result<(), Self::Error>,
    ) -> Result<(), Self::Error>;
}

/// A closed set with its numbers in protobuf.
pub(crate) trait Choice: Copy {
    /// What would be right.
    const EXPECTED: &'static str;
    /// The value of that text.
    fn from_text(text: &str) -> Option<Self>;
    /// The value of that number.
    fn from_number(number: i32) -> Option<Self>;
    /// Its text.
    fn text(self) -> &'static str;
    /// Its number, from 1.
    fn number(self) -> u64;
}

macro_rules! choice {
    ($set:ident, $expected:literal, $($value:ident = $number:literal),+) => {
        impl Choice for $set {
            const EXPECTED: &'static str = $expected;
            fn from_text(text: &str) -> Option<$set> {
                $set::parse(text)
            }
            fn from_number(number: i32) -> Option<$set> {
                match number { $($number => Some($set::$value),)+ _ => None }
            }
            fn text(self) -> &'static str {
                self.as_str()
            }
            fn number(self) -> u64 {
                match self { $($set::$value => $number),+ }
            }
        }
    };
}

choice!(
    Disposal,
    "must be one of admitted, died, discharged, left, streamed, transferred",
    Admitted = 1,
    Died = 2,
    Discharged = 3,
    Left = 4,
    Streamed = 5,
    Transferred = 6
);
choice!(ArrivalMode, "must be one of ambulance, other, walk_in", Ambulance = 1, Other = 2, WalkIn = 3);
choice!(Category, "must be one of C1, C2, C3, C4, C5", C1 = 1, C2 = 2, C3 = 3, C4 = 4, C5 = 5);

/// Reads an event (spec 1).
pub(crate) fn event<'a, R: Reading<'a>>(r: &mut R, refs: &impl References) -> Result<Event<'a>, R::Error> {
    let (mut id, mut source) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let mut recorded_at = Millis(0);
    let mut statement = None;
    r.object(|r, field| {
        let said = match field {
            EventField::Id => return set(&mut id, sized(r, 1..=128, "must be text of 1 to 128 bytes")),
            EventField::Source => return set(&mut source, source_name(r)),
            EventField::RecordedAt => return set(&mut recorded_at, r.millis()),
            _ if statement.is_some() => return Err(r.wrong(EventField::NO_FACT)),
            EventField::Attendance => Statement::Attendance(attendance(r, refs)?),
            EventField::Ambulance => Statement::Ambulance(journey(r, refs)?),
            EventField::Beds => Statement::Beds(beds(r)?),
            EventField::Standard => Statement::Standard(periodic_return(r)?),
            EventField::Escalation => Statement::Escalation(escalation(r)?),
            EventField::Heartbeat => {
                r.object(|_, field: HeartbeatField| match field {})?;
                Statement::Heartbeat
            }
        };
        statement = Some(said);
        Ok(())
    })?;
    let statement = statement.ok_or_else(|| r.wrong(EventField::NO_FACT))?;
    Ok(Event { id, source, recorded_at, statement })
}

fn attendance<'a, R: Reading<'a>>(r: &mut R, refs: &impl References) -> Result<Attendance<'a>, R::Error> {
    use AttendanceField as F;
    let mut said = Attendance::new("", Ref([0; 16]));
    let mut name = Cow::Borrowed("");
    r.object(|r, field| match field {
        F::Site => set(&mut said.site, code(r)),
        F::Reference => set(&mut name, reference_text(r)),
        F::DepartmentType => set(&mut said.department_type, fact(r, department_type)),
        F::Planned => set(&mut said.planned, fact(r, R::flag)),
        F::Child => set(&mut said.child, fact(r, R::flag)),
        F::Acuity => set(&mut said.acuity, fact(r, |r| small(r, 1..=5, "must be a whole number of 1 to 5"))),
        F::ArrivalMode => set(&mut said.arrival_mode, fact(r, R::choice)),
        F::Ambulance => once(r, said.ambulance.is_said())
            .and_then(|()| set(&mut said.ambulance, fact(r, |r| journey_name(r, refs)))),
        F::ArrivedAt => set(&mut said.arrived_at, fact(r, R::second)),
        F::AssessedAt => set(&mut said.assessed_at, fact(r, R::second)),
        F::TreatedAt => set(&mut said.treated_at, fact(r, R::second)),
        F::ReferredAt => set(&mut said.referred_at, fact(r, R::second)),
        F::DecidedToAdmitAt => set(&mut said.decided_to_admit_at, fact(r, R::second)),
        F::ClockStoppedAt => set(&mut said.clock_stopped_at, fact(r, R::second)),
        F::DepartedAt => set(&mut said.departed_at, fact(r, R::second)),
        F::Disposal => set(&mut said.disposal, fact(r, R::choice)),
        F::Location => {
            once(r, said.location.is_some()).and_then(|()| set(&mut said.location, location(r).map(Some)))
        }
        F::Void => set(&mut said.void, fact(r, R::flag)),
    })?;
    said.reference = reference(r, refs, &said.site, &name)?;
    Ok(said)
}

#[inline]
fn journey_name<'a, R: Reading<'a>>(r: &mut R, refs: &impl References) -> Result<JourneyName<'a>, R::Error> {
    let (mut service, mut name) = (Cow::Borrowed(""), Cow::Borrowed(""));
    r.object(|r, field| match field {
        JourneyNameField::Service => set(&mut service, code(r)),
        JourneyNameField::Reference => set(&mut name, reference_text(r)),
    })?;
    let reference = reference(r, refs, &service, &name)?;
    Ok(JourneyName { service, reference })
}

fn location<'a, R: Reading<'a>>(r: &mut R) -> Result<Location<'a>, R::Error> {
    let (mut area, mut since) = (None, Second(0));
    r.object(|r, field| match field {
        LocationField::Area if r.null() => set(&mut area, Ok(None)),
        LocationField::Area => set(&mut area, area_name(r).map(Some)),
        LocationField::Since => set(&mut since, r.second()),
    })?;
    Ok(Location { area, since })
}

fn journey<'a, R: Reading<'a>>(r: &mut R, refs: &impl References) -> Result<Journey<'a>, R::Error> {
    use JourneyField as F;
    let mut said = Journey::new("", Ref([0; 16]));
    let mut name = Cow::Borrowed("");
    r.object(|r, field| match field {
        F::Service => set(&mut said.service, code(r)),
        F::Reference => set(&mut name, reference_text(r)),
        F::Category => set(&mut said.category, fact(r, R::choice)),
        F::CallAt => set(&mut said.call_at, fact(r, R::second)),
        F::ClockStartedAt => set(&mut said.clock_started_at, fact(r, R::second)),
        F::RespondedAt => set(&mut said.responded_at, fact(r, R::second)),
        F::Destination => set(&mut said.destination, fact(r, code)),
        F::ArrivedAt => set(&mut said.arrived_at, fact(r, R::second)),
        F::HandedOverAt => set(&mut said.handed_over_at, fact(r, R::second)),
        F::ClearedAt => set(&mut said.cleared_at, fact(r, R::second)),
        F::Void => set(&mut said.void, fact(r, R::flag)),
    })?;
    said.reference = reference(r, refs, &said.service, &name)?;
    Ok(said)
}

fn beds<'a, R: Reading<'a>>(r: &mut R) -> Result<Beds<'a>, R::Error> {
    let mut said = Beds {
        site: Cow::Borrowed(""),
        as_of: Second(0),
        open: Fact::Absent,
        occupied: Fact::Absent,
        escalation_open: Fact::Absent,
        no_criteria_to_reside: Fact::Absent,
    };
    r.object(|r, field| match field {
        BedsField::Site => set(&mut said.site, code(r)),
        BedsField::AsOf => set(&mut said.as_of, r.second()),
        BedsField::Open => set(&mut said.open, fact(r, number_of_beds)),
        BedsField::Occupied => set(&mut said.occupied, fact(r, number_of_beds)),
        BedsField::EscalationOpen => set(&mut said.escalation_open, fact(r, number_of_beds)),
        BedsField::NoCriteriaToReside => set(&mut said.no_criteria_to_reside, fact(r, number_of_beds)),
    })?;
    Ok(said)
}

fn periodic_return<'a, R: Reading<'a>>(r: &mut R) -> Result<Return<'a>, R::Error> {
    let mut said = Return {
        standard: Cow::Borrowed(""),
        org: Cow::Borrowed(""),
        period_start: 0,
        met: Fact::Absent,
        total: Fact::Absent,
        count: Fact::Absent,
        total_s: Fact::Absent,
        p90_s: Fact::Absent,
    };
    r.object(|r, field| match field {
        ReturnField::Standard => set(&mut said.standard, code(r)),
        ReturnField::Org => set(&mut said.org, code(r)),
        ReturnField::PeriodStart => set(&mut said.period_start, r.date()),
        ReturnField::Met => set(&mut said.met, fact(r, total)),
        ReturnField::Total => set(&mut said.total, fact(r, total)),
        ReturnField::Count => set(&mut said.count, fact(r, total)),
        ReturnField::TotalS => set(&mut said.total_s, fact(r, total)),
        ReturnField::P90S => set(&mut said.p90_s, fact(r, total)),
    })?;
    Ok(said)
}

fn escalation<'a, R: Reading<'a>>(r: &mut R) -> Result<Escalation<'a>, R::Error> {
    let (mut org, mut scale) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let (mut since, mut level) = (Second(0), Fact::Absent);
    r.object(|r, field| match field {
        EscalationField::Org => set(&mut org, code(r)),
        EscalationField::Scale => set(&mut scale, code(r)),
        EscalationField::Since => set(&mut since, r.second()),
        EscalationField::Level => {
            set(&mut level, fact(r, |r| small(r, 1..=4, "must be a whole number of 1 to 4, or null")))
        }
    })?;
    Ok(Escalation { org, scale, since, level })
}

#[inline]
fn set<T, E>(place: &mut T, value: Result<T, E>) -> Result<(), E> {
    *place = value?;
    Ok(())
}

/// Protobuf lets a field come twice and the last one win; an object that comes twice would have to be mixed.
fn once<'a, R: Reading<'a>>(r: &R, already: bool) -> Result<(), R::Error> {
    if already { Err(r.wrong("must be there once only")) } else { Ok(()) }
}

#[inline]
fn fact<'a, R: Reading<'a>, T>(
    r: &mut R,
    read: impl FnOnce(&mut R) -> Result<T, R::Error>,
) -> Result<Fact<T>, R::Error> {
    if r.null() { Ok(Fact::Retracted) } else { read(r).map(Fact::Stated) }
}

#[inline]
fn sized<'a, R: Reading<'a>>(
    r: &mut R,
    length: RangeInclusive<usize>,
    expected: &'static str,
) -> Result<Cow<'a, str>, R::Error> {
    let text = r.text()?;
    if length.contains(&text.len()) { Ok(text) } else { Err(r.wrong(expected)) }
}

#[inline]
fn spelt<'a, R: Reading<'a>>(
    r: &mut R,
    length: RangeInclusive<usize>,
    letter: impl Fn(u8) -> bool,
    expected: &'static str,
) -> Result<Cow<'a, str>, R::Error> {
    let text = sized(r, length, expected)?;
    // All letters are looked at: without an early exit several are looked at at once.
    let spelt = text.bytes().fold(true, |spelt, byte| spelt & letter(byte));
    if spelt { Ok(text) } else { Err(r.wrong(expected)) }
}

#[inline]
fn source_name<'a, R: Reading<'a>>(r: &mut R) -> Result<Cow<'a, str>, R::Error> {
    let letter =
        |b: u8| b.is_ascii_lowercase() | b.is_ascii_digit() | (b == b'.') | (b == b'_') | (b == b'-');
    spelt(r, 1..=64, letter, "must be text of 1 to 64 of a–z, 0–9, '.', '_', '-'")
}

fn area_name<'a, R: Reading<'a>>(r: &mut R) -> Result<Cow<'a, str>, R::Error> {
    let letter = |b: u8| b.is_ascii_alphanumeric() | (b == b' ') | (b == b'.') | (b == b'_') | (b == b'-');
    spelt(r, 1..=32, letter, "must be null or text of 1 to 32 of A–Z, a–z, 0–9, ' ', '.', '_', '-'")
}

/// A code of an organisation, a standard or a scale: whether there is such a one is judged behind the door.
#[inline]
fn code<'a, R: Reading<'a>>(r: &mut R) -> Result<Cow<'a, str>, R::Error> {
    let letter = |b: u8| (0x20..=0x7e).contains(&b);
    spelt(r, 1..=32, letter, "must be a code: text of 1 to 32 printable ASCII characters")
}

#[inline]
fn reference_text<'a, R: Reading<'a>>(r: &mut R) -> Result<Cow<'a, str>, R::Error> {
    sized(r, 1..=64, "must be text of 1 to 64 bytes")
}

#[inline]
fn reference<'a, R: Reading<'a>>(
    r: &R,
    refs: &impl References,
    place: &str,
    text: &str,
) -> Result<Ref, R::Error> {
    refs.reference(place, text).ok_or_else(|| r.wrong("ref must be a pseudonym: 32 hexadecimal digits"))
}

fn department_type<'a, R: Reading<'a>>(r: &mut R) -> Result<DepartmentType, R::Error> {
    let number = small(r, 1..=5, "must be a whole number of 1 to 5")?;
    DepartmentType::from_number(number).ok_or_else(|| r.wrong("must be a whole number of 1 to 5"))
}

fn small<'a, R: Reading<'a>>(
    r: &mut R,
    range: RangeInclusive<u8>,
    expected: &'static str,
) -> Result<u8, R::Error> {
    let number = u8::try_from(r.whole()?).ok().filter(|number| range.contains(number));
    number.ok_or_else(|| r.wrong(expected))
}

fn number_of_beds<'a, R: Reading<'a>>(r: &mut R) -> Result<u32, R::Error> {
    u32::try_from(r.whole()?).map_err(|_| r.wrong("must be a whole number of 0 to 4294967295"))
}

fn total<'a, R: Reading<'a>>(r: &mut R) -> Result<u64, R::Error> {
    let number = r.whole()?;
    if number <= MAX_TOTAL { Ok(number) } else { Err(r.wrong("must be a whole number of 0 to 2^53")) }
}
