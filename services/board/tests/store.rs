//! The laws of the store: any order of writings leaves the same rows, and reading agrees with a plain map.

#![expect(clippy::print_stdout, reason = "the seed of a run is printed, so that it can be run again")]

use std::collections::BTreeMap;

use board::read::{Range, Reader};
use board::store::{Options, Store, StoreError, Taken};
use domain::event::Category;
use domain::measures::{
    DEFAULT_WINDOWS, Freshness, Measure, OrgMinute, Revision, Series, SeriesKey, Tag, TagKind, TypeTag,
    Values,
};
use domain::organisations::Level;
use domain::time::Minute;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const START: Minute = Minute(29_900_000);

fn keys() -> Vec<SeriesKey> {
    let mut keys = Vec::new();
    for measure in Measure::ALL {
        let definition = measure.definition();
        let text = |text| Tag::text(text).expect("a text");
        let tags: Vec<Tag> = match definition.tag {
            TagKind::None => vec![Tag::None],
            TagKind::Type => vec![TypeTag::All.into(), TypeTag::One.into()],
            TagKind::Category => vec![Category::C1.into(), Category::C5.into()],
            TagKind::Parameter => vec![Tag::parameter("acute", "beds").expect("two texts")],
            TagKind::Area | TagKind::Standard | TagKind::Scale | TagKind::Framework | TagKind::Source => {
                vec![text("Resus 1"), text("é"), text(&"x".repeat(64))]
            }
        };
        for tag in tags {
            match definition.by_window {
                true => keys.extend(DEFAULT_WINDOWS.map(|window| SeriesKey::new(measure, tag, Some(window)))),
                false => keys.push(SeriesKey::new(measure, tag, None)),
            }
        }
    }
    keys
}

fn values(random: &mut ChaCha8Rng, key: &SeriesKey) -> Values {
    let fields = key.measure.definition().fields.len();
    std::array::from_fn(|at| match random.random_range(0..10) {
        _ if at >= fields => 0,
        0..3 => 0,
        9 => random.random_range(-5..5_000_000),
        _ => random.random_range(0..300),
    })
}

fn writing(
    random: &mut ChaCha8Rng,
    org: &str,
    minute: Minute,
    revision: Revision,
    keys: &[SeriesKey],
) -> OrgMinute {
    let age_seconds = random.random_bool(0.8).then(|| random.random_range(0..9_000));
    OrgMinute {
        level: Level::Site,
        org: org.to_owned(),
        minute,
        revision,
        freshness: Freshness { stale: random.random_bool(0.1), age_seconds },
        restated: revision.n > 1,
        series: keys.iter().map(|key| Series { key: *key, values: values(random, key) }).collect(),
    }
}

/// A first writing of each org-minute, then restatements of some series, of two publishers whose epochs overlap.
fn writings(random: &mut ChaCha8Rng, orgs: usize, minutes: u32) -> Vec<OrgMinute> {
    let all = keys();
    let mut writings = Vec::new();
    for org in 0..orgs {
        for at in 0..minutes {
            let (org, minute) = (format!("S{org}"), START.plus(at));
            writings.push(writing(random, &org, minute, Revision { epoch: 3, n: 1 }, &all));
            for n in 2..2 + random.random_range(0..4) {
                let epoch = if random.random_bool(0.3) { 9 } else { 3 };
                let some: Vec<SeriesKey> = all.iter().filter(|_| random.random_bool(0.2)).copied().collect();
                writings.push(writing(random, &org, minute, Revision { epoch, n }, &some));
            }
        }
    }
    writings
}

/// The law of spec 2.6 in its plainest form.
fn plain(writings: &[OrgMinute]) -> BTreeMap<(String, Minute, SeriesKey), (Revision, Values)> {
    let mut standing: BTreeMap<_, (Revision, Values)> = BTreeMap::new();
    for writing in writings {
        for series in &writing.series {
            let key = (writing.org.clone(), writing.minute, series.key);
            let held = standing.entry(key).or_insert((writing.revision, series.values));
            if writing.revision > held.0 {
                *held = (writing.revision, series.values);
            }
        }
    }
    standing
}

fn seed() -> u64 {
    let seed = std::env::var("SITREP_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_121);
    println!("SITREP_SEED={seed}");
    seed
}

#[test]
fn any_order_of_writings_any_cuts_into_batches_and_any_repeats_leave_the_same_rows() {
    let seed = seed();
    for case in 0..40 {
        let mut random = ChaCha8Rng::seed_from_u64(seed + case);
        let (orgs, minutes) = (random.random_range(1..4), random.random_range(1..12));
        let mut writings = writings(&mut random, orgs, minutes);
        let expected = plain(&writings);
        let doubles: Vec<OrgMinute> = writings.iter().filter(|_| random.random_bool(0.2)).cloned().collect();
        writings.extend(doubles);
        writings.shuffle(&mut random);
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), Options::live(100_000)).unwrap();
        let mut rest = writings.as_slice();
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(random.random_range(1..=rest.len()));
            store.apply(batch).unwrap();
            rest = others;
            if random.random_bool(0.3) {
                drop(store);
                store = Store::open(dir.path(), Options::live(100_000)).unwrap();
            }
        }
        let mut reader = store.reader().unwrap();
        let mut found = BTreeMap::new();
        for org in 0..orgs {
            for at in 0..minutes {
                let (org, minute) = (format!("S{org}"), START.plus(at));
                let row = reader.row(&org, minute).unwrap().unwrap();
                let highest =
                    writings.iter().filter(|w| w.org == org && w.minute == minute).max_by_key(|w| w.revision);
                let highest = highest.unwrap();
                assert_eq!(
                    (row.revision, row.freshness),
                    (highest.revision, highest.freshness),
                    "case {case}"
                );
                for held in row.series {
                    found.insert((org.clone(), minute, held.key), (held.revision, held.values));
                }
            }
        }
        assert_eq!(found, expected, "case {case}");
    }
}

#[test]
fn ranges_agree_with_a_plain_map() {
    let seed = seed();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let writings = writings(&mut random, 2, 130);
    let expected = plain(&writings);
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), Options::live(100_000)).unwrap();
    store.apply(&writings).unwrap();
    let mut reader = store.reader().unwrap();
    for _ in 0..400 {
        let key = keys()[random.random_range(0..keys().len())];
        let org = format!("S{}", random.random_range(0..3));
        let from = START.plus(random.random_range(0..150)).minus(10);
        let until = from.plus(random.random_range(0..80)).minus(5);
        let step_minutes = [1, 2, 5, 7, 15, 24, 60][random.random_range(0..7)];
        let range = Range { from, until, step_minutes };
        let naive: Vec<(Minute, Values)> = expected
            .iter()
            .filter(|((held, minute, series), _)| {
                *held == org
                    && *series == key
                    && minute.0 % step_minutes == 0
                    && (from..=until).contains(minute)
            })
            .map(|((_, minute, _), (_, values))| (*minute, *values))
            .collect();
        let read = reader.series(&org, &key, range).unwrap();
        assert_eq!(read, naive, "{org} {key:?} {range:?}");
        assert!(read.len() as u64 <= range.points());
    }
}

#[test]
fn a_store_is_the_same_after_it_was_closed_and_positions_come_with_the_data() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let dir = tempfile::tempdir().unwrap();
    let writings = writings(&mut random, 2, 5);
    let positions = [
        Taken { partition: 0, next_offset: 17, epoch: 3 },
        Taken { partition: 11, next_offset: u64::from(u32::MAX) * 8, epoch: 0 },
    ];
    let mut observed = 0;
    let mut store = Store::open(dir.path(), Options::live(100_000)).unwrap();
    store.apply_with_positions(&writings, &positions, &mut |_, _| observed += 1).unwrap();
    assert!(observed >= 10);
    let again =
        store.apply_with_positions(&writings[..3], &[], &mut |_, _| panic!("nothing changed")).unwrap();
    assert_eq!((again.written, again.unchanged), (0, 3));
    assert_eq!(store.newest_minute(), Some(START.plus(4)));
    let newest = store.reader().unwrap().newest("S1").unwrap();
    drop(store);
    let store = Store::open(dir.path(), Options::live(100_000)).unwrap();
    assert_eq!(store.positions().unwrap(), positions);
    assert_eq!(store.newest_minute(), Some(START.plus(4)));
    let mut reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.newest("S1").unwrap(), newest);
    assert_eq!(newest.unwrap().minute, START.plus(4));
    assert_eq!(reader.newest_until("S1", START.plus(2)).unwrap().unwrap().minute, START.plus(2));
    assert_eq!(reader.newest_until("S1", START.minus(1)).unwrap(), None);
    assert_eq!(reader.newest("nowhere").unwrap(), None);
    assert_eq!(reader.oldest_minute().unwrap(), Some(START));
    let organisations = [("S0".to_owned(), Level::Site), ("S1".to_owned(), Level::Site)];
    assert_eq!(reader.codes().unwrap(), organisations);
}

#[test]
fn what_is_older_than_the_retention_goes_and_stays_away() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let key = keys()[0];
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), Options::live(60)).unwrap();
    let minute = |random: &mut ChaCha8Rng, org: usize, at: u32| {
        writing(random, &format!("S{org}"), START.plus(at), Revision { epoch: 1, n: 1 }, &[key])
    };
    for at in 0..200 {
        let batch: Vec<OrgMinute> = (0..20).map(|org| minute(&mut random, org, at)).collect();
        assert_eq!(store.apply(&batch).unwrap().written, 20);
    }
    let late = minute(&mut random, 3, 100);
    assert_eq!(store.apply(&[late]).unwrap().too_old, 1);
    let mut reader = store.reader().unwrap();
    let range = Range { from: START, until: START.plus(500), step_minutes: 1 };
    for org in 0..20 {
        let points = reader.series(&format!("S{org}"), &key, range).unwrap();
        assert_eq!(points.last().unwrap().0, START.plus(199));
        assert!((61..=70).contains(&points.len()), "{} rows of S{org}", points.len());
    }
    drop(store);
    let mut store = Store::open(dir.path(), Options { retention_minutes: None, bulk: true }).unwrap();
    let early = minute(&mut random, 3, 0);
    assert_eq!(store.apply(&[early]).unwrap().written, 1);
    assert_eq!(reader.oldest_minute().unwrap(), Some(START));
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::Missing(_))));
    let store = Store::open(dir.path(), Options::live(60)).unwrap();
    assert!(matches!(Store::open(dir.path(), Options::live(60)), Err(StoreError::InUse(_))));
    assert_eq!(store.reader().unwrap().newest_minute().unwrap(), None);
}

#[test]
fn a_damaged_or_foreign_file_is_said_clearly() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let writings = writings(&mut random, 2, 200);
    let filled = |dir: &std::path::Path| {
        let mut store = Store::open(dir, Options::bulk()).unwrap();
        store.apply(&writings).unwrap();
        store.finish().unwrap();
        dir.join("board.sqlite")
    };
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage, &str); 4] = [
        ("cut to a third", |bytes| bytes.truncate(bytes.len() / 3), "is damaged"),
        ("zeros in the middle", |bytes| bytes[16_384..].fill(0), "is damaged"),
        ("another beginning", |bytes| bytes[..16].fill(b'x'), "is damaged"),
        ("another program's", |bytes| bytes[68..72].fill(7), "is not a store of the board"),
    ];
    for (what, damage, message) in damages {
        let dir = tempfile::tempdir().unwrap();
        let file = filled(dir.path());
        let mut bytes = std::fs::read(&file).unwrap();
        damage(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        let range = Range { from: START, until: START.plus(500), step_minutes: 1 };
        let outcome = Store::open(dir.path(), Options::live(100_000)).and_then(|store| {
            let mut reader = store.reader()?;
            for org in ["S0", "S1"] {
                reader.matching(org, range, &|_| true)?;
            }
            Ok(())
        });
        let error = outcome.expect_err(what).to_string();
        assert!(error.contains(message), "{what}: {error}");
    }
}

#[test]
fn a_batch_that_fails_leaves_nothing_behind() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), Options::live(100_000)).unwrap();
    let batch = writings(&mut random, 1, 2);
    // Another program took a table away.
    let other = rusqlite::Connection::open(dir.path().join("board.sqlite")).unwrap();
    other.execute_batch("ALTER TABLE positions RENAME TO gone").unwrap();
    let taken = [Taken { partition: 0, next_offset: 5, epoch: 1 }];
    assert!(store.apply_with_positions(&batch, &taken, &mut |_, _| panic!("nothing was written")).is_err());
    assert_eq!(store.newest_minute(), None);
    other.execute_batch("ALTER TABLE gone RENAME TO positions").unwrap();
    assert_eq!(store.reader().unwrap().newest_minute().unwrap(), None);
    store.apply_with_positions(&batch, &taken, &mut |_, _| {}).unwrap();
    assert_eq!(store.newest_minute(), Some(START.plus(1)));
    assert_eq!(store.positions().unwrap(), taken);
}

/// The local midnights and mornings of a range, slowly: by the calendar library's clock.
fn moments(from: Minute, until: Minute) -> Vec<Minute> {
    let zone = jiff::tz::TimeZone::get("Europe/London").expect("compiled in");
    let clock = |minute: u32| {
        let instant = jiff::Timestamp::from_second(i64::from(minute) * 60).expect("this century");
        let local = instant.to_zoned(zone.clone());
        (local.hour(), local.minute())
    };
    (from.0..=until.0).filter(|minute| matches!(clock(*minute), (0 | 8, 0))).map(Minute).collect()
}

#[test]
fn the_days_stay_when_the_minutes_go_and_are_restated_later_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let mut store = Store::open(dir.path(), Options::live(1_000)).unwrap();
    // Over the change to summer time of 2026, every minute of a week.
    let from = domain::time::rfc3339(b"2026-03-26T00:00:00Z").unwrap().second().minute();
    let until = from.plus(7 * 1_440);
    let all = keys();
    let mut writings = BTreeMap::new();
    for at in from.0..=until.0 {
        let writing = writing(&mut random, "S0", Minute(at), Revision { epoch: 3, n: 1 }, &all);
        store.apply(std::slice::from_ref(&writing)).unwrap();
        writings.insert(Minute(at), writing);
    }
    let mut reader = store.reader().unwrap();
    assert!(reader.row("S0", from.plus(1_440)).unwrap().is_none(), "the minute is gone");
    let held = reader.daily("S0", from, until).unwrap();
    let minutes: Vec<Minute> = held.iter().map(|(minute, _)| *minute).collect();
    assert_eq!(minutes, moments(from, until));
    let london = domain::time::LondonDays::new();
    let midnights: Vec<Minute> =
        minutes.into_iter().filter(|minute| london.midnight(*minute) == *minute).collect();
    assert_eq!((held.len(), midnights.len()), (15, 8));
    for (minute, row) in &held {
        let written = &writings[minute];
        for series in &written.series {
            let kept = match (series.key.measure, series.key.window) {
                (Measure::BedState, _) => !midnights.contains(minute),
                (Measure::AmbQueue | Measure::AeArea | Measure::OpelParameter, _) => false,
                (_, Some(window)) => midnights.contains(minute) && window == domain::measures::Window::Today,
                (_, None) => midnights.contains(minute),
            };
            assert_eq!(row.values(&series.key), kept.then_some(&series.values), "{:?}", series.key);
        }
    }
    // A day of long ago is corrected: the minute is too old, the day takes it.
    let again = writing(&mut random, "S0", midnights[1], Revision { epoch: 4, n: 1 }, &all);
    let applied = store.apply(std::slice::from_ref(&again)).unwrap();
    assert_eq!((applied.written, applied.too_old), (0, 1));
    let day = reader.daily("S0", midnights[1], midnights[1]).unwrap();
    let key = all.iter().find(|key| key.measure == Measure::AeDepartment).unwrap();
    let series = again.series.iter().find(|series| series.key == *key).unwrap();
    assert_eq!(day[0].1.values(key), Some(&series.values));
    assert_eq!(reader.daily("S1", from, until).unwrap(), [], "nobody knows S1");
}
