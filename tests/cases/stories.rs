//! What happens in a case: patients come and go, ambulances bring some of them, and feeds tell of it in pieces.

use std::borrow::Cow;

use domain::event::{
    ArrivalMode, Attendance, Category, DepartmentType, Disposal, Escalation, Event, Fact, Journey,
    JourneyName, Location, Statement,
};
use domain::ids::Ref;
use domain::time::{DAY, FIRST_SECOND, Millis, Minute, Second};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::country::Country;
use crate::model::{Standard, stated_instants};
use crate::places::reference;

/// Stays in minutes, at and around every edge of the specification; before their own arrival, too.
const STAYS: [i64; 32] = [
    -61, -1, 0, 1, 30, 60, 119, 180, 210, 211, 239, 240, 240, 241, 241, 242, 300, 480, 719, 720, 720, 721,
    721, 1_439, 1_440, 1_441, 4_319, 4_320, 4_321, 20_159, 20_160, 20_161,
];

/// From an ambulance's arrival to its handover, in minutes.
const DELAYS: [i64; 16] = [-1, 0, 0, 5, 14, 15, 15, 16, 30, 31, 45, 46, 60, 61, 1_440, 1_441];

/// From the arrival to the treatment, in minutes: at and around the edges; many alike, so that medians have equals.
const TREATMENTS: [i64; 16] = [-1, 0, 1, 5, 10, 10, 30, 31, 59, 60, 61, 240, 1_425, 1_439, 1_440, 1_441];

/// From the decision to admit to the departure, in minutes.
const DECISIONS: [i64; 10] = [-5, 0, 30, 239, 240, 241, 719, 720, 721, 4_400];

/// From the start of an ambulance's clock to its response, in seconds.
const RESPONSES: [i64; 12] = [-1, 0, 1, 300, 420, 421, 900, 901, 2_400, 86_399, 86_400, 86_401];

/// From the arrival to a move, in seconds: few, so that a move is often told, corrected and taken back.
const MOVES: [i64; 6] = [-60, 0, 600, 630, 3_600, 14_400];

/// Where patients are moved to. Not every site has every one of them, and no site has the corridor.
pub(super) const AREAS: [&str; 3] = ["Resus", "Majors", "Waiting room 2"];

/// Within a minute, at its edges.
const SECONDS: [i64; 6] = [0, 0, 1, 30, 59, 59];

/// From what happened until it was recorded, in milliseconds: mostly soon, some hours later, some a little before.
const RECORDED_AFTER: [i64; 14] = [
    0, 0, 1_000, 1_000, 30_500, 60_000, 60_000, 300_000, 7_200_000, 43_200_000, -1_000, -540_000, -600_000,
    -600_001,
];

/// A ledger may forget what is older than 28 days (spec 1.8); cases last less than four.
const HELD_DAYS: u32 = 24;

/// Tells what happens. All randomness is drawn from one stream.
pub(super) struct Teller<'a> {
    pub(super) rng: &'a mut ChaCha8Rng,
    pub(super) country: &'a Country,
    /// What returns are made for.
    pub(super) standards: &'a [Standard],
    /// Where stories play: a few minutes that many of them share.
    minutes: Vec<Minute>,
    /// No event is recorded before it, nor are all its instants: so that no ledger has forgotten its entity (1.8).
    pub(super) earliest: Millis,
    /// Nothing happens much later.
    pub(super) until: Minute,
    next_id: u32,
}

/// An ambulance's journey, as it was.
#[derive(Clone)]
struct Trip {
    service: String,
    reference: Ref,
    destination: String,
    arrived: Second,
    handed_over: Second,
    cleared: Second,
}

/// An attendance, as it was.
#[derive(Clone)]
struct Patient {
    site: String,
    reference: Ref,
    trip: Option<(String, Ref)>,
    arrived: Second,
    departed: Second,
}

#[derive(Clone, Copy, PartialEq)]
enum AttendanceFact {
    Kind,
    Planned,
    Child,
    Acuity,
    Mode,
    Ambulance,
    Arrived,
    Assessed,
    Treated,
    Referred,
    Decided,
    Stopped,
    Departed,
    Disposal,
    Location,
    Void,
}

const ATTENDANCE_FACTS: [AttendanceFact; 16] = [
    AttendanceFact::Kind,
    AttendanceFact::Planned,
    AttendanceFact::Child,
    AttendanceFact::Acuity,
    AttendanceFact::Mode,
    AttendanceFact::Ambulance,
    AttendanceFact::Arrived,
    AttendanceFact::Assessed,
    AttendanceFact::Treated,
    AttendanceFact::Referred,
    AttendanceFact::Decided,
    AttendanceFact::Stopped,
    AttendanceFact::Departed,
    AttendanceFact::Disposal,
    AttendanceFact::Location,
    AttendanceFact::Void,
];

#[derive(Clone, Copy)]
enum JourneyFact {
    Category,
    Called,
    Started,
    Responded,
    Destination,
    Arrived,
    HandedOver,
    Cleared,
    Void,
}

const JOURNEY_FACTS: [JourneyFact; 9] = [
    JourneyFact::Category,
    JourneyFact::Called,
    JourneyFact::Started,
    JourneyFact::Responded,
    JourneyFact::Destination,
    JourneyFact::Arrived,
    JourneyFact::HandedOver,
    JourneyFact::Cleared,
    JourneyFact::Void,
];

impl<'a> Teller<'a> {
    pub(super) fn new(
        rng: &'a mut ChaCha8Rng,
        country: &'a Country,
        standards: &'a [Standard],
        from: Minute,
        until: Minute,
    ) -> Teller<'a> {
        let count = rng.random_range(3..10);
        let first = from.0 - 6 * 60;
        let minutes = (0..count).map(|_| Minute(rng.random_range(first..until.0))).collect();
        let earliest = Millis::from(from.minus(HELD_DAYS * DAY).start());
        Teller { rng, country, standards, minutes, earliest, until, next_id: 0 }
    }

    /// What the feeds say of patients and ambulances, and at times of something else.
    pub(super) fn story(&mut self) -> Vec<Event<'static>> {
        match self.rng.random_range(0..20) {
            0 | 1 => self.beds(),
            2 => self.returns(),
            3 => self.declarations(),
            4 if self.rng.random_bool(0.5) => self.declarations(),
            5 if self.rng.random_bool(0.5) => self.rush(),
            _ => self.visit(),
        }
    }

    /// What the feeds say of one patient, or of one ambulance, or of both.
    fn visit(&mut self) -> Vec<Event<'static>> {
        let mut patient = self.patient();
        let mut events = Vec::new();
        if self.rng.random_bool(0.5) {
            let trip = self.trip(&patient);
            patient.trip = self.rng.random_bool(0.9).then(|| (trip.service.clone(), trip.reference));
            self.tell_trip(&trip, &mut events);
            if self.rng.random_bool(0.2) {
                return events;
            }
        }
        self.tell_patient(&patient, &mut events);
        events
    }

    fn patient(&mut self) -> Patient {
        let stay = *STAYS.choose(self.rng).expect("there are stays");
        let first = self.moment();
        let (mut arrived, mut departed) = (first, self.after(first, stay));
        if departed.minute() > self.until {
            (arrived, departed) = (self.after(first, -stay), first);
        }
        let (site, reference) = (self.site(), self.reference("patient", 6));
        Patient { site, reference, trip: None, arrived, departed }
    }

    fn trip(&mut self, patient: &Patient) -> Trip {
        let before = *[0, 0, 0, 1, 5, 14, 15, 15, 16, 30, 1_445, 20_150].choose(self.rng).expect("not empty");
        let mut arrived = self.after(patient.arrived, -before);
        let delay = *DELAYS.choose(self.rng).expect("there are delays");
        let mut handed_over = self.after(arrived, delay);
        if handed_over.minute() > self.until {
            (arrived, handed_over) = (self.after(arrived, -delay), arrived);
        }
        let turnaround = self.rng.random_range(0..20);
        let cleared = self.after(handed_over, turnaround);
        let destination = if self.rng.random_bool(0.7) { patient.site.clone() } else { self.site() };
        let (service, reference) = (self.service(), self.reference("journey", 4));
        Trip { service, reference, destination, arrived, handed_over, cleared }
    }

    /// Says most of what is true of the patient, in pieces, and perhaps corrects or takes back some of it.
    fn tell_patient(&mut self, patient: &Patient, events: &mut Vec<Event<'static>>) {
        use AttendanceFact as F;
        let mut facts = vec![F::Arrived, F::Departed, F::Disposal];
        if patient.trip.is_some() {
            facts.push(F::Ambulance);
        }
        for (fact, probability) in [
            (F::Kind, 0.4),
            (F::Planned, 0.12),
            (F::Mode, 0.2),
            (F::Assessed, 0.2),
            (F::Treated, 0.45),
            (F::Decided, 0.4),
            (F::Stopped, 0.2),
            (F::Location, 0.35),
            (F::Child, 0.1),
            (F::Referred, 0.1),
            (F::Acuity, 0.1),
            (F::Void, 0.05),
        ] {
            if self.rng.random_bool(probability) {
                facts.push(fact);
            }
        }
        if self.rng.random_bool(0.25) {
            facts.retain(|fact| !matches!(fact, F::Departed | F::Disposal));
        }
        // Some are said twice, in other words.
        for fact in [F::Treated, F::Decided] {
            if facts.contains(&fact) && self.rng.random_bool(0.3) {
                facts.push(fact);
            }
        }
        facts.shuffle(self.rng);
        while !facts.is_empty() {
            let rest = facts.split_off(self.rng.random_range(1..=facts.len()));
            let mut the = Attendance::new(patient.site.clone(), patient.reference);
            for fact in std::mem::replace(&mut facts, rest) {
                self.say_of_patient(&mut the, fact, patient);
            }
            events.push(self.told("epr", Statement::Attendance(the)));
        }
        while self.rng.random_bool(0.3) {
            let moves = self.moved_and_back(patient);
            events.extend(moves);
        }
        while self.rng.random_bool(0.3) {
            let again = self.about_patient(patient);
            events.push(self.told("epr", Statement::Attendance(again)));
        }
    }

    /// A move, and perhaps the word that it was none.
    fn moved_and_back(&mut self, patient: &Patient) -> Vec<Event<'static>> {
        let since = self.move_of(patient);
        let mut areas = vec![AREAS.choose(self.rng).copied()];
        if self.rng.random_bool(0.5) {
            areas.push(None);
        }
        let mut events = Vec::new();
        for area in areas {
            let mut moved = Attendance::new(patient.site.clone(), patient.reference);
            moved.location = Some(Location { area: area.map(Cow::Borrowed), since });
            events.push(self.told("epr", Statement::Attendance(moved)));
        }
        events
    }

    /// A correction or a retraction: some facts once more, other than they were, or taken back.
    fn about_patient(&mut self, patient: &Patient) -> Attendance<'static> {
        let mut other = patient.clone();
        other.arrived = self.perturbed(patient.arrived);
        other.departed = self.perturbed(patient.departed);
        other.trip = match self.rng.random_range(0..3) {
            0 => patient.trip.clone(),
            1 => None,
            _ => Some((self.service(), self.reference("journey", 4))),
        };
        let mut the = Attendance::new(patient.site.clone(), patient.reference);
        for _ in 0..self.rng.random_range(1..=3) {
            let fact = *ATTENDANCE_FACTS.choose(self.rng).expect("there are facts");
            if self.rng.random_bool(0.3) {
                self.take_back_of_patient(&mut the, fact, patient);
            } else {
                self.say_of_patient(&mut the, fact, &other);
            }
        }
        if self.rng.random_bool(0.15) {
            the.void =
                *[Fact::Stated(true), Fact::Stated(false), Fact::Retracted].choose(self.rng).expect("");
        }
        the
    }

    fn say_of_patient(&mut self, the: &mut Attendance<'static>, fact: AttendanceFact, patient: &Patient) {
        use AttendanceFact as F;
        let during = self.rng.random_range(0..=(patient.departed.0.abs_diff(patient.arrived.0)));
        let during = Fact::Stated(Second(patient.arrived.0 + during));
        match fact {
            F::Kind => {
                let kind = DepartmentType::from_number(self.rng.random_range(1..=5));
                the.department_type = kind.map_or(Fact::Absent, Fact::Stated);
            }
            F::Planned => the.planned = Fact::Stated(self.rng.random_bool(0.8)),
            F::Child => the.child = Fact::Stated(self.rng.random_bool(0.5)),
            F::Acuity => the.acuity = Fact::Stated(self.rng.random_range(1..=5)),
            F::Mode => {
                the.arrival_mode = Fact::Stated(*ArrivalMode::ALL.choose(self.rng).expect("not empty"))
            }
            F::Ambulance => {
                the.ambulance = match &patient.trip {
                    None => Fact::Retracted,
                    Some((service, reference)) => {
                        let service = Cow::Owned(service.clone());
                        Fact::Stated(JourneyName { service, reference: *reference })
                    }
                };
            }
            F::Arrived => the.arrived_at = Fact::Stated(patient.arrived),
            F::Assessed => the.assessed_at = during,
            F::Treated => {
                let after = *TREATMENTS.choose(self.rng).expect("not empty");
                let treated = Fact::Stated(self.after(patient.arrived, after));
                the.treated_at = if self.rng.random_bool(0.8) { treated } else { during };
            }
            F::Referred => the.referred_at = during,
            F::Decided => {
                let before = *DECISIONS.choose(self.rng).expect("not empty");
                let decided = Fact::Stated(self.after(patient.departed, -before));
                the.decided_to_admit_at = if self.rng.random_bool(0.6) { decided } else { during };
                if self.rng.random_bool(0.5) {
                    the.disposal = Fact::Stated(Disposal::Admitted);
                }
            }
            F::Stopped => the.clock_stopped_at = during,
            F::Departed => the.departed_at = Fact::Stated(patient.departed),
            F::Disposal => the.disposal = Fact::Stated(*Disposal::ALL.choose(self.rng).expect("not empty")),
            F::Location => {
                let area = AREAS.iter().chain(&["Corridor"]).copied().collect::<Vec<_>>();
                let area = area.choose(self.rng).copied().map(Cow::Borrowed);
                the.location = Some(Location { area, since: self.move_of(patient) });
            }
            F::Void => the.void = Fact::Stated(self.rng.random_bool(0.7)),
        }
    }

    fn take_back_of_patient(
        &mut self,
        the: &mut Attendance<'static>,
        fact: AttendanceFact,
        patient: &Patient,
    ) {
        use AttendanceFact as F;
        match fact {
            F::Kind => the.department_type = Fact::Retracted,
            F::Planned => the.planned = Fact::Retracted,
            F::Child => the.child = Fact::Retracted,
            F::Acuity => the.acuity = Fact::Retracted,
            F::Mode => the.arrival_mode = Fact::Retracted,
            F::Ambulance => the.ambulance = Fact::Retracted,
            F::Arrived => the.arrived_at = Fact::Retracted,
            F::Assessed => the.assessed_at = Fact::Retracted,
            F::Treated => the.treated_at = Fact::Retracted,
            F::Referred => the.referred_at = Fact::Retracted,
            F::Decided => the.decided_to_admit_at = Fact::Retracted,
            F::Stopped => the.clock_stopped_at = Fact::Retracted,
            F::Departed => the.departed_at = Fact::Retracted,
            F::Disposal => the.disposal = Fact::Retracted,
            F::Location => the.location = Some(Location { area: None, since: self.move_of(patient) }),
            F::Void => the.void = Fact::Retracted,
        }
    }

    /// Says most of what is true of the journey, in pieces; perhaps it is diverted, corrected or void.
    fn tell_trip(&mut self, trip: &Trip, events: &mut Vec<Event<'static>>) {
        use JourneyFact as F;
        let mut facts = vec![F::Destination, F::Arrived, F::HandedOver];
        for (fact, probability) in [
            (F::Category, 0.6),
            (F::Called, 0.3),
            (F::Started, 0.5),
            (F::Responded, 0.5),
            (F::Cleared, 0.4),
            (F::Void, 0.05),
        ] {
            if self.rng.random_bool(probability) {
                facts.push(fact);
            }
        }
        match self.rng.random_range(0..10) {
            0 | 1 => facts.retain(|fact| !matches!(fact, F::HandedOver)),
            2 => facts.retain(|fact| !matches!(fact, F::HandedOver | F::Cleared)),
            3 => facts.retain(|fact| !matches!(fact, F::Arrived)),
            4 => facts.retain(|fact| !matches!(fact, F::Arrived | F::HandedOver)),
            5 => facts.retain(|fact| !matches!(fact, F::Destination)),
            _ => {}
        }
        facts.shuffle(self.rng);
        while !facts.is_empty() {
            let rest = facts.split_off(self.rng.random_range(1..=facts.len()));
            let mut the = Journey::new(trip.service.clone(), trip.reference);
            for fact in std::mem::replace(&mut facts, rest) {
                self.say_of_trip(&mut the, fact, trip);
            }
            events.push(self.told("cad", Statement::Ambulance(the)));
        }
        while self.rng.random_bool(0.35) {
            let again = self.about_trip(trip);
            events.push(self.told("cad", Statement::Ambulance(again)));
        }
    }

    fn about_trip(&mut self, trip: &Trip) -> Journey<'static> {
        let mut other = trip.clone();
        other.arrived = self.perturbed(trip.arrived);
        other.handed_over = self.perturbed(trip.handed_over);
        other.destination = self.site();
        let mut the = Journey::new(trip.service.clone(), trip.reference);
        for _ in 0..self.rng.random_range(1..=2) {
            let fact = *JOURNEY_FACTS.choose(self.rng).expect("there are facts");
            if self.rng.random_bool(0.25) {
                take_back_of_trip(&mut the, fact);
            } else {
                self.say_of_trip(&mut the, fact, &other);
            }
        }
        if self.rng.random_bool(0.4) {
            the.destination = Fact::Stated(Cow::Owned(other.destination));
        }
        the
    }

    fn say_of_trip(&mut self, the: &mut Journey<'static>, fact: JourneyFact, trip: &Trip) {
        use JourneyFact as F;
        let called = shifted(trip.arrived, -2_700);
        match fact {
            F::Category => the.category = Fact::Stated(*Category::ALL.choose(self.rng).expect("not empty")),
            F::Called => the.call_at = Fact::Stated(called),
            F::Started => the.clock_started_at = Fact::Stated(Second(called.0 + 40)),
            F::Responded => {
                let after = *RESPONSES.choose(self.rng).expect("not empty");
                the.responded_at = Fact::Stated(shifted(called, 40 + after));
            }
            F::Destination => the.destination = Fact::Stated(Cow::Owned(trip.destination.clone())),
            F::Arrived => the.arrived_at = Fact::Stated(trip.arrived),
            F::HandedOver => the.handed_over_at = Fact::Stated(trip.handed_over),
            F::Cleared => the.cleared_at = Fact::Stated(trip.cleared),
            F::Void => the.void = Fact::Stated(self.rng.random_bool(0.7)),
        }
    }

    /// Something said of a patient or journey that is already spoken of.
    pub(super) fn again(&mut self, statement: &Statement<'static>) -> Option<Statement<'static>> {
        match statement {
            Statement::Attendance(the) => {
                let Patient { arrived, departed, .. } = self.patient();
                let (site, reference) = (the.site.to_string(), the.reference);
                let patient = Patient { site, reference, trip: None, arrived, departed };
                Some(Statement::Attendance(self.about_patient(&patient)))
            }
            Statement::Ambulance(the) => {
                let patient = self.patient();
                let mut trip = self.trip(&patient);
                (trip.service, trip.reference) = (the.service.to_string(), the.reference);
                Some(Statement::Ambulance(self.about_trip(&trip)))
            }
            Statement::Beds(the) => Some(Statement::Beds(self.about_beds(&the.site, the.as_of))),
            Statement::Standard(the) => {
                Some(Statement::Standard(self.a_return(&the.standard, &the.org, the.period_start)))
            }
            Statement::Escalation(the) => {
                let level = Fact::Stated(self.rng.random_range(1..=4));
                Some(Statement::Escalation(Escalation { level, ..the.clone() }))
            }
            Statement::Heartbeat => None,
        }
    }

    /// The event in which a feed says this, a while after it happened.
    pub(super) fn told(&mut self, source: &str, statement: Statement<'static>) -> Event<'static> {
        let happened = stated_instants(&statement).into_iter().max();
        let happened = happened.filter(|at| *at >= self.earliest);
        let any = *self.minutes.choose(self.rng).expect("there are minutes");
        let happened = happened.unwrap_or_else(|| Millis::from(any.start()));
        let after = RECORDED_AFTER.choose(self.rng).expect("there are delays");
        let latest = Millis::from(self.until.plus(2 * 60).start());
        let recorded_at = Millis(happened.0 + after).min(latest);
        let source = if self.rng.random_bool(0.9) { source.to_owned() } else { "pas".to_owned() };
        Event { id: self.id().into(), source: source.into(), recorded_at, statement }
    }

    /// Mostly the next number; at times a small one that was used before.
    fn id(&mut self) -> String {
        if self.rng.random_bool(0.15) {
            return self.rng.random_range(0..12).to_string();
        }
        self.next_id += 1;
        self.next_id.to_string()
    }

    /// An instant at which something may happen, rarely one of another century.
    pub(super) fn moment(&mut self) -> Second {
        if self.rng.random_bool(0.003) {
            return Second(FIRST_SECOND);
        }
        let minute = *self.minutes.choose(self.rng).expect("there are minutes");
        let second = SECONDS.choose(self.rng).expect("there are seconds");
        shifted(minute.start(), *second)
    }

    /// When a patient may have been moved.
    fn move_of(&mut self, patient: &Patient) -> Second {
        shifted(patient.arrived, *MOVES.choose(self.rng).expect("not empty"))
    }

    /// Some minutes later (earlier, if negative), the second at another edge of its minute.
    pub(super) fn after(&mut self, first: Second, minutes: i64) -> Second {
        let second = SECONDS.choose(self.rng).expect("there are seconds");
        shifted(first.minute().start(), minutes * 60 + second)
    }

    fn perturbed(&mut self, at: Second) -> Second {
        let by = [0, 0, -1, 1, 60, -60, 120, -900, 3_600, -3_600, -14_400].choose(self.rng);
        shifted(at, *by.expect("not empty"))
    }

    pub(super) fn site(&mut self) -> String {
        self.country.sites.choose(self.rng).expect("there are sites").clone()
    }

    pub(super) fn service(&mut self) -> String {
        self.country.services.choose(self.rng).expect("there are services").clone()
    }

    fn reference(&mut self, of: &str, count: u32) -> Ref {
        reference(&format!("{of} {}", self.rng.random_range(0..count)))
    }
}

/// An instant moved by seconds; it stays within the years that an instant may lie in.
pub(super) fn shifted(at: Second, seconds: i64) -> Second {
    Millis((i64::from(at.0) + seconds) * 1000).second()
}

fn take_back_of_trip(the: &mut Journey<'static>, fact: JourneyFact) {
    use JourneyFact as F;
    match fact {
        F::Category => the.category = Fact::Retracted,
        F::Called => the.call_at = Fact::Retracted,
        F::Started => the.clock_started_at = Fact::Retracted,
        F::Responded => the.responded_at = Fact::Retracted,
        F::Destination => the.destination = Fact::Retracted,
        F::Arrived => the.arrived_at = Fact::Retracted,
        F::HandedOver => the.handed_over_at = Fact::Retracted,
        F::Cleared => the.cleared_at = Fact::Retracted,
        F::Void => the.void = Fact::Retracted,
    }
}
