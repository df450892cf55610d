//! Points of which an older attempt may still be written: an attempt that got no clear answer can be carried out after
//! the one that repeated it, and even after a later batch. So their newest values are written once more, a little later
//! (spec 2.6: "after a write that timed out every series of it is written again with its newest value").
//!
//! Bounded: the doubtful batches of at most [`PORTIONS`] portions.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::batch::{Batch, Limits, Origin};
use crate::line;
use crate::sink::Rejected;

/// How long after the last doubtful attempt the points are written once more.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);
/// After so many further portions nothing else is written before that, so that what a start must read again stays small.
pub(crate) const PORTIONS: u32 = 16;

/// The doubtful points and their newest lines.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    /// By the point's name: its newest line and where that came from.
    lines: BTreeMap<Vec<u8>, (Vec<u8>, Origin)>,
    portions: u32,
}

impl Doubt {
    /// Whether no point is doubtful.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the points must be written once more before anything else.
    pub(crate) fn is_full(&self) -> bool {
        self.portions >= PORTIONS
    }

    /// A batch was delivered: a doubtful point that is in it has a newer value. If it was delivered with a doubtful
    /// attempt, all its points are doubtful, but those of the lines that the store does not take.
    pub(crate) fn delivered(&mut self, batch: &Batch, doubtful: bool, rejected: &[Rejected]) {
        if !doubtful && self.is_empty() {
            return;
        }
        for (line, origin) in batch.lines() {
            let name = name(line);
            if doubtful || self.lines.contains_key(&name) {
                self.lines.insert(name, (line.to_vec(), origin));
            }
        }
        for rejected in rejected {
            self.lines.remove(&name(&rejected.line));
        }
        if self.is_empty() {
            self.portions = 0;
        }
    }

    /// A portion was delivered.
    pub(crate) fn portion_ended(&mut self) {
        if !self.is_empty() {
            self.portions += 1;
        }
    }

    /// The points to be written once more; none is doubtful any more until an attempt says so again.
    pub(crate) fn take(&mut self, limits: Limits) -> Vec<Batch> {
        self.portions = 0;
        let mut batches = Vec::new();
        let mut batch = Batch::default();
        for (line, origin) in std::mem::take(&mut self.lines).into_values() {
            if batch.is_full_for(line.len(), limits) {
                batches.push(std::mem::take(&mut batch));
            }
            batch.push(&line, origin);
        }
        batches.push(batch);
        batches.retain(|batch| !batch.is_empty());
        batches
    }
}

fn name(line: &[u8]) -> Vec<u8> {
    let (series, timestamp) = line::point_name(line);
    [series, b" ", timestamp].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{Refused, RefusedReason};

    fn batch(lines: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for line in lines {
            batch.push(format!("{line}\n").as_bytes(), Origin::default());
        }
        batch
    }

    fn text(batches: &[Batch]) -> Vec<String> {
        batches.iter().map(|batch| String::from_utf8_lossy(batch.text(0..batch.len())).into_owned()).collect()
    }

    #[test]
    fn a_doubtful_point_is_written_again_with_its_newest_value() {
        let mut doubt = Doubt::default();
        doubt.delivered(&batch(&["m,org=A f=1i 60", "m,org=B f=1i 60"]), true, &[]);
        doubt.delivered(&batch(&["m,org=A f=2i 60", "m,org=A f=7i 120", "n,org=B f=8i 60"]), false, &[]);
        assert_eq!(text(&doubt.take(Limits::default())), ["m,org=A f=2i 60\nm,org=B f=1i 60\n"]);
        assert!(doubt.is_empty() && doubt.take(Limits::default()).is_empty());
    }

    #[test]
    fn nothing_is_kept_of_clear_answers_and_of_lines_that_the_store_does_not_take() {
        let mut doubt = Doubt::default();
        doubt.delivered(&batch(&["m,org=A f=1i 60"]), false, &[]);
        assert!(doubt.is_empty());
        let refused = Refused { reason: RefusedReason::FieldConflict, dropped: None, detail: String::new() };
        let rejected = Rejected { line: b"m,org=A f=1i 60\n".to_vec(), origin: Origin::default(), refused };
        doubt.delivered(&batch(&["m,org=A f=1i 60"]), true, &[rejected]);
        assert!(doubt.is_empty());
    }

    #[test]
    fn it_is_bounded() {
        let mut doubt = Doubt::default();
        doubt.delivered(&batch(&["m f=1i 1", "m f=1i 2", "m f=1i 3"]), true, &[]);
        for portion in 0..PORTIONS {
            assert!(!doubt.is_full(), "{portion}");
            doubt.portion_ended();
        }
        assert!(doubt.is_full());
        let limits = Limits { lines: 2, ..Limits::default() };
        assert_eq!(text(&doubt.take(limits)), ["m f=1i 1\nm f=1i 2\n", "m f=1i 3\n"]);
        assert!(!doubt.is_full());
    }
}
