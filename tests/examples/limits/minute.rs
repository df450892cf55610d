//! What a live minute of all England costs: everything that closes with a minute, from the tick to the log. The engine
//! is filled from standard input (`limits events everything DAYS`) and lives through the last hours of it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::configuration::{Places, read_framework, read_standards};
use contract::measure::encode_org_minute;
use contract::topics::MEASURES;
use contract::{Hashed, parse_json};
use domain::engine::{Engine, Settings};
use domain::measures::OrgMinute;
use domain::time::{DAY, Millis, Second};
use runtime::clock::{Clock, SystemClock};
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{Log, NewRecord, TopicSetup};

use crate::Outcome;
use crate::memory::{FROM, settings};
use crate::parse::each_line;
use crate::process::cpu_seconds;

/// How long it lives: so many minutes are timed.
const MINUTES: u32 = 180;
/// Records appended at once, as the aggregator does.
const APPEND: usize = 1_000;

/// What one minute took, and what it published.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    compute: Duration,
    publish: Duration,
    compute_cpu: f64,
    publish_cpu: f64,
    org_minutes: usize,
    series: usize,
    bytes: usize,
}

/// Fills an engine with whole days of events, times the minutes of the last hours, and prints them.
pub(crate) fn run(days: &str, dir: &str) -> Outcome {
    let days: u32 = days.parse()?;
    let clock = SystemClock::new();
    let log = EmbeddedLog::open(Path::new(dir), SystemClock::shared())?;
    log.set_up(&[TopicSetup { name: MEASURES, partitions: 1, retention: None, append_time: true }], true)?;
    let mut engine = Engine::new(as_shipped()?, 1);
    let begin = Millis::from(Second(FROM.0 + (days * DAY - MINUTES) * 60));
    let (mut now, mut live, mut minutes) = (Millis::from(FROM), false, Vec::new());
    each_line(&mut std::io::stdin().lock() as &mut dyn Read, &mut |line| {
        let event = parse_json(line, &Hashed).map_err(|refused| refused.detail)?;
        now = now.max(event.recorded_at);
        if !live && now >= begin {
            engine.begin(now);
            engine.publish_newest(&mut drop);
            live = true;
        } else if live && now.closed_minute() > begin.closed_minute().plus(minutes.len() as u32) {
            minutes.push(minute(&clock, &mut engine, &log, now)?);
        }
        engine.take(&event, now);
        Ok(())
    })?;
    println!("attendances={} journeys={}", engine.ledger().attendances(), engine.ledger().journeys());
    let is_whole =
        |one: &&Took| one.series > minutes.iter().map(|one| one.series).max().unwrap_or(0) * 9 / 10;
    tell("every 15th, with 7d", &minutes.iter().filter(is_whole).copied().collect::<Vec<_>>());
    tell("the others", &minutes.iter().filter(|one| !is_whole(one)).copied().collect::<Vec<_>>());
    Ok(())
}

/// England with the standards and the escalation framework of the configuration as shipped.
fn as_shipped() -> Result<Settings, Box<dyn std::error::Error>> {
    let plain = settings()?;
    let places = Places { organisations: &plain.orgs, windows: &plain.windows };
    let framework = read_framework(include_str!("../../../config/opel/acute-2023-24.toml"), places)?;
    let standards = read_standards(include_str!("../../../config/standards.toml"))?;
    Ok(Settings { standards, frameworks: Arc::new(vec![framework]), ..plain })
}

/// A minute is over: the windows move on, every figure is made, written as bytes, and appended.
fn minute(
    clock: &SystemClock,
    engine: &mut Engine,
    log: &EmbeddedLog,
    now: Millis,
) -> Result<Took, Box<dyn std::error::Error>> {
    let (start, start_cpu) = (clock.monotonic(), cpu_seconds());
    engine.tick(now);
    let mut org_minutes: Vec<OrgMinute> = Vec::new();
    engine.publish_newest(&mut |one| org_minutes.push(one));
    let (computed, computed_cpu) = (clock.monotonic(), cpu_seconds());
    let records: Vec<NewRecord> = org_minutes.iter().map(record).collect();
    for chunk in records.chunks(APPEND) {
        log.append(MEASURES, chunk)?;
    }
    Ok(Took {
        compute: computed - start,
        publish: clock.monotonic() - computed,
        compute_cpu: computed_cpu - start_cpu,
        publish_cpu: cpu_seconds() - computed_cpu,
        org_minutes: org_minutes.len(),
        series: org_minutes.iter().map(|one| one.series.len()).sum(),
        bytes: records.iter().map(|one| one.key.len() + one.value.len()).sum(),
    })
}

/// As the aggregator makes it.
fn record(one: &OrgMinute) -> NewRecord {
    let mut value = Vec::new();
    encode_org_minute(one, &mut value);
    let key = format!("{}/{}", one.level.as_str(), one.org).into_bytes();
    NewRecord { key, value, protobuf: true, partition: None }
}

/// Medians and the worst of the wall time, the mean of CPU time (the system counts it in hundredths of a second).
fn tell(what: &str, minutes: &[Took]) {
    let Some(last) = minutes.last() else { return };
    let ms = |of: &dyn Fn(&Took) -> Duration| {
        let mut all: Vec<f64> = minutes.iter().map(|one| of(one).as_secs_f64() * 1e3).collect();
        all.sort_by(f64::total_cmp);
        (all[all.len() / 2], all[all.len() - 1])
    };
    let cpu = |of: fn(&Took) -> f64| minutes.iter().map(of).sum::<f64>() * 1e3 / minutes.len() as f64;
    let (computed, published) = (ms(&|one| one.compute), ms(&|one| one.compute + one.publish));
    println!(
        "{what}: {} minutes, the last of {} org-minutes, {} series, {} bytes",
        minutes.len(),
        last.org_minutes,
        last.series,
        last.bytes
    );
    println!(
        "  computed: wall median {:.1} ms, most {:.1} ms; CPU mean {:.1} ms",
        computed.0,
        computed.1,
        cpu(|one| one.compute_cpu)
    );
    println!(
        "  computed, encoded, appended: wall median {:.1} ms, most {:.1} ms; CPU mean {:.1} ms",
        published.0,
        published.1,
        cpu(|one| one.compute_cpu + one.publish_cpu)
    );
}
