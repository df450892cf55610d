//! The number that a rule watches and the thresholds that it is held against, exact: a share is compared by
//! multiplying across, never as a float, so that a value of exactly the threshold is exactly the threshold.

use std::cmp::Ordering;
use std::fmt;

use crate::measures::{Field, Measure};

/// Why the text of a value or a condition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not `measure.field`.
    #[error("\"{0}\" is not a field: write measure.field, such as ae_four_hour.within")]
    Form(String),
    /// No such measure.
    #[error("\"{0}\" is no measure: one of {measures}", measures = measure_names())]
    Measure(String),
    /// The measure has no such field.
    #[error("{} has no field \"{field}\": one of {}", measure.as_str(), measure.definition().field_names())]
    Field {
        /// The measure.
        measure: Measure,
        /// What stood there.
        field: String,
    },
    /// More than one division, or arithmetic that rules do not have.
    #[error("\"{0}\" is not a value: write measure.field, or measure.field / measure.field")]
    Expression(String),
    /// Not a comparison and a number.
    #[error(
        "\"{0}\" is not a condition: write <, <=, > or >= and a number with at most 9 decimals, such as \"< 0.76\""
    )]
    Condition(String),
    /// A comparison with the dated target where only a number can stand.
    #[error("\"{0}\" compares with the dated target: breach and clear must both do, or neither")]
    Target(String),
}

fn measure_names() -> String {
    Measure::ALL.map(Measure::as_str).join(", ")
}

/// A field of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldRef {
    /// The measure.
    pub measure: Measure,
    /// Where the field stands in a point.
    pub index: usize,
}

impl FieldRef {
    /// Reads `measure.field`.
    pub fn parse(text: &str) -> Result<FieldRef, ValueError> {
        let (measure, field) =
            text.trim().split_once('.').ok_or_else(|| ValueError::Form(text.trim().to_owned()))?;
        let measure = Measure::parse(measure).ok_or_else(|| ValueError::Measure(measure.to_owned()))?;
        let index =
            measure.field(field).ok_or_else(|| ValueError::Field { measure, field: field.to_owned() })?;
        Ok(FieldRef { measure, index })
    }

    /// Its row of the table.
    pub fn field(self) -> Field {
        self.measure.definition().fields[self.index]
    }

    /// The field's own name, without the measure.
    pub fn name(self) -> &'static str {
        self.field().name
    }
}

impl fmt::Display for FieldRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.measure.as_str(), self.name())
    }
}

/// What a rule watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// One field.
    Field(FieldRef),
    /// One field divided by another.
    Ratio(FieldRef, FieldRef),
}

impl Value {
    /// One field of a measure; `None` if it has no such field.
    pub fn field(measure: Measure, name: &str) -> Option<Value> {
        Some(Value::Field(FieldRef { measure, index: measure.field(name)? }))
    }

    /// One field of a measure divided by another of it; `None` if it does not have both.
    pub fn ratio(measure: Measure, above: &str, below: &str) -> Option<Value> {
        let field = |name| Some(FieldRef { measure, index: measure.field(name)? });
        Some(Value::Ratio(field(above)?, field(below)?))
    }

    /// Reads `measure.field` or `measure.field / measure.field`.
    pub fn parse(text: &str) -> Result<Value, ValueError> {
        if text.contains(['+', '-', '*', '(', ')']) || text.matches('/').count() > 1 {
            return Err(ValueError::Expression(text.to_owned()));
        }
        match text.split_once('/') {
            None => Ok(Value::Field(FieldRef::parse(text)?)),
            Some((above, below)) => Ok(Value::Ratio(FieldRef::parse(above)?, FieldRef::parse(below)?)),
        }
    }

    /// The fields that it is made of, in the order in which they stand.
    pub fn fields(self) -> impl Iterator<Item = FieldRef> {
        let (first, second) = match self {
            Value::Field(field) => (field, None),
            Value::Ratio(above, below) => (above, Some(below)),
        };
        std::iter::once(first).chain(second)
    }

    /// The amount; `None` if a field is not known, or of nothing: x / 0 is no number.
    pub fn amount(self, field: impl Fn(FieldRef) -> Option<i64>) -> Option<Amount> {
        match self {
            Value::Field(only) => Some(Amount { above: field(only)?, below: only.field().per_unit }),
            Value::Ratio(above, below) => {
                // Of fixed point each is held in its own unit.
                let amount = Amount {
                    above: field(above)?.saturating_mul(below.field().per_unit),
                    below: field(below)?.saturating_mul(above.field().per_unit),
                };
                (amount.below > 0).then_some(amount)
            }
        }
    }
}

impl fmt::Display for Value {
    /// As it is written in rules and targets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Field(only) => write!(f, "{only}"),
            Value::Ratio(above, below) => write!(f, "{above} / {below}"),
        }
    }
}

/// An exact number: a count, or a share of two counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// The numerator.
    pub above: i64,
    /// The denominator, over 0; 1 for a count, the field's unit for one in fixed point.
    pub below: i64,
}

/// Which way a figure that cannot be shown whole is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the number below.
    Down,
    /// To the number above.
    Up,
}

impl Amount {
    /// In units of 10^-`decimals`, rounded. `below` must be over 0.
    fn scaled(self, decimals: u32, rounding: Rounding) -> i128 {
        let (above, below) = (i128::from(self.above) * 10i128.pow(decimals), i128::from(self.below));
        match rounding {
            Rounding::Down => above.div_euclid(below),
            Rounding::Up => -(-above).div_euclid(below),
        }
    }

    /// As a percentage with one decimal: `75.9 %`.
    pub fn percent(self, rounding: Rounding) -> String {
        format!("{} %", with_decimals(self.scaled(3, rounding), 1))
    }

    /// A count as it is, a share with three decimals: `0.759`.
    pub fn plain(self, rounding: Rounding) -> String {
        match self.below {
            1 => self.above.to_string(),
            _ => with_decimals(self.scaled(3, rounding), 3),
        }
    }
}

fn with_decimals(scaled: i128, decimals: u32) -> String {
    let unit = 10u128.pow(decimals);
    let (sign, size) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
    format!("{sign}{}.{:0width$}", size / unit, size % unit, width = decimals as usize)
}

/// A threshold as it was written: mantissa × 10^-scale.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    mantissa: i64,
    scale: u32,
}

impl Decimal {
    /// Reads a number in the usual notation, at most 9 digits on either side of the point.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return None;
        }
        let fraction = if digits.contains('.') { fraction } else { "" };
        let mantissa: i64 = format!("{whole}{fraction}").parse().ok()?;
        let scale = u32::try_from(fraction.len()).ok()?;
        Some(Decimal { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    fn compare(self, other: Decimal) -> Ordering {
        let left = i128::from(self.mantissa) * 10i128.pow(other.scale);
        left.cmp(&(i128::from(other.mantissa) * 10i128.pow(self.scale)))
    }

    /// As a percentage with one decimal; a finer threshold keeps its digits.
    pub fn percent(self) -> String {
        let decimals = self.scale.max(3) - 2;
        let mantissa = i128::from(self.mantissa) * 10i128.pow(self.scale.max(3) - self.scale);
        format!("{} %", with_decimals(mantissa, decimals))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scale {
            0 => write!(f, "{}", self.mantissa),
            scale => f.write_str(&with_decimals(i128::from(self.mantissa), scale)),
        }
    }
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }

    fn negated(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::GreaterOrEqual,
            Comparison::LessOrEqual => Comparison::Greater,
            Comparison::Greater => Comparison::LessOrEqual,
            Comparison::GreaterOrEqual => Comparison::Less,
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }

    fn is_downwards(self) -> bool {
        match self {
            Comparison::Less | Comparison::LessOrEqual => true,
            Comparison::Greater | Comparison::GreaterOrEqual => false,
        }
    }
}

/// A side of a threshold: `< 0.76`.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// The comparison.
    pub comparison: Comparison,
    /// The threshold.
    pub threshold: Decimal,
}

impl Condition {
    /// Reads `< 0.76`, `>= 240`.
    pub fn parse(text: &str) -> Result<Condition, ValueError> {
        // The longer signs first: "<=" begins with "<".
        let signs =
            [Comparison::LessOrEqual, Comparison::GreaterOrEqual, Comparison::Less, Comparison::Greater];
        let wrong = || ValueError::Condition(text.to_owned());
        let (comparison, rest) = signs
            .into_iter()
            .find_map(|sign| Some((sign, text.trim().strip_prefix(sign.as_str())?.trim())))
            .ok_or_else(wrong)?;
        if rest == "target" {
            return Err(ValueError::Target(text.to_owned()));
        }
        Ok(Condition { comparison, threshold: Decimal::parse(rest).ok_or_else(wrong)? })
    }

    /// Reads `< target`: the comparison; its threshold stands for nothing. `None`: it compares with something else.
    pub fn against_target(text: &str) -> Option<Condition> {
        let sign = text.trim().strip_suffix("target")?.trim();
        Condition::parse(&format!("{sign} 0")).ok()
    }

    /// Everything that it does not cover.
    pub fn negated(self) -> Condition {
        Condition { comparison: self.comparison.negated(), threshold: self.threshold }
    }

    /// Whether an amount is on this side, exactly.
    pub fn holds(self, amount: Amount) -> bool {
        let left = i128::from(amount.above) * 10i128.pow(self.threshold.scale);
        let right = i128::from(self.threshold.mantissa) * i128::from(amount.below);
        self.comparison.holds(left.cmp(&right))
    }

    /// The way in which a figure is rounded so that it never looks better than it is, this being the bad side.
    pub fn rounding(self) -> Rounding {
        if self.comparison.is_downwards() { Rounding::Down } else { Rounding::Up }
    }

    /// Whether `other` looks the other way and shares no number with this.
    pub fn excludes(self, other: Condition) -> bool {
        if self.comparison.is_downwards() == other.comparison.is_downwards() {
            return false;
        }
        let apart = if self.comparison.is_downwards() {
            self.threshold.compare(other.threshold)
        } else {
            other.threshold.compare(self.threshold)
        };
        let at_the_edge = self.comparison.holds(Ordering::Equal) && other.comparison.holds(Ordering::Equal);
        apart.is_lt() || (apart.is_eq() && !at_the_edge)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.comparison.as_str(), self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Condition {
        Condition::parse(text).unwrap()
    }

    #[test]
    fn values_read_as_they_are_written() {
        for (text, fields) in [
            ("ae_four_hour.within / ae_four_hour.departed", "ae_four_hour.within ae_four_hour.departed"),
            ("ae_four_hour.within/ae_four_hour.departed", "ae_four_hour.within ae_four_hour.departed"),
            (" amb_queue.waiting ", "amb_queue.waiting"),
            ("amb_queue.over_60m / ae_department.present", "amb_queue.over_60m ae_department.present"),
        ] {
            let value = Value::parse(text).unwrap();
            let shown: Vec<String> = value.fields().map(|field| field.to_string()).collect();
            assert_eq!(shown.join(" "), fields, "{text}");
        }
    }

    #[test]
    fn a_wrong_value_says_what_would_be_right() {
        for (text, message) in [
            ("", "\"\" is not a field: write measure.field, such as ae_four_hour.within"),
            ("within", "\"within\" is not a field: write measure.field, such as ae_four_hour.within"),
            (
                "four_hour.within",
                "\"four_hour\" is no measure: one of ae_four_hour, ae_arrivals, ae_department, amb_handover, amb_queue, \
                 ae_area, ae_treatment, ae_admission, amb_response, bed_state, standard, escalation, opel, \
                 opel_parameter, first_known, feed",
            ),
            (
                "ae_four_hour.in",
                "ae_four_hour has no field \"in\": one of departed, within, over_12h, implausible",
            ),
            (
                "ae_four_hour.within.x",
                "ae_four_hour has no field \"within.x\": one of departed, within, over_12h, implausible",
            ),
            (
                "a.b / c.d / e.f",
                "\"a.b / c.d / e.f\" is not a value: write measure.field, or measure.field / measure.field",
            ),
            (
                "amb_queue.waiting - 1",
                "\"amb_queue.waiting - 1\" is not a value: write measure.field, or measure.field / measure.field",
            ),
            ("amb_queue.waiting /", "\"\" is not a field: write measure.field, such as ae_four_hour.within"),
        ] {
            assert_eq!(Value::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn conditions_read_as_they_are_written_and_nothing_else_is_one() {
        for text in ["< 0.76", "<= 0.76", "> 240", ">= 0", "< -3", "> 0.000000001"] {
            assert_eq!(condition(text).to_string(), text);
        }
        assert_eq!(condition("  >=0.5 ").to_string(), ">= 0.5");
        for bad in [
            "",
            "0.76",
            "= 1",
            "== 1",
            "!= 1",
            "< ",
            "< x",
            "< 1e3",
            "< 1.",
            "< .5",
            "< 76%",
            "< 1,000",
            "< --1",
            "< 1 2",
            "=< 1",
            "<> 1",
            "< 1234567890",
            "< 0.1234567890",
            "< ١",
            "< NaN",
            "< inf",
        ] {
            assert_eq!(Condition::parse(bad).unwrap_err(), ValueError::Condition(bad.to_owned()), "{bad}");
        }
        assert_eq!(Condition::parse("< target").unwrap_err(), ValueError::Target("< target".to_owned()));
    }

    #[test]
    fn exactly_at_the_threshold_is_exact() {
        for (text, above, below, holds) in [
            ("< 0.76", 76, 100, false),
            ("< 0.76", 75_999, 100_000, true),
            ("<= 0.76", 19, 25, true),
            (">= 0.76", 19, 25, true),
            ("> 0.76", 19, 25, false),
            ("< 0.1", 1, 10, false),
            ("> 0.3", 3, 10, false),
            ("> 240", 240, 1, false),
            ("> 240", 241, 1, true),
            (">= 0", 0, 1, true),
            ("< 0", 0, 1, false),
            ("> 999999999.999999999", i64::MAX, 1, true),
            ("< 999999999.999999999", i64::MAX, i64::MAX, true),
            ("< 0.333333333", 1, 3, false),
        ] {
            assert_eq!(condition(text).holds(Amount { above, below }), holds, "{above}/{below} {text}");
        }
    }

    #[test]
    fn of_nothing_there_is_no_share() {
        let value = Value::parse("ae_four_hour.within / ae_four_hour.departed").unwrap();
        let field = |within: i64, departed: i64| {
            value.amount(|field| Some(if field.name() == "within" { within } else { departed }))
        };
        assert_eq!(field(0, 0), None);
        assert_eq!(field(0, 1), Some(Amount { above: 0, below: 1 }));
        assert_eq!(value.amount(|_| None), None);
    }

    #[test]
    fn fixed_point_is_compared_and_shown_as_the_number_that_it_is() {
        let median = Value::parse("ae_treatment.median_minutes").unwrap().amount(|_| Some(121)).unwrap();
        for (text, holds) in [("> 60", true), ("> 60.5", false), (">= 60.5", true), ("< 60.6", true)] {
            assert_eq!(condition(text).holds(median), holds, "{text}");
        }
        assert_eq!(median.plain(Rounding::Down), "60.500");
        let share = Value::parse("ae_treatment.median_minutes / ae_treatment.p90_minutes").unwrap();
        let half = share.amount(|_| Some(40)).unwrap();
        assert_eq!(half.percent(Rounding::Down), "50.0 %");
    }

    #[test]
    fn figures_are_rounded_towards_the_bad_side() {
        for (breach, above, below, percent, plain) in [
            ("< 0.76", 7_596, 10_000, "75.9 %", "0.759"),
            ("< 0.76", 7_604, 10_000, "76.0 %", "0.760"),
            ("> 0.05", 501, 10_000, "5.1 %", "0.051"),
            ("> 0.05", 500, 10_000, "5.0 %", "0.050"),
            ("< 0.76", 2, 3, "66.6 %", "0.666"),
            ("> 0.5", 2, 3, "66.7 %", "0.667"),
            ("> 0.5", -1, 3, "-33.3 %", "-0.333"),
            ("< 1", 1, 1, "100.0 %", "1"),
        ] {
            let (amount, rounding) = (Amount { above, below }, condition(breach).rounding());
            assert_eq!(amount.percent(rounding), percent);
            assert_eq!(amount.plain(rounding), plain);
        }
        assert_eq!(condition("< 0.76").threshold.percent(), "76.0 %");
        assert_eq!(condition("< 0.7625").threshold.percent(), "76.25 %");
        assert_eq!(condition("< 1").threshold.percent(), "100.0 %");
    }

    #[test]
    fn breach_and_clear_share_no_number() {
        for (breach, clear, apart) in [
            ("< 0.76", ">= 0.76", true),
            ("< 0.76", ">= 0.78", true),
            ("< 0.76", "> 0.760", true),
            ("<= 0.76", ">= 0.76", false),
            ("<= 0.76", "> 0.76", true),
            ("< 0.76", ">= 0.75", false),
            ("> 240", "<= 240", true),
            ("> 240", "<= 200", true),
            ("> 240", "< 241", false),
            (">= 240", "<= 240", false),
            ("< 0.76", "< 0.5", false),
        ] {
            assert_eq!(condition(breach).excludes(condition(clear)), apart, "{breach} {clear}");
            assert_eq!(condition(clear).excludes(condition(breach)), apart, "{clear} {breach}");
        }
        for text in ["< 0.76", "<= 0.76", "> 0.76", ">= 0.76"] {
            assert!(condition(text).excludes(condition(text).negated()), "{text}");
        }
    }
}
