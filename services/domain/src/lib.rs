//! The pure core of sitrep: what an event does to the figures. Read this page first.
//!
//! It never learns the time but as an argument, never awaits, never logs, reads no file. The shell around it (crates
//! `aggregator`, `alerter`, `board`, `recorder`) tells it events and times, and carries out what it returns.
//!
//! # The path of an event
//!
//! 1. [`event::Event`]: a source states facts about one entity; each fact is absent, retracted or stated. The
//!    `contract` crate has made it of JSON or protobuf.
//! 2. [`admission`]: does it name places and standards that exist, and no instant in the future? If not, it is refused
//!    with exactly one [`event::Outcome`].
//! 3. [`ledger`]: the entity's facts, merged by the one law on which everything rests: for each fact on its own the
//!    statement with the greatest stamp wins (`fact`). An event that makes no statement stand is a duplicate.
//! 4. [`attendance`], [`area`], [`journey`], [`bed`]: from the facts that stand to the clocks and to what the entity adds
//!    to the figures: pure functions. `attendance::FOUR_HOURS` is the line where exactly four hours is within.
//! 5. [`figures`]: the old contribution is taken away and the new one added; the points that this touches are marked
//!    (`dirty`).
//! 6. [`sweep`]: what every window holds and who is in every department at one minute, on every level.
//! 7. [`engine::Engine`]: minutes close by the clock; the newest is published at once, older ones that were touched are
//!    written again. [`replay::Replay`] does the same over a file, all at once.
//!
//! # Vocabulary
//!
//! *Attendance*: one visit to a department. *Journey*: one ambulance's way to a hospital. *Handover*: the ambulance crew
//! hands the patient over. *Breach*: more than four hours. *Org-minute*: all series of one organisation at one minute
//! ([`measures::OrgMinute`]), the unit that is published, restated and stored. *Restatement*: a minute of the past is
//! written again because an event changed it.

pub mod admission;
pub mod alert;
pub mod area;
pub mod attendance;
pub mod bed;
pub mod date;
pub(crate) mod dirty;
pub mod engine;
pub mod escalation;
pub mod event;
pub mod expression;
pub(crate) mod fact;
pub mod figures;
pub mod freshness;
pub mod ids;
pub mod journey;
pub mod ledger;
pub mod measures;
pub mod opel;
pub mod organisations;
pub(crate) mod other;
pub(crate) mod percentile;
pub mod replay;
pub mod returns;
pub mod standard;
pub mod sweep;
pub mod target;
pub mod time;
pub(crate) mod timeline;
