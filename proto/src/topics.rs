//! The names of the topics (spec 4.3).

/// Events: attendances, journeys, bed states, heartbeats.
pub const EVENTS: &str = "sitrep.events.v1";
/// Returns and declarations; kept for ever.
pub const RETURNS: &str = "sitrep.returns.v1";
/// Org-minutes and marks.
pub const MEASURES: &str = "sitrep.measures.v1";
/// Org-minutes of a backfill, epoch 0.
pub const BACKFILL: &str = "sitrep.measures.backfill.v1";
/// Transitions of episodes, and commands.
pub const ALERTS: &str = "sitrep.alerts.v1";
/// Refused bytes and why.
pub const REFUSALS: &str = "sitrep.refusals.v1";
/// One record for each start of a publisher.
pub const CONTROL: &str = "sitrep.control.v1";
