//! The front door: takes events over HTTP, refuses what cannot be one, and answers when the log has the rest.
//!
//! ```text
//!  POST /v1/events ─ token ─ body (gzip, array, NDJSON) ─ each event: judge ─┬─ taken ───▶ events.v1, returns.v1 ─┐
//!                                                                            └─ refused ─▶ refusals.v1 ───────────┴─▶ answer
//! ```
//!
//! Responsible for: references become pseudonyms here and go no further; each event read gets exactly one outcome, and
//! one bad event never stops the good ones; nothing is answered before the log has it durably. It holds no state, has
//! no ledger and no log time: whether an event is a duplicate or too late is the aggregator's to say (spec 1.7).
//!
//! HL7 v2 and FHIR are further doors, to be built beside this one.

mod body;
mod desk;
pub mod extract;
pub mod feed;
pub mod hl7;
mod http;
mod judge;
pub mod metrics;
pub mod mllp;
pub mod pseudonym;
mod shares;
mod token;
pub mod trial;

pub use http::{Intake, IntakeState, Limits, router, watch_log};
pub use judge::record_of;
pub use shares::{Alarm, Shares};
