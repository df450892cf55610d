//! Bed states and declarations as they stand (spec 1.4, 1.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clocks::{Everything, Facts};
use super::facts::{Entity, Name, Said};
use super::places::Places;

/// The bed states of a site that exist, the newest last.
#[derive(Clone, Debug)]
pub(super) struct BedStates {
    /// Every place where the site is shown.
    pub(super) places: Vec<Arc<str>>,
    pub(super) states: Vec<BedState>,
}

/// A bed state, whole: what it does not state is 0.
#[derive(Clone, Debug)]
pub(super) struct BedState {
    /// Unix seconds.
    pub(super) as_of: i64,
    pub(super) fields: [(&'static str, i64); 4],
}

/// The declarations of an organisation on a scale that were not taken back, the newest last.
#[derive(Clone, Debug)]
pub(super) struct Declarations {
    pub(super) place: Arc<str>,
    pub(super) scale: String,
    /// Unix seconds, and the level.
    pub(super) levels: Vec<(i64, i64)>,
}

/// The bed states of every site that has any.
pub(super) fn bed_states(said: &Everything, places: Places<'_>) -> Vec<BedStates> {
    let mut by_site = BTreeMap::new();
    for (entity, said) in said {
        let Entity::Beds { site, as_of } = entity else { continue };
        let empty = || BedStates { places: places.of_site(*site), states: Vec::new() };
        let of_site = by_site.entry(*site).or_insert_with(empty);
        of_site.states.extend(bed_state(i64::from(as_of.0), said));
    }
    let mut all: Vec<BedStates> = by_site.into_values().collect();
    all.iter_mut().for_each(|of_site| of_site.states.sort_by_key(|state| state.as_of));
    all
}

/// One with every fact retracted does not exist.
fn bed_state(as_of: i64, said: &BTreeMap<Name, Vec<Said>>) -> Option<BedState> {
    let facts = Facts::of(said);
    let names = [
        ("open", Name::Open),
        ("occupied", Name::Occupied),
        ("escalation_open", Name::EscalationOpen),
        ("no_criteria_to_reside", Name::NoCriteriaToReside),
    ];
    let exists = names.iter().any(|(_, name)| facts.number(*name).is_some());
    let number = |name| i64::try_from(facts.number(name).unwrap_or(0)).expect("a count of beds");
    exists.then(|| BedState { as_of, fields: names.map(|(field, name)| (field, number(name))) })
}

/// The declarations of every organisation on every scale.
pub(super) fn declarations(said: &Everything, places: Places<'_>) -> Vec<Declarations> {
    let mut by_scale = BTreeMap::new();
    for (entity, said) in said {
        let Entity::Escalation { org, scale, since } = entity else { continue };
        let empty = || Declarations { place: places.code(*org), scale: scale.clone(), levels: Vec::new() };
        let declarations = by_scale.entry((*org, scale)).or_insert_with(empty);
        if let Some(level) = Facts::of(said).number(Name::Level) {
            let level = i64::try_from(level).expect("a level of 1 to 4");
            declarations.levels.push((i64::from(since.0), level));
        }
    }
    let mut all: Vec<Declarations> = by_scale.into_values().collect();
    all.iter_mut().for_each(|declarations| declarations.levels.sort_unstable());
    all
}
