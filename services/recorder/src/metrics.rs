//! What the recorder counts about itself (`sitrep_record_…`).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::time::Minute;
use prometheus::{Histogram, IntCounter, IntGauge, Registry};
use runtime::health::Condition;
use runtime::metrics::{Counters, Label, MetricsError, counter, gauge, histogram};

use crate::deliver::Observer;
use crate::sink::{Attempt, AwayReason, RefusedReason, Rejected};

/// Upper bounds of the time of one attempt, seconds.
const ATTEMPT_SECONDS: [f64; 9] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The outcome of an attempt, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptLabel {
    /// Taken.
    Written,
    /// A line was refused.
    Refused,
    /// The store was away.
    Away(AwayReason),
}

impl Label for AttemptLabel {
    const ALL: &'static [AttemptLabel] = &[
        AttemptLabel::Written,
        AttemptLabel::Refused,
        AttemptLabel::Away(AwayReason::Unreachable),
        AttemptLabel::Away(AwayReason::TimedOut),
        AttemptLabel::Away(AwayReason::Throttled),
        AttemptLabel::Away(AwayReason::Unavailable),
        AttemptLabel::Away(AwayReason::NotAllowed),
        AttemptLabel::Away(AwayReason::NotFound),
        AttemptLabel::Away(AwayReason::Unexpected),
    ];

    fn as_str(self) -> &'static str {
        match self {
            AttemptLabel::Written => "written",
            AttemptLabel::Refused => "refused",
            AttemptLabel::Away(reason) => reason.as_str(),
        }
    }
}

impl Label for RefusedReason {
    const ALL: &'static [RefusedReason] = &RefusedReason::ALL;

    fn as_str(self) -> &'static str {
        RefusedReason::as_str(self)
    }
}

/// Why a record of the topic is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Of an epoch that a newer publisher has ended in this partition.
    OlderEpoch,
    /// Not an org-minute, or one that no line can say: it goes to the refusals.
    Unreadable,
    /// Gone from the log before it was read.
    Lost,
}

impl Label for Ignored {
    const ALL: &'static [Ignored] = &[Ignored::OlderEpoch, Ignored::Unreadable, Ignored::Lost];

    fn as_str(self) -> &'static str {
        match self {
            Ignored::OlderEpoch => "older_epoch",
            Ignored::Unreadable => "unreadable",
            Ignored::Lost => "lost",
        }
    }
}

/// The recorder's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Lines that the store took.
    pub lines: IntCounter,
    /// Attempts by outcome.
    pub attempts: Counters<AttemptLabel>,
    /// Seconds of an attempt.
    pub attempt_seconds: Histogram,
    /// Lines that the store does not take.
    pub rejected: Counters<RefusedReason>,
    /// Lines left out because a newer one of the same point was in the batch.
    pub superseded: IntCounter,
    /// Records that were not written.
    pub ignored: Counters<Ignored>,
    /// Points written once more after an attempt without a clear answer.
    pub settled: IntCounter,
    /// The newest minute in the store, Unix seconds.
    pub newest_minute: IntGauge,
}

impl Metrics {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> Result<Metrics, MetricsError> {
        Ok(Metrics {
            lines: counter(registry, "sitrep_record_lines_total", "Lines that the store took.")?,
            attempts: Counters::new(
                registry,
                "sitrep_record_attempts_total",
                "Requests to the store, by what became of them.",
                "outcome",
            )?,
            attempt_seconds: histogram(
                registry,
                "sitrep_record_attempt_seconds",
                "Seconds that a request to the store took.",
                &ATTEMPT_SECONDS,
            )?,
            rejected: Counters::new(
                registry,
                "sitrep_record_rejected_lines_total",
                "Lines that the store does not take; they are on the refusals topic.",
                "reason",
            )?,
            superseded: counter(
                registry,
                "sitrep_record_superseded_lines_total",
                "Lines left out because a newer value of their point was in the same batch.",
            )?,
            ignored: Counters::new(
                registry,
                "sitrep_record_ignored_records_total",
                "Records of the measures topic that were not written.",
                "reason",
            )?,
            settled: counter(
                registry,
                "sitrep_record_settled_lines_total",
                "Lines written once more after a request without a clear answer.",
            )?,
            newest_minute: gauge(
                registry,
                "sitrep_record_newest_minute_timestamp_seconds",
                "The newest minute that the store has.",
            )?,
        })
    }

    /// The store has everything up to this minute, and perhaps more.
    pub(crate) fn stored(&self, newest: Option<Minute>) {
        if let Some(minute) = newest {
            self.newest_minute.set(self.newest_minute.get().max(i64::from(minute.0) * 60));
        }
    }
}

/// Counts attempts, says in the log when the store goes away and comes back, and keeps the condition of readiness.
pub(crate) struct StoreWatch {
    pub(crate) metrics: Metrics,
    condition: Condition,
    away: Mutex<Option<AwayReason>>,
}

impl StoreWatch {
    /// Ready until an attempt says otherwise: there may be nothing to write for a long time.
    pub(crate) fn new(metrics: Metrics, condition: Condition) -> StoreWatch {
        condition.holds();
        StoreWatch { metrics, condition, away: Mutex::new(None) }
    }

    /// The store does not take a line.
    pub(crate) fn rejected(&self, rejected: &Rejected) {
        self.metrics.rejected.of(rejected.refused.reason).inc();
        let line = String::from_utf8_lossy(&rejected.line);
        tracing::warn!(line = line.trim_end(), why = %rejected.refused, "a line is left out");
    }

    /// Where only the text changes, nothing is said again.
    fn is_new(&self, now: Option<AwayReason>) -> bool {
        let mut before = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *before, now) != now
    }
}

impl Observer for StoreWatch {
    fn attempted(&self, lines: usize, attempt: &Attempt, took: Duration) {
        self.metrics.attempt_seconds.observe(took.as_secs_f64());
        match attempt {
            Attempt::Written => {
                self.metrics.attempts.of(AttemptLabel::Written).inc();
                self.metrics.lines.inc_by(lines as u64);
                self.is_new(None);
                self.condition.holds();
            }
            Attempt::Refused(refused) => {
                self.metrics.attempts.of(AttemptLabel::Refused).inc();
                tracing::debug!(lines, reason = refused.reason.as_str(), "the store refuses a line of these");
            }
            Attempt::Away(away) => {
                self.metrics.attempts.of(AttemptLabel::Away(away.reason)).inc();
                if self.is_new(Some(away.reason)) {
                    self.condition.waits(away.to_string());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use runtime::clock::ManualClock;
    use runtime::health::Health;

    use super::*;
    use crate::sink::Away;

    fn away(reason: AwayReason, detail: &str) -> Attempt {
        Attempt::Away(Away { reason, retry_after: None, perhaps_written: false, detail: detail.into() })
    }

    #[test]
    fn what_is_shown_of_a_few_attempts() {
        let registry = Registry::new();
        let health = Health::new(Arc::new(ManualClock::new(0)));
        let watch = StoreWatch::new(Metrics::new(&registry).unwrap(), health.condition("store"));
        watch.attempted(10, &Attempt::Written, Duration::from_millis(30));
        watch.attempted(5, &away(AwayReason::Throttled, "429"), Duration::from_millis(1));
        watch.metrics.rejected.of(RefusedReason::FieldConflict).inc();
        watch.metrics.ignored.of(Ignored::OlderEpoch).inc_by(2);
        watch.metrics.stored(Some(Minute(7)));
        watch.metrics.stored(Some(Minute(6)));
        let text = runtime::metrics::encode(&registry);
        let values = text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket"));
        assert_eq!(values.collect::<Vec<_>>().join("\n"), include_str!("metrics/exposition.txt").trim_end());
    }

    #[test]
    fn the_store_is_a_condition_of_readiness_and_its_texts_may_differ() {
        let health = Health::new(Arc::new(ManualClock::new(0)));
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let watch = StoreWatch::new(metrics, health.condition("store"));
        let why = || health.waiting().into_iter().map(|(_, waiting)| waiting.why).collect::<Vec<_>>();
        watch.attempted(1, &Attempt::Written, Duration::ZERO);
        assert!(health.is_ready());
        watch.attempted(1, &away(AwayReason::Unavailable, "503 request 1"), Duration::ZERO);
        watch.attempted(1, &away(AwayReason::Unavailable, "503 request 2"), Duration::ZERO);
        assert_eq!(why(), ["the store is unavailable: 503 request 1"]);
        watch.attempted(1, &away(AwayReason::NotAllowed, "401"), Duration::ZERO);
        assert_eq!(why(), ["the store is not_allowed: 401"]);
        watch.attempted(1, &Attempt::Written, Duration::ZERO);
        assert!(health.is_ready());
    }
}
