//! What a door makes of what is sent, without a server: for `sitrep feed test` a file of HL7 messages, message by message;
//! for the fuzz targets also a body and a FHIR resource. Pure.
//!
//! It shows events with their pseudonyms and the names of fields that are wrong, and nothing else of a message.

use contract::References;
use domain::admission::admit;
use domain::event::Event;
use domain::standard::Standards;
use domain::time::Millis;

use crate::body::{Body, BodyError, Form, Piece};
use crate::fhir;
use crate::hl7::adt::{Surroundings, translate};
use crate::hl7::{Message, messages};

/// A body of more than this is refused here.
const BODY_BYTES: usize = 1 << 20;
/// A body of more events is refused here.
const BODY_EVENTS: usize = 10_000;

/// The events of a post's body that comes in these chunks, each as its bytes; or why nothing of it is taken. `packed`:
/// it is gzip.
pub fn try_body<'c>(
    content_type: &str,
    packed: bool,
    chunks: impl Iterator<Item = &'c [u8]>,
) -> Result<Vec<Vec<u8>>, String> {
    let (form, mut events) = (Form::of(Some(content_type)), Vec::new());
    let mut each = |piece: Piece<'_>| {
        if let Some(fault) = piece.fault().filter(|_| form == Form::Json) {
            return Err(fault);
        }
        events.push(piece.bytes.to_vec());
        Ok(())
    };
    let mut body = Body::new(form, packed, BODY_BYTES, BODY_EVENTS);
    let take = || {
        for chunk in chunks {
            body.push(chunk, &mut each)?;
        }
        body.finish(&mut each)
    };
    take().map_err(|error: BodyError| error.to_string())?;
    Ok(events)
}

/// The events of a FHIR Encounter, or of each in a Bundle; or why one is refused: the outcome, the element and what
/// would be right. What else a Bundle has is passed over.
pub fn try_resource<R: References>(
    bytes: &[u8],
    around: Surroundings<'_, R>,
) -> Vec<Result<Vec<Event<'static>>, String>> {
    let Surroundings { feed, organisations, references, received } = around;
    let told = |fault: fhir::Fault| format!("{}: {fault}", fault.outcome.as_str());
    let each = |bytes: &[u8], recorded| {
        let around = fhir::Surroundings { feed, organisations, references, recorded };
        fhir::translate(bytes, around).map(|translation| translation.events).map_err(told)
    };
    let recorded = received.unwrap_or(Millis(0));
    if !fhir::is_a(bytes, "Bundle").unwrap_or(false) {
        return vec![each(bytes, recorded)];
    }
    match fhir::bundle(bytes) {
        Ok(bundle) => {
            let recorded = bundle.recorded().unwrap_or(recorded);
            let encounters = bundle.entry.0.iter().filter_map(|entry| entry.encounter().ok());
            encounters.map(|bytes| each(bytes, recorded)).collect()
        }
        Err(fault) => vec![Err(told(fault))],
    }
}

/// How many messages there were, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// In the file.
    pub messages: u64,
    /// That would be acknowledged `AA`.
    pub taken: u64,
    /// That would be acknowledged `AR`.
    pub refused: u64,
    /// Made of those taken, heartbeats included.
    pub events: u64,
}

/// Tries every message of a file; what is said of it goes to `say`, line by line.
pub fn try_messages<R: References>(
    file: &[u8],
    around: Surroundings<'_, R>,
    say: &mut impl FnMut(&str),
) -> Totals {
    let mut totals = Totals::default();
    for (line, bytes) in messages(file) {
        totals.messages += 1;
        say(&format!("message {} at line {line}", totals.messages));
        match try_message(bytes, around) {
            Ok((events, left_out)) => {
                totals.taken += 1;
                totals.events += events.len() as u64;
                events.iter().chain(&left_out).for_each(|text| say(&format!("  {text}")));
            }
            Err(why) => {
                totals.refused += 1;
                say(&format!("  refused: {why}"));
            }
        }
    }
    totals
}

/// The events as JSON and what was left out, or why it is refused.
fn try_message<R: References>(
    bytes: &[u8],
    around: Surroundings<'_, R>,
) -> Result<(Vec<String>, Vec<String>), String> {
    let message = Message::scan(bytes).map_err(|error| format!("malformed: {error}"))?;
    let translation =
        translate(&message, around).map_err(|fault| format!("{}: {fault}", fault.outcome.as_str()))?;
    let mut events = Vec::new();
    for event in &translation.events {
        admit(event, around.organisations, &Standards::default())
            .map_err(|(outcome, detail)| format!("{}: {detail}", outcome.as_str()))?;
        let mut json = Vec::new();
        contract::write_json(event, &mut json);
        events.push(String::from_utf8_lossy(&json).into_owned());
    }
    let left_out = translation.left_out.iter().map(|why| format!("left out: {why}")).collect();
    Ok((events, left_out))
}
