//! Dated targets (spec 2.5): which number a figure is held against on a day. The one that was in force then counts, not
//! today's; where none was, there is no judgement.

use crate::alert::value::{Decimal, Value};
use crate::date::Date;
use crate::organisations::Level;

/// A target from a day on.
#[derive(Clone, Debug)]
pub struct Step {
    /// The first day.
    pub from: Date,
    /// The last day; `None`: until the next step.
    pub to: Option<Date>,
    /// The number.
    pub value: Decimal,
    /// Who set it.
    pub source: String,
    /// Whether a public page or publication says so.
    pub verified: bool,
}

/// The targets of a value through time.
#[derive(Clone, Debug)]
pub struct Target {
    /// What is held against it.
    pub value: Value,
    /// Name and text of each tag that a series must carry; a tag left out: any.
    pub series: Vec<(String, String)>,
    /// The level of the organisations; `None`: any.
    pub level: Option<Level>,
    /// By their days, rising, without a day that belongs to two.
    pub steps: Vec<Step>,
}

/// Two steps of a target that share days, or stand in the wrong order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepsError {
    /// There are none.
    #[error("has no step: write at least one {{ from, value, source, verified }}")]
    Empty,
    /// A step ends before it begins.
    #[error("step {0} ends before it begins: to must not be before from")]
    Backwards(usize),
    /// A step begins when the one before still holds, or earlier.
    #[error("step {step} begins on {from}, when step {before} still holds: steps stand by their days and share none", before = step - 1)]
    Overlap {
        /// The later of the two, from 1.
        step: usize,
        /// When it begins.
        from: Date,
    },
}

/// Checks that no day belongs to two steps.
pub fn check_steps(steps: &[Step]) -> Result<(), StepsError> {
    if steps.is_empty() {
        return Err(StepsError::Empty);
    }
    for (index, step) in steps.iter().enumerate() {
        if step.to.is_some_and(|to| to < step.from) {
            return Err(StepsError::Backwards(index + 1));
        }
        let before = index.checked_sub(1).map(|before| &steps[before]);
        if before
            .is_some_and(|before| before.from >= step.from || before.to.is_some_and(|to| to >= step.from))
        {
            return Err(StepsError::Overlap { step: index + 1, from: step.from });
        }
    }
    Ok(())
}

impl Target {
    /// The step in force on a day.
    pub fn on(&self, date: Date) -> Option<&Step> {
        let step = self.steps.iter().rev().find(|step| step.from <= date)?;
        step.to.is_none_or(|to| date <= to).then_some(step)
    }

    /// Whether it is for series with these tags, of organisations of that level.
    fn matches(&self, level: Level, tags: &[(&str, String)]) -> bool {
        let has =
            |(name, text): &(String, String)| tags.iter().any(|(tag, value)| tag == name && value == text);
        self.level.is_none_or(|wanted| wanted == level) && self.series.iter().all(has)
    }

    /// How much it says about what it is for: of two that match, the one that says more counts.
    fn precision(&self) -> usize {
        self.series.len() + usize::from(self.level.is_some())
    }

    /// Whether a series can be for both, and nothing says which counts.
    pub fn is_ambiguous_with(&self, other: &Target) -> bool {
        let apart = self.series.iter().any(|(name, text)| {
            other.series.iter().any(|(other_name, other_text)| name == other_name && text != other_text)
        });
        let levels_apart = matches!((self.level, other.level), (Some(one), Some(two)) if one != two);
        self.value == other.value && self.precision() == other.precision() && !apart && !levels_apart
    }
}

/// Every target.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// In the order of the file; no two of them [`Target::is_ambiguous_with`] each other.
    pub targets: Vec<Target>,
}

impl Targets {
    /// The target for a value of a series of an organisation: of those that match the one that says most.
    pub fn find(&self, value: Value, level: Level, tags: &[(&str, String)]) -> Option<&Target> {
        self.targets
            .iter()
            .filter(|target| target.value == value && target.matches(level, tags))
            .max_by_key(|target| target.precision())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn step(from: &str, to: Option<&str>, value: &str) -> Step {
        let (from, to) = (date(from), to.map(date));
        Step { from, to, value: Decimal::parse(value).unwrap(), source: String::new(), verified: true }
    }

    fn target(series: &[(&str, &str)], level: Option<Level>, steps: Vec<Step>) -> Target {
        let value = Value::parse("ae_four_hour.within / ae_four_hour.departed").unwrap();
        let series = series.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Target { value, series, level, steps }
    }

    #[test]
    fn the_step_in_force_on_the_day_counts() {
        let steps = vec![
            step("2010-07-01", None, "0.95"),
            step("2024-03-01", Some("2024-03-31"), "0.76"),
            step("2025-03-01", None, "0.78"),
        ];
        assert_eq!(check_steps(&steps), Ok(()));
        let target = target(&[], None, steps);
        for (day, value) in [
            ("2010-06-30", None),
            ("2010-07-01", Some("0.95")),
            ("2024-02-29", Some("0.95")),
            ("2024-03-31", Some("0.76")),
            ("2024-04-01", None),
            ("2030-01-01", Some("0.78")),
        ] {
            assert_eq!(target.on(date(day)).map(|step| step.value.to_string()).as_deref(), value, "{day}");
        }
    }

    #[test]
    fn steps_that_overlap_are_refused() {
        let overlap = |step| Err(StepsError::Overlap { step, from: date("2025-01-01") });
        let (first, second) = ("2024-01-01", "2025-01-01");
        assert_eq!(check_steps(&[]), Err(StepsError::Empty));
        assert_eq!(check_steps(&[step(second, None, "1"), step(second, None, "2")]), overlap(2));
        assert_eq!(check_steps(&[step(first, Some(second), "1"), step(second, None, "2")]), overlap(2));
        assert_eq!(check_steps(&[step("2026-01-01", None, "1"), step(second, None, "2")]), overlap(2));
        assert_eq!(check_steps(&[step(second, Some(first), "1")]), Err(StepsError::Backwards(1)));
        assert_eq!(check_steps(&[step(first, Some("2024-12-31"), "1"), step(second, None, "2")]), Ok(()));
    }

    #[test]
    fn of_those_that_match_the_one_that_says_most_counts() {
        let tag = |name, text: &str| (name, text.to_owned());
        let only = |value| vec![step("2010-07-01", None, value)];
        let targets = Targets {
            targets: vec![
                target(&[("type", "all")], None, only("0.1")),
                target(&[], None, only("0.2")),
                target(&[("type", "all"), ("window", "4h")], None, only("0.3")),
                target(&[("type", "all"), ("window", "4h")], Some(Level::Site), only("0.4")),
            ],
        };
        let value = targets.targets[0].value;
        for (level, tags, found) in [
            (Level::Trust, [tag("type", "all"), tag("window", "today")], "0.1"),
            (Level::Trust, [tag("type", "1"), tag("window", "4h")], "0.2"),
            (Level::Trust, [tag("window", "4h"), tag("type", "all")], "0.3"),
            (Level::Site, [tag("type", "all"), tag("window", "4h")], "0.4"),
        ] {
            let target = targets.find(value, level, &tags).unwrap();
            assert_eq!(target.on(date("2020-01-01")).unwrap().value.to_string(), found);
        }
        let other = Value::parse("ae_four_hour.departed").unwrap();
        assert!(targets.find(other, Level::Site, &[]).is_none());
        for (index, one) in targets.targets.iter().enumerate() {
            assert!(targets.targets[..index].iter().all(|other| !one.is_ambiguous_with(other)));
        }
        let by_window = target(&[("window", "4h")], None, only("1"));
        assert!(by_window.is_ambiguous_with(&targets.targets[0]));
        assert!(!target(&[("type", "1")], None, only("1")).is_ambiguous_with(&targets.targets[0]));
    }
}
