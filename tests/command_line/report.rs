//! `sitrep report` over published figures: October 2017 beside September 2017 and October 2016, from returns and from
//! attendances, for England and for a group, and October 2025 from attendances, of which nothing else is held. The golden files are read by people:
//! `SITREP_BLESS=1` writes them anew.

use std::path::Path;

use serde_json::Value as Json;

use crate::run::sitrep;
use crate::world::World;

const MONTHS_OF_2016_TO_2018: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/ae-2016-04_2018-03.csv");
const OCTOBER_2025: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/msitae-2025-10.csv");

/// Four of the ten trusts below 80 % in October 2017.
const GROUPS: &str = "group,name,member\necip-2017-4,Group four,RQW\necip-2017-4,Group four,RXW\necip-2017-4,Group four,RVV\n\
    ecip-2017-4,Group four,RLQ\n";

fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    if std::env::var_os("SITREP_BLESS").is_some() {
        std::fs::write(&path, found).expect("the golden file is written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is not what is said now:\n{found}", path.display());
}

/// Imports, replays into a store; the store's folder.
fn store(world: &World, import: &[&str], replay: &[&str]) -> String {
    let (places, events, store) =
        (world.path("places.csv"), world.path("events.ndjson"), world.path("store"));
    let mut arguments = vec!["import", "--organisations-out", &places, "--out", &events];
    arguments.extend(import);
    sitrep(&arguments).well();
    let mut arguments = vec!["replay", "--organisations", &places, "--events", &events, "--step", "1h"];
    arguments.extend(["--windows", "today", "--store", &store]);
    arguments.extend(replay);
    sitrep(&arguments).well();
    store
}

fn report(store: &str, more: &[&str]) -> String {
    let mut arguments = vec!["report", "--store", store];
    arguments.extend(more);
    sitrep(&arguments).well().text().to_owned()
}

/// The cells of a row of the text, from its label on.
fn cells<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let line =
        text.lines().find(|line| line.starts_with(label)).unwrap_or_else(|| panic!("no {label}:\n{text}"));
    line[label.len()..].split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn october_2017_is_told_beside_september_and_the_year_before() {
    let world = World::new();
    let groups = world.write("groups.csv", GROUPS.as_bytes());
    let (only, from, until) = ("standard", "2016-10-31T00:00:00Z", "2017-11-01T00:00:00Z");
    let store = store(
        &world,
        &["--as", "returns", "--month", "2016-10,2017-09,2017-10", "--", MONTHS_OF_2016_TO_2018],
        &["--only", only, "--from", from, "--until", until, "--groups", &groups],
    );
    let month = ["--period", "month", "--ending", "2017-10-31"];
    let text = report(&store, &month);
    // The totals of the published tables, as NHS England's revised series has them.
    for (label, expected) in [
        ("All types: attendances", ["2,044,137", "1,925,961", "2,001,816"]),
        ("All types: over four hours", ["205,602", "199,027", "219,137"]),
        ("All types: within four hours", ["89.94 %", "89.67 %", "89.05 %"]),
        ("Type 1 (major): attendances", ["1,325,211", "1,263,957", "1,317,571"]),
        ("Type 1 (major): over four hours", ["201,118", "195,015", "214,604"]),
        ("Type 1 (major): within four hours", ["84.82 %", "84.57 %", "83.71 %"]),
    ] {
        assert_eq!(cells(&text, label), expected, "{label}");
    }
    let one_line = text.replace('\n', " ");
    assert!(
        one_line.contains(
            "89.9 % of patients (all types) within four hours against 90 %; 84.8 % in major departments (type 1); the \
             same month last year 89.0 % and 83.7 %; 10 trusts below 80 %, 16 a year ago."
        ),
        "{text}"
    );
    golden("report-2017-10.txt", &text);
    let json: Json =
        serde_json::from_str(&report(&store, &[&month[..], &["--format", "json"]].concat())).expect("JSON");
    assert_eq!(json["format"], "sitrep-report/1");
    let all = &json["periods"]["now"]["four_hour"]["all"];
    assert_eq!(
        (&all["departed"], &all["over_4h"], &all["share"]),
        (&2_044_137.into(), &205_602.into(), &0.899419.into())
    );
    assert_eq!(json["below_floor"]["now"]["below"], 10);
    assert_eq!(json["below_floor"]["year_before"]["below"], 16);
    assert_eq!(json["below_floor"]["organisations"].as_array().map(Vec::len), Some(10));
    let page = report(&store, &[&month[..], &["--format", "html"]].concat());
    assert!(page.starts_with("<!doctype html>") && page.contains("89.94 %") && !page.contains("<script"));
    group_of_2017(&report(&store, &[&month[..], &["--org", "ecip-2017-4"]].concat()));
    // Nobody returns anything for the sites of a trust: nothing is said of how many are below.
    let trust = report(&store, &[&month[..], &["--org", "RHU"]].concat());
    assert_eq!(cells(&trust, "All types: attendances")[0], "12,636");
    assert!(!trust.contains("below 80 %"), "{trust}");
}

/// What is said of the group: the sum of its four members, and which of them are below the floor.
fn group_of_2017(text: &str) {
    assert!(text.starts_with("SITUATION REPORT: GROUP FOUR (ECIP-2017-4)\n"), "{text}");
    // By hand from the table: 8,706 + 10,764 + 20,407 + 5,172 and 2,762 + 2,878 + 5,030 + 1,042.
    assert_eq!(cells(text, "All types: attendances")[0], "45,049");
    assert_eq!(cells(text, "All types: over four hours")[0], "11,712");
    assert!(text.contains("Four trusts of 4 with attendances; a year before 3 of 4."), "{text}");
    for (trust, share) in [("RQW", "68.27 %"), ("RXW", "73.26 %"), ("RVV", "75.35 %"), ("RLQ", "79.85 %")] {
        assert_eq!(cells(text, trust)[0], share);
    }
}

/// The ten trusts that were below 80 %: the same sentences and tables from their attendances as from their returns. (All
/// six million attendances say the same as the golden file, and take 17 seconds of a processor: see `golden/fill`.)
#[test]
fn ten_trusts_of_2017_are_the_same_attendance_by_attendance() {
    let world = World::new();
    let month = ["--month", "2016-10,2017-09,2017-10", "--", MONTHS_OF_2016_TO_2018];
    let (all, places, events) = (world.path("all.csv"), world.path("ten.csv"), world.path("ten.ndjson"));
    let first = ["import", "--as", "returns", "--organisations-out", &all, "--out", &events];
    sitrep(&[&first[..], &month].concat()).well();
    let all = std::fs::read_to_string(&all).expect("places");
    let ten = ["RQW", "RXW", "RVV", "RHU", "RGN", "RWD", "RR1", "RJE", "RRK", "RLQ"];
    let is_of_them = |row: &&str| {
        let cells: Vec<&str> = row.split(',').collect();
        ["code", "ENG"].contains(&cells[0])
            || ten.contains(&cells[0])
            || cells.iter().rev().nth(1).is_some_and(|parent| ten.contains(parent))
    };
    world.write(
        "ten.csv",
        all.lines().filter(is_of_them).flat_map(|row| [row, "\n"]).collect::<String>().as_bytes(),
    );
    let told = |kind: &str, only: &str, from: &str| {
        let store = world.path(kind);
        let import = ["import", "--as", kind, "--organisations", &places, "--out", &events];
        sitrep(&[&import[..], &month].concat()).well();
        let span = ["--from", from, "--until", "2017-11-01T00:00:00Z", "--step", "1h", "--windows", "today"];
        let replay =
            ["replay", "--organisations", &places, "--events", &events, "--only", only, "--store", &store];
        sitrep(&[&replay[..], &span].concat()).well();
        report(&store, &["--period", "month", "--ending", "2017-10-31"])
    };
    let counted = told("attendances", "ae_four_hour", "2016-10-01T23:00:00Z");
    let returned = told("returns", "standard", "2016-10-31T00:00:00Z");
    let figures = |text: &str| {
        let from = text.find("\n\n").expect("a heading");
        let until =
            ["\nPERIODIC STANDARDS", "\nHOW COMPLETE"].into_iter().filter_map(|title| text.find(title)).min();
        text[from..until.expect("an end")].to_owned()
    };
    assert_eq!(figures(&counted), figures(&returned));
    assert!(figures(&counted).contains("10 trusts of 10 with attendances"), "{counted}");
    assert_eq!(cells(&counted, "Four-hour figures come from"), ["events"; 3]);
    assert_eq!(cells(&returned, "Four-hour figures come from"), ["returns"; 3]);
}

#[test]
fn october_2025_stands_alone() {
    let world = World::new();
    let store = store(
        &world,
        &["--", OCTOBER_2025],
        &[
            "--only",
            "ae_four_hour",
            "--levels",
            "nation,region,trust",
            "--from",
            "2025-10-01T23:00:00Z",
            "--until",
            "2025-11-01T00:00:00Z",
        ],
    );
    let month = ["--period", "month", "--ending", "2025-10-31"];
    let text = report(&store, &month);
    for (label, expected) in [
        ("All types: attendances", "2,401,266"),
        ("All types: over four hours", "619,874"),
        ("All types: within four hours", "74.19 %"),
        ("Type 1 (major): attendances", "1,481,222"),
        ("Type 1 (major): over four hours", "590,612"),
        ("Type 1 (major): within four hours", "60.13 %"),
    ] {
        assert_eq!(cells(&text, label), [expected, "not held", "not held"], "{label}");
    }
    let one_line = text.replace('\n', " ");
    assert!(
        one_line.contains(
            "74.1 % of patients (all types) within four hours against 78 %; 60.1 % in major departments (type 1); the \
             same month last year not held; 110 trusts below 80 %, not held a year ago."
        ),
        "{text}"
    );
    assert!(
        one_line
            .contains("Contains public sector information licensed under the Open Government Licence v3.0")
    );
    assert!(one_line.contains("is made up"), "what the import invented is said");
    golden("report-2025-10.txt", &text);
    // NHS England's regional total of London.
    let london = report(&store, &[&month[..], &["--org", "Y56"]].concat());
    assert_eq!(cells(&london, "All types: attendances")[0], "420,974");

    for (arguments, expected) in [
        (&["--period", "week", "--ending", "2025-10-31"][..], "sitrep: --ending: 2025-10-31 is no Sunday, "),
        (
            &["--period", "month", "--ending", "2025-10-30"],
            "sitrep: --ending: 2025-10-30 is not the last day of its month, ",
        ),
        (&["--period", "year", "--ending", "2025-12-31"], "sitrep: --period year: write day, week or month"),
        (&["--period", "day", "--ending", "31.10.2025"], "sitrep: --ending: \"31.10.2025\" is no date "),
        (
            &["--period", "day", "--ending", "2025-10-31", "--org", "Y99"],
            "sitrep: no organisation has the code \"Y99\" ",
        ),
        (
            &["--period", "day", "--ending", "2025-10-31", "--floor", "80"],
            "sitrep: --floor 80: write a share from 0 to 1",
        ),
        (
            &["--period", "day", "--ending", "2025-10-31", "--format", "pdf"],
            "sitrep: --format pdf: write text, html or json",
        ),
        (
            &["--period", "day", "--ending", "2025-10-31", "--set", "targets=/none"],
            "sitrep: /none cannot be read: ",
        ),
    ] {
        let done = sitrep(&[&["report", "--store", &store][..], arguments].concat());
        assert!(done.err.starts_with(expected), "{}is not\n{expected}", done.err);
        assert_eq!((done.code, done.text()), (2, ""));
    }
    let nowhere =
        sitrep(&["report", "--period", "day", "--ending", "2025-10-31", "--store", &world.path("nothing")]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.err.contains("holds no store"), "{}", nowhere.err);
}
