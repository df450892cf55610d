//! Expressions over measures (spec 2.5): `amb_handover.total_s{window=today} / amb_handover.completed{window=today} / 60`.
//!
//! A field of a measure with its tags, `local.name` for a number that each organisation has of its own, plain numbers,
//! `+ - * / ( )`. An expression is known if every part of it is known and nothing is divided by 0. Where the numbers come
//! from is the caller's business.

use std::fmt;

use crate::alert::value::{FieldRef, ValueError};
use crate::measures::{Measure, SeriesKey, Window};

/// The longest expression, bytes.
pub const EXPRESSION_BYTES_MAX: usize = 2_000;
/// The deepest nesting of brackets and signs.
const DEPTH_MAX: usize = 32;

/// Something that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A field of a series.
    Field {
        /// The field.
        field: FieldRef,
        /// The series.
        series: SeriesKey,
    },
    /// A number that the configuration gives to each organisation.
    Local(String),
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Read::Local(name) => write!(f, "local.{name}"),
            Read::Field { field, series } => {
                let tags = series.tags().map(|(name, text)| format!("{name}={text}"));
                let window = series.window.map(|window| format!("window={window}"));
                let tags: Vec<String> = tags.chain(window).collect();
                if tags.is_empty() {
                    write!(f, "{field}")
                } else {
                    write!(f, "{field}{{{}}}", tags.join(", "))
                }
            }
        }
    }
}

/// Why a text is no expression. Places count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Something else was needed here.
    #[error("at character {at}: {needed} is needed, not {found}")]
    Needed {
        /// Where.
        at: usize,
        /// What would be right.
        needed: &'static str,
        /// What stands there.
        found: String,
    },
    /// A field that does not exist.
    #[error("at character {at}: {error}")]
    Field {
        /// Where it begins.
        at: usize,
        /// What is wrong with it.
        error: ValueError,
    },
    /// Tags that name no series of the measure.
    #[error("at character {at}: {error}")]
    Series {
        /// Where the field begins.
        at: usize,
        /// What is wrong with its tags.
        error: SeriesError,
    },
    /// Too long or too deep.
    #[error("is longer than {EXPRESSION_BYTES_MAX} bytes or nested deeper than {DEPTH_MAX}")]
    Large,
}

/// Why tags name no series of a measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// A tag that the measure has is missing.
    #[error("{measure} needs its tag {tag}: write {{{tag}=…}}")]
    Missing {
        /// The measure.
        measure: &'static str,
        /// The tag.
        tag: &'static str,
    },
    /// A tag that the measure has not.
    #[error("{measure} has no tag {tag}: {known}")]
    Unknown {
        /// The measure.
        measure: &'static str,
        /// What stood there.
        tag: String,
        /// Those that it has, in words.
        known: String,
    },
    /// A text that the tag cannot have.
    #[error("\"{text}\" is no value of the tag {tag} of {measure}")]
    Value {
        /// The measure.
        measure: &'static str,
        /// The tag.
        tag: &'static str,
        /// What stood there.
        text: String,
    },
}

/// The series of a measure with these tags, each by name and text: all that the measure has, and no other.
pub fn series(measure: Measure, tags: &[(String, String)]) -> Result<SeriesKey, SeriesError> {
    let definition = measure.definition();
    let windows: &[&str] = if definition.by_window { &["window"] } else { &[] };
    let names = || definition.tag.names().iter().chain(windows).copied();
    let name = measure.as_str();
    if let Some((tag, _)) = tags.iter().find(|(tag, _)| !names().any(|known| known == tag)) {
        let known = names().collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {known}") };
        return Err(SeriesError::Unknown { measure: name, tag: tag.clone(), known });
    }
    let text = |tag: &'static str| match tags.iter().find(|(held, _)| held == tag) {
        Some((_, text)) => Ok(text.as_str()),
        None => Err(SeriesError::Missing { measure: name, tag }),
    };
    let wrong = |tag, text: &str| SeriesError::Value { measure: name, tag, text: text.to_owned() };
    let texts = definition.tag.names().iter().map(|tag| text(tag)).collect::<Result<Vec<&str>, _>>()?;
    let tag = definition.tag.parse(&texts).ok_or_else(|| wrong(definition.tag.names()[0], texts[0]))?;
    let window = match windows {
        [] => None,
        _ => Some(
            Window::parse(text("window")?)
                .ok_or_else(|| wrong("window", text("window").unwrap_or_default()))?,
        ),
    };
    Ok(SeriesKey { measure, tag, window })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Plus,
    Minus,
    Times,
    Over,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Number(f64),
    /// By its position among the reads.
    Read(usize),
    Negated(Box<Node>),
    Both(Box<Node>, Operator, Box<Node>),
}

/// An expression, as it was written and as it is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    reads: Vec<Read>,
    root: Node,
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Expression {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Expression, ExpressionError> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(ExpressionError::Large);
        }
        let mut parser = Parser { text, at: 0, reads: Vec::new(), depth: 0 };
        let root = parser.sum()?;
        parser.space();
        if parser.at < text.len() {
            return Err(parser.needed("an operator or the end"));
        }
        Ok(Expression { text: text.trim().to_owned(), reads: parser.reads, root })
    }

    /// What it reads, in the order in which it stands.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// Its value; `read` is given the position among [`Expression::reads`]. `None`: not known.
    pub fn value(&self, read: &impl Fn(usize) -> Option<f64>) -> Option<f64> {
        value(&self.root, read).filter(|value| value.is_finite())
    }
}

fn value(node: &Node, read: &impl Fn(usize) -> Option<f64>) -> Option<f64> {
    Some(match node {
        Node::Number(number) => *number,
        Node::Read(index) => read(*index)?,
        Node::Negated(one) => -value(one, read)?,
        Node::Both(left, operator, right) => {
            let (left, right) = (value(left, read)?, value(right, read)?);
            match operator {
                Operator::Plus => left + right,
                Operator::Minus => left - right,
                Operator::Times => left * right,
                Operator::Over if right == 0.0 => return None,
                Operator::Over => left / right,
            }
        }
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    reads: Vec<Read>,
    depth: usize,
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn place(&self, at: usize) -> usize {
        self.text[..at].chars().count() + 1
    }

    fn needed(&self, needed: &'static str) -> ExpressionError {
        let found = match self.rest().chars().next() {
            Some(character) => format!("\"{}\"", character.escape_debug()),
            None => "the end".to_owned(),
        };
        ExpressionError::Needed { at: self.place(self.at), needed, found }
    }

    /// Takes a sign if it stands here.
    fn takes(&mut self, sign: char) -> bool {
        self.space();
        let is_there = self.rest().starts_with(sign);
        self.at += if is_there { sign.len_utf8() } else { 0 };
        is_there
    }

    fn sum(&mut self) -> Result<Node, ExpressionError> {
        let mut left = self.product()?;
        loop {
            let operator = if self.takes('+') {
                Operator::Plus
            } else if self.takes('-') {
                Operator::Minus
            } else {
                return Ok(left);
            };
            left = Node::Both(Box::new(left), operator, Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Node, ExpressionError> {
        let mut left = self.factor()?;
        loop {
            let operator = if self.takes('*') {
                Operator::Times
            } else if self.takes('/') {
                Operator::Over
            } else {
                return Ok(left);
            };
            left = Node::Both(Box::new(left), operator, Box::new(self.factor()?));
        }
    }

    fn factor(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(ExpressionError::Large);
        }
        let node = if self.takes('(') {
            let inner = self.sum()?;
            if !self.takes(')') {
                return Err(self.needed("\")\" or an operator"));
            }
            inner
        } else if self.takes('-') {
            Node::Negated(Box::new(self.factor()?))
        } else if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            Node::Number(self.number()?)
        } else {
            self.reading()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn number(&mut self) -> Result<f64, ExpressionError> {
        let end = self.rest().find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let digits = &self.rest()[..end.unwrap_or(self.rest().len())];
        match digits.parse() {
            Ok(number) if digits.len() <= 20 && !digits.ends_with('.') => {
                self.at += digits.len();
                Ok(number)
            }
            Ok(_) | Err(_) => Err(self.needed("a number such as 60 or 0.5")),
        }
    }

    fn word(&mut self, needed: &'static str) -> Result<&'a str, ExpressionError> {
        let rest = self.rest();
        let word = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        if word.is_empty() {
            return Err(self.needed(needed));
        }
        self.at += word.len();
        Ok(word)
    }

    fn reading(&mut self) -> Result<Node, ExpressionError> {
        let begin = self.at;
        let name = self.word("a number, a field such as ae_four_hour.within, or \"(\"")?;
        if !self.takes('.') {
            return Err(self.needed("\".\" and the name of a field"));
        }
        let field = self.word("the name of a field")?;
        let read = if name == "local" {
            Read::Local(field.to_owned())
        } else {
            let at = self.place(begin);
            let field = FieldRef::parse(&format!("{name}.{field}"))
                .map_err(|error| ExpressionError::Field { at, error })?;
            let tags = self.tags()?;
            let series =
                series(field.measure, &tags).map_err(|error| ExpressionError::Series { at, error })?;
            Read::Field { field, series }
        };
        let known = self.reads.iter().position(|held| *held == read);
        Ok(Node::Read(known.unwrap_or_else(|| {
            self.reads.push(read);
            self.reads.len() - 1
        })))
    }

    fn tags(&mut self) -> Result<Vec<(String, String)>, ExpressionError> {
        let mut tags: Vec<(String, String)> = Vec::new();
        if !self.takes('{') || self.takes('}') {
            return Ok(tags);
        }
        loop {
            self.space();
            let name = self.word("the name of a tag")?;
            if tags.iter().any(|(held, _)| held == name) {
                return Err(self.needed("another tag: this one stands twice, which"));
            }
            if !self.takes('=') {
                return Err(self.needed("\"=\" and the tag's text"));
            }
            let text = self.tag_text()?;
            tags.push((name.to_owned(), text));
            if self.takes('}') {
                return Ok(tags);
            }
            if !self.takes(',') {
                return Err(self.needed("\",\" or \"}\""));
            }
        }
    }

    /// A text in quotes, or without them if it has no space.
    fn tag_text(&mut self) -> Result<String, ExpressionError> {
        if self.takes('"') {
            let Some(end) = self.rest().find('"') else { return Err(self.needed("a closing quote")) };
            let text = self.rest()[..end].to_owned();
            self.at += end + 1;
            return Ok(text);
        }
        let rest = self.rest();
        let text = &rest[..rest.find(|c: char| !is_name(c) && !"-.".contains(c)).unwrap_or(rest.len())];
        if text.is_empty() {
            return Err(self.needed("the tag's text"));
        }
        self.at += text.len();
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Expression {
        Expression::parse(text).unwrap()
    }

    #[test]
    fn expressions_are_computed_as_at_school() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("1 + 2 * 3", Some(7.0)),
            ("(1 + 2) * 3", Some(9.0)),
            ("7 - 2 - 1", Some(4.0)),
            ("24 / 4 / 3", Some(2.0)),
            ("24 / (4 / 2)", Some(12.0)),
            ("-2 * -3", Some(6.0)),
            ("2--3", Some(5.0)),
            ("0.5*4", Some(2.0)),
            ("1 / 0", None),
            ("1 / (2 - 2)", None),
            ("0 * (1 / 0)", None),
            ("99999999999999999999 * 1", Some(1e20)),
        ] {
            assert_eq!(parse(text).value(&|_| None), value, "{text}");
        }
    }

    #[test]
    fn it_is_known_if_every_part_is_known() {
        let text = "(amb_handover.total_s{window=today} - 3) / amb_handover.completed{ window = \"today\" } / local.beds";
        let expression = parse(text);
        let reads: Vec<String> = expression.reads().iter().map(ToString::to_string).collect();
        assert_eq!(
            reads,
            ["amb_handover.total_s{window=today}", "amb_handover.completed{window=today}", "local.beds"]
        );
        assert_eq!(expression.value(&|index| Some([15.0, 4.0, 2.0][index])), Some(1.5));
        for missing in 0..3 {
            assert_eq!(expression.value(&|index| (index != missing).then_some(1.0)), None);
        }
        assert_eq!(parse("amb_queue.waiting / amb_queue.waiting").reads().len(), 1);
    }

    #[test]
    fn a_wrong_expression_says_where_and_what_would_be_right() {
        const FACTOR: &str = "a number, a field such as ae_four_hour.within, or \"(\" is needed, not";
        for (text, message) in [
            ("", format!("at character 1: {FACTOR} the end")),
            ("1 +", format!("at character 4: {FACTOR} the end")),
            ("1 + * 2", format!("at character 5: {FACTOR} \"*\"")),
            ("(1 + 2", "at character 7: \")\" or an operator is needed, not the end".into()),
            ("1 2", "at character 3: an operator or the end is needed, not \"2\"".into()),
            ("1)", "at character 2: an operator or the end is needed, not \")\"".into()),
            ("1.", "at character 1: a number such as 60 or 0.5 is needed, not \"1\"".into()),
            ("1.2.3", "at character 1: a number such as 60 or 0.5 is needed, not \"1\"".into()),
            ("é", format!("at character 1: {FACTOR} \"é\"")),
            ("amb_queue", "at character 10: \".\" and the name of a field is needed, not the end".into()),
            ("amb_queue.", "at character 11: the name of a field is needed, not the end".into()),
            ("amb_queue.waiting{", "at character 19: the name of a tag is needed, not the end".into()),
            ("amb_queue.waiting{a}", "at character 20: \"=\" and the tag's text is needed, not \"}\"".into()),
            ("amb_queue.waiting{a=}", "at character 21: the tag's text is needed, not \"}\"".into()),
            ("amb_queue.waiting{a=\"x}", "at character 22: a closing quote is needed, not \"x\"".into()),
            ("amb_queue.waiting{a=x b=y}", "at character 23: \",\" or \"}\" is needed, not \"b\"".into()),
            ("amb_queue.waiting{a=x}", "at character 1: amb_queue has no tag a: it has none".into()),
            (
                "amb_handover.completed",
                "at character 1: amb_handover needs its tag window: write {window=…}".into(),
            ),
            (
                "1 + ae_four_hour.within{type=7, window=4h}",
                "at character 5: \"7\" is no value of the tag type of ae_four_hour".into(),
            ),
            (
                "ae_four_hour.within{type=all, window=4y}",
                "at character 1: \"4y\" is no value of the tag window of ae_four_hour".into(),
            ),
            (
                "ae_four_hour.within{type=all, area=x}",
                "at character 1: ae_four_hour has no tag area: it has type, window".into(),
            ),
            (
                "amb_queue.waiting{a=x, a=y}",
                "at character 25: another tag: this one stands twice, which is needed, not \"=\"".into(),
            ),
        ] {
            assert_eq!(Expression::parse(text).unwrap_err().to_string(), message, "{text}");
        }
        for (text, place) in [("1 + queue.waiting", 5), ("amb_queue.wating", 1)] {
            let error = Expression::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("at character {place}: ")), "{error}");
        }
        assert_eq!(Expression::parse(&"(".repeat(1_000)), Err(ExpressionError::Large));
        assert_eq!(Expression::parse(&"-".repeat(1_000)), Err(ExpressionError::Large));
        assert_eq!(Expression::parse(&" ".repeat(2_001)), Err(ExpressionError::Large));
    }
}
