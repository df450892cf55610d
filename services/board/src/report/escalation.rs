//! Escalation at the end of a period and at its worst, as people declared it and as it was computed: two figures that stay
//! apart (spec 2.5).

use domain::measures::{Measure, Values};
use domain::time::Minute;

use super::Place;
use crate::row::Row;

/// A level at the end of the period, and the highest at any midnight of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// At the last midnight that is held; 0: none.
    pub at_end: i64,
    /// The highest.
    pub highest: i64,
}

/// The computed level at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// Which framework.
    pub framework: String,
    /// Levels 1 to 4.
    pub levels: Levels,
    /// The score at the end.
    pub score: i64,
    /// Parameters that could not be known at the end: the score understates.
    pub missing: i64,
}

/// What is known of an organisation's escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Whose.
    pub place: Place,
    /// By scale.
    pub declared: Vec<(String, Levels)>,
    /// By framework.
    pub computed: Vec<Computed>,
}

impl Escalation {
    /// Of the rows of an organisation, rising; `None` if nobody declared and nothing was computed.
    pub(super) fn of(place: Place, rows: &[(Minute, Row)]) -> Option<Escalation> {
        let mut found = Escalation { place, declared: Vec::new(), computed: Vec::new() };
        for (_, row) in rows {
            for series in &row.series {
                let tag = series.key.tags().next().map_or("", |(_, text)| text);
                match series.key.measure {
                    Measure::Escalation => found.add_declared(tag, &series.values),
                    Measure::Opel => found.add_computed(tag, &series.values),
                    Measure::AeFourHour
                    | Measure::AeArrivals
                    | Measure::AeDepartment
                    | Measure::AmbHandover
                    | Measure::AmbQueue
                    | Measure::AeArea
                    | Measure::AeTreatment
                    | Measure::AeAdmission
                    | Measure::AmbResponse
                    | Measure::BedState
                    | Measure::Standard
                    | Measure::OpelParameter
                    | Measure::FirstKnown
                    | Measure::Feed => {}
                }
            }
        }
        found.declared.retain(|(_, levels)| levels.highest > 0);
        (!found.declared.is_empty() || !found.computed.is_empty()).then_some(found)
    }

    /// The highest level at the end, by whichever.
    pub fn level(&self) -> i64 {
        let declared = self.declared.iter().map(|(_, levels)| levels.at_end);
        declared.chain(self.computed.iter().map(|one| one.levels.at_end)).max().unwrap_or(0)
    }

    fn add_declared(&mut self, scale: &str, values: &Values) {
        match self.declared.iter_mut().find(|(held, _)| held == scale) {
            Some((_, levels)) => levels.add(values[0]),
            None => self.declared.push((scale.to_owned(), Levels::new(values[0]))),
        }
    }

    fn add_computed(&mut self, framework: &str, values: &Values) {
        let [score, level, missing, ..] = *values;
        match self.computed.iter_mut().find(|held| held.framework == framework) {
            Some(held) => {
                held.levels.add(level);
                (held.score, held.missing) = (score, missing);
            }
            None => {
                let framework = framework.to_owned();
                self.computed.push(Computed { framework, levels: Levels::new(level), score, missing });
            }
        }
    }
}

impl Levels {
    fn new(level: i64) -> Levels {
        Levels { at_end: level, highest: level }
    }

    fn add(&mut self, level: i64) {
        *self = Levels { at_end: level, highest: self.highest.max(level) };
    }
}
