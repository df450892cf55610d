//! How fast the embedded log and the checkpoint are on this disk: `cargo run --release -p runtime --example embedded_speed`.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::path::Path;
use std::time::Duration;

use runtime::checkpoint::{Change, Checkpoint};
use runtime::clock::{Clock, SystemClock};
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{Log, NewRecord, TopicSetup};

const BATCH: usize = 10_000;
const BATCHES: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let clock = SystemClock::new();
    let log = EmbeddedLog::open(folder.path(), SystemClock::shared())?;
    log.set_up(&[TopicSetup { name: "t", partitions: 1, retention: None, append_time: true }], true)?;
    let record =
        NewRecord { key: b"RXF05".to_vec(), value: vec![b'x'; 295], protobuf: false, partition: None };
    let records = vec![record; BATCH];

    let took = time(&clock, || (0..BATCHES).try_for_each(|_| log.append("t", &records).map(drop)))?;
    say("append, 10,000 records of 300 B at a time", BATCH * BATCHES, took);
    let took = time(&clock, || (0..1_000).try_for_each(|_| log.append("t", &records[..1]).map(drop)))?;
    say("append, one record at a time, one thread", 1_000, took);
    let took = time(&clock, || {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| (0..500).try_for_each(|_| log.append("t", &records[..1]).map(drop))))
                .collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("appends do not panic"))
        })
    })?;
    say("append, one record at a time, 16 threads", 8_000, took);

    let mut reader = log.reader(&[("t", vec![0])])?;
    let mut bytes = 0;
    let took = time(&clock, || {
        while reader.poll(10_000, Duration::ZERO, &mut |record| bytes += record.value.len())? > 0 {}
        Ok(())
    })?;
    say("read", bytes / 295, took);
    checkpoint(&clock, &folder.path().join("checkpoint.db"))
}

fn checkpoint(clock: &SystemClock, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    const ENTRIES: u64 = 1_000_000;
    // Keys in no order, as pseudonyms are.
    let entry = |n: u64| Change {
        kind: 1,
        key: (u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 32).to_be_bytes().to_vec(),
        value: Some(vec![n as u8; 284]),
    };
    let mut checkpoint = Checkpoint::open(path)?;
    let start = clock.monotonic();
    checkpoint.save((0..ENTRIES).map(entry), &[("offsets", b"1")])?;
    say("checkpoint, first save of entries of 300 B", ENTRIES as usize, clock.monotonic() - start);
    let start = clock.monotonic();
    checkpoint.save((0..5_000).map(|n| entry(n * 199)), &[("offsets", b"2")])?;
    say("checkpoint, a save of touched entries", 5_000, clock.monotonic() - start);
    drop(checkpoint);
    let start = clock.monotonic();
    let checkpoint = Checkpoint::open(path)?;
    say("checkpoint, opened and checked", ENTRIES as usize, clock.monotonic() - start);
    let start = clock.monotonic();
    let mut bytes = 0;
    let count = checkpoint.load(&mut |_, key, value| bytes += key.len() + value.len())?;
    say("checkpoint, loaded", count as usize, clock.monotonic() - start);
    Ok(())
}

fn time(
    clock: &SystemClock,
    what: impl FnOnce() -> Result<(), runtime::log::LogError>,
) -> Result<Duration, runtime::log::LogError> {
    let start = clock.monotonic();
    what()?;
    Ok(clock.monotonic() - start)
}

fn say(what: &str, count: usize, took: Duration) {
    println!("{what}: {count} in {took:?}, {:.0} a second", count as f64 / took.as_secs_f64());
}
