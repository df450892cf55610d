//! Brings portions into the store in their order, one request at a time, and keeps the checkpoint: see the crate's
//! documentation for the order of the steps and what follows from it.

#[cfg(test)]
mod simulation;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime::checkpoint::{Change, Checkpoint};
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::batch::{Batch, Limits};
use crate::deliver::deliver;
use crate::doubt::{Doubt, SETTLE};
use crate::metrics::StoreWatch;
use crate::progress::{Place, Progress};
use crate::reading::Portion;
use crate::refusals::Refusals;
use crate::service::RecorderError;
use crate::sink::Sink;

/// Positions that no further portion saves are saved after this time.
const IDLE_SAVE: Duration = Duration::from_secs(1);

/// The writing half.
pub(crate) struct Writer<S> {
    sink: S,
    watch: StoreWatch,
    refusals: Refusals,
    keeper: Keeper,
    limits: Limits,
    backoff: Backoff,
    progress: Progress,
    /// What was written, doubtful points included.
    reached: Vec<Place>,
    doubt: Doubt,
    /// When the doubtful points are written once more.
    settle_at: Option<Instant>,
    /// When the position must be saved, if it has moved since.
    save_at: Option<Instant>,
}

impl<S: Sink> Writer<S> {
    pub(crate) fn new(
        sink: S,
        watch: StoreWatch,
        refusals: Refusals,
        keeper: Keeper,
        limits: Limits,
        seed: u64,
        progress: Progress,
    ) -> Writer<S> {
        let reached = progress.stored.clone();
        let (backoff, doubt) = (Backoff::new(seed), Doubt::default());
        Writer {
            sink,
            watch,
            refusals,
            keeper,
            limits,
            backoff,
            progress,
            reached,
            doubt,
            settle_at: None,
            save_at: None,
        }
    }

    /// Writes until there are no more portions.
    pub(crate) async fn run(mut self, mut portions: Receiver<Portion>) -> Result<(), RecorderError> {
        loop {
            let timer = self.settle_at.into_iter().chain(self.save_at).min();
            let portion = tokio::select! {
                portion = portions.recv() => portion,
                () = at(timer) => {
                    self.tend().await?;
                    continue;
                }
            };
            let Some(portion) = portion else { break };
            self.store(portion).await?;
        }
        self.settle_in_time().await?;
        self.save().await
    }

    /// Does what is due without a portion.
    async fn tend(&mut self) -> Result<(), RecorderError> {
        let now = Instant::now();
        if self.settle_at.is_some_and(|settle_at| now >= settle_at) {
            self.settle().await?;
        }
        if self.save_at.is_some_and(|save_at| now >= save_at) {
            self.save().await?;
        }
        Ok(())
    }

    async fn store(&mut self, portion: Portion) -> Result<(), RecorderError> {
        self.progress.sent = portion.until.iter().map(|place| place.offset).collect();
        if !portion.batches.is_empty() {
            // Before the first byte goes out, so that a start knows up to where something may be in the store.
            self.save().await?;
        }
        for batch in &portion.batches {
            self.deliver(batch, portion.again).await?;
        }
        self.refusals.append(&portion.unreadable).await?;
        self.watch.metrics.stored(portion.newest);
        self.reached = portion.until;
        self.doubt.portion_ended();
        if self.doubt.is_full() {
            self.settle_in_time().await?;
        }
        self.advance();
        Ok(())
    }

    /// `again`: a request of a former process may still be on its way with older values of these points.
    async fn deliver(&mut self, batch: &Batch, again: bool) -> Result<(), RecorderError> {
        let delivery = deliver(&self.sink, batch, &mut self.backoff, &self.watch).await;
        let doubtful = delivery.doubtful || again;
        self.doubt.delivered(batch, doubtful, &delivery.rejected);
        if doubtful {
            self.settle_at = Some(Instant::now() + SETTLE);
        }
        for rejected in &delivery.rejected {
            self.watch.rejected(rejected);
        }
        self.refusals.rejected(&delivery.rejected).await
    }

    /// Waits until no point is doubtful any more.
    async fn settle_in_time(&mut self) -> Result<(), RecorderError> {
        while !self.doubt.is_empty() {
            at(self.settle_at).await;
            self.settle().await?;
        }
        Ok(())
    }

    /// Writes the doubtful points once more.
    async fn settle(&mut self) -> Result<(), RecorderError> {
        self.settle_at = None;
        for batch in self.doubt.take(self.limits) {
            self.watch.metrics.settled.inc_by(batch.len() as u64);
            self.deliver(&batch, false).await?;
        }
        self.advance();
        Ok(())
    }

    /// The store has everything that was written, unless points are doubtful.
    fn advance(&mut self) {
        if self.doubt.is_empty() && self.progress.stored != self.reached {
            self.progress.stored.clone_from(&self.reached);
            self.save_at.get_or_insert(Instant::now() + IDLE_SAVE);
        }
    }

    async fn save(&mut self) -> Result<(), RecorderError> {
        self.save_at = None;
        self.keeper.save(&self.progress).await
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

/// The place of the positions in the checkpoint. Clones are the same.
#[derive(Clone)]
pub(crate) struct Keeper {
    checkpoint: Arc<Mutex<Checkpoint>>,
    /// The topic: another topic has positions of its own.
    name: Arc<str>,
}

impl Keeper {
    pub(crate) fn new(checkpoint: Checkpoint, topic: &str) -> Keeper {
        Keeper { checkpoint: Arc::new(Mutex::new(checkpoint)), name: topic.into() }
    }

    /// The positions that were saved; `None` at the first start. Blocks.
    pub(crate) fn saved(&self) -> Result<Option<Progress>, RecorderError> {
        let checkpoint = self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(checkpoint.meta(&self.name).map(Progress::decode).transpose()?)
    }

    async fn save(&self, progress: &Progress) -> Result<(), RecorderError> {
        let (keeper, bytes) = (self.clone(), progress.encode());
        let saving = tokio::task::spawn_blocking(move || {
            let mut checkpoint = keeper.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
            checkpoint.save(std::iter::empty::<Change>(), &[(&keeper.name, &bytes)])
        });
        Ok(saving.await.map_err(|_| RecorderError::Crashed("the checkpoint"))??)
    }
}
