//! Writes an embedded log: one thread, which takes everything that waits into one transaction, and trims in between.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    LogError, NewRecord, RECORD_BYTES_MAX, Shared, Topic, TopicSetup, files, first_at_or_after, storage,
};
use crate::clock::Clock;

/// Bytes that may wait for the writer; more is `LogError::Full`.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Records that are removed in one transaction, so that appends in between wait for milliseconds.
const TRIM_RECORDS: u64 = 20_000;

/// How often retention is looked after.
const RETENTION_EVERY: Duration = Duration::from_secs(3_600);

/// Something for the writer to do, and where the answer goes.
pub(super) enum Job {
    Append { topic: usize, batch: Batch, done: Done<u64> },
    SetUp { topics: Vec<TopicSetup>, create: bool, done: Done<()> },
    Trim { topic: usize, before_ms: i64, done: Done<()> },
}

type Done<T> = SyncSender<Result<T, LogError>>;

/// Records for one topic, in one piece of memory.
pub(super) struct Batch {
    bytes: Vec<u8>,
    records: Vec<Shape>,
}

struct Shape {
    key_len: usize,
    value_len: usize,
    protobuf: bool,
}

impl Batch {
    pub(super) fn new(topic: &str, records: &[NewRecord]) -> Result<Batch, LogError> {
        let length = records.iter().map(|record| record.key.len() + record.value.len()).sum();
        let mut batch =
            Batch { bytes: Vec::with_capacity(length), records: Vec::with_capacity(records.len()) };
        for record in records {
            batch.push(topic, record)?;
        }
        Ok(batch)
    }

    fn push(&mut self, topic: &str, record: &NewRecord) -> Result<(), LogError> {
        let (key_len, value_len) = (record.key.len(), record.value.len());
        if let Some(partition) = record.partition.filter(|partition| *partition != 0) {
            return Err(LogError::Misconfigured(format!(
                "topic {topic} has no partition {partition}: the embedded log has 1 partition a topic"
            )));
        }
        if key_len + value_len > RECORD_BYTES_MAX {
            return Err(LogError::Storage(format!(
                "a record of {} bytes for topic {topic}: at most {RECORD_BYTES_MAX} are taken",
                key_len + value_len
            )));
        }
        self.bytes.extend_from_slice(&record.key);
        self.bytes.extend_from_slice(&record.value);
        self.records.push(Shape { key_len, value_len, protobuf: record.protobuf });
        Ok(())
    }

    fn weight(&self) -> usize {
        self.bytes.len() + self.records.len() * size_of::<Shape>()
    }
}

impl Job {
    fn weight(&self) -> usize {
        match self {
            Job::Append { batch, .. } => batch.weight(),
            Job::SetUp { .. } | Job::Trim { .. } => 0,
        }
    }
}

/// What waits for the writer.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// Hands a job to the writer and waits for its answer.
    pub(super) fn ask<T>(&self, job: impl FnOnce(Done<T>) -> Job) -> Result<T, LogError> {
        let (done, answer) = sync_channel(1);
        let job = job(done);
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(LogError::Unavailable("it is being closed".to_owned()));
        }
        if waiting.bytes > 0 && waiting.bytes + job.weight() > QUEUE_BYTES_MAX {
            return Err(LogError::Full);
        }
        waiting.bytes += job.weight();
        waiting.jobs.push_back(job);
        drop(waiting);
        self.changed.notify_one();
        answer.recv().unwrap_or_else(|_| Err(LogError::Unavailable("its writer has ended".to_owned())))
    }

    /// No more jobs; what waits is still done.
    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.changed.notify_all();
    }

    /// Everything that waits, after at most `timeout`; `None` when closed and empty.
    fn take(&self, timeout: Duration) -> Option<VecDeque<Job>> {
        let idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
        let waited = self.changed.wait_timeout_while(self.waiting(), timeout, idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.jobs.is_empty() && waiting.closed {
            return None;
        }
        waiting.bytes = 0;
        Some(std::mem::take(&mut waiting.jobs))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the queue however the writer ends, so that nobody waits for one that is gone.
struct ClosesAtEnd(Arc<Queue>);

impl Drop for ClosesAtEnd {
    fn drop(&mut self) {
        self.0.close();
        self.0.waiting().jobs.clear();
    }
}

pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    trims: VecDeque<Trim>,
    retention_due: Duration,
}

/// A trim that is under way.
struct Trim {
    topic: usize,
    /// The first offset that stays.
    cut: u64,
    done: Option<Done<()>>,
}

/// An append of the group that is being written.
struct Append {
    topic: usize,
    batch: Batch,
    done: Done<u64>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        queue: Arc<Queue>,
        clock: Arc<dyn Clock>,
    ) -> Writer {
        let retention_due = clock.monotonic() + RETENTION_EVERY;
        Writer { connection, shared, queue, clock, trims: VecDeque::new(), retention_due }
    }

    pub(super) fn run(mut self) {
        let _closes = ClosesAtEnd(Arc::clone(&self.queue));
        loop {
            let pause = if self.trims.is_empty() { RETENTION_EVERY / 60 } else { Duration::ZERO };
            let Some(jobs) = self.queue.take(pause) else { return };
            self.work(jobs);
            if self.clock.monotonic() >= self.retention_due {
                self.begin_retention();
            }
            self.trim_some();
        }
    }

    fn work(&mut self, jobs: VecDeque<Job>) {
        let mut group = Vec::new();
        for job in jobs {
            match job {
                Job::Append { topic, batch, done } => group.push(Append { topic, batch, done }),
                Job::SetUp { topics, create, done } => {
                    self.append_group(std::mem::take(&mut group));
                    answer(&done, self.set_up(&topics, create));
                }
                Job::Trim { topic, before_ms, done } => {
                    self.append_group(std::mem::take(&mut group));
                    self.begin_trim(topic, before_ms, Some(done));
                }
            }
        }
        self.append_group(group);
    }

    /// All or nothing: one transaction for all appends that waited.
    fn append_group(&mut self, group: Vec<Append>) {
        if group.is_empty() {
            return;
        }
        let topics = self.shared.topics().clone();
        match self.write_group(topics, &group) {
            Ok((topics, firsts)) => {
                self.publish(topics);
                group.iter().zip(firsts).for_each(|(append, first)| answer(&append.done, Ok(first)));
            }
            Err(error) => {
                tracing::error!(%error, "the embedded log could not be written");
                self.reload();
                let failed = || Err(LogError::Storage(error.to_string()));
                group.iter().for_each(|append| answer(&append.done, failed()));
            }
        }
    }

    fn write_group(
        &mut self,
        mut topics: Vec<Topic>,
        group: &[Append],
    ) -> rusqlite::Result<(Vec<Topic>, Vec<u64>)> {
        let now_ms = self.clock.now_ms();
        let transaction = self.connection.transaction()?;
        let mut firsts = Vec::with_capacity(group.len());
        for append in group {
            let topic = &mut topics[append.topic];
            firsts.push(topic.next);
            topic.newest_ms = topic.newest_ms.max(now_ms);
            write_batch(&transaction, topic, &append.batch)?;
        }
        let mut touched: Vec<usize> = group.iter().map(|append| append.topic).collect();
        touched.sort_unstable();
        touched.dedup();
        for topic in touched {
            write_ends(&transaction, &topics[topic])?;
        }
        transaction.commit()?;
        Ok((topics, firsts))
    }

    /// Only now can readers see what was written.
    fn publish(&self, topics: Vec<Topic>) {
        *self.shared.topics() = topics;
        self.shared.grown.notify_all();
    }

    /// After a failed transaction the file says what is true, also where the failure came after the commit.
    fn reload(&self) {
        match files::topics(&self.connection) {
            Ok(topics) => self.publish(topics),
            Err(error) => tracing::error!(%error, "the embedded log could not be read after a failed write"),
        }
    }

    fn set_up(&mut self, setups: &[TopicSetup], create: bool) -> Result<(), LogError> {
        let known: Vec<String> = self.shared.topics().iter().map(|topic| topic.name.clone()).collect();
        let missing = setups.iter().find(|setup| !known.iter().any(|name| name == setup.name));
        if let Some(setup) = missing.filter(|_| !create) {
            return Err(LogError::NoTopic(setup.name.to_owned()));
        }
        let topics = write_setups(&mut self.connection, setups).map_err(storage)?;
        self.publish(topics);
        self.begin_retention();
        Ok(())
    }

    fn begin_retention(&mut self) {
        self.retention_due = self.clock.monotonic() + RETENTION_EVERY;
        let now_ms = self.clock.now_ms();
        let retentions: Vec<_> = self.shared.topics().iter().map(|topic| topic.retention_ms).collect();
        for (topic, retention_ms) in retentions.into_iter().enumerate() {
            if let Some(retention_ms) = retention_ms {
                self.begin_trim(topic, now_ms.saturating_sub(retention_ms), None);
            }
        }
    }

    fn begin_trim(&mut self, topic: usize, before_ms: i64, done: Option<Done<()>>) {
        let Topic { id, start, next, .. } = self.shared.topics()[topic].clone();
        let find = || -> rusqlite::Result<u64> {
            let mut stamp = self.connection.prepare_cached(&files::select_stamp(id))?;
            first_at_or_after(start, next, before_ms, |offset| {
                stamp.query_row([offset as i64], |row| row.get(0)).optional()
            })
        };
        match find() {
            Ok(cut) => self.trims.push_back(Trim { topic, cut, done }),
            Err(error) => finish_trim(done, Err(error)),
        }
    }

    /// One slice of the first trim.
    fn trim_some(&mut self) {
        let Some(trim) = self.trims.pop_front() else { return };
        let mut topics = self.shared.topics().clone();
        let topic = &mut topics[trim.topic];
        if topic.start >= trim.cut {
            return finish_trim(trim.done, Ok(()));
        }
        topic.start = trim.cut.min(topic.start + TRIM_RECORDS);
        match write_trim(&mut self.connection, topic) {
            Ok(()) => {
                self.publish(topics);
                self.trims.push_front(trim);
            }
            Err(error) => finish_trim(trim.done, Err(error)),
        }
    }
}

fn write_batch(connection: &Connection, topic: &mut Topic, batch: &Batch) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(&files::insert_record(topic.id))?;
    let mut rest = &batch.bytes[..];
    for record in &batch.records {
        let (key, after) = rest.split_at(record.key_len);
        let (value, after) = after.split_at(record.value_len);
        insert.execute(params![topic.next as i64, topic.newest_ms, record.protobuf, key, value])?;
        topic.next += 1;
        rest = after;
    }
    Ok(())
}

fn write_ends(connection: &Connection, topic: &Topic) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE topics SET start = ?, next = ?, newest_ms = ? WHERE id = ?")?;
    update.execute(params![topic.start as i64, topic.next as i64, topic.newest_ms, topic.id])?;
    Ok(())
}

fn write_setups(connection: &mut Connection, setups: &[TopicSetup]) -> rusqlite::Result<Vec<Topic>> {
    let transaction = connection.transaction()?;
    for setup in setups {
        let retention_ms = setup.retention.map(|kept| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
        let known = transaction.execute(
            "UPDATE topics SET retention_ms = ? WHERE name = ?",
            params![retention_ms, setup.name],
        )?;
        if known == 0 {
            transaction.execute(
                "INSERT INTO topics (name, start, next, newest_ms, retention_ms) VALUES (?, 0, 0, ?, ?)",
                params![setup.name, i64::MIN, retention_ms],
            )?;
            transaction.execute(&files::create_records(transaction.last_insert_rowid()), [])?;
        }
    }
    transaction.commit()?;
    files::topics(connection)
}

fn write_trim(connection: &mut Connection, topic: &Topic) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.prepare_cached(&files::delete_records(topic.id))?.execute([topic.start as i64])?;
    write_ends(&transaction, topic)?;
    transaction.commit()
}

fn finish_trim(done: Option<Done<()>>, outcome: rusqlite::Result<()>) {
    if let Err(error) = &outcome {
        tracing::warn!(%error, "old records of the embedded log could not be removed");
    }
    if let Some(done) = done {
        answer(&done, outcome.map_err(storage));
    }
}

/// Whoever asked may have gone.
fn answer<T>(done: &Done<T>, outcome: Result<T, LogError>) {
    drop(done.send(outcome));
}
