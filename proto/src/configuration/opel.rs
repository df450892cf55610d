//! One file of `opel/`: a version of an escalation framework.

use std::collections::BTreeMap;

use domain::event::DepartmentType;
use domain::expression::{Expression, Read};
use domain::measures::Window;
use domain::opel::{
    Band, Framework, LevelBand, Local, Parameter, Provenance, Total, WEIGHTS_SUM, Weights, check_bands,
    check_levels,
};
use domain::organisations::{Level, Organisations};
use serde::Deserialize;

use super::{Checked, Day, id, parsed, place, typed, wrong};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    id: String,
    title: String,
    from: Option<Day>,
    to: Option<Day>,
    #[serde(default)]
    department_types: Vec<i64>,
    #[serde(default)]
    fall_minutes: u32,
    parameter: Vec<toml::Table>,
    total: Option<toml::Table>,
    #[serde(default)]
    weights: Vec<toml::Table>,
    #[serde(default)]
    local: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParameter {
    id: String,
    title: String,
    value: Option<String>,
    source: String,
    verified: bool,
    #[serde(default)]
    bands: Vec<RawBand>,
    #[serde(default)]
    bands_source: String,
    #[serde(default)]
    bands_verified: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBand {
    from: Option<toml::Value>,
    to: Option<toml::Value>,
    points: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTotal {
    needs: usize,
    levels: Vec<RawLevel>,
    source: String,
    verified: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLevel {
    level: u8,
    from: u32,
    to: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWeights {
    system: String,
    members: BTreeMap<String, toml::Value>,
    source: String,
    verified: bool,
}

/// The longest that a level may be held when the score has fallen: a day.
const FALL_MINUTES_MAX: u32 = 1_440;
/// The most parameters.
const PARAMETERS_MAX: usize = 40;

/// What a framework is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The organisations that there are.
    pub organisations: &'a Organisations,
    /// The windows that are published.
    pub windows: &'a [Window],
}

/// Reads the text of one file.
pub fn read_framework(text: &str, places: Places<'_>) -> Checked<Framework> {
    let file: RawFile = parsed("framework", text)?;
    let top = format!("framework \"{}\"", file.id.escape_debug());
    id(&top, &file.id)?;
    if file.id.len() > 31 {
        return wrong(&top, "id", "is longer than 31 bytes");
    }
    if let (Some(from), Some(to)) = (file.from, file.to)
        && to.0 < from.0
    {
        return wrong(&top, "to", "is before from");
    }
    if file.fall_minutes > FALL_MINUTES_MAX {
        return wrong(&top, "fall_minutes", format!("at most {FALL_MINUTES_MAX}"));
    }
    if file.parameter.is_empty() || file.parameter.len() > PARAMETERS_MAX {
        return wrong(&top, "parameter", format!("from 1 to {PARAMETERS_MAX} parameters"));
    }
    let department_types: Option<Vec<DepartmentType>> = file
        .department_types
        .iter()
        .map(|number| u8::try_from(*number).ok().and_then(DepartmentType::from_number))
        .collect();
    let Some(department_types) = department_types else {
        return wrong(&top, "department_types", "must be numbers from 1 to 5");
    };
    let locals = locals(file.local, places)?;
    let mut parameters: Vec<Parameter> = Vec::new();
    for (index, table) in file.parameter.into_iter().enumerate() {
        let place = place("parameter", index + 1, &table);
        let parameter = parameter(&place, table, &locals, places)?;
        if parameters.iter().any(|other| other.id == parameter.id) {
            return wrong(&place, "id", "stands twice: each parameter needs its own");
        }
        parameters.push(parameter);
    }
    let total = file.total.map(|table| total(table, &parameters)).transpose()?;
    let mut weights: Vec<Weights> = Vec::new();
    for (index, table) in file.weights.into_iter().enumerate() {
        let one = system_weights(index + 1, table, places)?;
        if weights.iter().any(|other| other.system == one.system) {
            return wrong(
                &format!("weights {}", index + 1),
                "system",
                format!("\"{}\" stands twice", one.system),
            );
        }
        weights.push(one);
    }
    Ok(Framework {
        id: file.id,
        title: file.title,
        from: file.from.map(|day| day.0),
        to: file.to.map(|day| day.0),
        department_types,
        fall_minutes: file.fall_minutes,
        parameters,
        total,
        weights,
        locals,
    })
}

/// A number of TOML, whole or not.
fn number(place: &str, key: &str, value: &toml::Value) -> Checked<f64> {
    let number = match value {
        toml::Value::Integer(number) => *number as f64,
        toml::Value::Float(number) => *number,
        _ => f64::NAN,
    };
    if number.is_finite() { Ok(number) } else { wrong(place, key, "must be a number") }
}

fn provenance(place: &str, key: &str, source: String, verified: bool) -> Checked<Provenance> {
    if source.trim().is_empty() {
        return wrong(place, key, "is empty: say who says so, or that nobody we know does");
    }
    Ok(Provenance { source, verified })
}

fn locals(raw: BTreeMap<String, BTreeMap<String, toml::Value>>, places: Places<'_>) -> Checked<Vec<Local>> {
    let mut locals = Vec::new();
    for (name, values) in raw {
        let place = format!("local.{name}");
        let mut numbers = Vec::new();
        for (code, value) in values {
            if places.organisations.find(&code).is_none() {
                return wrong(&place, &code, "is not a code in organisations.csv");
            }
            let number = number(&place, &code, &value)?;
            numbers.push((code, number));
        }
        locals.push(Local { name, values: numbers });
    }
    Ok(locals)
}

fn parameter(place: &str, table: toml::Table, locals: &[Local], places: Places<'_>) -> Checked<Parameter> {
    let raw: RawParameter = typed(place, table)?;
    id(place, &raw.id)?;
    if raw.id.len() > 31 {
        return wrong(place, "id", "is longer than 31 bytes");
    }
    let value = match &raw.value {
        None => None,
        Some(text) => Some(expression(place, text, locals, places)?),
    };
    let mut bands = Vec::new();
    for (index, band) in raw.bands.into_iter().enumerate() {
        let edge = |key: &str, value: &Option<toml::Value>| {
            let key = format!("bands[{index}].{key}");
            value.as_ref().map(|value| number(place, &key, value)).transpose()
        };
        bands.push(Band { from: edge("from", &band.from)?, to: edge("to", &band.to)?, points: band.points });
    }
    if !bands.is_empty() {
        check_bands(&bands).or_else(|error| wrong(place, "bands", error))?;
    }
    let bands_source = if bands.is_empty() { "not known".to_owned() } else { raw.bands_source };
    Ok(Parameter {
        id: raw.id,
        title: raw.title,
        value,
        provenance: provenance(place, "source", raw.source, raw.verified)?,
        bands,
        bands_provenance: provenance(place, "bands_source", bands_source, raw.bands_verified)?,
    })
}

fn expression(place: &str, text: &str, locals: &[Local], places: Places<'_>) -> Checked<Expression> {
    let expression = Expression::parse(text).or_else(|error| wrong(place, "value", error))?;
    for read in expression.reads() {
        match read {
            Read::Field { series, .. } => {
                if let Some(window) = series.window.filter(|window| !places.windows.contains(window)) {
                    let known: Vec<String> = places.windows.iter().map(Window::to_string).collect();
                    let what = format!("window {window} is not published: one of {}", known.join(", "));
                    return wrong(place, "value", what);
                }
            }
            // One that nobody has is not known for anybody, and says so as a missing parameter.
            Read::Local(name) if locals.iter().any(|local| local.name == *name) => {}
            Read::Local(name) => {
                let what = format!(
                    "local.{name} is not there: add a table [local.{name}] with a number for each code, or an empty one"
                );
                return wrong(place, "value", what);
            }
        }
    }
    Ok(expression)
}

fn total(table: toml::Table, parameters: &[Parameter]) -> Checked<Total> {
    let raw: RawTotal = typed("total", table)?;
    if raw.needs == 0 || raw.needs > parameters.len() {
        return wrong("total", "needs", format!("must be from 1 to the {} parameters", parameters.len()));
    }
    let levels: Vec<LevelBand> = raw
        .levels
        .into_iter()
        .map(|band| LevelBand { from: band.from, to: band.to, level: band.level })
        .collect();
    check_levels(&levels, parameters).or_else(|error| wrong("total", "levels", error))?;
    let provenance = provenance("total", "source", raw.source, raw.verified)?;
    Ok(Total { levels, needs: raw.needs, provenance })
}

fn system_weights(index: usize, table: toml::Table, places: Places<'_>) -> Checked<Weights> {
    let place = format!("weights {index}");
    let raw: RawWeights = typed(&place, table)?;
    let orgs = places.organisations;
    let Some(system) = orgs.find_at(&raw.system, Level::System) else {
        let what = format!("\"{}\" is no system of organisations.csv", raw.system.escape_debug());
        return wrong(&place, "system", what);
    };
    let mut members = Vec::new();
    for (code, value) in &raw.members {
        let key = format!("members.{code}");
        let is_member =
            orgs.find_at(code, Level::Trust).is_some_and(|trust| orgs.path(trust).contains(&system));
        if !is_member {
            return wrong(&place, &key, format!("is no trust of the system {}", raw.system));
        }
        let millionths = number(&place, &key, value)? * f64::from(WEIGHTS_SUM);
        if !(1.0..=f64::from(WEIGHTS_SUM)).contains(&millionths)
            || (millionths - millionths.round()).abs() > 1e-3
        {
            return wrong(&place, &key, "must be over 0 and at most 1, with at most 6 decimals");
        }
        members.push((code.clone(), millionths.round() as u32));
    }
    let sum: u32 = members.iter().map(|(_, weight)| weight).sum();
    if sum != WEIGHTS_SUM {
        let what = format!("add up to {}, and must add up to 1", f64::from(sum) / f64::from(WEIGHTS_SUM));
        return wrong(&place, "members", what);
    }
    let provenance = provenance(&place, "source", raw.source, raw.verified)?;
    Ok(Weights { system: raw.system, members, provenance })
}

#[cfg(test)]
mod tests;
