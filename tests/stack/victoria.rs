//! VictoriaMetrics as the store: it does not overwrite, and yet holds the newest value of each point.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use acceptance::model::{MEASURES, Points, Series, put, without_expected_alone};
use domain::time::Minute;
use recorder::influx::{Influx, Settings};
use recorder::sink::{Attempt, Sink};
use recorder::victoria::Victoria;
use runtime::checkpoint::Checkpoint;
use runtime::clock::SystemClock;
use serde_json::Value as Json;

use crate::http;
use crate::patience::{SOON, eventually, now_ms};
use crate::say;
use crate::servers::{Kind, Server};
use crate::service::Service;
use crate::world::World;

/// The whole measures topic into a new VictoriaMetrics, with a crash of the recorder; read back as a dashboard would.
pub(crate) fn holds_the_newest(world: &mut World) {
    let mut store = Server::new(Kind::Victoria, &world.path("victoria"));
    store.start();
    restated_downwards(store.address(), &world.path("drill"));
    let url = format!("influx.url=http://{}", store.address());
    let arguments = world.arguments("record", "record-victoria", &[&url, "influx.victoriametrics=true"]);
    let mut recorder = Service::start("record-victoria", &arguments);
    recorder.ready();
    recorder.kill();
    let mut recorder = Service::start("record-victoria", &arguments);
    let told = world.tell();
    eventually("VictoriaMetrics equals the model", SOON * 2, || {
        recorder.must_run();
        for (from, until) in world.pieces() {
            let held = points(store.address(), world, from, until)?;
            world.same(&held, &world.wanted(&told, from, until))?;
        }
        Ok(())
    });
    say("VictoriaMetrics equals the model");
    recorder.stop();
}

/// Values of one minute, the last of them smaller than one before: also after parts of the store were merged.
fn restated_downwards(store: SocketAddr, folder: &Path) {
    let settings = Settings::new(&format!("http://{store}"), "", "", "");
    let kept = Checkpoint::open(&folder.join("victoria.checkpoint")).expect("a folder of ours");
    let influx = Influx::new(&settings).expect("right settings");
    let sink = Victoria::new(influx, kept, SystemClock::shared()).expect("a folder of ours");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let now = Minute((now_ms() / 60_000) as u32);
    for (name, age, values) in [("a", 1, [30, 29, 0]), ("b", 1, [29, 35, 34]), ("c", 3_000, [7, 9, 8])] {
        let minute = now.minus(age);
        for value in values {
            let line = format!("drill,level=site,org={name} x={value}i {}000000000\n", minute.start().0);
            assert_eq!(runtime.block_on(sink.write(line.as_bytes())), Attempt::Written);
        }
        let query = format!("last_over_time(drill_x{{org=\"{name}\"}}[1m])");
        for merge in [false, true] {
            if merge {
                let answer = http::get(store, "/internal/force_merge", &[]).expect("it answers");
                assert_eq!(answer.status, 200);
            }
            eventually(&format!("{name} is what was written last"), SOON, || {
                let held = range(store, &query, minute, minute)?;
                let value = held.first().and_then(|series| series["values"][0][1].as_str());
                let wanted = values[2].to_string();
                if value == Some(&wanted) { Ok(()) } else { Err(format!("it is {value:?}, not {wanted}")) }
            });
        }
    }
}

/// The series of a query at every minute of [from, until].
fn range(store: SocketAddr, query: &str, from: Minute, until: Minute) -> Result<Vec<Json>, String> {
    let (query, from, until) = (http::encoded(query), from.start().0, until.start().0);
    let path = format!("/api/v1/query_range?query={query}&start={from}&end={until}&step=60&nocache=1");
    let answer = http::get(store, &path, &[])?;
    if answer.status != 200 {
        return Err(format!("the store answers {}: {}", answer.status, answer.text()));
    }
    let answer: Json = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
}

/// The points with a stamp in [from, until], by minute; those that are all zeros are left out.
fn points(
    store: SocketAddr,
    world: &World,
    from: Minute,
    until: Minute,
) -> Result<BTreeMap<Minute, Points>, String> {
    let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
    for row in &MEASURES {
        for field in row.fields {
            // A sample counts for the minute in which it is stamped, and for no later one.
            let query = format!("last_over_time({}_{field}[1m])", row.name);
            for series in range(store, &query, from, until)? {
                let tag = |name: &str| series["metric"][name].as_str();
                let key = Series::told(row.name, tag).unwrap_or_else(|| panic!("its tags: {series}"));
                let code = tag("org").expect("every point has it");
                assert!(world.orgs.find(code).is_some(), "one of ours: {series}");
                for pair in series["values"].as_array().into_iter().flatten() {
                    let second = pair[0].as_f64().expect("a time") as u32;
                    let value = pair[1].as_str().and_then(|text| text.parse().ok()).expect("a number");
                    put(points.entry(Minute(second / 60)).or_default(), code, &key, field, value);
                }
            }
        }
    }
    points.values_mut().for_each(without_expected_alone);
    Ok(points)
}
