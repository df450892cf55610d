//! The end of the process: one flag that threads and async tasks wait on, set by a signal, by the work being done, or
//! by a failure that the process must not survive.
//!
//! It drains nothing itself: whoever holds the flag stops, and `main` leaves when all have.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The flag. Clones are the same flag.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    begun: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    begun: bool,
    failure: Option<String>,
}

impl Shutdown {
    /// A flag that is not set.
    pub fn new() -> Shutdown {
        let (begun, _) = watch::channel(false);
        Shutdown(Arc::new(Inner { state: Mutex::default(), changed: Condvar::new(), begun }))
    }

    /// Sets the flag: everybody stops. More than once is no harm.
    pub fn begin(&self) {
        self.set(None);
    }

    /// Sets the flag because something failed: the process is to leave with an exit code other than 0. The first
    /// failure is the one that is kept.
    pub fn fail(&self, why: impl Into<String>) {
        let why = why.into();
        tracing::error!(why, "stopping after a failure");
        self.set(Some(why));
    }

    /// The first failure, if there was one.
    pub fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// Whether the flag is set.
    pub fn is_begun(&self) -> bool {
        self.state().begun
    }

    /// Blocks until the flag is set.
    pub fn wait(&self) {
        let state = self.state();
        drop(self.0.changed.wait_while(state, |state| !state.begun).unwrap_or_else(PoisonError::into_inner));
    }

    /// Blocks until the flag is set, at most `timeout`; whether it is set. The pause of every loop on a plain thread.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let state = self.state();
        let waited = self.0.changed.wait_timeout_while(state, timeout, |state| !state.begun);
        waited.unwrap_or_else(PoisonError::into_inner).0.begun
    }

    /// Completes when the flag is set.
    pub async fn begun(&self) {
        let mut begun = self.0.begun.subscribe();
        // An error means that the sender is gone, and `self` holds it.
        let _held = begun.wait_for(|begun| *begun).await;
    }

    /// Does work that blocks for a moment every so often, until the flag is set.
    pub async fn meanwhile(&self, every: Duration, work: impl Fn() + Send + Sync + 'static) {
        let work = Arc::new(work);
        loop {
            tokio::select! {
                () = self.begun() => return,
                () = tokio::time::sleep(every) => {}
            }
            let work = work.clone();
            if tokio::task::spawn_blocking(move || work()).await.is_err() {
                tracing::error!("looking at files ended in a panic");
            }
        }
    }

    /// Sets the flag at SIGTERM or SIGINT. From the moment at which it is set, however that came, the process has
    /// `timeout` to leave by itself; then it is ended with exit code 1. A second signal ends it at once.
    ///
    /// Called once, from `main`. Fails where the system gives no thread or no signal handler.
    pub fn on_signals(&self, timeout: Duration) -> io::Result<()> {
        let asynchronous = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut term, mut int) = {
            let _entered = asynchronous.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let shutdown = self.clone();
        let watch = async move {
            tokio::select! {
                _ = term.recv() => tracing::info!(signal = "SIGTERM", "stopping"),
                _ = int.recv() => tracing::info!(signal = "SIGINT", "stopping"),
                () = shutdown.begun() => {}
            }
            shutdown.begin();
            tokio::select! {
                _ = term.recv() => tracing::warn!("second signal: leaving at once"),
                _ = int.recv() => tracing::warn!("second signal: leaving at once"),
                () = tokio::time::sleep(timeout) => {
                    tracing::error!(timeout_s = timeout.as_secs(), "not drained in time: leaving at once");
                }
            }
            std::process::exit(1);
        };
        std::thread::Builder::new().name("signals".into()).spawn(move || asynchronous.block_on(watch))?;
        Ok(())
    }

    fn set(&self, failure: Option<String>) {
        let mut state = self.state();
        state.begun = true;
        if state.failure.is_none() {
            state.failure = failure;
        }
        drop(state);
        self.0.changed.notify_all();
        self.0.begun.send_replace(true);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_is_woken() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.wait_timeout(Duration::ZERO));
        let waiter = {
            let shutdown = shutdown.clone();
            std::thread::spawn(move || shutdown.wait_timeout(Duration::from_secs(3_600)))
        };
        shutdown.begin();
        assert!(waiter.join().unwrap(), "the wait ended without the flag");
        shutdown.wait();
        assert!(shutdown.is_begun() && shutdown.failure().is_none());
    }

    #[test]
    fn a_task_that_waits_is_woken_also_when_it_comes_late() {
        let asynchronous = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let shutdown = Shutdown::new();
        let other = shutdown.clone();
        asynchronous.block_on(async move {
            let task = tokio::spawn({
                let shutdown = other.clone();
                async move { shutdown.begun().await }
            });
            tokio::task::yield_now().await;
            assert!(!task.is_finished());
            other.begin();
            task.await.unwrap();
            other.begun().await;
        });
        assert!(shutdown.is_begun());
    }

    #[test]
    fn the_first_failure_is_kept() {
        let shutdown = Shutdown::new();
        shutdown.begin();
        shutdown.fail("no disk");
        shutdown.fail("no network");
        assert_eq!(shutdown.failure().as_deref(), Some("no disk"));
    }
}
