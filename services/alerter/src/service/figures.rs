//! The newest figures of one organisation: of each series the value that stands.

use std::collections::BTreeMap;

use domain::measures::{Measure, OrgMinute, Revision, SeriesKey, Values};
use domain::time::Minute;

/// A value and the writing that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) minute: Minute,
    pub(crate) revision: Revision,
    pub(crate) values: Values,
}

/// What a publication was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// One of the newest minute: it may move episodes.
    Newest,
    /// One of an older minute of which a value still stands.
    Standing,
    /// Neither.
    Nothing,
}

/// What is known of one organisation at its newest minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// The newest minute that was published.
    pub(crate) newest: Option<Minute>,
    /// Whether it is stale.
    pub(crate) stale: bool,
    /// For each step (minutes): the newest minute at such a step of which a first publication, which carries all
    /// series, was seen. A series that was not in it is zeros (spec 2.4).
    pub(crate) whole: BTreeMap<u32, Minute>,
    /// Those series that a rule looks at.
    pub(crate) series: BTreeMap<SeriesKey, Figure>,
}

impl Figures {
    /// Takes a publication.
    ///
    /// Of each series the highest revision of its newest minute stands. A restated minute counts only as far as its
    /// value still stands, which is so for windows that are not published every minute.
    pub(crate) fn take(&mut self, record: &OrgMinute, wanted: impl Fn(Measure) -> bool) -> Taken {
        let m = record.minute;
        let is_newest = !record.restated && self.newest.is_none_or(|newest| m >= newest);
        if self.newest.is_none_or(|newest| m > newest) && !is_newest {
            return Taken::Nothing;
        }
        if is_newest {
            self.newest = Some(m);
            self.stale = record.freshness.stale;
            if record.revision.n <= 1 {
                for step in STEPS.into_iter().filter(|step| m.0.is_multiple_of(*step)) {
                    self.whole.insert(step, m);
                }
            }
        }
        let mut is_changed = false;
        for series in record.series.iter().filter(|series| wanted(series.key.measure)) {
            let held = self.series.get(&series.key).map(|held| (held.minute, held.revision));
            if self.standing(series.key) == Some(m) && held.is_none_or(|held| (m, record.revision) >= held) {
                let figure = Figure { minute: m, revision: record.revision, values: series.values };
                self.series.insert(series.key, figure);
                is_changed = true;
            }
        }
        match (is_newest, is_changed) {
            (true, _) => Taken::Newest,
            (false, true) => Taken::Standing,
            (false, false) => Taken::Nothing,
        }
    }

    /// A field of a series at the newest minute: what was published, or 0 where a whole publication did not carry it.
    /// `None`: not known.
    pub(crate) fn field(&self, series: SeriesKey, index: usize) -> Option<i64> {
        let standing = self.standing(series)?;
        match self.series.get(&series) {
            Some(figure) if figure.minute == standing => Some(figure.values[index]),
            Some(_) | None => (self.whole.get(&step(series)) == Some(&standing)).then_some(0),
        }
    }

    /// The minute whose value of a series stands: the newest at which its window is published.
    fn standing(&self, series: SeriesKey) -> Option<Minute> {
        self.newest.map(|newest| newest.minus(newest.0 % step(series)))
    }
}

/// The steps at which windows are published (spec 2.1).
const STEPS: [u32; 2] = [1, 15];

fn step(series: SeriesKey) -> u32 {
    series.window.map_or(1, |window| window.step())
}

#[cfg(test)]
mod tests {
    use domain::measures::{Freshness, Series, TypeTag, Window};
    use domain::organisations::Level;

    use super::*;

    const WEEK: u32 = 10_080;

    fn key(window: u32) -> SeriesKey {
        let window = Some(Window::Rolling(window));
        SeriesKey::new(Measure::AeFourHour, TypeTag::One, window)
    }

    fn publish(figures: &mut Figures, minute: u32, n: u32, restated: bool, series: &[(u32, i64)]) -> bool {
        let series = series.iter().map(|(window, value)| {
            let mut values = Values::default();
            values[0] = *value;
            Series { key: key(*window), values }
        });
        let record = OrgMinute {
            level: Level::Site,
            org: "S".to_owned(),
            minute: Minute(minute),
            revision: Revision { epoch: 1, n },
            freshness: Freshness::default(),
            restated,
            series: series.collect(),
        };
        figures.take(&record, |_| true) == Taken::Newest
    }

    #[test]
    fn of_each_series_the_highest_revision_stands() {
        let mut figures = Figures::default();
        assert!(publish(&mut figures, 30, 1, false, &[(240, 1), (60, 7)]));
        assert!(publish(&mut figures, 30, 3, false, &[(240, 3)]));
        assert!(publish(&mut figures, 30, 2, false, &[(240, 2), (60, 8)]));
        assert_eq!((figures.field(key(240), 0), figures.field(key(60), 0)), (Some(3), Some(8)));
        assert!(!publish(&mut figures, 29, 9, false, &[(240, 9)]));
        assert!(!publish(&mut figures, 30, 9, true, &[]));
        assert_eq!(figures.field(key(240), 0), Some(3));
    }

    #[test]
    fn a_series_that_a_whole_publication_did_not_carry_is_zeros() {
        let mut figures = Figures::default();
        assert!(publish(&mut figures, 31, 2, false, &[(240, 1)]));
        assert_eq!(
            (figures.field(key(240), 0), figures.field(key(60), 0)),
            (Some(1), None),
            "the first was not seen"
        );
        assert!(publish(&mut figures, 32, 1, false, &[(60, 1)]));
        assert_eq!((figures.field(key(240), 0), figures.field(key(60), 0)), (Some(0), Some(1)));
    }

    #[test]
    fn a_week_stands_until_its_next_step() {
        let mut figures = Figures::default();
        publish(&mut figures, 29, 1, false, &[]);
        assert_eq!(figures.field(key(WEEK), 0), None, "not known before its first step");
        publish(&mut figures, 30, 1, false, &[(WEEK, 5)]);
        publish(&mut figures, 31, 1, false, &[]);
        assert_eq!(figures.field(key(WEEK), 0), Some(5));
        assert!(!publish(&mut figures, 30, 2, true, &[(WEEK, 6)]), "a restatement moves no episode");
        assert_eq!(figures.field(key(WEEK), 0), Some(6), "but is what stands from now on");
        assert!(!publish(&mut figures, 15, 9, true, &[(WEEK, 8)]), "one that does not stand any more");
        assert_eq!(figures.field(key(WEEK), 0), Some(6));
        publish(&mut figures, 46, 1, false, &[]);
        assert_eq!(figures.field(key(WEEK), 0), None, "the step at 45 was missed");
        assert!(!publish(&mut figures, 60, 1, true, &[(WEEK, 9)]));
        assert_eq!(figures.newest, Some(Minute(46)), "a restated minute is never the newest");
    }
}
