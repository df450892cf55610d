//! Watches from a thread of its own, with a client of its own, whether the brokers answer, whether every reader moves, and
//! whether it has all partitions of its topics.
//!
//! A reader is stalled when it is polled, the brokers have something for it, and a partition of it has not moved for
//! the time-out. While the brokers do not answer nothing is judged, and neither is a reader that nobody polls.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::statistics::Statistics;

use super::health::KafkaHealth;
use super::{LogError, Queries};
use crate::clock::Clock;

/// How often the brokers are asked, as a part of the time-out.
const LOOKS_PER_TIMEOUT: u32 = 6;

/// A look takes at most about this long for each partition that does not answer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);

/// Where a reader is, as its thread tells and the watchdog sees.
pub(super) struct Progress {
    pub(super) partitions: Vec<PartitionProgress>,
    by_name: HashMap<String, HashMap<i32, usize>>,
    polled: AtomicU64,
    stalled: AtomicBool,
    grown: OnceLock<Grown>,
}

/// A topic that has more partitions than its reader was given.
struct Grown {
    topic: String,
    known: u32,
    there: u32,
}

pub(super) struct PartitionProgress {
    pub(super) topic: String,
    pub(super) partition: u32,
    /// The offset that is read next.
    pub(super) position: AtomicU64,
    /// Up to where everything was fetched and handed out: also past the end of a transaction, which is no record.
    passed: AtomicU64,
}

impl Progress {
    pub(super) fn new(topics: &[(&str, Vec<u64>)]) -> Progress {
        let mut progress = Progress {
            partitions: Vec::new(),
            by_name: HashMap::new(),
            polled: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            grown: OnceLock::new(),
        };
        for (topic, offsets) in topics {
            for (partition, offset) in (0..).zip(offsets) {
                let names = progress.by_name.entry((*topic).to_owned()).or_default();
                names.insert(partition as i32, progress.partitions.len());
                progress.partitions.push(PartitionProgress {
                    topic: (*topic).to_owned(),
                    partition,
                    position: AtomicU64::new(*offset),
                    passed: AtomicU64::new(*offset),
                });
            }
        }
        progress
    }

    /// The reader was polled.
    pub(super) fn polled(&self) {
        self.polled.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the partitions from the `first` on have reached these offsets.
    pub(super) fn has_reached(&self, first: usize, ends: &[u64]) -> bool {
        self.partitions[first..].iter().zip(ends).all(|(at, end)| at.reached() >= *end)
    }

    /// Whether the watchdog has given this reader up.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Whether a topic has partitions that this reader does not read.
    pub(super) fn has_all_partitions(&self) -> Result<(), LogError> {
        let Some(Grown { topic, known, there }) = self.grown.get() else { return Ok(()) };
        Err(LogError::MorePartitions { topic: topic.clone(), known: *known, there: *there })
    }

    /// A topic has so many partitions. Said once.
    fn counted(&self, topic: &str, known: u32, there: u32) {
        if there <= known || self.grown.set(Grown { topic: topic.to_owned(), known, there }).is_err() {
            return;
        }
        tracing::error!(
            topic,
            known,
            there,
            "partitions were added to a topic while it is read: a service that ends because of it must be started again"
        );
    }

    /// What librdkafka has fetched, where none of it waits to be read.
    pub(super) fn fetched(&self, statistics: &Statistics) {
        for (name, topic) in &statistics.topics {
            let Some(partitions) = self.by_name.get(name) else { continue };
            for (number, partition) in &topic.partitions {
                if let (Some(at), 0, Ok(next)) =
                    (partitions.get(number), partition.fetchq_cnt, u64::try_from(partition.next_offset))
                {
                    self.partitions[*at].passed.fetch_max(next, Ordering::Relaxed);
                }
            }
        }
    }
}

impl PartitionProgress {
    fn reached(&self) -> u64 {
        self.position.load(Ordering::Relaxed).max(self.passed.load(Ordering::Relaxed))
    }
}

/// The thread that watches. It ends when this is dropped.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    readers: Vec<Weak<Progress>>,
    stopped: bool,
}

impl Watchdog {
    pub(super) fn start(
        timeout: Duration,
        queries: Arc<Queries>,
        health: KafkaHealth,
        clock: Arc<dyn Clock>,
    ) -> Result<Watchdog, LogError> {
        let shared = Arc::new(Shared::default());
        let mut round = Round { queries, health, clock, timeout, seen: HashMap::new() };
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("kafka watchdog".into()).spawn(move || {
                while let Some(readers) = shared.next(timeout / LOOKS_PER_TIMEOUT) {
                    round.look(&readers, &shared);
                }
            })
        };
        let thread =
            thread.map_err(|error| LogError::Unavailable(format!("no thread for the watchdog: {error}")))?;
        Ok(Watchdog { shared, thread: Some(thread) })
    }

    /// From now on this reader is watched, for as long as it lives.
    pub(super) fn watch(&self, reader: &Arc<Progress>) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.readers.push(Arc::downgrade(reader));
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It ends within one look; a panic in it has been reported by then.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped
    }

    /// The readers to be looked at after a pause; `None` at the end.
    fn next(&self, pause: Duration) -> Option<Vec<Arc<Progress>>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(state, pause, |state| !state.stopped);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return None;
        }
        state.readers.retain(|reader| reader.strong_count() > 0);
        Some(state.readers.iter().filter_map(Weak::upgrade).collect())
    }
}

/// One look after the other.
struct Round {
    queries: Arc<Queries>,
    health: KafkaHealth,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    /// By reader (its address) and partition.
    seen: HashMap<(usize, usize), Seen>,
}

/// What was seen of a partition when it last moved, or last could not be blamed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    reached: u64,
    polled: u64,
    at: Duration,
}

impl Seen {
    /// Judges one partition: whether it has stalled. `end` is `None` where the broker did not say.
    pub(super) fn judge(
        &mut self,
        reached: u64,
        polled: u64,
        end: Option<u64>,
        now: Duration,
        timeout: Duration,
    ) -> bool {
        let behind = end.is_some_and(|end| end > reached);
        // A reader that nobody polls stands still by its owner's will.
        if reached != self.reached || !behind || polled == self.polled {
            *self = Seen { reached, polled, at: now };
            return false;
        }
        self.polled = polled;
        now.saturating_sub(self.at) >= timeout
    }
}

impl Round {
    fn look(&mut self, readers: &[Arc<Progress>], shared: &Shared) {
        // Errors and log lines of the client wait until it is polled.
        while self.queries.poll(Duration::ZERO).is_some() {}
        match self.queries.client().fetch_metadata(Some("__consumer_offsets"), LOOK_TIMEOUT) {
            Ok(_) => self.health.is_back(),
            Err(error) => self.health.is_away(&error.to_string()),
        }
        let mut seen = HashMap::with_capacity(self.seen.len());
        for reader in readers {
            self.count_partitions(reader, shared);
            for at in 0..reader.partitions.len() {
                if shared.is_stopped() {
                    return;
                }
                let key = (Arc::as_ptr(reader).addr(), at);
                seen.insert(key, self.look_at(self.seen.get(&key).copied(), reader, at));
            }
        }
        self.seen = seen;
    }

    fn count_partitions(&self, reader: &Progress, shared: &Shared) {
        for (topic, known) in &reader.by_name {
            if shared.is_stopped() || self.health.away_since_ms().is_some() {
                return;
            }
            let Ok(metadata) = self.queries.client().fetch_metadata(Some(topic), LOOK_TIMEOUT) else {
                continue;
            };
            for found in metadata.topics().iter().filter(|found| found.name() == topic) {
                reader.counted(topic, known.len() as u32, found.partitions().len() as u32);
            }
        }
    }

    fn look_at(&self, before: Option<Seen>, reader: &Progress, at: usize) -> Seen {
        let PartitionProgress { topic, partition, .. } = &reader.partitions[at];
        let away = self.health.away_since_ms().is_some();
        let asked = (!away)
            .then(|| self.queries.fetch_watermarks(topic, *partition as i32, LOOK_TIMEOUT).ok())
            .flatten();
        let end = asked.and_then(|(_, high)| u64::try_from(high).ok());
        // Read after the end, so that what was read in between is not taken for a lag.
        let reached = reader.partitions[at].reached();
        let (polled, now) = (reader.polled.load(Ordering::Relaxed), self.clock.monotonic());
        let mut seen = before.unwrap_or(Seen { reached, polled, at: now });
        if seen.judge(reached, polled, end, now, self.timeout) && !reader.is_stalled() {
            reader.stalled.store(true, Ordering::Relaxed);
            let seconds = now.saturating_sub(seen.at).as_secs();
            let end = end.unwrap_or_default();
            self.health.has_stalled(format!(
                "topic {topic} partition {partition}: at offset {reached} of {end} for {seconds} s"
            ));
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    /// Each row: seconds, offset reached, polls so far, end as the broker says it, and whether that is a stall.
    fn check(rows: &[(u64, u64, u64, Option<u64>, bool)]) {
        let mut seen = Seen { reached: 5, polled: 0, at: Duration::ZERO };
        for (number, (seconds, reached, polled, end, stalled)) in rows.iter().enumerate() {
            let judged = seen.judge(*reached, *polled, *end, Duration::from_secs(*seconds), TIMEOUT);
            assert_eq!(judged, *stalled, "row {number} of {rows:?}");
        }
    }

    #[test]
    fn a_partition_is_stalled_when_it_is_behind_and_polled_and_does_not_move() {
        check(&[
            (10, 5, 9, Some(7), false),
            (20, 5, 19, Some(7), false),
            (29, 5, 28, Some(8), false),
            (30, 5, 29, Some(8), true),
        ]);
    }

    #[test]
    fn what_moves_is_at_the_end_is_not_polled_or_cannot_be_judged_is_not_stalled() {
        check(&[
            (20, 5, 9, Some(7), false),
            (40, 6, 19, Some(7), false),
            (69, 6, 29, Some(7), false),
            (70, 6, 30, Some(7), true),
        ]);
        check(&[(20, 5, 9, Some(5), false), (90, 5, 19, Some(5), false), (100, 5, 20, Some(6), false)]);
        check(&[
            (20, 5, 0, Some(7), false),
            (90, 5, 0, Some(7), false),
            (100, 5, 1, Some(7), false),
            (119, 5, 2, Some(7), false),
        ]);
        check(&[
            (29, 5, 9, Some(7), false),
            (31, 5, 19, None, false),
            (60, 5, 29, Some(7), false),
            (61, 5, 39, Some(7), true),
        ]);
    }
}
