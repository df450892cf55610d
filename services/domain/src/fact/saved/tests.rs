use super::*;
use crate::fact::{Names, RecordNames, Said, Stamp};
use crate::time::Millis;

const SHAPE: Shape = Shape { smalls: [6, 2, 2, 6, 3, 6, 2], places: 9 };
const NOW_MS: i64 = 1_790_000_000_000;

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn names(prefix: &str) -> Names {
    let mut names = Names::default();
    for number in 0..5 {
        names.number(&format!("{prefix}{number}"));
    }
    names
}

fn said(random: &mut Random) -> Said {
    let mut said = Said::default();
    for slot in 0..SLOTS {
        if random.below(4) > 0 {
            continue;
        }
        let retracted = random.below(5) == 0;
        let value = match slot {
            _ if retracted => RETRACTED,
            0..INSTANTS => FIRST_SECOND + random.below(1_000_000) as u32,
            slot if slot < SLOTS - 1 => {
                SMALL_BASE + random.below(SHAPE.smalls[slot - INSTANTS].into()) as u32
            }
            _ => SMALL_BASE,
        };
        said.say(slot, value);
        if slot == SLOTS - 1 && !retracted {
            let reference = Ref([random.below(256) as u8; 16]);
            said.link = Link { place: random.below(SHAPE.places) as u16, reference };
        }
    }
    if random.below(3) == 0 || said.facts().is_empty() {
        let area = (random.below(4) > 0).then(|| random.below(5) as u16);
        said.moved = Some((FIRST_SECOND + random.below(150) as u32, area));
    }
    said
}

/// A record as up to 150 random statements make it, with ids of all lengths.
fn record(random: &mut Random, sources: &Names, areas: &Names) -> Record {
    let mut record = Record::new(random.below(SHAPE.places) as u16, Ref([7; 16]));
    let names = RecordNames { sources, areas, place: &|_| "" };
    let most = [1, 3, 12, 150][random.below(4)];
    for _ in 0..=random.below(most) {
        let said = said(random);
        let id = format!("{}{}", "x".repeat(random.below(120)), random.below(10_000));
        let stamp = Stamp {
            recorded_at: Millis(NOW_MS + random.below(10_000) as i64),
            id: id.as_bytes(),
            source: random.below(5) as u16,
        };
        let wins = record.standing(&said, &stamp, &names);
        if wins != 0 {
            record.take(&said, &stamp, wins);
        }
    }
    record
}

fn decode(bytes: &[u8]) -> Option<(Record, Numbers)> {
    Record::decode(3, Ref([7; 16]), bytes, &SHAPE)
}

/// Whatever is taken as a record can be read to its last byte, told more, and saved again as it was.
fn is_usable(record: &Record, numbers: Numbers, bytes: &[u8], random: &mut Random) {
    let mut again = Vec::new();
    record.encode(&mut again);
    assert_eq!(again, bytes);
    let (mut sources, mut areas) = (Names::default(), Names::default());
    for number in 0..numbers.sources.max(5) {
        sources.number(&format!("s{number}"));
    }
    for number in 0..numbers.areas.max(5) {
        areas.number(&format!("a{number}"));
    }
    let names = RecordNames { sources: &sources, areas: &areas, place: &|_| "" };
    let mut told = record.clone();
    for _ in 0..5 {
        let (said, recorded_at) = (said(random), Millis(NOW_MS + random.below(10_000) as i64));
        let stamp = Stamp { recorded_at, id: b"new", source: 4 };
        let wins = told.standing(&said, &stamp, &names);
        if wins != 0 {
            told.take(&said, &stamp, wins);
        }
    }
    assert!(told.judged(&SHAPE).is_some(), "what a sound record becomes is sound");
}

#[test]
fn every_record_comes_back_and_no_part_of_one_is_one() {
    let (sources, areas) = (names("s"), names("a"));
    for seed in 0..300 {
        let mut random = Random(seed);
        let record = record(&mut random, &sources, &areas);
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let (back, numbers) = decode(&bytes).unwrap_or_else(|| panic!("seed {seed}: not taken back"));
        assert!(numbers.sources <= 5 && numbers.areas <= 5, "seed {seed}: {numbers:?}");
        is_usable(&back, numbers, &bytes, &mut random);
        for length in 0..bytes.len() {
            // Cut between two statements it can only be a record if nothing needs those that are gone.
            if let Some((cut, numbers)) = decode(&bytes[..length]) {
                is_usable(&cut, numbers, &bytes[..length], &mut random);
            }
        }
        assert!(decode(&[&bytes[..], &[0]].concat()).is_none(), "seed {seed}: a byte too many");
    }
}

#[test]
fn damaged_bytes_are_refused_or_harmless() {
    let (sources, areas) = (names("s"), names("a"));
    let (mut refused, mut taken) = (0u32, 0u32);
    for seed in 1_000..1_300 {
        let mut random = Random(seed);
        let record = record(&mut random, &sources, &areas);
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        for _ in 0..60 {
            let mut damaged = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(damaged.len());
                damaged[at] ^= 1 << random.below(8);
            }
            match decode(&damaged) {
                None => refused += 1,
                Some((record, numbers)) => {
                    taken += 1;
                    is_usable(&record, numbers, &damaged, &mut random);
                }
            }
        }
        let noise: Vec<u8> = (0..random.below(400)).map(|_| random.next() as u8).collect();
        assert!(decode(&noise).is_none(), "seed {seed}: noise");
    }
    // Another digit in an id is another id: what only a checksum would find is not refused.
    assert!(refused > taken / 4 && taken > 0, "{refused} refused, {taken} taken");
}
