//! The shell of a live board: one plain thread that reads the measures and alerts topics, fills the store, and moves
//! the live picture; and the still board over a store that a replay has filled.
//!
//! What a record means is decided in `Taking`, which reads neither clock nor log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::alert::AlertRecord;
use contract::measure::MeasureRecord;
use contract::topics::{ALERTS, MEASURES};
use domain::measures::OrgMinute;
use domain::organisations::Organisations;
use domain::target::Target;
use domain::time::Minute;
use runtime::clock::Clock;
use runtime::health::{Condition, Health};
use runtime::log::{Log, LogError, RecordView};
use runtime::shutdown::Shutdown;

use crate::live::{Live, Mode, Status};
use crate::metrics::{Metrics, OrgMinuteOutcome};
use crate::read::Reader;
use crate::store::{Store, StoreError, Taken};

/// At most so many records make one transaction.
const RECORDS_MAX: usize = 2_000;
/// The longest wait for a record.
const POLL: Duration = Duration::from_millis(100);
/// The pause after the log or the disk failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often browsers are told while there is much to catch up with, and how often the length of it is looked up.
const FLUSH_BEHIND: Duration = Duration::from_millis(500);
const LOOK_UP_ENDS: Duration = Duration::from_secs(2);
/// From so many records on the page says that it is catching up: about two minutes of a nation.
const CATCHING_UP_RECORDS: u64 = 1_200;
/// How far back the alerts topic is read at start.
const ALERTS_BACK_MS: i64 = 35 * 86_400_000;

/// What a live board needs.
pub struct Service {
    /// The log with the measures and the alerts.
    pub log: Arc<dyn Log>,
    /// The store that is filled.
    pub store: Store,
    /// The picture that is moved; empty at first.
    pub live: Arc<Live>,
    /// Metrics.
    pub metrics: Metrics,
    /// Readiness: the condition `board-log`.
    pub health: Health,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Ends it.
    pub shutdown: Shutdown,
}

/// Why a board cannot go on: what only a person can mend.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store.
    #[error("the board's store failed")]
    Store(#[from] StoreError),
    /// The log is set up wrongly.
    #[error("the log of measures cannot be read")]
    Log(#[from] LogError),
    /// The store has no table of organisations and none was given.
    #[error("the store holds no table of organisations: fill it again, or give one with --organisations")]
    NoOrganisations,
    /// The store is empty.
    #[error("the store holds no figures")]
    Empty,
    /// The minute asked for is outside the store.
    #[error("the store holds figures from {oldest} to {newest}, none at {asked}")]
    Outside {
        /// What was asked for.
        asked: Minute,
        /// The oldest minute.
        oldest: Minute,
        /// The newest minute.
        newest: Minute,
    },
}

/// A board that stands still: the store of a folder as at a minute (by default its newest). `organisations`: instead of
/// those that the store holds. `target`: as in [`Live::new`].
pub fn still(
    dir: &Path,
    at: Option<Minute>,
    organisations: Option<Organisations>,
    target: Option<Target>,
) -> Result<Arc<Live>, ServiceError> {
    let mut reader = Reader::open(dir)?;
    let organisations = match organisations {
        Some(organisations) => organisations,
        None => reader.organisations()?.ok_or(ServiceError::NoOrganisations)?,
    };
    let (Some(oldest), Some(newest)) = (reader.oldest_minute()?, reader.newest_minute()?) else {
        return Err(ServiceError::Empty);
    };
    let asked = at.unwrap_or(newest);
    if !(oldest..=newest).contains(&asked) {
        return Err(ServiceError::Outside { asked, oldest, newest });
    }
    let live = Live::new(Arc::new(organisations), Mode::AsAt(asked), target);
    live.load(&mut reader)?;
    Ok(Arc::new(live))
}

/// Fills the store and moves the picture until the shutdown begins; then ends every stream. Blocks: give it a thread.
pub fn run(service: Service) -> Result<(), ServiceError> {
    let live = service.live.clone();
    let condition = service.health.condition("board-log");
    let outcome = Running { condition, alerts: None, status: Status::default(), service }.run();
    live.close();
    outcome
}

struct Running {
    service: Service,
    condition: Condition,
    /// Where the alerts topic is read on; `None` before its first look-up.
    alerts: Option<Vec<u64>>,
    status: Status,
}

impl Running {
    fn run(mut self) -> Result<(), ServiceError> {
        self.service.live.load(&mut self.service.store.reader()?)?;
        self.service.live.flush(self.service.clock.now_ms());
        let mut taking = None;
        while !self.service.shutdown.is_begun() {
            match self.read_while_there(&mut taking) {
                Ok(()) => {}
                Err(ServiceError::Log(error)) => self.pause(error)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_while_there(&mut self, taking: &mut Option<Taking>) -> Result<(), ServiceError> {
        let (starts, ends) = (self.service.log.starts(MEASURES)?, self.service.log.ends(MEASURES)?);
        let saved = self.service.store.positions()?;
        let taking = taking.insert(self.fit(&saved, &starts, &ends));
        let alerts = match self.alerts.take() {
            Some(alerts) => alerts,
            None => self.service.log.offsets_at(ALERTS, self.service.clock.now_ms() - ALERTS_BACK_MS)?,
        };
        let alerts = self.alerts.insert(alerts);
        let mut reader =
            self.service.log.reader(&[(MEASURES, taking.offsets()), (ALERTS, alerts.clone())])?;
        let (mut flushed, mut looked_up) = (Duration::ZERO, None::<Duration>);
        while !self.service.shutdown.is_begun() {
            let now = self.service.clock.monotonic();
            if looked_up.is_none_or(|at| now.saturating_sub(at) >= LOOK_UP_ENDS) {
                looked_up = Some(now);
                self.tell_status(taking)?;
            }
            let mut batch = Batch::default();
            let alerts = self.alerts.get_or_insert_default();
            let read = reader.poll(RECORDS_MAX, POLL, &mut |record| match record.topic {
                0 => taking.measure(record, &mut batch),
                _ => taking.alert(record, alerts, &mut batch),
            });
            // What was read before an error counts.
            self.take_in(taking, batch)?;
            let many = read? >= RECORDS_MAX;
            self.condition.holds();
            let now = self.service.clock.monotonic();
            if !many || now.saturating_sub(flushed) >= FLUSH_BEHIND {
                flushed = now;
                self.service.live.flush(self.service.clock.now_ms());
            }
        }
        Ok(())
    }

    fn fit(&self, saved: &[Taken], starts: &[u64], ends: &[u64]) -> Taking {
        let (taking, missed) = Taking::fit(saved, starts, ends);
        if missed > 0 {
            self.service.metrics.missed_records.inc_by(missed);
            tracing::error!(
                records = missed,
                topic = MEASURES,
                "records were gone before the board read them"
            );
        }
        taking
    }

    /// Stores a batch; tries again for as long as the disk refuses it.
    fn take_in(&mut self, taking: &mut Taking, batch: Batch) -> Result<(), ServiceError> {
        let service = &mut self.service;
        batch.alerts.iter().for_each(|record| service.live.alert(record));
        service.metrics.org_minutes.of(OrgMinuteOutcome::Zombie).inc_by(batch.zombies);
        service.metrics.org_minutes.of(OrgMinuteOutcome::Unreadable).inc_by(batch.unreadable);
        if batch.unreadable > 0 {
            tracing::warn!(
                records = batch.unreadable,
                "records of the log could not be read and are left out"
            );
        }
        let positions = taking.touched();
        if positions.is_empty() {
            return Ok(());
        }
        let live = service.live.clone();
        let begun = service.clock.monotonic();
        let applied = loop {
            let observe = &mut |writing: &OrgMinute, row: &_| live.observe(writing, row);
            match service.store.apply_with_positions(&batch.org_minutes, &positions, observe) {
                Ok(applied) => break applied,
                Err(error @ StoreError::Sqlite { .. }) if !service.shutdown.is_begun() => {
                    self.condition.waits(describe(&error));
                    service.shutdown.wait_timeout(PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        };
        service.metrics.apply_seconds.observe((service.clock.monotonic() - begun).as_secs_f64());
        for (outcome, count) in [
            (OrgMinuteOutcome::Written, applied.written),
            (OrgMinuteOutcome::Unchanged, applied.unchanged),
            (OrgMinuteOutcome::TooOld, applied.too_old),
        ] {
            service.metrics.org_minutes.of(outcome).inc_by(count as u64);
        }
        if let Some(newest) = live.head() {
            service.metrics.newest_minute_seconds.set(i64::from(newest.start().0));
        }
        Ok(())
    }

    fn tell_status(&mut self, taking: &Taking) -> Result<(), ServiceError> {
        let behind = taking.behind(&self.service.log.ends(MEASURES)?);
        self.service.metrics.behind_records.set(i64::try_from(behind).unwrap_or(i64::MAX));
        let behind_records = (behind >= CATCHING_UP_RECORDS).then_some(behind);
        self.status = Status { behind_records, log_away: false };
        self.service.live.status(self.status.clone());
        Ok(())
    }

    /// Waits after an error of the log that goes by itself.
    fn pause(&mut self, error: LogError) -> Result<(), ServiceError> {
        match error {
            LogError::Full
            | LogError::Unavailable(_)
            | LogError::NoTopic(_)
            | LogError::Storage(_)
            | LogError::MorePartitions { .. }
            | LogError::OutOfRange { .. } => {
                self.condition.waits(error.to_string());
                self.status.log_away = true;
                self.service.live.status(self.status.clone());
                self.service.live.flush(self.service.clock.now_ms());
                self.alerts = None;
                self.service.shutdown.wait_timeout(PAUSE);
                Ok(())
            }
            LogError::Misconfigured(_) => Err(error.into()),
        }
    }
}

/// What came out of the log at once.
#[derive(Debug, Default)]
struct Batch {
    org_minutes: Vec<OrgMinute>,
    alerts: Vec<AlertRecord>,
    zombies: u64,
    unreadable: u64,
}

/// Where each partition of the measures topic is read on, and which epoch holds in it.
#[derive(Debug)]
struct Taking(Vec<Place>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    taken: Taken,
    touched: bool,
}

impl Taking {
    /// The places to read on from, and how many records are gone. A position beyond the end is that of another log,
    /// which is read from its start.
    fn fit(saved: &[Taken], starts: &[u64], ends: &[u64]) -> (Taking, u64) {
        let mut missed = 0;
        let place = |(partition, (start, end)): (usize, (&u64, &u64))| {
            let partition = partition as u32;
            let mut taken = Taken { partition, next_offset: *start, epoch: 0 };
            if let Some(saved) = saved.iter().find(|saved| saved.partition == partition) {
                if saved.next_offset > *end {
                    tracing::error!(
                        partition,
                        "the log ends before what the store holds: it is another log; its figures of minutes that the \
                         store holds may lose against older ones, remove the store to begin anew"
                    );
                } else {
                    missed += start.saturating_sub(saved.next_offset);
                    taken = Taken { next_offset: saved.next_offset.max(*start), ..*saved };
                }
            }
            Place { taken, touched: false }
        };
        let places = starts.iter().zip(ends).enumerate().map(place).collect();
        (Taking(places), missed)
    }

    fn offsets(&self) -> Vec<u64> {
        self.0.iter().map(|place| place.taken.next_offset).collect()
    }

    fn behind(&self, ends: &[u64]) -> u64 {
        self.0.iter().zip(ends).map(|(place, end)| end.saturating_sub(place.taken.next_offset)).sum()
    }

    /// The positions that have moved since the last time.
    fn touched(&mut self) -> Vec<Taken> {
        let moved = |place: &mut Place| std::mem::take(&mut place.touched).then_some(place.taken);
        self.0.iter_mut().filter_map(moved).collect()
    }

    fn measure(&mut self, record: RecordView<'_>, batch: &mut Batch) {
        let Some(place) = self.0.get_mut(record.partition as usize) else {
            batch.unreadable += 1;
            return;
        };
        place.taken.next_offset = record.offset + 1;
        place.touched = true;
        match contract::measure::decode(record.value) {
            Ok(MeasureRecord::Mark { epoch }) => place.taken.epoch = place.taken.epoch.max(epoch),
            Ok(MeasureRecord::OrgMinute(minute)) if minute.revision.epoch < place.taken.epoch => {
                batch.zombies += 1;
            }
            Ok(MeasureRecord::OrgMinute(minute)) => batch.org_minutes.push(minute),
            Err(_) => batch.unreadable += 1,
        }
    }

    fn alert(&self, record: RecordView<'_>, offsets: &mut [u64], batch: &mut Batch) {
        if let Some(offset) = offsets.get_mut(record.partition as usize) {
            *offset = record.offset + 1;
        }
        match contract::alert::decode(record.value) {
            Ok(alert) => batch.alerts.push(alert),
            Err(_) => batch.unreadable += 1,
        }
    }
}

/// An error and its causes in one line.
fn describe(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use domain::measures::{Freshness, Revision};
    use domain::organisations::Level;

    use super::*;

    fn taken(partition: u32, next_offset: u64, epoch: u64) -> Taken {
        Taken { partition, next_offset, epoch }
    }

    #[test]
    fn positions_are_fitted_to_what_the_log_still_has() {
        let saved = [taken(0, 50, 7), taken(1, 50, 7), taken(2, 500, 7)];
        let (taking, missed) = Taking::fit(&saved, &[10, 70, 10, 4], &[100, 100, 100, 100]);
        let places: Vec<Taken> = taking.0.iter().map(|place| place.taken).collect();
        assert_eq!(places, [taken(0, 50, 7), taken(1, 70, 7), taken(2, 10, 0), taken(3, 4, 0)]);
        assert_eq!((missed, taking.behind(&[100, 100, 100, 100])), (20, 50 + 30 + 90 + 96));
    }

    #[test]
    fn after_a_mark_an_older_epoch_is_ignored_in_that_partition() {
        let (mut taking, _) = Taking::fit(&[], &[0, 0], &[9, 9]);
        let mut batch = Batch::default();
        let mut read = |partition, offset, record: &MeasureRecord| {
            let mut value = Vec::new();
            contract::measure::encode(record, &mut value);
            let (topic, timestamp_ms, key, protobuf) = (0, 0, &[][..], true);
            let view = RecordView { topic, partition, offset, timestamp_ms, key, value: &value, protobuf };
            taking.measure(view, &mut batch);
        };
        let minute = |epoch| {
            MeasureRecord::OrgMinute(OrgMinute {
                level: Level::Site,
                org: "S1".to_owned(),
                minute: Minute(29_000_000),
                revision: Revision { epoch, n: 1 },
                freshness: Freshness::default(),
                restated: false,
                series: Vec::new(),
            })
        };
        read(0, 0, &minute(3));
        read(0, 1, &MeasureRecord::Mark { epoch: 5 });
        read(0, 2, &minute(3));
        read(1, 0, &minute(3));
        read(0, 3, &MeasureRecord::Mark { epoch: 4 });
        read(0, 4, &minute(4));
        read(0, 5, &minute(5));
        let broken = RecordView {
            topic: 0,
            partition: 0,
            offset: 6,
            timestamp_ms: 0,
            key: b"",
            value: b"\xff",
            protobuf: true,
        };
        taking.measure(broken, &mut batch);
        let epochs: Vec<u64> = batch.org_minutes.iter().map(|minute| minute.revision.epoch).collect();
        assert_eq!(epochs, [3, 3, 5]);
        assert_eq!((batch.zombies, batch.unreadable), (2, 1));
        assert_eq!(taking.touched(), [taken(0, 7, 5), taken(1, 1, 0)]);
        assert_eq!(taking.touched(), []);
    }
}
