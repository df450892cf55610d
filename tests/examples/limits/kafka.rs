//! A topic filled with events, and the limit of reading one: a bare consumer that counts bytes, with the queue settings
//! of `runtime::log::kafka`.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use runtime::clock::{Clock, SystemClock};

use crate::Outcome;
use crate::parse::{Event, each_line};
use crate::process::report;

/// An answer of the broker is waited for this long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

/// Counts reports of records that were not taken.
#[derive(Clone, Default)]
struct Failures(Arc<AtomicU64>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, report: &DeliveryResult<'_>, _: ()) {
        self.0.fetch_add(u64::from(report.is_err()), Ordering::Relaxed);
    }
}

/// Writes the lines of a file to a topic that is there, with the site or service as key.
pub(crate) fn produce(brokers: &str, topic: &str, file: &str) -> Outcome {
    let clock = SystemClock::new();
    let failures = Failures::default();
    let producer: ThreadedProducer<Failures> = client(brokers)
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "20")
        .set("batch.size", "262144")
        .set("queue.buffering.max.kbytes", "65536")
        .create_with_context(failures.clone())?;
    let (mut count, mut bytes) = (0u64, 0u64);
    each_line(&mut File::open(file)?, &mut |line| {
        let event: Event<'_> = serde_json::from_slice(line)?;
        let attendance = event.attendance.as_ref().map(|one| one.site);
        let journey = event.ambulance.as_ref().map(|one| one.service);
        let beds = event.beds.as_ref().map(|one| one.site);
        let key = attendance.or(journey).or(beds).unwrap_or_default();
        let mut record = BaseRecord::to(topic).key(key).payload(line);
        while let Err((error, back)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            record = back;
            producer.poll(Duration::from_millis(10));
            // Another thread takes the reports: this one waits until a part of the queue is gone.
            let before = producer.in_flight_count();
            producer.flush(Duration::from_millis(20)).or_else(timed_out)?;
            debug_assert!(producer.in_flight_count() <= before);
        }
        count += 1;
        bytes += line.len() as u64;
        Ok(())
    })?;
    producer.flush(Duration::from_secs(120))?;
    let failed = failures.0.load(Ordering::Relaxed);
    if failed > 0 {
        return Err(format!("{failed} records were not taken").into());
    }
    report("produce", count, bytes, clock.monotonic());
    Ok(())
}

fn timed_out(error: KafkaError) -> Result<(), KafkaError> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::OperationTimedOut) => Ok(()),
        _ => Err(error),
    }
}

/// Reads a topic to the ends that it has now, and counts.
pub(crate) fn drain(brokers: &str, topic: &str) -> Outcome {
    let clock = SystemClock::new();
    let consumer: BaseConsumer = client(brokers)
        .set("group.id", "limits-unused")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.queue.backoff.ms", "5")
        .set("check.crcs", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_TIMEOUT)?;
    let partitions = metadata.topics().first().map_or(0, |found| found.partitions().len());
    let (mut assignment, mut expected) = (TopicPartitionList::new(), 0u64);
    for partition in 0..partitions as i32 {
        let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER_TIMEOUT)?;
        assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
        expected += (high - low) as u64;
    }
    consumer.assign(&assignment)?;
    let (mut count, mut bytes) = (0u64, 0u64);
    while count < expected {
        let Some(message) = consumer.poll(Duration::from_secs(5)) else { continue };
        let message = message?;
        count += 1;
        bytes += message.payload().map_or(0, <[u8]>::len) as u64;
    }
    report("drain", count, bytes, clock.monotonic());
    consumer.unassign()?;
    Ok(())
}
