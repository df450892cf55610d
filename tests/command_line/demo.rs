//! `sitrep up --demo`: the simulated England is there, and still there after a restart. Its alert takes more than two
//! minutes to fire, which is not waited for here.

use contract::topics::EVENTS;
use serde_json::Value as Json;

use crate::door::records;
use crate::patience::{SOON, eventually};
use crate::running::{Running, text};
use crate::world::World;

/// Events that the demo may have said between two looks: some ten minutes of them.
const A_FEW: usize = 10_000;

fn start(world: &World) -> Running {
    let data = format!("data={}", world.path("data"));
    let demo = Running::start(&["up", "--demo", "--set", &data]);
    demo.ready();
    demo
}

/// England's departures of a day up to a minute, and the minute; the newest without one.
fn departed(demo: &Running, at: Option<&str>) -> (String, i64) {
    let at = at.map(|at| format!("&from={at}&until={at}")).unwrap_or_default();
    let path = format!("/v1/measures?measure=ae_four_hour&org=ENG&type=all&window=24h{at}");
    eventually("England is on the board", SOON, || {
        let answer = demo.json(&path);
        let points = answer["series"][0]["points"].as_array();
        let point: &Json = points.and_then(|points| points.last()).ok_or_else(|| answer.to_string())?;
        Ok((text(&answer["until"]).to_owned(), point[1].as_i64().expect("a number")))
    })
}

/// How many attendances the aggregator says that it holds.
fn held_by(demo: &Running) -> u64 {
    eventually("the aggregator says how many attendances it holds", SOON, || {
        let held = demo.metric("sitrep_aggregate_attendances");
        if held > 0 { Ok(held) } else { Err("none".to_owned()) }
    })
}

#[test]
fn england_is_there_and_stays_there() {
    let world = World::new();
    let demo = start(&world);
    assert!(demo.get("/").text().contains("<html"), "the page is there");
    let (minute, before) = departed(&demo, None);
    assert!(before > 10_000, "a day of departures: {before}");
    let held = held_by(&demo);
    demo.stop();
    let said = records(&world, EVENTS).len();

    let demo = start(&world);
    let (_, after) = departed(&demo, Some(&minute));
    assert!(
        before.abs_diff(after) < before.unsigned_abs() / 100,
        "{minute}: {before} departures, then {after}"
    );
    let (newest, after) = departed(&demo, None);
    assert!(
        before.abs_diff(after) < before.unsigned_abs() / 50,
        "{newest}: {before} departures, then {after}"
    );
    let held_after = held_by(&demo);
    assert!((held..held + A_FEW as u64).contains(&held_after), "{held} attendances, then {held_after}");
    demo.stop();
    let said_after = records(&world, EVENTS).len();
    assert!((said..said + A_FEW).contains(&said_after), "{said} events, then {said_after}");
}
