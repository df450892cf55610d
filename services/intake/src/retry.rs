//! Refused bytes, judged once more: after a repair of a mapping, a table or a program they may be good. Pure.
//!
//! What was refused because a token may not say it is judged here without a token: whoever asks for it decides that it
//! may come in. The aggregator's rules about the log's time hold here too: what it would refuse again, and keep a second
//! time, is not sent.

use contract::refusal::{Origin, Refusal};
use contract::{Hashed, References, Required, parse_json, parse_protobuf};
use domain::admission::in_time;
use domain::event::{Event, Outcome};
use domain::organisations::Organisations;
use domain::standard::Standards;
use domain::time::Millis;
use runtime::access::Grant;
use runtime::log::NewRecord;

use crate::body::Piece;
use crate::feed::Feed;
use crate::fhir;
use crate::hl7::{Message, adt};
use crate::judge::{Records, Rules, Verdict};
use crate::pseudonym::Pseudonyms;

/// Judges refusals anew, by the present configuration.
pub struct Retry {
    rules: Rules,
    feeds: Vec<Feed>,
    pseudonyms_required: bool,
    horizon_minutes: u32,
}

impl Retry {
    /// `feeds`: of HL7 and FHIR, found by their sources.
    pub fn new(
        organisations: Organisations,
        standards: Standards,
        pseudonyms: Pseudonyms,
        pseudonyms_required: bool,
        horizon_minutes: u32,
        feeds: Vec<Feed>,
    ) -> Retry {
        let rules = Rules { organisations, standards, pseudonyms };
        Retry { rules, feeds, pseudonyms_required, horizon_minutes }
    }

    /// The records that refused bytes become now, or the outcome and what is wrong with them. `bytes` are those of the
    /// refusal, opened where they were sealed; `now` is when the log would take them.
    pub fn judge(&self, refusal: &Refusal, bytes: &[u8], now: Millis) -> Result<Records, (Outcome, String)> {
        let records = self.at_the_door(refusal, bytes)?;
        for (_, record) in &records {
            let event = parse_protobuf(&record.value, &Required, &mut 0).expect("what we wrote is an event");
            in_time(&event, now, self.horizon_minutes)
                .map_err(|(outcome, detail)| (outcome, detail.to_owned()))?;
        }
        Ok(records)
    }

    fn at_the_door(&self, refusal: &Refusal, bytes: &[u8]) -> Result<Records, (Outcome, String)> {
        if !refusal.is_whole() {
            return Err((refusal.reason, "only its first 64 KiB were kept".to_owned()));
        }
        match &refusal.origin {
            Origin::Http => self.json(refusal, bytes),
            Origin::Fhir => self.encounter(refusal, bytes),
            Origin::Mllp => self.message(refusal, bytes),
            Origin::Log { .. } if self.pseudonyms_required => self.of_log(refusal, bytes, &Required),
            Origin::Log { .. } => self.of_log(refusal, bytes, &Hashed),
        }
    }

    fn json(&self, refusal: &Refusal, bytes: &[u8]) -> Result<Records, (Outcome, String)> {
        let everything = Grant::everything("retry");
        match self.rules.judge(Piece::whole(bytes), &everything, refusal.at) {
            Verdict::Taken(topic, record) => Ok(vec![(topic, record)]),
            Verdict::Refused(refusal) => Err((refusal.reason, refusal.detail)),
        }
    }

    fn feed(&self, refusal: &Refusal) -> Result<&Feed, (Outcome, String)> {
        let found = self.feeds.iter().find(|feed| feed.source == refusal.source);
        found.ok_or_else(|| (refusal.reason, "no feed of the configuration has its source".to_owned()))
    }

    fn encounter(&self, refusal: &Refusal, bytes: &[u8]) -> Result<Records, (Outcome, String)> {
        let around = fhir::Surroundings {
            feed: self.feed(refusal)?,
            organisations: &self.rules.organisations,
            references: &self.rules.pseudonyms,
            recorded: refusal.recorded.unwrap_or(refusal.at),
        };
        let judged = self.rules.judge_encounter(bytes, around, None);
        judged.map(|(records, _)| records).map_err(|fault| (fault.outcome, fault.to_string()))
    }

    fn message(&self, refusal: &Refusal, bytes: &[u8]) -> Result<Records, (Outcome, String)> {
        let message = Message::scan(bytes).map_err(|error| (Outcome::Malformed, error.to_string()))?;
        let around = adt::Surroundings {
            feed: self.feed(refusal)?,
            organisations: &self.rules.organisations,
            references: &self.rules.pseudonyms,
            received: Some(refusal.at),
        };
        let translation =
            adt::translate(&message, around).map_err(|fault| (fault.outcome, fault.to_string()))?;
        translation.events.iter().map(|event| self.admitted(event)).collect()
    }

    /// Of the log: a reference is a pseudonym already.
    fn of_log(
        &self,
        refusal: &Refusal,
        bytes: &[u8],
        references: &impl References,
    ) -> Result<Records, (Outcome, String)> {
        let read = if refusal.protobuf {
            parse_protobuf(bytes, references, &mut 0)
        } else {
            parse_json(bytes, references)
        };
        let event = read.map_err(|error| (error.outcome, error.detail))?;
        Ok(vec![self.admitted(&event)?])
    }

    fn admitted(&self, event: &Event<'_>) -> Result<(&'static str, NewRecord), (Outcome, String)> {
        self.rules.admit(event).map_err(|(outcome, detail)| (outcome, detail.to_owned()))
    }
}
