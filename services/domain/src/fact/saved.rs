//! A record in the checkpoint: its bytes, and whether bytes are a record at all. A file that was damaged, or that another
//! version wrote, must not become a record that the merge law could stumble over.

use super::{
    ABSENT, INSTANTS, Link, MOVE_BYTES, MOVES_MAX, NO_PLACE, NOBODY, OTHER_SOURCE, RETRACTED, Record, SLOTS,
    SMALL, SMALL_BASE, SOURCE_BYTES, STATEMENT_HEAD, Tail, statement_length,
};
use crate::ids::Ref;
use crate::time::{END_SECOND, FIRST_SECOND};

/// Ids have at most this many bytes (spec 1).
const ID_BYTES_MAX: usize = 128;

/// What a kind of record may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many values each small fact has, counted from 0; none where the slot is not used.
    pub(crate) smalls: [u8; SMALL],
    /// How many places there are.
    pub(crate) places: usize,
}

/// How many sources and areas must have names, so that a record can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) sources: usize,
    pub(crate) areas: usize,
}

impl Numbers {
    /// What both need.
    pub(crate) fn or(self, other: Numbers) -> Numbers {
        Numbers { sources: self.sources.max(other.sources), areas: self.areas.max(other.areas) }
    }
}

impl Record {
    /// For the checkpoint: everything but the key, as bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.newest_recorded_at.to_le_bytes());
        for instant in self.instants {
            out.extend_from_slice(&instant.to_le_bytes());
        }
        out.extend_from_slice(&self.small);
        out.extend_from_slice(&self.from);
        out.push(self.link_state);
        out.extend_from_slice(&self.link.place.to_le_bytes());
        out.extend_from_slice(&self.link.reference.0);
        out.extend_from_slice(&self.tail);
    }

    /// The record whose [`Record::encode`] this was, and what must have a name for it; `None` if the bytes are not one.
    pub(crate) fn decode(
        place: u16,
        reference: Ref,
        bytes: &[u8],
        shape: &Shape,
    ) -> Option<(Record, Numbers)> {
        let mut record = Record::new(place, reference);
        let (newest, rest) = bytes.split_first_chunk::<8>()?;
        record.newest_recorded_at = i64::from_le_bytes(*newest);
        let (instants, rest) = rest.split_first_chunk::<{ 4 * INSTANTS }>()?;
        for (instant, chunk) in record.instants.iter_mut().zip(instants.chunks_exact(4)) {
            *instant = u32::from_le_bytes(chunk.try_into().ok()?);
        }
        let (small, rest) = rest.split_first_chunk::<SMALL>()?;
        let (from, rest) = rest.split_first_chunk::<SLOTS>()?;
        (record.small, record.from) = (*small, *from);
        let (state, rest) = rest.split_first()?;
        let (linked, rest) = rest.split_first_chunk::<2>()?;
        let (reference, tail) = rest.split_first_chunk::<16>()?;
        record.link_state = *state;
        record.link = Link { place: u16::from_le_bytes(*linked), reference: Ref(*reference) };
        record.tail = tail.to_vec();
        let numbers = record.judged(shape)?;
        Some((record, numbers))
    }

    /// What must have a name; `None` if it is no record that facts could have made.
    fn judged(&self, shape: &Shape) -> Option<Numbers> {
        let tail = judged_tail(&self.tail, self.newest_recorded_at)?;
        let stated = |value: u32| value >= SMALL_BASE;
        let instants =
            self.instants.iter().all(|value| !stated(*value) || (FIRST_SECOND..END_SECOND).contains(value));
        let smalls = self
            .small
            .iter()
            .zip(&shape.smalls)
            .all(|(value, count)| u32::from(*value) < SMALL_BASE + u32::from(*count) || *value == 0);
        let link = if stated(u32::from(self.link_state)) {
            u32::from(self.link_state) == SMALL_BASE && usize::from(self.link.place) < shape.places
        } else {
            self.link == Link::default() && self.link.place == NO_PLACE
        };
        // Every fact has its statement, and every statement that is named is there.
        let facts = (0..SLOTS).all(|slot| match self.from[slot] {
            NOBODY => self.value(slot) == ABSENT,
            from => self.value(slot) >= RETRACTED && from < tail.statements,
        });
        (instants && smalls && link && facts && usize::from(self.place) < shape.places)
            .then_some(tail.numbers)
    }
}

struct JudgedTail {
    statements: u8,
    numbers: Numbers,
}

/// Walks through moves and statements without trusting a length in them.
fn judged_tail(tail: &[u8], newest_recorded_at: i64) -> Option<JudgedTail> {
    let Some((moves, rest)) = tail.split_first() else {
        return Some(JudgedTail { statements: 0, numbers: Numbers::default() });
    };
    let moves = usize::from(*moves);
    let (_, statements) = rest.split_at_checked(moves * MOVE_BYTES)?;
    let mut judged = judged_statements(statements, newest_recorded_at)?;
    let mut before = 0;
    for one in Tail(tail).moves() {
        let sound = one.since > before
            && (FIRST_SECOND..END_SECOND).contains(&one.since)
            && one.from < judged.statements;
        if !sound {
            return None;
        }
        before = one.since;
        let area = one.area.map_or(0, |area| usize::from(area) + 1);
        judged.numbers.areas = judged.numbers.areas.max(area);
    }
    (moves <= MOVES_MAX).then_some(judged)
}

fn judged_statements(mut rest: &[u8], newest_recorded_at: i64) -> Option<JudgedTail> {
    let mut judged = JudgedTail { statements: 0, numbers: Numbers::default() };
    let mut first_id = 0;
    let newest = newest_recorded_at;
    while !rest.is_empty() {
        let (head, after) = rest.split_first_chunk::<STATEMENT_HEAD>()?;
        let [r0, r1, r2, r3, r4, r5, shared, own] = *head;
        let recorded_at = i64::from_le_bytes([r0, r1, r2, r3, r4, r5, 0, 0]);
        let (has_source, shared) = (shared & OTHER_SOURCE != 0, usize::from(shared & !OTHER_SOURCE));
        if has_source {
            let (source, _) = after.split_first_chunk::<SOURCE_BYTES>()?;
            judged.numbers.sources = judged.numbers.sources.max(usize::from(u16::from_le_bytes(*source)) + 1);
        }
        let id = shared + usize::from(own);
        let first = judged.statements == 0;
        let sound = (has_source || !first)
            && shared <= first_id
            && (1..=ID_BYTES_MAX).contains(&id)
            && recorded_at <= newest
            && recorded_at / 1_000 >= i64::from(FIRST_SECOND)
            && judged.statements < NOBODY;
        if !sound {
            return None;
        }
        if first {
            first_id = id;
        }
        judged.statements = judged.statements.checked_add(1)?;
        rest = rest.get(statement_length(rest)..)?;
    }
    // A record with moves or facts has a statement for them; one without any is written by nobody.
    (judged.statements > 0 && judged.statements < NOBODY).then_some(judged)
}

#[cfg(test)]
mod tests;
