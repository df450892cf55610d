//! The loop around the state: reads the measures and alerts topics, keeps the checkpoint, hands notices to the async
//! runtime. It decides nothing.
//!
//! Each turn: read; let the state decide; save, where somebody is to be told; send; write transitions to the alerts topic.
//! So what is sent is on the disk before it is sent, what was taken is on the disk soon after, and a crash in between
//! sends at most what was under way again, with the same key.

mod positions;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use contract::alert::{self, AlertRecord};
use contract::measure::{self, MeasureRecord};
use domain::alert::outbox::Outcome;
use domain::organisations::Organisations;
use runtime::checkpoint::{Checkpoint, CheckpointError};
use runtime::clock::Clock;
use runtime::health::Condition;
use runtime::log::{Log, LogError, NewRecord, Reader, RecordView};
use runtime::shutdown::Shutdown;

use self::positions::{Positions, TOPICS};
use crate::config::AlertConfig;
use crate::metrics::{AlertMetrics, CommandOutcome, MinuteOutcome};
use crate::notify::{ClientError, Notifiers};
use crate::rules::RuleSet;
use crate::service::Alerter;

/// How long a turn waits for records.
const POLL: Duration = Duration::from_millis(100);
/// How many records a turn reads at most.
const POLL_RECORDS_MAX: usize = 2_000;
/// How long to wait after the log failed.
const LOG_PAUSE_MS: i64 = 1_000;
/// How many transitions are appended at a time.
const APPEND_RECORDS_MAX: usize = 1_000;

/// Everything that the loop works with.
pub struct Setup {
    /// The log of the topics.
    pub log: Arc<dyn Log>,
    /// The name of the measures topic.
    pub measures_topic: String,
    /// The name of the alerts topic.
    pub alerts_topic: String,
    /// The checkpoint's file.
    pub checkpoint: PathBuf,
    /// `[alert]`.
    pub config: AlertConfig,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The organisations.
    pub organisations: Arc<Organisations>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// When to stop.
    pub shutdown: Shutdown,
    /// Holds while the log and the checkpoint can be used.
    pub condition: Condition,
    /// Holds unless a channel's receiver is away: it is waited for, and told when it is back.
    pub receivers: Condition,
    /// The self-metrics.
    pub metrics: AlertMetrics,
    /// Where notices are sent from.
    pub runtime: tokio::runtime::Handle,
}

/// Why the alerter cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The checkpoint's file cannot be opened or read.
    #[error("the alerter's checkpoint cannot be used")]
    Checkpoint(#[from] CheckpointError),
    /// No client for the channels.
    #[error("the alerter cannot send")]
    Client(#[from] ClientError),
}

/// Runs until the shutdown; blocks, so it belongs on a plain thread. The topics must have been set up.
pub fn run(setup: Setup) -> Result<(), RunError> {
    let notifiers = Arc::new(Notifiers::new(&setup.rules, setup.config.timeout.get())?);
    let mut shell = Shell::open(setup, notifiers)?;
    while !shell.setup.shutdown.is_begun() {
        shell.turn();
    }
    shell.drain();
    Ok(())
}

/// What became of a delivery.
struct Delivered {
    id: u64,
    channel: String,
    outcome: Outcome,
}

struct Shell {
    setup: Setup,
    alerter: Alerter,
    checkpoint: Checkpoint,
    positions: Option<Positions>,
    reader: Option<Box<dyn Reader>>,
    notifiers: Arc<Notifiers>,
    outcomes_in: Sender<Delivered>,
    outcomes: Receiver<Delivered>,
    under_way: usize,
    /// The channels whose receivers did not take the last notice, and why.
    away: BTreeMap<String, String>,
    /// Not before this wall time: the log failed.
    read_after_ms: i64,
    append_after_ms: i64,
    append_fails: bool,
    /// Whether nothing is read, since too much waits to be told.
    is_full: bool,
    saved_ms: i64,
}

impl Shell {
    fn open(setup: Setup, notifiers: Arc<Notifiers>) -> Result<Shell, RunError> {
        let mut checkpoint = Checkpoint::open(&setup.checkpoint)?;
        let mut pieces: Vec<(u8, Vec<u8>, Vec<u8>)> = Vec::new();
        checkpoint.load(&mut |kind, key, value| pieces.push((kind, key.to_vec(), value.to_vec())))?;
        let mut positions = checkpoint.meta("positions").and_then(Positions::parse);
        let pieces = pieces.iter().map(|(kind, key, value)| (*kind, key.as_slice(), value.as_slice()));
        let (rules, organisations) = (setup.rules.clone(), setup.organisations.clone());
        let (config, metrics) = (setup.config.clone(), setup.metrics.clone());
        let restored =
            Alerter::restore(rules.clone(), organisations.clone(), config.clone(), metrics.clone(), pieces);
        let alerter = match restored {
            Ok(alerter) => alerter,
            // Alerting anew is worth more than not alerting: receivers forget or are closed by hand.
            Err(error) => {
                tracing::error!(%error, "the alerter's checkpoint is left out: open episodes are forgotten");
                checkpoint.clear()?;
                positions = None;
                Alerter::new(rules, organisations, config, metrics)
            }
        };
        let (outcomes_in, outcomes) = channel();
        setup.receivers.holds();
        Ok(Shell {
            setup,
            alerter,
            checkpoint,
            positions,
            reader: None,
            notifiers,
            outcomes_in,
            outcomes,
            under_way: 0,
            away: BTreeMap::new(),
            read_after_ms: i64::MIN,
            append_after_ms: i64::MIN,
            append_fails: false,
            is_full: false,
            saved_ms: i64::MIN,
        })
    }

    fn now_ms(&self) -> i64 {
        self.setup.clock.now_ms()
    }

    fn turn(&mut self) {
        let (start_ms, saved_ms) = (self.now_ms(), self.saved_ms);
        if let Err(error) = self.read(start_ms) {
            self.log_failed(&error);
        }
        self.settle();
        let now_ms = self.now_ms();
        self.alerter.prepare(now_ms);
        let is_time = now_ms.saturating_sub(saved_ms) >= self.setup.config.checkpoint_every.as_ms();
        if self.alerter.has_urgent_changes() || is_time {
            self.save(now_ms);
        }
        self.send(now_ms);
        self.append(now_ms);
    }

    fn log_failed(&mut self, error: &LogError) {
        self.setup.condition.waits(error.to_string());
        self.reader = None;
        self.read_after_ms = self.now_ms().saturating_add(LOG_PAUSE_MS);
        if let LogError::OutOfRange { .. } = error {
            tracing::error!(%error, "records that were not read are gone: going on with what is there");
        }
    }

    /// Reads what is there. Without a reader it is opened; while the log is away, or too much waits to be told, the turn
    /// only waits.
    fn read(&mut self, now_ms: i64) -> Result<(), LogError> {
        if self.is_held_up() {
            self.setup.shutdown.wait_timeout(POLL);
            return Ok(());
        }
        if now_ms < self.read_after_ms {
            self.setup.shutdown.wait_timeout(POLL);
            return Ok(());
        }
        let topics = [self.setup.measures_topic.as_str(), self.setup.alerts_topic.as_str()];
        let mut positions = match self.positions.take() {
            Some(positions) if self.reader.is_some() => positions,
            known => match Positions::in_log(known.clone(), self.setup.log.as_ref(), topics, now_ms) {
                Ok(positions) => positions,
                Err(error) => {
                    self.positions = known;
                    return Err(error);
                }
            },
        };
        let result = self.read_from(&mut positions, topics.map(str::to_owned));
        self.positions = Some(positions);
        result
    }

    /// Whether the outbox is full; said when it begins and when it ends.
    fn is_held_up(&mut self) -> bool {
        let is_full = self.alerter.is_full();
        if is_full != std::mem::replace(&mut self.is_full, is_full) {
            let most = self.setup.config.outbox;
            if is_full {
                tracing::error!(
                    alert.outbox = most,
                    "the outbox is full: no measures are read until receivers take notices"
                );
                self.setup
                    .condition
                    .waits(format!("{most} notices wait (alert.outbox): no measures are read"));
            } else {
                tracing::info!("the outbox has room again: measures are read on");
                self.setup.condition.holds();
            }
        }
        is_full
    }

    fn read_from(&mut self, positions: &mut Positions, topics: [String; TOPICS]) -> Result<(), LogError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let from: Vec<(&str, Vec<u64>)> =
                    topics.iter().map(String::as_str).zip(positions.offsets.clone()).collect();
                let reader = self.setup.log.reader(&from)?;
                self.setup.condition.holds();
                self.reader.insert(reader)
            }
        };
        let (alerter, clock, metrics) = (&mut self.alerter, &self.setup.clock, &self.setup.metrics);
        reader.poll(POLL_RECORDS_MAX, POLL, &mut |view| {
            take(alerter, positions, metrics, view, clock.now_ms());
        })?;
        Ok(())
    }

    /// Takes in what became of deliveries.
    fn settle(&mut self) {
        while let Ok(delivered) = self.outcomes.try_recv() {
            self.settle_one(&delivered);
        }
    }

    fn settle_one(&mut self, delivered: &Delivered) {
        self.under_way -= 1;
        self.alerter.delivered(delivered.id, &delivered.outcome, self.setup.clock.now_ms());
        match &delivered.outcome {
            Outcome::Later { reason, .. } => self.away.insert(delivered.channel.clone(), reason.clone()),
            Outcome::Taken | Outcome::Refused { .. } => self.away.remove(&delivered.channel),
        };
        let away: Vec<String> =
            self.away.iter().map(|(channel, why)| format!("channel {channel}: {why}")).collect();
        if away.is_empty() {
            self.setup.receivers.holds();
        } else {
            self.setup.receivers.waits(away.join("; "));
        }
    }

    fn save(&mut self, now_ms: i64) {
        let Some(positions) = &self.positions else { return };
        let changes = self.alerter.take_changes();
        let positions = positions.to_bytes();
        let metrics = &self.setup.metrics;
        match self.checkpoint.save(changes.into_iter(), &[("positions", positions.as_slice())]) {
            Ok(()) => {
                metrics.checkpoints.inc();
                metrics.checkpoint_seconds.set(now_ms / 1000);
            }
            Err(error) => {
                metrics.checkpoint_failures.inc();
                tracing::error!(%error, "the alerter's checkpoint cannot be saved: a restart would forget");
                self.alerter.mark_all_changed();
            }
        }
        self.saved_ms = now_ms;
        self.alerter.show(now_ms);
    }

    fn send(&mut self, now_ms: i64) {
        for delivery in self.alerter.take_due(now_ms) {
            let (notifiers, results) = (self.notifiers.clone(), self.outcomes_in.clone());
            self.under_way += 1;
            self.setup.runtime.spawn(async move {
                let outcome = notifiers.send(&delivery, now_ms).await;
                // The loop is gone only at the end of the process, and then the notice is sent again after the next start.
                drop(results.send(Delivered { id: delivery.id, channel: delivery.channel, outcome }));
            });
        }
    }

    /// Writes transitions to the alerts topic. They stay in the checkpoint until they are there.
    fn append(&mut self, now_ms: i64) {
        if now_ms < self.append_after_ms {
            return;
        }
        let mut last = None;
        let mut records = Vec::new();
        for (number, record) in self.alerter.records().take(APPEND_RECORDS_MAX) {
            let mut value = Vec::new();
            alert::encode(&AlertRecord::Transition(record.clone()), &mut value);
            let key = record.episode.clone().into_bytes();
            records.push(NewRecord { key, value, protobuf: true, partition: None });
            last = Some(number);
        }
        let Some(last) = last else { return };
        match self.setup.log.append(&self.setup.alerts_topic, &records) {
            Ok(_) => {
                self.alerter.recorded(last);
                if std::mem::take(&mut self.append_fails) && self.reader.is_some() {
                    self.setup.condition.holds();
                }
            }
            Err(error) => {
                self.append_fails = true;
                self.append_after_ms = self.now_ms().saturating_add(LOG_PAUSE_MS);
                self.setup.condition.waits(format!("transitions cannot be written: {error}"));
            }
        }
    }

    /// Waits for what is under way, then saves.
    fn drain(&mut self) {
        while self.under_way > 0 {
            match self.outcomes.recv_timeout(self.setup.config.timeout.get()) {
                Ok(delivered) => self.settle_one(&delivered),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let now_ms = self.now_ms();
        self.append(now_ms);
        self.save(now_ms);
    }
}

/// Takes one record of either topic.
fn take(
    alerter: &mut Alerter,
    positions: &mut Positions,
    metrics: &AlertMetrics,
    view: RecordView<'_>,
    now_ms: i64,
) {
    positions.read(view.topic, view.partition, view.offset);
    if view.topic == positions::MEASURES {
        match measure::decode(view.value) {
            Ok(MeasureRecord::Mark { epoch }) => drop(positions.is_current(view.partition, epoch)),
            Ok(MeasureRecord::OrgMinute(minute)) => {
                if positions.is_current(view.partition, minute.revision.epoch) {
                    alerter.on_minute(&minute, now_ms);
                }
            }
            Err(error) => {
                metrics.minutes.of(MinuteOutcome::Malformed).inc();
                let (partition, offset) = (view.partition, view.offset);
                tracing::warn!(partition, offset, %error, "a record of the measures topic cannot be read");
            }
        }
        return;
    }
    match alert::decode(view.value) {
        Ok(record) => alerter.on_record(&record, now_ms),
        Err(error) => {
            metrics.commands.of(CommandOutcome::Malformed).inc();
            let (partition, offset) = (view.partition, view.offset);
            tracing::warn!(partition, offset, %error, "a record of the alerts topic cannot be read");
        }
    }
}

#[cfg(test)]
mod tests;
