//! The tables of `config/`: periodic standards, targets, escalation frameworks. Read into domain types that cannot be
//! wrong; an error names the row, the key in it, and what would be right.
//!
//! Not here: `default.toml` and what the binary makes of it, and the rules of alerts, which the alerter reads.

mod opel;
mod standards;
mod targets;

pub use opel::{Places, read_framework};
pub use standards::read_standards;
pub use targets::read_targets;

use domain::date::Date;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// Why a table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ConfigurationError {
    /// The row and the key in it: `[[target]] 3 steps[1].from`.
    place: String,
    /// What is wrong and what would be right.
    what: String,
}

type Checked<T> = Result<T, ConfigurationError>;

fn wrong<T>(place: &str, key: &str, what: impl ToString) -> Checked<T> {
    let place = if key.is_empty() { place.to_owned() } else { format!("{place} {key}") };
    Err(ConfigurationError { place, what: what.to_string() })
}

/// The file as TOML; a fault is told with its line.
fn parsed<T: DeserializeOwned>(name: &str, text: &str) -> Checked<T> {
    let table: toml::Table =
        text.parse().or_else(|error: toml::de::Error| wrong(name, "", error.to_string().trim()))?;
    typed(name, table)
}

/// A table of known keys; a fault is told with the path of its key.
fn typed<T: DeserializeOwned>(place: &str, table: toml::Table) -> Checked<T> {
    serde_path_to_error::deserialize(table).or_else(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { &path };
        let message = error.inner().message().trim();
        // serde names a missing field in its text only.
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let key = match (path, missing) {
            (path, None) => path.to_owned(),
            ("", Some(field)) => field.to_owned(),
            (path, Some(field)) => format!("{path}.{field}"),
        };
        wrong(place, &key, message)
    })
}

/// What a row is called in errors: its id where it has one, else its number, from 1.
fn place(kind: &str, number: usize, table: &toml::Table) -> String {
    match table.get("id").and_then(toml::Value::as_str) {
        Some(id) => format!("{kind} \"{}\"", id.escape_debug()),
        None => format!("{kind} {number}"),
    }
}

/// One of a closed set of names.
fn one_of<T: Copy>(
    place: &str,
    key: &str,
    text: &str,
    all: &[T],
    as_str: impl Fn(T) -> &'static str,
) -> Checked<T> {
    match all.iter().copied().find(|one| as_str(*one) == text) {
        Some(one) => Ok(one),
        None => {
            let names: Vec<&str> = all.iter().map(|one| as_str(*one)).collect();
            wrong(place, key, format!("\"{}\" is none of {}", text.escape_debug(), names.join(", ")))
        }
    }
}

/// An id: it stands in tags, keys and addresses.
fn id(place: &str, text: &str) -> Checked<()> {
    let plain =
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if text.is_empty() || text.len() > 64 || !plain {
        return wrong(place, "id", "must be 1 to 64 of a–z, 0–9, - and _");
    }
    Ok(())
}

/// A local date of TOML.
#[derive(Clone, Copy, Debug)]
struct Day(Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Day, D::Error> {
        let wrong = || serde::de::Error::custom("write a date from 2000 to 2099, such as 2025-10-31");
        // A date comes through serde as its text.
        match toml::Value::deserialize(from) {
            Ok(toml::Value::String(text)) => Date::parse(&text).map(Day).ok_or_else(wrong),
            Ok(_) => Err(wrong()),
            Err(error) => Err(error),
        }
    }
}
