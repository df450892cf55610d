//! Reads from Kafka, on the thread that polls: records are handed out where the client library holds them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::health::{Context, KafkaHealth};
use super::producer::{CONTENT_TYPE, PROTOBUF};
use super::watchdog::{Progress, Watchdog};
use super::{KafkaConfig, LogError, Queries, failed, partitions, watermarks};
use crate::log::{Reader, RecordView};

pub(super) struct KafkaReader {
    consumer: BaseConsumer<Context>,
    queries: Arc<Queries>,
    progress: Arc<Progress>,
    topics: Vec<Place>,
    /// Where the last record was from: the next one is most often from there too.
    recent: usize,
    /// An error that came after records: told by the next poll.
    pending: Option<LogError>,
}

struct Place {
    topic: String,
    /// Where its partitions begin in the progress.
    first: usize,
}

impl KafkaReader {
    pub(super) fn new(
        config: &KafkaConfig,
        health: &KafkaHealth,
        queries: &Arc<Queries>,
        watchdog: &Watchdog,
        topics: &[(&str, Vec<u64>)],
    ) -> Result<KafkaReader, LogError> {
        let progress = Arc::new(Progress::new(topics));
        let context = Context::of_reader(health.clone(), Arc::clone(&progress));
        let consumer: BaseConsumer<Context> =
            config.consumer().create_with_context(context).map_err(|error| failed("", &error))?;
        let mut assignment = TopicPartitionList::new();
        let (mut places, mut first) = (Vec::with_capacity(topics.len()), 0);
        for (topic, offsets) in topics {
            for (partition, offset) in (0..).zip(offsets) {
                assignment
                    .add_partition_offset(topic, partition, Offset::Offset(*offset as i64))
                    .map_err(|error| failed(topic, &error))?;
            }
            places.push(Place { topic: (*topic).to_owned(), first });
            first += offsets.len();
        }
        consumer.assign(&assignment).map_err(|error| failed("", &error))?;
        watchdog.watch(&progress);
        let queries = Arc::clone(queries);
        Ok(KafkaReader { consumer, queries, progress, topics: places, recent: 0, pending: None })
    }

    fn trouble(&self, error: &KafkaError) -> Option<LogError> {
        use RDKafkaErrorCode as Code;
        if let KafkaError::MessageConsumptionFatal(code) = error {
            return Some(LogError::Unavailable(format!("the reader cannot go on: {code}")));
        }
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => self.out_of_range(),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                self.missing()
            }
            Some(Code::TopicAuthorizationFailed) => {
                let topics: Vec<_> = self.topics.iter().map(|place| place.topic.as_str()).collect();
                Some(failed(&topics.join(", "), error))
            }
            // Whatever else there is, the client tries again; the watchdog sees to it that this has an end.
            _ => {
                tracing::debug!(%error, "kafka reader");
                None
            }
        }
    }

    /// Which partition it is, the error does not say.
    fn out_of_range(&self) -> Option<LogError> {
        for at in &self.progress.partitions {
            let offset = at.position.load(Ordering::Relaxed);
            match watermarks(&self.queries, &at.topic, at.partition) {
                Ok((low, high)) if (low..=high).contains(&offset) => {}
                Ok(_) => {
                    return Some(LogError::OutOfRange {
                        topic: at.topic.clone(),
                        partition: at.partition,
                        offset,
                    });
                }
                Err(error) => return Some(error),
            }
        }
        Some(LogError::Unavailable(
            "a partition was out of range for a moment: read again from where you were".into(),
        ))
    }

    fn missing(&self) -> Option<LogError> {
        let missing =
            |place: &Place| matches!(partitions(&self.queries, &place.topic), Err(LogError::NoTopic(_)));
        self.topics.iter().find(|place| missing(place)).map(|place| LogError::NoTopic(place.topic.clone()))
    }
}

/// Which of the topics a record is from.
fn topic_of(topics: &[Place], recent: usize, message: &BorrowedMessage<'_>) -> Option<usize> {
    if topics.len() == 1 {
        return Some(0);
    }
    let name = message.topic();
    if topics[recent].topic == name {
        return Some(recent);
    }
    topics.iter().position(|place| place.topic == name)
}

fn is_protobuf(message: &BorrowedMessage<'_>) -> bool {
    let Some(headers) = message.headers() else { return false };
    // The library panics on a header whose name is not UTF-8, and anybody may write such a record.
    catch_unwind(AssertUnwindSafe(|| {
        headers.iter().any(|header| {
            header.key.eq_ignore_ascii_case(CONTENT_TYPE) && header.value == Some(PROTOBUF.as_bytes())
        })
    }))
    .unwrap_or(false)
}

impl Reader for KafkaReader {
    fn poll(
        &mut self,
        max: usize,
        timeout: Duration,
        each: &mut dyn FnMut(RecordView<'_>),
    ) -> Result<usize, LogError> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        if self.progress.is_stalled() {
            return Err(LogError::Unavailable(
                "a partition no longer moves: the process must be started again".into(),
            ));
        }
        self.progress.polled();
        let (mut count, mut wait) = (0, timeout);
        while count < max {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let Some(topic) = topic_of(&self.topics, self.recent, &message) else { continue };
                    let offset = message.offset() as u64;
                    let partition = message.partition() as u32;
                    self.recent = topic;
                    each(RecordView {
                        topic,
                        partition,
                        offset,
                        timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
                        key: message.key().unwrap_or_default(),
                        value: message.payload().unwrap_or_default(),
                        protobuf: is_protobuf(&message),
                    });
                    let at = self.topics[topic].first + partition as usize;
                    self.progress.partitions[at].position.store(offset + 1, Ordering::Relaxed);
                    (count, wait) = (count + 1, Duration::ZERO);
                }
                Some(Err(error)) => match self.trouble(&error) {
                    None => break,
                    Some(error) if count == 0 => return Err(error),
                    Some(error) => {
                        self.pending = Some(error);
                        break;
                    }
                },
            }
        }
        Ok(count)
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        // Without an assignment the client has nothing to wait for when it is closed.
        if let Err(error) = self.consumer.unassign() {
            tracing::debug!(%error, "kafka reader could not be unassigned");
        }
    }
}
