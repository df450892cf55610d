//! Reads from Kafka, on the thread that polls: records are handed out where the client library holds them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::fetched::{Fetched, Record};
use super::health::{Context, KafkaHealth};
use super::watchdog::{Progress, Watchdog};
use super::{KafkaConfig, LogError, Queries, failed, partitions, watermarks};
use crate::log::{Reader, RecordView};

pub(super) struct KafkaReader {
    fetched: Fetched,
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
        let fetched = Fetched::new(consumer, topics).map_err(|error| failed("", &error))?;
        fetched.consumer().assign(&assignment).map_err(|error| failed("", &error))?;
        watchdog.watch(&progress);
        let queries = Arc::clone(queries);
        Ok(KafkaReader { fetched, queries, progress, topics: places, recent: 0, pending: None })
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
fn topic_of(topics: &[Place], recent: usize, record: &Record) -> Option<usize> {
    if topics.len() == 1 {
        return Some(0);
    }
    let name = record.topic();
    if topics[recent].topic.as_bytes() == name {
        return Some(recent);
    }
    topics.iter().position(|place| place.topic.as_bytes() == name)
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
        self.progress.has_all_partitions()?;
        self.progress.polled();
        let (mut count, mut errors) = (0, Vec::new());
        let (topics, progress, recent) = (&self.topics, &self.progress, &mut self.recent);
        self.fetched.take(max, timeout, &mut |record| {
            if let Some(error) = record.error() {
                errors.push(error);
                return;
            }
            let Some(topic) = topic_of(topics, *recent, record) else { return };
            let (partition, offset) = (record.partition(), record.offset());
            *recent = topic;
            each(RecordView {
                topic,
                partition,
                offset,
                timestamp_ms: record.timestamp_ms(),
                key: record.key(),
                value: record.value(),
                protobuf: record.is_protobuf(),
            });
            let at = topics[topic].first + partition as usize;
            progress.partitions[at].position.store(offset + 1, Ordering::Relaxed);
            count += 1;
        });
        // Statistics, and what is wrong with brokers: at each poll one of them, which is more than come.
        errors.extend(self.fetched.consumer().poll(Duration::ZERO).and_then(Result::err));
        match errors.iter().find_map(|error| self.trouble(error)) {
            Some(error) if count == 0 => Err(error),
            later => {
                self.pending = later;
                Ok(count)
            }
        }
    }

    fn has_reached(&self, ends: &[Vec<u64>]) -> bool {
        self.topics.iter().zip(ends).all(|(place, ends)| self.progress.has_reached(place.first, ends))
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        // Without an assignment the client has nothing to wait for when it is closed.
        if let Err(error) = self.fetched.consumer().unassign() {
            tracing::debug!(%error, "kafka reader could not be unassigned");
        }
    }
}
