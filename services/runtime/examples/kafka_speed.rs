//! How fast a broker is written and read through the log, and what set-up says of it:
//! `cargo run --release -p runtime --example kafka_speed -- 127.0.0.1:9092 [records]`. It makes topics of its own.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::time::Duration;

use runtime::clock::{Clock, SystemClock};
use runtime::config;
use runtime::log::kafka::{KafkaConfig, KafkaLog};
use runtime::log::{Log, LogError, NewRecord, TopicSetup};

const BATCH: usize = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments.next().ok_or("the brokers are missing")?;
    let records: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let defaults = "client_id = \"speed\"\ncreate_topics = true\nreplication = -1\ndelivery_timeout = \"30s\"\n\
                    fetch_queue = \"64MiB\"\nsend_queue = \"64MiB\"\nstall_timeout = \"30s\"\nproperties = {}";
    let config: KafkaConfig = config::load(defaults, None, &[("brokers".into(), brokers)])?;
    let clock = SystemClock::new();
    let log = KafkaLog::connect(&config, SystemClock::shared())?;
    let topic = |name, retention| TopicSetup { name, partitions: 12, retention, append_time: true };
    let day = Duration::from_secs(86_400);
    say(
        "set-up",
        1,
        time(&clock, || log.set_up(&[topic("speed.v1", None), topic("day.v1", Some(day))], true))?,
    );
    if let Err(error) = log.set_up(&[topic("day.v1", Some(2 * day)), topic("speed.v1", Some(day))], true) {
        println!("a topic that keeps less than is asked for:\n{error}");
    }
    let before = log.ends("speed.v1")?;

    let batch: Vec<_> = (0..BATCH).map(record).collect();
    let took =
        time(&clock, || (0..records / BATCH).try_for_each(|_| log.append("speed.v1", &batch).map(drop)))?;
    say("append, 10,000 records of 300 B at a time", records, took);
    let took = time(&clock, || (0..100).try_for_each(|_| log.append("speed.v1", &batch[..1]).map(drop)))?;
    say("append, one record at a time, one thread", 100, took);

    let ends = log.ends("speed.v1")?;
    let wanted = (ends.iter().sum::<u64>() - before.iter().sum::<u64>()) as usize;
    println!("starts {:?}, ends {ends:?}", log.starts("speed.v1")?);
    println!("at the end of time {:?}", log.offsets_at("speed.v1", i64::MAX / 2)?);
    println!("at the beginning {:?}", log.offsets_at("speed.v1", 0)?);
    let mut reader = log.reader(&[("speed.v1", before)])?;
    let (mut count, mut bytes) = (0, 0);
    let took = time(&clock, || {
        while count < wanted {
            count +=
                reader.poll(10_000, Duration::from_secs(1), &mut |record| bytes += record.value.len())?;
        }
        Ok(())
    })?;
    say("read", count, took);
    println!("{bytes} bytes of values; away since {:?}", log.health().away_since_ms());
    Ok(())
}

fn record(n: usize) -> NewRecord {
    let key = format!("RXF{:02}", n % 100).into_bytes();
    NewRecord { key, value: vec![b'x'; 295], protobuf: n.is_multiple_of(2), partition: None }
}

fn time(clock: &SystemClock, what: impl FnOnce() -> Result<(), LogError>) -> Result<Duration, LogError> {
    let start = clock.monotonic();
    what()?;
    Ok(clock.monotonic() - start)
}

fn say(what: &str, count: usize, took: Duration) {
    println!("{what}: {count} in {took:?}, {:.0} a second", count as f64 / took.as_secs_f64());
}
