//! The plant room: logs of records, checkpoints, configuration, the clock, signals, health, self-metrics, HTTP.
//!
//! It knows nothing of hospitals. It is the only crate that names Kafka, signals and the clock; what an event means,
//! and what is to be done about it, is decided elsewhere.

pub mod access;
pub mod checkpoint;
pub mod clock;
pub mod config;
pub mod folder;
pub mod health;
pub mod http;
pub mod log;
pub mod metrics;
pub mod seal;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
