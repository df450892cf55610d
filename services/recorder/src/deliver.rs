//! Brings one batch into a store: retries for as long as the store is away, and where the store refuses, halves the batch
//! until the lines that it does not take are found, so that one bad line never keeps the others out.
//!
//! It keeps no order and starts one attempt at a time. A line is given up only when the store refuses it alone and would
//! take an empty write at that moment: a store that refuses everything is set up wrongly and is waited for.

use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::sink::{Attempt, Away, AwayReason, Refused, RefusedReason, Rejected, Sink};

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Lines that the store does not take.
    pub rejected: Vec<Rejected>,
    /// Whether an attempt may be written later than a later one: its points must be written once more.
    pub doubtful: bool,
}

/// Learns of each attempt, for metrics, logs and readiness.
pub trait Observer: Send + Sync {
    /// An attempt was made with that many lines (none: a look whether the store is there) and took that long.
    fn attempted(&self, lines: usize, attempt: &Attempt, took: Duration);
}

/// Delivers the batch. Returns when the store has every line that it takes: never, if it stays away.
pub async fn deliver<S: Sink>(
    sink: &S,
    batch: &Batch,
    backoff: &mut Backoff,
    observer: &impl Observer,
) -> Delivery {
    let mut delivery = Delivery::default();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    ranges.push(0..batch.len());
    // Whether the store took an empty write since it refused what is tried now.
    let mut probed = false;
    while let Some(range) = ranges.pop() {
        if range.is_empty() {
            continue;
        }
        let lines = range.len();
        match timed(sink.write(batch.text(range.clone())), lines, observer).await {
            Attempt::Written => {
                backoff.reset();
                probed = false;
            }
            Attempt::Away(away) => {
                wait(&away, backoff, &mut delivery).await;
                ranges.push(range);
            }
            Attempt::Refused(refused) if lines > 1 && refused.dropped != Some(lines) => {
                let middle = range.start + lines / 2;
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            }
            Attempt::Refused(refused) if probed || names_the_lines(refused.reason) => {
                delivery.rejected.extend(rejected(batch, range, &refused));
                probed = false;
            }
            Attempt::Refused(refused) => {
                probed = timed(sink.probe(), 0, observer).await == Attempt::Written;
                if !probed {
                    let away = misconfigured(refused);
                    observer.attempted(0, &Attempt::Away(away.clone()), Duration::ZERO);
                    wait(&away, backoff, &mut delivery).await;
                }
                ranges.push(range);
            }
        }
    }
    delivery
}

async fn timed(attempt: impl Future<Output = Attempt>, lines: usize, observer: &impl Observer) -> Attempt {
    let started = Instant::now();
    let attempt = attempt.await;
    observer.attempted(lines, &attempt, started.elapsed());
    attempt
}

async fn wait(away: &Away, backoff: &mut Backoff, delivery: &mut Delivery) {
    delivery.doubtful |= away.perhaps_written;
    tokio::time::sleep(backoff.next(away.retry_after)).await;
}

/// Whether only the store itself, having read the lines, says so. Anything else can come from a wrong address, a wrong
/// set-up or a proxy between us.
fn names_the_lines(reason: RefusedReason) -> bool {
    match reason {
        RefusedReason::FieldConflict | RefusedReason::OutsideRetention => true,
        RefusedReason::Malformed | RefusedReason::TooLarge | RefusedReason::Unprocessable => false,
    }
}

fn rejected(batch: &Batch, range: Range<usize>, refused: &Refused) -> impl Iterator<Item = Rejected> {
    range.map(|index| batch.line(index)).map(|(line, origin)| Rejected {
        line: line.to_vec(),
        origin,
        refused: refused.clone(),
    })
}

/// What refuses even an empty write.
fn misconfigured(refused: Refused) -> Away {
    Away { reason: AwayReason::Unexpected, retry_after: None, perhaps_written: false, detail: refused.detail }
}

#[cfg(test)]
mod tests;
