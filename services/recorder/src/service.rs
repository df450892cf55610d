//! The shell: a plain thread reads the topic, a task writes the store, and both end with the process.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use runtime::checkpoint::{Checkpoint, CheckpointError};
use runtime::clock::Clock;
use runtime::health::{Condition, Health};
use runtime::log::{Log, LogError, Reader};
use runtime::shutdown::Shutdown;
use tokio::sync::{mpsc, oneshot};

use crate::batch::Limits;
use crate::metrics::{Ignored, Metrics, StoreWatch};
use crate::progress::{Progress, ProgressError};
use crate::reading::{Portion, Reading};
use crate::refusals::Refusals;
use crate::sink::Sink;
use crate::writing::{Keeper, Writer};

/// At most so many records come out of the log at once.
const RECORDS: usize = 500;
/// The longest wait for a record.
const POLL: Duration = Duration::from_millis(100);
/// The pause after the log was away.
const PAUSE: Duration = Duration::from_secs(1);

/// What a recorder needs.
pub struct Recorder<S> {
    /// The log with the measures and the refusals.
    pub log: Arc<dyn Log>,
    /// [`contract::topics::MEASURES`] or [`contract::topics::BACKFILL`].
    pub topic: String,
    /// The store.
    pub sink: S,
    /// The recorder's own.
    pub checkpoint: Checkpoint,
    /// When a batch is closed.
    pub limits: Limits,
    /// How long a shutdown waits for the batch that is being written.
    pub drain: Duration,
    /// Metrics.
    pub metrics: Metrics,
    /// Readiness: the conditions `store` and `measures-log`.
    pub health: Health,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Ends it.
    pub shutdown: Shutdown,
}

/// Why a recorder cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The checkpoint.
    #[error("the recorder's checkpoint failed")]
    Checkpoint(#[from] CheckpointError),
    /// The positions.
    #[error(
        "the recorder's checkpoint does not fit the log; without its file the recorder reads the topic from its start"
    )]
    Progress(#[from] ProgressError),
    /// The log.
    #[error("the log of measures cannot be read")]
    Log(#[from] LogError),
    /// A thread could not be started.
    #[error("no thread for the recorder")]
    Thread(#[source] std::io::Error),
    /// A part of it panicked.
    #[error("{0} of the recorder ended in a panic")]
    Crashed(&'static str),
}

/// Records until the shutdown begins. An error is one that only a person can mend; everything else is waited for.
pub async fn run<S: Sink>(recorder: Recorder<S>) -> Result<(), RecorderError> {
    let Recorder { log, topic, sink, checkpoint, limits, drain, metrics, health, clock, shutdown } = recorder;
    let watch = StoreWatch::new(metrics.clone(), health.condition("store"));
    let keeper = Keeper::new(checkpoint, &topic);
    let refusals = Refusals::new(log.clone(), &topic, clock.clone());
    let (portions_in, portions) = mpsc::channel(1);
    let (fitted_in, fitted) = oneshot::channel();
    let (ended_in, ended) = oneshot::channel();
    let reader = Reads {
        log,
        topic,
        limits,
        metrics: Arc::new(metrics),
        condition: health.condition("measures-log"),
        clock,
        shutdown: shutdown.clone(),
        portions: portions_in,
    };
    let kept = keeper.clone();
    std::thread::Builder::new()
        .name("recorder".into())
        .spawn(move || {
            let ended = reader.run(&kept, fitted_in);
            // Whoever hears of the end may open the checkpoint again.
            drop(kept);
            // The writer may be gone, when there is nobody to tell.
            let _told = ended_in.send(ended);
        })
        .map_err(RecorderError::Thread)?;
    let write = async move {
        // Without the fitted positions the reader has ended, and says why.
        let Ok(progress) = fitted.await else { return Ok(()) };
        let seed = RandomState::new().hash_one(0);
        Writer::new(sink, watch, refusals, keeper, limits, seed, progress).run(portions).await
    };
    let deadline = async {
        shutdown.begun().await;
        tokio::time::sleep(drain).await;
    };
    let written = tokio::select! {
        written = write => written,
        // What is being written is in the store or not: the next start writes it again.
        () = deadline => Ok(()),
    };
    written?;
    ended.await.map_err(|_| RecorderError::Crashed("the reading thread"))?
}

/// The reading half: a plain thread.
struct Reads {
    log: Arc<dyn Log>,
    topic: String,
    limits: Limits,
    metrics: Arc<Metrics>,
    condition: Condition,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    portions: mpsc::Sender<Portion>,
}

/// Why reading pauses or ends.
enum Halt {
    /// The shutdown began, or the writer is gone.
    End,
    /// An error of the log.
    Log(LogError),
}

impl From<LogError> for Halt {
    fn from(error: LogError) -> Halt {
        Halt::Log(error)
    }
}

impl Reads {
    fn run(self, keeper: &Keeper, fitted: oneshot::Sender<Progress>) -> Result<(), RecorderError> {
        let saved = keeper.saved()?;
        let Some(progress) = self.fit(saved)? else { return Ok(()) };
        let (places, sent) = (progress.stored.clone(), progress.sent.clone());
        if fitted.send(progress).is_err() {
            return Ok(());
        }
        let metrics = self.metrics.clone();
        let mut again = Reading::again(&self.topic, places, sent, self.limits, metrics.clone());
        if !again.is_done() {
            tracing::info!(
                topic = self.topic,
                "writing again what a former process may have left half written"
            );
            self.read_on(&mut again)?;
            if !again.is_done() || self.portions.blocking_send(again.close()).is_err() {
                return Ok(());
            }
        }
        let places = again.places().to_vec();
        self.read_on(&mut Reading::onwards(&self.topic, places, self.limits, metrics))
    }

    /// The positions to start from; `None` if the shutdown began before the log could say what it has.
    fn fit(&self, saved: Option<Progress>) -> Result<Option<Progress>, RecorderError> {
        loop {
            match self.bounds() {
                Ok((starts, ends)) => {
                    let mut progress = saved.unwrap_or_else(|| Progress::beginning(&starts));
                    self.lost(progress.fit(&starts, &ends)?);
                    return Ok(Some(progress));
                }
                Err(error) => self.pause(error)?,
            }
            if self.shutdown.is_begun() {
                return Ok(None);
            }
        }
    }

    fn bounds(&self) -> Result<(Vec<u64>, Vec<u64>), LogError> {
        Ok((self.log.starts(&self.topic)?, self.log.ends(&self.topic)?))
    }

    fn lost(&self, records: u64) {
        if records > 0 {
            self.metrics.ignored.of(Ignored::Lost).inc_by(records);
            tracing::error!(records, topic = self.topic, "records were gone before they were recorded");
        }
    }

    /// Reads until the end of this reading, the shutdown, or an error that only a person can mend.
    fn read_on(&self, reading: &mut Reading) -> Result<(), RecorderError> {
        while !self.shutdown.is_begun() && !reading.is_done() {
            match self.read_while_there(reading) {
                Ok(()) | Err(Halt::End) => return Ok(()),
                Err(Halt::Log(LogError::OutOfRange { .. })) => self.pass_over(reading)?,
                Err(Halt::Log(error)) => self.pause(error)?,
            }
        }
        Ok(())
    }

    fn read_while_there(&self, reading: &mut Reading) -> Result<(), Halt> {
        let offsets = reading.places().iter().map(|place| place.offset).collect();
        let mut reader = self.log.reader(&[(&self.topic, offsets)])?;
        while !self.shutdown.is_begun() && !reading.is_done() {
            self.step(&mut *reader, reading)?;
            self.condition.holds();
        }
        Ok(())
    }

    fn step(&self, reader: &mut dyn Reader, reading: &mut Reading) -> Result<(), Halt> {
        let wait = reading.due_in(self.clock.monotonic()).unwrap_or(POLL).min(POLL);
        let read = reader.poll(RECORDS, wait, &mut |record| reading.record(record, self.clock.monotonic()));
        // What was read before an error counts.
        for portion in reading.take_closed() {
            self.send(portion)?;
        }
        if reading.due_in(self.clock.monotonic()) == Some(Duration::ZERO) {
            self.send(reading.close())?;
        }
        read?;
        Ok(())
    }

    fn send(&self, portion: Portion) -> Result<(), Halt> {
        self.portions.blocking_send(portion).map_err(|_| Halt::End)
    }

    /// The log no longer has what is to be read next.
    fn pass_over(&self, reading: &mut Reading) -> Result<(), RecorderError> {
        let (starts, ends) = match self.bounds() {
            Ok(bounds) => bounds,
            Err(error) => return self.pause(error),
        };
        let stored = reading.places().to_vec();
        let sent = stored.iter().map(|place| place.offset).collect();
        let mut progress = Progress { stored, sent };
        self.lost(progress.fit(&starts, &ends)?);
        reading.set_places(progress.stored);
        Ok(())
    }

    /// Waits after an error of the log that goes by itself.
    fn pause(&self, error: LogError) -> Result<(), RecorderError> {
        match error {
            LogError::Full
            | LogError::Unavailable(_)
            | LogError::NoTopic(_)
            | LogError::Storage(_)
            | LogError::OutOfRange { .. } => {
                self.condition.waits(error.to_string());
                self.shutdown.wait_timeout(PAUSE);
                Ok(())
            }
            // The positions in the checkpoint are by partition: a new start fits them to what there is.
            LogError::MorePartitions { .. } | LogError::Misconfigured(_) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
