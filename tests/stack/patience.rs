//! Waiting: always for something, never longer than a deadline, and never by sleeping.

use std::sync::LazyLock;
use std::sync::mpsc;
use std::time::Duration;

use runtime::clock::{Clock, SystemClock};

static CLOCK: LazyLock<SystemClock> = LazyLock::new(SystemClock::new);

/// How long anything that should happen soon may take: the machine may be compiling something else.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    CLOCK.now_ms()
}

/// Since some moment before the test.
pub(crate) fn elapsed() -> Duration {
    CLOCK.monotonic()
}

/// Lets so much time go by: only as a part of a wait, or where time itself is the subject.
pub(crate) fn pause(length: Duration) {
    let (_kept, never) = mpsc::channel::<()>();
    assert!(never.recv_timeout(length).is_err(), "nobody sends");
}

/// Looks until there is something; panics after `within` with what was last in the way.
pub(crate) fn eventually<T>(what: &str, within: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let until = elapsed() + within;
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(why) if elapsed() >= until => panic!("not within {} s: {what}: {why}", within.as_secs()),
            Err(_) => pause(Duration::from_millis(100)),
        }
    }
}
