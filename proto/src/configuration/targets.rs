//! `targets.toml`.

use std::collections::BTreeMap;

use domain::alert::value::{Decimal, Value};
use domain::measures::{Measure, TagKind, Window};
use domain::organisations::Level;
use domain::standard::{Kind, Standards};
use domain::target::{Step, Target, Targets, check_steps};
use serde::Deserialize;

use super::{Checked, Day, one_of, parsed, typed, wrong};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    target: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTarget {
    value: String,
    #[serde(default)]
    series: BTreeMap<String, String>,
    level: Option<String>,
    steps: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    from: Day,
    to: Option<Day>,
    value: toml::Value,
    source: String,
    verified: bool,
}

/// Reads the file's text; the standards are those that it may speak of.
pub fn read_targets(text: &str, standards: &Standards) -> Checked<Targets> {
    let file: RawFile = parsed("targets", text)?;
    let mut targets: Vec<Target> = Vec::new();
    for (index, table) in file.target.into_iter().enumerate() {
        let place = format!("target {}", index + 1);
        let target = target(&place, table, standards)?;
        if let Some(other) = targets.iter().position(|other| other.is_ambiguous_with(&target)) {
            let what = format!(
                "a series may be for this target and for target {} alike: put all steps into one, or add a tag to one",
                other + 1
            );
            return wrong(&place, "series", what);
        }
        targets.push(target);
    }
    Ok(Targets { targets })
}

fn target(place: &str, table: toml::Table, standards: &Standards) -> Checked<Target> {
    let raw: RawTarget = typed(place, table)?;
    let value = Value::parse(&raw.value).or_else(|error| wrong(place, "value", error))?;
    let level = match &raw.level {
        None => None,
        Some(text) => Some(one_of(place, "level", text, &Level::ALL, Level::as_str)?),
    };
    for measure in value.fields().map(|field| field.measure) {
        if let Some(level) = level.filter(|level| !measure.exists_at(*level)) {
            return wrong(
                place,
                "level",
                format!("{} does not exist at level {}", measure.as_str(), level.as_str()),
            );
        }
        if measure == Measure::Standard {
            standard(place, value, raw.series.get("standard"), standards)?;
        }
    }
    for (name, text) in &raw.series {
        tag(place, value, name, text)?;
    }
    let steps: Checked<Vec<Step>> =
        raw.steps.into_iter().enumerate().map(|(index, step)| read_step(place, index, step)).collect();
    let steps = steps?;
    check_steps(&steps).or_else(|error| wrong(place, "steps", error))?;
    Ok(Target { value, series: raw.series.into_iter().collect(), level, steps })
}

/// A target of a standard names it, and is about the figure that its kind makes, or about its 90th percentile.
fn standard(place: &str, value: Value, id: Option<&String>, standards: &Standards) -> Checked<()> {
    let Some(id) = id else {
        return wrong(place, "series", "must name the standard: { standard = \"rtt-18-weeks\" }");
    };
    let Some((_, found)) = standards.find(id) else {
        return wrong(
            place,
            "series.standard",
            format!("\"{}\" is no standard of standards.toml", id.escape_debug()),
        );
    };
    let names: Vec<&str> = value.fields().map(|field| field.name()).collect();
    let fits: &[&str] = match found.kind {
        Kind::Share => &["met", "total"],
        Kind::Count => &["count"],
        Kind::Mean => &["total_s", "total"],
    };
    if names != fits && names != ["p90_s"] {
        let what =
            format!("the standard \"{id}\" is a {}, made of {}", found.kind.as_str(), fits.join(" / "));
        return wrong(place, "value", what);
    }
    Ok(())
}

fn tag(place: &str, value: Value, name: &str, text: &str) -> Checked<()> {
    let key = format!("series.{name}");
    if name == "window" {
        let windowed = value.fields().any(|field| field.measure.definition().by_window);
        return match Window::parse(text) {
            Some(_) if windowed => Ok(()),
            Some(_) => wrong(place, &key, "no measure of this target has a tag window: leave it out"),
            None => {
                wrong(place, &key, format!("\"{}\" is no window, such as 4h or today", text.escape_debug()))
            }
        };
    }
    let kinds = || value.fields().map(|field| field.measure.definition().tag);
    let Some(kind) = kinds().find(|kind| kind.names().contains(&name)) else {
        let known: Vec<&str> = kinds().flat_map(|kind| kind.names().iter().copied()).collect();
        let what = match known.first() {
            None => "its measure has no such tag: leave it out".to_owned(),
            Some(first) => format!("its measure has no such tag; it has {first}"),
        };
        return wrong(place, &key, what);
    };
    // Of the two texts of a parameter each may stand alone.
    if kind != TagKind::Parameter && kind.parse(&[text]).is_none() {
        return wrong(place, &key, format!("\"{}\" is no {name}", text.escape_debug()));
    }
    Ok(())
}

fn read_step(place: &str, index: usize, raw: RawStep) -> Checked<Step> {
    let text = match &raw.value {
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        _ => String::new(),
    };
    let Some(value) = Decimal::parse(&text) else {
        let what = "must be a number with at most 9 digits on either side of the point, such as 0.95";
        return wrong(place, &format!("steps[{index}].value"), what);
    };
    if raw.source.trim().is_empty() {
        return wrong(place, &format!("steps[{index}].source"), "is empty: say who set the target");
    }
    let to = raw.to.map(|day| day.0);
    Ok(Step { from: raw.from.0, to, value, source: raw.source, verified: raw.verified })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::read_standards;

    const STANDARDS: &str = include_str!("../../../config/standards.toml");
    const GOOD: &str = "[[target]]\nvalue = \"ae_four_hour.within / ae_four_hour.departed\"\nseries = { type = \"1\" }\n\
        level = \"site\"\nsteps = [{ from = 2010-07-01, value = 0.95, source = \"s\", verified = true }]\n\
        [[target]]\nvalue = \"standard.met / standard.total\"\nseries = { standard = \"rtt-18-weeks\" }\n\
        steps = [{ from = 2012-04-01, value = 0.92, source = \"s\", verified = true }]\n";

    #[test]
    fn what_is_shipped_reads() {
        let standards = read_standards(STANDARDS).unwrap();
        let targets = read_targets(include_str!("../../../config/targets.toml"), &standards).unwrap();
        assert!(targets.targets.len() > 40);
        assert!(targets.targets.iter().flat_map(|target| &target.steps).any(|step| !step.verified));
        assert!(read_targets("", &standards).unwrap().targets.is_empty());
    }

    #[test]
    fn a_wrong_target_says_what_would_be_right() {
        let standards = read_standards(STANDARDS).unwrap();
        assert_eq!(read_targets(GOOD, &standards).unwrap().targets.len(), 2);
        for (right, wrong, message) in [
            (
                "ae_four_hour.within",
                "four_hour.within",
                "target 1 value: \"four_hour\" is no measure: one of ae_four_hour,",
            ),
            ("level = \"site\"", "level = \"ward\"", "target 1 level: \"ward\" is none of site,"),
            (
                "level = \"site\"",
                "level = \"service\"",
                "target 1 level: ae_four_hour does not exist at level service",
            ),
            ("type = \"1\"", "typ = \"1\"", "target 1 series.typ: its measure has no such tag; it has type"),
            ("type = \"1\"", "type = \"7\"", "target 1 series.type: \"7\" is no type"),
            (
                "type = \"1\"",
                "window = \"4y\"",
                "target 1 series.window: \"4y\" is no window, such as 4h or today",
            ),
            (
                "rtt-18-weeks",
                "rtt-17-weeks",
                "target 2 series.standard: \"rtt-17-weeks\" is no standard of standards.toml",
            ),
            ("series = { standard = \"rtt-18-weeks\" }\n", "", "target 2 series: must name the standard"),
            (
                "standard.met / standard.total",
                "standard.count",
                "target 2 value: the standard \"rtt-18-weeks\" is a share, made of met / total",
            ),
            (
                "value = 0.95",
                "value = \"95 %\"",
                "target 1 steps[0].value: must be a number with at most 9 digits",
            ),
            ("value = 0.95", "value = nan", "target 1 steps[0].value: must be a number"),
            ("source = \"s\"", "source = \"\"", "target 1 steps[0].source: is empty: say who set the target"),
            ("from = 2010-07-01", "from = 2010-07-32", "targets: TOML parse error at line 5"),
            ("from = 2010-07-01, ", "", "target 1 steps[0].from: missing field `from`"),
            (
                "verified = true }]",
                "verified = true }, { from = 2010-07-01, value = 1, source = \"s\", verified = true }]",
                "target 1 steps: step 2 begins on 2010-07-01, when step 1 still holds: steps stand by their days and share none",
            ),
            (
                "from = 2010-07-01",
                "from = 2010-07-01, to = 2010-06-30",
                "target 1 steps: step 1 ends before it begins: to must not be before from",
            ),
            (
                "steps = [{ from = 2010-07-01, value = 0.95, source = \"s\", verified = true }]",
                "steps = []",
                "target 1 steps: has no step",
            ),
        ] {
            assert!(GOOD.contains(right), "{right}");
            let error = read_targets(&GOOD.replacen(right, wrong, 1), &standards).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}\n{message}");
        }
        let error = read_targets(&GOOD.repeat(2), &standards).unwrap_err().to_string();
        assert!(
            error.starts_with("target 3 series: a series may be for this target and for target 1 alike"),
            "{error}"
        );
    }
}
