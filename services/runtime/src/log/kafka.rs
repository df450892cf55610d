//! Kafka as a log.
//!
//! Reading is by static assignment from offsets that the caller keeps: no group is joined, nothing is committed, and an
//! offset that the broker does not have is an error and never a jump. Writing waits for the broker's report of each
//! record. No transactions: what is written is keyed and idempotent, which is enough.
//!
//! While the brokers are away everything waits, says so once, and goes on by itself; a reader that no longer moves
//! although there is something to read is an error, since only a restart mends it. All calls block: a [`KafkaLog`] and
//! its readers are made, used and dropped on plain threads, never on a worker of an async runtime.

mod config;
mod fetched;
mod health;
mod producer;
mod reader;
mod setup;
mod watchdog;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

pub use self::config::KafkaConfig;
use self::health::Context;
pub use self::health::KafkaHealth;
use self::producer::Producers;
use self::reader::KafkaReader;
use self::watchdog::Watchdog;
use super::{Log, LogError, NewRecord, Position, Reader, TopicSetup};
use crate::clock::Clock;

/// A question to the broker is given up after this long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A partition without a leader is asked for again at most so often, so far apart.
const LOOKS: u32 = 100;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The client that asks, and never reads: ends of topics, metadata.
type Queries = BaseConsumer<Context>;

/// Topics of a Kafka cluster.
pub struct KafkaLog {
    config: KafkaConfig,
    health: KafkaHealth,
    producers: Producers,
    queries: Arc<Queries>,
    watchdog: Watchdog,
}

impl KafkaLog {
    /// Makes the clients. It does not need a broker to be there; it fails where a setting is not allowed or not known.
    pub fn connect(config: &KafkaConfig, clock: Arc<dyn Clock>) -> Result<KafkaLog, LogError> {
        config.check()?;
        let health = KafkaHealth::new(Arc::clone(&clock));
        let queries: Arc<Queries> = Arc::new(
            config
                .queries()
                .create_with_context(Context::of_queries(health.clone()))
                .map_err(|error| failed("", &error))?,
        );
        let producers = Producers::new(config, health.clone())?;
        let watchdog =
            Watchdog::start(config.stall_timeout.get(), Arc::clone(&queries), health.clone(), clock)?;
        Ok(KafkaLog { config: config.clone(), health, producers, queries, watchdog })
    }

    /// How the connection is: for readiness, liveness and self-metrics.
    pub fn health(&self) -> KafkaHealth {
        self.health.clone()
    }

    fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        partitions(&self.queries, topic)
    }

    fn watermarks(&self, topic: &str) -> Result<Vec<(u64, u64)>, LogError> {
        all_watermarks(&self.queries, topic)
    }
}

impl Log for KafkaLog {
    fn set_up(&self, topics: &[TopicSetup], create: bool) -> Result<(), LogError> {
        setup::set_up(&self.config, &self.queries, self.health.clone(), topics, create)
    }

    fn starts(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        Ok(self.watermarks(topic)?.into_iter().map(|(low, _)| low).collect())
    }

    fn ends(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        Ok(self.watermarks(topic)?.into_iter().map(|(_, high)| high).collect())
    }

    fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, LogError> {
        // The ends come first: a record that is taken between the two questions is not to be skipped.
        let mut offsets = self.ends(topic)?;
        let mut asked = TopicPartitionList::with_capacity(offsets.len());
        for partition in 0..offsets.len() {
            asked
                .add_partition_offset(topic, partition as i32, Offset::Offset(timestamp_ms.max(0)))
                .map_err(|error| failed(topic, &error))?;
        }
        let answer = led(topic, || {
            let answer = self.queries.offsets_for_times(asked.clone(), ANSWER_TIMEOUT)?;
            answer.elements().iter().try_for_each(|element| element.error())?;
            Ok(answer)
        })?;
        for element in answer.elements() {
            if let Offset::Offset(offset) = element.offset() {
                offsets[element.partition() as usize] = offset as u64;
            }
        }
        Ok(offsets)
    }

    fn reader(&self, topics: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError> {
        let reader = KafkaReader::new(&self.config, &self.health, &self.queries, &self.watchdog, topics)?;
        Ok(Box::new(reader))
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, LogError> {
        // Asked first, since a producer would have a topic made that is not there.
        self.producers.append(topic, records, || self.partitions(topic))
    }
}

/// Asks again while a partition has no leader, for a few seconds: it is so just after a topic was made, and while
/// another broker takes over. Said once.
fn led<T>(topic: &str, ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, LogError> {
    for look in 1.. {
        match ask() {
            Err(error) if look < LOOKS && lacks_a_leader(&error) => {
                if look == 1 {
                    tracing::info!(topic, %error, "waiting for the leaders of the partitions");
                }
                std::thread::park_timeout(LOOK_EVERY);
            }
            outcome => return outcome.map_err(|error| failed(topic, &error)),
        }
    }
    unreachable!("the last look returns")
}

fn lacks_a_leader(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    matches!(code, Some(Code::NotLeaderForPartition | Code::LeaderNotAvailable | Code::ReplicaNotAvailable))
}

/// How many partitions a topic has.
fn partitions(queries: &Queries, topic: &str) -> Result<u32, LogError> {
    let count = led(topic, || {
        let metadata = queries.fetch_metadata(Some(topic), ANSWER_TIMEOUT)?;
        match metadata.topics().iter().find(|found| found.name() == topic) {
            None => Ok(0),
            Some(found) => match found.error() {
                None => Ok(found.partitions().len()),
                Some(code) => Err(KafkaError::MetadataFetch(code.into())),
            },
        }
    })?;
    if count == 0 { Err(LogError::NoTopic(topic.to_owned())) } else { Ok(count as u32) }
}

/// Of each partition of a topic the first offset that is there and the one that comes next.
fn all_watermarks(queries: &Queries, topic: &str) -> Result<Vec<(u64, u64)>, LogError> {
    let partitions = partitions(queries, topic)?;
    led(topic, || (0..partitions).map(|partition| ask_watermarks(queries, topic, partition)).collect())
}

/// The same of one partition.
fn watermarks(queries: &Queries, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
    ask_watermarks(queries, topic, partition).map_err(|error| failed(topic, &error))
}

fn ask_watermarks(queries: &Queries, topic: &str, partition: u32) -> Result<(u64, u64), KafkaError> {
    let (low, high) = queries.fetch_watermarks(topic, partition as i32, ANSWER_TIMEOUT)?;
    Ok((low.max(0) as u64, high.max(0) as u64))
}

/// What an error of the client means to us.
fn failed(topic: &str, error: &KafkaError) -> LogError {
    use RDKafkaErrorCode as Code;
    match (error, error.rdkafka_error_code()) {
        (KafkaError::ClientConfig(_, what, key, value), _) => {
            LogError::Misconfigured(format!("kafka.properties: {key} = {value:?}: {what}"))
        }
        (KafkaError::ClientCreation(what), _) => LogError::Misconfigured(format!("kafka: {what}")),
        (_, Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition)) => {
            LogError::NoTopic(topic.to_owned())
        }
        (_, Some(Code::QueueFull)) => LogError::Full,
        (_, Some(code @ (Code::MessageSizeTooLarge | Code::InvalidMessage | Code::InvalidRecord))) => {
            LogError::Storage(format!("topic {topic}: {code}"))
        }
        (_, Some(code @ (Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed))) => {
            LogError::Misconfigured(format!(
                "topic {topic}: {code}: grant this client its rights on the topic"
            ))
        }
        (error, _) if topic.is_empty() => LogError::Unavailable(error.to_string()),
        (error, _) => LogError::Unavailable(format!("topic {topic}: {error}")),
    }
}
