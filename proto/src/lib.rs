//! The contract: what may be said between rooms, and the only translators between wire forms and domain types.
//!
//! An event ([`event`]) comes as JSON or as protobuf and becomes a [`domain::event::Event`]; org-minutes
//! ([`measure`]), alerts ([`alert`]) and refusals ([`refusal`]) travel as protobuf and are shown as JSON. The messages
//! are in `proto/sitrep/v1/*.proto`, one example of each in `proto/golden/`. Fields are added, never changed or used
//! again.
//!
//! What is *not* here: whether a code is an organisation, whether a standard is configured, whether an event is too
//! late. That needs a table or a ledger, and is the intake's and the aggregator's business.

pub mod alert;
pub mod configuration;
pub mod event;
mod event_json;
mod event_protobuf;
pub mod measure;
pub mod organisations;
pub mod refusal;
pub mod topics;
mod wire;

/// The messages as prost generates them from `proto/sitrep/v1`: for tests and tools, which compare with them.
#[doc(hidden)]
#[rustfmt::skip]
#[path = "gen/sitrep.v1.rs"]
pub mod generated;

pub use event::{
    Hashed, MAX_EVENT_BYTES, References, Refused, Required, parse_json, parse_protobuf, write_json,
    write_protobuf,
};

/// The contract's version: what is computed from the same events changes only with it. In the hash of the configuration,
/// so that a ledger of another version is built again from the log (spec 2.6).
pub const VERSION: &str = "2";

/// The description of every HTTP route of sitrep (spec 4.2), OpenAPI 3.1 as JSON.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Why bytes are not a record of ours. The sender is one of our own services, so this is a fault, not an outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not a protobuf message of this form.
    #[error("not a protobuf message of this form")]
    Broken,
    /// The record is of a kind that this version does not know, or of none.
    #[error("a record of a kind that this version does not know")]
    UnknownRecord,
    /// A field holds what it must not hold.
    #[error("field {0} is missing or holds a value that this version does not know")]
    Field(&'static str),
}

impl From<prost::DecodeError> for DecodeError {
    fn from(_: prost::DecodeError) -> DecodeError {
        DecodeError::Broken
    }
}

impl From<wire::Broken> for DecodeError {
    fn from(_: wire::Broken) -> DecodeError {
        DecodeError::Broken
    }
}
