//! What a source may say (spec 1): facts about one entity, each absent, retracted or stated. These are parsed values;
//! the wire forms are in the `contract` crate.

use std::borrow::Cow;

use crate::ids::Ref;
use crate::time::{Millis, Second};

/// One fact of a statement: three states, because `null` is not silence (pitfall: it retracts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fact<T> {
    /// Nothing is said of it.
    #[default]
    Absent,
    /// `null`: what was said is taken back.
    Retracted,
    /// A value.
    Stated(T),
}

impl<T> Fact<T> {
    /// Whether anything is said, a retraction included.
    pub fn is_said(&self) -> bool {
        !matches!(self, Fact::Absent)
    }

    /// The stated value.
    pub fn value(self) -> Option<T> {
        match self {
            Fact::Stated(value) => Some(value),
            Fact::Absent | Fact::Retracted => None,
        }
    }
}

macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order of their texts.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The text on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The value of that text.
            pub fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

closed_set! {
    /// How an attendance ended. Ordered as its texts are: a tie of stamps is decided by text (spec 1.1).
    Disposal {
        /// To a ward, theatre or other inpatient bed.
        Admitted = "admitted",
        /// Died in the department.
        Died = "died",
        /// Treatment completed, left for home or elsewhere.
        Discharged = "discharged",
        /// Left before treatment was completed.
        Left = "left",
        /// Sent on at the front door.
        Streamed = "streamed",
        /// To another provider.
        Transferred = "transferred",
    }
}

closed_set! {
    /// How the patient came. Ordered as its texts are.
    ArrivalMode {
        /// By ambulance.
        Ambulance = "ambulance",
        /// Police, prison transport and so on.
        Other = "other",
        /// On foot, by own or public transport.
        WalkIn = "walk_in",
    }
}

closed_set! {
    /// How urgent an ambulance call is.
    Category {
        /// Life-threatening.
        C1 = "C1",
        /// Emergency.
        C2 = "C2",
        /// Urgent.
        C3 = "C3",
        /// Less urgent.
        C4 = "C4",
        /// Hear and treat.
        C5 = "C5",
    }
}

/// The type of an A&E department (spec 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DepartmentType {
    /// Type 1: consultant-led major department.
    Major = 1,
    /// Type 2: single specialty.
    SingleSpecialty = 2,
    /// Type 3: minor injury unit, urgent treatment centre.
    Other = 3,
    /// Type 4: walk-in centre; counts as type 3 in measures.
    WalkInCentre = 4,
    /// Type 5: same-day emergency care; outside the four-hour measure.
    SameDayEmergencyCare = 5,
}

impl DepartmentType {
    /// The type with that number, 1 to 5.
    pub fn from_number(number: u8) -> Option<DepartmentType> {
        match number {
            1 => Some(DepartmentType::Major),
            2 => Some(DepartmentType::SingleSpecialty),
            3 => Some(DepartmentType::Other),
            4 => Some(DepartmentType::WalkInCentre),
            5 => Some(DepartmentType::SameDayEmergencyCare),
            _ => None,
        }
    }

    /// Its number, 1 to 5.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// One event: a source states facts about one entity (spec 1). Texts borrow from the message where they can.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// Unique within `source`; 1–128 bytes.
    pub id: Cow<'a, str>,
    /// The feed; 1–64 bytes of `[a-z0-9._-]`.
    pub source: Cow<'a, str>,
    /// When the source recorded these facts, to the millisecond.
    pub recorded_at: Millis,
    /// What it says.
    pub statement: Statement<'a>,
}

/// What an event says, by the kind of entity.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement<'a> {
    /// An A&E attendance (1.2).
    Attendance(Attendance<'a>),
    /// An ambulance journey (1.3).
    Ambulance(Journey<'a>),
    /// A bed state (1.4).
    Beds(Beds<'a>),
    /// A return for a periodic standard (1.5).
    Standard(Return<'a>),
    /// A declared escalation (1.6).
    Escalation(Escalation<'a>),
    /// Nothing but that the source is alive.
    Heartbeat,
}

/// Facts of an attendance; key (`site`, `reference`).
#[derive(Clone, Debug, PartialEq)]
pub struct Attendance<'a> {
    /// ODS code of the site.
    pub site: Cow<'a, str>,
    /// The pseudonym.
    pub reference: Ref,
    /// 1–5.
    pub department_type: Fact<DepartmentType>,
    /// Planned follow-up.
    pub planned: Fact<bool>,
    /// A child.
    pub child: Fact<bool>,
    /// 1 immediate … 5 low.
    pub acuity: Fact<u8>,
    /// How the patient came.
    pub arrival_mode: Fact<ArrivalMode>,
    /// The journey that brought the patient.
    pub ambulance: Fact<JourneyName<'a>>,
    /// Arrival or registration.
    pub arrived_at: Fact<Second>,
    /// Initial assessment.
    pub assessed_at: Fact<Second>,
    /// Seen by a decision-making clinician.
    pub treated_at: Fact<Second>,
    /// Referred to a service.
    pub referred_at: Fact<Second>,
    /// Decision to admit.
    pub decided_to_admit_at: Fact<Second>,
    /// Episode finished before leaving.
    pub clock_stopped_at: Fact<Second>,
    /// Left the department.
    pub departed_at: Fact<Second>,
    /// How it ended.
    pub disposal: Fact<Disposal>,
    /// One move within the department.
    pub location: Option<Location<'a>>,
    /// Cancelled, merged or entered in error.
    pub void: Fact<bool>,
}

impl<'a> Attendance<'a> {
    /// A statement about this attendance that says nothing yet.
    pub fn new(site: impl Into<Cow<'a, str>>, reference: Ref) -> Attendance<'a> {
        Attendance {
            site: site.into(),
            reference,
            department_type: Fact::Absent,
            planned: Fact::Absent,
            child: Fact::Absent,
            acuity: Fact::Absent,
            arrival_mode: Fact::Absent,
            ambulance: Fact::Absent,
            arrived_at: Fact::Absent,
            assessed_at: Fact::Absent,
            treated_at: Fact::Absent,
            referred_at: Fact::Absent,
            decided_to_admit_at: Fact::Absent,
            clock_stopped_at: Fact::Absent,
            departed_at: Fact::Absent,
            disposal: Fact::Absent,
            location: None,
            void: Fact::Absent,
        }
    }
}

/// Names a journey: its service and its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JourneyName<'a> {
    /// ODS code of the ambulance service.
    pub service: Cow<'a, str>,
    /// The pseudonym.
    pub reference: Ref,
}

/// One move: in `area` from `since`; no area retracts that move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// 1–32 of `[A-Za-z0-9 ._-]`, or retracted.
    pub area: Option<Cow<'a, str>>,
    /// When the patient came there.
    pub since: Second,
}

/// Facts of an ambulance journey; key (`service`, `reference`).
#[derive(Clone, Debug, PartialEq)]
pub struct Journey<'a> {
    /// ODS code of the ambulance service.
    pub service: Cow<'a, str>,
    /// The pseudonym.
    pub reference: Ref,
    /// C1 … C5.
    pub category: Fact<Category>,
    /// The call.
    pub call_at: Fact<Second>,
    /// The response clock began.
    pub clock_started_at: Fact<Second>,
    /// The response that stops the clock.
    pub responded_at: Fact<Second>,
    /// ODS code of the site.
    pub destination: Fact<Cow<'a, str>>,
    /// At the hospital.
    pub arrived_at: Fact<Second>,
    /// Clinical handover complete.
    pub handed_over_at: Fact<Second>,
    /// The crew is free.
    pub cleared_at: Fact<Second>,
    /// Entered in error.
    pub void: Fact<bool>,
}

impl<'a> Journey<'a> {
    /// A statement about this journey that says nothing yet.
    pub fn new(service: impl Into<Cow<'a, str>>, reference: Ref) -> Journey<'a> {
        Journey {
            service: service.into(),
            reference,
            category: Fact::Absent,
            call_at: Fact::Absent,
            clock_started_at: Fact::Absent,
            responded_at: Fact::Absent,
            destination: Fact::Absent,
            arrived_at: Fact::Absent,
            handed_over_at: Fact::Absent,
            cleared_at: Fact::Absent,
            void: Fact::Absent,
        }
    }
}

/// A bed state; key (`site`, `as_of`). Adult general and acute beds.
#[derive(Clone, Debug, PartialEq)]
pub struct Beds<'a> {
    /// ODS code of the site.
    pub site: Cow<'a, str>,
    /// The instant at which it was so.
    pub as_of: Second,
    /// Open beds.
    pub open: Fact<u32>,
    /// Occupied beds.
    pub occupied: Fact<u32>,
    /// Of `open`, opened for pressure.
    pub escalation_open: Fact<u32>,
    /// Patients who no longer need an acute bed.
    pub no_criteria_to_reside: Fact<u32>,
}

/// A return for a periodic standard; key (`standard`, `org`, `period_start`).
#[derive(Clone, Debug, PartialEq)]
pub struct Return<'a> {
    /// An id of `config/standards.toml`.
    pub standard: Cow<'a, str>,
    /// Any organisation.
    pub org: Cow<'a, str>,
    /// A local date, as days since 1970-01-01.
    pub period_start: u32,
    /// How many met the standard.
    pub met: Fact<u64>,
    /// Of how many.
    pub total: Fact<u64>,
    /// A plain count.
    pub count: Fact<u64>,
    /// Sum of seconds.
    pub total_s: Fact<u64>,
    /// A 90th percentile as published, seconds.
    pub p90_s: Fact<u64>,
}

/// A declared escalation; key (`org`, `scale`, `since`).
#[derive(Clone, Debug, PartialEq)]
pub struct Escalation<'a> {
    /// Any organisation.
    pub org: Cow<'a, str>,
    /// For example `opel`.
    pub scale: Cow<'a, str>,
    /// From when it holds.
    pub since: Second,
    /// 1–4, or retracted. Never absent: without it there is no fact.
    pub level: Fact<u8>,
}

closed_set! {
    /// What became of an event (spec 1.7). Ordered as the texts are; the order of precedence is the specification's.
    Outcome {
        /// A statement of it stands that did not stand before.
        Accepted = "accepted",
        /// Nothing of it stands that did not stand before.
        Duplicate = "duplicate",
        /// An instant lies in the future.
        FutureDated = "future_dated",
        /// Not JSON or protobuf, an unknown or missing field, a wrong type, a value out of range.
        Malformed = "malformed",
        /// The token may not speak for this source or place.
        NotAllowed = "not_allowed",
        /// Everything that it states is before the horizon.
        TooLate = "too_late",
        /// Over 64 KiB.
        TooLarge = "too_large",
        /// A code that is not an organisation of the level that its field names.
        UnknownPlace = "unknown_place",
        /// A standard or scale that is not configured.
        UnknownStandard = "unknown_standard",
    }
}

impl Outcome {
    /// Whether the event was refused: it must be kept on the refusals topic.
    pub fn is_refused(self) -> bool {
        !matches!(self, Outcome::Accepted | Outcome::Duplicate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_sets_are_ordered_as_their_texts() {
        assert!(Disposal::ALL.windows(2).all(|w| w[0] < w[1] && w[0].as_str() < w[1].as_str()));
        assert!(ArrivalMode::ALL.windows(2).all(|w| w[0] < w[1] && w[0].as_str() < w[1].as_str()));
        assert!(Category::ALL.windows(2).all(|w| w[0] < w[1] && w[0].as_str() < w[1].as_str()));
    }
}
