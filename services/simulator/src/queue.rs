//! Messages under way: put in for any later time, taken out in order of delivery. Kept in one bucket a minute and
//! sorted only when a minute comes, which is several times cheaper than a heap. Not what the messages say.

use std::collections::VecDeque;

/// What can be queued: its `order` is its own, so that messages of one millisecond have one order.
pub(crate) trait Deliverable {
    /// When it is received: Unix milliseconds.
    fn at(&self) -> i64;
    /// Its place among those of one millisecond.
    fn order(&self) -> u64;
}

/// So many emptied buckets are kept: each has room for a full minute, most of what is under way lies in sparse ones.
const SPARE_MAX: usize = 16;

/// The queue. It holds what is under way and nothing that was delivered.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    /// The minute of `buckets[0]`.
    first_minute: i64,
    buckets: VecDeque<Vec<T>>,
    /// What is left of the minute before `first_minute`, the latest first.
    current: Vec<T>,
    /// Emptied buckets, to be used again.
    spare: Vec<Vec<T>>,
}

impl<T: Deliverable> Queue<T> {
    /// A queue that begins with the minute of `start` (Unix milliseconds).
    pub(crate) fn new(start: i64) -> Queue<T> {
        let first_minute = start.div_euclid(60_000);
        Queue { first_minute, buckets: VecDeque::new(), current: Vec::new(), spare: Vec::new() }
    }

    /// Puts in a message. One for a minute that was begun is lost: the caller must not be so late.
    pub(crate) fn push(&mut self, message: T) {
        let offset = message.at().div_euclid(60_000) - self.first_minute;
        debug_assert!(offset >= 0, "a message for a minute that was begun");
        let Ok(offset) = usize::try_from(offset) else { return };
        while self.buckets.len() <= offset {
            self.buckets.push_back(self.spare.pop().unwrap_or_default());
        }
        self.buckets[offset].push(message);
    }

    /// The next message that is received before `limit` (Unix milliseconds).
    pub(crate) fn pop_before(&mut self, limit: i64) -> Option<T> {
        while self.current.is_empty() {
            if self.first_minute * 60_000 >= limit {
                return None;
            }
            self.first_minute += 1;
            let Some(mut bucket) = self.buckets.pop_front() else { continue };
            bucket.sort_unstable_by_key(|message| std::cmp::Reverse((message.at(), message.order())));
            let emptied = std::mem::replace(&mut self.current, bucket);
            if self.spare.len() < SPARE_MAX {
                self.spare.push(emptied);
            }
        }
        self.current.pop_if(|message| message.at() < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, Purpose};

    impl Deliverable for (i64, u64) {
        fn at(&self) -> i64 {
            self.0
        }
        fn order(&self) -> u64 {
            self.1
        }
    }

    #[test]
    fn messages_come_out_in_order_and_none_before_its_time() {
        let mut draws = Draws::new(5, Purpose::Visits, 0, 0);
        let mut queue = Queue::new(0);
        let mut all = Vec::new();
        for order in 0..2_000 {
            let message = (i64::from(draws.below(3_600_000)), order);
            queue.push(message);
            all.push(message);
        }
        all.sort_unstable();
        let mut got = Vec::new();
        for limit in [0, 1, 59_999, 60_000, 1_000_001, 1_000_002, 4_000_000] {
            while let Some(message) = queue.pop_before(limit) {
                assert!(message.0 < limit);
                got.push(message);
            }
            let due = all.iter().filter(|message| message.0 < limit).count();
            assert_eq!(got, all[..due], "limit {limit}");
        }
        queue.push((9_999_999, 1));
        assert_eq!(queue.pop_before(i64::MAX), Some((9_999_999, 1)));
    }
}
