//! What cannot be recorded is kept on the refusals topic (spec 1.7), with where it came from: lines that the store does
//! not take, and records that are no measures. Neither can name a patient.

use std::sync::Arc;
use std::time::Duration;

use contract::refusal::{self, Origin, Refusal};
use contract::topics::REFUSALS;
use domain::event::Outcome;
use domain::time::Millis;
use runtime::clock::Clock;
use runtime::log::{Log, LogError, NewRecord, RecordView};

use crate::service::RecorderError;
use crate::sink::{RefusedReason, Rejected};

/// Whom the refusals topic names as their source.
const SOURCE: &str = "sitrep.recorder";
/// The pause after the log could not take them.
const PAUSE: Duration = Duration::from_secs(1);
/// At most so many are appended at once.
const AT_ONCE: usize = 500;

/// The way to the refusals topic.
pub(crate) struct Refusals {
    log: Arc<dyn Log>,
    topic: String,
    clock: Arc<dyn Clock>,
}

impl Refusals {
    /// `topic` is the topic of measures that is recorded.
    pub(crate) fn new(log: Arc<dyn Log>, topic: &str, clock: Arc<dyn Clock>) -> Refusals {
        Refusals { log, topic: topic.to_owned(), clock }
    }

    /// Keeps lines that the store does not take.
    pub(crate) async fn rejected(&self, rejected: &[Rejected]) -> Result<(), RecorderError> {
        let refusals: Vec<Refusal> = rejected.iter().map(|rejected| self.of_line(rejected)).collect();
        self.append(&refusals).await
    }

    fn of_line(&self, rejected: &Rejected) -> Refusal {
        let reason = match rejected.refused.reason {
            RefusedReason::TooLarge => Outcome::TooLarge,
            RefusedReason::OutsideRetention => Outcome::TooLate,
            RefusedReason::Malformed | RefusedReason::FieldConflict | RefusedReason::Unprocessable => {
                Outcome::Malformed
            }
        };
        let origin = Origin::Log {
            topic: self.topic.clone(),
            partition: rejected.origin.partition,
            offset: rejected.origin.offset,
        };
        let (detail, source) = (rejected.refused.to_string(), SOURCE.to_owned());
        Refusal::new(reason, detail, source, &rejected.line, false, origin, Millis(0))
    }

    /// Keeps refusals. Returns when the log has them; while it is away it is waited for.
    pub(crate) async fn append(&self, refusals: &[Refusal]) -> Result<(), RecorderError> {
        for some in refusals.chunks(AT_ONCE) {
            let now = Millis(self.clock.now_ms());
            let records: Arc<[NewRecord]> = some.iter().map(|refusal| record(refusal, now)).collect();
            while let Err(error) = self.append_once(records.clone()).await? {
                if matches!(error, LogError::Misconfigured(_)) {
                    return Err(error.into());
                }
                tracing::warn!(%error, "refusals are waiting for the log");
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    async fn append_once(&self, records: Arc<[NewRecord]>) -> Result<Result<(), LogError>, RecorderError> {
        let log = self.log.clone();
        let appending = tokio::task::spawn_blocking(move || log.append(REFUSALS, &records).map(|_| ()));
        appending.await.map_err(|_| RecorderError::Crashed("the refusals"))
    }
}

fn record(refusal: &Refusal, now: Millis) -> NewRecord {
    let mut value = Vec::new();
    refusal::encode(&Refusal { at: now, ..refusal.clone() }, &mut value);
    NewRecord { key: refusal.source.clone().into_bytes(), value, protobuf: true, partition: None }
}

/// A record of the measures topic that is no measure. When it was refused is set as it is kept.
pub(crate) fn unreadable(topic: &str, record: RecordView<'_>, why: &str) -> Refusal {
    let (partition, offset) = (record.partition, record.offset);
    let origin = Origin::Log { topic: topic.to_owned(), partition, offset };
    let (detail, source) = (why.to_owned(), SOURCE.to_owned());
    Refusal::new(Outcome::Malformed, detail, source, record.value, record.protobuf, origin, Millis(0))
}
