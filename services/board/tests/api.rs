//! What the board answers: the page and its protection, the figures, the stream.

#![expect(clippy::unwrap_used, reason = "what a test sets up may fail loudly")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{Request, StatusCode, header};
use board::api::{Board, Limits, Tables, router};
use board::live::{Live, Mode};
use board::metrics::Metrics;
use board::service::{ServiceError, still};
use board::store::{Options, Store};
use contract::alert::{AlertRecord, State, Transition};
use domain::alert::Severity;
use domain::alert::value::{Decimal, Value as Watched};
use domain::date::Date;
use domain::measures::{
    DEFAULT_WINDOWS, Freshness, Measure, OrgMinute, Revision, Series, SeriesKey, TypeTag, Window,
};
use domain::organisations::{Level, Organisations};
use domain::target::{Step, Target};
use domain::time::{Millis, Minute};
use futures_util::StreamExt;
use runtime::clock::{Clock, ManualClock};
use serde_json::{Value, json};
use tower::ServiceExt;

const ORGANISATIONS: &str = "code,name,level,parent,department_type\nENG,England,nation,,\nY1,North,region,ENG,\n\
    T,Trust,trust,Y1,\nS1,One,site,T,1\nS3,<b>Three</b>,site,T,3\nAMB,Ambulance,service,ENG,\n";

const LIMITS: Limits = Limits { streams: 256, answer_points: 200_000 };

/// 2026-11-21T14:00Z.
const START: Minute = Minute(29_921_160);

fn key(measure: Measure, tag: TypeTag, window: Window) -> SeriesKey {
    let definition = measure.definition();
    SeriesKey {
        measure,
        tag: definition.by_type().then_some(tag).into(),
        window: definition.by_window.then_some(window),
    }
}

fn writing(org: &str, level: Level, minute: Minute, n: u32, value: i64) -> OrgMinute {
    let mut series = Vec::new();
    for measure in Measure::ALL.into_iter().filter(|measure| measure.exists_at(level)) {
        for tag in [TypeTag::One, TypeTag::All] {
            for window in [Window::Rolling(60), Window::Rolling(240), Window::Today] {
                let key = key(measure, tag, window);
                if !series.iter().any(|held: &Series| held.key == key) {
                    let fields = measure.definition().fields.len();
                    let values =
                        std::array::from_fn(|at| if at < fields { (value - at as i64).max(0) } else { 0 });
                    series.push(Series { key, values });
                }
            }
        }
    }
    let freshness = Freshness { stale: value % 7 == 0, age_seconds: Some(30) };
    let revision = Revision { epoch: 1, n };
    OrgMinute { level, org: org.to_owned(), minute, revision, freshness, restated: n > 1, series }
}

/// 78 % from March 2026.
fn target() -> Target {
    let (from, value) = (Date::parse("2026-03-01").unwrap(), Decimal::parse("0.78").unwrap());
    let step = Step { from, to: None, value, source: "a plan".to_owned(), verified: true };
    let value = Watched::parse("ae_four_hour.within / ae_four_hour.departed").unwrap();
    Target { value, series: Vec::new(), level: None, steps: vec![step] }
}

struct Wall {
    _dir: tempfile::TempDir,
    store: Store,
    live: Arc<Live>,
    router: Router,
    clock: Arc<ManualClock>,
}

impl Wall {
    fn new() -> Wall {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), Options::live(100_000)).unwrap();
        let organisations = contract::organisations::read_csv(ORGANISATIONS.as_bytes()).unwrap();
        store.save_organisations(&organisations).unwrap();
        let live = Arc::new(Live::new(Arc::new(organisations), Mode::Live, Some(target())));
        let clock = Arc::new(ManualClock::new(Millis::from(START.start()).0));
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let tables = Tables { windows: DEFAULT_WINDOWS.to_vec(), ..Tables::default() };
        let router = router(Board::new(live.clone(), dir.path(), LIMITS, clock.clone(), metrics, tables));
        Wall { _dir: dir, store, live, router, clock }
    }

    /// Two hours of every organisation.
    fn filled() -> Wall {
        let mut wall = Wall::new();
        (0..=120).for_each(|at| wall.minute(START.plus(at), i64::from(at) + 100));
        wall
    }

    fn minute(&mut self, minute: Minute, value: i64) {
        let levels =
            [("ENG", Level::Nation), ("Y1", Level::Region), ("T", Level::Trust), ("S1", Level::Site)];
        let batch: Vec<OrgMinute> = levels
            .into_iter()
            .chain([("AMB", Level::Service)])
            .map(|(org, level)| writing(org, level, minute, 1, value))
            .collect();
        self.apply(&batch);
    }

    fn apply(&mut self, batch: &[OrgMinute]) {
        let live = self.live.clone();
        self.store.apply_with_positions(batch, &[], &mut |writing, row| live.observe(writing, row)).unwrap();
        self.live.flush(self.clock.now_ms());
    }

    fn block_on<T>(&self, what: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap().block_on(what)
    }

    fn get(&self, path: &str) -> (StatusCode, axum::http::HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.block_on(async {
            let answer = self.router.clone().oneshot(request).await.unwrap();
            let (head, body) = answer.into_parts();
            let body = to_bytes(body, 1 << 26).await.unwrap();
            (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
        })
    }

    fn json(&self, path: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.get(path);
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn open(&self) -> Stream {
        let request = Request::get("/v1/live").body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        Stream { body: answer.into_body().into_data_stream(), text: String::new() }
    }
}

struct Stream {
    body: BodyDataStream,
    text: String,
}

#[derive(Debug)]
struct Told {
    event: String,
    id: u64,
    data: Value,
}

impl Stream {
    /// The next block of the stream, comments included; `None` at its end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let bytes = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event.
    async fn event(&mut self) -> Told {
        loop {
            let block = self.block().await.expect("the stream goes on");
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let Some(event) = field("event:") {
                return Told {
                    event: event.to_owned(),
                    id: field("id:").unwrap().parse().unwrap(),
                    data: serde_json::from_str(field("data:").unwrap()).unwrap(),
                };
            }
        }
    }
}

#[test]
fn the_page_runs_only_our_own_files_and_names_no_others() {
    let wall = Wall::new();
    let (status, headers, page) = wall.get("/");
    assert_eq!(status, StatusCode::OK);
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(!policy.contains("unsafe"));
    for bad in ["style=\"", "onclick", "onload", "<style", "http://", "https://"] {
        assert!(!page.contains(bad), "{bad}");
    }
    let mut files: Vec<String> =
        page.split('"').filter(|text| text.starts_with("/static/")).map(str::to_owned).collect();
    assert_eq!(files.len(), 3);
    let mut at = 0;
    while at < files.len() {
        let (status, headers, text) = wall.get(&files[at]);
        assert_eq!(status, StatusCode::OK, "{}", files[at]);
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        for bad in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "setAttribute(\"style",
        ] {
            assert!(!text.contains(bad), "{bad} in {}", files[at]);
        }
        // A module names others by "./name.js".
        for module in text.split('"').filter_map(|part| part.strip_prefix("./")) {
            let path = format!("/static/{module}");
            if !files.contains(&path) {
                files.push(path);
            }
        }
        at += 1;
    }
    assert!(files.len() >= 7, "{files:?}");
}

#[test]
fn the_two_twelve_hour_measures_are_never_confused() {
    let wall = Wall::new();
    let texts = ["/", "/static/tiles.js", "/static/table.js", "/static/detail.js", "/static/board.js"]
        .map(|path| wall.get(path).2);
    for text in &texts {
        let lower = text.to_lowercase();
        for bad in ["12-hour wait", "12 hour wait", "12h wait"] {
            assert!(!lower.contains(bad), "{bad}");
        }
        for (at, _) in lower.match_indices("over 12 h") {
            let after = &lower[at..(at + 60).min(lower.len())];
            assert!(after.contains("since arrival") || after.contains("since decision to admit"), "{after}");
        }
    }
    assert!(texts[0].contains("not validated") && texts[4].contains("Live, unvalidated, as at"));
}

#[test]
fn every_column_that_the_page_uses_is_sent() {
    let wall = Wall::filled();
    let snapshot: Value = serde_json::from_str(&wall.live.watch(0).unwrap().json).unwrap();
    let columns: Vec<&str> =
        snapshot["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for file in ["table.js", "tiles.js", "board.js"] {
        let text = wall.get(&format!("/static/{file}")).2;
        let names = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
        for name in names.filter_map(|word| word.strip_prefix("f.")) {
            assert!(columns.contains(&name), "{name} in {file}");
        }
    }
    let tiles = wall.get("/static/tiles.js").2;
    for suffix in tiles.split("${prefix}").skip(1).filter_map(|rest| rest.split('`').next()) {
        for prefix in ["t1", "all"] {
            assert!(columns.contains(&format!("{prefix}{suffix}").as_str()), "{prefix}{suffix}");
        }
    }
}

#[test]
fn points_are_answered_with_their_fields() {
    let wall = Wall::filled();
    let (status, answer) = wall.json(
        "/v1/measures?measure=ae_four_hour&org=S1,ENG&org=S1&type=1&window=4h&from=2026-11-21T14:00:00Z&until=2026-11-21T16:00:00%2B01:00&step=30m",
    );
    assert_eq!(status, StatusCode::OK);
    let second = START.start().0;
    let series = |org: &str, name: &str, level: &str| {
        json!({"org": org, "name": name, "level": level, "type": "1", "window": "4h", "points": [
            [second, 100, 99, 98, 97], [second + 1800, 130, 129, 128, 127], [second + 3600, 160, 159, 158, 157]]})
    };
    let expected = json!({"measure": "ae_four_hour", "from": "2026-11-21T14:00:00Z", "until": "2026-11-21T15:00:00Z",
        "step_minutes": 30, "fields": ["departed", "within", "over_12h", "implausible"],
        "series": [series("S1", "One", "site"), series("ENG", "England", "nation")]});
    assert_eq!(answer, expected);

    let (_, newest) = wall.json("/v1/measures?measure=amb_queue&org=S1");
    assert_eq!(newest["until"], "2026-11-21T16:00:00Z");
    assert_eq!(newest["from"], "2026-11-21T12:00:00Z");
    assert_eq!(newest["series"][0]["points"].as_array().unwrap().len(), 121);
    assert_eq!(newest["series"][0].get("type"), None);
    let (_, every) = wall.json("/v1/measures?measure=ae_arrivals&org=S1&step=1h");
    assert_eq!(every["series"].as_array().unwrap().len(), 6, "two types by three windows");
    let (_, none) = wall.json("/v1/measures?measure=ae_arrivals&org=S3");
    assert_eq!(none["series"], json!([]));
}

#[test]
fn an_empty_store_answers_with_the_range_that_was_asked_or_with_none() {
    let wall = Wall::new();
    let (status, answer) = wall.json("/v1/measures?measure=amb_queue&org=S1");
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["series"], json!([]));
    assert_eq!((&answer["from"], &answer["until"]), (&Value::Null, &Value::Null));
    let (_, answer) = wall.json("/v1/measures?measure=amb_queue&org=S1&from=2026-11-21T14:00:00Z&step=15m");
    assert_eq!((&answer["from"], &answer["step_minutes"]), (&Value::Null, &json!(15)));
    let (_, answer) = wall
        .json("/v1/measures?measure=amb_queue&org=S1&from=2026-11-21T14:00:00Z&until=2026-11-21T15:00:00Z");
    assert_eq!(answer["series"], json!([]));
    assert_eq!(answer["from"], "2026-11-21T14:00:00Z");
    assert_eq!(answer["until"], "2026-11-21T15:00:00Z");
}

#[test]
fn a_wrong_question_is_told_which_parameter_and_what_would_be_right() {
    let wall = Wall::filled();
    for (query, parameter, message) in [
        (
            "",
            "measure",
            "is missing: one of ae_four_hour, ae_arrivals, ae_department, amb_handover, amb_queue, ae_area, ae_treatment, \
             ae_admission, amb_response, bed_state, standard, escalation, opel, opel_parameter, first_known",
        ),
        (
            "measure=ae&org=S1",
            "measure",
            "\"ae\" is none of ae_four_hour, ae_arrivals, ae_department, amb_handover, amb_queue, ae_area, \
             ae_treatment, ae_admission, amb_response, bed_state, standard, escalation, opel, opel_parameter, first_known",
        ),
        ("measure=ae_four_hour&measure=ae_four_hour&org=S1", "measure", "stands twice"),
        ("measure=ae_four_hour", "org", "is missing: one or more codes of /v1/organisations, with commas"),
        ("measure=ae_four_hour&org=", "org", "\"\" is not a code of /v1/organisations"),
        ("measure=ae_four_hour&org=S1,S9", "org", "\"S9\" is not a code of /v1/organisations"),
        (
            "measure=ae_four_hour&org=%3Cscript%3E%0a",
            "org",
            "\"<script>\\n\" is not a code of /v1/organisations",
        ),
        ("measure=ae_four_hour&org=AMB", "org", "AMB is a service, which has no ae_four_hour"),
        ("measure=ae_four_hour&org=S1&type=4", "type", "\"4\" must be all, 1, 2, 3 or 5"),
        ("measure=amb_queue&org=S1&type=1", "type", "is not a tag of amb_queue: leave it out"),
        ("measure=feed&org=ENG", "measure", "feed is not published yet"),
        ("measure=ae_four_hour&org=S1&window=4", "window", "\"4\" is none of 1h, 4h, 8h, 24h, today, 7d"),
        ("measure=amb_handover&org=S1&window=3h", "window", "\"3h\" is none of 1h, 4h, 8h, 24h, today, 7d"),
        ("measure=ae_department&org=S1&window=4h", "window", "is not a tag of ae_department: leave it out"),
        (
            "measure=amb_queue&org=S1&from=yesterday",
            "from",
            "must be an RFC 3339 instant of 2000 to 2099 such as 2026-11-21T14:00:00Z (a + is written %2B)",
        ),
        (
            "measure=amb_queue&org=S1&until=2026-11-21T14:00:00+01:00",
            "until",
            "must be an RFC 3339 instant of 2000 to 2099 such as 2026-11-21T14:00:00Z (a + is written %2B)",
        ),
        (
            "measure=amb_queue&org=S1&from=2026-11-22T00:00:00Z",
            "from",
            "2026-11-22T00:00:00Z is after until, 2026-11-21T16:00:00Z",
        ),
        (
            "measure=amb_queue&org=S1&step=0m",
            "step",
            "\"0m\" must be a number of m, h or d, such as 15m; at most 14d",
        ),
        (
            "measure=amb_queue&org=S1&step=today",
            "step",
            "\"today\" must be a number of m, h or d, such as 15m; at most 14d",
        ),
        (
            "measure=amb_queue&org=S1&stepp=1m",
            "stepp",
            "is not a parameter of this; it has measure, org, type, category, area, standard, scale, framework, parameter, source, window, from, until, step",
        ),
        (
            "measure=ae_four_hour&org=S1,ENG&from=2026-01-01T00:00:00Z",
            "step",
            "makes up to 28051260 points, more than the 200000 of one answer: take 141m or more, a shorter time, fewer organisations, or name a tag and a window",
        ),
    ] {
        let (status, answer) = wall.json(&format!("/v1/measures?{query}"));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer, json!({"error": {"parameter": parameter, "message": message}}), "{query}");
    }
    let (status, _) =
        wall.json("/v1/measures?measure=ae_four_hour&org=S1,ENG&from=2026-01-01T00:00:00Z&step=141m");
    assert_eq!(status, StatusCode::OK, "what was advised is accepted");
}

#[test]
fn organisations_and_alerts_are_listed() {
    let wall = Wall::filled();
    let (_, answer) = wall.json("/v1/organisations");
    assert_eq!(
        answer["organisations"][4],
        json!({"code": "S3", "name": "<b>Three</b>", "level": "site", "parent": "T", "department_type": 3})
    );
    assert_eq!(wall.json("/v1/organisations?level=site").0, StatusCode::BAD_REQUEST);

    wall.live.alert(&firing("S1", START));
    let (_, answer) = wall.json("/v1/alerts");
    assert_eq!(answer["alerts"][0]["episode"], "four-hour|site/S1");
    assert_eq!(answer["alerts"][0]["since_s"], START.start().0);
    assert_eq!(wall.json("/v1/alerts?org=ENG").1, json!({"alerts": []}));
    assert_eq!(
        wall.json("/v1/alerts?org=S1,NOPE").1["error"],
        json!({"parameter": "org", "message": "\"NOPE\" is not a code of /v1/organisations"})
    );
    assert_eq!(wall.json("/v1/overdue?x=1").1["error"]["parameter"], "x");
    assert_eq!(wall.json("/v1/alerts?from=now").1["error"]["parameter"], "from");
    assert_eq!(wall.json("/v1/alerts?since=now").1["error"]["parameter"], "since");
}

fn firing(org: &str, minute: Minute) -> AlertRecord {
    AlertRecord::Transition(Transition {
        episode: format!("four-hour|site/{org}"),
        rule: "four-hour".to_owned(),
        rule_version: "1".to_owned(),
        level: Level::Site,
        org: org.to_owned(),
        name: "One".to_owned(),
        series: vec![],
        from: State::Pending,
        to: State::Firing,
        minute,
        at: Millis(0),
        value: "0.700".to_owned(),
        numerator: None,
        denominator: None,
        threshold: "< 0.76".to_owned(),
        severity: Severity::Page,
        stale: false,
        by: String::new(),
        summary: "One: 70.0 % within four hours".to_owned(),
    })
}

#[test]
fn a_stream_begins_with_a_snapshot_and_goes_on_with_numbered_deltas() {
    let mut wall = Wall::filled();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut stream = wall.open().await;
        let snapshot = stream.event().await;
        assert_eq!(snapshot.event, "snapshot");
        assert_eq!(snapshot.data["seq"], snapshot.id);
        assert_eq!(snapshot.data["head"], START.0 + 120);
        assert_eq!(snapshot.data["today"], START.0 - 14 * 60);
        assert_eq!(snapshot.data["mode"], "live");
        assert_eq!(snapshot.data["target"]["permille"], 780);
        assert_eq!(snapshot.data["spark_from"], START.0 + 120 - 240);
        let spark = &snapshot.data["sparks"]["S1"];
        assert_eq!(spark[0].as_array().unwrap().len(), 49);
        assert_eq!((&spark[0][0], &spark[0][24], &spark[1][48]), (&json!(-1), &json!(990), &json!(220)));
        assert_eq!(snapshot.data["sparks"].get("T"), None, "a trust has no line");

        wall.apply(&[writing("S1", Level::Site, START.plus(120), 2, 50)]);
        let delta = stream.event().await;
        assert_eq!((delta.event.as_str(), delta.id), ("delta", snapshot.id + 1));
        let orgs = delta.data["orgs"].as_object().unwrap();
        assert_eq!(orgs.keys().collect::<Vec<_>>(), ["S1"]);
        assert_eq!(orgs["S1"][3], 50);
        assert_eq!(delta.data["sparks"], json!([["S1", START.0 + 120, 980, 50]]));
        assert_eq!(delta.data.get("alerts"), None);

        wall.apply(&[writing("S1", Level::Site, START.plus(60), 2, 40)]);
        let delta = stream.event().await;
        assert_eq!(delta.data["orgs"], json!({}), "an older minute is not the newest figure");
        assert_eq!(delta.data["sparks"], json!([["S1", START.0 + 60, 975, 40]]));

        wall.live.alert(&firing("S1", START));
        wall.live.flush(wall.clock.now_ms());
        assert_eq!(stream.event().await.data["alerts"][0]["org"], "S1");
        assert!(!wall.live.flush(wall.clock.now_ms()), "nothing changed, nothing is told");

        let before = tokio::time::Instant::now();
        assert_eq!(stream.block().await.as_deref(), Some(": still here"));
        assert_eq!(before.elapsed(), Duration::from_secs(15));

        wall.live.close();
        assert_eq!(stream.block().await, None, "the stream ends with the board");
    });
}

#[test]
fn who_was_too_slow_gets_a_snapshot() {
    let mut wall = Wall::filled();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut stream = wall.open().await;
        let first = stream.event().await;
        for at in 0..200 {
            wall.apply(&[writing("S1", Level::Site, START.plus(120), 2 + at, 300 + i64::from(at))]);
        }
        let second = stream.event().await;
        assert_eq!((second.event.as_str(), second.id), ("snapshot", first.id + 200));
        assert_eq!(second.data["orgs"]["S1"][3], 499);
        wall.apply(&[writing("S1", Level::Site, START.plus(120), 1000, 7)]);
        let third = stream.event().await;
        assert_eq!((third.event.as_str(), third.id), ("delta", first.id + 201));
    });
}

#[test]
fn a_stream_that_is_cut_a_hundred_times_loses_nothing() {
    let mut wall = Wall::filled();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        let mut n = 1;
        for cut in 0..100u32 {
            let mut stream = wall.open().await;
            let mut expected = None;
            for step in 0..cut % 5 {
                n += 1;
                let (org, level) = [("S1", Level::Site), ("ENG", Level::Nation)][(step % 2) as usize];
                wall.apply(&[writing(org, level, START.plus(120 + cut), n, i64::from(cut * 7 + step))]);
            }
            for _ in 0..1 + (cut % 5) {
                let told = stream.event().await;
                match told.event.as_str() {
                    "snapshot" => seen.clear(),
                    _ => assert_eq!(Some(told.id), expected),
                }
                expected = Some(told.id + 1);
                seen.extend(told.data["orgs"].as_object().unwrap().clone());
                if Some(told.id)
                    == serde_json::from_str::<Value>(&wall.live.watch(0).unwrap().json).unwrap()["seq"]
                        .as_u64()
                {
                    break;
                }
            }
            let now: Value = serde_json::from_str(&wall.live.watch(0).unwrap().json).unwrap();
            let held: BTreeMap<String, Value> =
                now["orgs"].as_object().unwrap().clone().into_iter().collect();
            assert_eq!(seen, held, "cut {cut}");
        }
    });
}

#[test]
fn a_filled_store_is_shown_as_at_a_minute() {
    let mut wall = Wall::filled();
    let dir = wall._dir.path().to_owned();
    wall.store.finish().unwrap();
    let live = still(&dir, Some(START.plus(61)), None, None).unwrap();
    assert_eq!(live.mode(), Mode::AsAt(START.plus(61)));
    let snapshot: Value = serde_json::from_str(&live.watch(0).unwrap().json).unwrap();
    assert_eq!((&snapshot["mode"], &snapshot["head"]), (&json!("as_at"), &json!(START.0 + 61)));
    assert_eq!(snapshot["orgs"]["S1"][3], 161);
    let points = snapshot["sparks"]["S1"][1].as_array().unwrap();
    assert_eq!((points.len(), points.last()), (48, Some(&json!(160))));

    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    wall.router = router(Board::new(live, &dir, LIMITS, wall.clock.clone(), metrics, Default::default()));
    assert_eq!(wall.json("/v1/measures?measure=amb_queue&org=S1").1["until"], "2026-11-21T15:01:00Z");

    assert_eq!(still(&dir, None, None, None).unwrap().mode(), Mode::AsAt(START.plus(120)));
    let outside = still(&dir, Some(START.minus(1)), None, None).unwrap_err().to_string();
    assert_eq!(
        outside,
        "the store holds figures from 2026-11-21T14:00:00Z to 2026-11-21T16:00:00Z, none at 2026-11-21T13:59:00Z"
    );
    let empty = tempfile::tempdir().unwrap();
    let store = Store::open(empty.path(), Options::bulk()).unwrap();
    assert!(matches!(still(empty.path(), None, None, None), Err(ServiceError::NoOrganisations)));
    assert!(matches!(
        still(empty.path(), None, Some(Organisations::default()), None),
        Err(ServiceError::Empty)
    ));
    drop(store);
}

#[test]
fn the_board_of_a_nation_is_one_message_of_less_than_400_kb() {
    let mut table = "code,name,level,parent,department_type\nENG,England,nation,,\n".to_owned();
    (0..580).for_each(|at| table.push_str(&format!("S{at},Site {at},site,ENG,1\n")));
    let organisations = contract::organisations::read_csv(table.as_bytes()).unwrap();
    let live = Live::new(Arc::new(organisations), Mode::Live, None);
    for at in 0..=48 {
        for org in 0..580 {
            let writing =
                writing(&format!("S{org}"), Level::Site, START.plus(at * 5), 1, 1_000 + i64::from(org));
            live.observe(&writing, &board::row::Row::new(&writing));
        }
    }
    let bytes = live.watch(0).unwrap().json.len();
    assert!((50_000..400_000).contains(&bytes), "{bytes}");
}
