//! The clock: the one place where the time is read. Everything else is told it.
//!
//! Two readings that must not be mixed: the wall clock, which people and stamps use and which may step, and the
//! monotonic one, which never steps and by which time-outs are paced.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The wall clock, Unix milliseconds. May step in either direction.
    fn now_ms(&self) -> i64;

    /// Time since some fixed moment of this process. Never steps back.
    fn monotonic(&self) -> Duration;
}

/// The computer's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic reading starts now.
    #[expect(clippy::disallowed_methods, reason = "the clock is read here and nowhere else")]
    pub fn new() -> SystemClock {
        SystemClock { started: Instant::now() }
    }

    /// The same, to be handed round.
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the clock is read here and nowhere else")]
    fn now_ms(&self) -> i64 {
        let millis = |elapsed: Duration| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        }
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is moved: for tests and for time that is not now.
#[derive(Debug)]
pub struct ManualClock(Mutex<Reading>);

#[derive(Clone, Copy, Debug)]
struct Reading {
    now_ms: i64,
    monotonic: Duration,
}

impl ManualClock {
    /// A clock whose wall time is `now_ms` (Unix milliseconds) and whose monotonic time is zero.
    pub fn new(now_ms: i64) -> ManualClock {
        ManualClock(Mutex::new(Reading { now_ms, monotonic: Duration::ZERO }))
    }

    /// Both readings move on.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.change(|reading| {
            reading.now_ms = reading.now_ms.saturating_add(millis);
            reading.monotonic += by;
        });
    }

    /// The wall clock steps to `now_ms` (Unix milliseconds), as when somebody sets it; the monotonic one does not.
    pub fn set_ms(&self, now_ms: i64) {
        self.change(|reading| reading.now_ms = now_ms);
    }

    fn change(&self, how: impl FnOnce(&mut Reading)) {
        how(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read(&self) -> Reading {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.read().now_ms
    }

    fn monotonic(&self) -> Duration {
        self.read().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_leaves_the_monotonic_one_alone() {
        let clock = ManualClock::new(1_000);
        clock.advance(Duration::from_millis(500));
        clock.set_ms(-7);
        assert_eq!((clock.now_ms(), clock.monotonic()), (-7, Duration::from_millis(500)));
    }

    #[test]
    fn the_system_clock_is_in_this_century_and_does_not_run_backwards() {
        let clock = SystemClock::new();
        let (first, second) = (clock.monotonic(), clock.monotonic());
        assert!(first <= second);
        assert!((1_700_000_000_000..4_000_000_000_000).contains(&clock.now_ms()));
    }
}
