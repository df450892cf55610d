//! The figures of one organisation over the days of a period: sums, and the highest of a day.
//!
//! Counts and seconds add up over days; a percentile or a number of people present does not, so of these the highest
//! day is kept, with its date. Nothing is read here and nothing is written out.

use std::collections::BTreeMap;

use domain::measures::{MAX_FIELDS, Measure, SeriesKey, Tag, TypeTag, Values, Window};
use domain::time::Minute;

use super::Target;
use super::number::Share;
use super::period::Period;
use crate::row::Row;

/// The series of a measure and tag that is kept daily.
pub fn daily(measure: Measure, tag: Tag) -> SeriesKey {
    let window = measure.definition().by_window.then_some(Window::Today);
    SeriesKey { measure, tag, window }
}

/// One field of one series over the days of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Highest {
    /// The highest value of a day.
    pub value: i64,
    /// The minute of its point.
    pub at: Minute,
}

/// One series over the days of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    measure: Measure,
    /// Days that had a point of it.
    pub points: i64,
    total: Values,
    highest: [Highest; MAX_FIELDS],
}

impl Tally {
    fn new(measure: Measure) -> Tally {
        let none = Highest { value: i64::MIN, at: Minute(0) };
        Tally { measure, points: 0, total: [0; MAX_FIELDS], highest: [none; MAX_FIELDS] }
    }

    fn add(&mut self, at: Minute, values: &Values) {
        self.points += 1;
        for (field, value) in values.iter().enumerate() {
            self.total[field] += value;
            if *value > self.highest[field].value {
                self.highest[field] = Highest { value: *value, at };
            }
        }
    }

    /// The sum of a field over the days. A field that the measure does not have is a fault of this program.
    pub fn total(&self, field: &str) -> i64 {
        self.total[self.field(field)]
    }

    /// The highest value of a field on a day.
    pub fn highest(&self, field: &str) -> Highest {
        self.highest[self.field(field)]
    }

    /// Whether a field adds up over days: percentiles, medians and longest waits do not.
    pub fn adds_up(field: &str) -> bool {
        !["p90", "median", "longest"].iter().any(|kind| field.starts_with(kind))
    }

    fn field(&self, name: &str) -> usize {
        self.measure.field(name).expect("reports name fields of the table of measures")
    }
}

/// Where the four-hour figures of a period come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The daily figures: events.
    Days,
    /// Returns for the whole period: published or sent totals.
    Returns,
    /// Nothing is held.
    NotHeld,
}

impl Source {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Days => "days",
            Source::Returns => "returns",
            Source::NotHeld => "not_held",
        }
    }
}

/// Attendances that ended, of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FourHour {
    /// All of them.
    pub departed: i64,
    /// Within four hours.
    pub within: i64,
    /// Over twelve hours since arrival; `None` where a return does not say.
    pub over_12h: Option<i64>,
}

impl FourHour {
    /// Within four hours.
    pub fn share(self) -> Share {
        Share::of(self.within, self.departed)
    }

    /// Over four hours.
    pub fn over(self) -> i64 {
        self.departed - self.within
    }
}

/// How well the feeds were heard: of the days of all sites below, those at whose end a feed was silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Feeds {
    /// Days of sites that have figures.
    pub site_days: usize,
    /// Of these with a silent feed at the end of the day, and nothing heard of it since.
    pub stale: usize,
}

/// The figures of one organisation and period.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The period.
    pub period: Period,
    /// Its days.
    pub days: usize,
    /// Those that are over and of which anything is held.
    pub held: usize,
    /// Where the period holds the day that is not over: up to which minute that is in the figures.
    pub so_far: Option<Minute>,
    /// Where the four-hour figures come from.
    pub source: Source,
    /// The target for all types within four hours at the end of the period.
    pub target: Option<Target>,
    /// How well the feeds were heard.
    pub feeds: Feeds,
    /// The four-hour figures of returns, where these are the source.
    pub returned: BTreeMap<TypeTag, FourHour>,
    tallies: BTreeMap<SeriesKey, Tally>,
}

impl Figures {
    /// Of nothing yet.
    pub fn new(period: Period) -> Figures {
        Figures {
            period,
            days: period.days().count(),
            held: 0,
            so_far: None,
            source: Source::NotHeld,
            target: None,
            feeds: Feeds::default(),
            returned: BTreeMap::new(),
            tallies: BTreeMap::new(),
        }
    }

    /// Takes in a day's figures, or a morning's.
    pub fn add(&mut self, at: Minute, row: &Row) {
        for series in &row.series {
            let key = series.key;
            self.tallies.entry(key).or_insert_with(|| Tally::new(key.measure)).add(at, &series.values);
        }
    }

    /// A series over the days; `None` where no day of the period has it.
    pub fn tally(&self, measure: Measure, tag: impl Into<Tag>) -> Option<&Tally> {
        self.tallies.get(&daily(measure, tag.into()))
    }

    /// The four-hour figures of a type, from days or from returns; `None` where none are held.
    pub fn four_hour(&self, tag: TypeTag) -> Option<FourHour> {
        match self.source {
            Source::NotHeld => None,
            Source::Returns => self.returned.get(&tag).copied(),
            Source::Days => self.tally(Measure::AeFourHour, tag).map(|tally| FourHour {
                departed: tally.total("departed"),
                within: tally.total("within"),
                over_12h: Some(tally.total("over_12h")),
            }),
        }
    }

    /// Within four hours; of nothing where nothing is held.
    pub fn share(&self, tag: TypeTag) -> Share {
        self.four_hour(tag).unwrap_or_default().share()
    }

    /// Every series of the period.
    pub fn series(&self) -> impl Iterator<Item = (&SeriesKey, &Tally)> {
        self.tallies.iter()
    }

    /// Whether every day is held.
    pub fn is_whole(&self) -> bool {
        self.held == self.days
    }
}
