//! The periodic standards (spec 1.5, 2.5): what is returned for a week, a month or a quarter, by whom and by when. What
//! the returns add up to is [`crate::returns`]'s; which figure is good enough, [`crate::target`]'s.

use crate::date::{Date, Period};
use crate::event::{Fact, Return};
use crate::organisations::{Level, Organisation};

/// What of a return makes the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `met / total`
    Share,
    /// `count`
    Count,
    /// `total_s / total`, seconds.
    Mean,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Share, Kind::Count, Kind::Mean];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Share => "share",
            Kind::Count => "count",
            Kind::Mean => "mean",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

impl Better {
    /// Either.
    pub const ALL: [Better; 2] = [Better::Higher, Better::Lower];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Better::Higher => "higher",
            Better::Lower => "lower",
        }
    }

    /// The way of that name.
    pub fn parse(text: &str) -> Option<Better> {
        Better::ALL.into_iter().find(|better| better.as_str() == text)
    }
}

/// Who has to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reports {
    /// Every organisation of a level.
    Level(Level),
    /// These, by their codes.
    Orgs(Vec<String>),
}

impl Reports {
    /// Whether an organisation has to.
    pub fn has(&self, org: &Organisation) -> bool {
        match self {
            Reports::Level(level) => org.level == *level,
            Reports::Orgs(codes) => codes.contains(&org.code),
        }
    }
}

/// Days on which a collection was suspended, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The first.
    pub from: Date,
    /// The last.
    pub to: Date,
}

/// One periodic standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standard {
    /// Stable: returns name it.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// What makes the figure.
    pub kind: Kind,
    /// Which way is good.
    pub better: Better,
    /// How long its periods are.
    pub period: Period,
    /// Who has to report.
    pub reports: Reports,
    /// Days after the period's end at which a return that has not come is overdue.
    pub due_days: u32,
    /// When nobody had to.
    pub paused: Vec<Pause>,
    /// In the period of this day the collection began.
    pub begun: Option<Date>,
    /// Periods from this day on are not collected any more.
    pub retired: Option<Date>,
    /// Where the definition comes from.
    pub source: String,
    /// Whether a public page or publication says so.
    pub verified: bool,
}

/// A count above this is absurd: a hundred and fifty times the people of England.
pub const COUNT_MAX: u64 = 10_000_000_000;
/// A sum of seconds above this is absurd: 300,000 years.
pub const TOTAL_SECONDS_MAX: u64 = 10_000_000_000_000;
/// A 90th percentile above this is absurd: a year.
pub const P90_SECONDS_MAX: u64 = 366 * 86_400;

impl Standard {
    /// A standard that every trust returns, by the essentials; the rest as plain as it can be.
    pub fn new(id: &str, kind: Kind, period: Period) -> Standard {
        Standard {
            id: id.to_owned(),
            title: id.to_owned(),
            kind,
            better: Better::Higher,
            period,
            reports: Reports::Level(Level::Trust),
            due_days: 30,
            paused: Vec::new(),
            begun: None,
            retired: None,
            source: String::new(),
            verified: false,
        }
    }

    /// Whether returns of the period that begins at `start` are collected: begun, not retired, not paused on any of its days.
    pub fn is_collected(&self, start: Date) -> bool {
        let end = self.period.end(start);
        self.begun.is_none_or(|begun| begun < end)
            && self.retired.is_none_or(|retired| start < retired)
            && !self.paused.iter().any(|pause| pause.from < end && start <= pause.to)
    }

    /// The first day on which a return of that period is overdue.
    pub fn overdue_from(&self, start: Date) -> Date {
        self.period.end(start).plus(self.due_days)
    }

    /// What of a return cannot be, if anything (spec 1.7, `malformed`).
    pub fn fault(&self, said: &Return<'_>) -> Option<&'static str> {
        let start = Date(said.period_start);
        if self.period.start(start) != start {
            return Some(match self.period {
                Period::Week => "period_start is not the start of a period: this standard's begin on Mondays",
                Period::Month => {
                    "period_start is not the start of a period: this standard's begin on the first of a month"
                }
                Period::Quarter => {
                    "period_start is not the start of a period: this standard's begin on the first of January, April, July or October"
                }
            });
        }
        let above = |fact: Fact<u64>, most: u64| fact.value().is_some_and(|value| value > most);
        if above(said.met, COUNT_MAX) || above(said.total, COUNT_MAX) || above(said.count, COUNT_MAX) {
            return Some("met, total or count is absurd: at most 10,000,000,000");
        }
        if above(said.total_s, TOTAL_SECONDS_MAX) {
            return Some("total_s is absurd: at most 10,000,000,000,000 seconds");
        }
        if above(said.p90_s, P90_SECONDS_MAX) {
            return Some("p90_s is absurd: at most 31,622,400 seconds, a year");
        }
        match (said.met.value(), said.total.value()) {
            (Some(met), Some(total)) if met > total => Some("met is more than total, of which it is a part"),
            (_, _) => None,
        }
    }
}

/// What returns and declarations may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standards {
    /// The standards of `standards.toml`.
    pub standards: Vec<Standard>,
    /// Scales that may be declared.
    pub scales: Vec<String>,
}

impl Standards {
    /// The standard of that id, with its position.
    pub fn find(&self, id: &str) -> Option<(usize, &Standard)> {
        self.standards.iter().enumerate().find(|(_, standard)| standard.id == id)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn said(start: &str, values: [Option<u64>; 5]) -> Return<'static> {
        let [met, total, count, total_s, p90_s] =
            values.map(|value| value.map_or(Fact::Absent, Fact::Stated));
        let period_start = date(start).0;
        let (standard, org) = (Cow::Borrowed("s"), Cow::Borrowed("T"));
        Return { standard, org, period_start, met, total, count, total_s, p90_s }
    }

    #[test]
    fn what_cannot_be_is_said() {
        let none = [None; 5];
        for (period, start, values, fault) in [
            (Period::Month, "2025-10-01", none, None),
            (Period::Month, "2025-10-02", none, Some("first of a month")),
            (Period::Week, "2025-10-01", none, Some("Mondays")),
            (Period::Week, "2025-09-29", none, None),
            (Period::Quarter, "2025-10-01", none, None),
            (Period::Quarter, "2025-11-01", none, Some("January, April, July or October")),
            (Period::Month, "2025-10-01", [Some(3), Some(3), None, None, None], None),
            (
                Period::Month,
                "2025-10-01",
                [Some(4), Some(3), None, None, None],
                Some("met is more than total"),
            ),
            (Period::Month, "2025-10-01", [Some(4), None, None, None, None], None),
            (Period::Month, "2025-10-01", [None, None, Some(COUNT_MAX), None, None], None),
            (Period::Month, "2025-10-01", [None, None, Some(COUNT_MAX + 1), None, None], Some("absurd")),
            (
                Period::Month,
                "2025-10-01",
                [None, None, None, Some(TOTAL_SECONDS_MAX + 1), None],
                Some("total_s is absurd"),
            ),
            (
                Period::Month,
                "2025-10-01",
                [None, None, None, None, Some(P90_SECONDS_MAX + 1)],
                Some("p90_s is absurd"),
            ),
        ] {
            let found = Standard::new("s", Kind::Share, period).fault(&said(start, values));
            assert_eq!(found.is_some(), fault.is_some(), "{start} {values:?} {found:?}");
            assert!(found.unwrap_or_default().contains(fault.unwrap_or_default()), "{found:?} {fault:?}");
        }
    }

    #[test]
    fn a_paused_or_retired_collection_is_not_collected() {
        let standard = Standard {
            begun: Some(date("2019-04-15")),
            retired: Some(date("2022-09-01")),
            paused: vec![Pause { from: date("2020-03-16"), to: date("2020-07-01") }],
            ..Standard::new("s", Kind::Share, Period::Month)
        };
        for (start, collected) in [
            ("2019-03-01", false),
            ("2019-04-01", true),
            ("2020-02-01", true),
            ("2020-03-01", false),
            ("2020-07-01", false),
            ("2020-08-01", true),
            ("2022-08-01", true),
            ("2022-09-01", false),
        ] {
            assert_eq!(standard.is_collected(date(start)), collected, "{start}");
        }
        assert_eq!(standard.overdue_from(date("2020-08-01")), date("2020-10-01"));
    }
}
