//! From records of the measures topic to portions of lines: which records count, and where a portion ends. Told the
//! time, never reads the log itself.

use std::sync::Arc;
use std::time::Duration;

use contract::measure::{self, MeasureRecord};
use contract::refusal::Refusal;
use domain::time::Minute;
use runtime::log::RecordView;

use crate::batch::{Added, Batch, Batcher, Limits, Origin};
use crate::metrics::{Ignored, Metrics};
use crate::progress::Place;
use crate::refusals;

/// A portion ends when so many records of it were unreadable, so that what is kept of them is bounded.
const MAX_UNREADABLE: usize = 64;

/// What is stored together before the position moves on.
#[derive(Debug)]
pub(crate) struct Portion {
    /// The lines, each point once.
    pub(crate) batches: Vec<Batch>,
    /// Where each partition stands after it.
    pub(crate) until: Vec<Place>,
    /// What could not be read.
    pub(crate) unreadable: Vec<Refusal>,
    /// The newest minute in it.
    pub(crate) newest: Option<Minute>,
    /// Whether a former process may have written some of it.
    pub(crate) again: bool,
}

/// The open portion.
pub(crate) struct Reading {
    topic: String,
    places: Vec<Place>,
    /// Where to stop, by partition: what comes after is not this reading's.
    stop_at: Option<Vec<u64>>,
    limits: Limits,
    batcher: Batcher,
    unreadable: Vec<Refusal>,
    newest: Option<Minute>,
    closed: Vec<Portion>,
    metrics: Arc<Metrics>,
}

impl Reading {
    /// Reads on from `places` for ever.
    pub(crate) fn onwards(topic: &str, places: Vec<Place>, limits: Limits, metrics: Arc<Metrics>) -> Reading {
        Reading {
            topic: topic.to_owned(),
            places,
            stop_at: None,
            limits,
            batcher: Batcher::new(limits),
            unreadable: Vec::new(),
            newest: None,
            closed: Vec::new(),
            metrics,
        }
    }

    /// Reads from `places` up to `stop_at` into one portion, whatever its size: of each point the newest value only.
    pub(crate) fn again(
        topic: &str,
        places: Vec<Place>,
        stop_at: Vec<u64>,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Reading {
        let unlimited = Limits { lines: usize::MAX, bytes: usize::MAX, age: Duration::MAX };
        let batcher = Batcher::new(unlimited);
        Reading { stop_at: Some(stop_at), batcher, ..Reading::onwards(topic, places, limits, metrics) }
    }

    /// Where the next record of each partition is.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Other places: what lay between is lost.
    pub(crate) fn set_places(&mut self, places: Vec<Place>) {
        self.places = places;
    }

    /// Whether everything before `stop_at` was read.
    pub(crate) fn is_done(&self) -> bool {
        let stop_at = self.stop_at.iter().flatten();
        self.stop_at.is_some() && self.places.iter().zip(stop_at).all(|(place, stop)| place.offset >= *stop)
    }

    /// How long until the open portion must be closed; `None` while there is nothing in it.
    pub(crate) fn due_in(&self, now: Duration) -> Option<Duration> {
        if self.stop_at.is_some() { None } else { self.batcher.due_in(now) }
    }

    /// The portions that are full.
    pub(crate) fn take_closed(&mut self) -> Vec<Portion> {
        std::mem::take(&mut self.closed)
    }

    /// Takes a record.
    pub(crate) fn record(&mut self, record: RecordView<'_>, now: Duration) {
        let Some(partition) = usize::try_from(record.partition).ok().filter(|&p| p < self.places.len())
        else {
            return;
        };
        let beyond = self.stop_at.as_ref().is_some_and(|stop_at| record.offset >= stop_at[partition]);
        if beyond || record.offset < self.places[partition].offset {
            return;
        }
        self.judge(record, partition, now);
        self.places[partition].offset = record.offset + 1;
        self.batcher.touch(now);
        if self.unreadable.len() >= MAX_UNREADABLE {
            let full = self.close();
            self.closed.push(full);
        }
    }

    fn judge(&mut self, record: RecordView<'_>, partition: usize, now: Duration) {
        let org_minute = match measure::decode(record.value) {
            Ok(MeasureRecord::Mark { epoch }) => {
                let place = &mut self.places[partition];
                place.epoch = place.epoch.max(epoch);
                return;
            }
            Ok(MeasureRecord::OrgMinute(org_minute)) => org_minute,
            Err(error) => return self.refuse(record, &error.to_string()),
        };
        if org_minute.revision.epoch < self.places[partition].epoch {
            self.metrics.ignored.of(Ignored::OlderEpoch).inc();
            return;
        }
        let origin = Origin { partition: record.partition, offset: record.offset };
        let mut added = self.batcher.add(&org_minute, origin, now);
        if added == Ok(Added::Full) {
            let full = self.close();
            self.closed.push(full);
            added = self.batcher.add(&org_minute, origin, now);
        }
        match added {
            Ok(_) => self.newest = self.newest.max(Some(org_minute.minute)),
            Err(error) => self.refuse(record, &error.to_string()),
        }
    }

    fn refuse(&mut self, record: RecordView<'_>, why: &str) {
        self.metrics.ignored.of(Ignored::Unreadable).inc();
        tracing::warn!(partition = record.partition, offset = record.offset, why, "a measure cannot be read");
        self.unreadable.push(refusals::unreadable(&self.topic, record, why));
    }

    /// Ends the open portion.
    pub(crate) fn close(&mut self) -> Portion {
        let batches = self.batcher.take(self.limits);
        self.metrics.superseded.inc_by(self.batcher.take_superseded());
        Portion {
            batches,
            until: self.places.clone(),
            unreadable: std::mem::take(&mut self.unreadable),
            newest: self.newest.take(),
            again: self.stop_at.is_some(),
        }
    }
}
