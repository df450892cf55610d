//! Statements as events of the specification (spec 1). Pure: what a visit and a step say, nothing is decided here.

use domain::event::{
    Attendance, Beds, DepartmentType, Disposal, Event, Fact, Journey, JourneyName, Location, Statement,
};
use domain::time::{Millis, Second};

use crate::beds::BedCount;
use crate::faults::Correction;
use crate::organisations::{Service, Site};
use crate::random::reference;
use crate::script::{self, Step};
use crate::stays::Visit;

/// Who speaks and by how many seconds its clock is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) id: &'a str,
    pub(crate) source: &'a str,
    pub(crate) recorded_at: Millis,
    pub(crate) clock_error_seconds: i64,
}

impl<'a> Said<'a> {
    /// The event; `recorded_at` is by the source's clock, as every instant in it is.
    pub(crate) fn event(self, statement: Statement<'a>) -> Event<'a> {
        Event {
            id: self.id.into(),
            source: self.source.into(),
            recorded_at: Millis(self.recorded_at.0 + self.clock_error_seconds * 1_000),
            statement,
        }
    }

    fn at(self, instant: Second) -> Second {
        Second(instant.0.saturating_add_signed(self.clock_error_seconds as i32))
    }

    pub(crate) fn stated(self, instant: Second) -> Fact<Second> {
        Fact::Stated(self.at(instant))
    }

    fn maybe(self, instant: Option<Second>) -> Fact<Second> {
        instant.map_or(Fact::Absent, |instant| self.stated(instant))
    }
}

/// What the department says at a step.
pub(crate) fn attendance<'a>(
    seed: u64,
    site: &'a Site,
    service: Option<&'a Service>,
    visit: &Visit,
    step: Step,
    said: Said<'a>,
) -> Event<'a> {
    let mut says = Attendance::new(site.code.as_str(), reference(seed, site.key, u64::from(visit.number)));
    match step {
        Step::Register => {
            register(&mut says, site, visit, said);
            says.ambulance = match (service, visit.ride) {
                (Some(service), Some(_)) => Fact::Stated(journey_name(seed, site, service, visit)),
                _ => Fact::Absent,
            };
        }
        Step::Assess => {
            says.assessed_at = said.stated(visit.assessed_at);
            says.acuity = Fact::Stated(visit.acuity);
        }
        Step::Move(n) => {
            let area = match n % 4 {
                2 => "x-ray",
                0 => "waiting",
                _ => script::area(visit, site.kind == DepartmentType::Major),
            };
            says.location = Some(Location { area: Some(area.into()), since: said.at(visit.moved_at(n)) });
        }
        Step::Treat => says.treated_at = said.maybe(visit.treated_at),
        Step::Refer => says.referred_at = said.maybe(visit.referred_at),
        Step::Decide => says.decided_to_admit_at = said.maybe(visit.decided_at),
        Step::StopClock => says.clock_stopped_at = said.maybe(visit.stopped_at),
        Step::Depart => depart(&mut says, visit, visit.departed_at, said),
        Step::Correct => correct(&mut says, visit, said),
        Step::DepartAgain => {
            if let Some(Correction::Cancelled(departed_at)) = visit.correction {
                depart(&mut says, visit, departed_at, said);
            }
        }
        Step::Void => says.void = Fact::Stated(true),
        Step::Call | Step::Respond | Step::Convey | Step::HandOver | Step::Clear | Step::CorrectHandover => {}
    }
    said.event(Statement::Attendance(says))
}

fn register(says: &mut Attendance<'_>, site: &Site, visit: &Visit, said: Said<'_>) {
    says.arrived_at = said.stated(visit.arrived_at);
    says.department_type = Fact::Stated(site.kind);
    says.arrival_mode = Fact::Stated(visit.mode);
    if visit.child {
        says.child = Fact::Stated(true);
    }
    if visit.planned {
        says.planned = Fact::Stated(true);
    }
    if visit.ride.is_none() {
        says.location = Some(Location { area: Some("waiting".into()), since: said.at(visit.arrived_at) });
    }
}

fn depart(says: &mut Attendance<'_>, visit: &Visit, departed_at: Second, said: Said<'_>) {
    says.departed_at = said.stated(departed_at);
    says.disposal = Fact::Stated(visit.disposal);
    says.clock_stopped_at = said.maybe(script::clock_stop(visit));
}

fn correct(says: &mut Attendance<'_>, visit: &Visit, said: Said<'_>) {
    match visit.correction {
        Some(Correction::Arrival(instant)) => says.arrived_at = said.stated(instant),
        Some(Correction::Treatment(instant)) => says.treated_at = said.stated(instant),
        Some(Correction::Departure(instant)) => says.departed_at = said.stated(instant),
        Some(Correction::Disposal(disposal)) => {
            says.disposal = Fact::Stated(disposal);
            if disposal == Disposal::Admitted {
                says.decided_to_admit_at = said.stated(visit.departed_at);
            }
        }
        // As HL7 A13: the departure and what came with it are taken back.
        Some(Correction::Cancelled(_)) => {
            says.departed_at = Fact::Retracted;
            says.disposal = Fact::Retracted;
            says.clock_stopped_at = Fact::Retracted;
        }
        None => {}
    }
}

/// What the ambulance service says at a step; `None` for a visit without a journey.
pub(crate) fn journey<'a>(
    seed: u64,
    site: &'a Site,
    service: &'a Service,
    visit: &Visit,
    step: Step,
    said: Said<'a>,
) -> Option<Event<'a>> {
    let ride = visit.ride?;
    let JourneyName { service, reference } = journey_name(seed, site, service, visit);
    let mut says = Journey::new(service, reference);
    match step {
        Step::Call => {
            says.category = Fact::Stated(ride.category);
            says.call_at = said.stated(ride.call_at);
            says.clock_started_at = said.stated(ride.clock_started_at);
        }
        Step::Respond => says.responded_at = said.stated(ride.responded_at),
        Step::Convey => {
            says.destination = Fact::Stated(site.code.as_str().into());
            says.arrived_at = said.stated(ride.arrived_at);
        }
        Step::HandOver => says.handed_over_at = said.stated(ride.handed_over_at),
        Step::Clear => says.cleared_at = said.stated(ride.cleared_at),
        Step::CorrectHandover => says.handed_over_at = said.maybe(ride.corrected_handover_at),
        Step::Register
        | Step::Assess
        | Step::Move(_)
        | Step::Treat
        | Step::Refer
        | Step::Decide
        | Step::StopClock
        | Step::Depart
        | Step::Correct
        | Step::DepartAgain
        | Step::Void => {}
    }
    Some(said.event(Statement::Ambulance(says)))
}

fn journey_name<'a>(seed: u64, site: &Site, service: &'a Service, visit: &Visit) -> JourneyName<'a> {
    let reference = reference(seed, service.key ^ site.key.rotate_left(32), u64::from(visit.number));
    JourneyName { service: service.code.as_str().into(), reference }
}

/// A bed state.
pub(crate) fn beds<'a>(site: &'a Site, as_of: Second, count: BedCount, said: Said<'a>) -> Event<'a> {
    said.event(Statement::Beds(Beds {
        site: site.code.as_str().into(),
        as_of: said.at(as_of),
        open: Fact::Stated(count.open),
        occupied: Fact::Stated(count.occupied),
        escalation_open: Fact::Stated(count.escalation_open),
        no_criteria_to_reside: Fact::Stated(count.no_criteria_to_reside),
    }))
}
