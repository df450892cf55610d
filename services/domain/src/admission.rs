//! Whether an event may come in at all: the refusals of spec 1.7 that need no ledger, and apart from them those that need
//! a log time. The intake and the aggregator both ask here, so that they cannot differ.

use crate::event::{Attendance, Event, Fact, Journey, Outcome, Statement};
use crate::organisations::{Level, Organisations};
pub use crate::standard::Standards;
use crate::time::{Millis, Second};

/// How far an instant may lie after `recorded_at`, and `recorded_at` after the log time: 10 minutes.
pub const FUTURE_TOLERANCE_MS: i64 = 10 * 60 * 1000;

/// A refusal: the outcome and which field it is about. Never a value of the event.
pub type Refusal = (Outcome, &'static str);

/// Checks what a return can say, places, standards and instants against `recorded_at`, in the order of spec 1.7.
pub fn admit(event: &Event<'_>, orgs: &Organisations, standards: &Standards) -> Result<(), Refusal> {
    sense(&event.statement, standards)?;
    places(&event.statement, orgs)?;
    named_standards(&event.statement, standards)?;
    let limit = event.recorded_at.0 + FUTURE_TOLERANCE_MS;
    let mut newest = None;
    instants(&event.statement, &mut |instant| newest = newest.max(Some(instant)));
    match newest {
        Some(instant) if Millis::from(instant).0 > limit => {
            Err((Outcome::FutureDated, "an instant is more than 10 minutes after recorded_at"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Checks an event against the time at which the log takes it, after [`admit`]: `recorded_at` is not in its future, and
/// not everything of it is before the horizon.
pub fn in_time(event: &Event<'_>, log_time: Millis, horizon_minutes: u32) -> Result<(), Refusal> {
    if event.recorded_at.0 > log_time.0 + FUTURE_TOLERANCE_MS {
        return Err((
            Outcome::FutureDated,
            "recorded_at is more than 10 minutes after the log took the event",
        ));
    }
    match event.statement {
        Statement::Standard(_) | Statement::Escalation(_) | Statement::Heartbeat => return Ok(()),
        Statement::Attendance(_) | Statement::Ambulance(_) | Statement::Beds(_) => {}
    }
    let limit = log_time.0 - i64::from(horizon_minutes) * 60_000;
    let mut late = event.recorded_at.0 < limit;
    instants(&event.statement, &mut |instant| late &= Millis::from(instant).0 < limit);
    if late {
        Err((Outcome::TooLate, "recorded_at and every instant are before the horizon"))
    } else {
        Ok(())
    }
}

/// What of a return cannot be, as far as its standard is known: an unknown one is refused as that.
fn sense(statement: &Statement<'_>, standards: &Standards) -> Result<(), Refusal> {
    let Statement::Standard(one) = statement else { return Ok(()) };
    let fault = standards.find(&one.standard).and_then(|(_, standard)| standard.fault(one));
    fault.map_or(Ok(()), |detail| Err((Outcome::Malformed, detail)))
}

fn places(statement: &Statement<'_>, orgs: &Organisations) -> Result<(), Refusal> {
    let at = |code: &str, level, detail| match orgs.find_at(code, level) {
        Some(_) => Ok(()),
        None => Err((Outcome::UnknownPlace, detail)),
    };
    const SITE: &str = "site is not the code of a site in organisations.csv";
    const SERVICE: &str = "service is not the code of a service in organisations.csv";
    match statement {
        Statement::Attendance(attendance) => {
            at(&attendance.site, Level::Site, SITE)?;
            match &attendance.ambulance {
                Fact::Stated(journey) => at(
                    &journey.service,
                    Level::Service,
                    "ambulance.service is not the code of a service in organisations.csv",
                ),
                Fact::Absent | Fact::Retracted => Ok(()),
            }
        }
        Statement::Ambulance(journey) => {
            at(&journey.service, Level::Service, SERVICE)?;
            match &journey.destination {
                Fact::Stated(site) => {
                    at(site, Level::Site, "destination is not the code of a site in organisations.csv")
                }
                Fact::Absent | Fact::Retracted => Ok(()),
            }
        }
        Statement::Beds(beds) => at(&beds.site, Level::Site, SITE),
        Statement::Standard(one) => known(orgs, &one.org),
        Statement::Escalation(one) => known(orgs, &one.org),
        Statement::Heartbeat => Ok(()),
    }
}

fn known(orgs: &Organisations, code: &str) -> Result<(), Refusal> {
    match orgs.find_named(code) {
        Some(_) => Ok(()),
        None => Err((Outcome::UnknownPlace, "org is not a code in organisations.csv")),
    }
}

fn named_standards(statement: &Statement<'_>, standards: &Standards) -> Result<(), Refusal> {
    let is_in = |names: &[String], name: &str| names.iter().any(|known| known == name);
    match statement {
        Statement::Standard(one) if standards.find(&one.standard).is_none() => {
            Err((Outcome::UnknownStandard, "standard is not an id in standards.toml"))
        }
        Statement::Escalation(one) if !is_in(&standards.scales, &one.scale) => {
            Err((Outcome::UnknownStandard, "scale is not one of scales in standards.toml"))
        }
        Statement::Standard(_)
        | Statement::Escalation(_)
        | Statement::Attendance(_)
        | Statement::Ambulance(_)
        | Statement::Beds(_)
        | Statement::Heartbeat => Ok(()),
    }
}

/// Every instant that the statement states; a retracted fact states none.
pub fn instants(statement: &Statement<'_>, each: &mut impl FnMut(Second)) {
    match statement {
        Statement::Attendance(attendance) => attendance_instants(attendance).for_each(each),
        Statement::Ambulance(journey) => journey_instants(journey).for_each(each),
        Statement::Beds(beds) => each(beds.as_of),
        Statement::Escalation(one) => each(one.since),
        Statement::Standard(_) | Statement::Heartbeat => {}
    }
}

fn attendance_instants<'a>(attendance: &'a Attendance<'_>) -> impl Iterator<Item = Second> + 'a {
    [
        attendance.arrived_at,
        attendance.assessed_at,
        attendance.treated_at,
        attendance.referred_at,
        attendance.decided_to_admit_at,
        attendance.clock_stopped_at,
        attendance.departed_at,
    ]
    .into_iter()
    .filter_map(Fact::value)
    .chain(attendance.location.as_ref().map(|location| location.since))
}

fn journey_instants<'a>(journey: &'a Journey<'_>) -> impl Iterator<Item = Second> + 'a {
    [
        journey.call_at,
        journey.clock_started_at,
        journey.responded_at,
        journey.arrived_at,
        journey.handed_over_at,
        journey.cleared_at,
    ]
    .into_iter()
    .filter_map(Fact::value)
}
