//! How long to wait before the next attempt: exponential, jittered, bounded, and never earlier than the store asked.

use std::time::Duration;

/// The first wait is at most this.
const FIRST: Duration = Duration::from_millis(250);
/// No own wait is longer.
pub const LONGEST: Duration = Duration::from_secs(60);
/// A `Retry-After` beyond this is not believed.
pub const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// The waits of one sink. The seed is chosen by the caller, so that tests repeat and replicas differ.
#[derive(Clone, Debug)]
pub struct Backoff {
    attempts: u32,
    state: u64,
}

impl Backoff {
    /// Waits that begin anew.
    pub fn new(seed: u64) -> Backoff {
        Backoff { attempts: 0, state: seed }
    }

    /// After a success the next wait is short again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The wait before the next attempt: between a half and the whole of 250 ms · 2ⁿ, at most 60 s; where the store
    /// named a wait, at least that and at most a tenth more.
    pub fn next(&mut self, retry_after: Option<Duration>) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.attempts.min(20)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let share = self.random();
        let own = ceiling.mul_f64(0.5 + share / 2.0);
        match retry_after {
            Some(asked) => own.max(asked.min(LONGEST_ASKED).mul_f64(1.0 + share / 10.0)),
            None => own,
        }
    }

    /// A number in [0, 1): SplitMix64.
    fn random(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_begin_anew_after_a_success() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            for attempt in 0..40 {
                let ceiling = Duration::from_millis(250 << attempt.min(8)).min(LONGEST);
                let wait = backoff.next(None);
                assert!(wait >= ceiling / 2 && wait <= ceiling, "seed {seed} attempt {attempt}: {wait:?}");
            }
            backoff.reset();
            assert!(backoff.next(None) <= FIRST);
        }
    }

    #[test]
    fn two_replicas_do_not_knock_together() {
        assert_ne!(Backoff::new(1).next(None), Backoff::new(2).next(None));
    }

    #[test]
    fn the_store_is_not_asked_again_earlier_than_it_said() {
        let mut backoff = Backoff::new(7);
        let wait = backoff.next(Some(Duration::from_secs(7)));
        assert!(wait >= Duration::from_secs(7) && wait <= Duration::from_millis(7_700), "{wait:?}");
        assert!(backoff.next(Some(Duration::from_secs(90))) >= Duration::from_secs(90));
        assert!(backoff.next(Some(Duration::from_secs(1 << 40))) <= LONGEST_ASKED.mul_f64(1.1));
    }
}
