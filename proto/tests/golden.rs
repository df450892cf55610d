//! The examples in `proto/golden/`, one message of each kind: what they say, field by field, and that they survive
//! both wire forms. Each fact has a value of its own, so that two names cannot be swapped unseen.

use contract::alert::{self, Action, AlertRecord, Command, Silence, State, Transition};
use contract::measure::{self, MeasureRecord};
use contract::refusal::{self, Origin, Refusal};
use contract::{Required, parse_json, parse_protobuf, write_json, write_protobuf};
use domain::alert::Severity;
use domain::event::{
    ArrivalMode, Attendance, Beds, Category, DepartmentType, Disposal, Escalation, Event, Fact, Journey,
    JourneyName, Location, Outcome, Return, Statement,
};
use domain::ids::Ref;
use domain::measures::{
    Freshness, MAX_FIELDS, Measure, OrgMinute, Revision, Series, SeriesKey, Tag, TypeTag, Window,
};
use domain::organisations::Level;
use domain::time::{Millis, Minute, Second, rfc3339};
use serde_json::Value as Json;

const PATIENT: &[u8] = b"00112233445566778899aabbccddeeff";
const JOURNEY: &[u8] = b"0f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn at(text: &str) -> Millis {
    rfc3339(text.as_bytes()).expect("an instant")
}

fn second(time: &str) -> Second {
    at(&format!("2026-11-21T{time}Z")).second()
}

fn fact(time: &str) -> Fact<Second> {
    Fact::Stated(second(time))
}

fn reference(digits: &[u8]) -> Ref {
    Ref::from_hex(digits).expect("32 digits")
}

fn event(id: &str, source: &str, recorded_at: &str, statement: Statement<'static>) -> Event<'static> {
    let recorded_at = at(recorded_at);
    Event { id: id.to_owned().into(), source: source.to_owned().into(), recorded_at, statement }
}

fn check(golden: &str, expected: &Event<'_>) {
    let parsed = parse_json(golden.as_bytes(), &Required).expect("an event");
    assert_eq!(&parsed, expected);
    let (mut line, mut message, mut unknown) = (Vec::new(), Vec::new(), 0);
    write_json(&parsed, &mut line);
    assert_eq!(
        serde_json::from_slice::<Json>(&line).expect("JSON"),
        serde_json::from_str::<Json>(golden).expect("JSON"),
        "what is written says the same"
    );
    write_protobuf(&parsed, &mut message);
    assert_eq!(parse_protobuf(&message, &Required, &mut unknown).as_ref(), Ok(expected));
    assert_eq!(unknown, 0);
}

#[test]
fn an_attendance_with_every_fact() {
    let mut said = Attendance::new("RXF05", reference(PATIENT));
    said.department_type = Fact::Stated(DepartmentType::Major);
    said.planned = Fact::Stated(false);
    said.child = Fact::Stated(true);
    said.acuity = Fact::Stated(3);
    said.arrival_mode = Fact::Stated(ArrivalMode::Ambulance);
    said.ambulance = Fact::Stated(JourneyName { service: "RX8".into(), reference: reference(JOURNEY) });
    said.arrived_at = fact("10:01:01");
    said.assessed_at = fact("10:02:02");
    said.treated_at = fact("10:03:03");
    said.referred_at = fact("10:04:04");
    said.decided_to_admit_at = fact("10:05:05");
    said.clock_stopped_at = fact("10:06:06");
    said.departed_at = fact("14:05:00");
    said.disposal = Fact::Stated(Disposal::Admitted);
    said.location = Some(Location { area: Some("Majors 1".into()), since: second("10:08:08") });
    said.void = Fact::Stated(false);
    let statement = Statement::Attendance(said);
    let expected = event("RXF05-000123-3", "rxf.epr", "2026-11-21T14:07:09.250Z", statement);
    check(include_str!("../golden/event-attendance.json"), &expected);
}

#[test]
fn an_attendance_of_which_facts_are_retracted() {
    let mut said = Attendance::new("RXF05", reference(PATIENT));
    said.departed_at = Fact::Retracted;
    said.disposal = Fact::Retracted;
    said.location = Some(Location { area: None, since: second("10:08:08") });
    let statement = Statement::Attendance(said);
    let expected = event("RXF05-000123-4", "rxf.epr", "2026-11-21T14:09:00Z", statement);
    check(include_str!("../golden/event-attendance-retracted.json"), &expected);
}

#[test]
fn a_journey_with_every_fact() {
    let mut said = Journey::new("RX8", reference(JOURNEY));
    said.category = Fact::Stated(Category::C2);
    said.call_at = fact("09:01:01");
    said.clock_started_at = fact("09:02:02");
    said.responded_at = fact("09:20:03");
    said.destination = Fact::Stated("RXF05".into());
    said.arrived_at = fact("09:58:04");
    said.handed_over_at = fact("10:14:05");
    said.cleared_at = fact("10:19:06");
    said.void = Fact::Stated(false);
    let expected = event("7001", "rx8.cad", "2026-11-21T10:20:00Z", Statement::Ambulance(said));
    check(include_str!("../golden/event-ambulance.json"), &expected);
}

#[test]
fn beds_a_return_a_declaration_and_a_heartbeat() {
    let beds = Statement::Beds(Beds {
        site: "RXF05".into(),
        as_of: second("08:00:00"),
        open: Fact::Stated(612),
        occupied: Fact::Stated(598),
        escalation_open: Fact::Stated(24),
        no_criteria_to_reside: Fact::Stated(87),
    });
    let beds = event("beds-2026-11-21-08", "rxf.beds", "2026-11-21T08:04:00Z", beds);
    check(include_str!("../golden/event-beds.json"), &beds);
    let periodic = Statement::Standard(Return {
        standard: "rtt-18-weeks".into(),
        org: "RXF".into(),
        period_start: 20_727,
        met: Fact::Stated(31_201),
        total: Fact::Stated(50_004),
        count: Fact::Stated(50_005),
        total_s: Fact::Stated(1 << 53),
        p90_s: Fact::Stated(15_724_800),
    });
    let periodic = event("rtt-RXF-2026-10", "rxf.returns", "2026-11-18T16:30:00Z", periodic);
    check(include_str!("../golden/event-standard.json"), &periodic);
    let (org, scale) = ("RXF".into(), "opel".into());
    let escalation = Escalation { org, scale, since: second("07:30:00"), level: Fact::Stated(3) };
    let escalation = Statement::Escalation(escalation);
    let escalation = event("opel-RXF-17", "rxf.control-room", "2026-11-21T07:31:12Z", escalation);
    check(include_str!("../golden/event-escalation.json"), &escalation);
    let heartbeat = event("hb-58211", "rxf.epr", "2026-11-21T04:00:00Z", Statement::Heartbeat);
    check(include_str!("../golden/event-heartbeat.json"), &heartbeat);
}

fn values(given: &[i64]) -> [i64; MAX_FIELDS] {
    let mut values = [0; MAX_FIELDS];
    values[..given.len()].copy_from_slice(given);
    values
}

fn org_minute() -> OrgMinute {
    let four_hour = SeriesKey {
        measure: Measure::AeFourHour,
        tag: TypeTag::One.into(),
        window: Some(Window::Rolling(240)),
    };
    let today = SeriesKey { window: Some(Window::Today), tag: TypeTag::All.into(), ..four_hour };
    let queue = SeriesKey::new(Measure::AmbQueue, Tag::None, None);
    let treatment = SeriesKey { measure: Measure::AeTreatment, ..four_hour };
    let response = SeriesKey::new(Measure::AmbResponse, Category::C2, four_hour.window);
    let area = SeriesKey::new(Measure::AeArea, Tag::text("Resus 1").expect("a text"), None);
    let parameter = Tag::parameter("acute-2023-24", "beds").expect("two texts");
    let parameter = SeriesKey::new(Measure::OpelParameter, parameter, None);
    OrgMinute {
        level: Level::Trust,
        org: "RXF".into(),
        minute: at("2026-11-21T14:08:00Z").second().minute(),
        revision: Revision { epoch: 1_000_001, n: 2 },
        freshness: Freshness { stale: true, age_seconds: Some(4_210) },
        restated: true,
        series: vec![
            Series { key: four_hour, values: values(&[41, 30, 1, 0]) },
            Series { key: today, values: values(&[]) },
            Series { key: queue, values: values(&[5, 4, 3, 2, 1, 4_000, 300]) },
            Series { key: treatment, values: values(&[12, 125, 240]) },
            Series { key: response, values: values(&[3, 1_497, 720]) },
            Series { key: area, values: values(&[4, 3]) },
            Series { key: parameter, values: values(&[912_500, 3, 1]) },
        ],
    }
}

#[test]
fn an_org_minute() {
    let minute = org_minute();
    let golden: Json = serde_json::from_str(include_str!("../golden/org-minute.json")).unwrap();
    assert_eq!(measure::to_json(&minute), golden);
    for record in [MeasureRecord::OrgMinute(minute), MeasureRecord::Mark { epoch: 1_000_001 }] {
        let mut bytes = Vec::new();
        measure::encode(&record, &mut bytes);
        assert_eq!(measure::decode(&bytes), Ok(record));
    }
}

fn transition() -> Transition {
    Transition {
        episode: "four-hour-type-1 trust/RXF type=1,window=4h 2026-11-21T13:50:00Z".into(),
        rule: "four-hour-type-1".into(),
        rule_version: "5f1d".into(),
        level: Level::Trust,
        org: "RXF".into(),
        name: "Mid Yorkshire".into(),
        series: vec![("type".into(), "1".into()), ("window".into(), "4h".into())],
        from: State::Pending,
        to: State::Firing,
        minute: Minute(29_921_168),
        at: Millis(1_795_270_081_123),
        value: "73.1 %".into(),
        numerator: Some(30),
        denominator: Some(41),
        threshold: "< 0.76".into(),
        severity: Severity::Warning,
        stale: false,
        by: String::new(),
        summary: "Mid Yorkshire: 73.1 % within four hours".into(),
    }
}

#[test]
fn alerts() {
    let command = |action| Command {
        episode: transition().episode,
        action,
        by: "a.nurse".into(),
        at: Millis(1_795_270_200_000),
    };
    let silence = |rule: Option<&str>, org: Option<&str>| Silence {
        rule: rule.map(str::to_owned),
        org: org.map(str::to_owned),
        from: Millis(1_795_270_200_000),
        until: Millis(1_795_273_800_000),
        who: "a.nurse".into(),
        why: "planned downtime".into(),
    };
    let goldens = [
        (AlertRecord::Transition(transition()), include_str!("../golden/alert-transition.json")),
        (
            AlertRecord::Command(command(Action::Acknowledge)),
            include_str!("../golden/alert-acknowledge.json"),
        ),
        (AlertRecord::Silence(silence(None, Some("RXF"))), include_str!("../golden/alert-silence.json")),
    ];
    for (record, golden) in &goldens {
        assert_eq!(alert::to_json(record), serde_json::from_str::<Json>(golden).unwrap());
    }
    let mut records = goldens.map(|(record, _)| record).to_vec();
    records.push(AlertRecord::Command(command(Action::Close)));
    records.push(AlertRecord::Silence(silence(Some("four-hour-type-1"), None)));
    for state in State::ALL {
        let severity = Severity::ALL[state as usize % 3];
        let unjudged =
            Transition { from: state, to: state, stale: true, severity, numerator: None, ..transition() };
        records.push(AlertRecord::Transition(unjudged));
    }
    for record in records {
        let mut bytes = Vec::new();
        alert::encode(&record, &mut bytes);
        assert_eq!(alert::decode(&bytes), Ok(record));
    }
}

#[test]
fn refusals() {
    let log = Origin::Log { topic: "sitrep.events.v1".into(), partition: 3, offset: 88_123 };
    let refusal = |reason, origin, whole: &[u8]| {
        let detail = "attendance.departed_at: must be an instant".to_owned();
        Refusal::new(reason, detail, "rxf.epr".into(), whole, false, origin, Millis(1_795_270_081_123))
    };
    let shown = refusal::to_json(&refusal(Outcome::Malformed, log.clone(), b"{\"id\":"));
    let golden: Json = serde_json::from_str(include_str!("../golden/refusal.json")).unwrap();
    assert_eq!(shown, golden);
    let reasons = Outcome::ALL.iter().filter(|outcome| outcome.is_refused());
    for (reason, origin) in reasons.zip([log, Origin::Http, Origin::Mllp, Origin::Fhir].iter().cycle()) {
        let refusal = refusal(*reason, origin.clone(), &[0xff; 70_000]);
        let recorded = (origin == &Origin::Fhir).then_some(Millis(1_795_270_000_000));
        let refusal = Refusal { recorded, ..refusal };
        assert_eq!((refusal.bytes.len(), refusal.length), (65_536, 70_000));
        let mut bytes = Vec::new();
        refusal::encode(&refusal, &mut bytes);
        assert_eq!(refusal::decode(&bytes), Ok(refusal));
    }
}

#[test]
fn a_refusal_is_shown_without_what_was_refused() {
    let whole = b"{\"ref\":\"9434765919\"}";
    let (detail, source) = (String::new(), String::new());
    let refusal = Refusal::new(Outcome::Malformed, detail, source, whole, false, Origin::Http, Millis(0));
    assert!(!refusal::to_json(&refusal).to_string().contains("9434765919"));
    assert!(!format!("{refusal:?}").contains(&format!("{whole:?}")));
    assert!(!format!("{refusal:?}").contains("9434765919"));
}
