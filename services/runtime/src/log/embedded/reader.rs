//! Reads an embedded log: each reader has its own connection and is woken when something was written.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::{LogError, Shared, Topic, files, storage};
use crate::log::{Reader, RecordView};

/// Where a reader is in one topic.
pub(super) struct Place {
    /// Which of the log's topics.
    pub(super) topic: usize,
    pub(super) name: String,
    pub(super) id: i64,
    /// The offset to be read next.
    pub(super) offset: u64,
}

pub(super) struct EmbeddedReader {
    connection: Connection,
    shared: Arc<Shared>,
    places: Vec<Place>,
    /// Which topic is read first, so that a full one does not keep the others waiting.
    turn: usize,
}

impl EmbeddedReader {
    pub(super) fn new(connection: Connection, shared: Arc<Shared>, places: Vec<Place>) -> EmbeddedReader {
        connection.set_prepared_statement_cache_capacity(places.len() + 1);
        EmbeddedReader { connection, shared, places, turn: 0 }
    }

    /// Waits for a topic to hold more than was read; the end of each topic, in the order of the places.
    fn wait(&self, timeout: Duration) -> Result<Vec<u64>, LogError> {
        let nothing_new = |topics: &mut Vec<Topic>| {
            self.places.iter().all(|place| topics[place.topic].next == place.offset)
        };
        let waited = self.shared.grown.wait_timeout_while(self.shared.topics(), timeout, nothing_new);
        let (topics, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.places
            .iter()
            .map(|place| match &topics[place.topic] {
                Topic { start, next, .. } if (*start..=*next).contains(&place.offset) => Ok(*next),
                _ => Err(place.out_of_range()),
            })
            .collect()
    }
}

impl Place {
    fn out_of_range(&self) -> LogError {
        LogError::OutOfRange { topic: self.name.clone(), partition: 0, offset: self.offset }
    }

    /// Hands the records up to `end` (exclusive) to `each`, straight from the page that holds them.
    fn read(
        &mut self,
        index: usize,
        connection: &Connection,
        end: u64,
        each: &mut dyn FnMut(RecordView<'_>),
    ) -> Result<(), LogError> {
        let mut select = connection.prepare_cached(&files::select_records(self.id)).map_err(storage)?;
        let mut rows = select.query([self.offset as i64, end as i64]).map_err(storage)?;
        while self.offset < end {
            let Some(row) = rows.next().map_err(storage)? else { break };
            if row.get::<_, i64>(0).map_err(storage)? as u64 != self.offset {
                break;
            }
            let blob = |column| row.get_ref(column).and_then(|value| Ok(value.as_blob()?)).map_err(storage);
            let record = RecordView {
                topic: index,
                partition: 0,
                offset: self.offset,
                timestamp_ms: row.get(1).map_err(storage)?,
                key: blob(3)?,
                value: blob(4)?,
                protobuf: row.get(2).map_err(storage)?,
            };
            self.offset += 1;
            each(record);
        }
        // Whatever is missing below the end was trimmed while it was about to be read.
        if self.offset < end { Err(self.out_of_range()) } else { Ok(()) }
    }
}

impl Reader for EmbeddedReader {
    fn poll(
        &mut self,
        max: usize,
        timeout: Duration,
        each: &mut dyn FnMut(RecordView<'_>),
    ) -> Result<usize, LogError> {
        let ends = self.wait(timeout)?;
        let (topics, mut left) = (self.places.len(), max as u64);
        for step in 0..topics {
            let index = (self.turn + step) % topics;
            let place = &mut self.places[index];
            let count = left.min(ends[index] - place.offset);
            if count > 0 {
                place.read(index, &self.connection, place.offset + count, each)?;
            }
            left -= count;
        }
        self.turn = self.turn.wrapping_add(1);
        Ok((max as u64 - left) as usize)
    }

    fn has_reached(&self, ends: &[Vec<u64>]) -> bool {
        self.places.iter().zip(ends).all(|(place, ends)| ends.iter().all(|end| place.offset >= *end))
    }
}
