//! The live aggregator: a plain thread that reads the log, tells the engine, and carries out what it returns. Effects
//! come before the checkpoint, and each is idempotent by its key; so a crash anywhere repeats, and never loses.

use std::sync::Arc;
use std::time::Duration;

use contract::measure::{self, MeasureRecord};
use contract::refusal::{self, Origin, Refusal};
use contract::topics::{CONTROL, EVENTS, MEASURES, REFUSALS, RETURNS};
use domain::engine::{Engine, Settings};
use domain::event::{Event, Outcome};
use domain::measures::OrgMinute;
use domain::time::{DAY, Millis, Minute};
use runtime::checkpoint::{Change, Checkpoint, CheckpointError};
use runtime::clock::Clock;
use runtime::health::Condition;
use runtime::log::{Log, LogError, NewRecord, Reader, RecordView};
use runtime::seal::Sealer;
use runtime::shutdown::Shutdown;

use crate::config::AggregateConfig;
use crate::intake;
use crate::metrics::{Metrics, OutcomeLabel};

/// A fresh ledger is read from so many days before the horizon on: the events of a record that is still open (spec 1.8).
pub const BEFORE_HORIZON_DAYS: u32 = 21;
/// So many minutes ahead of the clock the newest published minute may lie and nobody is told: clocks are set by seconds.
const AHEAD: u32 = 10;
/// Records told to the engine before it may publish.
const BATCH: usize = 2_000;
/// Org-minutes appended at once.
const APPEND: usize = 1_000;
/// How long a wait for records may last: the newest minute must be out within a second of its end.
const WAIT: Duration = Duration::from_millis(100);
/// How long to wait before something that is away is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Why the aggregator ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum AggregateError {
    /// The log.
    #[error("the log failed")]
    Log(#[from] LogError),
    /// The checkpoint.
    #[error("the checkpoint failed")]
    Checkpoint(#[from] CheckpointError),
}

/// What the shell hands in.
pub struct Parts {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// When to stop.
    pub shutdown: Shutdown,
    /// Holds once the log was read to its end and the newest minute is out.
    pub ready: Condition,
    /// Holds unless the newest minute that was published lies far ahead of the clock.
    pub in_time: Condition,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// A hash of everything that figures depend on: another one builds the ledger again (spec 2.6).
    pub config_hash: u64,
    /// Seals what is refused.
    pub sealer: Option<Sealer>,
}

/// Runs until the shutdown begins.
pub fn run(settings: Settings, config: AggregateConfig, parts: Parts) -> Result<(), AggregateError> {
    let Some(mut pipeline) = Pipeline::start(settings, config, parts)? else {
        return Ok(());
    };
    while !pipeline.parts.shutdown.is_begun() {
        pipeline.turn()?;
    }
    pipeline.save()
}

/// Positions in a topic, by partition.
type Positions = Vec<u64>;

struct Pipeline {
    parts: Parts,
    config: AggregateConfig,
    engine: Engine,
    checkpoint: Checkpoint,
    reader: Box<dyn Reader>,
    /// Of the events topic and of the returns topic.
    positions: [Positions; 2],
    /// How many partitions of the measures topic have the mark of this epoch.
    marked: u32,
    outbox: Outbox,
    last_save: Duration,
    last_restate: Duration,
    /// Org-minutes that may still be restated now; filled up by the budget.
    tokens: f64,
    /// The hour since 1970 in which the overdue returns were last counted.
    overdue_hour: i64,
    /// The newest minute that was published, while it lies so far ahead of the clock that it was told.
    ahead: Option<Minute>,
}

impl Pipeline {
    /// Spec 2.6, "Start". `None`: the shutdown began meanwhile.
    fn start(
        settings: Settings,
        config: AggregateConfig,
        parts: Parts,
    ) -> Result<Option<Pipeline>, AggregateError> {
        // First the lock of the checkpoint: a process that is refused must not silence the one that runs.
        let mut checkpoint = Checkpoint::open(&config.checkpoint)?;
        let Some((epoch, marked)) = retried(&parts, || announce(&*parts.log)) else { return Ok(None) };
        tracing::info!(epoch, "publishing under a new epoch");
        let hash = parts.config_hash.to_le_bytes();
        if !checkpoint.is_empty() && checkpoint.meta("config") != Some(&hash[..]) {
            tracing::warn!(
                "another configuration than the checkpoint's: the ledger is built again from the log"
            );
            checkpoint.clear()?;
        }
        let horizon = settings.horizon_minutes;
        let engine = restored(settings, epoch, &mut checkpoint)?;
        let now = parts.clock.now_ms();
        let from = now - i64::from(horizon + BEFORE_HORIZON_DAYS * DAY) * 60_000;
        let Some(events) = retried(&parts, || positions(&*parts.log, EVENTS, &checkpoint, from)) else {
            return Ok(None);
        };
        let Some(returns) = retried(&parts, || positions(&*parts.log, RETURNS, &checkpoint, i64::MIN)) else {
            return Ok(None);
        };
        let topics = [(EVENTS, events.clone()), (RETURNS, returns.clone())];
        let Some(reader) = retried(&parts, || parts.log.reader(&topics)) else { return Ok(None) };
        let outbox = Outbox {
            org_minutes: Vec::new(),
            refusals: Vec::new(),
            bytes: Vec::new(),
            sealer: parts.sealer.clone(),
        };
        let mut pipeline = Pipeline {
            last_save: parts.clock.monotonic(),
            last_restate: parts.clock.monotonic(),
            tokens: 0.0,
            overdue_hour: 0,
            ahead: None,
            positions: [events, returns],
            marked,
            parts,
            config,
            engine,
            checkpoint,
            reader,
            outbox,
        };
        if !pipeline.catch_up()? || !pipeline.read_back(epoch, horizon)? {
            return Ok(None);
        }
        pipeline.engine.begin(Millis(pipeline.parts.clock.now_ms()));
        pipeline.publish_newest()?;
        pipeline.parts.in_time.holds();
        pipeline.watch_clock();
        pipeline.parts.ready.holds();
        let (attendances, backlog) = (pipeline.engine.ledger().attendances(), pipeline.engine.backlog());
        tracing::info!(attendances, backlog, "live");
        Ok(Some(pipeline))
    }

    /// Reads the log to the end that it has now. `false`: the shutdown began meanwhile.
    fn catch_up(&mut self) -> Result<bool, AggregateError> {
        let log = self.parts.log.clone();
        let ends = |topic| retried(&self.parts, || log.ends(topic));
        let (Some(events), Some(returns)) = (ends(EVENTS), ends(RETURNS)) else { return Ok(false) };
        let ends = [events, returns];
        let left = |positions: &[Positions; 2]| -> u64 {
            let pairs = positions.iter().flatten().zip(ends.iter().flatten());
            pairs.map(|(position, end)| end.saturating_sub(*position)).sum()
        };
        let (total, mut told) = (left(&self.positions), self.parts.clock.monotonic());
        if total > 0 {
            tracing::info!(events = total, "reading the log to its end");
        }
        while !self.reader.has_reached(&ends) {
            if self.parts.shutdown.is_begun() {
                return Ok(false);
            }
            if self.parts.clock.monotonic() - told > Duration::from_secs(2) {
                told = self.parts.clock.monotonic();
                let left = left(&self.positions);
                self.parts.ready.waits(format!("reading the log: {left} of {total} events to go"));
            }
            self.poll()?;
            self.send_refusals()?;
        }
        Ok(true)
    }

    /// Spec 2.6: what a predecessor published after the checkpoint (without one: of the last H) is touched.
    fn read_back(&mut self, epoch: u64, horizon_minutes: u32) -> Result<bool, AggregateError> {
        let parts = &self.parts;
        let since = parts.clock.now_ms() - i64::from(horizon_minutes) * 60_000;
        let Some(from) = retried(parts, || positions(&*parts.log, MEASURES, &self.checkpoint, since)) else {
            return Ok(false);
        };
        let Some(ends) = retried(parts, || parts.log.ends(MEASURES)) else { return Ok(false) };
        let from = [(MEASURES, from)];
        let Some(mut reader) = retried(parts, || parts.log.reader(&from)) else {
            return Ok(false);
        };
        let mut count = 0u64;
        while !reader.has_reached(std::slice::from_ref(&ends)) {
            if parts.shutdown.is_begun() {
                return Ok(false);
            }
            let engine = &mut self.engine;
            reader.poll(BATCH, WAIT, &mut |record| {
                if let Ok(MeasureRecord::OrgMinute(one)) = measure::decode(record.value)
                    && one.revision.epoch != epoch
                {
                    engine.published_before(&one);
                    count += 1;
                }
            })?;
        }
        tracing::debug!(org_minutes = count, "read back what was published after the checkpoint");
        Ok(true)
    }

    /// One turn: records, the clock, what is to be published, the checkpoint.
    fn turn(&mut self) -> Result<(), AggregateError> {
        self.poll()?;
        self.send_refusals()?;
        self.engine.tick(Millis(self.parts.clock.now_ms()));
        self.watch_clock();
        self.publish_newest()?;
        self.restate()?;
        if self.parts.clock.monotonic() - self.last_save >= self.config.checkpoint_every {
            self.save()?;
        }
        Ok(())
    }

    /// A clock that once stood far ahead has published minutes that are still to come, and no other is closed until they
    /// are over: that is told until then.
    fn watch_clock(&mut self) {
        let clock = Millis(self.parts.clock.now_ms()).closed_minute();
        let most = if self.ahead.is_some() { 0 } else { AHEAD };
        let ahead = self.engine.newest().filter(|newest| *newest > clock.plus(most));
        if ahead == std::mem::replace(&mut self.ahead, ahead) {
            return;
        }
        let Some(until) = ahead else { return self.parts.in_time.holds() };
        tracing::error!(
            %until,
            %clock,
            checkpoint = %self.config.checkpoint.display(),
            "what was published last lies ahead of the clock: no newer figures until that time. If the clock is wrong, set \
             it; if it was wrong and is right now, stop this process, remove its checkpoint and start it again"
        );
        self.parts.in_time.waits(format!(
            "figures were published up to {until}, ahead of the clock: none are added before that time"
        ));
    }

    fn poll(&mut self) -> Result<(), AggregateError> {
        let (engine, positions, outbox) = (&mut self.engine, &mut self.positions, &mut self.outbox);
        let (metrics, now) = (&self.parts.metrics, Millis(self.parts.clock.now_ms()));
        let required = self.config.pseudonyms_required;
        self.reader.poll(BATCH, WAIT, &mut |record| {
            positions[record.topic][record.partition as usize] = record.offset + 1;
            let mut unknown = 0;
            let read = intake::read(record.value, record.protobuf, record.topic == 1, required, &mut unknown);
            metrics.unknown_fields.inc_by(unknown);
            let (outcome, detail, source) = match &read {
                Ok(event) => {
                    let (outcome, detail) = engine.take(event, Millis(record.timestamp_ms));
                    (outcome, detail.to_owned(), source_of(event, outcome))
                }
                Err(error) => (error.outcome, error.detail.clone(), String::new()),
            };
            metrics.read.inc();
            metrics.outcomes.of(OutcomeLabel(outcome)).inc();
            if outcome.is_refused() {
                outbox.refuse(&record, outcome, detail, source, now);
            }
        })?;
        Ok(())
    }

    fn send_refusals(&mut self) -> Result<(), AggregateError> {
        let refusals = std::mem::take(&mut self.outbox.refusals);
        self.append(REFUSALS, &refusals)
    }

    fn publish_newest(&mut self) -> Result<(), AggregateError> {
        let (outbox, mut newest) = (&mut self.outbox, None);
        self.engine.publish_newest(&mut |one| {
            newest = newest.max(Some(one.minute));
            outbox.publish(&one);
        });
        let records = std::mem::take(&mut self.outbox.org_minutes);
        self.parts.metrics.published.inc_by(records.len() as u64);
        self.append(MEASURES, &records)?;
        if let Some(newest) = newest {
            self.parts.metrics.newest_minute.set(i64::from(newest.start().0));
        }
        Ok(())
    }

    /// Writes older org-minutes again: what is touched is collected for `restate.delay`, then written within the budget.
    fn restate(&mut self) -> Result<(), AggregateError> {
        let now = self.parts.clock.monotonic();
        let waited = now - self.last_restate;
        let waits = if self.tokens < 1.0 { Duration::from_millis(200) } else { self.config.restate_delay };
        if waited < waits {
            return Ok(());
        }
        let budget = self.config.restate_budget as f64;
        self.tokens = (self.tokens.min(0.0) + budget * waited.as_secs_f64()).min(budget);
        self.last_restate = now;
        let outbox = &mut self.outbox;
        let written = self.engine.publish_older(self.tokens as u64, &mut |one| outbox.publish(&one));
        // While something is left, the budget is used up and the next turn comes soon.
        self.tokens = if self.engine.backlog() > 0 { self.tokens - written as f64 } else { 1.0 };
        let records = std::mem::take(&mut self.outbox.org_minutes);
        self.parts.metrics.restated.inc_by(records.len() as u64);
        self.append(MEASURES, &records)?;
        let metrics = &self.parts.metrics;
        metrics.backlog.set(i64::try_from(self.engine.backlog()).unwrap_or(i64::MAX));
        metrics.attendances.set(self.engine.ledger().attendances() as i64);
        metrics.journeys.set(self.engine.ledger().journeys() as i64);
        let stale =
            self.engine.feeds(Millis(self.parts.clock.now_ms())).iter().filter(|feed| feed.stale).count();
        metrics.stale_sources.set(stale as i64);
        let hour = self.parts.clock.now_ms() / 3_600_000;
        if std::mem::replace(&mut self.overdue_hour, hour) != hour {
            metrics.overdue_returns.set(i64::try_from(self.engine.overdue().len()).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    /// Appends until the log has it. While the log is away nothing else goes on: the next record waits in the log.
    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<(), AggregateError> {
        for chunk in records.chunks(APPEND) {
            let mut told = false;
            loop {
                match self.parts.log.append(topic, chunk) {
                    Ok(_) => break,
                    Err(LogError::Full | LogError::Unavailable(_)) => {
                        if !told {
                            tracing::warn!(topic, "the log takes nothing just now; waiting");
                            self.parts.ready.waits("the log takes nothing just now");
                            told = true;
                        }
                        if self.parts.shutdown.wait_timeout(RETRY) {
                            return Err(LogError::Unavailable("stopped while waiting for it".into()).into());
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if told {
                tracing::info!(topic, "the log is back");
                self.parts.ready.holds();
            }
        }
        Ok(())
    }

    /// Saves what changed with the offsets that led to it, in one transaction.
    fn save(&mut self) -> Result<(), AggregateError> {
        let measures = match self.parts.log.ends(MEASURES) {
            Ok(ends) => ends,
            // Without it the checkpoint would not say from where to read back; the next turn tries again.
            Err(LogError::Unavailable(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let (known, there) = (self.marked, measures.len() as u32);
        if there > known {
            return Err(LogError::MorePartitions { topic: MEASURES.to_owned(), known, there }.into());
        }
        let mut changes = Vec::new();
        self.engine.save(&mut |(kind, key, value)| {
            changes.push(Change { kind, key: key.to_vec(), value: value.map(<[u8]>::to_vec) });
        });
        let hash = self.parts.config_hash.to_le_bytes();
        let [events, returns] = [0, 1].map(|topic: usize| encode(&self.positions[topic]));
        let measures = encode(&measures);
        self.checkpoint.save(
            changes.into_iter(),
            &[("config", &hash), (EVENTS, &events), (RETURNS, &returns), (MEASURES, &measures)],
        )?;
        self.last_save = self.parts.clock.monotonic();
        self.parts.metrics.checkpoint_saved.set(self.parts.clock.now_ms() / 1000);
        Ok(())
    }
}

/// The source, where it may be told: of an event whose form was right.
fn source_of(event: &Event<'_>, outcome: Outcome) -> String {
    if outcome.is_refused() { event.source.to_string() } else { String::new() }
}

/// Records to be appended.
struct Outbox {
    org_minutes: Vec<NewRecord>,
    refusals: Vec<NewRecord>,
    bytes: Vec<u8>,
    sealer: Option<Sealer>,
}

impl Outbox {
    fn publish(&mut self, one: &OrgMinute) {
        self.org_minutes.push(record_of(one, &mut self.bytes));
    }

    fn refuse(
        &mut self,
        record: &RecordView<'_>,
        reason: Outcome,
        detail: String,
        source: String,
        at: Millis,
    ) {
        let topic = if record.topic == 1 { RETURNS } else { EVENTS }.to_owned();
        let origin = Origin::Log { topic, partition: record.partition, offset: record.offset };
        let key = source.clone().into_bytes();
        let refusal = Refusal::new(reason, detail, source, record.value, record.protobuf, origin, at);
        let refusal = match &self.sealer {
            Some(sealer) => refusal.sealed_by(|bytes| sealer.seal(bytes)),
            None => refusal,
        };
        self.bytes.clear();
        refusal::encode(&refusal, &mut self.bytes);
        self.refusals.push(NewRecord { key, value: self.bytes.clone(), protobuf: true, partition: None });
    }
}

/// An org-minute as a record, keyed by level and organisation.
pub(crate) fn record_of(one: &OrgMinute, bytes: &mut Vec<u8>) -> NewRecord {
    bytes.clear();
    measure::encode_org_minute(one, bytes);
    let key = format!("{}/{}", one.level.as_str(), one.org).into_bytes();
    NewRecord { key, value: bytes.clone(), protobuf: true, partition: None }
}

/// Takes the next epoch and puts a mark with it into every partition of the measures topic: after it an older epoch is
/// ignored there (spec 2.6, "Revision"). Returns the epoch and how many partitions there are.
fn announce(log: &dyn Log) -> Result<(u64, u32), LogError> {
    let control =
        NewRecord { key: Vec::new(), value: b"publisher".to_vec(), protobuf: false, partition: Some(0) };
    let position = log.append(CONTROL, &[control])?;
    let epoch = position.first().map_or(0, |position| position.offset) + 1;
    let mut value = Vec::new();
    measure::encode(&MeasureRecord::Mark { epoch }, &mut value);
    let partitions = log.ends(MEASURES)?.len() as u32;
    let marks: Vec<NewRecord> = (0..partitions)
        .map(|partition| NewRecord {
            key: Vec::new(),
            value: value.clone(),
            protobuf: true,
            partition: Some(partition),
        })
        .collect();
    log.append(MEASURES, &marks)?;
    Ok((epoch, partitions))
}

/// The engine of a checkpoint. One that is not understood to the last entry is left: the ledger is built again.
fn restored(settings: Settings, epoch: u64, checkpoint: &mut Checkpoint) -> Result<Engine, AggregateError> {
    let mut engine = Engine::new(settings.clone(), epoch);
    let mut strangers = 0u64;
    checkpoint.load(&mut |kind, key, value| {
        if !engine.restore(kind, key, value) {
            strangers += 1;
        }
    })?;
    if strangers > 0 || !engine.restored() {
        tracing::error!(
            entries = strangers,
            "the checkpoint is not understood: the ledger is built again from the log"
        );
        checkpoint.clear()?;
        return Ok(Engine::new(settings, epoch));
    }
    Ok(engine)
}

/// Where to read a topic from: the checkpoint's positions, moved to what the log still has, and partitions that were
/// added since from their start; without a checkpoint from a time on (Unix ms; `i64::MIN`: from the beginning).
fn positions(log: &dyn Log, topic: &str, checkpoint: &Checkpoint, since: i64) -> Result<Positions, LogError> {
    let (starts, ends) = (log.starts(topic)?, log.ends(topic)?);
    let saved = checkpoint.meta(topic).map(decode).filter(|saved| saved.len() <= starts.len());
    let Some(saved) = saved else {
        return if since == i64::MIN { Ok(starts) } else { log.offsets_at(topic, since) };
    };
    let known = saved.into_iter().map(Some).chain(std::iter::repeat(None));
    let bounded = known.zip(starts.iter().zip(&ends)).map(|(saved, (start, end))| {
        let Some(saved) = saved else { return *start };
        if saved < *start {
            tracing::error!(
                topic,
                gap = start - saved,
                "the log lost records that the checkpoint has not seen"
            );
        }
        if saved > *end {
            tracing::error!(topic, beyond = saved - end, "the checkpoint is ahead of the log");
        }
        saved.clamp(*start, *end)
    });
    Ok(bounded.collect())
}

fn encode(positions: &Positions) -> Vec<u8> {
    positions.iter().flat_map(|position| position.to_le_bytes()).collect()
}

fn decode(bytes: &[u8]) -> Positions {
    bytes
        .chunks_exact(8)
        .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("chunks of eight")))
        .collect()
}

/// Tries until it works; `None` when the shutdown begins. What cannot get better is told and tried all the same: the
/// topics may be made or mended by somebody else.
fn retried<T>(parts: &Parts, mut attempt: impl FnMut() -> Result<T, LogError>) -> Option<T> {
    let mut said = String::new();
    loop {
        match attempt() {
            Ok(value) => return Some(value),
            Err(error) => {
                let text = error.to_string();
                parts.ready.waits(text.clone());
                if text != said {
                    tracing::warn!(error = text, "waiting for the log");
                    said = text;
                }
            }
        }
        if parts.shutdown.wait_timeout(RETRY) {
            return None;
        }
    }
}
