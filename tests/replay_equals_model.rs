//! `sitrep replay` is the model: over random cases, in any order, with duplicates, every outcome and every point.
//! `SITREP_CASES=5000` runs more cases, `SITREP_SEED=17` that one alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use acceptance::cases::{self, Case};
use acceptance::model::{Model, Points};
use domain::date::Period;
use domain::engine::{HORIZON_MINUTES, Settings};
use domain::event::Event;
use domain::freshness::Patience;
use domain::measures::Measure;
use domain::replay::Replay;
use domain::standard::{Kind, Standard, Standards};
use domain::sweep::Scope;
use domain::time::Minute;

fn settings(case: &Case) -> Settings {
    Settings {
        orgs: Arc::new(case.orgs.clone()),
        standards: Standards {
            standards: case
                .settings
                .standards
                .iter()
                .map(|id| Standard::new(id, Kind::Share, Period::Week))
                .collect(),
            scales: case.settings.scales.clone(),
        },
        frameworks: Default::default(),
        windows: case.settings.windows.clone(),
        exclude_disposals: case.settings.exclude_disposals.clone(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
    }
}

/// Every point of every minute that is not all zeros, and the outcomes in order.
fn replay(case: &Case, events: &[Event<'static>]) -> (BTreeMap<Minute, Points>, Vec<&'static str>) {
    let mut replay = Replay::new(settings(case));
    let outcomes = events.iter().map(|event| replay.take(event).0.as_str()).collect();
    let scope = Scope {
        orgs: vec![true; case.orgs.len()],
        measures: Measure::ALL.to_vec(),
        windows: case.settings.windows.clone(),
    };
    let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
    replay.points(
        scope,
        case.from.start(),
        case.until.start(),
        1,
        &mut |org, minute, series| {
            if series.values.iter().any(|value| *value != 0) {
                let twice = points.entry(minute).or_default().insert((org, series.key), series.values);
                assert!(twice.is_none(), "a point was handed out twice");
            }
        },
        &mut |_| {},
    );
    (points, outcomes)
}

#[test]
fn replay_gives_what_the_model_gives_in_any_order() {
    cases::each(300, |case| {
        for order in 0..3 {
            let events = if order == 0 { case.events.clone() } else { case.shuffled(order) };
            let mut model = Model::new(&case.orgs, case.settings.clone());
            let expected: Vec<&str> =
                events.iter().map(|event| model.take(event.clone(), None).as_str()).collect();
            let (points, outcomes) = replay(case, &events);
            assert_eq!(outcomes, expected, "outcomes of seed {} in order {order}", case.seed);
            let reading = model.read();
            for minute in case.edges() {
                let got = points.get(&minute).cloned().unwrap_or_default();
                let wanted = reading.points(minute);
                assert_same(case, order, minute, &got, &wanted);
            }
        }
    });
}

fn assert_same(case: &Case, order: u64, minute: Minute, got: &Points, wanted: &Points) {
    for key in got.keys().chain(wanted.keys()) {
        let (got, wanted) = (got.get(key), wanted.get(key));
        assert_eq!(
            got,
            wanted,
            "seed {}, order {order}, at {minute}: {} {:?}",
            case.seed,
            case.orgs.get(key.0).code,
            key.1
        );
    }
}
