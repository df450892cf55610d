//! What an event says, as single facts about one entity, and how two statements of one fact compare (spec 1.1–1.6).

use domain::event::{Attendance, Beds, Escalation, Event, Fact, Journey, Return, Statement};
use domain::ids::{OrgId, Ref};
use domain::organisations::Level;
use domain::time::{Millis, Second};

use super::places::Places;

/// An entity by its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entity {
    Attendance { site: OrgId, reference: Ref },
    Journey { service: OrgId, reference: Ref },
    Beds { site: OrgId, as_of: Second },
    Return { standard: String, org: OrgId, period_start: u32 },
    Escalation { org: OrgId, scale: String, since: Second },
}

/// Which fact of an entity. A move is a fact of its own for each `since`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    DepartmentType,
    Planned,
    Child,
    Acuity,
    ArrivalMode,
    Ambulance,
    ArrivedAt,
    AssessedAt,
    TreatedAt,
    ReferredAt,
    DecidedToAdmitAt,
    ClockStoppedAt,
    DepartedAt,
    Disposal,
    Location(Second),
    Void,
    Category,
    CallAt,
    ClockStartedAt,
    RespondedAt,
    Destination,
    HandedOverAt,
    ClearedAt,
    Open,
    Occupied,
    EscalationOpen,
    NoCriteriaToReside,
    Met,
    Total,
    Count,
    TotalSeconds,
    P90Seconds,
    Level,
}

/// What was said of a fact. The order is that of spec 1.1 between values of one fact: `null` before everything,
/// numbers and instants by size, `false` before `true`, text by bytes, a journey's name by its service, then its ref.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Flag(bool),
    Number(u64),
    Instant(Second),
    Text(String),
    Journey { service: String, reference: Ref },
}

/// When and by whom it was said, in the order in which later overrides earlier: ids by length, then as bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    recorded_at: Millis,
    id_length: usize,
    id: Vec<u8>,
    source: Vec<u8>,
}

impl Stamp {
    pub(super) fn of(event: &Event<'_>) -> Stamp {
        Stamp {
            recorded_at: event.recorded_at,
            id_length: event.id.len(),
            id: event.id.as_bytes().to_vec(),
            source: event.source.as_bytes().to_vec(),
        }
    }
}

/// One statement of one fact; the greatest stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    pub(super) stamp: Stamp,
    pub(super) value: Value,
}

/// What a statement says: the entity of which it speaks (none for a heartbeat), and the facts that it states or
/// retracts.
pub(super) type Saying = (Option<Entity>, Vec<(Name, Value)>);

/// What a statement says; `None` if a code in it is not an organisation of the level that its field names.
pub(super) fn of_event(statement: &Statement<'_>, places: Places<'_>) -> Option<Saying> {
    let place = |code: &str, level| places.at_level(code, level);
    match statement {
        Statement::Attendance(the) => {
            if let Fact::Stated(journey) = &the.ambulance {
                place(&journey.service, Level::Service)?;
            }
            let (site, reference) = (place(&the.site, Level::Site)?, the.reference);
            Some((Some(Entity::Attendance { site, reference }), of_attendance(the)))
        }
        Statement::Ambulance(the) => {
            if let Fact::Stated(destination) = &the.destination {
                place(destination, Level::Site)?;
            }
            let (service, reference) = (place(&the.service, Level::Service)?, the.reference);
            Some((Some(Entity::Journey { service, reference }), of_journey(the)))
        }
        Statement::Beds(the) => {
            let (site, as_of) = (place(&the.site, Level::Site)?, the.as_of);
            Some((Some(Entity::Beds { site, as_of }), of_beds(the)))
        }
        Statement::Standard(the) => {
            let (standard, org) = (the.standard.to_string(), places.orgs.find(&the.org)?);
            let period_start = the.period_start;
            Some((Some(Entity::Return { standard, org, period_start }), of_return(the)))
        }
        Statement::Escalation(the) => {
            let (org, scale, since) = (places.orgs.find(&the.org)?, the.scale.to_string(), the.since);
            Some((Some(Entity::Escalation { org, scale, since }), of_escalation(the)))
        }
        Statement::Heartbeat => Some((None, Vec::new())),
    }
}

/// Every instant that a statement states, those in its key and in a move included; a retraction states none.
pub fn stated_instants(statement: &Statement<'_>) -> Vec<Millis> {
    let (facts, key) = match statement {
        Statement::Attendance(the) => (of_attendance(the), the.location.as_ref().map(|moved| moved.since)),
        Statement::Ambulance(the) => (of_journey(the), None),
        Statement::Beds(the) => (of_beds(the), Some(the.as_of)),
        Statement::Standard(the) => (of_return(the), None),
        Statement::Escalation(the) => (of_escalation(the), Some(the.since)),
        Statement::Heartbeat => (Vec::new(), None),
    };
    let stated = facts.into_iter().filter_map(|(_, value)| match value {
        Value::Instant(at) => Some(at),
        Value::Null | Value::Flag(_) | Value::Number(_) | Value::Text(_) | Value::Journey { .. } => None,
    });
    stated.chain(key).map(Millis::from).collect()
}

type Stated = Option<(Name, Value)>;

fn of_attendance(the: &Attendance<'_>) -> Vec<(Name, Value)> {
    let ambulance = fact(Name::Ambulance, the.ambulance.clone(), |journey| Value::Journey {
        service: journey.service.into_owned(),
        reference: journey.reference,
    });
    let location = the.location.as_ref().map(|moved| match &moved.area {
        None => (Name::Location(moved.since), Value::Null),
        Some(area) => (Name::Location(moved.since), Value::Text(area.to_string())),
    });
    let all = [
        fact(Name::DepartmentType, the.department_type, |kind| Value::Number(kind.number().into())),
        flag(Name::Planned, the.planned),
        flag(Name::Child, the.child),
        fact(Name::Acuity, the.acuity, |acuity| Value::Number(acuity.into())),
        fact(Name::ArrivalMode, the.arrival_mode, |mode| Value::Text(mode.as_str().to_owned())),
        ambulance,
        instant(Name::ArrivedAt, the.arrived_at),
        instant(Name::AssessedAt, the.assessed_at),
        instant(Name::TreatedAt, the.treated_at),
        instant(Name::ReferredAt, the.referred_at),
        instant(Name::DecidedToAdmitAt, the.decided_to_admit_at),
        instant(Name::ClockStoppedAt, the.clock_stopped_at),
        instant(Name::DepartedAt, the.departed_at),
        fact(Name::Disposal, the.disposal, |disposal| Value::Text(disposal.as_str().to_owned())),
        location,
        flag(Name::Void, the.void),
    ];
    all.into_iter().flatten().collect()
}

fn of_journey(the: &Journey<'_>) -> Vec<(Name, Value)> {
    let all = [
        fact(Name::Category, the.category, |category| Value::Text(category.as_str().to_owned())),
        instant(Name::CallAt, the.call_at),
        instant(Name::ClockStartedAt, the.clock_started_at),
        instant(Name::RespondedAt, the.responded_at),
        fact(Name::Destination, the.destination.clone(), |site| Value::Text(site.into_owned())),
        instant(Name::ArrivedAt, the.arrived_at),
        instant(Name::HandedOverAt, the.handed_over_at),
        instant(Name::ClearedAt, the.cleared_at),
        flag(Name::Void, the.void),
    ];
    all.into_iter().flatten().collect()
}

fn of_beds(the: &Beds<'_>) -> Vec<(Name, Value)> {
    let all = [
        fact(Name::Open, the.open, |n| Value::Number(n.into())),
        fact(Name::Occupied, the.occupied, |n| Value::Number(n.into())),
        fact(Name::EscalationOpen, the.escalation_open, |n| Value::Number(n.into())),
        fact(Name::NoCriteriaToReside, the.no_criteria_to_reside, |n| Value::Number(n.into())),
    ];
    all.into_iter().flatten().collect()
}

fn of_return(the: &Return<'_>) -> Vec<(Name, Value)> {
    let all = [
        fact(Name::Met, the.met, Value::Number),
        fact(Name::Total, the.total, Value::Number),
        fact(Name::Count, the.count, Value::Number),
        fact(Name::TotalSeconds, the.total_s, Value::Number),
        fact(Name::P90Seconds, the.p90_s, Value::Number),
    ];
    all.into_iter().flatten().collect()
}

fn of_escalation(the: &Escalation<'_>) -> Vec<(Name, Value)> {
    fact(Name::Level, the.level, |level| Value::Number(level.into())).into_iter().collect()
}

fn flag(name: Name, said: Fact<bool>) -> Stated {
    fact(name, said, Value::Flag)
}

fn instant(name: Name, said: Fact<Second>) -> Stated {
    fact(name, said, Value::Instant)
}

fn fact<T>(name: Name, said: Fact<T>, value: impl Fn(T) -> Value) -> Stated {
    match said {
        Fact::Absent => None,
        Fact::Retracted => Some((name, Value::Null)),
        Fact::Stated(stated) => Some((name, value(stated))),
    }
}
