//! How the topics must be set up (spec 4.3).

use std::time::Duration;

use contract::topics::{ALERTS, BACKFILL, CONTROL, EVENTS, MEASURES, REFUSALS, RETURNS};
use runtime::log::TopicSetup;

const fn days(days: u64) -> Option<Duration> {
    Some(Duration::from_secs(days * 86_400))
}

/// Every topic. `horizon_days`: the events must reach back that long and 21 days more (spec 1.8), measures one day more.
pub(crate) fn all(partitions: u32, horizon_days: u64) -> Vec<TopicSetup> {
    let topic =
        |name, partitions, retention, append_time| TopicSetup { name, partitions, retention, append_time };
    vec![
        topic(EVENTS, partitions, days(horizon_days + 21), true),
        topic(RETURNS, partitions, None, true),
        topic(MEASURES, partitions, days(horizon_days + 1), false),
        topic(BACKFILL, partitions, days(horizon_days + 1), false),
        topic(ALERTS, 1, None, false),
        topic(REFUSALS, 1, days(14), false),
        topic(CONTROL, 1, None, false),
    ]
}
