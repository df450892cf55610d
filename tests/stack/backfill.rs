//! `sitrep aggregate --backfill`: history into a new store.

use std::collections::BTreeMap;

use acceptance::model::{Points, Series, put, without_expected_alone};
use acceptance::program::{measures, put_series, settings};
use domain::measures::Measure;
use domain::replay::Replay;
use domain::sweep::Scope;
use domain::time::Minute;
use recorder::influx;
use recorder::setup::{StoredField, read_back};

use crate::feed::{Content, HORIZON_HOURS, closed_minute};
use crate::patience::{SOON, eventually, now_ms};
use crate::say;
use crate::servers::INFLUX_TOKEN;
use crate::service::Service;
use crate::world::World;

/// The points of a day, published once, recorded into a bucket of their own, read back by the client library.
pub(crate) fn into_a_new_store(world: &mut World) {
    let until = closed_minute(now_ms());
    let from = until.minus(24 * 60);
    let mut arguments = world.arguments("aggregate", "backfill", &[]);
    for text in ["--backfill", "--from", &from.to_string(), "--until", &until.to_string(), "--step", "15m"] {
        arguments.push(text.to_owned());
    }
    let mut backfill = Service::start("backfill", &arguments);
    assert!(backfill.wait(SOON).success(), "the backfill ends by itself");
    let keys = ["influx.bucket=history", "influx.topic=sitrep.measures.backfill.v1"];
    let mut recorder = Service::start("record-backfill", &world.arguments("record", "history", &keys));
    let wanted = replayed(world, from, until);
    assert!(wanted.values().map(Points::len).sum::<usize>() > 1_000, "there is something to compare");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let url = format!("http://{}", world.influx.address());
    let settings = influx::Settings::new(&url, "sitrep", "history", INFLUX_TOKEN);
    eventually("the new store equals the replay", SOON, || {
        recorder.must_run();
        let mut held = BTreeMap::new();
        for measure in measures() {
            let read = runtime.block_on(read_back(&settings, measure.as_str(), from, until.plus(1)));
            for field in read.map_err(|error| error.to_string())? {
                put_field(measure, &field, &mut held);
            }
        }
        held.values_mut().for_each(without_expected_alone);
        world.same(&held, &wanted)
    });
    say("the backfilled bucket equals the replay");
    recorder.stop();
}

fn put_field(measure: Measure, field: &StoredField, held: &mut BTreeMap<Minute, Points>) {
    let tag = |name: &str| field.tags.get(name).map(String::as_str);
    let series = Series::told(measure.as_str(), tag).expect("a series of the measure");
    let code = tag("org").expect("every point has it");
    put(held.entry(field.minute).or_default(), code, &series, &field.field, field.value);
}

/// What a replay of the same events says. Live refusals do not count there.
fn replayed(world: &World, from: Minute, until: Minute) -> BTreeMap<Minute, Points> {
    let case = &world.feed.case;
    let mut settings = settings(&case.orgs, &case.settings);
    settings.horizon_minutes = HORIZON_HOURS as u32 * 60;
    let mut replay = Replay::new(settings);
    for content in world.feed.meaning.values() {
        if let Content::Event(event) = content {
            replay.take(event);
        }
    }
    let (orgs, measures) = (vec![true; world.orgs.len()], measures());
    let scope = Scope { orgs, measures, windows: case.settings.windows.clone() };
    let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
    let mut each = |org, minute, series: &domain::measures::Series| {
        put_series(points.entry(minute).or_default(), &world.orgs.get(org).code, series);
    };
    replay.points(scope, from.start(), until.start(), 15, &mut each, &mut |_| {});
    points
}
