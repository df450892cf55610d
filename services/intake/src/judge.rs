//! What becomes of one event: taken, as the record that goes to its topic, or refused, with the reason (spec 1.7).
//! Pure.

use std::borrow::Cow;

use contract::refusal::{Origin, Refusal};
use contract::{MAX_EVENT_BYTES, topics, write_protobuf};
use domain::admission;
use domain::event::{Event, Outcome, Statement};
use domain::organisations::Organisations;
use domain::standard::Standards;
use domain::time::Millis;
use runtime::access::Grant;
use runtime::log::NewRecord;
use serde::Deserialize;

use crate::body::Piece;
use crate::fhir;
use crate::pseudonym::Pseudonyms;
use crate::token;

/// What an event is judged by.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) organisations: Organisations,
    pub(crate) standards: Standards,
    pub(crate) pseudonyms: Pseudonyms,
}

/// Records and the topics that they go to.
pub type Records = Vec<(&'static str, NewRecord)>;

/// What became of one event.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It goes to that topic.
    Taken(&'static str, NewRecord),
    /// It goes to the refusals.
    Refused(Box<Refusal>),
}

impl Rules {
    /// Judges the bytes of one event in JSON; `now` is when.
    pub(crate) fn judge(&self, piece: Piece<'_>, grant: &Grant, now: Millis) -> Verdict {
        if let Some((length, sha256)) = piece.cut {
            let detail = format!("{length} bytes; an event has at most {MAX_EVENT_BYTES}");
            let source = source_of(piece.bytes);
            let refusal =
                Refusal::new(Outcome::TooLarge, detail, source, piece.bytes, false, Origin::Http, now);
            return Verdict::Refused(Box::new(Refusal { length, sha256, ..refusal }));
        }
        let refused = |outcome, detail: String, source: String| {
            let refusal = Refusal::new(outcome, detail, source, piece.bytes, false, Origin::Http, now);
            Verdict::Refused(Box::new(refusal))
        };
        let event = match contract::parse_json(piece.bytes, &self.pseudonyms) {
            Ok(event) => event,
            Err(error) => return refused(error.outcome, error.detail, source_of(piece.bytes)),
        };
        if let Some(detail) = token::denied(&event, grant, &self.organisations) {
            return refused(Outcome::NotAllowed, detail.to_owned(), event.source.into_owned());
        }
        match self.admit(&event) {
            Ok((topic, record)) => Verdict::Taken(topic, record),
            Err((outcome, detail)) => refused(outcome, detail.to_owned(), event.source.into_owned()),
        }
    }

    /// Judges the bytes of a FHIR Encounter: the records of its events, and what of it was left out. Without a token
    /// nobody is asked for whom it speaks.
    pub(crate) fn judge_encounter(
        &self,
        bytes: &[u8],
        around: fhir::Surroundings<'_, Pseudonyms>,
        grant: Option<&Grant>,
    ) -> Result<(Records, Vec<fhir::LeftOut>), fhir::Fault> {
        let translation = fhir::translate(bytes, around)?;
        let mut records = Vec::with_capacity(translation.events.len());
        for event in &translation.events {
            let denied = grant.and_then(|grant| token::denied(event, grant, &self.organisations));
            let admitted = match denied {
                Some(detail) => Err((Outcome::NotAllowed, detail)),
                None => self.admit(event),
            };
            let record = admitted.map_err(|(outcome, detail)| fhir::Fault {
                outcome,
                expression: "Encounter".to_owned(),
                what: detail.into(),
            })?;
            records.push(record);
        }
        Ok((records, translation.left_out))
    }

    /// Judges an event that a door has made: the record and its topic, or the outcome and what is wrong.
    pub(crate) fn admit(&self, event: &Event<'_>) -> Result<(&'static str, NewRecord), admission::Refusal> {
        admission::admit(event, &self.organisations, &self.standards)?;
        Ok(record_of(event))
    }
}

/// An event as the record of its topic.
pub fn record_of(event: &Event<'_>) -> (&'static str, NewRecord) {
    let (topic, key) = address(event);
    // Most events fit.
    let mut value = Vec::with_capacity(160);
    write_protobuf(event, &mut value);
    (topic, NewRecord { key: key.as_bytes().to_vec(), value, protobuf: true, partition: None })
}

/// The topic of an event and its key there (spec 4.3).
fn address<'a>(event: &'a Event<'_>) -> (&'static str, &'a str) {
    match &event.statement {
        Statement::Attendance(attendance) => (topics::EVENTS, &attendance.site),
        Statement::Ambulance(journey) => (topics::EVENTS, &journey.service),
        Statement::Beds(beds) => (topics::EVENTS, &beds.site),
        Statement::Heartbeat => (topics::EVENTS, &event.source),
        Statement::Standard(one) => (topics::RETURNS, &one.org),
        Statement::Escalation(one) => (topics::RETURNS, &one.org),
    }
}

/// The refusal's key: the source that bytes name which are no event; empty where they name none that could be one.
fn source_of(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        source: Cow<'a, str>,
    }
    let is_source = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
    };
    let named = serde_json::from_slice::<Named<'_>>(bytes).ok();
    named.map(|named| named.source.into_owned()).filter(|source| is_source(source)).unwrap_or_default()
}
