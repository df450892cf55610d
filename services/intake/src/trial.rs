//! What a feed makes of a file of HL7 messages, message by message: `sitrep feed test`. Pure.
//!
//! It shows events with their pseudonyms and the names of fields that are wrong, and nothing else of a message.

use contract::References;
use domain::admission::admit;
use domain::event::Event;
use domain::standard::Standards;
use domain::time::Millis;

use crate::hl7::adt::{Surroundings, translate};
use crate::hl7::{Message, messages};

/// The events of one FHIR Encounter, or why it is refused: the outcome, the element and what would be right.
pub fn try_encounter<R: References>(
    bytes: &[u8],
    around: Surroundings<'_, R>,
) -> Result<Vec<Event<'static>>, String> {
    let recorded = around.received.unwrap_or(Millis(0));
    let Surroundings { feed, organisations, references, .. } = around;
    let around = crate::fhir::Surroundings { feed, organisations, references, recorded };
    let translation = crate::fhir::translate(bytes, around)
        .map_err(|fault| format!("{}: {fault}", fault.outcome.as_str()))?;
    Ok(translation.events)
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
