//! JSON events: the authority on what is one, with errors that say where, and the writer.
//! `plain` is the fast way for the common form; whatever it does not understand is judged here.

pub(crate) mod plain;

use std::borrow::Cow;
use std::fmt;

use domain::event::Event;
use domain::time::{Millis, Second, rfc3339};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::event::fields::Field;
use crate::event::reading::{self, Choice, Reading};
use crate::event::telling::{self, Telling};
use crate::event::{Complaint, References, Refused, incomplete};

/// 2000-01-01 and 2100-01-01 as days since 1970-01-01.
pub(crate) const DAYS: std::ops::Range<u32> = 10_957..47_482;

pub(crate) const INSTANT: &str =
    "must be an instant of 2000 to 2099: YYYY-MM-DDThh:mm:ss with an offset such as Z or +01:00";
pub(crate) const DATE: &str = "must be a date of 2000 to 2099: YYYY-MM-DD";

/// Reads an event from one JSON text.
pub(crate) fn read<'a>(text: &'a str, refs: &impl References) -> Result<Event<'a>, Refused> {
    // Its messages are fixed texts with line and column: the tree below takes any value.
    let tree: Json<'a> =
        serde_json::from_str(text).map_err(|error| Refused::malformed(format!("not JSON: {error}")))?;
    Ok(reading::event(&mut Tree(tree), refs)?)
}

/// Any JSON value; numbers only as far as events use them.
#[derive(Debug)]
enum Json<'a> {
    Null,
    Flag(bool),
    Whole(u64),
    /// Negative, with a fraction or an exponent, or beyond 64 bits.
    OtherNumber,
    Text(Cow<'a, str>),
    List,
    Object(Vec<(Json<'a>, Json<'a>)>),
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json<'de>, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Json::Object(pairs))
    }
}

/// Stands at a value of the tree, which is taken away as it is read.
struct Tree<'a>(Json<'a>);

impl<'a> Tree<'a> {
    fn take(&mut self) -> Json<'a> {
        std::mem::replace(&mut self.0, Json::Null)
    }
}

impl<'a> Reading<'a> for Tree<'a> {
    type Error = Complaint;

    fn wrong(&self, what: &'static str) -> Complaint {
        Complaint::new(what)
    }

    fn null(&mut self) -> bool {
        matches!(self.0, Json::Null)
    }

    fn text(&mut self) -> Result<Cow<'a, str>, Complaint> {
        match self.take() {
            Json::Text(text) => Ok(text),
            _ => Err(Complaint::new("must be text")),
        }
    }

    fn millis(&mut self) -> Result<Millis, Complaint> {
        match self.take() {
            Json::Text(text) => rfc3339(text.as_bytes()).ok_or_else(|| Complaint::new(INSTANT)),
            _ => Err(Complaint::new(INSTANT)),
        }
    }

    fn second(&mut self) -> Result<Second, Complaint> {
        self.millis().map(Millis::second)
    }

    fn date(&mut self) -> Result<u32, Complaint> {
        match self.take() {
            Json::Text(text) => date(text.as_bytes()).ok_or_else(|| Complaint::new(DATE)),
            _ => Err(Complaint::new(DATE)),
        }
    }

    fn flag(&mut self) -> Result<bool, Complaint> {
        match self.0 {
            Json::Flag(flag) => Ok(flag),
            _ => Err(Complaint::new("must be true or false")),
        }
    }

    fn whole(&mut self) -> Result<u64, Complaint> {
        match self.0 {
            Json::Whole(number) => Ok(number),
            _ => Err(Complaint::new("must be a whole number, written without quotes, fraction or exponent")),
        }
    }

    fn choice<T: Choice>(&mut self) -> Result<T, Complaint> {
        match self.take() {
            Json::Text(text) => T::from_text(&text).ok_or_else(|| Complaint::new(T::EXPECTED)),
            _ => Err(Complaint::new(T::EXPECTED)),
        }
    }

    fn object<F: Field>(
        &mut self,
        mut each: impl FnMut(&mut Self, F) -> Result<(), Complaint>,
    ) -> Result<(), Complaint> {
        let Json::Object(pairs) = self.take() else {
            return Err(Complaint::new("must be an object"));
        };
        let mut seen = 0u64;
        for (index, (key, value)) in pairs.into_iter().enumerate() {
            let field = match &key {
                Json::Text(name) => F::from_name(name),
                _ => None,
            };
            let field = field.ok_or_else(|| unknown::<F>(index + 1))?;
            if seen >> field.number() & 1 == 1 {
                return Err(Complaint::new("stands twice in one object").inside(field.name()));
            }
            seen |= 1 << field.number();
            self.0 = value;
            each(self, field).map_err(|complaint| complaint.inside(field.name()))?;
        }
        incomplete::<F>(seen).map_or(Ok(()), |what| Err(Complaint::new(what)))
    }
}

/// The name of an unknown field is not repeated: it could be anything, a patient's number too.
fn unknown<F: Field>(position: usize) -> Complaint {
    if F::ALL.is_empty() {
        return Complaint::new("must be {}");
    }
    let known: Vec<&str> = F::ALL.iter().map(|(_, name)| *name).collect();
    Complaint::new(format!("key number {position} is unknown; the keys are {}", known.join(", ")))
}

/// Reads `YYYY-MM-DD` as days since 1970-01-01, within 2000–2099.
pub(crate) fn date(text: &[u8]) -> Option<u32> {
    let mut midnight = *b"YYYY-MM-DDT00:00:00Z";
    midnight[..10].copy_from_slice(<&[u8; 10]>::try_from(text).ok()?);
    rfc3339(&midnight).map(|millis| millis.second().0 / 86_400)
}

/// Appends the event as one line of JSON, without its newline.
pub(crate) fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    telling::event(&mut Line { out }, event);
    out.push(b'}');
}

struct Line<'o> {
    out: &'o mut Vec<u8>,
}

impl Line<'_> {
    fn key(&mut self, field: impl Field) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(field.name().as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b'"');
        write(self.out);
        self.out.push(b'"');
    }
}

impl Telling for Line<'_> {
    fn text(&mut self, field: impl Field, text: &str) {
        self.key(field);
        let plain =
            text.bytes().fold(true, |plain, byte| plain & (byte > 0x1f) & (byte != b'"') & (byte != b'\\'));
        self.quoted(|out| match plain {
            true => out.extend_from_slice(text.as_bytes()),
            false => text.bytes().for_each(|byte| escape(byte, out)),
        });
    }

    fn millis(&mut self, field: impl Field, instant: Millis) {
        self.key(field);
        self.quoted(|out| {
            write_instant(instant.second(), out);
            let millis = instant.0.rem_euclid(1000) as u32;
            if millis != 0 {
                let end = out.len() - 1;
                out[end] = b'.';
                out.extend([digit(millis / 100), digit(millis / 10), digit(millis), b'Z']);
            }
        });
    }

    fn second(&mut self, field: impl Field, instant: Second) {
        self.key(field);
        self.quoted(|out| write_instant(instant, out));
    }

    fn date(&mut self, field: impl Field, days: u32) {
        self.key(field);
        self.quoted(|out| write_date(days, out));
    }

    fn flag(&mut self, field: impl Field, flag: bool) {
        self.key(field);
        self.out.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    fn whole(&mut self, field: impl Field, mut number: u64) {
        self.key(field);
        let start = self.out.len();
        loop {
            self.out.push(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.out[start..].reverse();
    }

    fn choice(&mut self, field: impl Field, choice: impl Choice) {
        self.text(field, choice.text());
    }

    fn null(&mut self, field: impl Field) {
        self.key(field);
        self.out.extend_from_slice(b"null");
    }

    fn object(&mut self, field: impl Field, inside: impl FnOnce(&mut Self)) {
        self.key(field);
        self.out.push(b'{');
        inside(self);
        self.out.push(b'}');
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' | b'\\' => out.extend([b'\\', byte]),
        0..=0x1f => {
            out.extend_from_slice(b"\\u00");
            out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        _ => out.push(byte),
    }
}

fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

/// `YYYY-MM-DDThh:mm:ssZ`
fn write_instant(instant: Second, out: &mut Vec<u8>) {
    write_date(instant.0 / 86_400, out);
    let second = instant.0 % 86_400;
    for (separator, number) in [(b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
        out.extend([separator, digit(number / 10), digit(number)]);
    }
    out.push(b'Z');
}

/// `YYYY-MM-DD`, by the civil calendar with years that begin in March, so that leap days come last.
fn write_date(days: u32, out: &mut Vec<u8>) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u32::from(month <= 2);
    out.extend([digit(year / 1000), digit(year / 100), digit(year / 10), digit(year)]);
    out.extend([b'-', digit(month / 10), digit(month), b'-', digit(day / 10), digit(day)]);
}
