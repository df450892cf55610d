//! `sitrep aggregate --backfill`: reads the events to the end that the log has now, publishes the points of a range of
//! minutes once, under epoch 0, and ends. Three threads: one fetches and parses, one has the ledger and makes the points, one appends.

use std::cell::RefCell;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use contract::Refused;
use contract::topics::{EVENTS, RETURNS};
use domain::event::Event;
use domain::ids::OrgId;
use domain::measures::{Freshness, OrgMinute, Revision, Series};
use domain::organisations::{Level, Organisations};
use domain::replay::Replay;
use domain::sweep::Scope;
use domain::time::{Minute, Second};
use runtime::log::{Log, LogError, NewRecord, RecordView};
use runtime::shutdown::Shutdown;
use self_cell::self_cell;

use crate::intake;
use crate::pipeline::record_of;
use crate::replay::TOGETHER;

/// Records fetched at once, and how many such batches may wait for the ledger.
const BATCH: usize = 1_024;
const BATCHES_WAITING: usize = 8;

/// Org-minutes appended at once, at least, and how many such batches may wait for the log.
const APPENDED_AT_ONCE: usize = 8_000;
const APPENDS_WAITING: usize = 2;

/// What to publish.
#[derive(Clone, Debug)]
pub struct Backfill {
    /// From this instant on.
    pub from: Second,
    /// Up to this instant, included.
    pub until: Second,
    /// The step in minutes.
    pub step: u32,
    /// Which organisations, measures and windows.
    pub scope: Scope,
    /// The topic to which it is published.
    pub topic: String,
    /// Whether references must be pseudonyms already.
    pub pseudonyms_required: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackfillReport {
    /// Events read.
    pub read: u64,
    /// Of these refused.
    pub refused: u64,
    /// Org-minutes published.
    pub org_minutes: u64,
    /// Points published.
    pub points: u64,
}

/// Reads, publishes, and tells `progress` (events read, org-minutes published). What a shutdown interrupts is an error: a part of
/// the range is missing.
pub fn run(
    log: &dyn Log,
    replay: &mut Replay,
    backfill: &Backfill,
    shutdown: &Shutdown,
    progress: &mut dyn FnMut(&BackfillReport),
) -> Result<BackfillReport, LogError> {
    let mut report = BackfillReport::default();
    read(log, replay, backfill.pseudonyms_required, shutdown, &mut report, progress)?;
    publish(log, replay, backfill, shutdown, &mut report, progress)?;
    if shutdown.is_begun() {
        return Err(LogError::Unavailable("stopped before the end".to_owned()));
    }
    Ok(report)
}

/// Fetching and parsing have a thread of their own beside the ledger's.
fn read(
    log: &dyn Log,
    replay: &mut Replay,
    pseudonyms_required: bool,
    shutdown: &Shutdown,
    report: &mut BackfillReport,
    progress: &mut dyn FnMut(&BackfillReport),
) -> Result<(), LogError> {
    let (sender, batches) = mpsc::sync_channel(BATCHES_WAITING);
    let (done, empty) = mpsc::channel();
    std::thread::scope(|scope| {
        let fetching = std::thread::Builder::new()
            .name("fetch".into())
            .spawn_scoped(scope, move || fetch(log, pseudonyms_required, shutdown, &sender, &empty))
            .map_err(|error| LogError::Unavailable(format!("no thread to fetch with: {error}")))?;
        for batch in batches {
            let records = take(batch, replay, report);
            // At the end nobody wants it back.
            let _ended = done.send(records);
            progress(report);
        }
        fetching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Hands over every record up to the ends that the log has now.
fn fetch(
    log: &dyn Log,
    pseudonyms_required: bool,
    shutdown: &Shutdown,
    batches: &SyncSender<Batch>,
    empty: &Receiver<Records>,
) -> Result<(), LogError> {
    let topics = [(EVENTS, log.starts(EVENTS)?), (RETURNS, log.starts(RETURNS)?)];
    let ends = [log.ends(EVENTS)?, log.ends(RETURNS)?];
    let mut reader = log.reader(&topics)?;
    while !reader.has_reached(&ends) && !shutdown.is_begun() {
        let mut records = empty.try_recv().unwrap_or_default();
        records.clear();
        reader.poll(BATCH, Duration::from_millis(200), &mut |record| records.add(&record))?;
        if batches.send(Batch::new(records, |records| records.parse(pseudonyms_required))).is_err() {
            break; // nobody takes them any more
        }
    }
    Ok(())
}

/// Tells the ledger of the events; gives the room back that they had.
fn take(batch: Batch, replay: &mut Replay, report: &mut BackfillReport) -> Records {
    batch.with_dependent(|_, events| {
        for events in events.chunks(TOGETHER) {
            replay.expect(events.iter().flatten());
            for event in events {
                let refused = event.as_ref().map_or(true, |event| replay.take(event).0.is_refused());
                report.read += 1;
                report.refused += u64::from(refused);
            }
        }
    });
    batch.into_owner()
}

/// Records, copied from where the log's client holds them.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    /// For each record where it ends, whether it is protobuf, and whether it came on the topic of returns.
    records: Vec<(usize, bool, bool)>,
}

type Events<'a> = Vec<Result<Event<'a>, Refused>>;

self_cell!(
    /// Records with the events that they are.
    struct Batch {
        owner: Records,
        #[covariant]
        dependent: Events,
    }
);

impl Records {
    fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    fn add(&mut self, record: &RecordView<'_>) {
        self.bytes.extend_from_slice(record.value);
        self.records.push((self.bytes.len(), record.protobuf, record.topic == 1));
    }

    fn parse(&self, pseudonyms_required: bool) -> Events<'_> {
        let mut start = 0;
        let mut parsed = Vec::with_capacity(self.records.len());
        for (end, protobuf, returns) in &self.records {
            let value = &self.bytes[start..*end];
            parsed.push(intake::read(value, *protobuf, *returns, pseudonyms_required, &mut 0));
            start = *end;
        }
        parsed
    }
}

/// The points are made on this thread and appended on another: while the log takes some, the next ones are made.
fn publish(
    log: &dyn Log,
    replay: &Replay,
    backfill: &Backfill,
    shutdown: &Shutdown,
    report: &mut BackfillReport,
    progress: &mut dyn FnMut(&BackfillReport),
) -> Result<(), LogError> {
    let (sender, batches) = mpsc::sync_channel(APPENDS_WAITING);
    std::thread::scope(|scope| {
        let appending = std::thread::Builder::new()
            .name("append".into())
            .spawn_scoped(scope, move || append(log, &backfill.topic, &batches))
            .map_err(|error| LogError::Unavailable(format!("no thread to publish with: {error}")))?;
        make(replay, backfill, shutdown, report, &sender, progress);
        drop(sender);
        appending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn append(log: &dyn Log, topic: &str, batches: &Receiver<Vec<NewRecord>>) -> Result<(), LogError> {
    batches.iter().try_for_each(|records| log.append(topic, &records).map(drop))
}

/// Makes every org-minute of the range and hands them over, many at a time.
fn make(
    replay: &Replay,
    backfill: &Backfill,
    shutdown: &Shutdown,
    report: &mut BackfillReport,
    batches: &SyncSender<Vec<NewRecord>>,
    progress: &mut dyn FnMut(&BackfillReport),
) {
    let orgs = replay.ledger().organisations();
    let read = *report;
    // Both closures of the sweep add to what is being written, one after the other.
    let writing = RefCell::new((Writing::default(), report));
    replay.points(
        backfill.scope.clone(),
        backfill.from,
        backfill.until,
        backfill.step,
        &mut |org, minute, series| {
            let (writing, report) = &mut *writing.borrow_mut();
            if writing.has_ended {
                return;
            }
            report.points += 1;
            writing.add(orgs, org, minute, series);
        },
        &mut |_| {
            let (writing, report) = &mut *writing.borrow_mut();
            writing.has_ended |= shutdown.is_begun();
            if writing.records.len() >= APPENDED_AT_ONCE {
                report.org_minutes += writing.hand_over(batches);
                progress(&BackfillReport { org_minutes: report.org_minutes, ..read });
            }
        },
    );
    let (mut writing, report) = writing.into_inner();
    writing.close();
    report.org_minutes += writing.hand_over(batches);
}

/// Org-minutes on their way to the log.
#[derive(Default)]
struct Writing {
    /// The one that series are still added to.
    open: Option<(OrgId, OrgMinute)>,
    records: Vec<NewRecord>,
    bytes: Vec<u8>,
    /// Nobody takes them any more.
    has_ended: bool,
}

impl Writing {
    fn add(&mut self, orgs: &Organisations, org: OrgId, minute: Minute, series: &Series) {
        match &mut self.open {
            Some((at, one)) if *at == org && one.minute == minute => one.series.push(*series),
            Some(_) | None => {
                self.close();
                let organisation = orgs.get(org);
                self.open = Some((org, begin(organisation.level, &organisation.code, minute, *series)));
            }
        }
    }

    fn close(&mut self) {
        if let Some((_, done)) = self.open.take() {
            self.records.push(record_of(&done, &mut self.bytes));
        }
    }

    /// How many they were. If nobody takes them any more, that is told by the thread that should have.
    fn hand_over(&mut self, batches: &SyncSender<Vec<NewRecord>>) -> u64 {
        let records = std::mem::take(&mut self.records);
        let count = records.len() as u64;
        self.has_ended |= batches.send(records).is_err();
        count
    }
}

fn begin(level: Level, org: &str, minute: Minute, series: Series) -> OrgMinute {
    OrgMinute {
        level,
        org: org.to_owned(),
        minute,
        revision: Revision { epoch: 0, n: 1 },
        freshness: Freshness::default(),
        restated: true,
        series: vec![series],
    }
}
