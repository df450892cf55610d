//! Escalation frameworks as data (spec 2.5): what each parameter is worth, what the total means, how the members of a
//! system weigh. Nothing of a framework is in code: another version is another file.
//!
//! What could not be known is counted as missing and never taken for 0: with fewer known parameters than the framework
//! needs there is no level. Reading the figures is the caller's business.

use crate::date::Date;
use crate::event::DepartmentType;
use crate::expression::Expression;
use crate::time::Minute;

/// Who says a number, and whether a public page or publication shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Who says so.
    pub source: String,
    /// Whether it was verified.
    pub verified: bool,
}

/// Values in [from, to) are worth so many points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// The least value; `None` for the first band.
    pub from: Option<f64>,
    /// Every value is below this; `None` for the last band.
    pub to: Option<f64>,
    /// The points.
    pub points: u32,
}

/// Scores from `from` to `to`, both included, mean a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelBand {
    /// The least score.
    pub from: u32,
    /// The greatest score.
    pub to: u32,
    /// The level, 1–4.
    pub level: u8,
}

/// Why bands are no table.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BandsError {
    /// The first has a beginning, or the last an end.
    #[error("must cover every value: the first band has no from, the last no to, and each other has both")]
    Open,
    /// A band ends where it begins, or before.
    #[error("band {0} is empty: from must be below to")]
    Empty(usize),
    /// Between two bands lie values of neither.
    #[error("gap between {to} and {from}: each band begins where the one before ends")]
    Gap {
        /// Where the one ends.
        to: f64,
        /// Where the next begins.
        from: f64,
    },
    /// Two bands share values.
    #[error("overlap from {from} to {to}: each band begins where the one before ends")]
    Overlap {
        /// Where the next begins.
        from: f64,
        /// Where the one ends.
        to: f64,
    },
}

/// Checks that bands cover every value once.
pub fn check_bands(bands: &[Band]) -> Result<(), BandsError> {
    let inner = bands.iter().enumerate().all(|(index, band)| {
        band.from.is_none() == (index == 0) && band.to.is_none() == (index + 1 == bands.len())
    });
    if bands.is_empty() || !inner {
        return Err(BandsError::Open);
    }
    for (index, band) in bands.iter().enumerate() {
        if let (Some(from), Some(to)) = (band.from, band.to)
            && from >= to
        {
            return Err(BandsError::Empty(index + 1));
        }
    }
    for pair in bands.windows(2) {
        let (Some(to), Some(from)) = (pair[0].to, pair[1].from) else { return Err(BandsError::Open) };
        if from > to {
            return Err(BandsError::Gap { to, from });
        }
        if from < to {
            return Err(BandsError::Overlap { from, to });
        }
    }
    Ok(())
}

/// Why the bands of the total are no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelsError {
    /// Not the four levels.
    #[error("must be the levels 1, 2, 3 and 4 in this order, level 1 from 0")]
    Levels,
    /// A band ends before it begins.
    #[error("level {0} is empty: from must not be above to")]
    Empty(u8),
    /// Some score is of no level, or of two.
    #[error("{what} between level {level} and level {next}: level {next} must begin at {right}", next = level + 1)]
    Joint {
        /// A gap or an overlap.
        what: &'static str,
        /// The level after which it is.
        level: u8,
        /// Where the next must begin.
        right: u32,
    },
    /// The parameters cannot add up to the last score, or to more.
    #[error("ends at {ends}, and the parameters' greatest points add up to {sum}")]
    Ends {
        /// The last score of level 4.
        ends: u32,
        /// What the parameters add up to.
        sum: u32,
    },
}

/// Checks that the bands of the total give every possible score one level.
pub fn check_levels(levels: &[LevelBand], parameters: &[Parameter]) -> Result<(), LevelsError> {
    let numbers: Vec<u8> = levels.iter().map(|band| band.level).collect();
    if numbers != [1, 2, 3, 4] || levels[0].from != 0 {
        return Err(LevelsError::Levels);
    }
    if let Some(empty) = levels.iter().find(|band| band.from > band.to) {
        return Err(LevelsError::Empty(empty.level));
    }
    for pair in levels.windows(2) {
        let right = pair[0].to + 1;
        if pair[1].from != right {
            let what = if pair[1].from > right { "gap" } else { "overlap" };
            return Err(LevelsError::Joint { what, level: pair[0].level, right });
        }
    }
    let sum = parameters.iter().map(Parameter::points_max).sum();
    let ends = levels[3].to;
    if ends != sum { Err(LevelsError::Ends { ends, sum }) } else { Ok(()) }
}

/// One parameter of a framework.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its tag.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// How it is computed; `None`: we have no measure of it, so it is always missing.
    pub value: Option<Expression>,
    /// Who says what it is.
    pub provenance: Provenance,
    /// What its values are worth; empty: not known to us.
    pub bands: Vec<Band>,
    /// Who says what they are worth.
    pub bands_provenance: Provenance,
}

impl Parameter {
    fn points_max(&self) -> u32 {
        self.bands.iter().map(|band| band.points).max().unwrap_or(0)
    }

    /// What a value is worth; 0 where the bands are not known.
    fn points(&self, value: f64) -> u32 {
        let band = self.bands.iter().rev().find(|band| band.from.is_none_or(|from| from <= value));
        band.map_or(0, |band| band.points)
    }
}

/// What the total of the points means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// The level of each score.
    pub levels: Vec<LevelBand>,
    /// With fewer known parameters there is no level.
    pub needs: usize,
    /// Who says so.
    pub provenance: Provenance,
}

/// How much the members of a system count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// The system's code.
    pub system: String,
    /// Code and weight of each member, in millionths; they add up to a million.
    pub members: Vec<(String, u32)>,
    /// Who says so.
    pub provenance: Provenance,
}

/// The sum of the weights of a system's members.
pub const WEIGHTS_SUM: u32 = 1_000_000;

/// A number that each organisation has of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// `local.name` of expressions.
    pub name: String,
    /// By the codes of organisations.
    pub values: Vec<(String, f64)>,
}

/// One version of a framework.
#[derive(Clone, Debug, PartialEq)]
pub struct Framework {
    /// Its tag.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// The first day on which it is computed.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
    /// It is computed for organisations with a site of one of these types at or below; empty: for all.
    pub department_types: Vec<DepartmentType>,
    /// A level falls when the score has stood below it for so many minutes; it rises at once.
    pub fall_minutes: u32,
    /// The parameters.
    pub parameters: Vec<Parameter>,
    /// What the total means; `None`: not known to us, so that there is no level.
    pub total: Option<Total>,
    /// Systems whose members do not count alike.
    pub weights: Vec<Weights>,
    /// Numbers of single organisations.
    pub locals: Vec<Local>,
}

/// A parameter of an organisation at a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Its value; `None`: not known.
    pub value: Option<f64>,
    /// What it is worth; 0 where it is not known.
    pub points: u32,
}

/// What a framework says of an organisation at a minute.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Score {
    /// The points of what is known, added up.
    pub score: u32,
    /// How many parameters could not be known.
    pub missing: u32,
    /// The level of the score; `None`: too little is known.
    pub level: Option<u8>,
    /// Each parameter; empty for a system.
    pub parameters: Vec<Scored>,
}

impl Framework {
    /// Whether every number of it is verified.
    pub fn is_verified(&self) -> bool {
        self.unverified().is_empty()
    }

    /// What of it is not verified, for people.
    pub fn unverified(&self) -> Vec<String> {
        let mut all = Vec::new();
        for parameter in &self.parameters {
            if !parameter.provenance.verified {
                all.push(format!("what {} is", parameter.id));
            }
            if parameter.bands.is_empty() {
                all.push(format!("bands of {} (not known)", parameter.id));
            } else if !parameter.bands_provenance.verified {
                all.push(format!("bands of {}", parameter.id));
            }
        }
        match &self.total {
            None => all.push("levels of the total (not known)".to_owned()),
            Some(total) if !total.provenance.verified => all.push("levels of the total".to_owned()),
            Some(_) => {}
        }
        let weights = self.weights.iter().filter(|weights| !weights.provenance.verified);
        all.extend(weights.map(|weights| format!("weights of {}", weights.system)));
        all
    }

    /// Whether it is computed on a day.
    pub fn is_computed_on(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date <= to)
    }

    /// Scores an organisation; `read` is given the number of the parameter and the position among the reads of its
    /// expression.
    pub fn score(&self, read: &impl Fn(usize, usize) -> Option<f64>) -> Score {
        let scored = |(index, parameter): (usize, &Parameter)| {
            let value =
                parameter.value.as_ref().and_then(|expression| expression.value(&|one| read(index, one)));
            Scored { value, points: value.map_or(0, |value| parameter.points(value)) }
        };
        let parameters: Vec<Scored> = self.parameters.iter().enumerate().map(scored).collect();
        let known = parameters.iter().filter(|one| one.value.is_some()).count();
        let score = parameters.iter().map(|one| one.points).sum();
        let missing = (parameters.len() - known) as u32;
        Score { score, missing, level: self.level(score, known), parameters }
    }

    fn level(&self, score: u32, known: usize) -> Option<u8> {
        let total = self.total.as_ref().filter(|total| known >= total.needs.max(1))?;
        total.levels.iter().find(|band| (band.from..=band.to).contains(&score)).map(|band| band.level)
    }

    /// The weight of each member of a system, in millionths: as the file says, else alike. `members` are the trusts of
    /// the system for which the framework is computed.
    pub fn weights<'a>(&self, system: &str, members: &[&'a str]) -> Vec<(&'a str, u32)> {
        let found = self.weights.iter().find(|weights| weights.system == system);
        let weight = |code: &str| match found {
            None => 1,
            Some(weights) => {
                weights.members.iter().find(|(one, _)| one == code).map_or(0, |(_, weight)| *weight)
            }
        };
        members.iter().map(|code| (*code, weight(code))).filter(|(_, weight)| *weight > 0).collect()
    }

    /// A system: the weighted mean of the scores of its members, rounded to whole points, halves up. A member of which
    /// too little is known for a level is left out of the mean, with its weight; what is missing of it is counted.
    pub fn mean(&self, members: &[(&Score, u32)]) -> Score {
        let missing = members.iter().map(|(score, _)| score.missing).sum();
        let counted = members.iter().filter(|(score, _)| score.level.is_some());
        let (sum, weight) = counted.fold((0u64, 0u64), |(sum, all), (score, weight)| {
            (sum + u64::from(score.score) * u64::from(*weight), all + u64::from(*weight))
        });
        if weight == 0 {
            return Score { missing, ..Score::default() };
        }
        let score = u32::try_from((2 * sum + weight) / (2 * weight)).unwrap_or(u32::MAX);
        Score { score, missing, level: self.level(score, usize::MAX), parameters: Vec::new() }
    }
}

/// The level that is shown: it rises at once and falls after a while, so that it does not flutter about an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Held {
    /// The level; `None`: not known.
    pub level: Option<u8>,
    /// Since which minute the score has stood for a lower one.
    pub lower_since: Option<Minute>,
}

impl Held {
    /// The next minute: what the score says now. Nothing known is not held over.
    pub fn step(&mut self, level: Option<u8>, at: Minute, fall_minutes: u32) {
        let (Some(now), Some(held)) = (level, self.level) else {
            *self = Held { level, lower_since: None };
            return;
        };
        if now >= held {
            *self = Held { level, lower_since: None };
            return;
        }
        let since = *self.lower_since.get_or_insert(at);
        if at.0.saturating_sub(since.0) >= fall_minutes {
            *self = Held { level, lower_since: None };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(verified: bool) -> Provenance {
        Provenance { source: "somebody".to_owned(), verified }
    }

    fn band(from: Option<f64>, to: Option<f64>, points: u32) -> Band {
        Band { from, to, points }
    }

    fn bands() -> Vec<Band> {
        vec![band(None, Some(15.0), 0), band(Some(15.0), Some(30.0), 1), band(Some(30.0), None, 4)]
    }

    fn levels() -> Vec<LevelBand> {
        [(0, 1, 1), (2, 3, 2), (4, 5, 3), (6, 8, 4)]
            .map(|(from, to, level)| LevelBand { from, to, level })
            .to_vec()
    }

    fn parameter(id: &str) -> Parameter {
        Parameter {
            id: id.to_owned(),
            title: id.to_owned(),
            value: Some(Expression::parse("amb_queue.waiting").unwrap()),
            provenance: said(true),
            bands: bands(),
            bands_provenance: said(false),
        }
    }

    fn framework(needs: usize) -> Framework {
        Framework {
            id: "f".to_owned(),
            title: "F".to_owned(),
            from: None,
            to: None,
            department_types: Vec::new(),
            fall_minutes: 10,
            parameters: vec![parameter("a"), parameter("b")],
            total: Some(Total { levels: levels(), needs, provenance: said(true) }),
            weights: vec![Weights {
                system: "Q".to_owned(),
                members: vec![("T1".to_owned(), 250_000), ("T2".to_owned(), 750_000)],
                provenance: said(false),
            }],
            locals: Vec::new(),
        }
    }

    #[test]
    fn a_band_begins_at_its_edge() {
        for (value, points) in [(-1.0, 0), (14.999, 0), (15.0, 1), (29.999, 1), (30.0, 4), (1e9, 4)] {
            assert_eq!(parameter("a").points(value), points, "{value}");
        }
    }

    #[test]
    fn what_is_missing_is_counted_and_not_taken_for_nothing() {
        for (needs, a, b, score, missing, level) in [
            (1, Some(30.0), Some(30.0), 8, 0, Some(4)),
            (1, Some(30.0), None, 4, 1, Some(3)),
            (2, Some(30.0), None, 4, 1, None),
            (2, Some(0.0), Some(15.0), 1, 0, Some(1)),
            (1, None, None, 0, 2, None),
            (0, None, None, 0, 2, None),
        ] {
            let found = framework(needs).score(&|parameter, _| [a, b][parameter]);
            assert_eq!(
                (found.score, found.missing, found.level),
                (score, missing, level),
                "{needs} {a:?} {b:?}"
            );
            assert_eq!(found.parameters[0].value, a);
        }
        let mut unknown = framework(1);
        unknown.parameters[1].value = None;
        assert_eq!(unknown.score(&|_, _| Some(1.0)).missing, 1);
        unknown.total = None;
        assert_eq!(unknown.score(&|_, _| Some(1.0)).level, None);
    }

    #[test]
    fn a_system_is_the_weighted_mean_of_its_members() {
        let framework = framework(1);
        let score = |score, level| Score { score, missing: 1, level, parameters: Vec::new() };
        for (system, one, two, mean, level) in [
            ("Q", score(0, Some(1)), score(8, Some(4)), 6, Some(4)),
            ("Q", score(8, Some(4)), score(0, Some(1)), 2, Some(2)),
            ("R", score(0, Some(1)), score(8, Some(4)), 4, Some(3)),
            ("R", score(0, Some(1)), score(7, Some(4)), 4, Some(3)),
            ("R", score(0, Some(1)), score(3, Some(2)), 2, Some(2)),
            ("Q", score(0, None), score(7, Some(4)), 7, Some(4)),
            ("Q", score(0, None), score(0, None), 0, None),
        ] {
            let weights = framework.weights(system, &["T1", "T2"]);
            let members = [(&one, weights[0].1), (&two, weights[1].1)];
            let found = framework.mean(&members);
            assert_eq!(
                (found.score, found.missing, found.level),
                (mean, 2, level),
                "{system} {one:?} {two:?}"
            );
        }
        assert_eq!(framework.weights("Q", &["T2", "T3"]), [("T2", 750_000)], "only who is named counts");
    }

    #[test]
    fn a_table_with_a_gap_or_an_overlap_is_refused() {
        assert_eq!(check_bands(&bands()), Ok(()));
        assert_eq!(check_bands(&[band(None, None, 0)]), Ok(()));
        for (bands, error) in [
            (vec![], BandsError::Open),
            (vec![band(Some(0.0), None, 0)], BandsError::Open),
            (vec![band(None, Some(1.0), 0)], BandsError::Open),
            (vec![band(None, None, 0), band(Some(1.0), None, 1)], BandsError::Open),
            (
                vec![band(None, Some(1.0), 0), band(Some(2.0), None, 1)],
                BandsError::Gap { to: 1.0, from: 2.0 },
            ),
            (
                vec![band(None, Some(2.0), 0), band(Some(1.0), None, 1)],
                BandsError::Overlap { from: 1.0, to: 2.0 },
            ),
            (
                vec![band(None, Some(1.0), 0), band(Some(1.0), Some(1.0), 1), band(Some(1.0), None, 2)],
                BandsError::Empty(2),
            ),
        ] {
            assert_eq!(check_bands(&bands), Err(error));
        }
    }

    #[test]
    fn every_score_has_one_level() {
        let parameters = [parameter("a"), parameter("b")];
        assert_eq!(check_levels(&levels(), &parameters), Ok(()));
        let joint = |what| LevelsError::Joint { what, level: 1, right: 2 };
        let changed = |index: usize, from, to| {
            let mut levels = levels();
            (levels[index].from, levels[index].to) = (from, to);
            check_levels(&levels, &parameters).unwrap_err()
        };
        assert_eq!(changed(1, 3, 3), joint("gap"));
        assert_eq!(changed(1, 1, 3), joint("overlap"));
        assert_eq!(changed(0, 1, 1), LevelsError::Levels);
        assert_eq!(changed(1, 2, 1), LevelsError::Empty(2));
        assert_eq!(changed(3, 6, 9), LevelsError::Ends { ends: 9, sum: 8 });
        assert_eq!(check_levels(&levels()[..3], &parameters), Err(LevelsError::Levels));
    }

    #[test]
    fn a_level_rises_at_once_and_falls_after_a_while() {
        let mut held = Held::default();
        for (at, now, shown) in [
            (0, Some(2), Some(2)),
            (1, Some(3), Some(3)),
            (2, Some(2), Some(3)),
            (11, Some(1), Some(3)),
            (12, Some(2), Some(2)),
            (13, Some(1), Some(2)),
            (14, Some(2), Some(2)),
            (15, Some(1), Some(2)),
            (24, Some(1), Some(2)),
            (25, Some(1), Some(1)),
            (26, Some(4), Some(4)),
            (27, None, None),
            (28, Some(1), Some(1)),
        ] {
            held.step(now, Minute(at), 10);
            assert_eq!(held.level, shown, "{at}");
        }
    }

    #[test]
    fn what_is_not_verified_is_said() {
        let mut framework = framework(1);
        assert_eq!(framework.unverified(), ["bands of a", "bands of b", "weights of Q"]);
        framework.parameters[0].bands.clear();
        framework.parameters[1].bands_provenance.verified = true;
        framework.total = None;
        framework.weights.clear();
        assert_eq!(framework.unverified(), ["bands of a (not known)", "levels of the total (not known)"]);
        assert!(!framework.is_verified());
    }
}
