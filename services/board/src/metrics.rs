//! What the board counts about itself.

use prometheus::{Histogram, IntCounter, IntGauge, Registry};
use runtime::metrics::{Counters, Label, MetricsError, counter, gauge, histogram};

/// What became of an org-minute that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrgMinuteOutcome {
    /// It changed the store.
    Written,
    /// The store held it, or something newer, already.
    Unchanged,
    /// Older than the retention.
    TooOld,
    /// Of an epoch before the partition's newest mark (spec 2.6).
    Zombie,
    /// Its bytes made no sense.
    Unreadable,
}

impl Label for OrgMinuteOutcome {
    const ALL: &'static [OrgMinuteOutcome] = &[
        OrgMinuteOutcome::Written,
        OrgMinuteOutcome::Unchanged,
        OrgMinuteOutcome::TooOld,
        OrgMinuteOutcome::Zombie,
        OrgMinuteOutcome::Unreadable,
    ];

    fn as_str(self) -> &'static str {
        match self {
            OrgMinuteOutcome::Written => "written",
            OrgMinuteOutcome::Unchanged => "unchanged",
            OrgMinuteOutcome::TooOld => "too_old",
            OrgMinuteOutcome::Zombie => "zombie",
            OrgMinuteOutcome::Unreadable => "unreadable",
        }
    }
}

/// The board's families.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Org-minutes read, by outcome.
    pub org_minutes: Counters<OrgMinuteOutcome>,
    /// Records of the measures topic that are not taken in yet.
    pub behind_records: IntGauge,
    /// Records that were gone from the log before they were read.
    pub missed_records: IntCounter,
    /// The newest minute that is shown, Unix seconds.
    pub newest_minute_seconds: IntGauge,
    /// How long a batch takes in the store.
    pub apply_seconds: Histogram,
    /// How long `/v1/measures` takes.
    pub question_seconds: Histogram,
    /// Browsers that watch.
    pub watchers: IntGauge,
    /// Snapshots sent because a browser was too slow for its deltas.
    pub gaps: IntCounter,
}

impl Metrics {
    /// Registers the families.
    pub fn new(registry: &Registry) -> Result<Metrics, MetricsError> {
        let bounds = [0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];
        Ok(Metrics {
            org_minutes: Counters::new(
                registry,
                "sitrep_board_org_minutes_total",
                "Org-minutes read from the measures topic, by what became of them.",
                "outcome",
            )?,
            behind_records: gauge(
                registry,
                "sitrep_board_behind_records",
                "Records of the measures topic that are not taken in yet.",
            )?,
            missed_records: counter(
                registry,
                "sitrep_board_missed_records_total",
                "Records of the measures topic that were gone before they were read.",
            )?,
            newest_minute_seconds: gauge(
                registry,
                "sitrep_board_newest_minute_seconds",
                "The newest minute that is shown, Unix seconds.",
            )?,
            apply_seconds: histogram(
                registry,
                "sitrep_board_apply_seconds",
                "Time for one batch of org-minutes in the embedded store.",
                &bounds,
            )?,
            question_seconds: histogram(
                registry,
                "sitrep_board_measures_answer_seconds",
                "Time for one answer of /v1/measures.",
                &bounds,
            )?,
            watchers: gauge(registry, "sitrep_board_watchers", "Browsers that watch the live stream.")?,
            gaps: counter(
                registry,
                "sitrep_board_stream_gaps_total",
                "Snapshots sent because a browser was too slow for its deltas.",
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_are_these() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        metrics.org_minutes.of(OrgMinuteOutcome::Zombie).inc();
        let text = runtime::metrics::encode(&registry);
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket{"));
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "sitrep_board_apply_seconds_sum 0",
                "sitrep_board_apply_seconds_count 0",
                "sitrep_board_behind_records 0",
                "sitrep_board_measures_answer_seconds_sum 0",
                "sitrep_board_measures_answer_seconds_count 0",
                "sitrep_board_missed_records_total 0",
                "sitrep_board_newest_minute_seconds 0",
                "sitrep_board_org_minutes_total{outcome=\"too_old\"} 0",
                "sitrep_board_org_minutes_total{outcome=\"unchanged\"} 0",
                "sitrep_board_org_minutes_total{outcome=\"unreadable\"} 0",
                "sitrep_board_org_minutes_total{outcome=\"written\"} 0",
                "sitrep_board_org_minutes_total{outcome=\"zombie\"} 1",
                "sitrep_board_stream_gaps_total 0",
                "sitrep_board_watchers 0",
            ]
        );
    }
}
