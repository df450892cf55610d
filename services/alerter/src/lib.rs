//! The bleep: judges each newest minute by the rules and tells people when something stays wrong, and when it is over
//! (spec 3).
//!
//! [`rules`] reads what is watched; [`service::Alerter`] holds the episodes and what is still to be told: it is told the
//! minutes and the time and returns what to send; [`notify`] sends; [`run`] is the loop that reads the log, keeps the
//! checkpoint and hands the sending to the async runtime; [`trial`] tries rules on written figures. What an episode is, is `domain::alert`.

pub mod config;
pub mod metrics;
pub mod notify;
pub mod rules;
pub mod run;
mod saved;
pub mod service;
#[cfg(test)]
mod testing;
pub mod trial;
