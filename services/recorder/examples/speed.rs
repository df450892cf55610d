//! Prints how fast the recorder's parts are on this machine: the line writer, the batcher with its compression, and,
//! given an InfluxDB 2, writing to it. Not a timed test.
//!
//! ```text
//! cargo run --release -p recorder --example speed -- [URL ORG BUCKET TOKEN]
//! ```
#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use std::time::Duration;

use domain::measures::{
    DEFAULT_WINDOWS, Freshness, MAX_FIELDS, MEASURES, OrgMinute, Revision, Series, SeriesKey, TagKind,
    TypeTag,
};
use domain::organisations::Level;
use domain::time::Minute;
use recorder::backoff::Backoff;
use recorder::batch::{Added, Batch, Batcher, Limits, Origin};
use recorder::deliver::{Observer, deliver};
use recorder::influx::{Influx, Settings};
use recorder::line;
use recorder::setup::{ensure_bucket, read_back};
use recorder::sink::Attempt;
use runtime::clock::{Clock, SystemClock};

struct Nobody;

impl Observer for Nobody {
    fn attempted(&self, _lines: usize, attempt: &Attempt, _took: Duration) {
        assert_eq!(*attempt, Attempt::Written);
    }
}

/// Every series of an organisation with plausible figures.
fn org_minute(org: usize, minute: u32) -> OrgMinute {
    let mut series = Vec::new();
    for definition in MEASURES.iter().filter(|one| matches!(one.tag, TagKind::None | TagKind::Type)) {
        let types: &[Option<TypeTag>] = if definition.by_type() {
            &[Some(TypeTag::All), Some(TypeTag::One), Some(TypeTag::Two), Some(TypeTag::Three)]
        } else {
            &[None]
        };
        let windows = DEFAULT_WINDOWS.iter().copied().map(Some).chain([None]);
        for window in windows.filter(|window| window.is_some() == definition.by_window) {
            for &department_type in types {
                let mut values = [0; MAX_FIELDS];
                for (field, value) in values.iter_mut().take(definition.fields.len()).enumerate() {
                    *value = i64::from(minute % 97) * (field as i64 + 1) * (org as i64 % 5);
                }
                let key = SeriesKey::new(definition.measure, department_type, window);
                series.push(Series { key, values });
            }
        }
    }
    OrgMinute {
        level: Level::Site,
        org: format!("RX{org:03}"),
        minute: Minute(29_000_000 + minute),
        revision: Revision { epoch: 1, n: 1 },
        freshness: Freshness::default(),
        restated: false,
        series,
    }
}

fn rate(what: &str, lines: usize, took: Duration) {
    let per_second = lines as f64 / took.as_secs_f64();
    println!("{what}: {lines} lines in {:.2} s, {per_second:.0} a second", took.as_secs_f64());
}

fn main() {
    let clock = SystemClock::new();
    let minutes: Vec<OrgMinute> =
        (0..100).flat_map(|minute| (0..100).map(move |org| org_minute(org, minute))).collect();
    let lines: usize = minutes.iter().map(|minute| minute.series.len()).sum();

    let started = clock.monotonic();
    let (mut text, mut bytes) = (Vec::new(), 0);
    for minute in &minutes {
        for series in &minute.series {
            line::write_series(minute.level, &minute.org, minute.minute, series, &mut text);
        }
        bytes += text.len();
        text.clear();
    }
    rate("line writer", lines, clock.monotonic() - started);
    println!("  {} bytes a line", bytes / lines);

    let started = clock.monotonic();
    let batches = batches(&minutes);
    rate("batcher", lines, clock.monotonic() - started);

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [url, org, bucket, token] = arguments.as_slice() {
        write(&Settings::new(url, org, bucket, token), &batches, lines, &clock);
    }
}

fn batches(minutes: &[OrgMinute]) -> Vec<Batch> {
    let limits = Limits::default();
    let mut batcher = Batcher::new(limits);
    let mut batches = Vec::new();
    for minute in minutes {
        while batcher.add(minute, Origin::default(), Duration::ZERO) == Ok(Added::Full) {
            batches.extend(batcher.take(limits));
        }
    }
    batches.extend(batcher.take(limits));
    batches
}

fn write(settings: &Settings, batches: &[Batch], lines: usize, clock: &SystemClock) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        println!("bucket: {:?}", ensure_bucket(settings).await.expect("the bucket"));
        let sink = Influx::new(settings).expect("the settings");
        let started = clock.monotonic();
        for batch in batches {
            let delivery = deliver(&sink, batch, &mut Backoff::new(1), &Nobody).await;
            assert!(delivery.rejected.is_empty());
        }
        rate("InfluxDB", lines, clock.monotonic() - started);
        let first = Minute(29_000_000);
        let fields = read_back(settings, "amb_queue", first, first.plus(10)).await.expect("a read-back");
        println!("read back {} fields of amb_queue in 10 minutes", fields.len());
        assert_eq!(fields.len(), 10 * 100 * 7);
    });
}
