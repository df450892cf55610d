//! The file of a trial as it is written, and its checks.
//!
//! ```toml
//! [[test]]
//! name = "an hour below one half calls the control room"
//! rule = "four-hour-type-1"
//! org = "RXF-T1"
//! from = "2026-11-21T09:00:00Z"     # the minute 0; may be left out
//! tags = { type = "1" }              # those that the rule leaves open; type, window, category, area, scale, …
//! stale = "0*20 1*5 0*20"            # 1: a feed is silent; may be left out
//! expect = [
//!   { at = "10m", is = "pending" },
//!   { at = "40m", is = "firing", told = ["control-room"], says = "…" },
//! ]
//! [test.values]                      # every field that the rule looks at
//! "ae_four_hour.departed" = "50*45"
//! "ae_four_hour.within" = "40*10 20*35"
//! ```
//!
//! Values are minutes apart: `40` one minute, `40*10` ten, `40+2*10` 40, 42, … 58, `40-2*10` 40, 38, … 22, `_*3` three
//! minutes that are not published.

use std::collections::BTreeMap;

use domain::alert::rule::{Rule, Tags};
use domain::alert::value::FieldRef;
use domain::measures::{SeriesKey, TagKind, TypeTag, Window};
use domain::organisations::Organisations;
use domain::time::rfc3339;
use runtime::config::Duration;
use serde::Deserialize;

use super::{Expected, Trial};
use crate::rules::RuleSet;

/// The most minutes of a trial: a week.
const MINUTES_MAX: usize = 10_080;
/// Where a trial begins that does not say.
const FROM: &str = "2026-01-14T09:00:00Z";

/// What a trial is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The rules.
    pub rules: &'a RuleSet,
    /// The organisations that there are.
    pub organisations: &'a Organisations,
}

/// Why a file of trials cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct TrialError {
    /// The test and the key in it.
    place: String,
    /// What is wrong and what would be right.
    what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    test: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    name: String,
    rule: String,
    org: String,
    from: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    stale: Option<String>,
    expect: Vec<RawExpected>,
    values: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpected {
    at: Duration,
    is: String,
    told: Option<Vec<String>>,
    says: Option<String>,
}

/// What can be expected.
const CHANGES: [&str; 9] =
    ["pending", "dropped", "firing", "recovering", "relapsed", "resolved", "frozen", "thawed", "escalated"];

type Checked<T> = Result<T, TrialError>;

fn wrong<T>(place: impl Into<String>, what: impl ToString) -> Checked<T> {
    Err(TrialError { place: place.into(), what: what.to_string() })
}

/// Reads a file's text.
pub fn read(text: &str, surroundings: Surroundings<'_>) -> Checked<Vec<Trial>> {
    let file: RawFile = toml::from_str(text).or_else(|error| wrong("the file", error.to_string().trim()))?;
    if file.test.is_empty() {
        return wrong("the file", "no [[test]] in it: write at least one");
    }
    let named = |(index, table): (usize, &toml::Table)| match table.get("name").and_then(toml::Value::as_str)
    {
        Some(name) => format!("test \"{name}\""),
        None => format!("test {}", index + 1),
    };
    let places: Vec<String> = file.test.iter().enumerate().map(named).collect();
    file.test.into_iter().zip(places).map(|(table, place)| trial(table, &place, surroundings)).collect()
}

fn trial(table: toml::Table, place: &str, surroundings: Surroundings<'_>) -> Checked<Trial> {
    let raw: RawTest = serde_path_to_error::deserialize(table).or_else(|error| {
        let path = error.path().to_string();
        let at = if path == "." { place.to_owned() } else { format!("{place} {path}") };
        wrong(at, error.inner().message().trim())
    })?;
    let at = |key: &str| format!("{place} {key}");
    let Some(rule) = surroundings.rules.rule(&raw.rule) else {
        let ids: Vec<&str> = surroundings.rules.rules.iter().map(|rule| rule.id.as_str()).collect();
        return wrong(at("rule"), format!("there is no rule \"{}\"; there are {}", raw.rule, ids.join(", ")));
    };
    if surroundings.organisations.find_at(&raw.org, rule.level).is_none()
        || !rule.watches(rule.level, &raw.org)
    {
        let level = rule.level.as_str();
        return wrong(at("org"), format!("\"{}\" is no {level} that the rule watches", raw.org));
    }
    let from = raw.from.as_deref().unwrap_or(FROM);
    let Some(from) = rfc3339(from.as_bytes()).map(|millis| millis.second().minute()) else {
        return wrong(at("from"), format!("\"{from}\" is no instant such as {FROM}"));
    };
    let tags = tags(&raw.tags, rule, place)?;
    let values = values(&raw.values, rule, tags, place)?;
    let minutes = values[0].2.len();
    if let Some((_, _, other)) = values.iter().find(|(_, _, other)| other.len() != minutes) {
        let what = format!("{} minutes in one and {minutes} in another: as many in each", other.len());
        return wrong(at("values"), what);
    }
    let stale = match &raw.stale {
        None => vec![false; minutes],
        Some(text) => stale(text, minutes).or_else(|what| wrong(at("stale"), what))?,
    };
    let expect = raw
        .expect
        .into_iter()
        .enumerate()
        .map(|(index, expected)| {
            expectation(expected, minutes).or_else(|what| wrong(at(&format!("expect {}", index + 1)), what))
        })
        .collect::<Checked<Vec<_>>>()?;
    Ok(Trial { name: raw.name, rule: raw.rule, org: raw.org, level: rule.level, from, values, stale, expect })
}

/// The tags of the one episode that is tried: those of the rule, and those that it leaves open.
fn tags(raw: &BTreeMap<String, String>, rule: &Rule, place: &str) -> Checked<Tags> {
    let at = |name: &str| format!("{place} tags.{name}");
    let used = rule.tags_used();
    let mut tags = Tags {
        department_type: rule.series.department_type,
        other: rule.series.other,
        window: rule.series.window,
    };
    let kind = used.other.filter(|_| tags.other.is_none());
    let mut open = Vec::new();
    open.extend((used.by_type && tags.department_type.is_none()).then_some("type"));
    open.extend(kind.map_or(&[][..], TagKind::names));
    open.extend((used.by_window && tags.window.is_none()).then_some("window"));
    if let Some(name) = raw.keys().find(|name| !open.contains(&name.as_str())) {
        return wrong(at(name), "the rule does not leave this tag open: leave it out");
    }
    if let Some(name) = open.iter().find(|name| !raw.contains_key(**name)) {
        return wrong(at(name), "is missing: the rule leaves it open");
    }
    for (name, text) in raw {
        let is_known = match name.as_str() {
            "type" => TypeTag::parse(text).map(|tag| tags.department_type = Some(tag)).is_some(),
            "window" => Window::parse(text).map(|window| tags.window = Some(window)).is_some(),
            _ => true,
        };
        if !is_known {
            return wrong(at(name), format!("\"{text}\" is no {name}"));
        }
    }
    if let Some(kind) = kind {
        let texts: Vec<&str> = kind.names().iter().map(|name| raw[*name].as_str()).collect();
        let Some(tag) = kind.parse(&texts) else {
            return wrong(format!("{place} tags"), format!("{texts:?} is no {}", kind.names().join(" and ")));
        };
        tags.other = Some((kind, tag));
    }
    Ok(tags)
}

type Written = Vec<(SeriesKey, usize, Vec<Option<i64>>)>;

fn values(raw: &BTreeMap<String, String>, rule: &Rule, tags: Tags, place: &str) -> Checked<Written> {
    let mut written = Vec::new();
    for (name, text) in raw {
        let at = format!("{place} values \"{name}\"");
        let field = match FieldRef::parse(name) {
            Ok(field) => field,
            Err(error) => return wrong(at, error),
        };
        if !rule.fields().any(|known| known.measure == field.measure) {
            return wrong(at, "the rule does not look at this measure");
        }
        let values = expand(text).or_else(|what| wrong(at, what))?;
        written.push((tags.series(field.measure), field.index, values));
    }
    let mut fields = rule.fields();
    match fields.find(|field| !raw.contains_key(&field.to_string())) {
        Some(field) => {
            wrong(format!("{place} values"), format!("\"{field}\" is missing: the rule looks at it"))
        }
        None => Ok(written),
    }
}

/// `40*10 _*2 40+2*3` as minutes.
fn expand(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut minutes = Vec::new();
    for part in text.split_whitespace() {
        let wrong = || format!("\"{part}\" is none of 40, 40*10, 40+2*10, 40-2*10, _ and _*3");
        let (what, times) = match part.split_once('*') {
            Some((what, times)) => (what, times.parse::<usize>().map_err(|_| wrong())?),
            None => (part, 1),
        };
        if times == 0 || minutes.len() + times > MINUTES_MAX {
            return Err(format!("\"{part}\": 1 to {MINUTES_MAX} minutes are possible"));
        }
        if what == "_" {
            minutes.extend(std::iter::repeat_n(None, times));
            continue;
        }
        let number = |text: &str| text.parse::<u32>().map(i64::from).map_err(|_| wrong());
        let (start, by) = match what.split_once(['+', '-']) {
            Some((start, by)) if what.contains('-') => (number(start)?, -number(by)?),
            Some((start, by)) => (number(start)?, number(by)?),
            None => (number(what)?, 0),
        };
        minutes.extend((0..times as i64).map(|n| Some(start + by * n)));
    }
    if minutes.is_empty() { Err("no minute: write values such as 40*10".to_owned()) } else { Ok(minutes) }
}

fn stale(text: &str, minutes: usize) -> Result<Vec<bool>, String> {
    let values = expand(text)?;
    if values.len() != minutes {
        return Err(format!("{} minutes, the values have {minutes}", values.len()));
    }
    let is = |value: &Option<i64>| match value {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(_) | None => Err("write 0 for fresh and 1 for stale".to_owned()),
    };
    values.iter().map(is).collect()
}

fn expectation(raw: RawExpected, minutes: usize) -> Result<Expected, String> {
    if !CHANGES.contains(&raw.is.as_str()) {
        return Err(format!("\"{}\" is none of {}", raw.is, CHANGES.join(", ")));
    }
    let ms = raw.at.as_ms();
    let minute = u32::try_from(ms / 60_000).ok().filter(|minute| (*minute as usize) < minutes);
    match minute.filter(|_| ms % 60_000 == 0) {
        Some(minute) => Ok(Expected { minute, change: raw.is, told: raw.told, says: raw.says }),
        None => Err(format!("at must be whole minutes, less than the {minutes} of the values")),
    }
}
