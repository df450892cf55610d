//! FHIR resources posted to the door.

use std::io::Write as _;

use domain::time::rfc3339;

use super::*;
use crate::fhir;
use crate::fhir::resource::Bundle;
use crate::retry::Retry;

const FEED: &str = r#"
source = "rxf.fhir"
orgs = ["RXF"]
site = "RXF05"
"#;

fn feed(name: &str, text: &str) -> Feed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{name}.toml"));
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    Feed::read(&path, &organisations()).unwrap()
}

fn door_of(feeds: Vec<Feed>, access: Access) -> Door {
    let mut door = door();
    let Inner { desk, limits, writes, .. } = &*door.state.0;
    let (desk, writes) = (desk.clone(), writes.clone());
    let listened = vec!["epr".to_owned()];
    let inner = Inner { desk, access, feeds, listened, limits: *limits, writes };
    door.state = IntakeState(Arc::new(inner));
    door.router = router(door.state.clone());
    door
}

fn one_feed() -> Door {
    door_of(vec![feed("fhir", FEED)], access(Some(TOKEN), Path::new(""), &Registry::new()))
}

fn visit(reference: &str) -> Value {
    json!({
        "resourceType": "Encounter", "status": "in-progress", "class": { "code": "EMER" },
        "meta": { "versionId": "1", "lastUpdated": "2026-11-21T14:07:09Z" },
        "identifier": [{ "value": reference }], "period": { "start": "2026-11-21T14:05:00Z" },
        "subject": { "display": "Zanzibar" }
    })
}

impl Door {
    async fn fhir(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, HeaderMap, Value) {
        let mut request = Request::post(path).header("authorization", format!("Bearer {TOKEN}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
        (status, headers, serde_json::from_slice(&bytes).unwrap())
    }

    async fn encounter(&self, visit: &Value) -> (u16, Value) {
        let body = visit.to_string().into_bytes();
        let (status, headers, answer) = self.fhir("/fhir/R4/Encounter", &[], body).await;
        assert_eq!(headers["content-type"], "application/fhir+json");
        assert_eq!(answer["resourceType"], "OperationOutcome");
        (status, answer)
    }
}

#[tokio::test]
async fn an_encounter_is_taken_or_refused_and_kept() {
    let door = one_feed();
    let (status, answer) = door.encounter(&visit("A000123")).await;
    assert_eq!((status, &answer["issue"][0]["severity"]), (200, &json!("information")), "{answer}");
    let appended = door.appended();
    assert_eq!((appended.len(), appended[0].0.as_str()), (1, topics::EVENTS));
    let change = |key: &str, value: Value| {
        let mut visit = visit("A1");
        visit[key] = value;
        visit
    };
    let ods = "https://fhir.nhs.uk/Id/ods-site-code";
    let large = change("text", json!("x".repeat(70_000)));
    for (visit, status, reason, expression) in [
        (change("status", json!("gone")), 400, Outcome::Malformed, "Encounter.status"),
        (
            change("period", json!({ "start": "2026-11-21" })),
            400,
            Outcome::Malformed,
            "Encounter.period.start",
        ),
        (
            change("period", json!({ "start": "2026-11-22T14:05:00Z" })),
            422,
            Outcome::FutureDated,
            "Encounter",
        ),
        (change("resourceType", json!("Patient")), 400, Outcome::Malformed, "Resource.resourceType"),
        (large, 413, Outcome::TooLarge, "Encounter"),
    ] {
        let door = one_feed();
        let (answered, answer) = door.encounter(&visit).await;
        let issue = &answer["issue"][0];
        assert_eq!((answered, &issue["severity"]), (status, &json!("error")), "{answer}");
        assert_eq!(
            (&issue["details"]["text"], &issue["expression"]),
            (&json!(reason.as_str()), &json!([expression]))
        );
        let refusals = door.refusals();
        let [kept] = refusals.as_slice() else { panic!("{}", refusals.len()) };
        let whole = visit.to_string().into_bytes();
        assert_eq!((kept.reason, &kept.origin, kept.source.as_str()), (reason, &Origin::Fhir, "rxf.fhir"));
        assert_eq!((kept.length, kept.sha256), (whole.len() as u64, Sha256::digest(&whole).into()));
        assert!(!answer.to_string().contains("Zanzibar") && !kept.detail.contains("Zanzibar"));
        assert_eq!(door.counted(), (1, 0, 1));
    }
    // The token's orgs hold for FHIR too.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let row = |token: &str, org: &str| {
        format!(
            "[[token]]\nname = \"x\"\nsha256 = \"{}\"\nsources = [\"*\"]\norgs = [\"{org}\"]\n",
            digest_hex(token)
        )
    };
    std::fs::write(&file, row(TOKEN, "RX8")).unwrap();
    let door = door_of(vec![feed("fhir", FEED)], access(None, &file, &Registry::new()));
    let (status, answer) = door.encounter(&visit("A1")).await;
    assert_eq!(
        (status, &answer["issue"][0]["details"]["text"]),
        (403, &json!("not_allowed")),
        "{answer} {ods}"
    );
}

#[tokio::test]
async fn a_bundle_is_worked_through_entry_by_entry() {
    let door = one_feed();
    let bad =
        json!({ "resourceType": "Encounter", "status": "SECRET9434765919", "class": { "code": "EMER" } });
    let entry =
        |resource: &Value, method: &str| json!({ "resource": resource, "request": { "method": method } });
    let bundle = |kind: &str, entries: Vec<Value>| json!({ "resourceType": "Bundle", "type": kind, "timestamp": "2026-11-21T14:08:00Z", "entry": entries });
    let patient = json!({ "resourceType": "Patient", "name": [{ "family": "Zanzibar" }] });
    let entries = vec![
        entry(&visit("A1"), "POST"),
        entry(&bad, "PUT"),
        entry(&patient, "POST"),
        entry(&visit("A2"), "DELETE"),
        json!({ "resource": visit("A3") }),
        json!({ "fullUrl": "urn:uuid:1" }),
    ];
    for (kind, answered) in
        [("transaction", "transaction-response"), ("batch", "batch-response"), ("message", "batch-response")]
    {
        let body = bundle(kind, entries.clone()).to_string().into_bytes();
        for (headers, body) in [(&[][..], body.clone()), (&[GZIP], gzip(&body))] {
            let (status, _, answer) = door.fhir("/fhir/R4", headers, body).await;
            assert_eq!((status, &answer["type"]), (200, &json!(answered)), "{answer}");
            let statuses =
                answer["entry"].as_array().unwrap().iter().map(|one| one["response"]["status"].clone());
            let bad = "400 Bad Request";
            assert_eq!(statuses.collect::<Vec<_>>(), ["200 OK", bad, "200 OK", "200 OK", "200 OK", "200 OK"]);
            assert!(!answer.to_string().contains("SECRET") && !answer.to_string().contains("Zanzibar"));
        }
    }
    assert_eq!((door.counted(), door.refusals().len()), ((18, 12, 6), 6));
    let (status, ..) = door.fhir("/fhir/R4", &[], bundle("batch", vec![]).to_string().into_bytes()).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn what_is_no_resource_or_comes_from_nobody_is_answered_in_fhir_too() {
    let door = one_feed();
    let kept = door.appended().len();
    for (path, headers, body, status) in [
        ("/fhir/R4/Encounter", &[][..], &b"nonsense"[..], 400),
        ("/fhir/R4/Encounter", &[], b"[{}]", 400),
        ("/fhir/R4/Encounter", &[], b"", 400),
        ("/fhir/R4/Encounter", &[GZIP], b"not gzip", 400),
        ("/fhir/R4/Encounter", &[("content-type", "application/fhir+xml")], b"<Encounter/>", 415),
        ("/fhir/R4/Encounter", &[("content-encoding", "br")], b"{}", 415),
        ("/fhir/R4/Encounter?feed=other", &[], b"{}", 403),
        ("/fhir/R4", &[], b"nonsense", 400),
        ("/fhir/R4", &[], b"{\"resourceType\":\"Encounter\"}", 400),
        ("/fhir/R4", &[], b"{\"resourceType\":\"Bundle\",\"entry\":7}", 400),
        ("/fhir/R4", &[GZIP], b"not gzip", 400),
        ("/fhir/R4", &[("authorization", "Bearer other")], b"{}", 200),
    ] {
        let (answered, _, answer) = door.fhir(path, headers, body.to_vec()).await;
        // Two authorization headers: the first counts.
        let expected = if status == 200 { 400 } else { status };
        assert_eq!(
            (answered, &answer["resourceType"]),
            (expected, &json!("OperationOutcome")),
            "{path} {headers:?}"
        );
        assert_eq!(answer["issue"][0]["severity"], "error");
    }
    for (body, said) in [
        (&b""[..], "the body is empty or is not one Encounter as a JSON object"),
        (b"[{}]", "the body is empty or is not one Encounter as a JSON object"),
        (b"\xef\xbb\xbf{}", "without a byte order mark"),
        (b"{\"resourceType\": \"Encounter\",\n\"status\": }", "the body is not JSON at line 2 column 11"),
        (b"{\"text\":\n\"Zo\xeb\"}", "the body is not UTF-8 at line 2 column 4"),
    ] {
        let (status, _, answer) = door.fhir("/fhir/R4/Encounter", &[], body.to_vec()).await;
        let told = answer["issue"][0]["diagnostics"].as_str().unwrap();
        assert!(status == 400 && told.contains(said), "{answer}");
    }
    assert_eq!(door.appended().len(), kept);
    let two = door_of(
        vec![feed("one", FEED), feed("two", FEED)],
        access(Some(TOKEN), Path::new(""), &Registry::new()),
    );
    assert_eq!(two.encounter(&visit("A1")).await.0, 400);
    let body = visit("A1").to_string().into_bytes();
    assert_eq!(two.fhir("/fhir/R4/Encounter?feed=two", &[], body).await.0, 200);
    let none = door_of(vec![], access(Some(TOKEN), Path::new(""), &Registry::new()));
    assert_eq!(none.encounter(&visit("A1")).await.0, 403);
}

/// `epr` has a listener for MLLP, `ecds` a CSV extract.
#[tokio::test]
async fn a_feed_with_another_door_is_meant_only_by_its_name_or_alone() {
    for (names, query, status) in [
        (&["epr", "fhir", "ecds"][..], "", 200),
        (&["epr", "fhir", "ecds"], "?feed=epr", 200),
        (&["epr"], "", 200),
        (&["ecds"], "", 200),
        (&["epr", "ecds"], "", 400),
        (&["epr", "fhir", "other"], "", 400),
    ] {
        let of = |name: &&str| {
            let text = FEED.replace("rxf.fhir", name);
            feed(name, &if *name == "ecds" { format!("{text}[csv]\nref = \"id\"\n") } else { text })
        };
        let door =
            door_of(names.iter().map(of).collect(), access(Some(TOKEN), Path::new(""), &Registry::new()));
        let body = visit("A1").to_string().into_bytes();
        let (answered, _, answer) = door.fhir(&format!("/fhir/R4/Encounter{query}"), &[], body).await;
        assert_eq!(answered, status, "{names:?} {query}: {answer}");
    }
}

#[tokio::test]
async fn a_bundle_of_too_many_entries_is_refused_without_reading_them_all() {
    let bundle = |entries: usize| {
        let entries = vec!["{}"; entries].join(",");
        format!("{{\"resourceType\":\"Bundle\",\"entry\":[{entries}]}}").into_bytes()
    };
    for (entries, read, status) in [(10_000, 10_000, 200), (10_001, 10_001, 413), (1_000_000, 10_001, 413)] {
        let bytes = bundle(entries);
        assert_eq!(fhir::read::<Bundle<'_>>(&bytes, "Bundle").unwrap().entry.0.len(), read);
        let (answered, ..) = one_feed().fhir("/fhir/R4", &[GZIP], gzip(&bytes)).await;
        assert_eq!(answered, status, "{entries}");
    }
    // What is not read must be JSON all the same.
    let broken = [&bundle(20_000)[..30_000], b"!"].concat();
    assert_eq!(one_feed().fhir("/fhir/R4", &[], broken).await.0, 400);
}

/// An entry that does not say when it was recorded: then as the Bundle says, also when it is judged again.
#[tokio::test]
async fn an_entry_that_is_sent_again_was_recorded_when_its_bundle_was() {
    let everybody = || access(Some(TOKEN), Path::new(""), &Registry::new());
    let door = door_of(vec![feed("fhir", "source = \"rxf.fhir\"\n")], everybody());
    let mut visit = visit("A1");
    visit["meta"] = json!({});
    let bundle = json!({ "resourceType": "Bundle", "timestamp": "2026-11-21T14:08:00Z", "entry": [{ "resource": visit }] });
    door.fhir("/fhir/R4", &[], bundle.to_string().into_bytes()).await;
    let refusals = door.refusals();
    assert_eq!(refusals.len(), 1);
    let pseudonyms = Pseudonyms::new(Some(b"a key of a deployment"), true).unwrap();
    let repaired = vec![feed("fhir", FEED)];
    let retry = Retry::new(organisations(), Standards::default(), pseudonyms, true, 14 * 1_440, repaired);
    let records = retry.judge(&refusals[0], &refusals[0].bytes, Millis(NOW)).unwrap();
    let event = parse_protobuf(&records[0].1.value, &Required, &mut 0).unwrap();
    assert_eq!(Some(event.recorded_at), rfc3339(b"2026-11-21T14:08:00Z"));
}

#[tokio::test]
async fn a_body_that_is_no_resource_is_one_refused_of_its_sender() {
    for path in ["/fhir/R4", "/fhir/R4/Encounter"] {
        let door = one_feed();
        let in_trouble = || door.state.0.desk.metrics.senders_in_trouble.get();
        for _ in 0..Alarm::default().at_least {
            assert_eq!(in_trouble(), 0, "{path}");
            assert_eq!(door.fhir(path, &[], b"nonsense".to_vec()).await.0, 400);
        }
        assert_eq!(in_trouble(), 1, "{path}");
    }
}
