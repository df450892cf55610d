//! The front door: takes events over HTTP and HL7 v2 over MLLP, refuses what cannot be one, and answers when the log has
//! the rest.
//!
//! ```text
//!  POST /v1/events ─ token ─ body (gzip, array, NDJSON) ─ each event: judge ─┬─ taken ───▶ events.v1, returns.v1 ─┐
//!  MLLP ─ frame ─ HL7 v2 ─ feed ─ its events ─────────────────────────────────┴─ refused ─▶ refusals.v1 ───────────┴─▶ answer
//! ```
//!
//! Responsible for: references become pseudonyms here and go no further; each event read gets exactly one outcome, and
//! one bad event never stops the good ones; nothing is answered before the log has it durably. It holds no state, has
//! no ledger and no log time: whether an event is a duplicate or too late is the aggregator's to say (spec 1.7).
//!
//! What a sender's places, codes and fields mean is data: a [`feed`], shared by every door but JSON.

mod body;
mod desk;
pub mod extract;
pub mod feed;
mod fhir;
pub mod hl7;
mod http;
mod judge;
pub mod metrics;
pub mod mllp;
pub mod pseudonym;
pub mod retry;
mod shares;
mod token;
pub mod trial;

pub use http::{Intake, IntakeState, Limits, router, watch_log};
pub use judge::{Records, record_of};
pub use shares::{Alarm, Shares};
