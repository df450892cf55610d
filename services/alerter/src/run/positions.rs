//! How far the topics were read, and which publisher is current in each partition; saved with the state.

use runtime::log::{Log, LogError};
use serde::{Deserialize, Serialize};

/// The measures topic and the alerts topic.
pub(super) const TOPICS: usize = 2;
/// The measures topic's place among them.
pub(super) const MEASURES: usize = 0;
/// Without a checkpoint so much of the measures topic is read: enough for the step of the longest window.
const MEASURES_BACK_MS: i64 = 20 * 60_000;
/// Without a checkpoint so much of the alerts topic is read: silences that still hold may stand there.
const ALERTS_BACK_MS: i64 = 31 * 86_400_000;

/// The positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Positions {
    /// For each topic and partition the next offset.
    pub(super) offsets: [Vec<u64>; TOPICS],
    /// For each partition of the measures topic the highest epoch that was seen: an older one is a zombie's
    /// (spec 2.6). A publisher's mark comes before its records, so the records alone say it too.
    epochs: Vec<u64>,
}

impl Positions {
    pub(super) fn parse(bytes: &[u8]) -> Option<Positions> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers only")
    }

    /// Fits saved positions to what the log has: what is gone is skipped, said once; a topic that was made anew is read
    /// from its start. Without saved ones the recent past is read.
    pub(super) fn in_log(
        saved: Option<Positions>,
        log: &dyn Log,
        topics: [&str; TOPICS],
        now_ms: i64,
    ) -> Result<Positions, LogError> {
        let (saved_offsets, mut epochs) = match saved {
            Some(saved) => (saved.offsets.map(Some), saved.epochs),
            None => ([None, None], Vec::new()),
        };
        let mut offsets: [Vec<u64>; TOPICS] = [Vec::new(), Vec::new()];
        for (index, (topic, saved)) in topics.into_iter().zip(saved_offsets).enumerate() {
            let back_ms = if index == MEASURES { MEASURES_BACK_MS } else { ALERTS_BACK_MS };
            let recent = || log.offsets_at(topic, now_ms.saturating_sub(back_ms));
            offsets[index] = match saved {
                Some(saved) => fitted(topic, &saved, &log.starts(topic)?, &log.ends(topic)?),
                None => recent()?,
            };
        }
        epochs.resize(offsets[MEASURES].len(), 0);
        Ok(Positions { offsets, epochs })
    }

    /// A record was read.
    pub(super) fn read(&mut self, topic: usize, partition: u32, offset: u64) {
        if let Some(next) = self.offsets.get_mut(topic).and_then(|all| all.get_mut(partition as usize)) {
            *next = offset + 1;
        }
    }

    /// Whether a publisher of this epoch is the newest that was seen in a partition of the measures topic.
    pub(super) fn is_current(&mut self, partition: u32, epoch: u64) -> bool {
        let Some(newest) = self.epochs.get_mut(partition as usize) else { return true };
        *newest = epoch.max(*newest);
        epoch == *newest
    }
}

fn fitted(topic: &str, saved: &[u64], starts: &[u64], ends: &[u64]) -> Vec<u64> {
    let bounds = starts.iter().zip(ends).enumerate();
    bounds
        .map(|(partition, (start, end))| match saved.get(partition) {
            None => *start,
            Some(offset) if (*start..=*end).contains(offset) => *offset,
            Some(offset) => {
                tracing::error!(
                    topic,
                    partition,
                    saved = offset,
                    start,
                    end,
                    "the saved position is not in the log: reading from its start"
                );
                *start
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_positions_are_fitted_to_the_log() {
        let fitted = fitted("t", &[5, 1, 99, 3], &[0, 4, 2, 3, 7], &[9, 9, 9, 3, 8]);
        assert_eq!(fitted, [5, 4, 2, 3, 7]);
    }

    #[test]
    fn an_older_epoch_is_a_zombie_in_its_partition_only() {
        let mut positions = Positions { offsets: [vec![0, 0], vec![]], epochs: vec![0, 0] };
        assert!(positions.is_current(0, 3));
        assert!(positions.is_current(0, 5));
        assert!(!positions.is_current(0, 3));
        assert!(positions.is_current(1, 3));
        assert_eq!(Positions::parse(&positions.to_bytes()), Some(positions));
        assert_eq!(Positions::parse(b"{"), None);
    }
}
