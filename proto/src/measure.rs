//! Org-minutes and marks: the values of the measures topics (spec 2.6, 4.3; `proto/sitrep/v1/measure.proto`).
//! Written and read without the generated types: an aggregator writes millions of them after a restart.

use domain::event::Category;
use domain::measures::{
    Freshness, MAX_FIELDS, Measure, Number, OrgMinute, Revision, Series, SeriesKey, Tag, TypeTag, Window,
};
use domain::organisations::Level;
use domain::time::Minute;
use serde_json::{Map, Value as Json, json};

use crate::DecodeError;
use crate::generated;
use crate::wire::{self, Broken, Fields, Value};

/// A value of a measures topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeasureRecord {
    /// Figures of one organisation at one minute.
    OrgMinute(OrgMinute),
    /// A publisher has started: after it an older epoch is ignored in its partition.
    Mark {
        /// The epoch of the publisher.
        epoch: u64,
    },
}

/// Appends a record as protobuf.
pub fn encode(record: &MeasureRecord, out: &mut Vec<u8>) {
    match record {
        MeasureRecord::OrgMinute(minute) => encode_org_minute(minute, out),
        MeasureRecord::Mark { epoch } => {
            wire::put_message(2, out, |out| wire::put_number(1, *epoch, out));
        }
    }
}

/// Appends a record of an org-minute as protobuf: about 12 bytes a series and 2 a value.
pub fn encode_org_minute(minute: &OrgMinute, out: &mut Vec<u8>) {
    wire::put_message(1, out, |out| {
        wire::put_number(1, level_number(minute.level), out);
        wire::put_bytes(2, minute.org.as_bytes(), out);
        wire::put_number(3, u64::from(minute.minute.0), out);
        wire::put_number(4, minute.revision.epoch, out);
        wire::put_number(5, u64::from(minute.revision.n), out);
        wire::put_number(6, u64::from(minute.freshness.stale), out);
        if let Some(age) = minute.freshness.age_seconds {
            wire::put_number(7, u64::from(age), out);
        }
        wire::put_number(8, u64::from(minute.restated), out);
        for series in &minute.series {
            wire::put_message(9, out, |out| put_series(series, out));
        }
    });
}

fn put_series(series: &Series, out: &mut Vec<u8>) {
    wire::put_number(1, series.key.measure as u64, out);
    if let Tag::Type(tag) = series.key.tag {
        wire::put_number(2, tag as u64, out);
    }
    if let Some(window) = series.key.window {
        wire::put_number(3, u64::from(window.number()), out);
    }
    let length = series.values.iter().rposition(|value| *value != 0).map_or(0, |last| last + 1);
    if length > 0 {
        wire::put_message(4, out, |out| {
            series.values[..length].iter().for_each(|value| wire::put_varint(wire::zigzag(*value), out));
        });
    }
    match &series.key.tag {
        Tag::None | Tag::Type(_) => {}
        Tag::Category(category) => wire::put_number(5, *category as u64 + 1, out),
        Tag::Text(text) => wire::put_bytes(6, text.as_str().as_bytes(), out),
    }
}

/// Reads a record. Series of a measure, type or number of fields that this version does not know are left out or
/// cut: an older reader survives a newer writer.
pub fn decode(bytes: &[u8]) -> Result<MeasureRecord, DecodeError> {
    let mut fields = Fields::of(bytes);
    let mut record = None;
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => record = Some(MeasureRecord::OrgMinute(org_minute(bytes)?)),
            (2, Value::Bytes(bytes)) => record = Some(MeasureRecord::Mark { epoch: mark(bytes)? }),
            _ => (),
        }
    }
    record.ok_or(DecodeError::UnknownRecord)
}

fn mark(bytes: &[u8]) -> Result<u64, DecodeError> {
    let mut fields = Fields::of(bytes);
    let mut epoch = 0;
    while let Some((number, value)) = fields.next()? {
        if let (1, Value::Varint(value)) = (number, value) {
            epoch = value;
        }
    }
    Ok(epoch)
}

fn org_minute(bytes: &[u8]) -> Result<OrgMinute, DecodeError> {
    let mut level = None;
    let mut org = String::new();
    let mut minute = Minute(0);
    let mut revision = Revision::default();
    let mut freshness = Freshness::default();
    let mut restated = false;
    let mut series = Vec::new();
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Varint(number)) => level = level_of(number),
            (2, Value::Bytes(bytes)) => org = text(bytes, "org")?,
            (3, Value::Varint(number)) => minute = Minute(narrow(number, "minute")?),
            (4, Value::Varint(number)) => revision.epoch = number,
            (5, Value::Varint(number)) => revision.n = narrow(number, "n")?,
            (6, Value::Varint(flag)) => freshness.stale = flag != 0,
            (7, Value::Varint(age)) => freshness.age_seconds = Some(narrow(age, "age_seconds")?),
            (8, Value::Varint(flag)) => restated = flag != 0,
            (9, Value::Bytes(bytes)) => series.extend(one_series(bytes)?),
            _ => (),
        }
    }
    let level = level.ok_or(DecodeError::Field("level"))?;
    if org.is_empty() {
        return Err(DecodeError::Field("org"));
    }
    Ok(OrgMinute { level, org, minute, revision, freshness, restated, series })
}

fn one_series(bytes: &[u8]) -> Result<Option<Series>, DecodeError> {
    let (mut measure, mut window) = (None, None);
    // A value of a tag that a newer writer has and we do not.
    let (mut tag, mut known) = (Tag::None, true);
    let mut values = [0; MAX_FIELDS];
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Varint(number)) => measure = u32::try_from(number).ok().and_then(Measure::from_number),
            (2, Value::Varint(number)) => match u32::try_from(number).ok().and_then(TypeTag::from_number) {
                Some(one) => tag = one.into(),
                None => known = false,
            },
            (3, Value::Varint(number)) => window = Some(narrow(number, "window")?),
            (4, value) => {
                let mut places = values.iter_mut();
                wire::each_varint(value, |number| {
                    // A field that a newer writer has and we do not is dropped.
                    if let Some(place) = places.next() {
                        *place = wire::unzigzag(number);
                    }
                    Ok::<(), Broken>(())
                })?;
            }
            (5, Value::Varint(number)) => match category(number) {
                Some(one) => tag = one.into(),
                None => known = false,
            },
            (6, Value::Bytes(bytes)) => match Tag::text(&text(bytes, "series")?) {
                Some(one) => tag = one,
                None => return Err(DecodeError::Field("series")),
            },
            _ => (),
        }
    }
    let Some(measure) = measure.filter(|_| known) else { return Ok(None) };
    let definition = measure.definition();
    values[definition.fields.len()..].fill(0);
    let key = SeriesKey { measure, tag, window: window.map(Window::from_number) };
    if !key.is_sound() {
        return Err(DecodeError::Field("series"));
    }
    Ok(Some(Series { key, values }))
}

fn category(number: u64) -> Option<Category> {
    Category::ALL.iter().copied().find(|category| *category as u64 + 1 == number)
}

fn text(bytes: &[u8], field: &'static str) -> Result<String, DecodeError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| DecodeError::Field(field))
}

fn narrow(number: u64, field: &'static str) -> Result<u32, DecodeError> {
    u32::try_from(number).map_err(|_| DecodeError::Field(field))
}

pub(crate) fn level_number(level: Level) -> u64 {
    let number = match level {
        Level::Site => generated::Level::Site,
        Level::Service => generated::Level::Service,
        Level::Trust => generated::Level::Trust,
        Level::System => generated::Level::System,
        Level::Region => generated::Level::Region,
        Level::Nation => generated::Level::Nation,
        Level::Group => generated::Level::Group,
    };
    number as u64
}

pub(crate) fn level_of(number: u64) -> Option<Level> {
    Level::ALL.into_iter().find(|level| level_number(*level) == number)
}

/// The org-minute as people and browsers read it: fields by name, the minute in RFC 3339.
pub fn to_json(minute: &OrgMinute) -> Json {
    json!({
        "level": minute.level.as_str(),
        "org": minute.org,
        "minute": minute.minute.to_string(),
        "revision": { "epoch": minute.revision.epoch, "n": minute.revision.n },
        "stale": minute.freshness.stale,
        "age_seconds": minute.freshness.age_seconds,
        "restated": minute.restated,
        "series": minute.series.iter().map(series_json).collect::<Vec<_>>(),
    })
}

fn series_json(series: &Series) -> Json {
    let mut object = Map::new();
    object.insert("measure".into(), series.key.measure.as_str().into());
    for (name, text) in series.key.tags() {
        object.insert(name.into(), text.into());
    }
    if let Some(window) = series.key.window {
        object.insert("window".into(), window.to_string().into());
    }
    let values: Map<String, Json> =
        series.fields().map(|(field, value)| (field.name.to_owned(), number(field.number(value)))).collect();
    object.insert("values".into(), values.into());
    object.into()
}

/// A number as JSON has it.
fn number(number: Number) -> Json {
    match number {
        Number::Integer(value) => value.into(),
        Number::Float(value) => value.into(),
    }
}
