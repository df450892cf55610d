//! Posts against a log in memory.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use contract::refusal::{self, Origin, decode};
use contract::{Required, parse_protobuf};
use domain::date::Period;
use domain::event::{Outcome, Statement};
use domain::organisations::Row;
use domain::standard::{Kind, Standard};
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::Registry;
use runtime::access::{AccessMetrics, Grant, Sources, digest_hex};
use runtime::clock::ManualClock;
use runtime::health::Health;
use runtime::log::{LogError, NewRecord, Position, Reader, TopicSetup};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::*;
use crate::desk::Batch;
use crate::shares::Alarm;

mod fhir;
mod tokens;

/// How a topic fails, if it does.
type Failing = fn(&str) -> Option<LogError>;

/// Keeps what is appended, or fails as it is told to.
#[derive(Default)]
struct Memory {
    appended: Mutex<Vec<(String, NewRecord)>>,
    failing: Mutex<Option<Failing>>,
}

impl Log for Memory {
    fn set_up(&self, _topics: &[TopicSetup], _create: bool) -> Result<(), LogError> {
        unreachable!("the door sets nothing up")
    }
    fn starts(&self, _topic: &str) -> Result<Vec<u64>, LogError> {
        unreachable!("the door reads nothing")
    }
    fn ends(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        match self.failing.lock().unwrap().and_then(|failing| failing(topic)) {
            Some(error) => Err(error),
            None => Ok(vec![0]),
        }
    }
    fn offsets_at(&self, _topic: &str, _timestamp_ms: i64) -> Result<Vec<u64>, LogError> {
        unreachable!("the door reads nothing")
    }
    fn reader(&self, _topics: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError> {
        unreachable!("the door reads nothing")
    }
    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, LogError> {
        if let Some(error) = self.failing.lock().unwrap().and_then(|failing| failing(topic)) {
            return Err(error);
        }
        self.appended.lock().unwrap().extend(records.iter().map(|record| (topic.to_owned(), record.clone())));
        Ok(vec![Position { partition: 0, offset: 0 }; records.len()])
    }
}

struct Door {
    log: Arc<Memory>,
    registry: Registry,
    health: Health,
    router: Router,
    state: IntakeState,
}

const TOKEN: &str = "the token";
const NOW: i64 = 1_795_270_200_000;

fn organisations() -> Organisations {
    let rows = [
        ("RXF05", "site", "RXF", "1"),
        ("RXF", "trust", "ENG", ""),
        ("RX8", "service", "ENG", ""),
        ("ENG", "nation", "", ""),
    ];
    let row = |(code, level, parent, department_type): (&str, &str, &str, &str)| Row {
        code: code.into(),
        name: code.into(),
        level: level.into(),
        parent: parent.into(),
        department_type: department_type.into(),
    };
    Organisations::new(&rows.map(row)).unwrap()
}

fn door_with(limits: Limits, token: Option<&str>) -> Door {
    let (log, registry) = (Arc::new(Memory::default()), Registry::new());
    let clock = Arc::new(ManualClock::new(NOW));
    let health = Health::new(clock.clone());
    let metrics = Metrics::new(&registry).unwrap();
    let state = IntakeState::new(Intake {
        log: log.clone(),
        organisations: organisations(),
        standards: Standards {
            standards: vec![Standard::new("rtt", Kind::Share, Period::Month)],
            scales: vec!["opel".into()],
        },
        pseudonyms: Pseudonyms::new(Some(b"a key of a deployment"), true).unwrap(),
        access: access(token, Path::new(""), &registry),
        feeds: Vec::new(),
        listened: Vec::new(),
        limits,
        sealer: None,
        shares: Shares::new(Alarm::default(), &metrics),
        metrics,
        condition: health.condition("log"),
        clock,
    });
    Door { log, registry, health, router: router(state.clone()), state }
}

fn access(single: Option<&str>, file: &Path, registry: &Registry) -> Access {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (orgs, metrics) = (organisations(), AccessMetrics::new(registry).unwrap());
    Access::new(Sources { single, file, address }, move |code| orgs.find(code).is_some(), metrics).unwrap()
}

fn door() -> Door {
    door_with(Limits::default(), Some(TOKEN))
}

const JSON: (&str, &str) = ("content-type", "application/json");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

impl Door {
    async fn send(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::post("/v1/events");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
        (status, headers, serde_json::from_slice(&bytes).unwrap())
    }

    /// A post with the token.
    async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> (u16, Value) {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [headers, &[("authorization", bearer.as_str())]].concat();
        let (status, _, answer) = self.send(&headers, body).await;
        (status.as_u16(), answer)
    }

    fn appended(&self) -> Vec<(String, NewRecord)> {
        self.log.appended.lock().unwrap().clone()
    }

    fn refusals(&self) -> Vec<refusal::Refusal> {
        let appended = self.appended();
        let refused = appended.iter().filter(|(topic, _)| topic == topics::REFUSALS);
        refused.map(|(_, record)| decode(&record.value).unwrap()).collect()
    }

    /// The values of the counters of events: read, taken, refused.
    fn counted(&self) -> (u64, u64, u64) {
        let metrics = &self.state.0.desk.metrics;
        let of = |label| metrics.events.of(label).get();
        use crate::metrics::EventLabel;
        use runtime::metrics::Label;
        let refused = EventLabel::ALL.iter().filter(|label| **label != EventLabel::Taken);
        (metrics.read.get(), of(EventLabel::Taken), refused.map(|label| of(*label)).sum())
    }

    /// Gives the door other tokens.
    fn let_in(&mut self, access: Access) {
        let Inner { desk, limits, writes, feeds, listened, .. } = &*self.state.0;
        let (desk, feeds, writes) = (desk.clone(), feeds.clone(), writes.clone());
        let listened = listened.clone();
        let inner = Inner { desk, access, feeds, listened, limits: *limits, writes };
        self.state = IntakeState(Arc::new(inner));
        self.router = router(self.state.clone());
    }

    fn fail(&self, failing: Option<Failing>) {
        *self.log.failing.lock().unwrap() = failing;
    }
}

/// A good arrival; `n` tells events apart.
fn arrival(n: usize) -> String {
    let attendance = json!({"site": "RXF05", "ref": format!("A{n}"), "arrived_at": "2026-11-21T14:05:00Z"});
    event(n, json!({ "attendance": attendance }))
}

fn event(n: usize, statement: Value) -> String {
    let mut event =
        json!({"id": format!("e{n}"), "source": "rxf.epr", "recorded_at": "2026-11-21T14:07:09Z"});
    for (key, value) in statement.as_object().unwrap() {
        event[key] = value.clone();
    }
    event.to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The rows of bad input: what it is, its bytes, its outcome. None of them holds a line end.
fn bad_events() -> Vec<(&'static str, Vec<u8>, Outcome)> {
    use Outcome::{FutureDated, Malformed, TooLarge, UnknownPlace, UnknownStandard};
    let attendance = |attendance: Value| event(0, json!({ "attendance": attendance })).into_bytes();
    let arrived = "2026-11-21T14:05:00Z";
    let mut large = json!({"id": "x".repeat(65 * 1024), "source": "rxf.epr"}).to_string();
    large.push(' ');
    let nested = format!("{{\"id\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    let mut invalid = arrival(0).into_bytes();
    invalid[8] = 0xff;
    vec![
        ("not JSON", b"not json".to_vec(), Malformed),
        ("truncated", arrival(0).as_bytes()[..90].to_vec(), Malformed),
        ("65 KiB", large.into_bytes(), TooLarge),
        ("an unknown field", event(0, json!({"heartbeat": {}, "colour": 1})).into_bytes(), Malformed),
        (
            "an unknown fact",
            attendance(json!({"site": "RXF05", "ref": "A", "arived_at": arrived})),
            Malformed,
        ),
        (
            "an unknown site",
            attendance(json!({"site": "NOPE", "ref": "A", "arrived_at": arrived})),
            UnknownPlace,
        ),
        (
            "a trust's code as a site",
            attendance(json!({"site": "RXF", "ref": "A", "arrived_at": arrived})),
            UnknownPlace,
        ),
        (
            "a site as a service",
            event(0, json!({"ambulance": {"service": "RXF05", "ref": "J", "category": "C1"}})).into_bytes(),
            UnknownPlace,
        ),
        (
            "an unknown destination",
            event(0, json!({"ambulance": {"service": "RX8", "ref": "J", "destination": "RXF"}})).into_bytes(),
            UnknownPlace,
        ),
        (
            "an unknown service of a journey",
            attendance(json!({"site": "RXF05", "ref": "A", "ambulance": {"service": "RXF05", "ref": "J"}})),
            UnknownPlace,
        ),
        (
            "an unknown standard",
            event(
                0,
                json!({"standard": {"standard": "x", "org": "ENG", "period_start": "2026-11-01", "met": 1}}),
            )
            .into_bytes(),
            UnknownStandard,
        ),
        (
            "an unknown scale",
            event(0, json!({"escalation": {"org": "RXF", "scale": "x", "since": arrived, "level": 2}}))
                .into_bytes(),
            UnknownStandard,
        ),
        (
            "an instant tomorrow",
            attendance(json!({"site": "RXF05", "ref": "A", "arrived_at": "2026-11-22T14:05:00Z"})),
            FutureDated,
        ),
        (
            "null where a key belongs",
            attendance(json!({"site": null, "ref": "A", "arrived_at": arrived})),
            Malformed,
        ),
        (
            "a number where text belongs",
            attendance(json!({"site": "RXF05", "ref": 7, "arrived_at": arrived})),
            Malformed,
        ),
        ("100 levels of nesting", nested.into_bytes(), Malformed),
        ("invalid UTF-8", invalid, Malformed),
        ("an array", b"[]".to_vec(), Malformed),
        ("a key and no fact", attendance(json!({"site": "RXF05", "ref": "A"})), Malformed),
        ("two statements", event(0, json!({"heartbeat": {}, "beds": {}})).into_bytes(), Malformed),
        (
            "the year 1999",
            attendance(json!({"site": "RXF05", "ref": "A", "arrived_at": "1999-12-31T00:00:00Z"})),
            Malformed,
        ),
    ]
}

#[tokio::test]
async fn each_bad_event_gets_its_outcome_and_the_good_ones_beside_it_are_taken() {
    for (what, bytes, outcome) in bad_events() {
        let door = door();
        let body = [arrival(1).as_bytes(), b"\n", &bytes, b"\r\n\n", arrival(2).as_bytes()].concat();
        let (status, answer) = door.post(&[NDJSON], body).await;
        assert_eq!((status, &answer["taken"]), (200, &json!(2)), "{what}: {answer}");
        assert_eq!(answer["refused"].as_array().map(Vec::len), Some(1), "{what}: {answer}");
        let refused = &answer["refused"][0];
        assert_eq!((&refused["index"], &refused["reason"]), (&json!(1), &json!(outcome.as_str())), "{what}");
        assert!(refused["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}");
        let refusals = door.refusals();
        let [kept] = refusals.as_slice() else { panic!("{what}: {} kept", refusals.len()) };
        assert_eq!(kept.reason, outcome, "{what}");
        assert_eq!(kept.bytes, bytes[..bytes.len().min(65_536)], "{what}");
        let whole = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
        assert_eq!((kept.length, kept.sha256), (whole.len() as u64, Sha256::digest(whole).into()), "{what}");
        assert_eq!((kept.origin.clone(), kept.at), (Origin::Http, Millis(NOW)), "{what}");
        assert_eq!(door.counted(), (3, 2, 1), "{what}");
    }
}

#[tokio::test]
async fn in_an_array_it_is_the_same_but_for_what_is_no_json() {
    for (what, bytes, outcome) in bad_events() {
        let door = door();
        let body = [b"[", arrival(1).as_bytes(), b",", &bytes, b"]"].concat();
        let (status, answer) = door.post(&[JSON], body).await;
        if matches!(what, "not JSON" | "truncated" | "invalid UTF-8") {
            assert_eq!(status, 400, "{what}");
            assert_eq!(door.appended(), [], "{what}");
            continue;
        }
        assert_eq!((status, &answer["taken"]), (200, &json!(1)), "{what}: {answer}");
        assert_eq!(answer["refused"][0]["reason"], outcome.as_str(), "{what}: {answer}");
    }
}

#[tokio::test]
async fn what_is_refused_is_not_told_back() {
    let secret = "SECRET9434765919";
    for statement in [
        json!({"attendance": {"site": secret, "ref": secret, "arrived_at": "2026-11-21T14:05:00Z"}}),
        json!({"attendance": {"site": "RXF05", "ref": secret, "arrived_at": secret}}),
        json!({"attendance": {"site": "RXF05", "ref": secret, "disposal": secret}}),
        json!({"attendance": {"site": "RXF05", "ref": secret, secret: 1}}),
        json!({secret: {}}),
        json!({"standard": {"standard": secret, "org": "ENG", "period_start": "2026-11-01", "met": 1}}),
        json!({"escalation": {"org": secret, "scale": secret, "since": "2026-11-21T14:05:00Z", "level": 1}}),
    ] {
        let door = door();
        let (status, answer) = door.post(&[JSON], event(0, statement.clone())).await;
        assert_eq!((status, &answer["taken"]), (200, &json!(0)), "{statement}");
        assert!(!answer.to_string().contains(secret), "{answer}");
        assert!(!door.refusals()[0].detail.contains(secret), "{statement}");
    }
    let door = door();
    let (_, answer) = door.post(&[JSON], format!("[{secret}")).await;
    assert!(!answer.to_string().contains(secret), "{answer}");
}

#[tokio::test]
async fn an_event_goes_to_its_topic_under_its_key_as_protobuf_with_a_pseudonym() {
    let at = "2026-11-21T14:05:00Z";
    for (statement, topic, key) in [
        (
            json!({"attendance": {"site": "RXF05", "ref": "A000123", "arrived_at": at}}),
            topics::EVENTS,
            "RXF05",
        ),
        (
            json!({"ambulance": {"service": "RX8", "ref": "J1", "destination": "RXF05"}}),
            topics::EVENTS,
            "RX8",
        ),
        (json!({"beds": {"site": "RXF05", "as_of": at, "open": 400}}), topics::EVENTS, "RXF05"),
        (json!({"heartbeat": {}}), topics::EVENTS, "rxf.epr"),
        (
            json!({"standard": {"standard": "rtt", "org": "ENG", "period_start": "2026-11-01", "met": 1}}),
            topics::RETURNS,
            "ENG",
        ),
        (
            json!({"escalation": {"org": "RXF", "scale": "opel", "since": at, "level": 3}}),
            topics::RETURNS,
            "RXF",
        ),
    ] {
        let door = door();
        let text = event(7, statement);
        let (status, answer) = door.post(&[JSON], text.clone()).await;
        assert_eq!((status, answer), (200, json!({"taken": 1, "refused": []})), "{text}");
        let appended = door.appended();
        let [(to, record)] = appended.as_slice() else { panic!("{text}: {}", appended.len()) };
        assert_eq!(
            (to.as_str(), record.key.as_slice(), record.protobuf),
            (topic, key.as_bytes(), true),
            "{text}"
        );
        let mut unknown = 0;
        let read = parse_protobuf(&record.value, &Required, &mut unknown).unwrap();
        let direct = contract::parse_json(text.as_bytes(), &door.state.0.desk.rules.pseudonyms).unwrap();
        assert_eq!((read, unknown), (direct, 0), "{text}");
    }
    let door = door();
    door.post(
        &[JSON],
        event(7, json!({"attendance": {"site": "RXF05", "ref": "A000123", "arrived_at": at}})),
    )
    .await;
    let value = door.appended()[0].1.value.clone();
    assert!(!value.windows(7).any(|window| window == b"A000123"), "the reference went through the door");
    let read = parse_protobuf(&value, &Required, &mut 0).unwrap();
    let Statement::Attendance(attendance) = read.statement else { panic!("no attendance") };
    // The same value as in the test of pseudonyms, which comes from another program.
    assert_eq!(&attendance.reference.to_hex(), b"f80ab53819c34364ccc59be172f50a95");
}

#[tokio::test]
async fn bodies_of_every_form_are_taken() {
    let (one, two) = (arrival(1), arrival(2));
    let lines = format!("{one}\n\n{two}");
    let array = format!(" [{one},\n{two}] ");
    for (headers, body, taken) in [
        (&[JSON][..], one.clone().into_bytes(), 1),
        (&[], one.clone().into_bytes(), 1),
        (&[JSON], array.clone().into_bytes(), 2),
        (&[NDJSON], lines.clone().into_bytes(), 2),
        (&[NDJSON], format!("{lines}\n").into_bytes(), 2),
        (&[NDJSON], Vec::new(), 0),
        (&[JSON], b"[]".to_vec(), 0),
        (&[NDJSON, GZIP], gzip(lines.as_bytes()), 2),
        (&[JSON, GZIP], gzip(array.as_bytes()), 2),
        (&[JSON, ("content-encoding", "identity")], one.clone().into_bytes(), 1),
    ] {
        let door = door();
        let (status, answer) = door.post(headers, body).await;
        assert_eq!((status, answer), (200, json!({"taken": taken, "refused": []})), "{headers:?}");
        assert_eq!(door.counted(), (taken, taken, 0));
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_taken_apart_is_refused_as_a_whole() {
    let limits = Limits { body_bytes: 2_000, events: 10, ..Limits::default() };
    let many = "x\n".repeat(11);
    for (headers, body, status) in [
        (&[JSON][..], b"".to_vec(), 400),
        (&[JSON], b"nonsense".to_vec(), 400),
        (&[JSON], arrival(1).as_bytes()[..50].to_vec(), 400),
        (&[JSON, GZIP], b"not gzip".to_vec(), 400),
        (&[NDJSON, GZIP], gzip(arrival(1).as_bytes())[..40].to_vec(), 400),
        (&[JSON], vec![b' '; 2_001], 413),
        (&[JSON, GZIP], gzip(&vec![b' '; 2_001]), 413),
        (&[NDJSON], many.into_bytes(), 413),
        (&[JSON, ("content-encoding", "br")], b"{}".to_vec(), 415),
    ] {
        let door = door_with(limits, Some(TOKEN));
        let (answered, answer) = door.post(headers, body).await;
        assert_eq!(answered, status, "{headers:?}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| !error.is_empty()));
        assert_eq!(door.appended(), []);
        assert_eq!(door.counted(), (0, 0, 0));
    }
    let (_, answer) = door().post(&[JSON], b"{\n\"id\": }".to_vec()).await;
    assert_eq!(answer, json!({"error": "the body is not JSON at line 2 column 7"}));
}

#[tokio::test]
async fn a_body_refused_as_a_whole_is_one_refused_of_its_sender() {
    let limits = Limits { body_bytes: 2_000, ..Limits::default() };
    for (headers, body, status) in [
        (&[JSON][..], b"nonsense".to_vec(), 400),
        (&[JSON, GZIP], b"not gzip".to_vec(), 400),
        (&[JSON], vec![b' '; 2_001], 413),
        (&[("content-encoding", "br")], b"{}".to_vec(), 415),
    ] {
        let door = door_with(limits, Some(TOKEN));
        let in_trouble = || door.state.0.desk.metrics.senders_in_trouble.get();
        for count in 1..=Alarm::default().at_least {
            assert_eq!(in_trouble(), 0, "after {count} of {headers:?}");
            assert_eq!(door.post(headers, body.clone()).await.0, status);
        }
        assert_eq!(in_trouble(), 1, "{headers:?}");
    }
    // Nobody's posts are nobody's.
    let door = door();
    for _ in 0..100 {
        assert_eq!(door.send(&[JSON], "nonsense").await.0, 401);
    }
    assert_eq!(door.state.0.desk.metrics.senders_in_trouble.get(), 0);
}

#[tokio::test]
async fn nobody_posts_without_the_token() {
    let door = door();
    for headers in [&[][..], &[("authorization", "Bearer other")], &[("authorization", "Basic dGhlIHRva2Vu")]]
    {
        let (status, headers, answer) = door.send(headers, arrival(1)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(headers["www-authenticate"], "Bearer");
        assert!(answer["error"].is_string());
    }
    let open = door_with(Limits::default(), None);
    assert_eq!(open.send(&[], arrival(1)).await.0, StatusCode::OK);
    assert_eq!(open.send(&[("origin", "https://page.example")], arrival(1)).await.0, StatusCode::FORBIDDEN);
    assert_eq!((door.appended().len(), open.appended().len()), (0, 1));
}

#[tokio::test]
async fn a_log_that_is_full_or_away_is_told_and_nothing_is_counted() {
    let away: Failing = |_| Some(LogError::Unavailable("no broker".into()));
    let refusals_away: Failing = |topic| (topic == topics::REFUSALS).then(|| LogError::NoTopic(topic.into()));
    let full: Failing = |_| Some(LogError::Full);
    for (failing, status, retry_after) in
        [(full, 429, Some("1")), (away, 503, None), (refusals_away, 503, None)]
    {
        let door = door();
        door.fail(Some(failing));
        let bearer = format!("Bearer {TOKEN}");
        let body = format!("{}\nbad", arrival(1));
        let (answered, headers, _) = door.send(&[NDJSON, ("authorization", &bearer)], body).await;
        assert_eq!(answered.as_u16(), status);
        assert_eq!(headers.get("retry-after").map(|value| value.to_str().unwrap()), retry_after);
        assert_eq!(door.counted(), (0, 0, 0));
        assert!(!door.health.is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn the_door_is_ready_again_by_itself_when_the_log_is_back() {
    let door = door();
    let shutdown = Shutdown::new();
    door.fail(Some(|_| Some(LogError::Unavailable("no broker".into()))));
    let watching = tokio::spawn(watch_log(door.state.clone(), shutdown.clone()));
    // The clock of this test stands still until everybody waits.
    tokio::time::sleep(LOOK / 2).await;
    assert_eq!(door.health.waiting()[0].1.why, "the log is not available: no broker");
    door.fail(None);
    tokio::time::sleep(LOOK).await;
    assert!(door.health.is_ready());
    shutdown.begin();
    watching.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn more_at_once_than_there_is_room_for_is_told_to_come_back() {
    let door = door_with(Limits { writes: 1, ..Limits::default() }, Some(TOKEN));
    let permit = door.state.0.writes.clone().try_acquire_owned().unwrap();
    assert_eq!(door.post(&[JSON], arrival(1)).await.0, 429);
    drop(permit);
    assert_eq!(door.post(&[JSON], arrival(1)).await.0, 200);
    let door = door_with(Limits { buffer_bytes: 1_000, ..Limits::default() }, Some(TOKEN));
    let lines = |count: usize| (0..count).map(|n| arrival(n) + "\n").collect::<String>();
    assert_eq!(door.post(&[NDJSON], lines(2)).await.0, 200);
    let mut other = Batch::new(door.state.0.desk.clone(), Arc::new(Grant::everything("other")));
    other.hold(900).unwrap();
    assert_eq!(door.post(&[NDJSON], lines(2)).await.0, 429);
    drop(other);
    // What has no room by itself never will: it must not be sent again as it is.
    assert_eq!(door.post(&[NDJSON], lines(20)).await.0, 413);
    assert_eq!(door.post(&[NDJSON], "nonsense\n".repeat(20)).await.0, 413);
    assert_eq!(door.appended().len(), 2);
    assert_eq!(door.state.0.desk.held.load(std::sync::atomic::Ordering::Relaxed), 0, "it was given back");
    assert_eq!(door.post(&[NDJSON], lines(2)).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_given_up() {
    let door = door();
    let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(door.post(&[JSON], never).await.0, 408);
    // Nor does it keep others out.
    assert_eq!(door.post(&[JSON], arrival(1)).await.0, 200);
}

#[tokio::test]
async fn what_is_shown_of_a_few_posts() {
    let door = door();
    door.post(&[NDJSON], format!("{}\n{}\nbad", arrival(1), arrival(2))).await;
    door.post(&[JSON], "nonsense").await;
    door.send(&[], "x").await;
    let text = runtime::metrics::encode(&door.registry);
    let values = text.lines().filter(|line| line.starts_with("sitrep_intake_"));
    let values = values.filter(|line| !line.contains("_seconds") && !line.contains("_bytes"));
    assert_eq!(values.collect::<Vec<_>>().join("\n"), include_str!("exposition.txt").trim_end());
}
