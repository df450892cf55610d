//! What stands beside the figures: the targets in force, and the returns that are overdue.

#![expect(clippy::unwrap_used, reason = "what a test sets up may fail loudly")]

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use board::api::{Board, Limits, Tables, router};
use board::live::{Live, Message, Mode};
use board::metrics::Metrics;
use board::store::{Options, Store};
use domain::alert::value::{Decimal, Value as Watched};
use domain::date::{Date, Period};
use domain::measures::{Freshness, Measure, OrgMinute, Revision, Series, SeriesKey, Tag, TypeTag, Window};
use domain::organisations::Level;
use domain::standard::{Kind, Standard, Standards};
use domain::target::{Step, Target, Targets};
use domain::time::{Millis, Minute, rfc3339};
use runtime::clock::ManualClock;
use serde_json::{Value, json};
use tower::ServiceExt;

const ORGANISATIONS: &str = "code,name,level,parent,department_type\nENG,England,nation,,\nT1,One,trust,ENG,\n\
    T2,Two,trust,ENG,\nS1,Site,site,T1,1\n";

fn minute(text: &str) -> Minute {
    rfc3339(text.as_bytes()).unwrap().second().minute()
}

fn tables() -> Tables {
    let step = |from, value, verified| Step {
        from: Date::parse(from).unwrap(),
        to: None,
        value: Decimal::parse(value).unwrap(),
        source: "a plan".to_owned(),
        verified,
    };
    let value = Watched::parse("ae_four_hour.within / ae_four_hour.departed").unwrap();
    let steps = vec![step("2010-07-01", "0.95", true), step("2026-11-21", "0.78", false)];
    let target = Target { value, series: vec![("type".to_owned(), "all".to_owned())], level: None, steps };
    let standards = vec![Standard { due_days: 10, ..Standard::new("rtt", Kind::Share, Period::Month) }];
    Tables {
        targets: Targets { targets: vec![target] },
        standards: Standards { standards, scales: Vec::new() },
        windows: Vec::new(),
    }
}

fn writing(org: &str, level: Level, at: &str, key: SeriesKey, values: &[i64]) -> OrgMinute {
    let mut all = [0; domain::measures::MAX_FIELDS];
    all[..values.len()].copy_from_slice(values);
    OrgMinute {
        level,
        org: org.to_owned(),
        minute: minute(at),
        revision: Revision { epoch: 1, n: 1 },
        freshness: Freshness::default(),
        restated: true,
        series: vec![Series { key, values: all }],
    }
}

/// The answer of a board that holds these figures.
fn ask(figures: &[OrgMinute], path: &str) -> Value {
    let (status, answer) = answer(figures, path);
    assert_eq!(status, StatusCode::OK, "{path}");
    answer
}

fn answer(figures: &[OrgMinute], path: &str) -> (StatusCode, Value) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), Options::live(100_000)).unwrap();
    let organisations = contract::organisations::read_csv(ORGANISATIONS.as_bytes()).unwrap();
    store.save_organisations(&organisations).unwrap();
    store.apply_with_positions(figures, &[], &mut |_, _| {}).unwrap();
    let live = Arc::new(Live::new(Arc::new(organisations), Mode::Live, None));
    let clock = Arc::new(ManualClock::new(Millis::from(minute("2026-11-21T14:00:00Z").start()).0));
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    let router: Router = router(Board::new(
        live,
        dir.path(),
        Limits { streams: 4, answer_points: 10_000 },
        clock,
        metrics,
        tables(),
    ));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(async {
        let answer = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap())
    })
}

#[test]
fn a_figure_comes_with_the_targets_that_were_in_force() {
    let key = |tag: TypeTag| SeriesKey::new(Measure::AeFourHour, tag, Some(Window::Today));
    let of = |tag| writing("S1", Level::Site, "2026-11-21T00:00:00Z", key(tag), &[100, 90]);
    let seconds = |text: &str| minute(text).start().0;
    let path = |from: &str, until: &str| {
        format!(
            "/v1/measures?measure=ae_four_hour&org=S1&type=all&window=today&from={from}&until={until}&step=1h"
        )
    };
    let target = |from: &str, until: &str, target: f64, verified: bool| {
        json!({
            "value": "ae_four_hour.within / ae_four_hour.departed", "from": seconds(from), "until": seconds(until),
            "target": target, "source": "a plan", "verified": verified,
        })
    };
    let answer = ask(&[of(TypeTag::All)], &path("2026-11-20T23:00:00Z", "2026-11-21T12:00:00Z"));
    let both = [
        target("2026-11-20T23:00:00Z", "2026-11-21T00:00:00Z", 0.95, true),
        target("2026-11-21T00:01:00Z", "2026-11-21T12:00:00Z", 0.78, false),
    ];
    assert_eq!(
        answer["series"][0]["targets"],
        json!(both),
        "the point of midnight belongs to the day before"
    );
    let before = ask(&[of(TypeTag::All)], &path("2026-11-20T23:00:00Z", "2026-11-21T00:00:00Z"));
    assert_eq!(before["series"][0]["targets"], json!(both[..1]));
    let other = path("2026-11-20T23:00:00Z", "2026-11-21T00:00:00Z").replace("type=all", "type=1");
    assert_eq!(ask(&[of(TypeTag::One)], &other)["series"][0].get("targets"), None);
}

#[test]
fn returns_that_have_not_come_are_told_with_their_days() {
    let key = SeriesKey::new(Measure::Standard, Tag::text("rtt").unwrap(), None);
    let met = |org, stamp, reporting| writing(org, Level::Trust, stamp, key, &[9, 10, 0, 0, 0, reporting, 1]);
    let now = writing(
        "S1",
        Level::Site,
        "2026-11-21T14:00:00Z",
        SeriesKey::new(Measure::AmbQueue, Tag::None, None),
        &[1],
    );
    assert_eq!(ask(std::slice::from_ref(&now), "/v1/overdue")["overdue"], json!([]), "nobody ever sent one");
    let figures = [
        met("T1", "2026-10-31T00:00:00Z", 1), // not the end of a month
        met("T1", "2026-09-30T23:00:00Z", 1),
        met("T2", "2026-09-30T23:00:00Z", 1),
        met("T1", "2026-11-01T00:00:00Z", 1),
        met("T2", "2026-11-01T00:00:00Z", 0),
        now,
    ];
    let late = json!([{
        "standard": "rtt", "title": "rtt", "org": "T2", "name": "Two", "period_start": "2026-10-01",
        "overdue_from": "2026-11-11", "days": 11,
    }]);
    assert_eq!(ask(&figures, "/v1/overdue")["overdue"], late);
}

#[test]
fn the_step_that_a_refusal_names_is_accepted() {
    for (asked, has_step) in [
        ("org=S1&from=2026-11-20T00:00:00Z", true),
        ("org=S1&type=1&from=2024-01-01T00:00:00Z", true),
        ("org=S1&type=1&window=4h&from=2000-01-01T00:00:00Z", true),
        ("org=S1&from=2000-01-01T00:00:00Z", false),
    ] {
        let path = format!("/v1/measures?measure=ae_four_hour&{asked}&until=2026-11-21T12:00:00Z");
        let (status, refusal) = answer(&[], &path);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        let message = refusal["error"]["message"].as_str().unwrap();
        let step = message.split_once("take ").and_then(|(_, rest)| rest.split_once("m or more"));
        let without = "no step of at most 20160m is enough: take a shorter time";
        assert_eq!((step.is_some(), message.contains(without)), (has_step, !has_step), "{message}");
        if let Some((step, _)) = step {
            ask(&[], &format!("{path}&step={step}m"));
        }
    }
}

#[test]
fn the_target_on_the_page_is_that_of_the_day_of_the_figures() {
    let organisations = contract::organisations::read_csv(ORGANISATIONS.as_bytes()).unwrap();
    let target = tables().targets.targets.remove(0);
    let live = Live::new(Arc::new(organisations), Mode::Live, Some(target));
    let told = || -> Value {
        let snapshot: Value = serde_json::from_str(&live.watch(0).unwrap().json).unwrap();
        snapshot["target"].clone()
    };
    assert_eq!(told(), Value::Null);
    let old = json!({"permille": 950, "from": "2010-07-01", "verified": true});
    let new = json!({"permille": 780, "from": "2026-11-21", "verified": false});
    for (at, expected) in [
        ("2010-07-01T00:00:00+01:00", Value::Null),
        ("2010-07-01T00:01:00+01:00", old.clone()),
        // The point of midnight belongs to the day that ends with it.
        ("2026-11-21T00:00:00Z", old),
        ("2026-11-21T00:01:00Z", new),
    ] {
        let mut watch = live.watch(0).unwrap();
        let key = SeriesKey::new(Measure::AeFourHour, TypeTag::All, Some(Window::Today));
        let writing = writing("S1", Level::Site, at, key, &[100, 90]);
        live.observe(&writing, &board::row::Row::new(&writing));
        live.flush(0);
        assert_eq!(told(), expected, "{at}");
        let Message::Delta { json, .. } = watch.deltas.try_recv().unwrap() else { panic!("it ended") };
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["target"], expected, "{at}");
    }
}
