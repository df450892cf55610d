//! The embedded log: topics as tables of one SQLite file, for a process that needs no Kafka.
//!
//! It is one directory, used by one process (a lock file holds the others off). Each topic has exactly one partition,
//! whatever number was asked for: order within a partition is then order within the topic, which is stronger.
//!
//! An append returns after its records have reached the disk (WAL, `synchronous = FULL`: an answer 200 must survive a
//! power cut). Appends of several threads that wait at the same time share one transaction and one sync. Readers
//! wait on a condition and read on connections of their own, so they do not hold up the writer.

mod files;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension};

use self::files::Files;
use self::reader::EmbeddedReader;
use self::writer::{Batch, Job, Queue, Writer};
use super::{Log, LogError, NewRecord, Position, Reader, TopicSetup};
use crate::clock::Clock;

/// A record's key and value together may have at most this many bytes.
pub const RECORD_BYTES_MAX: usize = 8 << 20;

/// The embedded log of a directory.
pub struct EmbeddedLog {
    files: Files,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    queries: Mutex<Connection>,
}

/// What readers and the writer both look at: a record is visible from the moment that its transaction has ended.
struct Shared {
    topics: Mutex<Vec<Topic>>,
    grown: Condvar,
}

#[derive(Clone, Debug)]
struct Topic {
    id: i64,
    name: String,
    /// The first offset that is still there.
    start: u64,
    /// The offset that the next record gets.
    next: u64,
    /// The stamp of the newest record: the next one is never older.
    newest_ms: i64,
    /// How long records are kept; `None`: for ever.
    retention_ms: Option<i64>,
}

impl Shared {
    fn topics(&self) -> MutexGuard<'_, Vec<Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Result<(usize, Topic), LogError> {
        let topics = self.topics();
        let found = topics.iter().enumerate().find(|(_, topic)| topic.name == name);
        found.map(|(at, topic)| (at, topic.clone())).ok_or_else(|| LogError::NoTopic(name.to_owned()))
    }
}

impl EmbeddedLog {
    /// Opens the log of a directory, which is made if it is not there. Fails at once where another process uses it,
    /// and where the file is damaged: the log is the durable state, so nothing is thrown away here.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<EmbeddedLog, LogError> {
        let files = Files::open(dir)?;
        let connection = files.writer()?;
        let topics = files::topics(&connection).map_err(storage)?;
        let queries = Mutex::new(files.reader()?);
        let shared = Arc::new(Shared { topics: Mutex::new(topics), grown: Condvar::new() });
        let queue = Arc::new(Queue::default());
        let writer = Writer::new(connection, Arc::clone(&shared), Arc::clone(&queue), clock);
        let writer = std::thread::Builder::new()
            .name("log writer".into())
            .spawn(move || writer.run())
            .map_err(|error| LogError::Storage(format!("no thread for the writer: {error}")))?;
        Ok(EmbeddedLog { files, shared, queue, writer: Some(writer), queries })
    }

    /// Removes the records of a topic that were taken before a time (Unix ms). The writer also does it by itself, once
    /// an hour, for topics that were set up with a retention.
    pub fn trim(&self, topic: &str, before_ms: i64) -> Result<(), LogError> {
        let (topic, _) = self.shared.find(topic)?;
        self.queue.ask(|done| Job::Trim { topic, before_ms, done })
    }

    /// Finds the first offset whose record is not older than a time: stamps never fall within a topic.
    fn search(&self, topic: &Topic, timestamp_ms: i64) -> Result<u64, rusqlite::Error> {
        let queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stamp = queries.prepare_cached(&files::select_stamp(topic.id))?;
        first_at_or_after(topic.start, topic.next, timestamp_ms, |offset| {
            stamp.query_row([offset as i64], |row| row.get(0)).optional()
        })
    }
}

/// Bisects [start, end) for the first offset whose stamp is at or after a time; an offset that is gone counts as older.
fn first_at_or_after<E>(
    start: u64,
    end: u64,
    timestamp_ms: i64,
    mut stamp: impl FnMut(u64) -> Result<Option<i64>, E>,
) -> Result<u64, E> {
    let (mut low, mut high) = (start, end);
    while low < high {
        let middle = low + (high - low) / 2;
        match stamp(middle)? {
            Some(at_ms) if at_ms >= timestamp_ms => high = middle,
            Some(_) | None => low = middle + 1,
        }
    }
    Ok(low)
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the log's writer had ended by a panic");
        }
    }
}

impl Log for EmbeddedLog {
    fn set_up(&self, topics: &[TopicSetup], create: bool) -> Result<(), LogError> {
        let topics = topics.to_vec();
        self.queue.ask(|done| Job::SetUp { topics, create, done })
    }

    fn starts(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        Ok(vec![self.shared.find(topic)?.1.start])
    }

    fn ends(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        Ok(vec![self.shared.find(topic)?.1.next])
    }

    fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, LogError> {
        let (_, topic) = self.shared.find(topic)?;
        Ok(vec![self.search(&topic, timestamp_ms).map_err(storage)?])
    }

    fn reader(&self, topics: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError> {
        let mut places = Vec::with_capacity(topics.len());
        for (name, offsets) in topics {
            let (topic, Topic { id, .. }) = self.shared.find(name)?;
            let [offset] = offsets[..] else {
                return Err(wrong_partitions(name, offsets.len()));
            };
            places.push(reader::Place { topic, name: (*name).to_owned(), id, offset });
        }
        Ok(Box::new(EmbeddedReader::new(self.files.reader()?, Arc::clone(&self.shared), places)))
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, LogError> {
        let (at, _) = self.shared.find(topic)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let batch = Batch::new(topic, records)?;
        let first = self.queue.ask(|done| Job::Append { topic: at, batch, done })?;
        Ok((first..first + records.len() as u64).map(|offset| Position { partition: 0, offset }).collect())
    }
}

fn wrong_partitions(topic: &str, found: usize) -> LogError {
    LogError::Misconfigured(format!("topic {topic}: the embedded log has 1 partition a topic, not {found}"))
}

fn storage(error: rusqlite::Error) -> LogError {
    LogError::Storage(error.to_string())
}
