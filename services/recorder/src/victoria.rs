//! VictoriaMetrics as a sink: it speaks InfluxDB's write protocol but does not overwrite. Two values of one series with one
//! stamp both stay, and with deduplication the larger stands, so that a figure restated downwards never changes.
//!
//! Run with `-dedup.minScrapeInterval=60s` it keeps the **newest stamp** of each minute (m − 60 s, m]. So a value of minute m is
//! stamped within that minute, by how late it is written: m − 60 s + (1 + slot) ms, where the slot rises with the age of the
//! minute. Two writes of a point in one slot are put one slot apart, *ahead* of the clock. How far ahead they may be is kept
//! durably, before it is used: a process that starts begins behind all that the one before may have written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use runtime::checkpoint::{Checkpoint, CheckpointError};
use runtime::clock::Clock;
use xxhash_rust::xxh3::xxh3_64;

use crate::sink::{Attempt, Away, AwayReason, Sink};

/// The age of a minute is told apart so finely: up to this age in seconds, in slots of so many milliseconds.
const STEPS: [(i64, i64); 4] = [
    (20 * 60, 100),
    (12 * 3_600, 4_000),
    (16 * 86_400, 40_000),
    // Returns are restated for ever (spec 1.8): ten years back, a day apart.
    (3_650 * 86_400, 86_400_000),
];

/// The widest slot of what is not a return.
const WIDTH_MS: i64 = STEPS[2].1;

/// Stamps are within the minute: m − 60 s + 1 ms to m − 1 ms.
const SLOT_MAX: u32 = 59_998;

/// What the process before may have written ahead of the clock if nothing says so, in slots: of a store that is new,
/// or with the file lost.
const AHEAD_UNKNOWN: u32 = 1_024;

/// So much more than is needed is kept, so that it is seldom written.
const AHEAD_ROOM: u32 = 16;

/// The name under which it is kept.
const AHEAD: &str = "ahead";

/// What was put ahead long ago is behind the clock by now: so often it is looked at anew, in milliseconds.
const LOOKED_AT_MS: i64 = 3_600_000;

/// Beyond so many remembered points those are forgotten whose slot is over.
const REMEMBERED: usize = 200_000;

/// A sink that stamps lines for VictoriaMetrics and hands them to one that speaks its protocol.
pub struct Victoria<S> {
    inner: S,
    clock: Arc<dyn Clock>,
    slots: Mutex<Slots>,
}

/// Which slots were given.
struct Slots {
    kept: Checkpoint,
    started_ms: i64,
    /// So many slots ahead of the clock is everything that this process writes at first.
    begin_ahead: u32,
    /// No write is further ahead of the clock than this, in slots; kept durably.
    most_ahead: u32,
    looked_at_ms: i64,
    /// The newest slot of each organisation's measure at a minute, by hash; with its minute, in milliseconds.
    newest: HashMap<u64, (i64, u32)>,
}

impl<S: Sink> Victoria<S> {
    /// Stamps what goes to `inner`. `kept` is a checkpoint of its own, which must not be lost while the store lives.
    pub fn new(inner: S, kept: Checkpoint, clock: Arc<dyn Clock>) -> Result<Victoria<S>, CheckpointError> {
        let slots = Mutex::new(Slots::new(kept, clock.now_ms())?);
        Ok(Victoria { inner, clock, slots })
    }
}

impl Slots {
    fn new(kept: Checkpoint, now_ms: i64) -> Result<Slots, CheckpointError> {
        let number = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?));
        let before = kept.meta(AHEAD).and_then(number).unwrap_or(AHEAD_UNKNOWN);
        let (begin_ahead, newest) = (before.saturating_add(1).min(SLOT_MAX), HashMap::new());
        let mut slots =
            Slots { kept, started_ms: now_ms, begin_ahead, most_ahead: 0, looked_at_ms: now_ms, newest };
        slots.keep(begin_ahead)?;
        Ok(slots)
    }

    /// From now on a write may be so far ahead.
    fn keep(&mut self, most_ahead: u32) -> Result<(), CheckpointError> {
        self.kept.save(std::iter::empty(), &[(AHEAD, &most_ahead.to_le_bytes())])?;
        self.most_ahead = most_ahead;
        Ok(())
    }

    /// The lines with their new stamps. What they need ahead is kept before they are given.
    fn stamped(&mut self, lines: &[u8], now_ms: i64) -> Result<Vec<u8>, CheckpointError> {
        self.look(now_ms)?;
        let mut most_ahead = 0;
        // Lines of one point's organisation and measure that stand in one write get one slot: each point is in it once.
        let mut here: HashMap<u64, u32> = HashMap::new();
        let mut out = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let Some((text, stamp_ms)) = parted(line) else {
                out.extend_from_slice(line);
                continue;
            };
            let key = key(text, stamp_ms);
            let slot = *here.entry(key).or_insert_with(|| {
                let behind_itself = self.newest.get(&key).map_or(0, |known| known.1 + 1);
                let slot = self.slot(now_ms, stamp_ms).max(behind_itself).min(SLOT_MAX);
                most_ahead = most_ahead.max(slot.saturating_sub(slot_at(now_ms - stamp_ms).0));
                self.newest.insert(key, (stamp_ms, slot));
                slot
            });
            out.extend_from_slice(text);
            out.extend_from_slice(format!(" {}000000\n", stamp_ms - 60_000 + 1 + i64::from(slot)).as_bytes());
        }
        if most_ahead > self.most_ahead {
            self.keep(most_ahead + AHEAD_ROOM)?;
        }
        Ok(out)
    }

    /// The slot of a write by the clock, at first behind whatever a former process may have put ahead.
    fn slot(&self, now_ms: i64, minute_ms: i64) -> u32 {
        let (slot, width_ms) = slot_at(now_ms - minute_ms);
        let is_young = now_ms - self.started_ms < i64::from(self.begin_ahead) * width_ms;
        if is_young { slot + self.begin_ahead } else { slot }
    }

    /// Forgets points whose slot is over, and now and then takes back what is kept, to what still is ahead.
    fn look(&mut self, now_ms: i64) -> Result<(), CheckpointError> {
        let is_time = now_ms - self.looked_at_ms >= LOOKED_AT_MS;
        if is_time || self.newest.len() > REMEMBERED {
            self.newest.retain(|_, (minute_ms, slot)| slot_at(now_ms - *minute_ms).0 <= *slot);
        }
        if is_time {
            self.looked_at_ms = now_ms;
            // Of what processes before may have put ahead, the clock has not come by this yet.
            let of_others = i64::from(self.begin_ahead) - (now_ms - self.started_ms) / WIDTH_MS;
            let of_ours = self.newest.values().map(|(minute_ms, slot)| slot - slot_at(now_ms - minute_ms).0);
            let needed = of_ours.max().unwrap_or(0).max(of_others.max(0) as u32) + AHEAD_ROOM;
            if needed < self.most_ahead {
                self.keep(needed)?;
            }
        }
        Ok(())
    }
}

/// The slot of an age in milliseconds, and how wide it is.
fn slot_at(age_ms: i64) -> (u32, i64) {
    let (mut slots, mut from_ms) = (0, 0);
    for (until_s, width_ms) in STEPS {
        let until_ms = until_s * 1_000;
        if age_ms < until_ms {
            return ((slots + (age_ms - from_ms).max(0) / width_ms) as u32, width_ms);
        }
        slots += (until_ms - from_ms) / width_ms;
        from_ms = until_ms;
    }
    (slots as u32, STEPS[STEPS.len() - 1].1)
}

/// A line without its stamp, and the stamp in milliseconds.
fn parted(line: &[u8]) -> Option<(&[u8], i64)> {
    let at = line.iter().rposition(|byte| *byte == b' ')?;
    let stamp = std::str::from_utf8(line[at + 1..].trim_ascii_end()).ok()?;
    Some((&line[..at], stamp.parse::<i64>().ok()? / 1_000_000))
}

/// Measurement, organisation and minute. Tags are sorted: the organisation's level stands before its code.
fn key(text: &[u8], stamp_ms: i64) -> u64 {
    let name = text.iter().position(|byte| *byte == b',').unwrap_or(text.len());
    let org = text.windows(7).position(|bytes| bytes == b",level=").unwrap_or(name);
    // Past ",level=…" and ",org=…".
    let commas = text[org + 1..].iter().enumerate().filter(|(_, byte)| matches!(byte, b',' | b' '));
    let end = commas.map(|(index, _)| org + 1 + index).nth(1).unwrap_or(text.len());
    let mut bytes = text[..name].to_vec();
    bytes.extend_from_slice(&text[org..end]);
    bytes.extend_from_slice(&stamp_ms.to_le_bytes());
    xxh3_64(&bytes)
}

impl<S: Sink> Sink for Victoria<S> {
    async fn write(&self, lines: &[u8]) -> Attempt {
        let stamped =
            self.slots.lock().unwrap_or_else(PoisonError::into_inner).stamped(lines, self.clock.now_ms());
        match stamped {
            Ok(stamped) => self.inner.write(&stamped).await,
            // Nothing was sent; the slots that it got stay unused.
            Err(error) => Attempt::Away(Away {
                reason: AwayReason::Unavailable,
                retry_after: None,
                perhaps_written: false,
                detail: error.to_string(),
            }),
        }
    }

    async fn probe(&self) -> Attempt {
        self.inner.probe().await
    }
}

/// Either kind of store.
pub enum Store<S> {
    /// It overwrites: InfluxDB.
    Overwrites(S),
    /// VictoriaMetrics.
    Victoria(Box<Victoria<S>>),
}

impl<S: Sink> Sink for Store<S> {
    async fn write(&self, lines: &[u8]) -> Attempt {
        match self {
            Store::Overwrites(sink) => sink.write(lines).await,
            Store::Victoria(sink) => sink.write(lines).await,
        }
    }

    async fn probe(&self) -> Attempt {
        match self {
            Store::Overwrites(sink) => sink.probe().await,
            Store::Victoria(sink) => sink.probe().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use runtime::clock::ManualClock;
    use tempfile::TempDir;

    use super::*;

    /// Keeps what is written.
    #[derive(Default)]
    struct Paper(Mutex<String>);

    impl Sink for Paper {
        async fn write(&self, lines: &[u8]) -> Attempt {
            self.0.lock().unwrap().push_str(std::str::from_utf8(lines).unwrap());
            Attempt::Written
        }

        async fn probe(&self) -> Attempt {
            Attempt::Written
        }
    }

    const MINUTE_MS: i64 = 1_795_270_020_000;

    fn write(sink: &Victoria<Paper>, lines: &str) -> Vec<i64> {
        sink.inner.0.lock().unwrap().clear();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(sink.write(lines.as_bytes())), Attempt::Written);
        let text = sink.inner.0.lock().unwrap().clone();
        let stamp = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap();
        text.lines().map(|line| stamp(line) / 1_000_000 - (MINUTE_MS - 60_000)).collect()
    }

    fn kept(folder: &TempDir) -> Checkpoint {
        Checkpoint::open(&folder.path().join("kept")).unwrap()
    }

    /// A sink that has run for long.
    fn sink(clock: &Arc<ManualClock>) -> (TempDir, Victoria<Paper>) {
        let folder = tempfile::tempdir().unwrap();
        let mut slots = Slots::new(kept(&folder), clock.now_ms()).unwrap();
        (slots.started_ms, slots.begin_ahead) = (i64::MIN / 2, 0);
        (folder, Victoria { inner: Paper::default(), clock: clock.clone(), slots: Mutex::new(slots) })
    }

    fn line(org: &str, window: &str, value: u32) -> String {
        format!(
            "ae_four_hour,level=site,org={org},type=1,window={window} departed={value}i 1795270020000000000\n"
        )
    }

    #[test]
    fn slots_rise_with_the_age_and_fit_into_the_minute() {
        let mut before = None;
        for age_s in (0..40 * 60).chain((40 * 60..17 * 86_400).step_by(7)) {
            let slot = slot_at(age_s * 1_000 + 50).0;
            assert!(before <= Some(slot), "{age_s} s");
            before = Some(slot);
        }
        let most = slot_at(i64::MAX / 2).0;
        assert!(before < Some(most) && most <= SLOT_MAX, "{before:?} {most}");
        assert_eq!(slot_at(-5_000).0, 0, "a clock that is behind");
        for (age_ms, slot) in
            [(0, 0), (99, 0), (100, 1), (1_199_999, 11_999), (1_200_000, 12_000), (1_204_000, 12_001)]
        {
            assert_eq!(slot_at(age_ms).0, slot, "{age_ms} ms");
        }
    }

    #[test]
    fn a_later_write_of_a_point_has_a_later_stamp_within_its_minute() {
        let clock = Arc::new(ManualClock::new(MINUTE_MS + 250));
        let (_folder, sink) = sink(&clock);
        assert_eq!(write(&sink, &line("A", "4h", 30)), [3]);
        assert_eq!(write(&sink, &line("A", "4h", 29)), [4], "in the same slot: one apart");
        assert_eq!(write(&sink, &line("A", "4h", 0)), [5]);
        assert_eq!(write(&sink, &line("B", "4h", 9)), [3], "another point is not moved");
        clock.advance(Duration::from_secs(1));
        assert_eq!(write(&sink, &line("A", "4h", 35)), [13]);
        // Days later, many times over, it still is within the minute and later each time.
        let mut before = 13;
        for _ in 0..40 {
            clock.advance(Duration::from_secs(12 * 3_600 + 1));
            let stamp = write(&sink, &line("A", "4h", 34))[0];
            assert!(before < stamp && stamp < 60_000, "{before} {stamp}");
            before = stamp;
        }
    }

    #[test]
    fn lines_of_one_write_are_not_moved_apart() {
        let clock = Arc::new(ManualClock::new(MINUTE_MS));
        let (_folder, sink) = sink(&clock);
        let both = [line("A", "1h", 1), line("A", "4h", 2), line("B", "4h", 2)].concat();
        assert_eq!(write(&sink, &both), [1, 1, 1]);
        assert_eq!(write(&sink, &both), [2, 2, 2]);
        let areas = "ae_area,area=x,level=site,org=A present=1i 1795270020000000000\n\
                     ae_area,area=y,level=site,org=A present=1i 1795270020000000000\n";
        assert_eq!(write(&sink, areas), [1, 1]);
        assert_eq!(write(&sink, areas), [2, 2]);
    }

    #[test]
    fn after_a_crash_the_next_process_writes_behind_what_was_put_ahead() {
        let clock = Arc::new(ManualClock::new(MINUTE_MS + 2 * 86_400_000));
        let folder = tempfile::tempdir().unwrap();
        let start = || Victoria::new(Paper::default(), kept(&folder), clock.clone()).unwrap();
        let first = start();
        let before: Vec<i64> = (0..300).map(|value| write(&first, &line("A", "4h", value))[0]).collect();
        drop(first);
        // It has less to say of the point, having read more at once.
        assert!(write(&start(), &line("A", "4h", 99))[0] > before[299]);
    }

    /// However often it is killed, whatever the clock does in between.
    #[test]
    fn a_later_write_has_a_later_stamp_in_any_history() {
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let clock = Arc::new(ManualClock::new(MINUTE_MS + rng.random_range(0..13 * 86_400_000)));
            let folder = tempfile::tempdir().unwrap();
            let start = || Victoria::new(Paper::default(), kept(&folder), clock.clone()).unwrap();
            let (mut sink, mut before) = (start(), 0);
            for step in 0..40 {
                if rng.random_bool(0.2) {
                    drop(sink);
                    sink = start();
                }
                let most_ms = [0, 300, 10_000, 4_000_000].choose(&mut rng).copied().unwrap();
                clock.advance(Duration::from_millis(rng.random_range(0..=most_ms)));
                for _ in 0..rng.random_range(1..=30) {
                    let stamp = write(&sink, &line("A", "4h", 1))[0];
                    assert!(before < stamp && stamp < 60_000, "seed {seed}, step {step}: {before}, {stamp}");
                    before = stamp;
                }
            }
        }
    }

    #[test]
    fn what_was_ahead_is_taken_back_when_the_clock_has_come_by() {
        let clock = Arc::new(ManualClock::new(MINUTE_MS));
        let folder = tempfile::tempdir().unwrap();
        let sink = Victoria::new(Paper::default(), kept(&folder), clock.clone()).unwrap();
        let most_ahead = || sink.slots.lock().unwrap().most_ahead;
        write(&sink, &line("A", "4h", 1));
        assert_eq!(most_ahead(), AHEAD_UNKNOWN + 1);
        clock.advance(Duration::from_secs(3_600));
        write(&sink, &line("A", "4h", 1));
        assert!(most_ahead() >= AHEAD_UNKNOWN, "minutes of days ago may still be ahead");
        clock.advance(Duration::from_secs(12 * 3_600));
        write(&sink, &line("A", "4h", 1));
        assert_eq!(most_ahead(), AHEAD_ROOM);
    }
}
