//! Writes to Kafka: every record has its report before an append returns.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use super::health::{Context, KafkaHealth};
use super::{KafkaConfig, LogError, failed};
use crate::log::{NewRecord, Position};

/// The reports of an append may come so much later than the time-out that librdkafka was given.
const REPORT_MARGIN: Duration = Duration::from_secs(5);

/// How long an append that is half sent waits before it looks again whether the queue has room.
const ROOM_PAUSE: Duration = Duration::from_millis(50);

pub(super) const CONTENT_TYPE: &str = "content-type";
pub(super) const PROTOBUF: &str = "application/x-protobuf";

type Producer = ThreadedProducer<Deliveries>;

/// The producer in use: one that has had a fatal error is replaced.
pub(super) struct Producers {
    config: ClientConfig,
    delivery_timeout: Duration,
    health: KafkaHealth,
    current: Mutex<Arc<Producer>>,
    /// By topic, as last asked.
    partitions: Mutex<HashMap<String, u32>>,
}

impl Producers {
    pub(super) fn new(config: &KafkaConfig, health: KafkaHealth) -> Result<Producers, LogError> {
        let client = config.producer();
        Ok(Producers {
            current: Mutex::new(Arc::new(producer(&client, &health)?)),
            config: client,
            delivery_timeout: config.delivery_timeout.get(),
            health,
            partitions: Mutex::default(),
        })
    }

    /// Sends the records and waits for all reports. `ask` finds out how many partitions the topic has.
    pub(super) fn append(
        &self,
        topic: &str,
        records: &[NewRecord],
        ask: impl Fn() -> Result<u32, LogError>,
    ) -> Result<Vec<Position>, LogError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.check_partitions(topic, records, ask)?;
        let producer = self.current()?;
        let batch = Arc::new(Batch::new(records.len()));
        for (index, record) in records.iter().enumerate() {
            self.send(&producer, topic, record, Ticket { batch: Arc::clone(&batch), index })?;
        }
        let positions =
            batch.wait(self.delivery_timeout + REPORT_MARGIN).map_err(|error| failed(topic, &error))?;
        self.health.is_back();
        Ok(positions)
    }

    fn check_partitions(
        &self,
        topic: &str,
        records: &[NewRecord],
        ask: impl Fn() -> Result<u32, LogError>,
    ) -> Result<(), LogError> {
        let highest = records.iter().filter_map(|record| record.partition).max().unwrap_or(0);
        if self.partitions().get(topic).is_some_and(|count| highest < *count) {
            return Ok(());
        }
        let count = ask()?;
        self.partitions().insert(topic.to_owned(), count);
        if highest < count {
            return Ok(());
        }
        Err(LogError::Misconfigured(format!(
            "topic {topic} has no partition {highest}: it has {count}, from 0 on"
        )))
    }

    fn partitions(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one record into the client's queue. Where that is full: waits if a part of this append is in it
    /// or was.
    fn send(
        &self,
        producer: &Producer,
        topic: &str,
        record: &NewRecord,
        ticket: Ticket,
    ) -> Result<(), LogError> {
        let (batch, first) = (Arc::clone(&ticket.batch), ticket.index == 0);
        let mut patience = self.delivery_timeout.as_millis() / ROOM_PAUSE.as_millis();
        let mut to_send = BaseRecord::with_opaque_to(topic, Box::new(ticket)).payload(&record.value[..]);
        to_send.key = (!record.key.is_empty()).then_some(&record.key[..]);
        to_send.partition = record.partition.map(|partition| partition as i32);
        to_send.headers = record.protobuf.then(|| {
            OwnedHeaders::new_with_capacity(1).insert(Header { key: CONTENT_TYPE, value: Some(PROTOBUF) })
        });
        batch.sent();
        loop {
            to_send = match producer.send(to_send) {
                Ok(()) => return Ok(()),
                Err((error, back)) if is_full(&error) && !first && patience > 0 => {
                    patience -= u128::from(!batch.wait_for_room());
                    back
                }
                Err((error, _)) if is_full(&error) && !first => return Err(failed(topic, &timed_out())),
                Err((error, _)) => return Err(failed(topic, &error)),
            };
        }
    }

    fn current(&self) -> Result<Arc<Producer>, LogError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((code, what)) = current.client().fatal_error() {
            tracing::error!(%code, what, "the kafka producer cannot go on: making another");
            *current = Arc::new(producer(&self.config, &self.health)?);
        }
        Ok(Arc::clone(&current))
    }
}

fn producer(config: &ClientConfig, health: &KafkaHealth) -> Result<Producer, LogError> {
    let context = Deliveries(Context::new(health.clone()));
    config.create_with_context(context).map_err(|error| failed("", &error))
}

fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// Whose record a report is about.
struct Ticket {
    batch: Arc<Batch>,
    index: usize,
}

/// The records of one append that are under way.
struct Batch {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    positions: Vec<Position>,
    /// Records sent and not reported.
    waiting: usize,
    /// Whether somebody waits for a single report, and not for all.
    wants_room: bool,
    error: Option<KafkaError>,
}

impl Batch {
    fn new(records: usize) -> Batch {
        let positions = vec![Position { partition: 0, offset: 0 }; records];
        let state = State { positions, waiting: 0, wants_room: false, error: None };
        Batch { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self) {
        self.state().waiting += 1;
    }

    fn reported(&self, index: usize, outcome: Result<Position, KafkaError>) {
        let mut state = self.state();
        match outcome {
            Ok(position) => state.positions[index] = position,
            Err(error) => drop(state.error.get_or_insert(error)),
        }
        state.waiting -= 1;
        if state.waiting == 0 || state.wants_room {
            self.changed.notify_all();
        }
    }

    /// Waits for a report of this append, or for a moment, since the room may be others'; whether one came.
    fn wait_for_room(&self) -> bool {
        let mut state = self.state();
        state.wants_room = true;
        let before = state.waiting;
        let waited = self.changed.wait_timeout_while(state, ROOM_PAUSE, |state| state.waiting >= before);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.wants_room = false;
        state.waiting < before
    }

    fn wait(&self, timeout: Duration) -> Result<Vec<Position>, KafkaError> {
        let waited = self.changed.wait_timeout_while(self.state(), timeout, |state| state.waiting > 0);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.error.take() {
            Some(error) => Err(error),
            None if state.waiting > 0 => Err(timed_out()),
            None => Ok(std::mem::take(&mut state.positions)),
        }
    }
}

fn timed_out() -> KafkaError {
    KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut)
}

/// Takes the reports, on the producer's own thread.
struct Deliveries(Context);

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let outcome = match report {
            Ok(message) => {
                Ok(Position { partition: message.partition() as u32, offset: message.offset() as u64 })
            }
            Err((error, _)) => {
                self.0.health().not_delivered();
                Err(error.clone())
            }
        };
        ticket.batch.reported(ticket.index, outcome);
    }
}
