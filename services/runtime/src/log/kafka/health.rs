//! How the connection to Kafka is: away or back, stalled, and how often; told to people once per change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{IntCounter, IntGauge, Registry};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use super::watchdog::Progress;
use crate::clock::Clock;
use crate::health::{Condition, Health};
use crate::metrics::{self, MetricsError};

/// A client that finds no broker is not believed so soon after another one got an answer: after an outage each of them
/// comes back in its own time, and an outage is told once. The watchdog asks soon enough.
const BELIEVED_AFTER_MS: i64 = 5_000;

/// What the readiness says while no broker answers.
const AWAY: &str = "no kafka broker answers";

/// The state of the connection. Clones are the same.
#[derive(Clone)]
pub struct KafkaHealth(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    away: IntGauge,
    outages: IntCounter,
    stalls: IntCounter,
    errors: IntCounter,
    undelivered: IntCounter,
}

#[derive(Default)]
struct State {
    away_since_ms: Option<i64>,
    answered_ms: Option<i64>,
    stalled: Option<String>,
    told: Option<(Condition, Health)>,
}

impl KafkaHealth {
    pub(super) fn new(clock: Arc<dyn Clock>) -> KafkaHealth {
        let counter = |name, help| IntCounter::new(name, help).expect("the name is a metric's");
        KafkaHealth(Arc::new(Inner {
            clock,
            state: Mutex::default(),
            away: IntGauge::new("sitrep_kafka_away", "1 while no Kafka broker answers.")
                .expect("the name is a metric's"),
            outages: counter(
                "sitrep_kafka_outages_total",
                "Times at which no Kafka broker answered any more.",
            ),
            stalls: counter("sitrep_kafka_stalls_total", "Partitions that no longer moved though behind."),
            errors: counter("sitrep_kafka_errors_total", "Errors that the Kafka client reported."),
            undelivered: counter("sitrep_kafka_undelivered_total", "Records that Kafka did not take."),
        }))
    }

    /// Since when no broker answers, Unix milliseconds; `None` while one does, or none was asked yet.
    pub fn away_since_ms(&self) -> Option<i64> {
        self.state().away_since_ms
    }

    /// Which partition no longer moves although there is something to read: the process should end, exit code not 0.
    pub fn stalled(&self) -> Option<String> {
        self.state().stalled.clone()
    }

    /// From now on a condition holds while a broker answers, and a stall is the death of the process.
    pub fn tell(&self, ready: Condition, health: Health) {
        let mut state = self.state();
        if state.away_since_ms.is_some() {
            ready.waits(AWAY);
        }
        if let Some(what) = &state.stalled {
            health.dead(what.clone());
        }
        state.told = Some((ready, health));
    }

    /// Puts this connection's metrics on a registry; once.
    pub fn register(&self, registry: &Registry) -> Result<(), MetricsError> {
        metrics::register(registry, "sitrep_kafka_away", self.0.away.clone())?;
        for (name, counter) in [
            ("sitrep_kafka_outages_total", &self.0.outages),
            ("sitrep_kafka_stalls_total", &self.0.stalls),
            ("sitrep_kafka_errors_total", &self.0.errors),
            ("sitrep_kafka_undelivered_total", &self.0.undelivered),
        ] {
            metrics::register(registry, name, counter.clone())?;
        }
        Ok(())
    }

    /// A client finds no broker.
    fn is_said_to_be_away(&self, why: &str) {
        let now_ms = self.0.clock.now_ms();
        let answered = self.state().answered_ms;
        if answered.is_none_or(|answered| now_ms.saturating_sub(answered) >= BELIEVED_AFTER_MS) {
            self.is_away(why);
        }
    }

    pub(super) fn is_away(&self, why: &str) {
        let now_ms = self.0.clock.now_ms();
        let mut state = self.state();
        if state.away_since_ms.is_none() {
            state.away_since_ms = Some(now_ms);
            self.0.away.set(1);
            self.0.outages.inc();
            tracing::warn!(why, "kafka is away: waiting for it");
        }
        if let Some((ready, _)) = &state.told {
            ready.waits(AWAY);
        }
    }

    pub(super) fn is_back(&self) {
        let now_ms = self.0.clock.now_ms();
        let mut state = self.state();
        state.answered_ms = Some(now_ms);
        if let Some(since_ms) = state.away_since_ms.take() {
            self.0.away.set(0);
            tracing::info!(away_ms = now_ms.saturating_sub(since_ms), "kafka is back");
        }
        if let Some((ready, _)) = &state.told {
            ready.holds();
        }
    }

    pub(super) fn has_stalled(&self, what: String) {
        self.0.stalls.inc();
        tracing::error!(what, "a kafka partition no longer moves");
        let mut state = self.state();
        if let Some((_, health)) = &state.told {
            health.dead(what.clone());
        }
        state.stalled.get_or_insert(what);
    }

    pub(super) fn not_delivered(&self) {
        self.0.undelivered.inc();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every client's callbacks go to.
pub(super) struct Context {
    health: KafkaHealth,
    progress: Option<Arc<Progress>>,
    /// Whether this client is polled all the time, so that what it says of the brokers is news.
    prompt: bool,
}

impl Context {
    pub(super) fn new(health: KafkaHealth) -> Context {
        Context { health, progress: None, prompt: true }
    }

    /// Of the client that the watchdog polls now and then: what it says may be seconds old, and the watchdog asks then.
    pub(super) fn of_queries(health: KafkaHealth) -> Context {
        Context { health, progress: None, prompt: false }
    }

    /// Of a reader, whose statistics say what it has fetched.
    pub(super) fn of_reader(health: KafkaHealth, progress: Arc<Progress>) -> Context {
        Context { health, progress: Some(progress), prompt: true }
    }

    pub(super) fn health(&self) -> &KafkaHealth {
        &self.health
    }
}

impl ClientContext for Context {
    /// librdkafka says at each attempt that a broker is away; that is said once, by us.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(facility, text, "librdkafka");
            }
            RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Notice
            | RDKafkaLogLevel::Info
            | RDKafkaLogLevel::Debug => tracing::debug!(facility, text, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.health.0.errors.inc();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) if self.prompt => self.health.is_said_to_be_away(reason),
            code => tracing::debug!(?code, reason, "librdkafka reported an error"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        if let Some(progress) = &self.progress {
            progress.fetched(&statistics);
        }
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn an_outage_is_told_until_it_is_over_and_a_stall_for_good() {
        let clock = Arc::new(ManualClock::new(7));
        let (kafka, health) = (KafkaHealth::new(clock.clone()), Health::new(clock.clone()));
        kafka.tell(health.condition("kafka"), health.clone());
        kafka.is_back();
        assert!(health.is_ready(), "the first answer makes it ready");
        kafka.is_away("refused");
        clock.set_ms(9);
        kafka.is_away("still refused");
        assert_eq!((kafka.away_since_ms(), health.waiting()[0].1.since_ms), (Some(7), 7));
        assert_eq!((kafka.0.outages.get(), kafka.0.away.get()), (1, 1));
        kafka.is_back();
        assert!(health.is_ready() && kafka.away_since_ms().is_none() && kafka.0.away.get() == 0);
        kafka.is_said_to_be_away("another client is not back yet");
        assert!(health.is_ready(), "an outage is told once");
        clock.set_ms(9 + BELIEVED_AFTER_MS);
        kafka.is_said_to_be_away("refused");
        assert!(!health.is_ready() && kafka.0.outages.get() == 2);
        kafka.is_back();
        kafka.has_stalled("partition 3".to_owned());
        assert_eq!(health.death(), kafka.stalled());
        let registry = Registry::new();
        kafka.register(&registry).unwrap();
        assert!(metrics::encode(&registry).contains("sitrep_kafka_stalls_total 1"));
    }
}
