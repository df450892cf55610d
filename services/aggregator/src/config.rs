//! The settings of the aggregator that are not settings of the engine.

use std::path::PathBuf;
use std::time::Duration;

/// How the aggregator runs.
#[derive(Clone, Debug)]
pub struct AggregateConfig {
    /// The checkpoint's file.
    pub checkpoint: PathBuf,
    /// How often the checkpoint is saved.
    pub checkpoint_every: Duration,
    /// How long what was touched of older minutes is collected before it is written.
    pub restate_delay: Duration,
    /// How many older org-minutes a second are written.
    pub restate_budget: u64,
    /// Whether references must be pseudonyms already (spec 4.3).
    pub pseudonyms_required: bool,
}
