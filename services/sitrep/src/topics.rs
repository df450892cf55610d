//! How the topics must be set up (spec 4.3).

use std::time::Duration;

use contract::topics::{ALERTS, BACKFILL, CONTROL, EVENTS, MEASURES, REFUSALS, RETURNS};
use runtime::log::TopicSetup;

const fn days(days: u64) -> Option<Duration> {
    Some(Duration::from_secs(days * 86_400))
}

/// The events must reach back so many days beyond the horizon: a fresh ledger is read from there.
pub(crate) const BEFORE_HORIZON_DAYS: u64 = aggregator::pipeline::BEFORE_HORIZON_DAYS as u64;

/// Every topic. `horizon_days`: events are kept for longer by [`BEFORE_HORIZON_DAYS`], measures by a day.
pub(crate) fn all(partitions: u32, horizon_days: u64) -> Vec<TopicSetup> {
    let topic =
        |name, partitions, retention, append_time| TopicSetup { name, partitions, retention, append_time };
    vec![
        topic(EVENTS, partitions, days(horizon_days + BEFORE_HORIZON_DAYS), true),
        topic(RETURNS, partitions, None, true),
        topic(MEASURES, partitions, days(horizon_days + 1), false),
        topic(BACKFILL, partitions, days(horizon_days + 1), false),
        topic(ALERTS, 1, None, false),
        topic(REFUSALS, 1, days(14), false),
        topic(CONTROL, 1, None, false),
    ]
}
