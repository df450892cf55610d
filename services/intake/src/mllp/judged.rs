//! What becomes of frames: the records for the log and what is answered when it has them. Pure.

use contract::refusal::{Origin, Refusal};
use domain::event::Outcome;
use domain::time::Millis;
use runtime::log::NewRecord;

use super::Frame;
use crate::feed::Feed;
use crate::hl7::Message;
use crate::hl7::adt::{LeftOut, Surroundings, is_acknowledgement, translate};
use crate::hl7::answer::{Complaint, Repeated};
use crate::judge::Rules;

/// Frames that were judged and are written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// In the order in which they came.
    pub(super) frames: Vec<Judged>,
    /// What those that are taken become, as records of the events topic.
    pub(super) events: Vec<NewRecord>,
}

/// A frame that was judged.
#[derive(Debug)]
pub(super) struct Judged {
    /// What its acknowledgement repeats; none: it is not answered.
    pub(super) repeated: Option<Repeated>,
    pub(super) verdict: Verdict,
    pub(super) left_out: Vec<LeftOut>,
}

#[derive(Debug)]
pub(super) enum Verdict {
    /// Its events go to the log.
    Taken,
    /// It goes to the refusals, and the sender is told why.
    Refused(Box<(Refusal, Complaint)>),
}

impl Batch {
    /// Judges a frame that came at `now`.
    pub(super) fn judge(&mut self, frame: Frame<'_>, feed: &Feed, rules: &Rules, now: Millis) {
        let before = self.events.len();
        let judged = judge(frame, feed, rules, now, &mut self.events);
        if !matches!(judged.verdict, Verdict::Taken) {
            // All of a message or nothing.
            self.events.truncate(before);
        }
        self.frames.push(judged);
    }
}

fn judge(frame: Frame<'_>, feed: &Feed, rules: &Rules, now: Millis, events: &mut Vec<NewRecord>) -> Judged {
    match frame {
        Frame::Whole(bytes) => whole(bytes, feed, rules, now, events),
        Frame::Broken(bytes) => {
            let repeated = first_line(bytes);
            let text = "the frame has no end: another began before 1C 0D".to_owned();
            let refusal = refusal(Outcome::Malformed, text.clone(), feed, bytes, now);
            refused(Some(repeated), refusal, Complaint::structure(text))
        }
        Frame::TooLarge(head, length, sha256) => {
            let text = format!("the message has {length} bytes: more than mllp.max_frame");
            let mut refusal = refusal(Outcome::TooLarge, text.clone(), feed, head, now);
            (refusal.length, refusal.sha256) = (length, sha256);
            let repeated = first_line(head);
            refused(Some(repeated), refusal, Complaint::structure(text))
        }
    }
}

/// What is no message may still say in its first line to whom the answer belongs.
fn first_line(bytes: &[u8]) -> Repeated {
    let header = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    Message::scan(header).map(|message| Repeated::of(&message)).unwrap_or_default()
}

fn refused(repeated: Option<Repeated>, refusal: Refusal, complaint: Complaint) -> Judged {
    Judged { repeated, verdict: Verdict::Refused(Box::new((refusal, complaint))), left_out: Vec::new() }
}

fn refusal(outcome: Outcome, detail: String, feed: &Feed, bytes: &[u8], now: Millis) -> Refusal {
    Refusal::new(outcome, detail, feed.source.clone(), bytes, false, Origin::Mllp, now)
}

fn whole(bytes: &[u8], feed: &Feed, rules: &Rules, now: Millis, events: &mut Vec<NewRecord>) -> Judged {
    let message = match Message::scan(bytes) {
        Ok(message) => message,
        Err(error) => {
            let repeated = first_line(bytes);
            let refusal = refusal(Outcome::Malformed, error.to_string(), feed, bytes, now);
            return refused(Some(repeated), refusal, Complaint::structure(error.to_string()));
        }
    };
    let repeated = Some(Repeated::of(&message)).filter(|_| !is_acknowledgement(&message));
    let around = Surroundings {
        feed,
        organisations: &rules.organisations,
        references: &rules.pseudonyms,
        received: Some(now),
    };
    let translation = match translate(&message, around) {
        Ok(translation) => translation,
        Err(fault) => {
            let refusal = refusal(fault.outcome, fault.to_string(), feed, bytes, now);
            return refused(repeated, refusal, Complaint::from(&fault));
        }
    };
    for event in &translation.events {
        match rules.admit(event) {
            Ok((_, record)) => events.push(record),
            Err((outcome, detail)) => {
                let refusal = refusal(outcome, detail.to_owned(), feed, bytes, now);
                return refused(repeated, refusal, Complaint::structure(detail.to_owned()));
            }
        }
    }
    Judged { repeated, verdict: Verdict::Taken, left_out: translation.left_out }
}
