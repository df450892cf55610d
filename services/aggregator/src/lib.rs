//! The ward board: reads events from the log, keeps the ledger (crate `domain`), publishes org-minutes. Also the same
//! over a file (`sitrep replay`) and over the log once (`sitrep aggregate --backfill`).
//!
//! It decides nothing about figures: it is the shell that reads clocks, logs and checkpoints and tells the engine.

pub mod backfill;
pub mod config;
mod intake;
pub mod metrics;
pub mod pipeline;
pub mod replay;
