//! What is simulated gives every measure of spec 2.4 something to count, in each of its fields.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::engine::{HORIZON_MINUTES, Settings};
use domain::freshness::Patience;
use domain::measures::{Measure, Window};
use domain::replay::Replay;
use domain::standard::Standards;
use domain::sweep::Scope;
use domain::time::{Second, rfc3339};
use simulator::{Simulation, SimulationSettings};

const ENGLAND: &[u8] = include_bytes!("../config/organisations.csv");

/// Nothing goes wrong in a simulation without faults, and areas without a capacity are in no table.
const ONLY_WITH_FAULTS: [&str; 4] =
    ["ae_four_hour.implausible", "ae_department.unclosed", "amb_queue.unclosed", "ae_area.capacity"];

#[test]
fn every_field_of_every_measure_is_something_at_some_minute() {
    const SEED: u64 = 21;
    println!("seed {SEED}");
    let orgs = Arc::new(contract::organisations::read_csv(ENGLAND).expect("the shipped organisations"));
    let from = rfc3339(b"2026-01-14T00:00:00Z").expect("an instant").second();
    let until = Second(from.0 + 36 * 3600);
    let settings = Settings {
        orgs: orgs.clone(),
        standards: Standards::default(),
        frameworks: Default::default(),
        windows: vec![Window::Rolling(240)],
        exclude_disposals: Vec::new(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
    };
    let mut replay = Replay::new(settings);
    let demo = SimulationSettings { until, largest: Some(40), ..SimulationSettings::demo(SEED, from) };
    let mut simulation = Simulation::new(demo, &orgs).expect("a simulation");
    while let Some(delivered) = simulation.next_event() {
        // A heartbeat that an event has overtaken is a duplicate.
        assert!(!replay.take(&delivered.event).0.is_refused(), "{:?}", delivered.event);
    }
    let measures: Vec<Measure> = Measure::swept().collect();
    let scope = Scope {
        orgs: vec![true; orgs.len()],
        measures: measures.clone(),
        windows: vec![Window::Rolling(240)],
    };
    let mut missing: BTreeSet<String> = measures
        .iter()
        .flat_map(|measure| {
            let fields = measure.definition().fields.iter();
            fields.map(|field| format!("{}.{}", measure.as_str(), field.name))
        })
        .collect();
    assert!(missing.len() > 40, "{missing:?}");
    let first = Second(from.0 + 24 * 3600);
    replay.points(
        scope,
        first,
        until,
        60,
        &mut |_, _, series| {
            for (field, value) in series.fields() {
                if value != 0 {
                    missing.remove(&format!("{}.{}", series.key.measure.as_str(), field.name));
                }
            }
        },
        &mut |_| {},
    );
    assert_eq!(missing, ONLY_WITH_FAULTS.map(str::to_owned).into());
}
