//! An event on the wire (spec 1), as JSON and as protobuf.
//!
//! ```text
//!                     ┌ event_json::plain  one pass over plain JSON, gives up on anything unusual ┐
//!   bytes ─ Reading ──┼ event_json         the authority on JSON: a tree, errors with their path  ├─▶ reading ─▶ Event
//!                     └ event_protobuf     protobuf, borrowed                                     ┘
//! ```
//!
//! `fields` lists names and numbers, `reading` says what each field may hold, `telling` is the reverse. Whether
//! a code is an organisation, whether a standard is configured and how old an event is are judged elsewhere.

pub(crate) mod fields;
#[cfg(test)]
mod properties;
pub(crate) mod reading;
pub(crate) mod telling;

use std::borrow::Cow;

use domain::event::{Event, Outcome};
use domain::ids::Ref;
use xxhash_rust::xxh3::xxh3_128;

use crate::event_json::{self, plain};
use crate::event_protobuf;

/// The longest event, in bytes (spec 1.7, `too_large`).
pub const MAX_EVENT_BYTES: usize = 65_536;

/// How a reference of 1 to 64 bytes becomes the 16 bytes that are kept (spec 1.2, `ref`).
pub trait References {
    /// `place` is the site of an attendance or the service of a journey. `None`: the reference is malformed.
    fn reference(&self, place: &str, text: &str) -> Option<Ref>;
}

/// For files and the demo: 32 hexadecimal digits are a pseudonym already, any other text is hashed with its place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashed;

impl References for Hashed {
    #[inline]
    fn reference(&self, place: &str, text: &str) -> Option<Ref> {
        Required.reference(place, text).or_else(|| hashed(place, text))
    }
}

/// Behind the door (`pseudonyms.required`): only 32 hexadecimal digits will do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Required;

impl References for Required {
    #[inline]
    fn reference(&self, _place: &str, text: &str) -> Option<Ref> {
        Ref::from_hex(text.as_bytes())
    }
}

fn hashed(place: &str, text: &str) -> Option<Ref> {
    let mut bytes = [0x1f; 256];
    let (place, text) = (place.as_bytes(), text.as_bytes());
    let length = place.len() + 1 + text.len();
    bytes.get_mut(..place.len())?.copy_from_slice(place);
    bytes.get_mut(place.len() + 1..length)?.copy_from_slice(text);
    Some(Ref(xxh3_128(&bytes[..length]).to_be_bytes()))
}

/// An event that is refused before anything is looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", outcome.as_str())]
pub struct Refused {
    /// [`Outcome::Malformed`] or [`Outcome::TooLarge`].
    pub outcome: Outcome,
    /// What is wrong, where, and what would be right. Holds names of fields, never a value of the event.
    pub detail: String,
}

impl Refused {
    pub(crate) fn malformed(detail: impl Into<String>) -> Refused {
        Refused { outcome: Outcome::Malformed, detail: detail.into() }
    }
}

/// Reads one event in JSON. Texts borrow from `bytes` where they hold no escapes.
///
/// `bytes` is one JSON object, white space around it allowed.
pub fn parse_json<'a>(bytes: &'a [u8], refs: &impl References) -> Result<Event<'a>, Refused> {
    check_size(bytes)?;
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Refused::malformed(format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    plain::read(text, refs).map_or_else(|| event_json::read(text, refs), Ok)
}

/// Reads one event in protobuf. Texts borrow from `bytes`.
///
/// Fields that this version does not know are left out and added to `unknown_fields` (spec 1); an unknown kind of
/// event is refused. A field that comes twice counts as it came last, but for objects, which may come once only.
pub fn parse_protobuf<'a>(
    bytes: &'a [u8],
    refs: &impl References,
    unknown_fields: &mut u64,
) -> Result<Event<'a>, Refused> {
    check_size(bytes)?;
    event_protobuf::read(bytes, refs, unknown_fields)
}

/// Appends the event as one line of JSON, without its newline. References are 32 hexadecimal digits.
pub fn write_json(event: &Event<'_>, out: &mut Vec<u8>) {
    event_json::write(event, out);
}

/// Appends the event as a protobuf message.
pub fn write_protobuf(event: &Event<'_>, out: &mut Vec<u8>) {
    event_protobuf::write(event, out);
}

fn check_size(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.len() <= MAX_EVENT_BYTES {
        return Ok(());
    }
    let detail = format!("{} bytes; an event has at most {MAX_EVENT_BYTES}", bytes.len());
    Err(Refused { outcome: Outcome::TooLarge, detail })
}

/// What is wrong and where. Boxed: the good case should not carry room for it.
#[derive(Debug)]
pub(crate) struct Complaint(Box<Wrong>);

#[derive(Debug)]
struct Wrong {
    /// The names of the fields from the inside out.
    path: Vec<&'static str>,
    what: Cow<'static, str>,
}

impl Complaint {
    #[cold]
    pub(crate) fn new(what: impl Into<Cow<'static, str>>) -> Complaint {
        Complaint(Box::new(Wrong { path: Vec::new(), what: what.into() }))
    }

    #[cold]
    pub(crate) fn inside(mut self, field: &'static str) -> Complaint {
        self.0.path.push(field);
        self
    }
}

impl From<Complaint> for Refused {
    fn from(Complaint(wrong): Complaint) -> Refused {
        let path: Vec<&str> = wrong.path.iter().rev().copied().collect();
        let place = if path.is_empty() { "the event".to_owned() } else { path.join(".") };
        Refused::malformed(format!("{place}: {}", wrong.what))
    }
}

/// What is wrong with an object that has these fields (bits of their numbers), if anything.
pub(crate) fn incomplete<F: fields::Field>(seen: u64) -> Option<Cow<'static, str>> {
    let missing = F::KEYS & !seen;
    if missing != 0 {
        let name = F::ALL.iter().find(|(number, _)| missing >> number & 1 == 1).map_or("", |(_, name)| name);
        return Some(format!("{name} is missing").into());
    }
    (F::FACTS != 0 && F::FACTS & seen == 0).then_some(F::NO_FACT.into())
}
