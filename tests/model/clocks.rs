//! The clocks of attendances and journeys, read from the facts that stand (spec 2.2).

use std::collections::BTreeMap;

use std::sync::Arc;

use domain::event::Disposal;
use domain::ids::{OrgId, Ref};
use domain::organisations::Level;

use super::facts::{Entity, Name, Said, Value};
use super::places::Places;
use super::standing;

/// Everything said, by entity and fact.
pub(super) type Everything = BTreeMap<Entity, BTreeMap<Name, Vec<Said>>>;

/// A journey that is not void. Instants are Unix seconds.
#[derive(Clone, Debug)]
pub(super) struct Journey {
    /// The codes of its service and of the nation above it.
    pub(super) service: Vec<Arc<str>>,
    pub(super) destination: Option<OrgId>,
    /// Every place where what comes to its destination is shown.
    pub(super) places: Vec<Arc<str>>,
    pub(super) category: Option<String>,
    pub(super) clock_started_at: Option<i64>,
    pub(super) responded_at: Option<i64>,
    pub(super) arrived_at: Option<i64>,
    pub(super) handed_over_at: Option<i64>,
    pub(super) cleared_at: Option<i64>,
}

/// An attendance that is not void and has a clock start. Times are floored minutes since 1970.
#[derive(Clone, Debug)]
pub(super) struct Attendance {
    /// The code of its site, and those of every place where it is shown.
    pub(super) site: Arc<str>,
    pub(super) places: Vec<Arc<str>>,
    /// 1, 2, 3 or 5: type 4 counts as 3.
    pub(super) department_type: u64,
    pub(super) planned: bool,
    pub(super) by_ambulance: bool,
    pub(super) clock_start: i64,
    pub(super) clock_stop: Option<i64>,
    pub(super) disposal: Option<Disposal>,
    /// From when the patient fills a space in the department.
    pub(super) present_from: Option<i64>,
    pub(super) departed: Option<i64>,
    pub(super) decided_to_admit: Option<i64>,
    pub(super) treated: Option<i64>,
    /// The moves that were not taken back, the newest last: when, in Unix seconds, and into which area.
    pub(super) moves: Vec<(i64, String)>,
}

/// The facts of one entity that stand and were not taken back.
pub(super) struct Facts(BTreeMap<Name, Value>);

impl Facts {
    pub(super) fn of(said: &BTreeMap<Name, Vec<Said>>) -> Facts {
        Facts(standing(said).into_iter().map(|(name, said)| (name, said.value)).collect())
    }

    fn instant(&self, name: Name) -> Option<i64> {
        match self.0.get(&name) {
            Some(Value::Instant(at)) => Some(i64::from(at.0)),
            _ => None,
        }
    }

    fn flag(&self, name: Name) -> bool {
        self.0.get(&name) == Some(&Value::Flag(true))
    }

    pub(super) fn number(&self, name: Name) -> Option<u64> {
        match self.0.get(&name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn text(&self, name: Name) -> Option<&str> {
        match self.0.get(&name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The moves that were not taken back, the newest last.
    fn moves(&self) -> Vec<(i64, String)> {
        let mut moves = Vec::new();
        for (name, value) in &self.0 {
            if let (Name::Location(since), Value::Text(area)) = (name, value) {
                moves.push((i64::from(since.0), area.clone()));
            }
        }
        moves.sort();
        moves
    }

    fn journey(&self) -> Option<(&str, Ref)> {
        match self.0.get(&Name::Ambulance) {
            Some(Value::Journey { service, reference }) => Some((service, *reference)),
            _ => None,
        }
    }
}

/// Every journey that counts, by its key.
pub(super) fn journeys(said: &Everything, places: Places<'_>) -> BTreeMap<(OrgId, Ref), Journey> {
    let mut journeys = BTreeMap::new();
    for (entity, said) in said {
        let Entity::Journey { service, reference } = entity else { continue };
        let facts = Facts::of(said);
        if facts.flag(Name::Void) {
            continue;
        }
        let destination = facts.text(Name::Destination).and_then(|code| places.at_level(code, Level::Site));
        let journey = Journey {
            service: places.upwards(*service).into_iter().map(|org| places.code(org)).collect(),
            destination,
            places: destination.map(|site| places.of_site(site)).unwrap_or_default(),
            category: facts.text(Name::Category).map(str::to_owned),
            clock_started_at: facts.instant(Name::ClockStartedAt),
            responded_at: facts.instant(Name::RespondedAt),
            arrived_at: facts.instant(Name::ArrivedAt),
            handed_over_at: facts.instant(Name::HandedOverAt),
            cleared_at: facts.instant(Name::ClearedAt),
        };
        journeys.insert((*service, *reference), journey);
    }
    journeys
}

/// Every attendance that counts.
pub(super) fn attendances(
    said: &Everything,
    places: Places<'_>,
    journeys: &BTreeMap<(OrgId, Ref), Journey>,
) -> Vec<Attendance> {
    let mut attendances = Vec::new();
    for (entity, said) in said {
        let Entity::Attendance { site, .. } = entity else { continue };
        attendances.extend(attendance(*site, &Facts::of(said), places, journeys));
    }
    attendances
}

fn attendance(
    site: OrgId,
    facts: &Facts,
    places: Places<'_>,
    journeys: &BTreeMap<(OrgId, Ref), Journey>,
) -> Option<Attendance> {
    if facts.flag(Name::Void) {
        return None;
    }
    let journey = its_journey(site, facts, places, journeys);
    let clock_start = clock_start(facts, journey)?;
    let disposal = facts.text(Name::Disposal).and_then(Disposal::parse);
    let by_ambulance = facts.journey().is_some() || facts.text(Name::ArrivalMode) == Some("ambulance");
    Some(Attendance {
        site: places.code(site),
        places: places.of_site(site),
        department_type: department_type(site, facts, places),
        planned: facts.flag(Name::Planned),
        by_ambulance,
        clock_start: minute(clock_start),
        clock_stop: clock_stop(facts, disposal).map(minute),
        disposal,
        present_from: present_from(facts, journey).map(minute),
        departed: facts.instant(Name::DepartedAt).map(minute),
        decided_to_admit: facts.instant(Name::DecidedToAdmitAt).map(minute),
        treated: facts.instant(Name::TreatedAt).map(minute),
        moves: facts.moves(),
    })
}

/// ⌊t⌋ in minutes, of Unix seconds.
pub(super) fn minute(second: i64) -> i64 {
    second.div_euclid(60)
}

fn department_type(site: OrgId, facts: &Facts, places: Places<'_>) -> u64 {
    let default = places.orgs.get(site).department_type.map(|kind| u64::from(kind.number()));
    let stated = facts.number(Name::DepartmentType);
    match stated.or(default).expect("a site has a department type") {
        4 => 3,
        kind => kind,
    }
}

/// The journey that its `ambulance` fact names, if it is known, not void, and went to this site or another of the
/// same trust.
fn its_journey<'a>(
    site: OrgId,
    facts: &Facts,
    places: Places<'_>,
    journeys: &'a BTreeMap<(OrgId, Ref), Journey>,
) -> Option<&'a Journey> {
    let (service, reference) = facts.journey()?;
    let service = places.at_level(service, Level::Service)?;
    let journey = journeys.get(&(service, reference))?;
    let destination = journey.destination?;
    let same_trust = places.trust(site).is_some() && places.trust(site) == places.trust(destination);
    (destination == site || same_trust).then_some(journey)
}

/// min(handed_over_at, arrived_at + 15 min) of the journey, over whichever is known; else the attendance's arrival.
fn clock_start(facts: &Facts, journey: Option<&Journey>) -> Option<i64> {
    let handed_over = journey.and_then(|journey| journey.handed_over_at);
    let arrived_and_15 = journey.and_then(|journey| journey.arrived_at).map(|at| at + 15 * 60);
    match (handed_over, arrived_and_15) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (Some(only), None) | (None, Some(only)) => Some(only),
        (None, None) => facts.instant(Name::ArrivedAt),
    }
}

/// `departed_at` where the disposal is admitted or transferred; else `clock_stopped_at` if stated, else `departed_at`.
fn clock_stop(facts: &Facts, disposal: Option<Disposal>) -> Option<i64> {
    let departed = facts.instant(Name::DepartedAt);
    match disposal {
        Some(Disposal::Admitted | Disposal::Transferred) => departed,
        Some(Disposal::Died | Disposal::Discharged | Disposal::Left | Disposal::Streamed) | None => {
            facts.instant(Name::ClockStoppedAt).or(departed)
        }
    }
}

/// With a journey that arrived or was handed over: its handover, else its clearing; without: the own arrival.
fn present_from(facts: &Facts, journey: Option<&Journey>) -> Option<i64> {
    match journey {
        Some(journey) if journey.arrived_at.is_some() || journey.handed_over_at.is_some() => {
            journey.handed_over_at.or(journey.cleared_at)
        }
        Some(_) | None => facts.instant(Name::ArrivedAt),
    }
}
