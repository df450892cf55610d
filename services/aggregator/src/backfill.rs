//! `sitrep aggregate --backfill`: reads the events to the end that the log has now, publishes the points of a range of
//! minutes once, under epoch 0, and ends.

use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use contract::topics::{EVENTS, RETURNS};
use domain::ids::OrgId;
use domain::measures::{Freshness, OrgMinute, Revision, Series};
use domain::replay::Replay;
use domain::sweep::Scope;
use domain::time::{Minute, Second};
use runtime::log::{Log, LogError, NewRecord, RecordView};

use crate::intake;
use crate::pipeline::record_of;
use crate::replay::TOGETHER;

/// Records fetched at once, and how many such batches may wait for the ledger.
const BATCH: usize = 4_096;
const BATCHES_WAITING: usize = 8;

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

/// Reads, publishes, and tells `progress` (events read, org-minutes published).
pub fn run(
    log: &dyn Log,
    replay: &mut Replay,
    backfill: &Backfill,
    progress: &mut dyn FnMut(&BackfillReport),
) -> Result<BackfillReport, LogError> {
    let mut report = BackfillReport::default();
    read(log, replay, backfill.pseudonyms_required, &mut report, progress)?;
    publish(log, replay, backfill, &mut report, progress)?;
    Ok(report)
}

/// Fetching has a thread of its own, so that the log's client and the ledger do not wait for each other.
fn read(
    log: &dyn Log,
    replay: &mut Replay,
    pseudonyms_required: bool,
    report: &mut BackfillReport,
    progress: &mut dyn FnMut(&BackfillReport),
) -> Result<(), LogError> {
    let (sender, batches) = mpsc::sync_channel(BATCHES_WAITING);
    std::thread::scope(|scope| {
        let fetching = scope.spawn(move || fetch(log, &sender));
        for batch in batches {
            batch.take(replay, pseudonyms_required, report);
            progress(report);
        }
        fetching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Hands over every record up to the ends that the log has now.
fn fetch(log: &dyn Log, batches: &SyncSender<Batch>) -> Result<(), LogError> {
    let topics = [(EVENTS, log.starts(EVENTS)?), (RETURNS, log.starts(RETURNS)?)];
    let ends = [log.ends(EVENTS)?, log.ends(RETURNS)?];
    let mut at = [topics[0].1.clone(), topics[1].1.clone()];
    let mut reader = log.reader(&topics)?;
    while at.iter().flatten().zip(ends.iter().flatten()).any(|(at, end)| at < end) {
        let mut batch = Batch::default();
        reader.poll(BATCH, Duration::from_millis(200), &mut |record| {
            at[record.topic][record.partition as usize] = record.offset + 1;
            batch.add(&record);
        })?;
        if batches.send(batch).is_err() {
            break; // nobody takes them any more
        }
    }
    Ok(())
}

/// Records, copied from where the log's client holds them.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// For each record where it ends, whether it is protobuf, and whether it came on the topic of returns.
    records: Vec<(usize, bool, bool)>,
}

impl Batch {
    fn add(&mut self, record: &RecordView<'_>) {
        self.bytes.extend_from_slice(record.value);
        self.records.push((self.bytes.len(), record.protobuf, record.topic == 1));
    }

    fn take(&self, replay: &mut Replay, pseudonyms_required: bool, report: &mut BackfillReport) {
        let mut start = 0;
        for records in self.records.chunks(TOGETHER) {
            let mut events = Vec::with_capacity(TOGETHER);
            for (end, protobuf, returns) in records {
                let value = &self.bytes[start..*end];
                events.push(intake::read(value, *protobuf, *returns, pseudonyms_required, &mut 0));
                start = *end;
            }
            replay.expect(events.iter().flatten());
            for event in &events {
                let refused = event.as_ref().map_or(true, |event| replay.take(event).0.is_refused());
                report.read += 1;
                report.refused += u64::from(refused);
            }
        }
    }
}

fn publish(
    log: &dyn Log,
    replay: &Replay,
    backfill: &Backfill,
    report: &mut BackfillReport,
    progress: &mut dyn FnMut(&BackfillReport),
) -> Result<(), LogError> {
    let orgs = replay.ledger().organisations().clone();
    let (mut records, mut bytes) = (Vec::new(), Vec::new());
    let mut open: Option<(OrgId, OrgMinute)> = None;
    let mut failed = None;
    let append = |records: &mut Vec<NewRecord>| {
        let done = log.append(&backfill.topic, records).map(|_| ());
        records.clear();
        done
    };
    let mut points = 0u64;
    let mut org_minutes = 0u64;
    // Both closures of the sweep add to what is being written, one after the other.
    let writing = std::cell::RefCell::new((&mut open, &mut records));
    replay.points(
        backfill.scope.clone(),
        backfill.from,
        backfill.until,
        backfill.step,
        &mut |org, minute, series| {
            points += 1;
            let mut writing = writing.borrow_mut();
            let (open, records) = &mut *writing;
            match open {
                Some((at, one)) if *at == org && one.minute == minute => one.series.push(*series),
                Some(_) | None => {
                    let organisation = orgs.get(org);
                    let new = begin(organisation.level, &organisation.code, minute, *series);
                    if let Some((_, done)) = open.replace((org, new)) {
                        records.push(record_of(&done, &mut bytes));
                    }
                }
            }
        },
        &mut |_| {
            let mut writing = writing.borrow_mut();
            let (_, records) = &mut *writing;
            if records.len() >= 2_000 && failed.is_none() {
                org_minutes += records.len() as u64;
                failed = append(records).err();
                progress(&BackfillReport { org_minutes, ..*report });
            }
        },
    );
    if let Some((_, done)) = open {
        records.push(record_of(&done, &mut Vec::new()));
    }
    org_minutes += records.len() as u64;
    match failed {
        Some(error) => return Err(error),
        None => append(&mut records)?,
    }
    (report.points, report.org_minutes) = (points, org_minutes);
    Ok(())
}

fn begin(level: domain::organisations::Level, org: &str, minute: Minute, series: Series) -> OrgMinute {
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
