use std::time::Duration;

use super::*;
use crate::clock::ManualClock;

const T0: i64 = 1_790_000_000_000;

struct Bench {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::new(T0)) }
    }

    fn open(&self) -> EmbeddedLog {
        EmbeddedLog::open(self.folder.path(), self.clock.clone()).unwrap()
    }

    fn open_with(&self, topics: &[&'static str]) -> EmbeddedLog {
        let log = self.open();
        let setups: Vec<_> = topics.iter().map(|name| setup(name, None)).collect();
        log.set_up(&setups, true).unwrap();
        log
    }
}

fn setup(name: &'static str, retention: Option<Duration>) -> TopicSetup {
    TopicSetup { name, partitions: 12, retention, append_time: true }
}

fn record(value: &str) -> NewRecord {
    NewRecord { key: b"k".to_vec(), value: value.as_bytes().to_vec(), protobuf: false, partition: None }
}

fn records(values: std::ops::Range<u32>) -> Vec<NewRecord> {
    values.map(|value| record(&value.to_string())).collect()
}

/// What a poll gives: topic, offset, stamp, value.
fn poll(reader: &mut Box<dyn Reader>, max: usize) -> Result<Vec<(usize, u64, i64, String)>, LogError> {
    let mut got = Vec::new();
    let count = reader.poll(max, Duration::ZERO, &mut |record| {
        let value = String::from_utf8(record.value.to_vec()).unwrap();
        got.push((record.topic, record.offset, record.timestamp_ms, value));
    })?;
    assert_eq!(count, got.len());
    Ok(got)
}

fn offsets(got: &[(usize, u64, i64, String)]) -> Vec<u64> {
    got.iter().map(|record| record.1).collect()
}

#[test]
fn what_was_appended_is_read_also_after_opening_again() {
    let bench = Bench::new();
    let written = [
        NewRecord { key: Vec::new(), value: b"a".to_vec(), protobuf: false, partition: None },
        NewRecord { key: b"key".to_vec(), value: Vec::new(), protobuf: true, partition: Some(0) },
    ];
    let mut read = Vec::new();
    {
        let log = bench.open_with(&["t"]);
        let positions = log.append("t", &written).unwrap();
        assert_eq!(positions, [0, 1].map(|offset| Position { partition: 0, offset }));
        assert_eq!(log.append("t", &[]).unwrap(), []);
    }
    let log = bench.open();
    let mut reader = log.reader(&[("t", vec![0])]).unwrap();
    let count = reader.poll(10, Duration::ZERO, &mut |record| {
        assert_eq!((record.topic, record.partition, record.timestamp_ms), (0, 0, T0));
        let (key, value) = (record.key.to_vec(), record.value.to_vec());
        read.push(NewRecord {
            key,
            value,
            protobuf: record.protobuf,
            partition: written[read.len()].partition,
        });
    });
    assert_eq!(count.unwrap(), 2);
    assert_eq!(read, written);
    assert_eq!((log.starts("t").unwrap(), log.ends("t").unwrap()), (vec![0], vec![2]));
    assert_eq!(log.append("t", &[record("c")]).unwrap()[0].offset, 2);
    assert_eq!(poll(&mut reader, 10).unwrap(), [(0, 2, T0, "c".to_owned())]);
    assert_eq!(poll(&mut reader, 10).unwrap(), []);
}

#[test]
fn stamps_never_fall_within_a_topic_and_find_offsets() {
    let bench = Bench::new();
    let log = bench.open_with(&["t", "empty"]);
    for step_ms in [0, 10, -500, 30, 30] {
        bench.clock.set_ms(T0 + step_ms);
        log.append("t", &[record("x")]).unwrap();
    }
    let mut reader = log.reader(&[("t", vec![0])]).unwrap();
    let stamps: Vec<_> = poll(&mut reader, 10).unwrap().iter().map(|record| record.2 - T0).collect();
    assert_eq!(stamps, [0, 10, 10, 30, 30]);
    for (at, offset) in
        [(i64::MIN, 0), (T0, 0), (T0 + 1, 1), (T0 + 10, 1), (T0 + 11, 3), (T0 + 30, 3), (T0 + 31, 5)]
    {
        assert_eq!(log.offsets_at("t", at).unwrap(), [offset], "at {at}");
    }
    assert_eq!(log.offsets_at("empty", T0).unwrap(), [0]);
    drop(log);
    bench.clock.set_ms(T0 - 9_999);
    let log = bench.open();
    log.append("t", &[record("y")]).unwrap();
    assert_eq!(poll(&mut reader_from(&log, 5), 10).unwrap(), [(0, 5, T0 + 30, "y".to_owned())]);
}

fn reader_from(log: &EmbeddedLog, offset: u64) -> Box<dyn Reader> {
    log.reader(&[("t", vec![offset])]).unwrap()
}

#[test]
fn what_was_trimmed_is_out_of_range_and_offsets_go_on() {
    let bench = Bench::new();
    let log = bench.open_with(&["t"]);
    log.append("t", &records(0..50_000)).unwrap();
    bench.clock.advance(Duration::from_secs(1));
    log.append("t", &records(0..5)).unwrap();
    let mut behind = reader_from(&log, 7);
    assert_eq!(offsets(&poll(&mut behind, 2).unwrap()), [7, 8]);

    log.trim("t", T0 + 1).unwrap();
    assert_eq!((log.starts("t").unwrap(), log.ends("t").unwrap()), (vec![50_000], vec![50_005]));
    let error = poll(&mut behind, 2).unwrap_err();
    assert_eq!(error.to_string(), "topic t partition 0: offset 9 is out of range");
    let ahead = poll(&mut reader_from(&log, 50_006), 2).unwrap_err();
    assert!(matches!(ahead, LogError::OutOfRange { offset: 50_006, .. }), "{ahead}");
    assert_eq!(log.offsets_at("t", 0).unwrap(), [50_000]);
    assert_eq!(poll(&mut reader_from(&log, 50_000), 9).unwrap().len(), 5);

    log.trim("t", i64::MAX).unwrap();
    drop(log);
    let log = bench.open();
    assert_eq!((log.starts("t").unwrap(), log.ends("t").unwrap()), (vec![50_005], vec![50_005]));
    assert_eq!(log.append("t", &[record("z")]).unwrap()[0].offset, 50_005);
}

#[test]
fn a_topic_with_a_retention_forgets_and_one_without_does_not() {
    let bench = Bench::new();
    let log = bench.open();
    let day = Duration::from_secs(86_400);
    let setups = [setup("short", Some(day)), setup("ever", None)];
    log.set_up(&setups, true).unwrap();
    for topic in ["short", "ever"] {
        log.append(topic, &records(0..3)).unwrap();
    }
    bench.clock.advance(day + Duration::from_millis(1));
    log.append("short", &records(3..4)).unwrap();
    log.set_up(&setups, true).unwrap();
    // Trims are done in their order: once this one is done, so is the retention.
    log.trim("ever", i64::MIN).unwrap();
    assert_eq!((log.starts("short").unwrap(), log.starts("ever").unwrap()), (vec![3], vec![0]));
}

#[test]
fn a_second_process_is_held_off() {
    let bench = Bench::new();
    let log = bench.open_with(&["t"]);
    let error = EmbeddedLog::open(bench.folder.path(), bench.clock.clone()).err().unwrap().to_string();
    let expected =
        format!("is in use by process {}; stop it, or choose another directory", std::process::id());
    assert!(error.ends_with(&expected), "{error}");
    drop(log);
    drop(bench.open());
}

#[test]
fn what_cannot_be_done_is_said() {
    let bench = Bench::new();
    let log = bench.open_with(&["t"]);
    let missing = log.set_up(&[setup("t", None), setup("u", None)], false).unwrap_err();
    assert_eq!(missing.to_string(), "topic u does not exist");
    for outcome in [
        log.starts("u").map(drop),
        log.ends("u").map(drop),
        log.offsets_at("u", 0).map(drop),
        log.append("u", &[record("x")]).map(drop),
        log.append("u", &[]).map(drop),
        log.reader(&[("u", vec![0])]).map(drop),
    ] {
        assert!(matches!(outcome, Err(LogError::NoTopic(topic)) if topic == "u"));
    }
    let elsewhere = NewRecord { partition: Some(3), ..record("x") };
    let error = log.append("t", &[record("x"), elsewhere]).unwrap_err().to_string();
    assert_eq!(error, "topic t has no partition 3: the embedded log has 1 partition a topic");
    let large = NewRecord { value: vec![0; RECORD_BYTES_MAX], ..record("") };
    let error = log.append("t", &[large]).unwrap_err().to_string();
    assert_eq!(
        error,
        "the log's storage failed: a record of 8388609 bytes for topic t: at most 8388608 are taken"
    );
    let error = log.reader(&[("t", vec![0, 0])]).err().unwrap().to_string();
    assert_eq!(error, "topic t: the embedded log has 1 partition a topic, not 2");
    assert_eq!(log.ends("t").unwrap(), [0], "nothing of a refused append was written");
}

#[test]
fn appends_of_many_threads_keep_their_order_and_none_is_lost() {
    let bench = Bench::new();
    let log = bench.open_with(&["t"]);
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let log = &log;
            scope.spawn(move || {
                for round in 0..40 {
                    let first = thread * 1_000 + round * 2;
                    let positions = log.append("t", &records(first..first + 2)).unwrap();
                    assert_eq!(positions[0].offset + 1, positions[1].offset);
                }
            });
        }
    });
    let got = poll(&mut reader_from(&log, 0), 10_000).unwrap();
    assert_eq!(offsets(&got), (0..640).collect::<Vec<_>>());
    let values: Vec<u32> = got.iter().map(|record| record.3.parse().unwrap()).collect();
    for thread in 0..8 {
        let of_thread = values.iter().filter(|value| **value / 1_000 == thread).copied();
        assert_eq!(of_thread.collect::<Vec<_>>(), (thread * 1_000..thread * 1_000 + 80).collect::<Vec<_>>());
    }
}

#[test]
fn a_reader_that_waits_is_woken_by_an_append() {
    let bench = Bench::new();
    let log = bench.open_with(&["other", "t"]);
    let (waits, waited) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut reader = reader_from(&log, 0);
            let mut values = Vec::new();
            waits.send(()).unwrap();
            let count =
                reader.poll(1, Duration::from_secs(3_600), &mut |record| values = record.value.to_vec());
            (count.unwrap(), values)
        });
        waited.recv().unwrap();
        log.append("other", &[record("not this")]).unwrap();
        log.append("t", &[record("this")]).unwrap();
        assert_eq!(waiting.join().unwrap(), (1, b"this".to_vec()));
    });
}

#[test]
fn a_full_topic_does_not_keep_another_waiting() {
    let bench = Bench::new();
    let log = bench.open_with(&["full", "thin"]);
    log.append("full", &records(0..100)).unwrap();
    log.append("thin", &records(0..1)).unwrap();
    let mut reader = log.reader(&[("thin", vec![1]), ("full", vec![0])]).unwrap();
    poll(&mut reader, 3).unwrap();
    log.append("thin", &records(1..2)).unwrap();
    let got: Vec<_> = (0..2).flat_map(|_| poll(&mut reader, 3).unwrap()).collect();
    assert!(got.contains(&(0, 1, T0, "1".to_owned())), "{got:?}");
}

/// As after a kill or a power cut: the files as they are on the disk at some moment, the newest one torn.
#[test]
fn a_torn_tail_loses_whole_appends_at_the_end_and_nothing_else() {
    let bench = Bench::new();
    let log = bench.open_with(&["t"]);
    for round in 0..20 {
        log.append("t", &records(round * 3..round * 3 + 3)).unwrap();
    }
    let read = |name: &str| std::fs::read(bench.folder.path().join(name)).unwrap();
    let (database, wal) = (read("log.db"), read("log.db-wal"));
    for cut in [0, 1, 17, 64, 4_096, 60_000, wal.len()] {
        let torn = Bench::new();
        std::fs::write(torn.folder.path().join("log.db"), &database).unwrap();
        std::fs::write(torn.folder.path().join("log.db-wal"), &wal[..wal.len() - cut]).unwrap();
        let log = torn.open_with(&["t"]);
        let end = log.ends("t").unwrap()[0];
        let got = poll(&mut reader_from(&log, 0), 100).unwrap();
        assert_eq!(offsets(&got), (0..end).collect::<Vec<_>>());
        assert!(got.iter().all(|record| record.3 == record.1.to_string()), "{got:?}");
        assert_eq!(end % 3, 0, "half an append after a cut of {cut}");
        assert_eq!(end == 60, cut == 0, "{end} after a cut of {cut}");
        assert_eq!(log.append("t", &[record("next")]).unwrap()[0].offset, end);
    }
}
