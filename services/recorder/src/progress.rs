//! How far a recorder has come in its topic, as it is kept in its checkpoint. Pure.
//!
//! For each partition three numbers: up to where the store has everything (`stored`), the newest mark's epoch at that
//! place, and up to where something was ever handed to the store (`sent`). What lies between `stored` and `sent` may be
//! in the store or not: see the crate's documentation for what a start does with it.

use std::fmt::Write;

/// A partition's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// The offset of the next record.
    pub offset: u64,
    /// The epoch of the newest mark before it; 0 for none.
    pub epoch: u64,
}

/// The numbers of a topic, by partition.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// Up to where the store has everything.
    pub stored: Vec<Place>,
    /// Up to where something was ever sent; never before `stored`.
    pub sent: Vec<u64>,
}

/// Why a checkpoint cannot be used with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgressError {
    /// The bytes are not ours.
    #[error("the checkpoint's positions cannot be read")]
    Unreadable,
    /// The topic has fewer partitions than it had.
    #[error("the checkpoint knows {known} partitions, the topic has {there}: it is of another log")]
    Partitions {
        /// In the checkpoint.
        known: usize,
        /// In the log.
        there: usize,
    },
    /// The log ends before what was read from it.
    #[error(
        "partition {partition}: the checkpoint is at offset {offset}, the log ends at {end}: it is of another log"
    )]
    Ahead {
        /// The partition.
        partition: usize,
        /// The position in the checkpoint.
        offset: u64,
        /// The log's end.
        end: u64,
    },
}

impl Progress {
    /// The start of a topic whose partitions begin at these offsets.
    pub(crate) fn beginning(starts: &[u64]) -> Progress {
        Progress {
            stored: starts.iter().map(|&offset| Place { offset, epoch: 0 }).collect(),
            sent: starts.to_vec(),
        }
    }

    /// The form in the checkpoint: a line for each partition, `stored epoch sent`.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut text = String::new();
        for (place, sent) in self.stored.iter().zip(&self.sent) {
            writeln!(text, "{} {} {sent}", place.offset, place.epoch).expect("a String takes everything");
        }
        text.into_bytes()
    }

    /// Reads that form.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Progress, ProgressError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ProgressError::Unreadable)?;
        let mut progress = Progress::default();
        for line in text.lines() {
            let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
            let Ok([offset, epoch, sent]) = numbers.as_deref() else { return Err(ProgressError::Unreadable) };
            if sent < offset {
                return Err(ProgressError::Unreadable);
            }
            progress.stored.push(Place { offset: *offset, epoch: *epoch });
            progress.sent.push(*sent);
        }
        Ok(progress)
    }

    /// Fits the numbers to the log as it is: new partitions are read from their start, and what the log no longer has
    /// is passed over. Returns how many records that were not stored were passed over.
    pub(crate) fn fit(&mut self, starts: &[u64], ends: &[u64]) -> Result<u64, ProgressError> {
        let (known, there) = (self.stored.len(), starts.len().min(ends.len()));
        if known > there {
            return Err(ProgressError::Partitions { known, there });
        }
        for &offset in &starts[known..there] {
            self.stored.push(Place { offset, epoch: 0 });
            self.sent.push(offset);
        }
        let mut passed_over = 0;
        for partition in 0..there {
            let (place, sent) = (&mut self.stored[partition], &mut self.sent[partition]);
            let end = ends[partition];
            if *sent > end {
                return Err(ProgressError::Ahead { partition, offset: *sent, end });
            }
            passed_over += starts[partition].saturating_sub(place.offset);
            place.offset = place.offset.max(starts[partition]);
            *sent = (*sent).max(place.offset);
        }
        Ok(passed_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(rows: &[(u64, u64, u64)]) -> Progress {
        Progress {
            stored: rows.iter().map(|&(offset, epoch, _)| Place { offset, epoch }).collect(),
            sent: rows.iter().map(|row| row.2).collect(),
        }
    }

    #[test]
    fn it_reads_what_it_wrote_and_nothing_else() {
        for rows in [&[][..], &[(0, 0, 0)], &[(5, 2, 9), (u64::MAX, u64::MAX, u64::MAX)]] {
            assert_eq!(Progress::decode(&progress(rows).encode()), Ok(progress(rows)));
        }
        for bad in
            ["1", "1 2", "1 2 3 4", "a b c", "5 0 4", "1  2 3", "-1 0 0", "\n", "1 2 99999999999999999999"]
        {
            assert_eq!(Progress::decode(bad.as_bytes()), Err(ProgressError::Unreadable), "{bad:?}");
        }
        assert_eq!(Progress::decode(b"\xff"), Err(ProgressError::Unreadable));
    }

    #[test]
    fn it_is_fitted_to_the_log() {
        let mut fits = progress(&[(5, 2, 9), (3, 2, 3)]);
        assert_eq!(fits.fit(&[0, 7, 4], &[20, 30, 8]), Ok(4));
        assert_eq!(fits, progress(&[(5, 2, 9), (7, 2, 7), (4, 0, 4)]));
        let mut ahead = progress(&[(5, 2, 9)]);
        let error = ProgressError::Ahead { partition: 0, offset: 9, end: 8 };
        assert_eq!(ahead.fit(&[0], &[8]), Err(error));
        let mut fewer = progress(&[(0, 0, 0), (0, 0, 0)]);
        assert_eq!(fewer.fit(&[0], &[0]), Err(ProgressError::Partitions { known: 2, there: 1 }));
    }
}
