//! `sitrep replay` is the model: over random cases, in any order, with duplicates, every outcome and every point.
//! `SITREP_CASES=5000` runs more cases, `SITREP_SEED=17` that one alone.

use std::collections::{BTreeMap, BTreeSet};

use acceptance::cases::{self, Case};
use acceptance::model::{Model, Points};
use acceptance::program::{measures, put_series, settings};
use domain::event::Event;
use domain::replay::Replay;
use domain::sweep::Scope;
use domain::time::Minute;

/// Every point of these minutes that is not all zeros, and the outcomes in order.
fn replay(
    case: &Case,
    events: &[Event<'static>],
    minutes: &BTreeSet<Minute>,
) -> (BTreeMap<Minute, Points>, Vec<&'static str>) {
    let mut replay = Replay::new(settings(&case.orgs, &case.settings));
    let outcomes = events.iter().map(|event| replay.take(event).0.as_str()).collect();
    let orgs = replay.ledger().organisations().clone();
    let scope =
        Scope { orgs: vec![true; orgs.len()], measures: measures(), windows: case.settings.windows.clone() };
    let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
    let mut handed_out = BTreeSet::new();
    replay.points(
        scope,
        case.from.start(),
        case.until.start(),
        1,
        &mut |org, minute, series| {
            if minutes.contains(&minute) {
                assert!(handed_out.insert((org, minute, series.key)), "a point was handed out twice");
                put_series(points.entry(minute).or_default(), &orgs.get(org).code, series);
            }
        },
        &mut |_| {},
    );
    (points, outcomes)
}

#[test]
fn replay_gives_what_the_model_gives_in_any_order() {
    cases::each(300, |case| {
        let minutes: BTreeSet<Minute> = case.edges().into_iter().collect();
        let model = case.model();
        let reading = model.read();
        // In another order the model says the same: that is tested where it is held against the merge law.
        let wanted: BTreeMap<Minute, Points> =
            minutes.iter().map(|minute| (*minute, reading.points(*minute))).collect();
        for order in 0..3 {
            let events = if order == 0 { case.events.clone() } else { case.shuffled(order) };
            let mut model = Model::new(&case.orgs, case.settings.clone());
            let expected: Vec<&str> =
                events.iter().map(|event| model.take(event.clone(), None).as_str()).collect();
            let (points, outcomes) = replay(case, &events, &minutes);
            assert_eq!(outcomes, expected, "outcomes of seed {} in order {order}", case.seed);
            let nothing = Points::new();
            for (minute, wanted) in &wanted {
                assert_same(case, order, *minute, points.get(minute).unwrap_or(&nothing), wanted);
            }
        }
    });
}

fn assert_same(case: &Case, order: u64, minute: Minute, got: &Points, wanted: &Points) {
    for key in got.keys().chain(wanted.keys()) {
        let (got, wanted) = (got.get(key), wanted.get(key));
        assert_eq!(got, wanted, "seed {}, order {order}, at {minute}: {} {:?}", case.seed, key.0, key.1);
    }
}
