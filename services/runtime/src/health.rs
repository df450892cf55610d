//! Health: named conditions that must hold before the process takes traffic, and whether it is alive at all.
//!
//! A dependency that is away makes the process not ready (`/readyz`), never dead: restarting it would not bring the
//! dependency back. Dead (`/healthz`) is only what a restart mends: a stalled reader, a worker that has ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;

/// The conditions of a process. Clones are the same.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<&'static str, Waiting>,
    dead: Option<String>,
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// Why.
    pub why: String,
}

/// The handle by which one part of the process says whether its condition holds.
#[derive(Clone)]
pub struct Condition {
    name: &'static str,
    health: Health,
}

impl Health {
    /// No conditions: alive and ready.
    pub fn new(clock: Arc<dyn Clock>) -> Health {
        Health(Arc::new(Inner { clock, state: Mutex::default() }))
    }

    /// Adds a condition that does not hold yet, because the process is starting.
    pub fn condition(&self, name: &'static str) -> Condition {
        let condition = Condition { name, health: self.clone() };
        condition.waits("starting");
        condition
    }

    /// The conditions that do not hold, by name. None: ready.
    pub fn waiting(&self) -> Vec<(&'static str, Waiting)> {
        self.state().waiting.iter().map(|(name, waiting)| (*name, waiting.clone())).collect()
    }

    /// Whether every condition holds and the process is alive.
    pub fn is_ready(&self) -> bool {
        let state = self.state();
        state.waiting.is_empty() && state.dead.is_none()
    }

    /// Says that only a restart can mend this process. It cannot be taken back; the first reason is kept.
    pub fn dead(&self, why: impl Into<String>) {
        let why = why.into();
        tracing::error!(why, "this process cannot go on");
        self.state().dead.get_or_insert(why);
    }

    /// Why only a restart can mend this process, if so.
    pub fn death(&self) -> Option<String> {
        self.state().dead.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// The condition holds. Said once in the log.
    pub fn holds(&self) {
        if self.health.state().waiting.remove(self.name).is_some() {
            tracing::info!(condition = self.name, "ready");
        }
    }

    /// The condition does not hold; since when is kept while only the reason changes. Said once in the log.
    pub fn waits(&self, why: impl Into<String>) {
        let (why, now_ms) = (why.into(), self.health.0.clock.now_ms());
        let mut state = self.health.state();
        match state.waiting.get_mut(self.name) {
            Some(waiting) if waiting.why == why => {}
            Some(waiting) => {
                tracing::warn!(condition = self.name, why, "still not ready");
                waiting.why = why;
            }
            None => {
                tracing::info!(condition = self.name, why, "not ready");
                state.waiting.insert(self.name, Waiting { since_ms: now_ms, why });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_condition_keeps_since_when_while_its_reason_changes() {
        let clock = Arc::new(ManualClock::new(5));
        let health = Health::new(clock.clone());
        assert!(health.is_ready());
        let kafka = health.condition("kafka");
        clock.advance(Duration::from_millis(10));
        kafka.waits("no broker");
        assert_eq!(health.waiting(), [("kafka", Waiting { since_ms: 5, why: "no broker".into() })]);
        kafka.holds();
        assert!(health.is_ready());
        kafka.waits("no broker");
        assert_eq!(health.waiting()[0].1.since_ms, 15);
    }

    #[test]
    fn what_is_dead_stays_dead_and_is_not_ready() {
        let health = Health::new(Arc::new(ManualClock::new(0)));
        health.dead("partition 3 stalled");
        health.dead("again");
        assert_eq!(health.death().as_deref(), Some("partition 3 stalled"));
        assert!(!health.is_ready());
    }
}
