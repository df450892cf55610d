//! The merge law (spec 1.1): for each fact on its own, the statement with the greatest stamp wins.
//!
//! An attendance and a journey are both a [`Record`]: fifteen slots of facts, the statements that stand, and the moves.
//! A record is small (a national fortnight is more than a million of them): facts in fixed slots, statements packed
//! into one block of bytes, ids sharing the beginning of the first. A statement of which no fact stands any more is
//! dropped. This module knows stamps and slots, not what a slot means.

mod saved;

use std::cmp::Ordering;

pub(crate) use self::saved::{Numbers, Shape};
use crate::ids::Ref;
use crate::time::Millis;

/// How many facts with an instant a record holds.
pub(crate) const INSTANTS: usize = 7;
/// How many small facts (types, flags, closed sets) a record holds.
pub(crate) const SMALL: usize = 7;
/// The slot of the link to another entity or place.
pub(crate) const LINK: usize = INSTANTS + SMALL;
/// All slots.
pub(crate) const SLOTS: usize = LINK + 1;
/// The most moves that are kept (spec 1.2, `location`).
const MOVES_MAX: usize = 100;

/// No statement stands for this slot.
const NOBODY: u8 = u8::MAX;
/// A slot's value: nothing said.
pub(crate) const ABSENT: u32 = 0;
/// A slot's value: retracted. Less than every stated value, as a tie of stamps needs it (`null` < everything).
pub(crate) const RETRACTED: u32 = 1;
/// A small fact's stated value v is held as v + 2.
pub(crate) const SMALL_BASE: u32 = 2;

/// A source by its number in [`Names`].
pub(crate) type SourceId = u16;

/// Texts by number: sources, areas. Numbers are given in the order of first mention and never change.
#[derive(Debug, Default, Clone)]
pub(crate) struct Names {
    names: Vec<String>,
    numbers: hashbrown::HashMap<String, u16>,
}

/// The most texts of one kind that are numbered.
const NAMES_MAX: u16 = 65_000;

impl Names {
    /// Whether [`Names::number`] gives a number for the text.
    pub(crate) fn has_room_for(&self, text: &str) -> bool {
        self.names.len() < usize::from(NAMES_MAX) || self.numbers.contains_key(text)
    }

    /// The number of a text, new if need be; `None` when 65,000 are taken.
    pub(crate) fn number(&mut self, text: &str) -> Option<u16> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        let number = u16::try_from(self.names.len()).ok().filter(|number| *number < NAMES_MAX)?;
        self.names.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        Some(number)
    }

    pub(crate) fn get(&self, number: u16) -> &str {
        &self.names[usize::from(number)]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// The stamp of a statement that comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    pub(crate) recorded_at: Millis,
    pub(crate) id: &'a [u8],
    pub(crate) source: SourceId,
}

/// (`recorded_at`, `id`, `source`): ids by length in bytes and then as bytes, sources as bytes.
fn order(a: &Stamp<'_>, b: (i64, IdView<'_>, SourceId), sources: &Names) -> Ordering {
    a.recorded_at
        .0
        .cmp(&b.0)
        .then_with(|| b.1.cmp_with(a.id).reverse())
        .then_with(|| sources.get(a.source).as_bytes().cmp(sources.get(b.2).as_bytes()))
}

/// A kept id: the beginning that it shares with the record's first id, and the rest.
#[derive(Clone, Copy)]
struct IdView<'a> {
    shared: &'a [u8],
    rest: &'a [u8],
}

impl IdView<'_> {
    fn cmp_with(self, id: &[u8]) -> Ordering {
        let length = self.shared.len() + self.rest.len();
        length.cmp(&id.len()).then_with(|| {
            let (head, tail) = id.split_at(self.shared.len());
            self.shared.cmp(head).then_with(|| self.rest.cmp(tail))
        })
    }
}

/// What an event says, in the form of slots.
#[derive(Debug, Default)]
pub(crate) struct Said {
    facts: [(u8, u32); SLOTS],
    len: usize,
    /// The link's value, when slot [`LINK`] is said: a place and, for an attendance, the journey's reference.
    pub(crate) link: Link,
    /// One move: since when, and where; no area retracts it.
    pub(crate) moved: Option<(u32, Option<u16>)>,
}

/// A link: the number of a place ([`NO_PLACE`] if retracted) and a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) place: u16,
    pub(crate) reference: Ref,
}

/// No place: nothing is said, or it is retracted.
pub(crate) const NO_PLACE: u16 = u16::MAX;

impl Default for Link {
    fn default() -> Self {
        Link { place: NO_PLACE, reference: Ref([0; 16]) }
    }
}

impl Said {
    pub(crate) fn say(&mut self, slot: usize, value: u32) {
        debug_assert!(slot < SLOTS && value != ABSENT);
        self.facts[self.len] = (slot as u8, value);
        self.len += 1;
    }

    fn facts(&self) -> &[(u8, u32)] {
        &self.facts[..self.len]
    }
}

/// An entity's facts with the statements that they come from.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) reference: Ref,
    pub(crate) link: Link,
    newest_recorded_at: i64,
    instants: [u32; INSTANTS],
    /// The site of an attendance, the service of a journey.
    pub(crate) place: u16,
    small: [u8; SMALL],
    /// For each slot the statement that stands, by position.
    from: [u8; SLOTS],
    /// The link's own state: [`ABSENT`], [`RETRACTED`] or [`SMALL_BASE`] for stated.
    link_state: u8,
    /// Whether it was touched since the last checkpoint.
    pub(crate) touched: bool,
    /// Moves, then statements; see [`Tail`].
    tail: Vec<u8>,
}

impl Record {
    pub(crate) fn new(place: u16, reference: Ref) -> Record {
        Record {
            reference,
            link: Link::default(),
            newest_recorded_at: i64::MIN,
            instants: [ABSENT; INSTANTS],
            place,
            small: [0; SMALL],
            from: [NOBODY; SLOTS],
            link_state: ABSENT as u8,
            touched: false,
            tail: Vec::new(),
        }
    }

    /// The value of a slot: [`ABSENT`], [`RETRACTED`] or what is stated.
    pub(crate) fn value(&self, slot: usize) -> u32 {
        if slot < INSTANTS {
            self.instants[slot]
        } else if slot < LINK {
            u32::from(self.small[slot - INSTANTS])
        } else {
            u32::from(self.link_state)
        }
    }

    /// A stated instant in seconds.
    pub(crate) fn instant(&self, slot: usize) -> Option<u32> {
        Some(self.instants[slot]).filter(|value| *value > RETRACTED)
    }

    /// A stated small fact.
    pub(crate) fn small(&self, slot: usize) -> Option<u8> {
        u32::from(self.small[slot - INSTANTS]).checked_sub(SMALL_BASE).map(|value| value as u8)
    }

    /// The stated link.
    pub(crate) fn stated_link(&self) -> Option<Link> {
        (u32::from(self.link_state) >= SMALL_BASE).then_some(self.link)
    }

    /// Whether nothing was ever said of it.
    pub(crate) fn is_silent(&self) -> bool {
        self.tail.is_empty()
    }

    /// Reads where its parts begin, so that they are in the processor's caches.
    pub(crate) fn fetch(&self) {
        std::hint::black_box((self.from[0], self.tail.first().copied(), self.tail.last().copied()));
    }

    /// The newest `recorded_at` that it has seen.
    pub(crate) fn newest_recorded_at(&self) -> i64 {
        self.newest_recorded_at
    }

    /// The newest instant that stands, in seconds; moves count.
    pub(crate) fn newest_instant(&self) -> u32 {
        let newest = self.instants.iter().copied().max().unwrap_or(ABSENT);
        Tail(&self.tail).moves().map(|one| one.since).fold(newest, u32::max)
    }

    /// The moves that stand and are not retracted, by rising instant, each with the number of its area.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        Tail(&self.tail).moves().filter_map(|one| Some((one.since, one.area?)))
    }

    /// Which of the facts would stand that do not stand now: a bit per slot, [`MOVED`] for the move.
    pub(crate) fn standing(&self, said: &Said, stamp: &Stamp<'_>, names: &RecordNames<'_>) -> u32 {
        let newer = stamp.recorded_at.0 > self.newest_recorded_at;
        let mut wins = 0u32;
        for (slot, value) in said.facts() {
            let slot = usize::from(*slot);
            if newer || self.from[slot] == NOBODY || self.beats(slot, *value, said, stamp, names) {
                wins |= 1 << slot;
            }
        }
        if let Some((since, area)) = said.moved
            && self.move_stands(since, area, stamp, names)
        {
            wins |= MOVED;
        }
        wins
    }

    fn beats(
        &self,
        slot: usize,
        value: u32,
        said: &Said,
        stamp: &Stamp<'_>,
        names: &RecordNames<'_>,
    ) -> bool {
        let standing = Tail(&self.tail).statement(self.from[slot]);
        order(stamp, standing, names.sources).then_with(|| self.tie(slot, value, said, names))
            == Ordering::Greater
    }

    /// Two statements bear the same stamp: the greater value wins.
    fn tie(&self, slot: usize, value: u32, said: &Said, names: &RecordNames<'_>) -> Ordering {
        value.cmp(&self.value(slot)).then_with(|| {
            if slot != LINK || value == RETRACTED {
                return Ordering::Equal;
            }
            let (ours, theirs) = (said.link, self.link);
            (names.place)(ours.place)
                .cmp((names.place)(theirs.place))
                .then_with(|| ours.reference.cmp(&theirs.reference))
        })
    }

    fn move_stands(&self, since: u32, area: Option<u16>, stamp: &Stamp<'_>, names: &RecordNames<'_>) -> bool {
        let tail = Tail(&self.tail);
        let Some(known) = tail.moves().find(|one| one.since == since) else {
            let count = tail.moves().count();
            return count < MOVES_MAX || tail.moves().next().is_some_and(|oldest| oldest.since < since);
        };
        let text = |area: Option<u16>| area.map(|number| names.areas.get(number).as_bytes());
        order(stamp, tail.statement(known.from), names.sources)
            .then_with(|| text(area).cmp(&text(known.area)))
            == Ordering::Greater
    }

    /// Takes those facts of the statement that [`Record::standing`] found to stand; at least one.
    pub(crate) fn take(&mut self, said: &Said, stamp: &Stamp<'_>, wins: u32) {
        let position = self.append(stamp, wins, said);
        for (slot, value) in said.facts() {
            if wins & (1 << slot) == 0 {
                continue;
            }
            let slot = usize::from(*slot);
            self.from[slot] = position;
            if slot < INSTANTS {
                self.instants[slot] = *value;
            } else if slot < LINK {
                self.small[slot - INSTANTS] = *value as u8;
            } else {
                self.link_state = (*value).min(SMALL_BASE) as u8;
                self.link = if *value == RETRACTED { Link::default() } else { said.link };
            }
        }
        self.newest_recorded_at = self.newest_recorded_at.max(stamp.recorded_at.0);
    }

    /// Adds the statement and returns its position. Statements of which nothing stands any more are dropped first.
    fn append(&mut self, stamp: &Stamp<'_>, wins: u32, said: &Said) -> u8 {
        if self.tail.is_empty() {
            make_room(&mut self.tail, 1 + MOVE_BYTES + STATEMENT_HEAD + SOURCE_BYTES + stamp.id.len());
            self.tail.push(0);
        }
        let replaced = (0..SLOTS).any(|slot| wins & (1 << slot) != 0 && self.from[slot] != NOBODY);
        let moved = said.moved.filter(|_| wins & MOVED != 0);
        match moved {
            Some((since, area)) if !replaced && Tail(&self.tail).has_room_for(since) => {
                self.insert_move(since, area);
            }
            None if !replaced => {}
            Some(_) | None => self.rebuild(wins, moved),
        }
        let position = Tail(&self.tail).statements();
        push_statement(&mut self.tail, stamp.recorded_at, stamp.source, stamp.id);
        position
    }

    /// Adds a move of a new instant. It names the statement that will be appended next.
    fn insert_move(&mut self, since: u32, area: Option<u16>) {
        let tail = Tail(&self.tail);
        let at = 1 + MOVE_BYTES * tail.moves().take_while(|one| one.since < since).count();
        let new = Move { since, area, from: tail.statements() };
        make_room(&mut self.tail, MOVE_BYTES + STATEMENT_HEAD);
        self.tail.splice(at..at, new.bytes());
        self.tail[0] += 1;
    }

    /// Writes the tail anew: without the statements whose facts all lost, and with the new move in its place. The new
    /// move names the statement that will be appended next.
    fn rebuild(&mut self, wins: u32, moved: Option<(u32, Option<u16>)>) {
        let old = std::mem::take(&mut self.tail);
        let old = Tail(&old);
        let mut moves: Vec<Move> = old.moves().collect();
        if let Some((since, area)) = moved {
            let new = Move { since, area, from: NOBODY };
            match moves.binary_search_by_key(&since, |one| one.since) {
                Ok(at) => moves[at] = new,
                Err(at) => moves.insert(at, new),
            }
            if moves.len() > MOVES_MAX {
                moves.remove(0);
            }
        }
        for slot in 0..SLOTS {
            if wins & (1 << slot) != 0 {
                self.from[slot] = NOBODY;
            }
        }
        let mut kept = [NOBODY; 256];
        let mut next = 0u8;
        for position in 0..old.statements() {
            let used = self.from.contains(&position) || moves.iter().any(|one| one.from == position);
            if used {
                kept[usize::from(position)] = next;
                next += 1;
            }
        }
        for from in &mut self.from {
            *from = kept[usize::from(*from)];
        }
        make_room(&mut self.tail, old.0.len() + MOVE_BYTES + STATEMENT_HEAD);
        self.tail.push(moves.len() as u8);
        for one in &moves {
            let from = if one.from == NOBODY { next } else { kept[usize::from(one.from)] };
            self.tail.extend_from_slice(&Move { from, ..*one }.bytes());
        }
        let mut scratch = Vec::new();
        for position in (0..old.statements()).filter(|position| kept[usize::from(*position)] != NOBODY) {
            let (recorded_at, id, source) = old.statement(position);
            scratch.clear();
            scratch.extend_from_slice(id.shared);
            scratch.extend_from_slice(id.rest);
            push_statement(&mut self.tail, Millis(recorded_at), source, &scratch);
        }
    }
}

/// The texts that ties are decided by.
pub(crate) struct RecordNames<'a> {
    pub(crate) sources: &'a Names,
    pub(crate) areas: &'a Names,
    /// The code of a place.
    pub(crate) place: &'a dyn Fn(u16) -> &'a str,
}

/// In a set of slots: the move.
const MOVED: u32 = 1 << 31;

#[derive(Clone, Copy, Debug)]
struct Move {
    since: u32,
    area: Option<u16>,
    from: u8,
}

impl Move {
    fn bytes(self) -> [u8; MOVE_BYTES] {
        let [a, b, c, d] = self.since.to_le_bytes();
        let [e, f] = self.area.unwrap_or(u16::MAX).to_le_bytes();
        [a, b, c, d, e, f, self.from]
    }
}

const MOVE_BYTES: usize = 7;
/// recorded_at (6), shared (1), rest (1).
const STATEMENT_HEAD: usize = 8;
/// In `shared`: the source follows, as it is not that of the first statement. Ids have at most 128 bytes.
const OTHER_SOURCE: u8 = 0x80;
const SOURCE_BYTES: usize = 2;
/// A tail shorter than this has most of its statements to come.
const SHORT: usize = 96;
/// Bytes that such a tail gets beyond what it needs.
const SPARE_WHILE_SHORT: usize = 40;

/// The packed part of a record: the number of moves, the moves by rising instant, then the statements:
/// `recorded_at` (6 bytes of milliseconds), how much of the first id is shared, how long the rest is, the source (2) where
/// it is not that of the first, the rest.
#[derive(Clone, Copy)]
struct Tail<'a>(&'a [u8]);

impl<'a> Tail<'a> {
    fn moves(self) -> impl Iterator<Item = Move> + 'a {
        let count = usize::from(self.0.first().copied().unwrap_or(0));
        self.0.get(1..1 + count * MOVE_BYTES).unwrap_or(&[]).chunks_exact(MOVE_BYTES).map(|chunk| {
            let area = u16::from_le_bytes([chunk[4], chunk[5]]);
            Move {
                since: u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]),
                area: (area != u16::MAX).then_some(area),
                from: chunk[6],
            }
        })
    }

    /// Whether a move of this instant can be added: it is not there, and there are not too many.
    fn has_room_for(self, since: u32) -> bool {
        self.moves().count() < MOVES_MAX && self.moves().all(|one| one.since != since)
    }

    fn statement_bytes(self) -> &'a [u8] {
        match self.0.split_first() {
            Some((count, rest)) => &rest[usize::from(*count) * MOVE_BYTES..],
            None => &[],
        }
    }

    fn statements(self) -> u8 {
        let mut rest = self.statement_bytes();
        let mut count = 0;
        while !rest.is_empty() {
            rest = &rest[statement_length(rest)..];
            count += 1;
        }
        count
    }

    fn statement(self, position: u8) -> (i64, IdView<'a>, SourceId) {
        let all = self.statement_bytes();
        let mut rest = all;
        for _ in 0..position {
            rest = &rest[statement_length(rest)..];
        }
        let recorded_at = i64::from_le_bytes([rest[0], rest[1], rest[2], rest[3], rest[4], rest[5], 0, 0]);
        let (first_source, first_id) = first_statement(all);
        let source = if rest[6] & OTHER_SOURCE != 0 { source_of(rest) } else { first_source };
        let shared = &first_id[..usize::from(rest[6] & !OTHER_SOURCE)];
        let length = statement_length(rest);
        (recorded_at, IdView { shared, rest: &rest[length - usize::from(rest[7])..length] }, source)
    }
}

fn statement_length(statement: &[u8]) -> usize {
    let source = if statement[6] & OTHER_SOURCE != 0 { SOURCE_BYTES } else { 0 };
    STATEMENT_HEAD + source + usize::from(statement[7])
}

fn source_of(statement: &[u8]) -> SourceId {
    u16::from_le_bytes([statement[STATEMENT_HEAD], statement[STATEMENT_HEAD + 1]])
}

/// The source and the id of the first statement: it always has its source.
fn first_statement(all: &[u8]) -> (SourceId, &[u8]) {
    (source_of(all), &all[STATEMENT_HEAD + SOURCE_BYTES..statement_length(all)])
}

/// Grown by a little, not doubled, as a million of these are held; but not at each of the first statements.
fn make_room(tail: &mut Vec<u8>, needed: usize) {
    if tail.capacity() - tail.len() < needed {
        let spare = if tail.len() < SHORT { SPARE_WHILE_SHORT } else { 0 };
        let wanted = tail.len() + needed + spare;
        // The usual allocator hands out 8, 24, 40, … bytes: what it would add is used.
        tail.reserve_exact((wanted + 7) / 16 * 16 + 8 - tail.len());
    }
}

fn push_statement(tail: &mut Vec<u8>, recorded_at: Millis, source: SourceId, id: &[u8]) {
    let all = Tail(tail).statement_bytes();
    let (shared, own_source) = if all.is_empty() {
        (0, true)
    } else {
        let (first_source, first_id) = first_statement(all);
        let shared = first_id.iter().zip(id).take_while(|(a, b)| a == b).count();
        (shared.min(usize::from(!OTHER_SOURCE)), source != first_source)
    };
    make_room(tail, STATEMENT_HEAD + SOURCE_BYTES + id.len() - shared);
    // Instants are within 2000–2099: their milliseconds fit into six bytes and are positive.
    tail.extend_from_slice(&recorded_at.0.to_le_bytes()[..6]);
    tail.push(shared as u8 | if own_source { OTHER_SOURCE } else { 0 });
    tail.push((id.len() - shared) as u8);
    if own_source {
        tail.extend_from_slice(&source.to_le_bytes());
    }
    tail.extend_from_slice(&id[shared..]);
}
