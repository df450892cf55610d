//! `sitrep replay` is the model: over random cases, in any order, with duplicates, every outcome and every point.
//! `SITREP_CASES=5000` runs more cases, `SITREP_SEED=17` that one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use acceptance::cases::{self, Case};
use acceptance::model::{Model, Points};
use acceptance::program::{measures, organisations, put_series, settings};
use domain::event::Event;
use domain::ids::OrgId;
use domain::measures::Series;
use domain::replay::Replay;
use domain::sweep::Scope;
use domain::time::Minute;

/// A point as the program hands it out.
type Point<'a> = (OrgId, Minute, &'a Series);

/// Hands out every point that is not all zeros; the outcomes in order.
fn replay(case: &Case, events: &[Event<'static>], each: &mut dyn FnMut(Point<'_>)) -> Vec<&'static str> {
    let settings = settings(&case.orgs, &case.settings);
    let orgs = vec![true; settings.orgs.len()];
    let mut replay = Replay::new(settings);
    let outcomes = events.iter().map(|event| replay.take(event).0.as_str()).collect();
    let scope = Scope { orgs, measures: measures(), windows: case.settings.windows.clone() };
    let (from, until) = (case.from.start(), case.until.start());
    let mut not_zero = |org, minute, series: &Series| {
        if series.values.iter().any(|value| *value != 0) {
            each((org, minute, series));
        }
    };
    replay.points(scope, from, until, 1, &mut not_zero, &mut |_| {});
    outcomes
}

/// The points at these minutes, in the model's words.
fn points(case: &Case, minutes: &BTreeSet<Minute>) -> BTreeMap<Minute, Points> {
    let orgs = organisations(&case.orgs, &case.settings);
    let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
    let mut handed_out = BTreeSet::new();
    replay(case, &case.events, &mut |(org, minute, series)| {
        if minutes.contains(&minute) {
            assert!(handed_out.insert((org, minute, series.key)), "a point was handed out twice");
            put_series(points.entry(minute).or_default(), &orgs.get(org).code, series);
        }
    });
    points
}

/// The outcomes, and one number for all points.
fn digest(case: &Case, events: &[Event<'static>]) -> (Vec<&'static str>, u64) {
    let mut hasher = DefaultHasher::new();
    let outcomes = replay(case, events, &mut |(org, minute, series)| {
        (org, minute, series.key, series.values).hash(&mut hasher);
    });
    (outcomes, hasher.finish())
}

#[test]
fn replay_gives_what_the_model_gives() {
    cases::each(150, |case| {
        let minutes: BTreeSet<Minute> = case.edges().into_iter().collect();
        let model = case.model();
        let reading = model.read();
        let points = points(case, &minutes);
        let nothing = Points::new();
        for minute in minutes {
            assert_same(case, minute, points.get(&minute).unwrap_or(&nothing), &reading.points(minute));
        }
    });
}

#[test]
fn replay_gives_the_same_in_any_order_and_the_outcomes_of_the_model() {
    cases::each(150, |case| {
        let mut points = None;
        for order in 0..3 {
            let events = if order == 0 { case.events.clone() } else { case.shuffled(order) };
            let mut model = Model::new(&case.orgs, case.settings.clone());
            let expected: Vec<&str> =
                events.iter().map(|event| model.take(event.clone(), None).as_str()).collect();
            let (outcomes, digest) = digest(case, &events);
            assert_eq!(outcomes, expected, "outcomes of seed {} in order {order}", case.seed);
            assert_eq!(*points.get_or_insert(digest), digest, "seed {}, order {order}", case.seed);
        }
    });
}

fn assert_same(case: &Case, minute: Minute, got: &Points, wanted: &Points) {
    for key in got.keys().chain(wanted.keys()) {
        let (got, wanted) = (got.get(key), wanted.get(key));
        assert_eq!(got, wanted, "seed {}, at {minute}: {} {:?}", case.seed, key.0, key.1);
    }
}
