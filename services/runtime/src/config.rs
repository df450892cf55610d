//! Configuration: a user's TOML file over the built-in defaults, parsed to typed values once, with errors that name
//! the key's path and what would be right.
//!
//! Which keys there are is each service's own; this is how any of them are read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time;

use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use toml::{Table, Value};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path} cannot be read")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A text is not TOML.
    #[error("{origin} is not TOML: {what}")]
    Syntax {
        /// The file, the built-in defaults or an override.
        origin: String,
        /// Line, column, and what is wrong there.
        what: String,
    },
    /// A key is unknown, missing, or has a wrong value.
    #[error("{origin}: {key}: {what}")]
    Key {
        /// The file, the built-in defaults, or `--set` of an override.
        origin: String,
        /// The key's path, such as `kafka.brokers`.
        key: String,
        /// What is wrong and what would be right.
        what: String,
    },
}

/// Reads a configuration: the defaults, the file's keys over them (tables are merged, everything else is replaced),
/// and over both the overrides, each a key's path and a TOML value, such as `("http.port", "8081")`; what is no TOML
/// value is taken as text.
pub fn load<T: DeserializeOwned>(
    defaults: &str,
    file: Option<&Path>,
    overrides: &[(String, String)],
) -> Result<T, ConfigError> {
    let mut table = table(defaults, "the built-in defaults")?;
    let mut origin = "the built-in defaults".to_owned();
    if let Some(path) = file {
        origin = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        merge(&mut table, self::table(&text, &origin)?);
    }
    for (key, text) in overrides {
        merge(&mut table, one_key(key, value(text)));
    }
    serde_path_to_error::deserialize(table).map_err(|error| key_error(&origin, overrides, &error))
}

fn table(text: &str, origin: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|error| ConfigError::Syntax {
        origin: origin.to_owned(),
        what: error.to_string().trim().to_owned(),
    })
}

fn value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    // A text with a line break could state more keys than one.
    let single = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    single.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn one_key(path: &str, value: Value) -> Table {
    match path.split_once('.') {
        Some((first, rest)) => Table::from_iter([(first.to_owned(), Value::Table(one_key(rest, value)))]),
        None => Table::from_iter([(path.to_owned(), value)]),
    }
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

fn key_error(
    origin: &str,
    overrides: &[(String, String)],
    error: &serde_path_to_error::Error<toml::de::Error>,
) -> ConfigError {
    let path = error.path().to_string();
    // serde names an unknown or missing field in the text only, and in the path sometimes: make it the end of the path.
    let message = error.inner().message().trim().to_owned();
    let named = ["unknown field `", "missing field `"].iter().find_map(|start| message.strip_prefix(start));
    let field = named.and_then(|rest| rest.split('`').next()).unwrap_or("");
    let key = match (path.as_str(), field) {
        (".", "") => "the whole file".to_owned(),
        (".", field) => field.to_owned(),
        (path, "") => path.to_owned(),
        (path, field) if path == field || path.ends_with(&format!(".{field}")) => path.to_owned(),
        (path, field) => format!("{path}.{field}"),
    };
    let is_below = |(path, _): &(String, String)| {
        key.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let origin = if overrides.iter().any(is_below) { "--set" } else { origin };
    ConfigError::Key { origin: origin.to_owned(), key, what: message }
}

/// A length of time, written as numbers and units, such as `"4h"`, `"1h30m"`, `"250ms"`; units are d, h, m, s, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub time::Duration);

impl Duration {
    /// The length as the standard library has it.
    pub fn get(self) -> time::Duration {
        self.0
    }

    /// Whole milliseconds.
    pub fn as_ms(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Duration, String> {
        const UNITS: [(&str, u64); 5] =
            [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
        let wrong = || format!("{text:?} is not a duration: write \"4h\", \"15m\", \"1h30m\" or \"250ms\"");
        let (mut rest, mut millis) = (text, 0_u64);
        while !rest.is_empty() || text.is_empty() {
            let (count, unit, after) = first_quantity(rest).ok_or_else(wrong)?;
            let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            millis = count.checked_mul(*size).and_then(|part| millis.checked_add(part)).ok_or_else(wrong)?;
            rest = after;
        }
        Ok(Duration(time::Duration::from_millis(millis)))
    }
}

/// A size in bytes, written as a number and a unit, such as `"16MiB"`; units are B, KiB, MiB, GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// The number of bytes.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Bytes, String> {
        let wrong = || format!("{text:?} is not a size: write \"64KiB\", \"16MiB\" or \"1GiB\"");
        let (count, unit, after) = first_quantity(text).ok_or_else(wrong)?;
        let size = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(wrong()),
        };
        if !after.is_empty() {
            return Err(wrong());
        }
        count.checked_mul(size).map(Bytes).ok_or_else(wrong)
    }
}

/// Cuts a number and its unit off the front of a text: the number, the unit, the rest.
fn first_quantity(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = text.split_at(digits);
    let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    Some((number.parse().ok()?, unit, rest))
}

/// A text, of which it is said what it should have been.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text =
            from.deserialize_str(Text("a duration such as \"4h\", \"15m\", \"1h30m\" or \"250ms\""))?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = from.deserialize_str(Text("a size such as \"64KiB\", \"16MiB\" or \"1GiB\""))?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A secret: never in the configuration file itself, but in an environment variable (`{ env = "NAME" }`) or in a file
/// (`{ file = "/run/secrets/name" }`, without its last line break). Read when the configuration is; not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that is known by other means.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret itself: for the place that needs it, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretSource {
    env: Option<String>,
    file: Option<PathBuf>,
}

impl SecretSource {
    fn read(self) -> Result<Secret, String> {
        let text = match (self.env, self.file) {
            (Some(name), None) => std::env::var(&name)
                .map_err(|_| format!("environment variable {name} is not set (or not UTF-8)"))?,
            (None, Some(path)) => std::fs::read_to_string(&path)
                .map_err(|error| format!("secret file {} cannot be read: {error}", path.display()))?,
            (Some(_), Some(_)) | (None, None) => {
                return Err("a secret is { env = \"NAME\" } or { file = \"/path\" }".to_owned());
            }
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() { Err("the secret is empty".to_owned()) } else { Ok(Secret::new(text)) }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        SecretSource::deserialize(from)?.read().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
