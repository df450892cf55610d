//! The slow, obvious model of the specification: what the figures must be (spec 1.1–1.7, 2.1–2.4).
//!
//! It keeps every statement that was ever made, finds the standing one by looking at all of them, and counts every
//! point from nothing by looking at every attendance and every journey. It shares no code with the engine but the
//! parsed event and the table of organisations; the measures are written down once more. It does not forget (spec 1.8),
//! it does not publish, and it is not fast.

mod clocks;
mod count;
mod facts;
mod places;
mod standards;
mod statements;
mod table;

use std::collections::BTreeMap;

use domain::event::{Disposal, Event, Outcome, Statement};
use domain::measures::{DEFAULT_WINDOWS, Window};
use domain::organisations::Organisations;
use domain::time::{Millis, Minute};

use facts::{Entity, Name, Said, Stamp, Value};
use places::Places;

pub use count::{median, nearest_rank};
pub use facts::stated_instants;
pub use standards::{Period, Reports, Standard};
pub use table::{Fields, MEASURES, Measure, Points, Series, put, without_expected_alone};

/// `ledger.horizon`: 14 days, in milliseconds (spec 1.8).
pub const HORIZON_MILLIS: i64 = 14 * 24 * 60 * 60 * 1000;

/// How far an instant may be ahead: 10 minutes, in milliseconds (spec 1.7).
pub const AHEAD_MILLIS: i64 = 10 * 60 * 1000;

/// How many moves of an attendance are kept (spec 1.2).
const MOVES_KEPT: usize = 100;

/// What the configuration says, as far as the measures depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The windows that are published.
    pub windows: Vec<Window>,
    /// `measures.exclude_disposals`: left out of `ae_four_hour`.
    pub exclude_disposals: Vec<Disposal>,
    /// The standards that a return may name.
    pub standards: Vec<Standard>,
    /// The scales on which an escalation may be declared.
    pub scales: Vec<String>,
    /// `areas.csv`.
    pub areas: Vec<Area>,
    /// `groups.csv`.
    pub groups: Vec<Group>,
}

/// An area of a site. How many it can hold is not the model's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// The site's code.
    pub site: String,
    /// What the area is called in a `location`.
    pub area: String,
}

/// A group of organisations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its code.
    pub code: String,
    /// The codes of its members.
    pub members: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            windows: DEFAULT_WINDOWS.to_vec(),
            exclude_disposals: Vec::new(),
            standards: vec![Standard::monthly("rtt-18-weeks")],
            scales: vec!["opel".to_owned()],
            areas: Vec::new(),
            groups: Vec::new(),
        }
    }
}

/// Everything that was said and not refused.
#[derive(Clone, Debug)]
pub struct Model {
    orgs: Organisations,
    settings: Settings,
    /// For each entity and fact every statement, in the order in which they came (which nothing depends on).
    said: BTreeMap<Entity, BTreeMap<Name, Vec<Said>>>,
    /// For each source the newest `recorded_at` of its events that were not refused.
    newest_of_source: BTreeMap<String, Millis>,
}

impl Model {
    /// A model that has heard nothing.
    pub fn new(orgs: &Organisations, settings: Settings) -> Model {
        let (said, newest_of_source) = (BTreeMap::new(), BTreeMap::new());
        Model { orgs: orgs.clone(), settings, said, newest_of_source }
    }

    /// Takes one event and says what became of it (spec 1.7). `log_time` is when the log took it; `None` is a file, of
    /// which nothing is refused for when it came. What is refused leaves no trace.
    ///
    /// `too_large`, `not_allowed` and most of `malformed` are decided before there is an event.
    pub fn take(&mut self, event: Event<'static>, log_time: Option<Millis>) -> Outcome {
        if self.is_malformed(&event.statement) {
            return Outcome::Malformed;
        }
        let Some((entity, facts)) = facts::of_event(&event.statement, self.places()) else {
            return Outcome::UnknownPlace;
        };
        if !self.is_configured(&event.statement) {
            return Outcome::UnknownStandard;
        }
        let instants = stated_instants(&event.statement);
        if is_future_dated(event.recorded_at, &instants, log_time) {
            return Outcome::FutureDated;
        }
        if can_be_too_late(&event.statement) && is_too_late(event.recorded_at, &instants, log_time) {
            return Outcome::TooLate;
        }
        let source = event.source.clone().into_owned();
        let newer_than_its_source =
            self.newest_of_source.get(&source).is_none_or(|newest| event.recorded_at > *newest);
        if newer_than_its_source {
            self.newest_of_source.insert(source, event.recorded_at);
        }
        let changed = match entity {
            None => newer_than_its_source,
            Some(entity) => self.merge(entity, Stamp::of(&event), facts),
        };
        if changed { Outcome::Accepted } else { Outcome::Duplicate }
    }

    /// Every series of every place at m that is not all zeros. A window whose step does not divide m is left out.
    pub fn points(&self, m: Minute) -> Points {
        self.read().points(m)
    }

    /// What is known now, with every clock read: for the points of many minutes.
    pub fn read(&self) -> Reading<'_> {
        let journeys = clocks::journeys(&self.said, self.places());
        let attendances = clocks::attendances(&self.said, self.places(), &journeys);
        Reading {
            settings: &self.settings,
            attendances,
            journeys: journeys.into_values().collect(),
            bed_states: statements::bed_states(&self.said, self.places()),
            declarations: statements::declarations(&self.said, self.places()),
            standards: standards::points(&self.said, self.places(), &self.settings.standards),
        }
    }

    fn places(&self) -> Places<'_> {
        Places { orgs: &self.orgs, groups: &self.settings.groups }
    }

    fn is_malformed(&self, statement: &Statement<'_>) -> bool {
        let Statement::Standard(the) = statement else { return false };
        self.standard(&the.standard).is_some_and(|standard| standard.is_malformed(the))
    }

    fn standard(&self, id: &str) -> Option<&Standard> {
        self.settings.standards.iter().find(|standard| standard.id == id)
    }

    fn is_configured(&self, statement: &Statement<'_>) -> bool {
        match statement {
            Statement::Standard(the) => self.standard(&the.standard).is_some(),
            Statement::Escalation(the) => self.settings.scales.iter().any(|id| *id == the.scale),
            Statement::Attendance(_)
            | Statement::Ambulance(_)
            | Statement::Beds(_)
            | Statement::Heartbeat => true,
        }
    }

    /// Adds the statements; whether one of them stands that did not stand before.
    fn merge(&mut self, entity: Entity, stamp: Stamp, facts: Vec<(Name, Value)>) -> bool {
        let said = self.said.entry(entity).or_default();
        let before = standing(said);
        let names: Vec<Name> = facts.iter().map(|(name, _)| *name).collect();
        for (name, value) in facts {
            said.entry(name).or_default().push(Said { stamp: stamp.clone(), value });
        }
        let after = standing(said);
        names.iter().any(|name| after.get(name) != before.get(name))
    }
}

/// Of each fact the statement with the greatest stamp, of equal stamps the one with the greatest value (spec 1.1).
fn standing(said: &BTreeMap<Name, Vec<Said>>) -> BTreeMap<Name, Said> {
    let mut standing: BTreeMap<Name, Said> =
        said.iter().filter_map(|(name, all)| Some((*name, all.iter().max()?.clone()))).collect();
    let mut moves: Vec<Name> =
        standing.keys().copied().filter(|name| matches!(name, Name::Location(_))).collect();
    moves.sort();
    moves.reverse();
    for too_old in moves.into_iter().skip(MOVES_KEPT) {
        standing.remove(&too_old);
    }
    standing
}

fn is_future_dated(recorded_at: Millis, instants: &[Millis], log_time: Option<Millis>) -> bool {
    instants.iter().any(|instant| instant.0 > recorded_at.0 + AHEAD_MILLIS)
        || log_time.is_some_and(|log_time| recorded_at.0 > log_time.0 + AHEAD_MILLIS)
}

fn is_too_late(recorded_at: Millis, instants: &[Millis], log_time: Option<Millis>) -> bool {
    let Some(log_time) = log_time else { return false };
    let horizon = log_time.0 - HORIZON_MILLIS;
    recorded_at.0 < horizon && instants.iter().all(|instant| instant.0 < horizon)
}

fn can_be_too_late(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::Attendance(_) | Statement::Ambulance(_) | Statement::Beds(_) => true,
        Statement::Standard(_) | Statement::Escalation(_) | Statement::Heartbeat => false,
    }
}

/// What is known at some moment, every clock read.
#[derive(Debug)]
pub struct Reading<'a> {
    settings: &'a Settings,
    attendances: Vec<clocks::Attendance>,
    journeys: Vec<clocks::Journey>,
    bed_states: Vec<statements::BedStates>,
    declarations: Vec<statements::Declarations>,
    standards: BTreeMap<Minute, Points>,
}

impl Reading<'_> {
    /// The minutes with which points of a standard are stamped, in order: the ends of the periods that were reported.
    pub fn standard_minutes(&self) -> Vec<Minute> {
        self.standards.keys().copied().collect()
    }
}
