//! What can be configured of Kafka, and how the client library is told.

use std::collections::BTreeMap;

use rdkafka::config::ClientConfig;
use serde::Deserialize;

use super::LogError;
use crate::config::{Bytes, Duration};

/// The section `[kafka]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port`, several with commas between them.
    pub brokers: String,
    /// How the brokers see us in their logs and quotas.
    pub client_id: String,
    /// Whether topics that are missing are made at start.
    pub create_topics: bool,
    /// Copies of each record in topics that we make; -1 leaves it to the broker.
    pub replication: i32,
    /// An append fails when the brokers have not taken it by then.
    pub delivery_timeout: Duration,
    /// What a reader may hold that was fetched and not yet read.
    pub fetch_queue: Bytes,
    /// What may wait to be sent; more is refused.
    pub send_queue: Bytes,
    /// A partition with something to read that has not moved for so long is an error.
    pub stall_timeout: Duration,
    /// Further settings of librdkafka; not those that this program depends on. TLS and SASL are not built in.
    pub properties: BTreeMap<String, String>,
}

/// Settings that `[kafka.properties]` may not change: each of them keeps a promise.
const OURS: [&str; 13] = [
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "request.required.acks",
    "statistics.interval.ms",
    "transactional.id",
];

impl KafkaConfig {
    /// What no single key can say. An error is one of configuration.
    pub fn check(&self) -> Result<(), LogError> {
        let wrong = |text: String| Err(LogError::Misconfigured(text));
        if self.brokers.trim().is_empty() {
            return wrong(
                "kafka.brokers is empty: write host:port, several with commas between them".to_owned(),
            );
        }
        if self.replication == 0 || self.replication < -1 || self.replication > 127 {
            return wrong(format!(
                "kafka.replication is {}: write 1 to 127, or -1 for the broker's own",
                self.replication
            ));
        }
        if self.stall_timeout.get() < std::time::Duration::from_secs(1) {
            return wrong(
                "kafka.stall_timeout is below 1s: the brokers are asked only a few times a second".to_owned(),
            );
        }
        match self.properties.keys().find(|key| OURS.contains(&key.as_str())) {
            Some(key) => wrong(format!("kafka.properties.{key} cannot be changed: leave it out")),
            None => Ok(()),
        }
    }

    fn client(&self, suffix: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", format!("{}-{suffix}", self.client_id))
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.keepalive.enable", "true");
        config
    }

    fn with_properties(&self, mut config: ClientConfig) -> ClientConfig {
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
    }

    /// A client that only asks.
    pub(super) fn queries(&self) -> ClientConfig {
        let mut config = self.client("queries");
        config.set("allow.auto.create.topics", "false");
        self.with_properties(config)
    }

    pub(super) fn admin(&self) -> ClientConfig {
        self.with_properties(self.client("admin"))
    }

    pub(super) fn consumer(&self) -> ClientConfig {
        let mut config = self.client("reader");
        config
            // librdkafka assigns only to a consumer with a group; this one is never joined and nothing is committed.
            .set("group.id", format!("{}-unused", self.client_id))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("queued.max.messages.kbytes", (self.fetch_queue.get() / 1_024).max(1).to_string())
            // At 1 s, the default, a reader that catches up stands still for most of the time.
            .set("fetch.queue.backoff.ms", "5")
            .set("check.crcs", "true")
            .set("statistics.interval.ms", "2000");
        self.with_properties(config)
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client("writer");
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // As Java's producers do it, so that a key is in the same partition whoever wrote it.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "2")
            .set("queue.buffering.max.kbytes", (self.send_queue.get() / 1_024).max(1).to_string())
            .set("delivery.timeout.ms", self.delivery_timeout.as_ms().max(1).to_string());
        self.with_properties(config)
    }
}
