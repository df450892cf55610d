//! sitrep against real servers: Apache Kafka, InfluxDB 2, VictoriaMetrics, Alertmanager (see `stack/README.md`), and the real binary.
//!
//! It needs what `tests/stack/setup` gets and the binary of `cargo build --release -p sitrep` (or `SITREP_BIN`).
//! `SITREP_SEED=17` replays the choices of a run, though not its timing. An argument runs only what has it in its name.

#[path = "stack/alerts.rs"]
mod alerts;
#[path = "stack/backfill.rs"]
mod backfill;
#[path = "stack/crashes.rs"]
mod crashes;
#[path = "stack/feed.rs"]
mod feed;
#[path = "stack/hospital.rs"]
mod hospital;
#[path = "stack/http.rs"]
mod http;
#[path = "stack/outages.rs"]
mod outages;
#[path = "stack/patience.rs"]
mod patience;
#[path = "stack/process.rs"]
mod process;
#[path = "stack/published.rs"]
mod published;
#[path = "stack/restarts.rs"]
mod restarts;
#[path = "stack/servers.rs"]
mod servers;
#[path = "stack/service.rs"]
mod service;
#[path = "stack/store.rs"]
mod store;
#[path = "stack/tables.rs"]
mod tables;
#[path = "stack/victoria.rs"]
mod victoria;
#[path = "stack/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::thread;

/// A test, and what it is called.
type Test = (&'static str, fn(u64));

/// Those of a lane run one after the other, the lanes side by side: alerts take minutes of waiting for minutes.
const LANES: [&[Test]; 2] = [
    &[
        ("killed_at_random_and_backfilled", |seed| {
            let mut world = crashes::killed_at_random(seed);
            backfill::into_a_new_store(&mut world);
            victoria::holds_the_newest(&mut world);
        }),
        ("between_checkpoint_and_publication", restarts::between_checkpoint_and_publication),
        ("checkpoints_lost", restarts::checkpoints_lost),
        ("a_zombie_changes_nothing", restarts::a_zombie_changes_nothing),
    ],
    &[("an_alert_once", alerts::once), ("outages_are_waited_for", outages::waited_for)],
];

/// Says something to whoever runs the test.
#[expect(clippy::print_stderr, reason = "a test of minutes shows how far it is")]
fn say(text: &str) {
    eprintln!("[{:6.1} s] {text}", patience::elapsed().as_secs_f64());
}

fn main() -> ExitCode {
    patience::elapsed();
    let seed = std::env::var("SITREP_SEED").ok().map(|seed| seed.parse().expect("a whole number"));
    let seed = seed.unwrap_or_else(|| patience::now_ms() as u64 / 1000);
    assert!(service::binary().is_file(), "there is no {}: build it first", service::binary().display());
    let filter: Vec<String> = std::env::args().skip(1).filter(|text| !text.starts_with('-')).collect();
    let chosen = &|name: &str| filter.is_empty() || filter.iter().any(|text| name.contains(text.as_str()));
    let mut known = LANES.iter().copied().flatten();
    assert!(known.any(|(name, _)| chosen(name)), "no test has {filter:?} in its name");
    say(&format!("SITREP_SEED={seed} makes the same choices"));
    let failed = thread::scope(|scope| {
        let lanes = LANES.map(|lane| scope.spawn(move || run(lane, seed, chosen)));
        lanes.into_iter().flat_map(|lane| lane.join().expect("a lane catches panics")).collect::<Vec<_>>()
    });
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    say(&format!("FAILED: {}", failed.join(", ")));
    ExitCode::FAILURE
}

/// Runs a lane; returns what failed.
fn run(lane: &[Test], seed: u64, chosen: &(dyn Fn(&str) -> bool + Sync)) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for (number, (name, test)) in (0..).zip(lane).filter(|(_, (name, _))| chosen(name)) {
        say(&format!("{name} begins"));
        // Each has a country of its own.
        let seed = seed.wrapping_add(1_000 * number);
        let started = patience::elapsed();
        let passed = catch_unwind(AssertUnwindSafe(|| test(seed))).is_ok();
        let seconds = (patience::elapsed() - started).as_secs_f64();
        say(&format!("{name}: {} in {seconds:.1} s", if passed { "ok" } else { "FAILED" }));
        if !passed {
            failed.push(*name);
        }
    }
    failed
}
