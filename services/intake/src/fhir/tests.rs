//! Encounters and what they become.

use std::io::Write;

use contract::write_json;
use serde_json::{Value as Json, json};

use super::*;
use crate::pseudonym::Pseudonyms;

const FEED: &str = r#"
source = "rxf.fhir"
orgs = ["RXF"]
site = "RXF05"
[fhir]
identifier = "https://rxf.example/visit"
[[fhir.extension]]
fact = "discharge_status"
url = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EmergencyCareDischargeStatus"
[[fhir.extension]]
fact = "arrival_mode"
url = "https://rxf.example/arrival-mode"
[[fhir.extension]]
fact = "decided_to_admit_at"
url = "https://rxf.example/decided"
[[fhir.extension]]
fact = "ambulance_service"
url = "service"
[[fhir.extension]]
fact = "ambulance_ref"
url = "incident"
[[place]]
point_of_care = ["resus*"]
area = "resus"
[[place]]
point_of_care = ["majors"]
area = "majors"
[[place]]
point_of_care = ["utc"]
site = "RXF10"
department_type = 3
area = "utc"
[[place]]
point_of_care = ["ward*"]
outside = true
"#;

fn organisations() -> Organisations {
    let csv = "code,name,level,parent,department_type\nENG,England,nation,,\nRXF,Trust,trust,ENG,\n\
               RXF05,General,site,RXF,1\nRXF10,Centre,site,RXF,3\nRAA,Other,trust,ENG,\nRAA01,Other,site,RAA,1\n\
               RX8,Ambulances,service,ENG,\n";
    contract::organisations::read_csv(csv.as_bytes()).unwrap()
}

fn feed(text: &str) -> Feed {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Feed::read(file.path(), &organisations()).unwrap()
}

const RECEIVED: Millis = Millis(1_795_280_000_000);

fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new(Some(b"a key of a deployment"), true).unwrap()
}

fn translated(feed_text: &str, bytes: &[u8]) -> Result<(Vec<Json>, Vec<String>), Fault> {
    let (feed, organisations, references) = (feed(feed_text), organisations(), pseudonyms());
    let around = Surroundings {
        feed: &feed,
        organisations: &organisations,
        references: &references,
        recorded: RECEIVED,
    };
    let translation = translate(bytes, around)?;
    let json = |event: &Event<'_>| {
        let mut line = Vec::new();
        write_json(event, &mut line);
        serde_json::from_slice(&line).unwrap()
    };
    let left_out = translation.left_out.iter().map(|one| format!("{}: {}", one.expression, one.why));
    Ok((translation.events.iter().map(json).collect(), left_out.collect()))
}

/// An open visit in the department.
fn visit() -> Json {
    json!({
        "resourceType": "Encounter",
        "id": "e-1",
        "meta": { "versionId": "3", "lastUpdated": "2026-11-21T16:00:00.500Z" },
        "identifier": [
            { "system": "https://other.example", "value": "9434765919" },
            { "system": "https://rxf.example/visit", "value": "A000123" }
        ],
        "status": "in-progress",
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER" },
        "subject": { "reference": "Patient/9434765919", "display": "Zanzibar" },
        "period": { "start": "2026-11-21T14:05:00Z" }
    })
}

fn changed(changes: &[(&str, Json)]) -> Json {
    let mut visit = visit();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = visit.pointer_mut(parent).unwrap();
        if value.is_null() {
            parent.as_object_mut().unwrap().remove(key);
        } else {
            parent[key] = value.clone();
        }
    }
    visit
}

/// The facts of the first event, without its key.
fn facts(visit: &Json) -> Json {
    let (events, _) = translated(FEED, visit.to_string().as_bytes()).unwrap();
    let mut facts = events[0]["attendance"].clone();
    facts.as_object_mut().unwrap().retain(|key, _| key != "ref" && key != "site");
    facts
}

#[test]
fn a_visit_becomes_an_attendance() {
    let (events, left_out) = translated(FEED, visit().to_string().as_bytes()).unwrap();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event["source"], "rxf.fhir");
    assert_eq!(event["recorded_at"], "2026-11-21T16:00:00.500Z");
    let attendance = &event["attendance"];
    // As any producer would compute it of RXF05 and A000123 (the test of pseudonyms).
    assert_eq!(
        (&attendance["site"], &attendance["ref"]),
        (&json!("RXF05"), &json!("f80ab53819c34364ccc59be172f50a95"))
    );
    assert_eq!(left_out, Vec::<String>::new());
    let id = event["id"].as_str().unwrap();
    assert!(id.starts_with("3-") && id.ends_with(".000") && !id.contains("e-1"), "{id}");
}

#[test]
fn each_element_states_its_fact() {
    let open = json!({"planned": false, "arrived_at": "2026-11-21T14:05:00Z", "departed_at": null, "disposal": null,
                      "clock_stopped_at": null, "void": false});
    let with = |more: Json| {
        let mut facts = open.clone();
        for (key, value) in more.as_object().unwrap() {
            facts[key] = value.clone();
        }
        facts
    };
    let finished = |more: Json| {
        let mut facts = with(json!({"departed_at": "2026-11-21T15:30:00Z"}));
        let object = facts.as_object_mut().unwrap();
        object.remove("disposal");
        object.remove("clock_stopped_at");
        for (key, value) in more.as_object().unwrap() {
            object.insert(key.clone(), value.clone());
        }
        facts
    };
    let concept = |code: &str| json!({ "coding": [{ "code": code }] });
    let translations = |codes: &[&str]| {
        let codings = codes.iter().enumerate();
        json!({ "coding": codings.map(|(at, code)| json!({ "system": at.to_string(), "code": code })).collect::<Vec<_>>() })
    };
    let extension = |url: &str, kind: &str, value: Json| json!([{ "url": url, kind: value }]);
    let ended = [
        ("/status", json!("finished")),
        ("/period", json!({ "start": "2026-11-21T14:05:00Z", "end": "2026-11-21T15:30:00+00:00" })),
    ];
    let status_url =
        "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EmergencyCareDischargeStatus";
    let history = json!([
        { "status": "arrived", "period": { "start": "2026-11-21T14:05:00Z" } },
        { "status": "triaged", "period": { "start": "2026-11-21T14:20:00Z" } },
        { "status": "in-progress", "period": { "start": "2026-11-21T15:10:00+01:00" } },
        { "status": "triaged", "period": { "start": "2026-11-21T14:15:00Z" } },
        { "status": "onleave", "period": {} },
    ]);
    let journey = json!([{ "url": "https://rxf.example/journey", "extension": [
        { "url": "service", "valueCode": "RX8" }, { "url": "incident", "valueString": "J1" }] }]);
    let mut of_journey = open.clone();
    let reference = pseudonyms().reference("RX8", "J1").unwrap().to_hex();
    of_journey["ambulance"] = json!({"service": "RX8", "ref": std::str::from_utf8(&reference).unwrap()});
    let rows: Vec<(Vec<(&str, Json)>, Json)> = vec![
        (vec![], open.clone()),
        (vec![("/status", json!("arrived"))], open.clone()),
        (vec![("/class/code", json!("EMER-RETURN-U"))], open.clone()),
        (vec![("/class/code", json!("EMER-RETURN-P"))], with(json!({"planned": true}))),
        (
            vec![("/statusHistory", history)],
            with(json!({"assessed_at": "2026-11-21T14:15:00Z", "treated_at": "2026-11-21T14:10:00Z"})),
        ),
        // An end beside an open status is not believed.
        (vec![("/period/end", json!("2026-11-21T15:30:00Z"))], open.clone()),
        (ended.to_vec(), finished(json!({}))),
        (
            [&ended[..], &[("/hospitalization", json!({ "dischargeDisposition": concept("306706006") }))]]
                .concat(),
            finished(json!({"disposal": "admitted"})),
        ),
        (
            [
                &ended[..],
                &[("/extension", extension(status_url, "valueCodeableConcept", concept("1066301000000103")))],
            ]
            .concat(),
            finished(json!({"disposal": "left"})),
        ),
        // The status goes before the destination; in `hospitalization` it is found too.
        (
            [
                &ended[..],
                &[(
                    "/hospitalization",
                    json!({ "dischargeDisposition": concept("306706006"),
                "extension": extension(status_url, "valueCodeableConcept", concept("75004002")) }),
                )],
            ]
            .concat(),
            finished(json!({"disposal": "died"})),
        ),
        (vec![("/priority", concept("1064891000000107"))], with(json!({"acuity": 1}))),
        // Translations of one code: the first that is in our table.
        (
            vec![("/priority", translations(&["red", "1064891000000107", "1064901000000108"]))],
            with(json!({"acuity": 1})),
        ),
        (
            [
                &ended[..],
                &[("/hospitalization", json!({ "dischargeDisposition": translations(&["H", "306706006"]) }))],
            ]
            .concat(),
            finished(json!({"disposal": "admitted"})),
        ),
        (
            [
                &ended[..],
                &[(
                    "/extension",
                    extension(status_url, "valueCodeableConcept", translations(&["D", "75004002"])),
                )],
            ]
            .concat(),
            finished(json!({"disposal": "died"})),
        ),
        (
            vec![(
                "/extension",
                extension(
                    "https://rxf.example/arrival-mode",
                    "valueCoding",
                    json!({"code": "1048031000000100"}),
                ),
            )],
            with(json!({"arrival_mode": "ambulance"})),
        ),
        (
            vec![(
                "/extension",
                extension("https://rxf.example/decided", "valueDateTime", json!("2026-11-21T15:00:00Z")),
            )],
            with(json!({"decided_to_admit_at": "2026-11-21T15:00:00Z"})),
        ),
        (vec![("/extension", journey)], of_journey),
        (vec![("/status", json!("entered-in-error"))], json!({"void": true})),
        (vec![("/status", json!("cancelled")), ("/period", Json::Null)], json!({"void": true})),
        (
            vec![("/status", json!("unknown"))],
            json!({"planned": false, "arrived_at": "2026-11-21T14:05:00Z", "void": false}),
        ),
    ];
    for (changes, expected) in rows {
        assert_eq!(facts(&changed(&changes)), expected, "{changes:?}");
    }
}

#[test]
fn places_say_site_area_and_type() {
    let location = |code: &str, start: &str| json!({ "location": { "identifier": { "value": code } }, "status": "active", "period": { "start": start } });
    let at = |time: &str| format!("2026-11-21T{time}:00Z");
    let list = json!([
        { "location": { "reference": "Location/resus-2" }, "period": { "start": at("14:06") } },
        location("majors", &at("14:40")),
        location("ward7", &at("15:00")),
        { "location": { "identifier": { "value": "majors" } }, "status": "planned", "period": { "start": at("16:00") } },
        { "location": { "identifier": { "value": "majors" } } },
    ]);
    let (events, left_out) =
        translated(FEED, changed(&[("/location", list)]).to_string().as_bytes()).unwrap();
    let moves: Vec<&Json> = events[1..].iter().map(|event| &event["attendance"]["location"]).collect();
    assert_eq!(
        moves,
        [&json!({"area": "resus", "since": at("14:06")}), &json!({"area": "majors", "since": at("14:40")})]
    );
    let ids: Vec<&str> = events.iter().map(|event| &event["id"].as_str().unwrap()[18..]).collect();
    assert_eq!(ids, [".000", ".001", ".002"]);
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    let site_of = |changes: &[(&str, Json)]| {
        let (events, _) = translated(FEED, changed(changes).to_string().as_bytes()).unwrap();
        (events[0]["attendance"]["site"].clone(), events[0]["attendance"]["department_type"].clone())
    };
    let utc = json!([location("utc", &at("14:06"))]);
    assert_eq!(site_of(&[("/location", utc)]), (json!("RXF10"), json!(3)));
    let provider = |code: &str| json!({ "identifier": { "system": ODS_SITE, "value": code } });
    assert_eq!(site_of(&[("/serviceProvider", provider("RXF10"))]).0, "RXF10");
    // A trust is no site: the feed's stands.
    assert_eq!(site_of(&[("/serviceProvider", provider("RXF"))]).0, "RXF05");
    let other = changed(&[("/serviceProvider", provider("RAA01"))]).to_string();
    assert_eq!(translated(FEED, other.as_bytes()).unwrap_err().outcome, Outcome::NotAllowed);
    let elsewhere = json!([location("majors", &at("14:06")), { "location": provider("RAA01") }]);
    let fault = translated(FEED, changed(&[("/location", elsewhere)]).to_string().as_bytes()).unwrap_err();
    assert_eq!(
        (fault.outcome, fault.expression.as_str()),
        (Outcome::NotAllowed, "Encounter.location[1].location")
    );
    for (code, warned) in [("RXF05", 0), ("RXF", 0), ("RAA", 1), ("NOBODY", 1)] {
        let text = changed(&[("/serviceProvider", provider(code))]).to_string();
        let (events, left_out) = translated(FEED, text.as_bytes()).unwrap();
        assert_eq!(
            (events[0]["attendance"]["site"].as_str(), left_out.len()),
            (Some("RXF05"), warned),
            "{code}: {left_out:?}"
        );
    }
    let without = FEED.replace("site = \"RXF05\"\n", "");
    let fault = translated(&without, visit().to_string().as_bytes()).unwrap_err();
    assert_eq!(fault.outcome, Outcome::UnknownPlace);
}

#[test]
fn what_is_no_attendance_is_a_heartbeat_and_what_is_unknown_is_left_out() {
    for changes in [
        [("/class/code", json!("IMP"))],
        [("/class/code", json!("999-CAD"))],
        [("/status", json!("planned"))],
    ] {
        let (events, left_out) = translated(FEED, changed(&changes).to_string().as_bytes()).unwrap();
        assert_eq!(
            (&events[0]["heartbeat"], events.len(), left_out.len()),
            (&json!({}), 1, 1),
            "{changes:?}"
        );
    }
    let unknown = changed(&[("/priority", json!({ "coding": [{ "code": "9434765919" }] }))]);
    let (events, left_out) = translated(FEED, unknown.to_string().as_bytes()).unwrap();
    assert_eq!(events[0]["attendance"].get("acuity"), None);
    assert_eq!(left_out, ["Encounter (acuity): a code that is in no table of the feed"]);
    let dateless =
        json!([{ "status": "triaged" }, { "status": "onleave" }, { "status": "in-progress", "period": {} }]);
    let text = changed(&[("/statusHistory", dateless)]).to_string();
    let (_, left_out) = translated(FEED, text.as_bytes()).unwrap();
    let places: Vec<&str> = left_out.iter().filter_map(|text| text.split(':').next()).collect();
    assert_eq!(
        places,
        ["Encounter.statusHistory[0].period.start", "Encounter.statusHistory[2].period.start"]
    );
    let open_end = changed(&[("/status", json!("finished"))]);
    let (_, left_out) = translated(FEED, open_end.to_string().as_bytes()).unwrap();
    assert!(left_out[0].starts_with("Encounter.period.end: is missing"), "{left_out:?}");
}

#[test]
fn when_it_was_recorded_is_the_resource_s_or_the_bundle_s_or_when_it_came() {
    let late = changed(&[("/meta", json!({ "versionId": "x" }))]);
    let (events, _) = translated(FEED, late.to_string().as_bytes()).unwrap();
    assert_eq!(events[0]["recorded_at"], RECEIVED.second().to_string());
    assert!(events[0]["id"].as_str().unwrap().starts_with("0-"));
}

/// Each with the element that is named.
#[test]
fn what_is_wrong_is_said_with_its_element_and_without_its_text() {
    let secret = "SECRET9434765919";
    let rows: Vec<(Vec<(&str, Json)>, &str)> = vec![
        (vec![("/resourceType", json!(secret))], "Resource.resourceType"),
        (vec![("/resourceType", Json::Null)], "Resource.resourceType"),
        (vec![("/status", json!(secret))], "Encounter.status"),
        (vec![("/status", Json::Null)], "Encounter.status"),
        (vec![("/status", json!(7))], "Encounter.status"),
        (vec![("/class", Json::Null)], "Encounter.class.code"),
        (vec![("/class", json!(secret))], "Encounter.class"),
        (vec![("/period", Json::Null)], "Encounter.period.start"),
        (vec![("/period", json!({ "end": "2026-11-21T14:05:00Z" }))], "Encounter.period.start"),
        (vec![("/period/start", json!(secret))], "Encounter.period.start"),
        (vec![("/period/start", json!("2026-11-21"))], "Encounter.period.start"),
        (vec![("/period/start", json!("2026-11"))], "Encounter.period.start"),
        (vec![("/period/start", json!("2026"))], "Encounter.period.start"),
        (vec![("/period/start", json!("2026-11-21T14:05:00"))], "Encounter.period.start"),
        (vec![("/period/start", json!("2026-11-21T14:05Z"))], "Encounter.period.start"),
        (vec![("/period/start", json!("1926-11-21T14:05:00Z"))], "Encounter.period.start"),
        (vec![("/period/start", json!(["2026-11-21T14:05:00Z"]))], "Encounter.period.start"),
        (vec![("/status", json!("finished")), ("/period/end", json!(secret))], "Encounter.period.end"),
        (vec![("/meta/lastUpdated", json!(secret))], "Encounter.meta.lastUpdated"),
        (vec![("/identifier", Json::Null)], "Encounter.identifier"),
        (vec![("/identifier", json!([{ "system": secret, "value": secret }]))], "Encounter.identifier"),
        (
            vec![(
                "/identifier",
                json!([{ "system": "https://rxf.example/visit", "value": secret.repeat(5) }]),
            )],
            "Encounter.identifier",
        ),
        (
            vec![("/identifier", json!([{ "system": "https://rxf.example/visit", "value": "" }]))],
            "Encounter.identifier",
        ),
        (vec![("/identifier", json!({ "value": secret }))], "Encounter.identifier"),
        (vec![("/identifier", json!([secret]))], "Encounter.identifier[0]"),
        (
            vec![("/statusHistory", json!([{ "status": "triaged", "period": { "start": secret } }]))],
            "Encounter.statusHistory[0].period.start",
        ),
        (
            vec![(
                "/location",
                json!([{ "location": { "identifier": { "value": "majors" } }, "period": { "start": secret } }]),
            )],
            "Encounter.location[0].period.start",
        ),
        (vec![("/modifierExtension", json!([{ "url": secret }]))], "Encounter.modifierExtension"),
        (
            vec![("/extension", json!([{ "url": "https://rxf.example/decided", "valueDateTime": secret }]))],
            "Encounter.extension (decided_to_admit_at)",
        ),
        (vec![("/extension", json!(secret))], "Encounter.extension"),
        // Arrays in the place of objects.
        (vec![("/period", json!(["2026-11-21T14:05:00Z"]))], "Encounter.period"),
        (vec![("/class", json!(["EMER"]))], "Encounter.class"),
        (vec![("/identifier", json!([["https://rxf.example/visit", secret]]))], "Encounter.identifier[0]"),
        (vec![("/priority", json!({ "coding": [[secret]] }))], "Encounter.priority.coding[0]"),
    ];
    for (changes, expression) in rows {
        let text = changed(&changes).to_string();
        let fault = translated(FEED, text.as_bytes()).unwrap_err();
        assert_eq!(
            (fault.outcome, fault.expression.as_str()),
            (Outcome::Malformed, expression),
            "{changes:?}"
        );
        let told = outcome::refused(&fault).to_string();
        assert!(!told.contains(secret) && told.contains(expression), "{told}");
    }
    let several = FEED.replace("identifier = \"https://rxf.example/visit\"\n", "");
    let fault = translated(&several, visit().to_string().as_bytes()).unwrap_err();
    assert_eq!(fault.expression, "Encounter.identifier");
    for bad in [
        "",
        "{",
        "[]",
        "[\"Encounter\"]",
        "null",
        "nonsense",
        "{\"resourceType\":\"Encounter\"} x",
        "\u{feff}{}",
    ] {
        assert!(translated(FEED, bad.as_bytes()).is_err(), "{bad:?}");
    }
    let mut invalid = visit().to_string().into_bytes();
    let at = invalid.windows(7).position(|seven| seven == b"A000123").unwrap();
    invalid[at] = 0xff;
    assert_eq!(translated(FEED, &invalid).unwrap_err().outcome, Outcome::Malformed);
}

#[test]
fn a_key_that_stands_twice_is_refused_and_depth_costs_no_stack() {
    let twice = visit()
        .to_string()
        .replace("\"status\":\"in-progress\"", "\"status\":\"finished\",\"status\":\"arrived\"");
    assert_eq!(translated(FEED, twice.as_bytes()).unwrap_err().expression, "Encounter");
    let deep = format!("{}{}", "[{\"extension\":".repeat(3_000), "[]");
    let nested = visit()
        .to_string()
        .replace("\"class\"", &format!("\"extension\":{deep}{},\"class\"", "}]".repeat(3_000)));
    assert_eq!(translated(FEED, nested.as_bytes()).unwrap_err().outcome, Outcome::Malformed);
    let ignored = visit()
        .to_string()
        .replace("\"class\"", &format!("\"text\":{}{},\"class\"", "[".repeat(9_000), "]".repeat(9_000)));
    assert!(translated(FEED, ignored.as_bytes()).is_ok());
}
