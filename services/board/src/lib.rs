//! The wall: shows what the aggregator publishes.
//!
//! Org-minutes come from the measures topic ([`service`]) into an embedded store ([`store`], [`read`]) and into the live
//! picture of the newest minute ([`live`]); a browser gets both over HTTP ([`api`]). What the store keeps for years
//! ([`history`]) becomes situation reports ([`report`]). Nothing is computed here but ratios for showing; nothing is
//! judged.

pub mod alerts;
pub mod api;
pub mod history;
pub mod live;
pub mod metrics;
pub mod read;
pub mod report;
pub mod row;
pub mod service;
pub mod store;
