//! The periodic standards as they stand (spec 1.5, 2.5): an organisation's own return, else what was reported below it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::event::{Fact, Return};
use domain::ids::OrgId;
use domain::organisations::Level;
use domain::time::{DAY, Minute};

use super::clocks::{Everything, Facts};
use super::facts::{Entity, Name};
use super::places::Places;
use super::table::{Fields, Points, Series};
use crate::london;

/// A periodic standard, as far as its points depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standard {
    /// What returns call it.
    pub id: String,
    /// How long its periods are.
    pub period: Period,
    /// Who has to report.
    pub reports: Reports,
    /// When nobody had to: first and last day, as days since 1970-01-01.
    pub paused: Vec<(u32, u32)>,
}

/// The periods of a standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From Monday.
    Week,
    /// A calendar month.
    Month,
    /// Three months from January, April, July or October.
    Quarter,
}

/// Who has to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reports {
    /// Every organisation of that level.
    Level(Level),
    /// These, by their codes.
    Orgs(Vec<String>),
}

impl Standard {
    /// A monthly standard that every trust reports.
    pub fn monthly(id: &str) -> Standard {
        let reports = Reports::Level(Level::Trust);
        Standard { id: id.to_owned(), period: Period::Month, reports, paused: Vec::new() }
    }

    /// Whether a return of it cannot be: its period is none, or a part is greater than the whole.
    pub(super) fn is_malformed(&self, said: &Return<'_>) -> bool {
        let too_many =
            matches!((said.met, said.total), (Fact::Stated(met), Fact::Stated(total)) if met > total);
        too_many || !self.period.begins_on(said.period_start)
    }

    /// Whether somebody has to report for a period: it does not overlap a pause.
    fn is_collected(&self, start: u32) -> bool {
        let last = self.period.end(start) - 1;
        !self.paused.iter().any(|(from, to)| *from <= last && start <= *to)
    }
}

impl Period {
    /// Whether a period begins on that day, given as days since 1970-01-01.
    pub fn begins_on(self, day: u32) -> bool {
        let (_, month, date) = london::date(Minute(day * DAY));
        match self {
            Period::Week => day % 7 == 4, // 1970-01-01 was a Thursday
            Period::Month => date == 1,
            Period::Quarter => date == 1 && month % 3 == 1,
        }
    }

    /// The day after its last, of a period that begins on that day.
    pub fn end(self, start: u32) -> u32 {
        (start + 1..).find(|day| self.begins_on(*day)).expect("every period ends")
    }

    /// The minute with which the points of a period are stamped: local midnight at its end.
    pub fn stamp(self, start: u32) -> Minute {
        let (year, month, day) = london::date(Minute(self.end(start) * DAY));
        london::midnight_of(year, month, day)
    }
}

/// What a return states: met, total, count, seconds, 90th percentile.
type Amounts = [Option<u64>; 5];

/// Every point of every period of which somebody reported something.
pub(super) fn points(
    said: &Everything,
    places: Places<'_>,
    standards: &[Standard],
) -> BTreeMap<Minute, Points> {
    let mut returns: BTreeMap<(&str, u32), BTreeMap<OrgId, Amounts>> = BTreeMap::new();
    for (entity, said) in said {
        let Entity::Return { standard, org, period_start } = entity else { continue };
        let facts = Facts::of(said);
        let names = [Name::Met, Name::Total, Name::Count, Name::TotalSeconds, Name::P90Seconds];
        let amounts = names.map(|name| facts.number(name));
        if amounts.iter().any(Option::is_some) {
            returns.entry((standard, *period_start)).or_default().insert(*org, amounts);
        }
    }
    let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
    for ((id, start), returns) in returns {
        let standard = standards.iter().find(|one| one.id == id).expect("another is refused");
        let of_period = points.entry(standard.period.stamp(start)).or_default();
        let roll_up = RollUp { places, standard, start, returns: &returns };
        for (place, own, members) in everywhere(places) {
            let own = own.and_then(|org| returns.get(&org));
            let fields = roll_up.fields(own, &members);
            if fields.keys().any(|field| *field != "expected") {
                let tag = Cow::Owned(id.to_owned());
                of_period.insert((place, Series { measure: "standard", tag, window: None }), fields);
            }
        }
    }
    points
}

/// Every organisation, which can have a return of its own, and every group, which cannot, with its members.
fn everywhere(places: Places<'_>) -> Vec<(Arc<str>, Option<OrgId>, Vec<OrgId>)> {
    let orgs = places.orgs.iter().map(|(id, _)| (places.code(id), Some(id), vec![id]));
    let groups = places.groups.iter().map(|group| {
        let members = group.members.iter().filter_map(|code| places.orgs.find(code)).collect();
        (group.code.as_str().into(), None, members)
    });
    orgs.chain(groups).collect()
}

struct RollUp<'a> {
    places: Places<'a>,
    standard: &'a Standard,
    start: u32,
    returns: &'a BTreeMap<OrgId, Amounts>,
}

impl RollUp<'_> {
    /// The fields of a point over these organisations and what is below them, each once. A point without a return is
    /// none, whoever had to report: `expected` alone is no news.
    fn fields(&self, own: Option<&Amounts>, members: &[OrgId]) -> Fields {
        let mut reported = BTreeSet::new();
        for member in members.iter().filter(|member| !self.is_below(**member, members)) {
            reported.extend(self.reported(*member));
        }
        let sum = |index: usize| -> u64 { reported.iter().filter_map(|org| self.returns[org][index]).sum() };
        let covered: Vec<OrgId> = self.below(members);
        let had_to = covered.iter().filter(|org| self.has_to_report(**org));
        let did = had_to.clone().filter(|org| self.returns.contains_key(org)).count();
        let collected = self.standard.is_collected(self.start);
        let mut fields = Fields::from([
            ("met", sum(0) as f64),
            ("total", sum(1) as f64),
            ("count", sum(2) as f64),
            ("total_s", sum(3) as f64),
            ("p90_s", own.and_then(|own| own[4]).unwrap_or(0) as f64),
            ("reporting", did as f64),
            ("expected", if collected { had_to.count() as f64 } else { 0.0 }),
        ]);
        fields.retain(|_, value| *value != 0.0);
        fields
    }

    /// Whose returns make up the figure of an organisation: its own, or those of what is directly below it.
    fn reported(&self, org: OrgId) -> Vec<OrgId> {
        if self.returns.contains_key(&org) {
            return vec![org];
        }
        let children = self.places.orgs.iter().filter(|(_, child)| child.parent == Some(org));
        children.flat_map(|(child, _)| self.reported(child)).collect()
    }

    /// Whether something above it is another of these.
    fn is_below(&self, org: OrgId, members: &[OrgId]) -> bool {
        self.places.upwards(org)[1..].iter().any(|above| members.contains(above))
    }

    /// These and everything below them, each once.
    fn below(&self, members: &[OrgId]) -> Vec<OrgId> {
        let is_covered = |org: &OrgId| self.places.upwards(*org).iter().any(|above| members.contains(above));
        self.places.orgs.iter().map(|(org, _)| org).filter(is_covered).collect()
    }

    fn has_to_report(&self, org: OrgId) -> bool {
        let organisation = self.places.orgs.get(org);
        match &self.standard.reports {
            Reports::Level(level) => organisation.level == *level,
            Reports::Orgs(codes) => codes.contains(&organisation.code),
        }
    }
}
