//! `standards.toml`.

use std::collections::BTreeSet;

use domain::date::Period;
use domain::organisations::Level;
use domain::standard::{Better, Kind, Pause, Reports, Standard, Standards};
use serde::Deserialize;

use super::{Checked, Day, id, one_of, parsed, place, typed, wrong};

const FILE: &str = "standards";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    scales: Vec<String>,
    #[serde(default)]
    standard: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStandard {
    id: String,
    title: String,
    kind: String,
    better: String,
    period: String,
    reports: toml::Value,
    due: u32,
    #[serde(default)]
    paused: Vec<RawPause>,
    begun: Option<Day>,
    retired: Option<Day>,
    source: String,
    verified: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPause {
    from: Day,
    to: Day,
}

/// The longest that a return may be waited for, days.
const DUE_DAYS_MAX: u32 = 366;

/// Reads the file's text. Codes of organisations in `reports` are not looked up.
pub fn read_standards(text: &str) -> Checked<Standards> {
    let file: RawFile = parsed(FILE, text)?;
    let mut scales = BTreeSet::new();
    for scale in &file.scales {
        let plain = scale.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !plain || scale.is_empty() || scale.len() > 64 {
            return wrong(
                FILE,
                "scales",
                format!("\"{}\" must be 1 to 64 of a–z, 0–9 and -", scale.escape_debug()),
            );
        }
        if !scales.insert(scale) {
            return wrong(FILE, "scales", format!("\"{scale}\" stands twice"));
        }
    }
    let mut standards: Vec<Standard> = Vec::new();
    for (index, table) in file.standard.into_iter().enumerate() {
        let place = place("standard", index + 1, &table);
        let standard = standard(&place, table)?;
        if standards.iter().any(|other| other.id == standard.id) {
            return wrong(&place, "id", "stands twice: each standard needs its own");
        }
        standards.push(standard);
    }
    Ok(Standards { standards, scales: file.scales })
}

fn standard(place: &str, table: toml::Table) -> Checked<Standard> {
    let raw: RawStandard = typed(place, table)?;
    id(place, &raw.id)?;
    if raw.due > DUE_DAYS_MAX {
        return wrong(place, "due", format!("{} days: at most {DUE_DAYS_MAX}", raw.due));
    }
    if raw.source.trim().is_empty() {
        return wrong(place, "source", "is empty: say where the definition comes from");
    }
    if let (Some(begun), Some(retired)) = (raw.begun, raw.retired)
        && begun.0 >= retired.0
    {
        return wrong(place, "retired", "must be after begun");
    }
    Ok(Standard {
        id: raw.id,
        title: raw.title,
        kind: one_of(place, "kind", &raw.kind, &Kind::ALL, Kind::as_str)?,
        better: one_of(place, "better", &raw.better, &Better::ALL, Better::as_str)?,
        period: one_of(place, "period", &raw.period, &Period::ALL, Period::as_str)?,
        reports: reports(place, raw.reports)?,
        due_days: raw.due,
        paused: pauses(place, &raw.paused)?,
        begun: raw.begun.map(|day| day.0),
        retired: raw.retired.map(|day| day.0),
        source: raw.source,
        verified: raw.verified,
    })
}

fn reports(place: &str, value: toml::Value) -> Checked<Reports> {
    match value {
        toml::Value::String(level) => {
            let levels = Level::ALL.into_iter().filter(|level| *level != Level::Group);
            let levels: Vec<Level> = levels.collect();
            one_of(place, "reports", &level, &levels, Level::as_str).map(Reports::Level)
        }
        toml::Value::Array(codes) if !codes.is_empty() => {
            let codes: Option<Vec<String>> =
                codes.iter().map(|code| code.as_str().map(str::to_owned)).collect();
            match codes {
                Some(codes) => Ok(Reports::Orgs(codes)),
                None => wrong(place, "reports", "a list must hold codes of organisations, in quotes"),
            }
        }
        _ => wrong(place, "reports", "write a level, such as \"trust\", or a list of codes of organisations"),
    }
}

fn pauses(place: &str, raw: &[RawPause]) -> Checked<Vec<Pause>> {
    let mut pauses: Vec<Pause> = Vec::new();
    for (index, pause) in raw.iter().enumerate() {
        let pause = Pause { from: pause.from.0, to: pause.to.0 };
        if pause.to < pause.from {
            return wrong(place, &format!("paused[{index}].to"), "is before from");
        }
        if pauses.last().is_some_and(|before| before.to >= pause.from) {
            return wrong(
                place,
                &format!("paused[{index}].from"),
                "lies in the pause before: pauses stand by their days and share none",
            );
        }
        pauses.push(pause);
    }
    Ok(pauses)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "scales = [\"opel\"]\n[[standard]]\nid = \"a\"\ntitle = \"A\"\nkind = \"share\"\nbetter = \"higher\"\n\
                        period = \"month\"\nreports = \"trust\"\ndue = 14\npaused = [{ from = 2020-03-01, to = 2020-08-31 }]\n\
                        source = \"somebody\"\nverified = true\n";

    #[test]
    fn what_is_shipped_reads() {
        let standards = read_standards(include_str!("../../../config/standards.toml")).unwrap();
        assert!(standards.standards.len() >= 50);
        assert_eq!(standards.scales, ["opel"]);
        let (_, list) = standards.find("patient-tracking-list").unwrap();
        assert_eq!((list.paused.len(), list.period), (1, Period::Week));
    }

    #[test]
    fn a_wrong_standard_says_what_would_be_right() {
        assert_eq!(read_standards(GOOD).unwrap().standards[0].due_days, 14);
        for (right, wrong, message) in [
            ("scales", "scale", "standards scale: unknown field `scale`, expected `scales` or `standard`"),
            ("[\"opel\"]", "[\"OPEL\"]", "standards scales: \"OPEL\" must be 1 to 64 of a–z, 0–9 and -"),
            ("[\"opel\"]", "[\"opel\", \"opel\"]", "standards scales: \"opel\" stands twice"),
            ("\"a\"", "\"A b\"", "standard \"A b\" id: must be 1 to 64 of a–z, 0–9, - and _"),
            ("id = \"a\"\n", "", "standard 1 id: missing field `id`"),
            ("due = 14\n", "", "standard \"a\" due: missing field `due`"),
            ("due = 14", "due = -1", "standard \"a\" due: invalid value: integer `-1`, expected u32"),
            ("due = 14", "due = 400", "standard \"a\" due: 400 days: at most 366"),
            (
                "verified = true",
                "verifed = true",
                "standard \"a\" verifed: unknown field `verifed`, expected one of `id`,",
            ),
            ("\"share\"", "\"shore\"", "standard \"a\" kind: \"shore\" is none of share, count, mean"),
            ("\"higher\"", "\"up\"", "standard \"a\" better: \"up\" is none of higher, lower"),
            ("\"month\"", "\"day\"", "standard \"a\" period: \"day\" is none of week, month, quarter"),
            ("\"trust\"", "\"ward\"", "standard \"a\" reports: \"ward\" is none of site, "),
            ("\"trust\"", "[]", "standard \"a\" reports: write a level, such as \"trust\", or a list"),
            (
                "\"trust\"",
                "[1]",
                "standard \"a\" reports: a list must hold codes of organisations, in quotes",
            ),
            ("to = 2020-08-31", "to = 2020-02-01", "standard \"a\" paused[0].to: is before from"),
            (
                "to = 2020-08-31",
                "to = 2020-08-31T00:00:00Z",
                "standard \"a\" paused[0].to: write a date from 2000 to 2099",
            ),
            (", to = 2020-08-31", "", "standard \"a\" paused[0].to: missing field `to`"),
            (
                "2020-08-31 }]",
                "2020-08-31 }, { from = 2020-08-31, to = 2020-09-01 }]",
                "standard \"a\" paused[1].from: lies in the pause before",
            ),
            (
                "due = 14",
                "due = 14\nbegun = 2020-01-01\nretired = 2020-01-01",
                "standard \"a\" retired: must be after begun",
            ),
            ("\"somebody\"", "\" \"", "standard \"a\" source: is empty: say where the definition comes from"),
        ] {
            assert!(GOOD.contains(right), "{right}");
            let error = read_standards(&GOOD.replacen(right, wrong, 1)).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}\n{message}");
        }
        let twice = format!("{GOOD}{}", GOOD.split_once('\n').unwrap().1);
        let error = read_standards(&twice).unwrap_err().to_string();
        assert_eq!(error, "standard \"a\" id: stands twice: each standard needs its own");
        assert!(
            read_standards("scales = [")
                .unwrap_err()
                .to_string()
                .starts_with("standards: TOML parse error at line 1")
        );
    }
}
