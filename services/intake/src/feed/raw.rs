//! A feed as it is written, and how that becomes a [`Feed`]: every key checked, errors with the key's path.

use std::collections::BTreeMap;
use std::hash::Hash;

use domain::event::{ArrivalMode, DepartmentType, Disposal};
use domain::organisations::{Level, Organisations};
use hashbrown::HashMap;
use serde::Deserialize;

use super::codes::{Category, Codes, Status};
use super::path::Path;
use super::place::{Patterns, Place, Row};
use super::zone::Zone;
use super::{Class, Column, Csv, FactName, Feed, FeedError, Fhir, Hl7, MappedFact, ReferenceField};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFeed {
    source: String,
    zone: String,
    orgs: Vec<String>,
    site: String,
    place: Vec<RawPlace>,
    hl7: RawHl7,
    codes: RawCodes,
    fhir: RawFhir,
    csv: RawCsv,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFhir {
    identifier: String,
    extension: Vec<RawExtension>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExtension {
    fact: String,
    url: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlace {
    #[serde(default)]
    sender: Vec<String>,
    #[serde(default)]
    point_of_care: Vec<String>,
    #[serde(default)]
    room: Vec<String>,
    #[serde(default)]
    bed: Vec<String>,
    #[serde(default)]
    facility: Vec<String>,
    #[serde(default)]
    description: Vec<String>,
    #[serde(default)]
    site: String,
    #[serde(default)]
    area: String,
    department_type: Option<u8>,
    #[serde(default)]
    outside: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHl7 {
    reference: RawReference,
    authority: bool,
    transfer_since: String,
    processing: Vec<String>,
    class: BTreeMap<String, RawClass>,
    fact: Vec<RawFact>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawReference {
    Visit,
    Account,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawClass {
    Emergency,
    Inpatient,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFact {
    fact: String,
    path: String,
    #[serde(default, rename = "where")]
    condition: String,
    #[serde(default)]
    is: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCodes {
    department_type: BTreeMap<String, u8>,
    attendance_category: BTreeMap<String, String>,
    planned: BTreeMap<String, bool>,
    child: BTreeMap<String, bool>,
    arrival_mode: BTreeMap<String, String>,
    acuity: BTreeMap<String, u8>,
    discharge_status: BTreeMap<String, String>,
    discharge_destination: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCsv {
    delimiter: String,
    date: String,
    time: String,
    recorded_at: Vec<String>,
    id: String,
    sender: String,
    point_of_care: String,
    site: String,
    #[serde(rename = "ref")]
    reference: String,
    columns: BTreeMap<String, Vec<String>>,
}

impl RawFeed {
    pub(super) fn parse(self, name: &str, organisations: &Organisations) -> Result<Feed, FeedError> {
        let wrong =
            |key: &str, what: String| FeedError::Key { feed: name.to_owned(), key: key.to_owned(), what };
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if !(1..=64).contains(&self.source.len()) || !self.source.bytes().all(plain) {
            return Err(wrong("source", "must be 1 to 64 of a–z, 0–9, . _ -, such as \"rxf.epr\"".into()));
        }
        let zone = Zone::named(&self.zone)
            .ok_or_else(|| wrong("zone", "is no time zone: write \"Europe/London\" or \"UTC\"".into()))?;
        for code in &self.orgs {
            if organisations.find(code).is_none() {
                return Err(wrong("orgs", format!("\"{code}\" is not a code in organisations.csv")));
            }
        }
        let site_of = |key: &str, code: &str| match code {
            "" => Ok(None),
            code if organisations.find_at(code, Level::Site).is_some() => Ok(Some(code.to_owned())),
            code => Err(wrong(key, format!("\"{code}\" is not the code of a site in organisations.csv"))),
        };
        let site = site_of("site", &self.site)?;
        let mut places = Vec::with_capacity(self.place.len());
        for (index, raw) in self.place.into_iter().enumerate() {
            let at = |key: &str| format!("place[{index}].{key}");
            let site = site_of(&at("site"), &raw.site)?;
            places.push(row(raw, site).map_err(|(key, what)| wrong(&at(key), what))?);
        }
        let hl7 = self.hl7.parse().map_err(|(key, what)| wrong(&key, what))?;
        let codes = self.codes.parse().map_err(|(key, what)| wrong(&key, what))?;
        let fhir = self.fhir.parse().map_err(|(key, what)| wrong(&key, what))?;
        let csv = self.csv.parse().map_err(|(key, what)| wrong(&key, what))?;
        Ok(Feed {
            name: name.to_owned(),
            source: self.source,
            zone,
            orgs: self.orgs,
            site,
            places,
            hl7,
            codes,
            fhir,
            csv,
        })
    }
}

fn row(raw: RawPlace, site: Option<String>) -> Result<Row, (&'static str, String)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte);
    if raw.area.len() > 32 || !raw.area.bytes().all(plain) {
        return Err(("area", "must be 1 to 32 of A–Z, a–z, 0–9, space, . _ -".into()));
    }
    if raw.outside && !raw.area.is_empty() {
        return Err(("outside", "a place outside the department has no area".into()));
    }
    let department_type = match raw.department_type {
        None => None,
        Some(number) => Some(
            DepartmentType::from_number(number)
                .ok_or(("department_type", "must be 1, 2, 3, 4 or 5".to_owned()))?,
        ),
    };
    Ok(Row {
        sender: Patterns::new(&raw.sender),
        point_of_care: Patterns::new(&raw.point_of_care),
        room: Patterns::new(&raw.room),
        bed: Patterns::new(&raw.bed),
        facility: Patterns::new(&raw.facility),
        description: Patterns::new(&raw.description),
        place: Place {
            site,
            area: Some(raw.area).filter(|area| !area.is_empty()),
            department_type,
            outside: raw.outside,
        },
    })
}

/// A key and what is wrong with it.
type Wrong = (String, String);

fn path(key: String, text: &str) -> Result<Path, Wrong> {
    let right = "write segment-field, such as ZED-3, or with a component, such as OBX-3.1";
    Path::parse(text).ok_or_else(|| (key, format!("\"{text}\" is no path: {right}")))
}

fn fact(key: String, text: &str) -> Result<FactName, Wrong> {
    FactName::parse(text).ok_or_else(|| {
        let all: Vec<&str> = FactName::all().map(FactName::as_str).collect();
        (key, format!("\"{text}\" is no fact: write one of {}", all.join(", ")))
    })
}

impl RawHl7 {
    fn parse(self) -> Result<Hl7, Wrong> {
        let mut facts = Vec::with_capacity(self.fact.len());
        for (index, raw) in self.fact.iter().enumerate() {
            let at = |key: &str| format!("hl7.fact[{index}].{key}");
            let name = fact(at("fact"), &raw.fact)?;
            let place = path(at("path"), &raw.path)?;
            let condition = match (raw.condition.as_str(), raw.is.as_str()) {
                ("", "") => None,
                ("", _) => return Err((at("where"), "is missing beside `is`".into())),
                (_, "") => return Err((at("is"), "is missing beside `where`".into())),
                (text, is) => Some((path(at("where"), text)?, is.to_owned())),
            };
            if condition.as_ref().is_some_and(|(other, _)| other.segment != place.segment) {
                return Err((at("where"), "must be of the same segment as `path`".into()));
            }
            facts.push(MappedFact { name, path: place, condition });
        }
        let class = |raw: &RawClass| match raw {
            RawClass::Emergency => Class::Emergency,
            RawClass::Inpatient => Class::Inpatient,
        };
        Ok(Hl7 {
            reference: match self.reference {
                RawReference::Visit => ReferenceField::Visit,
                RawReference::Account => ReferenceField::Account,
            },
            authority: self.authority,
            transfer_since: path("hl7.transfer_since".into(), &self.transfer_since)?,
            processing: self.processing.clone(),
            classes: self.class.iter().map(|(code, raw)| (code.clone(), class(raw))).collect(),
            facts,
        })
    }
}

/// Each code's meaning; what it must be is said where it is not.
fn table<V, M>(
    set: &str,
    raw: BTreeMap<String, V>,
    meaning: impl Fn(&V) -> Option<M>,
    right: &str,
) -> Result<HashMap<String, M>, Wrong>
where
    String: Eq + Hash,
{
    raw.into_iter()
        .map(|(code, value)| match meaning(&value) {
            Some(meaning) => Ok((code, meaning)),
            None => Err((format!("codes.{set}.{code}"), format!("must be {right}"))),
        })
        .collect()
}

impl RawCodes {
    fn parse(self) -> Result<Codes, Wrong> {
        const DISPOSALS: &str =
            "\"admitted\", \"died\", \"discharged\", \"left\", \"streamed\" or \"transferred\"";
        let status = |text: &String| match text.as_str() {
            "by_destination" => Some(Status::ByDestination),
            text => Disposal::parse(text).map(Status::Is),
        };
        let category = |text: &String| match text.as_str() {
            "planned" => Some(Category::Planned),
            "unplanned" => Some(Category::Unplanned),
            "died" => Some(Category::Died),
            _ => None,
        };
        let number = |value: &u8| (1..=5).contains(value).then_some(*value);
        let kind = |value: &u8| DepartmentType::from_number(*value);
        let is = |value: &bool| Some(*value);
        Ok(Codes {
            department_type: table("department_type", self.department_type, kind, "1, 2, 3, 4 or 5")?,
            attendance_category: table(
                "attendance_category",
                self.attendance_category,
                category,
                "\"planned\", \"unplanned\" or \"died\"",
            )?,
            planned: table("planned", self.planned, is, "true or false")?,
            child: table("child", self.child, is, "true or false")?,
            arrival_mode: table(
                "arrival_mode",
                self.arrival_mode,
                |text| ArrivalMode::parse(text),
                "\"ambulance\", \"walk_in\" or \"other\"",
            )?,
            acuity: table("acuity", self.acuity, number, "1, 2, 3, 4 or 5")?,
            discharge_status: table(
                "discharge_status",
                self.discharge_status,
                status,
                &format!("\"by_destination\", {DISPOSALS}"),
            )?,
            discharge_destination: table(
                "discharge_destination",
                self.discharge_destination,
                |text| Disposal::parse(text),
                DISPOSALS,
            )?,
        })
    }
}

impl RawFhir {
    fn parse(self) -> Result<Fhir, Wrong> {
        let mut extensions = Vec::with_capacity(self.extension.len());
        for (index, raw) in self.extension.into_iter().enumerate() {
            let name = fact(format!("fhir.extension[{index}].fact"), &raw.fact)?;
            if raw.url.is_empty() {
                let what = "is empty: write the URL of the extension that states the fact";
                return Err((format!("fhir.extension[{index}].url"), what.into()));
            }
            extensions.push((raw.url, name));
        }
        Ok(Fhir { identifier: self.identifier, extensions })
    }
}

impl RawCsv {
    fn parse(self) -> Result<Csv, Wrong> {
        let delimiter = match self.delimiter.as_bytes() {
            [byte] => *byte,
            _ => {
                return Err((
                    "csv.delimiter".into(),
                    "must be one character, such as \",\" or \"\\t\"".into(),
                ));
            }
        };
        for (key, format) in [("csv.date", &self.date), ("csv.time", &self.time)] {
            // Tried on a date: what strftime does not know is said now.
            let sample = jiff::civil::date(2026, 11, 21).at(14, 7, 9, 0);
            if format.is_empty() || jiff::fmt::strtime::format(format, sample).is_err() {
                return Err((
                    key.into(),
                    "must be a format of strftime, such as \"%Y-%m-%d\" or \"%H:%M\"".into(),
                ));
            }
        }
        let column = |key: String, columns: Vec<String>| match columns.as_slice() {
            [one] => Ok(Column { first: one.clone(), time: None }),
            [date, time] => Ok(Column { first: date.clone(), time: Some(time.clone()) }),
            _ => Err((key, "must be [\"column\"] or [\"date column\", \"time column\"]".to_owned())),
        };
        let recorded_at = if self.recorded_at.is_empty() {
            None
        } else {
            Some(column("csv.recorded_at".into(), self.recorded_at)?)
        };
        let mut columns = Vec::with_capacity(self.columns.len());
        for (text, names) in self.columns {
            let key = format!("csv.columns.{text}");
            let name = fact(key.clone(), &text)?;
            let column = column(key.clone(), names)?;
            if column.time.is_some() && !matches!(name, FactName::Instant(_)) {
                return Err((key, "is no instant: it has one column".into()));
            }
            columns.push((name, column));
        }
        Ok(Csv {
            delimiter,
            date: self.date,
            time: self.time,
            recorded_at,
            id: self.id,
            sender: self.sender,
            point_of_care: self.point_of_care,
            site: self.site,
            reference: self.reference,
            columns,
        })
    }
}
