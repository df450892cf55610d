//! Collects org-minutes into batches of lines. Told the time, never awaits.
//!
//! Responsible for when a batch is closed (lines, bytes, age) and for this law: **of two writes of one point in a batch
//! only the newer revision is sent** (spec 2.6). It remembers nothing beyond the open batch, so what it holds is bounded
//! by [`Limits`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::time::Duration;

use domain::measures::{OrgMinute, Revision, SeriesKey};
use domain::organisations::Level;
use domain::time::Minute;

use crate::line::{self, LineError};

/// When a batch is closed. An org-minute that is larger than a whole batch goes out in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At most this many lines.
    pub lines: usize,
    /// At most about this many bytes before compression.
    pub bytes: usize,
    /// At most this long after the first line came.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { lines: 10_000, bytes: 1 << 20, age: Duration::from_millis(200) }
    }
}

/// A line of ours is at most about this long: names, four tags, ten fields.
const LINE_BYTES: usize = 300;

/// Lines that are sent together, each point at most once, ordered by measure and then by minute: what a store refuses
/// for one reason (a type, its retention) then stands together and is found in few steps.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Batch {
    text: Vec<u8>,
    /// Where each line ends, its newline included.
    ends: Vec<usize>,
    origins: Vec<Origin>,
}

/// Which record of the topic a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: u64,
}

impl Batch {
    /// How many lines.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of some of its lines, by their numbers.
    pub fn text(&self, lines: Range<usize>) -> &[u8] {
        if lines.is_empty() {
            return &[];
        }
        let start = if lines.start == 0 { 0 } else { self.ends[lines.start - 1] };
        &self.text[start..self.ends[lines.end - 1]]
    }

    /// How many bytes.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// A line with its newline, and where it came from.
    pub fn line(&self, index: usize) -> (&[u8], Origin) {
        (self.text(index..index + 1), self.origins[index])
    }

    /// Every line with its newline, and where it came from.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], Origin)> {
        (0..self.len()).map(|index| self.line(index))
    }

    /// Appends a line, which ends with its newline.
    pub fn push(&mut self, line: &[u8], origin: Origin) {
        self.text.extend_from_slice(line);
        self.ends.push(self.text.len());
        self.origins.push(origin);
    }

    /// Whether one more line of that many bytes would make the batch larger than it may be; an empty one takes any.
    pub fn is_full_for(&self, line_bytes: usize, limits: Limits) -> bool {
        !self.is_empty() && (self.len() >= limits.lines || self.bytes() + line_bytes > limits.bytes)
    }
}

/// What became of an org-minute handed to [`Batcher::add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is in the batch.
    Taken,
    /// Nothing of it was taken: the batch must be closed first.
    Full,
}

/// Which point a line writes. Organisations are numbered within the batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Point {
    org: u32,
    minute: Minute,
    series: SeriesKey,
}

struct Slot {
    revision: Revision,
    line: Range<usize>,
    origin: Origin,
}

/// The open batch.
pub struct Batcher {
    limits: Limits,
    orgs: HashMap<(Level, String), u32>,
    points: HashMap<Point, Slot>,
    text: Vec<u8>,
    opened_at: Option<Duration>,
    superseded: u64,
}

impl Batcher {
    /// An empty batch.
    pub fn new(limits: Limits) -> Batcher {
        Batcher {
            limits,
            orgs: HashMap::new(),
            points: HashMap::new(),
            text: Vec::new(),
            opened_at: None,
            superseded: 0,
        }
    }

    /// Takes the series of an org-minute; `now` is the time since any fixed origin. After an error nothing was taken.
    pub fn add(&mut self, org_minute: &OrgMinute, origin: Origin, now: Duration) -> Result<Added, LineError> {
        if !line::is_tag_value(&org_minute.org) {
            return Err(LineError::Tag);
        }
        let (lines, bytes) = (org_minute.series.len(), org_minute.series.len() * LINE_BYTES);
        let fits =
            self.points.len() + lines <= self.limits.lines && self.text.len() + bytes <= self.limits.bytes;
        if !fits && !self.is_empty() {
            return Ok(Added::Full);
        }
        let org = self.number(org_minute);
        for series in &org_minute.series {
            let point = Point { org, minute: org_minute.minute, series: series.key };
            let revision = org_minute.revision;
            let start = self.text.len();
            let entry = self.points.entry(point);
            if let Entry::Occupied(older) = &entry {
                self.superseded += 1;
                if older.get().revision > revision {
                    continue;
                }
            }
            line::write_series(org_minute.level, &org_minute.org, org_minute.minute, series, &mut self.text);
            entry.insert_entry(Slot { revision, line: start..self.text.len(), origin });
        }
        self.touch(now);
        Ok(Added::Taken)
    }

    fn number(&mut self, org_minute: &OrgMinute) -> u32 {
        let next = u32::try_from(self.orgs.len()).expect("fewer organisations than lines in a batch");
        *self.orgs.entry((org_minute.level, org_minute.org.clone())).or_insert(next)
    }

    /// Starts the age of the batch without a line: something was read that has none, and the position is to be saved.
    pub fn touch(&mut self, now: Duration) {
        self.opened_at.get_or_insert(now);
    }

    /// Whether there is no line to send.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// How long until the batch is to be closed because of its age; `None` while nothing was read.
    pub fn due_in(&self, now: Duration) -> Option<Duration> {
        self.opened_at.map(|opened| (opened + self.limits.age).saturating_sub(now))
    }

    /// How many lines were left out since the last call because a newer revision of their point came.
    pub fn take_superseded(&mut self) -> u64 {
        std::mem::take(&mut self.superseded)
    }

    /// Closes the batch and opens an empty one. More lines than `limits` allow come as several batches, which together
    /// hold each point once.
    pub fn take(&mut self, limits: Limits) -> Vec<Batch> {
        let mut slots: Vec<(Point, Slot)> = self.points.drain().collect();
        // The place in the text decides last, so that the order does not depend on the hash table.
        slots.sort_unstable_by_key(|(point, slot)| (point.series.measure, point.minute, slot.line.start));
        let mut batches = Vec::new();
        let mut batch = Batch::default();
        for (_, slot) in slots {
            if batch.is_full_for(slot.line.len(), limits) {
                batches.push(std::mem::take(&mut batch));
            }
            batch.push(&self.text[slot.line], slot.origin);
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        self.orgs.clear();
        self.text.clear();
        self.opened_at = None;
        batches
    }
}

#[cfg(test)]
mod tests {
    use domain::measures::{Freshness, MAX_FIELDS, Measure, Series, Tag, Window};
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const LIMITS: Limits = Limits { lines: 100, bytes: 1 << 20, age: Duration::from_millis(200) };

    const HERE: Origin = Origin { partition: 3, offset: 9 };

    fn handover(window: u32, value: i64) -> Series {
        let mut values = [0; MAX_FIELDS];
        values[0] = value;
        let key = SeriesKey {
            measure: Measure::AmbHandover,
            tag: Tag::None,
            window: Some(Window::Rolling(window)),
        };
        Series { key, values }
    }

    fn org_minute(org: &str, minute: u32, n: u32, series: Vec<Series>) -> OrgMinute {
        OrgMinute {
            level: Level::Site,
            org: org.to_owned(),
            minute: Minute(minute),
            revision: Revision { epoch: 1, n },
            freshness: Freshness::default(),
            restated: false,
            series,
        }
    }

    fn text(batches: &[Batch]) -> Vec<String> {
        let lines = batches.iter().flat_map(Batch::lines);
        lines
            .map(|(line, _)| String::from_utf8_lossy(line).split(',').skip(2).take(2).collect::<String>())
            .collect()
    }

    #[test]
    fn of_two_writes_of_a_point_the_newer_revision_is_sent_whichever_comes_first() {
        for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [1, 3, 2], [3, 1, 2], [2, 1, 3]] {
            let mut batcher = Batcher::new(LIMITS);
            for n in order {
                let whole = org_minute("A", 7, n, vec![handover(60, i64::from(n))]);
                assert_eq!(batcher.add(&whole, HERE, Duration::ZERO), Ok(Added::Taken));
            }
            assert_eq!(text(&batcher.take(LIMITS)), ["org=Awindow=1h completed=3i"], "{order:?}");
            assert_eq!(batcher.take_superseded(), 2);
        }
    }

    #[test]
    fn a_restatement_replaces_the_touched_series_only() {
        let mut batcher = Batcher::new(LIMITS);
        batcher
            .add(&org_minute("A", 7, 1, vec![handover(60, 1), handover(240, 1)]), HERE, Duration::ZERO)
            .unwrap();
        batcher.add(&org_minute("B", 7, 1, vec![handover(60, 5)]), HERE, Duration::ZERO).unwrap();
        batcher.add(&org_minute("A", 8, 1, vec![handover(60, 6)]), HERE, Duration::ZERO).unwrap();
        batcher.add(&org_minute("A", 7, 2, vec![handover(240, 9)]), HERE, Duration::ZERO).unwrap();
        let mut lines = text(&batcher.take(LIMITS));
        lines.sort();
        assert_eq!(
            lines,
            [
                "org=Awindow=1h completed=1i",
                "org=Awindow=1h completed=6i",
                "org=Awindow=4h completed=9i",
                "org=Bwindow=1h completed=5i"
            ]
        );
    }

    #[test]
    fn a_batch_is_closed_by_its_age_and_by_its_size() {
        let mut batcher = Batcher::new(LIMITS);
        assert_eq!(batcher.due_in(Duration::from_secs(9)), None);
        let fifty = |minute| org_minute("A", minute, 1, (1..=50).map(|w| handover(w, 1)).collect());
        assert_eq!(batcher.add(&fifty(1), HERE, Duration::from_secs(9)), Ok(Added::Taken));
        assert_eq!(batcher.add(&fifty(2), HERE, Duration::from_millis(9_150)), Ok(Added::Taken));
        assert_eq!(batcher.due_in(Duration::from_millis(9_150)), Some(Duration::from_millis(50)));
        assert_eq!(batcher.due_in(Duration::from_secs(10)), Some(Duration::ZERO));
        assert_eq!(batcher.add(&fifty(3), HERE, Duration::from_millis(9_150)), Ok(Added::Full));
        assert_eq!(batcher.take(LIMITS).iter().map(Batch::len).collect::<Vec<_>>(), [100]);
        assert_eq!(batcher.due_in(Duration::from_secs(10)), None);
        batcher.touch(Duration::from_secs(11));
        assert_eq!(batcher.due_in(Duration::from_secs(11)), Some(LIMITS.age));
        assert!(batcher.is_empty());
    }

    #[test]
    fn what_is_larger_than_a_batch_goes_out_in_several() {
        let mut batcher = Batcher::new(LIMITS);
        let large = org_minute("A", 1, 1, (1..=250).map(|w| handover(w, 1)).collect());
        assert_eq!(batcher.add(&large, HERE, Duration::ZERO), Ok(Added::Taken));
        assert_eq!(batcher.take(LIMITS).iter().map(Batch::len).collect::<Vec<_>>(), [100, 100, 50]);
        batcher.add(&large, HERE, Duration::ZERO).unwrap();
        let small = batcher.take(Limits { bytes: 1_000, ..LIMITS });
        assert!(small.iter().all(|batch| batch.text(0..batch.len()).len() <= 1_000) && small.len() > 20);
    }

    #[test]
    fn a_code_that_cannot_be_a_tag_leaves_the_batch_as_it_was() {
        let mut batcher = Batcher::new(LIMITS);
        assert_eq!(
            batcher.add(&org_minute("A\nB", 1, 1, vec![handover(1, 1)]), HERE, Duration::ZERO),
            Err(LineError::Tag)
        );
        assert!(batcher.is_empty() && batcher.due_in(Duration::ZERO).is_none());
    }

    #[test]
    fn any_order_of_the_same_writes_leaves_the_same_lines() {
        let seed = 7;
        println!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for case in 0..200 {
            let mut counts = HashMap::new();
            let mut writes: Vec<OrgMinute> = (0..40)
                .map(|_| {
                    let (org, minute) = (["A", "B"][random.random_range(0..2)], random.random_range(1..4));
                    let n = counts.entry((org, minute)).and_modify(|n| *n += 1).or_insert(1);
                    let some = (1..6).filter(|_| random.random_bool(0.5));
                    let series: Vec<u32> = some.collect();
                    let value = random.random_range(0..1_000);
                    org_minute(org, minute, *n, series.into_iter().map(|w| handover(w, value)).collect())
                })
                .collect();
            let mut outcomes = (0..3).map(|_| {
                let mut batcher = Batcher::new(Limits { lines: 1_000, ..LIMITS });
                writes.shuffle(&mut random);
                for write in &writes {
                    assert_eq!(batcher.add(write, HERE, Duration::ZERO), Ok(Added::Taken));
                }
                let batches = batcher.take(LIMITS);
                let mut lines: Vec<Vec<u8>> =
                    batches.iter().flat_map(Batch::lines).map(|(line, _)| line.to_vec()).collect();
                lines.sort();
                lines
            });
            let first = outcomes.next();
            assert!(outcomes.all(|other| Some(other) == first), "case {case}");
        }
    }
}
