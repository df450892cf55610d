//! The desk behind every door: what has been judged is held here, within a bound, until the log has it durably, and then
//! counted. However it came in, it goes out this way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::refusal::{self, Refusal};
use contract::topics;
use domain::event::Outcome;
use domain::time::Millis;
use runtime::access::Grant;
use runtime::clock::Clock;
use runtime::health::Condition;
use runtime::log::{Log, LogError, NewRecord};
use runtime::seal::Sealer;

use crate::body::Piece;
use crate::judge::{Rules, Verdict};
use crate::metrics::Metrics;
use crate::shares::Shares;

/// What a record takes beside its bytes.
const RECORD_BYTES: usize = 128;

/// The desk.
pub(crate) struct Desk {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) rules: Rules,
    pub(crate) sealer: Option<Sealer>,
    pub(crate) shares: Arc<Shares>,
    pub(crate) metrics: Metrics,
    pub(crate) condition: Condition,
    pub(crate) clock: Arc<dyn Clock>,
    /// Bytes that all batches hold, and how many they may hold.
    pub(crate) held: AtomicUsize,
    pub(crate) held_max: usize,
}

/// Why a batch cannot be kept or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeskError {
    /// More than all batches together may hold, by itself: nothing was written, nor ever would be.
    #[error("the post takes more than the {0} bytes of http.buffer while it is judged; send it in parts")]
    TooMuch(usize),
    /// Too much at once: nothing was written; it is to be sent again.
    #[error("too much at once; send the whole again in a second")]
    Busy,
    /// None, some or all was written; it is to be sent again.
    #[error("the log is away; none, some or all was taken: send the whole again")]
    Away,
}

/// What came of a batch that was written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Events that were taken.
    pub(crate) taken: u64,
    /// Those that were refused: which of the batch, from 0, and why.
    pub(crate) refused: Vec<(usize, Outcome, String)>,
}

/// Judged and not written yet. What it holds is given back when it goes.
pub(crate) struct Batch {
    desk: Arc<Desk>,
    grant: Arc<Grant>,
    events: Vec<NewRecord>,
    returns: Vec<NewRecord>,
    refusals: Vec<(usize, Box<Refusal>)>,
    read: usize,
    held: usize,
}

impl Batch {
    /// An empty one of a sender.
    pub(crate) fn new(desk: Arc<Desk>, grant: Arc<Grant>) -> Batch {
        let (events, returns, refusals) = (Vec::new(), Vec::new(), Vec::new());
        Batch { desk, grant, events, returns, refusals, read: 0, held: 0 }
    }

    /// Judges the bytes of an event in JSON.
    pub(crate) fn judge(&mut self, piece: Piece<'_>, now: Millis) -> Result<Option<Outcome>, DeskError> {
        match self.desk.rules.judge(piece, &self.grant, now) {
            Verdict::Taken(topic, record) => self.keep(topic, record).map(|()| None),
            Verdict::Refused(refusal) => {
                let reason = refusal.reason;
                self.refuse(refusal).map(|()| Some(reason))
            }
        }
    }

    /// Keeps an event that may come in.
    pub(crate) fn keep(&mut self, topic: &'static str, record: NewRecord) -> Result<(), DeskError> {
        self.hold(record.key.len() + record.value.len() + RECORD_BYTES)?;
        self.read += 1;
        if topic == topics::RETURNS {
            self.returns.push(record)
        } else {
            self.events.push(record)
        }
        Ok(())
    }

    /// Keeps a refusal.
    pub(crate) fn refuse(&mut self, refusal: Box<Refusal>) -> Result<(), DeskError> {
        self.hold(refusal.bytes.len() + refusal.detail.len() + 2 * RECORD_BYTES)?;
        self.refusals.push((self.read, refusal));
        self.read += 1;
        Ok(())
    }

    /// Holds so many bytes more, or says that all together hold too many.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), DeskError> {
        let before = self.desk.held.fetch_add(bytes, Ordering::Relaxed);
        self.held += bytes;
        let most = self.desk.held_max;
        if self.held > most {
            Err(DeskError::TooMuch(most))
        } else if before + bytes > most {
            Err(DeskError::Busy)
        } else {
            Ok(())
        }
    }

    /// Writes everything and counts it; blocks until the log has it.
    pub(crate) fn write(mut self) -> Result<Written, DeskError> {
        let desk = self.desk.clone();
        let refusals = std::mem::take(&mut self.refusals);
        let refused: Vec<NewRecord> =
            refusals.iter().map(|(_, refusal)| refusal_record(refusal, desk.sealer.as_ref())).collect();
        // Events first: sent again after a failure they change nothing, while a refusal would be kept twice.
        desk.append(topics::EVENTS, &self.events)?;
        desk.append(topics::RETURNS, &self.returns)?;
        desk.append(topics::REFUSALS, &refused)?;
        desk.condition.holds();
        let taken = (self.events.len() + self.returns.len()) as u64;
        desk.metrics.judged(taken, refusals.iter().map(|(_, refusal)| refusal.reason));
        desk.shares.count(&self.grant.name, taken, refusals.len() as u64, Millis(desk.clock.now_ms()));
        let told = |(index, refusal): (usize, Box<Refusal>)| (index, refusal.reason, refusal.detail);
        Ok(Written { taken, refused: refusals.into_iter().map(told).collect() })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.desk.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

impl Desk {
    /// A body was refused as a whole: nothing of it is kept, and for its sender it is one that was refused. Who sends
    /// nothing but such bodies must be seen, too.
    pub(crate) fn refused_whole(&self, sender: &Grant) {
        self.shares.count(&sender.name, 0, 1, Millis(self.clock.now_ms()));
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<(), DeskError> {
        if records.is_empty() {
            return Ok(());
        }
        match self.log.append(topic, records) {
            Ok(_) => Ok(()),
            Err(LogError::Full) => Err(DeskError::Busy),
            Err(
                error @ (LogError::Unavailable(_)
                | LogError::NoTopic(_)
                | LogError::OutOfRange { .. }
                | LogError::MorePartitions { .. }
                | LogError::Misconfigured(_)
                | LogError::Storage(_)),
            ) => {
                self.condition.waits(error.to_string());
                Err(DeskError::Away)
            }
        }
    }
}

/// A refusal as a record of its topic, its bytes sealed where there is a key for it.
pub(crate) fn refusal_record(refusal: &Refusal, sealer: Option<&Sealer>) -> NewRecord {
    let mut value = Vec::new();
    match sealer {
        Some(sealer) => {
            let sealed = refusal.clone().sealed_by(|bytes| sealer.seal(bytes));
            refusal::encode(&sealed, &mut value);
        }
        None => refusal::encode(refusal, &mut value),
    }
    NewRecord { key: refusal.source.clone().into_bytes(), value, protobuf: true, partition: None }
}
