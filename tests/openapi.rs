//! `/openapi.json` has every route, says what each answers, and refers to nothing that is not in it. `.ci/run` also has
//! a validator read it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;

fn document() -> Json {
    serde_json::from_str(contract::OPENAPI).expect("JSON")
}

/// The paths of `.route("…"` in the services' code, but the files of the page.
fn routes() -> BTreeSet<String> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the tree").join("services");
    let (mut folders, mut routes) = (vec![root], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the tree").map_while(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a file of the tree");
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (at, _) in shipped.match_indices(".route(") {
                let rest = shipped[at + 7..].trim_start();
                if let Some(route) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                    routes.insert(route.to_owned());
                }
            }
        }
    }
    routes
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = document();
    let described: BTreeSet<String> = document["paths"].as_object().expect("paths").keys().cloned().collect();
    assert_eq!(routes(), described);
    assert!(described.len() > 8);
}

/// What the doors can answer: see the table of the intake's `http`.
#[test]
fn every_answer_of_the_doors_is_described() {
    let document = document();
    for path in ["/v1/events", "/fhir/R4", "/fhir/R4/Encounter"] {
        let answers = document["paths"][path]["post"]["responses"].as_object().expect("answers");
        for status in ["200", "400", "401", "403", "408", "413", "415", "429", "503"] {
            assert!(answers.contains_key(status), "{path}: {status}");
        }
    }
}

#[test]
fn what_is_referred_to_is_there_and_each_operation_has_a_name() {
    let document = document();
    let (mut left, mut references, mut names) = (vec![&document], 0, BTreeSet::new());
    while let Some(value) = left.pop() {
        if let Some(reference) = value["$ref"].as_str() {
            references += 1;
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        if let Some(name) = value["operationId"].as_str() {
            assert!(names.insert(name.to_owned()), "{name} stands twice");
            assert!(value["responses"].as_object().is_some_and(|all| !all.is_empty()), "{name}");
        }
        match value {
            Json::Object(all) => left.extend(all.values()),
            Json::Array(all) => left.extend(all),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    assert!(references > 20 && names.len() > 8, "{references} references, {} names", names.len());
}

/// The document's events are those of the contract: each fact of a golden example is described, and the reverse.
#[test]
fn an_event_s_facts_are_the_contract_s() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (kind, schema, golden) in [
        ("attendance", "Attendance", include_str!("../proto/golden/event-attendance.json")),
        ("ambulance", "Journey", include_str!("../proto/golden/event-ambulance.json")),
        ("beds", "Beds", include_str!("../proto/golden/event-beds.json")),
        ("standard", "Return", include_str!("../proto/golden/event-standard.json")),
        ("escalation", "Escalation", include_str!("../proto/golden/event-escalation.json")),
    ] {
        let golden: Json = serde_json::from_str(golden).expect("JSON");
        let keys = |value: &Json| -> BTreeSet<String> {
            value.as_object().expect("an object").keys().cloned().collect()
        };
        let (stated, described) = (keys(&golden[kind]), keys(&schemas[schema]["properties"]));
        let unknown: Vec<_> = stated.difference(&described).collect();
        assert!(unknown.is_empty(), "{kind}: {unknown:?}");
        assert_eq!(schemas["Event"]["properties"][kind]["$ref"], format!("#/components/schemas/{schema}"));
    }
}
