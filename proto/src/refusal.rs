//! Refusals: what was refused, kept whole with reason and provenance, so that it can be sent again after a repair
//! (spec 1.7; `proto/sitrep/v1/refusal.proto`). The bytes may name a patient: they go to the refusals topic only.

use domain::event::Outcome;
use domain::time::Millis;
use prost::Message;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::DecodeError;
use crate::event::MAX_EVENT_BYTES;
use crate::generated::{self, RefusalReason, refusal};

/// One refused event. `Debug` shows no bytes of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why; never [`Outcome::Accepted`] or [`Outcome::Duplicate`].
    pub reason: Outcome,
    /// What is wrong, where, and what would be right; never a value of the event.
    pub detail: String,
    /// The feed; empty where it could not be read.
    pub source: String,
    /// The refused bytes, at most the first 64 KiB; where [`Refusal::sealed`], what they were sealed to.
    pub bytes: Vec<u8>,
    /// How many bytes the whole had.
    pub length: u64,
    /// SHA-256 of the whole.
    pub sha256: [u8; 32],
    /// Where it came from.
    pub origin: Origin,
    /// When it was refused.
    pub at: Millis,
    /// Whether the bytes are protobuf and not JSON.
    pub protobuf: bool,
    /// Whether only the holder of a private key can read the bytes.
    pub sealed: bool,
    /// When it was recorded, where what it came in (a FHIR Bundle) said so and it may not itself.
    pub recorded: Option<Millis>,
}

/// Where a refused event came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Read from the log.
    Log {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset.
        offset: u64,
    },
    /// `POST /v1/events`.
    Http,
    /// HL7 v2 over MLLP.
    Mllp,
    /// FHIR.
    Fhir,
}

impl Refusal {
    /// Keeps the first 64 KiB of `whole`, its length and its digest.
    pub fn new(
        reason: Outcome,
        detail: String,
        source: String,
        whole: &[u8],
        protobuf: bool,
        origin: Origin,
        at: Millis,
    ) -> Refusal {
        let bytes = whole[..whole.len().min(MAX_EVENT_BYTES)].to_vec();
        let (length, sha256) = (whole.len() as u64, Sha256::digest(whole).into());
        let (sealed, recorded) = (false, None);
        Refusal { reason, detail, source, bytes, length, sha256, origin, at, protobuf, sealed, recorded }
    }

    /// The same with its bytes sealed by `seal`.
    pub fn sealed_by(self, seal: impl FnOnce(&[u8]) -> Vec<u8>) -> Refusal {
        Refusal { bytes: seal(&self.bytes), sealed: true, ..self }
    }

    /// Whether the bytes are all that was refused: what was cut off cannot be sent again.
    pub fn is_whole(&self) -> bool {
        self.length <= MAX_EVENT_BYTES as u64
    }
}

impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal")
            .field("reason", &self.reason)
            .field("detail", &self.detail)
            .field("source", &self.source)
            .field("length", &self.length)
            .field("origin", &self.origin)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Appends a refusal as protobuf.
///
/// An outcome that is no refusal is written as an unspecified reason, which [`decode`] refuses.
pub fn encode(refusal: &Refusal, out: &mut Vec<u8>) {
    let origin = match &refusal.origin {
        Origin::Log { topic, partition, offset } => refusal::Origin::Log(generated::LogPosition {
            topic: topic.clone(),
            partition: *partition,
            offset: *offset,
        }),
        Origin::Http => refusal::Origin::Door(generated::Door::Http.into()),
        Origin::Mllp => refusal::Origin::Door(generated::Door::Mllp.into()),
        Origin::Fhir => refusal::Origin::Door(generated::Door::Fhir.into()),
    };
    let message = generated::Refusal {
        reason: reason_number(refusal.reason).into(),
        detail: refusal.detail.clone(),
        source: refusal.source.clone(),
        bytes: refusal.bytes.clone(),
        length: refusal.length,
        sha256: refusal.sha256.to_vec(),
        at_ms: refusal.at.0,
        protobuf: refusal.protobuf,
        sealed: refusal.sealed,
        recorded_at_ms: refusal.recorded.map(|recorded| recorded.0),
        origin: Some(origin),
    };
    out.reserve(message.encoded_len());
    message.encode_raw(out);
}

/// Reads a refusal.
pub fn decode(bytes: &[u8]) -> Result<Refusal, DecodeError> {
    let message = generated::Refusal::decode(bytes)?;
    let origin = match message.origin {
        Some(refusal::Origin::Log(log)) => {
            Origin::Log { topic: log.topic, partition: log.partition, offset: log.offset }
        }
        Some(refusal::Origin::Door(door)) => match generated::Door::try_from(door) {
            Ok(generated::Door::Http) => Origin::Http,
            Ok(generated::Door::Mllp) => Origin::Mllp,
            Ok(generated::Door::Fhir) => Origin::Fhir,
            Ok(generated::Door::Unspecified) | Err(_) => return Err(DecodeError::Field("door")),
        },
        None => return Err(DecodeError::Field("origin")),
    };
    Ok(Refusal {
        reason: reason_of(message.reason).ok_or(DecodeError::Field("reason"))?,
        detail: message.detail,
        source: message.source,
        bytes: message.bytes,
        length: message.length,
        sha256: message.sha256.try_into().map_err(|_| DecodeError::Field("sha256"))?,
        origin,
        at: Millis(message.at_ms),
        protobuf: message.protobuf,
        sealed: message.sealed,
        recorded: message.recorded_at_ms.map(Millis),
    })
}

fn reason_number(outcome: Outcome) -> RefusalReason {
    match outcome {
        Outcome::TooLarge => RefusalReason::TooLarge,
        Outcome::Malformed => RefusalReason::Malformed,
        Outcome::NotAllowed => RefusalReason::NotAllowed,
        Outcome::UnknownPlace => RefusalReason::UnknownPlace,
        Outcome::UnknownStandard => RefusalReason::UnknownStandard,
        Outcome::FutureDated => RefusalReason::FutureDated,
        Outcome::TooLate => RefusalReason::TooLate,
        Outcome::Accepted | Outcome::Duplicate => RefusalReason::Unspecified,
    }
}

fn reason_of(number: i32) -> Option<Outcome> {
    Outcome::ALL
        .iter()
        .copied()
        .find(|outcome| outcome.is_refused() && reason_number(*outcome) as i32 == number)
}

/// A summary that may be shown: without the refused bytes, which may name a patient.
pub fn to_json(refusal: &Refusal) -> Json {
    let origin = match &refusal.origin {
        Origin::Log { topic, partition, offset } => {
            json!({ "topic": topic, "partition": partition, "offset": offset })
        }
        Origin::Http => "http".into(),
        Origin::Mllp => "mllp".into(),
        Origin::Fhir => "fhir".into(),
    };
    json!({
        "reason": refusal.reason.as_str(),
        "detail": refusal.detail,
        "source": refusal.source,
        "length": refusal.length,
        "sha256": refusal.sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "origin": origin,
        "at_ms": refusal.at.0,
        "protobuf": refusal.protobuf,
        "sealed": refusal.sealed,
    })
}
