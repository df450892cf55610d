//! A log of records: named topics, numbered partitions, rising offsets. Kafka is one, SQLite the other; everything
//! above works against [`Log`] and cannot tell which it is.
//!
//! All calls block and are made from plain threads: handles of a Kafka client live and die outside the async runtime.

pub mod embedded;
pub mod kafka;

use std::time::Duration;

/// A record as it is read: borrowed from the client's buffer, valid during the callback only.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// Which of the topics given to [`Log::reader`], by position.
    pub topic: usize,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: u64,
    /// When the log took the record, Unix milliseconds: never a producer's clock (spec 1.7, "log time").
    pub timestamp_ms: i64,
    /// The key; empty for none.
    pub key: &'a [u8],
    /// The value; empty for none.
    pub value: &'a [u8],
    /// Whether header `content-type` says `application/x-protobuf`.
    pub protobuf: bool,
}

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Chooses the partition, where none is given.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// Sets header `content-type: application/x-protobuf`.
    pub protobuf: bool,
    /// A certain partition, or the one that the key gives.
    pub partition: Option<u32>,
}

/// Where a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: u64,
}

/// Why the log could not do it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The queue to the log is full: try again in a moment.
    #[error("the log takes no more just now")]
    Full,
    /// The log is away, or did not answer in time: what was sent may have been written or not.
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// A topic that should be there is not.
    #[error("topic {0} does not exist")]
    NoTopic(String),
    /// A reader asked for an offset that the log no longer has, or does not have yet.
    #[error("topic {topic} partition {partition}: offset {offset} is out of range")]
    OutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// What was asked for.
        offset: u64,
    },
    /// Partitions were added to a topic after their number was asked for: what is in them would be missed.
    #[error(
        "topic {topic} has {there} partitions now, of which {known} are known here: all are from the next start on"
    )]
    MorePartitions {
        /// The topic.
        topic: String,
        /// How many are read or written.
        known: u32,
        /// How many there are.
        there: u32,
    },
    /// The log is set up in a way that would lose data; the text says which setting and what command mends it.
    #[error("{0}")]
    Misconfigured(String),
    /// The storage failed.
    #[error("the log's storage failed: {0}")]
    Storage(String),
}

/// Reads several topics, all partitions, from given offsets on. No group, no commits: the caller keeps its positions.
/// Partitions that are added later are not read: soon after, each poll is [`LogError::MorePartitions`].
pub trait Reader {
    /// Hands at most `max` records to `each`, in order within a partition, waiting at most `timeout` for the first.
    /// Returns how many; 0 after the time-out.
    fn poll(
        &mut self,
        max: usize,
        timeout: Duration,
        each: &mut dyn FnMut(RecordView<'_>),
    ) -> Result<usize, LogError>;

    /// Whether everything before these offsets (by topic and partition) was handed out or is no record, as the end of a
    /// transaction is none: what is read to its end is read until this says so, since a last offset may have no record.
    fn has_reached(&self, ends: &[Vec<u64>]) -> bool;
}

/// How a topic must be set up; `None` leaves it to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSetup {
    /// Its name.
    pub name: &'static str,
    /// Partitions when it is created.
    pub partitions: u32,
    /// The least retention; `None`: for ever.
    pub retention: Option<Duration>,
    /// Whether the log's own append time must be kept (`LogAppendTime`).
    pub append_time: bool,
}

/// Topics that can be written and read.
pub trait Log: Send + Sync {
    /// Creates what is missing (where `create`), then checks partitions, retention, timestamp type and cleanup policy.
    fn set_up(&self, topics: &[TopicSetup], create: bool) -> Result<(), LogError>;

    /// For each partition the offset of the first record that is still there.
    fn starts(&self, topic: &str) -> Result<Vec<u64>, LogError>;

    /// For each partition the offset that the next record will get.
    fn ends(&self, topic: &str) -> Result<Vec<u64>, LogError>;

    /// For each partition the offset of the first record taken at or after a time (Unix ms); its end if there is none.
    fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, LogError>;

    /// A reader over topics, each from the offset given for each of its partitions.
    fn reader(&self, topics: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError>;

    /// Appends the records, in order within a partition, and returns when all of them are durable.
    /// After [`LogError::Full`] nothing was written; after another error none, some or all were.
    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, LogError>;
}
