//! The text of an alert. Its placeholders are a closed list of organisation, figures, threshold and link, so that a
//! text cannot carry a patient (pitfalls: free templates leak); an unknown one is an error when the rules are loaded.

use super::value::{Amount, Condition, Decimal, FieldRef, Value};

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Name,
    Org,
    Level,
    Value,
    ValuePercent,
    Threshold,
    ThresholdPercent,
    Type,
    Window,
    Minute,
    Link,
    /// A field of the value, by its position in it.
    Field {
        above: bool,
        unit: i64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// A text with placeholders, checked against the value that it speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder that does not exist.
    #[error("{{{name}}} is no placeholder: one of {known}")]
    Unknown {
        /// What stood there.
        name: String,
        /// What may stand there, for this rule.
        known: String,
    },
    /// A brace without its partner.
    #[error("a {{ without its }}, or the reverse, in \"{0}\"")]
    Brace(String),
    /// Both fields have this name.
    #[error("{{{0}}} is ambiguous: write the measure too, such as {{ae_four_hour.within}}")]
    Ambiguous(String),
    /// Longer than a pager takes.
    #[error("longer than {0} characters")]
    Long(usize),
}

/// The most characters that a template may have.
pub const TEMPLATE_CHARACTERS_MAX: usize = 500;

/// What a text is filled with.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What people call the organisation.
    pub name: &'a str,
    /// Its code.
    pub org: &'a str,
    /// Its level.
    pub level: &'a str,
    /// The newest amount that was judged; `None`: none yet.
    pub amount: Option<Amount>,
    /// The condition that says which side is bad.
    pub breach: Condition,
    /// The threshold that is shown; `None`: no target is in force.
    pub threshold: Option<Decimal>,
    /// Tag `type`; empty where the value has none.
    pub department_type: &'a str,
    /// Tag `window`; empty where the value has none.
    pub window: &'a str,
    /// The minute, RFC 3339.
    pub minute: &'a str,
    /// Where a person sees more.
    pub link: &'a str,
}

impl Template {
    /// Reads a text for a rule that watches `value`.
    pub fn parse(text: &str, value: Value) -> Result<Template, TemplateError> {
        if text.chars().count() > TEMPLATE_CHARACTERS_MAX {
            return Err(TemplateError::Long(TEMPLATE_CHARACTERS_MAX));
        }
        let brace = || TemplateError::Brace(text.to_owned());
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            let (name, after) = from[1..].split_once('}').ok_or_else(brace)?;
            if before.contains('}') || name.contains('{') {
                return Err(brace());
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Placeholder(placeholder(name, value)?));
            rest = after;
        }
        if rest.contains('}') {
            return Err(brace());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Template { pieces })
    }

    /// The text with every placeholder filled.
    pub fn fill(&self, facts: &Facts<'_>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Placeholder(placeholder) => text.push_str(&filled(*placeholder, facts)),
            }
        }
        text
    }
}

const NAMES: [(&str, Placeholder); 11] = [
    ("name", Placeholder::Name),
    ("org", Placeholder::Org),
    ("level", Placeholder::Level),
    ("value", Placeholder::Value),
    ("value:%", Placeholder::ValuePercent),
    ("threshold", Placeholder::Threshold),
    ("threshold:%", Placeholder::ThresholdPercent),
    ("type", Placeholder::Type),
    ("window", Placeholder::Window),
    ("minute", Placeholder::Minute),
    ("link", Placeholder::Link),
];

fn placeholder(name: &str, value: Value) -> Result<Placeholder, TemplateError> {
    let is_share = matches!(value, Value::Ratio(..));
    let fits = |placeholder| match placeholder {
        Placeholder::ValuePercent | Placeholder::ThresholdPercent => is_share,
        Placeholder::Name
        | Placeholder::Org
        | Placeholder::Level
        | Placeholder::Value
        | Placeholder::Threshold
        | Placeholder::Type
        | Placeholder::Window
        | Placeholder::Minute
        | Placeholder::Link
        | Placeholder::Field { .. } => true,
    };
    let known = || NAMES.iter().filter(|(_, placeholder)| fits(*placeholder));
    if let Some((_, found)) = known().find(|(known, _)| *known == name) {
        return Ok(*found);
    }
    let fields: Vec<FieldRef> = value.fields().collect();
    let by_name = |field: &FieldRef| field.name() == name || field.to_string() == name;
    match fields.iter().filter(|field| by_name(field)).count() {
        0 => {
            let names = known().map(|(name, _)| format!("{{{name}}}"));
            let fields = fields.iter().map(|field| format!("{{{}}}", field.name()));
            let known = names.chain(fields).collect::<Vec<_>>().join(" ");
            Err(TemplateError::Unknown { name: name.to_owned(), known })
        }
        1 => {
            let unit = fields.iter().map(|field| field.field().per_unit).product();
            Ok(Placeholder::Field { above: fields.iter().position(by_name) == Some(0), unit })
        }
        _ => Err(TemplateError::Ambiguous(name.to_owned())),
    }
}

/// What stands in a text for a figure that is not known.
const UNKNOWN: &str = "–";

fn filled(placeholder: Placeholder, facts: &Facts<'_>) -> String {
    let amount = |show: &dyn Fn(Amount) -> String| facts.amount.map_or_else(|| UNKNOWN.to_owned(), show);
    let rounding = facts.breach.rounding();
    let threshold = |shown: &dyn Fn(Decimal) -> String| facts.threshold.map_or_else(|| "–".to_owned(), shown);
    match placeholder {
        Placeholder::Name => facts.name.to_owned(),
        Placeholder::Org => facts.org.to_owned(),
        Placeholder::Level => facts.level.to_owned(),
        Placeholder::Value => amount(&|amount| amount.plain(rounding)),
        Placeholder::ValuePercent => amount(&|amount| amount.percent(rounding)),
        Placeholder::Threshold => threshold(&|threshold| threshold.to_string()),
        Placeholder::ThresholdPercent => threshold(&|threshold| threshold.percent()),
        Placeholder::Type => facts.department_type.to_owned(),
        Placeholder::Window => facts.window.to_owned(),
        Placeholder::Minute => facts.minute.to_owned(),
        Placeholder::Link => facts.link.to_owned(),
        Placeholder::Field { above: true, unit } => {
            amount(&|amount| Amount { above: amount.above, below: unit }.plain(rounding))
        }
        Placeholder::Field { above: false, unit } => {
            amount(&|amount| Amount { above: amount.below, below: unit }.plain(rounding))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: &str = "ae_four_hour.within / ae_four_hour.departed";

    fn template(text: &str, value: &str) -> Result<Template, TemplateError> {
        Template::parse(text, Value::parse(value).unwrap())
    }

    fn facts(amount: Option<Amount>) -> Facts<'static> {
        Facts {
            name: "St Elsewhere",
            org: "RXF05",
            level: "site",
            amount,
            breach: Condition::parse("< 0.76").unwrap(),
            threshold: Decimal::parse("0.76"),
            department_type: "1",
            window: "4h",
            minute: "2026-11-21T14:07:00Z",
            link: "http://127.0.0.1/RXF05",
        }
    }

    #[test]
    fn placeholders_are_filled() {
        let amount = Some(Amount { above: 7_596, below: 10_000 });
        for (text, filled) in [
            ("", ""),
            ("plain é", "plain é"),
            (
                "{name}: {value:%} within four hours over the last {window} ({within} of {departed})",
                "St Elsewhere: 75.9 % within four hours over the last 4h (7596 of 10000)",
            ),
            ("{org}{level} {value} {threshold} {threshold:%} {type}", "RXF05site 0.759 0.76 76.0 % 1"),
            ("{ae_four_hour.within} {minute} {link}", "7596 2026-11-21T14:07:00Z http://127.0.0.1/RXF05"),
        ] {
            assert_eq!(template(text, SHARE).unwrap().fill(&facts(amount)), filled);
        }
        let unknown = template("{value:%} {value} {within}", SHARE).unwrap().fill(&facts(None));
        assert_eq!(unknown, "– – –");
    }

    #[test]
    fn a_wrong_template_says_what_would_be_right() {
        const COUNT: &str = "amb_queue.waiting";
        for (text, value, message) in [
            (
                "{patient}",
                COUNT,
                "{patient} is no placeholder: one of {name} {org} {level} {value} {threshold} {type} {window} {minute} {link} {waiting}",
            ),
            (
                "{value:%}",
                COUNT,
                "{value:%} is no placeholder: one of {name} {org} {level} {value} {threshold} {type} {window} {minute} {link} {waiting}",
            ),
            (
                "{}",
                COUNT,
                "{} is no placeholder: one of {name} {org} {level} {value} {threshold} {type} {window} {minute} {link} {waiting}",
            ),
            (
                "{ name}",
                COUNT,
                "{ name} is no placeholder: one of {name} {org} {level} {value} {threshold} {type} {window} {minute} {link} {waiting}",
            ),
            ("{name", COUNT, "a { without its }, or the reverse, in \"{name\""),
            ("name}", COUNT, "a { without its }, or the reverse, in \"name}\""),
            ("}{name}", COUNT, "a { without its }, or the reverse, in \"}{name}\""),
            ("{{name}}", COUNT, "a { without its }, or the reverse, in \"{{name}}\""),
            (
                "{over_60m}",
                "amb_queue.over_60m / amb_handover.over_60m",
                "{over_60m} is ambiguous: write the measure too, such as {ae_four_hour.within}",
            ),
        ] {
            assert_eq!(template(text, value).unwrap_err().to_string(), message, "{text}");
        }
        assert_eq!(template(&"é".repeat(500), COUNT).map(|_| ()), Ok(()));
        assert_eq!(template(&"é".repeat(501), COUNT).unwrap_err(), TemplateError::Long(500));
    }
}
