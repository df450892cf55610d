//! What the aggregator counts about itself.

use domain::event::Outcome;
use prometheus::{IntCounter, IntGauge, Registry};
use runtime::metrics::{Counters, Label, MetricsError, counter, gauge};

/// [`Outcome`] as a label.
#[derive(Clone, Copy, PartialEq)]
pub struct OutcomeLabel(pub Outcome);

impl Label for OutcomeLabel {
    const ALL: &'static [OutcomeLabel] = &[
        OutcomeLabel(Outcome::Accepted),
        OutcomeLabel(Outcome::Duplicate),
        OutcomeLabel(Outcome::FutureDated),
        OutcomeLabel(Outcome::Malformed),
        OutcomeLabel(Outcome::NotAllowed),
        OutcomeLabel(Outcome::TooLate),
        OutcomeLabel(Outcome::TooLarge),
        OutcomeLabel(Outcome::UnknownPlace),
        OutcomeLabel(Outcome::UnknownStandard),
    ];

    fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

/// The aggregator's metrics.
pub struct Metrics {
    /// Events read, by outcome: they add up to `read`.
    pub outcomes: Counters<OutcomeLabel>,
    /// Events read.
    pub read: IntCounter,
    /// Fields of protobuf events that this version does not know.
    pub unknown_fields: IntCounter,
    /// Org-minutes written of the newest closed minute, and of older ones.
    pub published: IntCounter,
    /// Org-minutes written again of older minutes.
    pub restated: IntCounter,
    /// Org-minutes that wait to be written.
    pub backlog: IntGauge,
    /// Attendances held.
    pub attendances: IntGauge,
    /// Journeys held.
    pub journeys: IntGauge,
    /// Sources that are silent for too long.
    pub stale_sources: IntGauge,
    /// Returns that are overdue.
    pub overdue_returns: IntGauge,
    /// When the checkpoint was last saved, Unix seconds.
    pub checkpoint_saved: IntGauge,
    /// The newest closed minute that was published, Unix seconds.
    pub newest_minute: IntGauge,
}

impl Metrics {
    /// Registers all of them.
    pub fn new(registry: &Registry) -> Result<Metrics, MetricsError> {
        Ok(Metrics {
            outcomes: Counters::new(
                registry,
                "sitrep_aggregate_events_total",
                "Events read from the log, by outcome; the outcomes add up to sitrep_aggregate_events_read_total",
                "outcome",
            )?,
            read: counter(registry, "sitrep_aggregate_events_read_total", "Events read from the log")?,
            unknown_fields: counter(
                registry,
                "sitrep_aggregate_unknown_fields_total",
                "Protobuf fields that this version does not know and left out",
            )?,
            published: counter(
                registry,
                "sitrep_aggregate_org_minutes_published_total",
                "Org-minutes written of the newest closed minute",
            )?,
            restated: counter(
                registry,
                "sitrep_aggregate_org_minutes_restated_total",
                "Org-minutes written of older minutes",
            )?,
            backlog: gauge(
                registry,
                "sitrep_aggregate_restate_backlog_org_minutes",
                "Org-minutes that wait to be written",
            )?,
            attendances: gauge(registry, "sitrep_aggregate_attendances", "Attendances in the ledger")?,
            journeys: gauge(registry, "sitrep_aggregate_journeys", "Ambulance journeys in the ledger")?,
            stale_sources: gauge(
                registry,
                "sitrep_aggregate_stale_sources",
                "Sources that are silent for too long",
            )?,
            overdue_returns: gauge(
                registry,
                "sitrep_aggregate_overdue_returns",
                "Returns for periodic standards that should have come and have not",
            )?,
            checkpoint_saved: gauge(
                registry,
                "sitrep_aggregate_checkpoint_saved_timestamp_seconds",
                "When the checkpoint was last saved",
            )?,
            newest_minute: gauge(
                registry,
                "sitrep_aggregate_newest_minute_timestamp_seconds",
                "The newest closed minute that was published",
            )?,
        })
    }
}
