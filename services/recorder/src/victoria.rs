//! VictoriaMetrics as a sink: it speaks InfluxDB's write protocol but does not overwrite. Two values of one series with one
//! stamp both stay, and with deduplication the larger stands, so that a figure restated downwards never changes.
//!
//! Run with `-dedup.minScrapeInterval=60s` it keeps the **newest stamp** of each minute (m − 60 s, m]. So a value of minute m is
//! stamped within that minute, by how late it is written: m − 60 s + (1 + slot) ms, where the slot rises with the age of the
//! minute. No memory is needed for that but this: two writes of a point in one slot are put one slot apart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use runtime::clock::Clock;
use xxhash_rust::xxh3::xxh3_64;

use crate::sink::{Attempt, Sink};

/// The age of a minute is told apart so finely: up to this age in seconds, in slots of so many milliseconds.
const STEPS: [(i64, i64); 4] = [
    (20 * 60, 100),
    (12 * 3_600, 4_000),
    (16 * 86_400, 40_000),
    // Returns are restated for ever (spec 1.8): ten years back, a day apart.
    (3_650 * 86_400, 86_400_000),
];

/// Stamps are within the minute: m − 60 s + 1 ms to m − 1 ms.
const SLOT_MAX: u32 = 59_998;

/// A process that was killed may have put writes so many slots ahead: the next one begins behind them.
const AHEAD: u32 = 16;

/// Beyond so many remembered points those are forgotten whose slot is over.
const REMEMBERED: usize = 200_000;

/// A sink that stamps lines for VictoriaMetrics and hands them to one that speaks its protocol.
pub struct Victoria<S> {
    inner: S,
    clock: Arc<dyn Clock>,
    started_ms: i64,
    /// The newest slot of each organisation's measure at a minute, by hash; with its minute, in milliseconds.
    newest: Mutex<HashMap<u64, (i64, u32)>>,
}

impl<S: Sink> Victoria<S> {
    /// Stamps what goes to `inner`.
    pub fn new(inner: S, clock: Arc<dyn Clock>) -> Victoria<S> {
        let started_ms = clock.now_ms();
        Victoria { inner, clock, started_ms, newest: Mutex::default() }
    }

    /// The lines with their new stamps.
    fn stamped(&self, lines: &[u8]) -> Vec<u8> {
        let now_ms = self.clock.now_ms();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() > REMEMBERED {
            newest.retain(|_, (minute_ms, slot)| slot_at(now_ms - *minute_ms).0 <= *slot);
        }
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
                let slot = self.slot(now_ms, stamp_ms).max(newest.get(&key).map_or(0, |known| known.1 + 1));
                let slot = slot.min(SLOT_MAX);
                newest.insert(key, (stamp_ms, slot));
                slot
            });
            out.extend_from_slice(text);
            out.extend_from_slice(format!(" {}000000\n", stamp_ms - 60_000 + 1 + i64::from(slot)).as_bytes());
        }
        out
    }

    /// The slot of a write by the clock, at first with room for what a former process may have put ahead.
    fn slot(&self, now_ms: i64, minute_ms: i64) -> u32 {
        let (slot, width_ms) = slot_at(now_ms - minute_ms);
        let is_young = now_ms - self.started_ms < i64::from(AHEAD) * width_ms;
        if is_young { (slot + AHEAD).min(SLOT_MAX) } else { slot }
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
        self.inner.write(&self.stamped(lines)).await
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
    Victoria(Victoria<S>),
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

    use runtime::clock::ManualClock;

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

    /// A sink that has run for long.
    fn sink(clock: &Arc<ManualClock>) -> Victoria<Paper> {
        let sink = Victoria::new(Paper::default(), clock.clone());
        Victoria { started_ms: i64::MIN / 2, ..sink }
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
        let sink = sink(&clock);
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
        let sink = sink(&clock);
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
        let first = sink(&clock);
        let before: Vec<i64> = (0..10).map(|value| write(&first, &line("A", "4h", value))[0]).collect();
        let second = Victoria::new(Paper::default(), clock.clone());
        assert!(write(&second, &line("A", "4h", 99))[0] > before[9]);
    }
}
