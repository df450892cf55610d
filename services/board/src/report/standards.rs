//! The periodic standards of a report: of each the newest return for a period that had ended by then, the same a year
//! before, how many of those who had to report have, and which period is overdue.

use std::collections::BTreeMap;

use domain::alert::value::Value;
use domain::measures::{Measure, Tag};
use domain::standard::{Better, Kind, Standard};
use domain::time::{LondonDays, Minute};

use super::figures::daily;
use super::number::Share;
use super::{Place, Rules, Target};
use crate::row::Row;

/// The returns for one period of a standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Returned {
    /// How many met it.
    pub met: i64,
    /// Of how many.
    pub total: i64,
    /// How many, of a count.
    pub count: i64,
    /// The sum of seconds, of a mean.
    pub total_s: i64,
    /// A 90th percentile as it was returned; 0: none.
    pub p90_s: i64,
    /// How many have reported.
    pub reporting: i64,
    /// How many have to.
    pub expected: i64,
}

impl Returned {
    /// Whether anybody reported: a point of nobody's returns has no figure.
    pub fn is_there(self) -> bool {
        self.reporting > 0 || self.total > 0 || self.count > 0
    }

    /// The share of a standard of that kind.
    pub fn share(self) -> Share {
        Share::of(self.met, self.total)
    }
}

/// One standard.
#[derive(Clone, Debug, PartialEq)]
pub struct StandardLine {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What makes its figure.
    pub kind: Kind,
    /// Which way is good.
    pub better: Better,
    /// The end of the newest period that is returned.
    pub end: Minute,
    /// Its returns.
    pub newest: Returned,
    /// What it is held against.
    pub target: Option<Target>,
    /// The same period a year before.
    pub year_before: Option<Returned>,
    /// The end of the newest period for which a return is overdue, and from how many of those who have to report it is
    /// missing.
    pub overdue: Option<(Minute, i64)>,
}

impl StandardLine {
    /// Whether the figure misses the target.
    pub fn misses(&self) -> bool {
        let Some(target) = &self.target else { return false };
        let figure = match self.kind {
            Kind::Share => self.newest.share().ratio(),
            Kind::Count => Some(self.newest.count as f64),
            Kind::Mean => Share::of(self.newest.total_s, self.newest.total).ratio(),
        };
        figure.is_some_and(|figure| match self.better {
            Better::Higher => figure < target.value,
            Better::Lower => figure > target.value,
        })
    }
}

/// The returns of an organisation, by the id of the standard and the end of the period.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(BTreeMap<(String, Minute), Returned>);

impl Held {
    /// Of the daily rows of an organisation.
    pub(super) fn of(rows: &[(Minute, Row)]) -> Held {
        let mut held = Held::default();
        for (at, row) in rows {
            for series in row.series.iter().filter(|series| series.key.measure == Measure::Standard) {
                let Some((_, id)) = series.key.tags().next() else { continue };
                held.0.insert((id.to_owned(), *at), returned(&series.values));
            }
        }
        held
    }

    /// A standard's return for the period that ends at a minute.
    pub(super) fn get(&self, id: &str, end: Minute) -> Option<Returned> {
        self.0.get(&(id.to_owned(), end)).copied().filter(|returned| returned.is_there())
    }

    /// One line for each standard with any return for a period that ended at `end` or in the year before it.
    pub(super) fn lines(
        &self,
        place: &Place,
        rules: Rules<'_>,
        end: Minute,
        as_at: Minute,
    ) -> Vec<StandardLine> {
        let days = LondonDays::new();
        let lines = rules.standards.standards.iter().filter_map(|standard| {
            let range = (standard.id.clone(), Minute(0))..=(standard.id.clone(), end);
            let mut newest_first = self.0.range(range).rev().filter(|(_, returned)| returned.is_there());
            let ((_, newest_end), newest) = newest_first.next()?;
            let start = standard.period.start(days.date(newest_end.minus(1)));
            let year_before = days.start_of(standard.period.end(a_year_before(standard, start)));
            Some(StandardLine {
                id: standard.id.clone(),
                title: standard.title.clone(),
                kind: standard.kind,
                better: standard.better,
                end: *newest_end,
                newest: *newest,
                target: target(rules, place, standard, *newest_end, &days),
                year_before: self.get(&standard.id, year_before),
                overdue: self.overdue(standard, *newest_end, as_at, &days),
            })
        });
        lines.collect()
    }

    /// The newest overdue period at or after the newest that is returned.
    fn overdue(
        &self,
        standard: &Standard,
        newest_end: Minute,
        as_at: Minute,
        days: &LondonDays,
    ) -> Option<(Minute, i64)> {
        let today = days.date(as_at);
        let newest = self.get(&standard.id, newest_end)?;
        let mut start = standard.period.start(days.date(newest_end.minus(1)));
        let mut found = None;
        while standard.overdue_from(start) <= today {
            let end = days.start_of(standard.period.end(start));
            let returned = self
                .get(&standard.id, end)
                .unwrap_or(Returned { expected: newest.expected, ..Returned::default() });
            let missing = returned.expected - returned.reporting;
            if missing > 0 && standard.is_collected(start) {
                found = Some((end, missing));
            }
            start = standard.period.end(start);
        }
        found
    }
}

/// The period that a year before began: weeks 364 days earlier, so that they begin on a Monday.
fn a_year_before(standard: &Standard, start: domain::date::Date) -> domain::date::Date {
    match standard.period {
        domain::date::Period::Week => start.minus(364),
        domain::date::Period::Month | domain::date::Period::Quarter => {
            standard.period.start(start.minus(360))
        }
    }
}

fn returned(values: &[i64]) -> Returned {
    let value = |index: usize| values.get(index).copied().unwrap_or(0);
    Returned {
        met: value(0),
        total: value(1),
        count: value(2),
        total_s: value(3),
        p90_s: value(4),
        reporting: value(5),
        expected: value(6),
    }
}

fn target(
    rules: Rules<'_>,
    place: &Place,
    standard: &Standard,
    end: Minute,
    days: &LondonDays,
) -> Option<Target> {
    let value = match standard.kind {
        Kind::Share => Value::ratio(Measure::Standard, "met", "total"),
        Kind::Count => Value::field(Measure::Standard, "count"),
        Kind::Mean => Value::ratio(Measure::Standard, "total_s", "total"),
    };
    let tag = Tag::text(&standard.id)?;
    in_force(rules, place, value, (Measure::Standard, tag), end, days)
}

/// The target for a value of a daily series of an organisation that was in force on the day that ends at a minute.
pub(super) fn in_force(
    rules: Rules<'_>,
    place: &Place,
    value: Option<Value>,
    (measure, tag): (Measure, Tag),
    end: Minute,
    days: &LondonDays,
) -> Option<Target> {
    let key = daily(measure, tag);
    let mut tags: Vec<(&str, String)> = key.tags().map(|(name, text)| (name, text.to_owned())).collect();
    tags.extend(key.window.map(|window| ("window", window.to_string())));
    let step = rules.targets.find(value?, place.level, &tags)?.on(days.date(end.minus(1)))?;
    Some(Target { value: step.value.to_string().parse().ok()?, verified: step.verified })
}
