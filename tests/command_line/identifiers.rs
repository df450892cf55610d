//! No identifier of a patient gets past the door: an NHS number, a name, an address and the number of a visit are planted in
//! every field of every form that is taken (JSON, FHIR, HL7 v2, CSV, records of Kafka producers), and then looked for
//! everywhere: in answers, logs, metrics, topics, files, pages and what the commands print. They may stand in the bytes of
//! refusals, and in what a producer wrote to the events topic itself.
//!
//! Not planted: `id`, which with `source` and the name of an area is the sender's own word, and is kept as it comes (an
//! area or a source that holds what a name of ours may not is refused, and is planted).

use std::io::{Read, Write};
use std::net::TcpStream;

use contract::refusal;
use contract::topics::{ALERTS, BACKFILL, CONTROL, EVENTS, MEASURES, REFUSALS, RETURNS};
use domain::event::Statement;
use domain::measures::Measure;
use domain::time::Millis;
use runtime::clock::SystemClock;
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{Log, NewRecord};
use serde_json::{Value as Json, json};

use crate::door::records;
use crate::mllp::{self, time};
use crate::patience::{SOON, eventually};
use crate::planted::{Found, NUMBER, NUMBER_TEXT, TEXT, planted_in};
use crate::run::{sitrep, sitrep_with};
use crate::running::Running;
use crate::world::{World, ago, now};

/// A rule that fires as soon as anybody is there: alerts are looked through too.
const RULES: &str = r#"
[alerts]
fallback = "log"
[channel.log]
type = "log"
[[rule]]
id = "somebody-is-here"
level = "site"
series = { type = "all" }
value = "ae_department.present"
breach = ">= 1"
hold = "0m"
keep = "1m"
severity = "info"
channels = ["log"]
summary = "{name}: {present} patients"
"#;

/// An extract with columns that are read and columns that are not.
const CSV_FEED: &str = r#"
source = "general.csv"
zone = "UTC"
[csv]
ref = "Number"
site = "Site"
recorded_at = ["Extract_Date", "Extract_Time"]
[csv.columns]
department_type = ["Type"]
arrived_at = ["Arrival_Date", "Arrival_Time"]
arrival_mode = ["Mode"]
acuity = ["Acuity"]
departed_at = ["Departure_Date", "Departure_Time"]
discharge_status = ["Status"]
discharge_destination = ["Destination"]
"#;

/// The sender's own word, and a number that may be any.
const SPARED: &[&str] = &["/id", "/standard/total"];

/// The configuration of every command, as `--set` and its text.
fn settings(world: &World) -> Vec<String> {
    std::fs::create_dir_all(world.path("feeds")).expect("a folder of ours");
    world.write("feeds/general.toml", mllp::FEED.as_bytes());
    world.write("feeds/fhir.toml", b"source = \"fhir\"\nsite = \"General\"\n");
    world.write("feeds/csv.toml", CSV_FEED.as_bytes());
    let (rules, key) =
        (world.write("rules.toml", RULES.as_bytes()), world.write("key", b"the key of this test alone"));
    let key = format!("pseudonyms.key={{ file = \"{key}\" }}");
    let feeds = format!("intake.feeds={}", world.path("feeds"));
    let texts = [feeds, key, "pseudonyms.required=true".to_owned(), format!("alert.rules={rules}")];
    texts.into_iter().flat_map(|text| ["--set".to_owned(), text]).collect()
}

/// `sitrep up` that logs everything.
fn up(world: &World) -> Running {
    let mut more = settings(world);
    let listener = "intake.mllp=[{ feed = \"general\", listen = \"127.0.0.1:0\" }]";
    for text in ["log=trace", "checkpoint.every=100ms", listener] {
        more.extend(["--set".to_owned(), text.to_owned()]);
    }
    let arguments = world.up(&more.iter().map(String::as_str).collect::<Vec<_>>());
    let up = Running::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    up.ready();
    up
}

/// One statement of each kind with every fact that it can have; references are planted.
fn statements(now: Millis) -> Vec<Json> {
    let recorded = now.second().to_string();
    let event = |kind: &str, statement: Json| json!({"id": kind, "source": "epr", "recorded_at": recorded, kind: statement});
    vec![
        event(
            "attendance",
            json!({"site": "General", "ref": TEXT, "department_type": 1, "planned": false, "child": true, "acuity": 3,
                "arrival_mode": "ambulance", "ambulance": {"service": "Ambulances", "ref": TEXT},
                "arrived_at": ago(now, 70), "assessed_at": ago(now, 65), "treated_at": ago(now, 60),
                "referred_at": ago(now, 50), "decided_to_admit_at": ago(now, 40),
                "location": {"area": "Majors 1", "since": ago(now, 30)}, "void": false}),
        ),
        event(
            "ambulance",
            json!({"service": "Ambulances", "ref": TEXT, "category": "C2", "call_at": ago(now, 120),
                "clock_started_at": ago(now, 119), "responded_at": ago(now, 110), "destination": "General",
                "arrived_at": ago(now, 80), "handed_over_at": ago(now, 75), "cleared_at": ago(now, 60), "void": false}),
        ),
        event(
            "beds",
            json!({"site": "General", "as_of": ago(now, 20), "open": 612, "occupied": 598, "escalation_open": 24,
                "no_criteria_to_reside": 87}),
        ),
        event(
            "standard",
            json!({"standard": "rtt-18-weeks", "org": "Trust", "period_start": "2026-10-01", "met": 312, "total": 500}),
        ),
        event("escalation", json!({"org": "Trust", "scale": "opel", "since": ago(now, 60), "level": 3})),
        event("heartbeat", json!({})),
    ]
}

/// Every statement with every field planted in turn.
fn events(now: Millis) -> Vec<Json> {
    let all = statements(now);
    let planted = all.iter().flat_map(|event| planted_in(event, SPARED, &[json!(TEXT), json!(NUMBER)]));
    all.iter().cloned().chain(planted).collect()
}

/// An Encounter with every element that can be read and many that are not.
fn encounter(now: Millis) -> Json {
    json!({
        "resourceType": "Encounter", "id": TEXT, "language": TEXT, "text": {"status": "generated", "div": TEXT},
        "meta": {"versionId": "1", "lastUpdated": ago(now, 0), "source": TEXT},
        "contained": [{"resourceType": "Patient", "id": TEXT, "name": [{"family": TEXT}], "birthDate": "1947-05-12"}],
        "extension": [{"url": "https://rxf.example/x", "valueString": TEXT}],
        "identifier": [{"system": "https://rxf.example/visit", "value": TEXT, "assigner": {"display": TEXT}}],
        "status": "in-progress", "statusHistory": [{"status": "triaged", "period": {"start": ago(now, 40)}}],
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER", "display": TEXT},
        "type": [{"text": TEXT}], "serviceType": {"text": TEXT}, "priority": {"text": TEXT},
        "subject": {"reference": "Patient/1", "display": TEXT}, "participant": [{"individual": {"display": TEXT}}],
        "period": {"start": ago(now, 50)}, "reasonCode": [{"text": TEXT}],
        "diagnosis": [{"condition": {"display": TEXT}}],
        "hospitalization": {"admitSource": {"text": TEXT}, "dischargeDisposition": {
            "coding": [{"system": "http://snomed.info/sct", "code": "306706006"}], "text": TEXT}},
        "location": [{"location": {"reference": "Location/1", "display": "AE", "identifier": {"value": "AE"}},
            "status": "active", "period": {"start": ago(now, 45)}}],
        "serviceProvider": {"reference": "Organization/1", "identifier": {"system": "x", "value": "General"}},
        "partOf": {"reference": TEXT}
    })
}

/// Over HTTP: lines, an array, and what is none of them.
fn post_events(up: &Running, found: &mut Found) {
    let events = events(now());
    let lines: Vec<String> = events.iter().map(Json::to_string).collect();
    let (json, ndjson) = ("application/json", "application/x-ndjson");
    for (kind, body) in [(ndjson, lines.join("\n")), (json, json!(events).to_string())] {
        let (status, answer) = up.post(kind, body.as_bytes());
        let (taken, refused) = (answer["taken"].as_u64(), answer["refused"].as_array().map(Vec::len));
        assert!(status == 200 && taken >= Some(6) && refused >= Some(50), "{status}: {taken:?}, {refused:?}");
        found.look("an answer to a post", answer.to_string().as_bytes());
    }
    for (kind, body) in [
        (ndjson, format!("{TEXT}\n{{\"{TEXT}\":{NUMBER}\n[\"{TEXT}\"]\n{NUMBER}")),
        (json, format!("[{{\"{TEXT}\"")),
        (TEXT, TEXT.to_owned()),
    ] {
        let answer = up.post_to("/v1/events", &[format!("Content-Type: {kind}")], body.as_bytes());
        found.look("the answer to what is no event", &answer.body);
    }
}

fn post_encounters(up: &Running, found: &mut Found) {
    let good = encounter(now());
    let planted = planted_in(&good, &[], &[json!(TEXT), json!(NUMBER)]);
    let mut statuses = std::collections::BTreeMap::new();
    for one in [&good].into_iter().chain(&planted) {
        let answer = up.post_to("/fhir/R4/Encounter?feed=fhir", &[], one.to_string().as_bytes());
        *statuses.entry(answer.status).or_insert(0) += 1;
        found.look("an OperationOutcome", &answer.body);
    }
    assert!(statuses[&200] >= 20 && statuses[&400] >= 10, "{statuses:?}");
    let entries: Vec<Json> = planted
        .iter()
        .map(|one| json!({"fullUrl": TEXT, "request": {"method": "PUT", "url": TEXT}, "resource": one}))
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "id": TEXT, "entry": entries});
    let answer = up.post_to("/fhir/R4?feed=fhir", &[], bundle.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    found.look("the answer to a Bundle", &answer.body);
    for wrong in
        planted_in(&json!({"resourceType": "Bundle", "type": "batch", "entry": []}), &[], &[json!(TEXT)])
    {
        found.look(
            "the answer to a wrong Bundle",
            &up.post_to("/fhir/R4?feed=fhir", &[], wrong.to_string().as_bytes()).body,
        );
    }
}

/// A message with one thing planted in one field of one segment; MSH-1, MSH-2, the time, the type and the control id
/// (which the protocol repeats) are as they must be.
fn messages() -> Vec<Vec<u8>> {
    let (mut messages, time) = (Vec::new(), time(5));
    let segments = ["MSH", "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "OBX", "DG1", "AL1", "ZED", "MRG"];
    for event in ["A04", "A08", "A42"] {
        for segment in segments {
            for field in (1..=52).filter(|field| segment != "MSH" || ![1, 2, 10].contains(field)) {
                let id = format!("{event}-{segment}-{field}");
                let must = |name: &str, at: usize| match (name, at) {
                    ("MSH", 9) => format!("ADT^{event}"),
                    ("MSH", 10) => id.clone(),
                    ("MSH", 7) | ("EVN", 2) => time.clone(),
                    ("MSH", 12) => "2.4".to_owned(),
                    ("PV1", 2) => "E".to_owned(),
                    ("PV1", 3) => "AE".to_owned(),
                    ("PV1", 19) => "VISIT90210".to_owned(),
                    ("MRG", 5) => "VISIT90210A".to_owned(),
                    _ => String::new(),
                };
                let mut text = String::new();
                for name in segments {
                    let (first, separators) = if name == "MSH" { (3, "|^~\\&") } else { (1, "") };
                    text += &format!("{name}{separators}");
                    for at in first..=52 {
                        let is_it = name == segment && at == field;
                        text += &format!("|{}", if is_it { TEXT.replace('/', "^") } else { must(name, at) });
                    }
                    text.push('\r');
                }
                messages.push([b"\x0b", text.as_bytes(), b"\x1c\r"].concat());
            }
        }
    }
    // No message at all, one that broke off, and one that is too large.
    messages.push(format!("\u{b}{TEXT}\u{1c}\r").into_bytes());
    messages.push(format!("\u{b}MSH|^~\\&|{TEXT}\u{b}MSH|{TEXT}\u{1c}\r").into_bytes());
    messages.push(format!("\u{b}MSH|^~\\&|{}\u{1c}\r", TEXT.repeat(30_000)).into_bytes());
    messages
}

fn send_messages(up: &Running, world: &World, found: &mut Found) {
    let all = messages().concat();
    let ends = messages().len() + 1;
    let mut stream = TcpStream::connect(mllp::listening(up)).expect("it listens");
    let mut sender = stream.try_clone().expect("a socket");
    let bytes = all.clone();
    let sending = std::thread::spawn(move || sender.write_all(&bytes).expect("it reads"));
    let (mut answers, mut part) = (Vec::new(), [0; 4_096]);
    while answers.iter().filter(|byte| **byte == 0x1c).count() < ends {
        let read = stream.read(&mut part).expect("it answers");
        assert!(read > 0, "it closed the connection");
        answers.extend_from_slice(&part[..read]);
    }
    sending.join().expect("no panic");
    let text = String::from_utf8_lossy(&answers).into_owned();
    let (good, bad) = (text.matches("MSA|AA|").count(), text.matches("MSA|AR|").count());
    assert!(good > 1_000 && bad >= 10 && good + bad == ends, "{good} AA, {bad} AR of {ends}");
    found.look("an acknowledgement", &answers);
    let tried =
        sitrep_with(&[&["feed", "test", "general", "-"][..], &borrowed(&places(world))].concat(), &all);
    assert!(tried.text().lines().count() > 1_000, "{}", tried.err);
    found.look("feed test", &[&tried.out, tried.err.as_bytes()].concat());
}

/// Everything that a process that runs shows; how many answers had points.
fn watch(up: &Running, found: &mut Found) -> usize {
    for path in [
        "/",
        "/static/board.js",
        "/openapi.json",
        "/metrics",
        "/healthz",
        "/readyz",
        "/v1/organisations",
        "/v1/alerts",
        "/v1/overdue",
    ] {
        let answer = up.get(path);
        assert_eq!(answer.status, 200, "{path}");
        found.look(path, &answer.body);
    }
    let mut shown = 0;
    for measure in Measure::ALL {
        for org in ["General", "Ambulances", "Trust", "ENG"] {
            let answer = up.get(&format!("/v1/measures?measure={}&org={org}", measure.as_str()));
            shown += usize::from(answer.text().contains("\"points\":[["));
            found.look("/v1/measures", &answer.body);
        }
    }
    let mut stream = TcpStream::connect(up.address()).expect("it listens");
    stream.write_all(b"GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    let (mut said, mut part) = (Vec::new(), [0; 65_536]);
    while !String::from_utf8_lossy(&said).contains("event: snapshot") || !said.ends_with(b"\n\n\r\n") {
        let read = stream.read(&mut part).expect("it streams");
        assert!(read > 0, "it closed the stream");
        said.extend_from_slice(&part[..read]);
    }
    found.look("/v1/live", &said);
    shown
}

/// The configuration of a command that uses the world's folder.
fn places(world: &World) -> Vec<String> {
    let mut all = settings(world);
    for key in ["data", "organisations"] {
        let name = if key == "data" { "data" } else { "organisations.csv" };
        all.extend(["--set".to_owned(), format!("{key}={}", world.path(name))]);
    }
    all
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Rows with one thing planted in one column; into a file, and into the log. How many rows were taken.
fn load_rows(world: &World, found: &mut Found) -> u64 {
    let (arrived, left, now) = (ago(now(), 90), ago(now(), 10), ago(now(), 1));
    let columns = [
        ("Number", TEXT),
        ("Site", "General"),
        ("Type", "1"),
        ("Arrival_Date", &arrived[..10]),
        ("Arrival_Time", &arrived[11..19]),
        ("Mode", "1048071000000103"),
        ("Acuity", "1064901000000108"),
        ("Departure_Date", &left[..10]),
        ("Departure_Time", &left[11..19]),
        ("Status", "182992009"),
        ("Destination", "306706006"),
        ("Extract_Date", &now[..10]),
        ("Extract_Time", &now[11..19]),
        ("Name", TEXT),
        ("NHS_Number", NUMBER_TEXT),
        ("Address", TEXT),
    ];
    let row = |planted: Option<usize>| {
        let cell = |(at, (_, cell)): (usize, &(&str, &str))| {
            if planted == Some(at) { TEXT.to_owned() } else { (*cell).to_owned() }
        };
        columns.iter().enumerate().map(cell).collect::<Vec<_>>().join(",")
    };
    let mut lines = vec![columns.map(|(name, _)| name).join(","), row(None)];
    lines.extend((0..columns.len()).map(|at| row(Some(at))));
    lines.push(format!("{TEXT},{TEXT}"));
    let (csv, out) =
        (world.write("extract.csv", (lines.join("\n") + "\n").as_bytes()), world.path("events.ndjson"));
    for to in [&["--out", &out][..], &["--embedded"]] {
        let done = sitrep(&[&["feed", "load", "csv", &csv], to, &borrowed(&places(world))].concat()).well();
        assert!(done.err.contains("line 4: unknown_place"), "{}", done.err);
        found.look("feed load", &[&done.out, done.err.as_bytes()].concat());
    }
    let events = std::fs::read(&out).expect("it was written");
    found.look("the events of an extract", &events);
    events.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// As a producer of its own writes them: with references that are no pseudonyms, and with bytes overwritten. How many.
fn produce(world: &World) -> u64 {
    let now = now();
    let record = |value: Vec<u8>, protobuf| NewRecord { key: TEXT.into(), value, protobuf, partition: None };
    let mut all: Vec<NewRecord> = events(now)
        .iter()
        .filter(|event| event["id"] != "standard" && event["id"] != "escalation")
        .map(|event| record(event.to_string().into_bytes(), false))
        .collect();
    for text in statements(now).iter().map(Json::to_string) {
        let event = contract::parse_json(text.as_bytes(), &contract::Hashed).expect("an event");
        let mut bytes = Vec::new();
        contract::write_protobuf(&event, &mut bytes);
        let id = event.id.as_bytes();
        let after = bytes.windows(id.len()).position(|part| part == id).expect("its id") + id.len();
        for at in after..bytes.len() {
            let end = bytes.len().min(at + TEXT.len());
            all.push(record([&bytes[..at], TEXT.as_bytes(), &bytes[end..]].concat(), true));
        }
    }
    let log =
        EmbeddedLog::open(world.path("data/log").as_ref(), SystemClock::shared()).expect("nobody uses it");
    log.append(EVENTS, &all).expect("it takes them");
    all.len() as u64
}

/// Waits until everything has been read that is in the log.
fn is_read(up: &Running, wanted: u64) {
    eventually("the aggregator has read everything", SOON, || {
        let read = up.metric("sitrep_aggregate_events_read_total");
        if read == wanted { Ok(()) } else { Err(format!("{read} of {wanted}")) }
    });
}

#[test]
fn nothing_that_names_a_patient_is_found_anywhere() {
    let (world, mut found) = (World::new(), Found::default());
    let first = up(&world);
    post_events(&first, &mut found);
    post_encounters(&first, &mut found);
    send_messages(&first, &world, &mut found);
    is_read(&first, first.metric_of("sitrep_intake_events_total{outcome=\"taken\"}"));
    watch(&first, &mut found);
    found.look("the log", first.stop().join("\n").as_bytes());

    let rows = load_rows(&world, &mut found);
    let ours = records(&world, EVENTS).len();
    let produced = produce(&world);

    let second = up(&world);
    is_read(&second, rows + produced);
    eventually("an alert fires", SOON, || {
        let alerts = second.get("/v1/alerts").text();
        if alerts.contains("somebody-is-here") && alerts.contains("firing") { Ok(()) } else { Err(alerts) }
    });
    assert!(watch(&second, &mut found) >= 10, "there are few points to look at");
    let lines = second.stop();
    assert!(lines.iter().any(|line| line.contains("\"TRACE\"")), "everything is logged");
    found.look("the log", lines.join("\n").as_bytes());

    at_rest(&world, ours, &mut found);
    for what in ["list", "retry"] {
        let done =
            sitrep(&[&["refusals", what, "--embedded"][..], &borrowed(&places(&world))].concat()).well();
        assert!(done.out.len() + done.err.len() > 10_000 || what == "retry", "{}", done.err);
        found.look("refusals", &[&done.out, done.err.as_bytes()].concat());
    }
    found.is_nothing();
}

/// The topics, and the files beside the log. The first records of the events topic are ours.
fn at_rest(world: &World, ours: usize, found: &mut Found) {
    let events = records(world, EVENTS);
    found.look(EVENTS, &events[..ours].concat());
    let is_attendance = |value: &&Vec<u8>| {
        let event = contract::parse_protobuf(value, &contract::Required, &mut 0).expect("an event");
        matches!(event.statement, Statement::Attendance(_))
    };
    assert!(events[..ours].iter().filter(is_attendance).count() > 1_000);
    for topic in [RETURNS, MEASURES, ALERTS, BACKFILL, CONTROL] {
        let records = records(world, topic);
        assert!(!records.is_empty() || topic == BACKFILL, "{topic} is empty");
        found.look(topic, &records.concat());
    }
    let refusals = records(world, REFUSALS);
    assert!(refusals.len() > 500, "{}", refusals.len());
    for one in refusals.iter().map(|record| refusal::decode(record).expect("a refusal")) {
        found.look("what a refusal says", format!("{} {}", one.detail, one.source).as_bytes());
        // Here they must be: what finds nothing finds nothing elsewhere either.
        let mut kept = Found::default();
        kept.look("its bytes", &one.bytes);
        assert!(!kept.is_empty(), "{}: {}", one.detail, one.bytes.escape_ascii());
    }
    let files = world.files("data");
    // The log's topics were looked through above.
    let beside: Vec<_> = files.iter().filter(|file| !file.to_string_lossy().contains("/data/log/")).collect();
    assert!(beside.len() >= 3, "{files:?}");
    for file in beside {
        found.look(&file.to_string_lossy(), &std::fs::read(file).expect("a file of ours"));
    }
}
