//! Published tables on the board: `sitrep import | sitrep replay --store`, then `sitrep board --store`.

use std::process::Stdio;

use domain::time::{LondonDays, Second};
use serde_json::Value as Json;

use crate::run::{command, ended, sitrep};
use crate::running::Running;
use crate::world::World;

const OCTOBER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/msitae-2025-10.csv");

/// The sums over the days of the points at midnight: departed, and of these not within four hours.
fn of_days(series: &Json) -> (i64, i64) {
    let days = LondonDays::new();
    let (mut departed, mut over, mut midnights) = (0, 0, 0);
    for point in series["points"].as_array().expect("points") {
        let number = |index: usize| point[index].as_i64().expect("a number");
        let minute = Second(number(0) as u32).minute();
        if days.midnight(minute) == minute {
            midnights += 1;
            departed += number(1);
            over += number(1) - number(2);
        }
    }
    assert_eq!(midnights, 31, "the days of October");
    (departed, over)
}

#[test]
fn october_2025_is_seen_on_the_board() {
    let world = World::new();
    let (organisations, store) = (world.path("places.csv"), world.path("store"));
    let mut import = command(&["import", OCTOBER, "--organisations-out", &organisations, "--out", "-"]);
    let mut import = import.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let events = import.stdout.take().expect("it is piped");
    // The places are written before the first event, but the replay must not look for them sooner.
    let first = crate::patience::eventually("the places are written", crate::patience::SOON, || {
        let text = std::fs::read_to_string(&organisations).map_err(|error| error.to_string())?;
        if text.contains(",service,") || text.ends_with('\n') { Ok(text) } else { Err("not yet".to_owned()) }
    });
    assert!(first.starts_with("code,name,level,parent,department_type\n"));
    let replay = [
        "replay",
        "--organisations",
        &organisations,
        "--events",
        "-",
        "--from",
        "2025-10-01T23:00:00Z",
        "--until",
        "2025-11-01T00:00:00Z",
        "--step",
        "1h",
        "--levels",
        "nation,region",
        "--windows",
        "today",
        "--store",
        &store,
    ];
    let replay = command(&replay).stdin(events).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let replayed = ended(replay.expect("the binary starts")).well();
    assert!(replayed.err.contains("2,401,266 accepted, 0 duplicate, 0 refused;"), "{}", replayed.err);
    let imported = ended(import).well();
    assert!(imported.err.contains("2401266 attendances, 619874 over four hours"), "{}", imported.err);

    let board = Running::start(&["board", "--store", &store]);
    let asked = "measure=ae_four_hour&org=ENG&window=today&from=2025-10-01T00:00:00Z&step=1h";
    let answer = board.json(&format!("/v1/measures?{asked}"));
    assert_eq!(answer["until"], "2025-11-01T00:00:00Z");
    let series = answer["series"].as_array().expect("series");
    for (tag, expected) in [
        ("all", (2_401_266, 619_874)),
        ("1", (1_481_222, 590_612)),
        ("2", (54_756, 2_900)),
        ("3", (865_288, 26_362)),
    ] {
        let series = series.iter().find(|series| series["type"] == tag).expect("a series of each type");
        assert_eq!(of_days(series), expected, "type {tag}");
    }
    assert!(board.get("/").text().contains("<html"), "the page is there");
    board.stop();

    let again = sitrep(&[
        "replay",
        "--organisations",
        &organisations,
        "--events",
        "/dev/null",
        "--from",
        "2025-10-01T23:00:00Z",
        "--until",
        "2025-10-02T00:00:00Z",
        "--store",
        &store,
    ]);
    assert_eq!(again.code, 1, "{}", again.err);
    assert!(again.err.ends_with("holds figures already; choose a folder of its own\n"), "{}", again.err);
}

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/");

fn data(name: &str) -> String {
    format!("{DATA}{name}")
}

/// What a replay of events says of them.
fn read_again(world: &World, events: &[u8], organisations: Option<&str>) -> String {
    let path = world.write("events.ndjson", events);
    let mut arguments = vec!["replay", "--events", &path, "--from", "2025-10-01T00:00:00Z"];
    arguments.extend(["--until", "2025-10-01T00:00:00Z", "--count"]);
    arguments.extend(organisations.map(|path| ["--organisations", path]).into_iter().flatten());
    let done = sitrep(&arguments).well();
    done.err.lines().find(|line| line.contains(" read: ")).expect("what was read").to_owned()
}

#[test]
fn tables_of_all_forms_are_returns_that_are_taken_once() {
    let world = World::new();
    let tables = [
        "msitae-2025-10.csv",
        "ae-2016-04_2018-03.csv",
        "ambsys-2017-08_2025-03.csv",
        "ga-beds-2022-04_2024-12.csv",
    ]
    .map(data);
    let mut arguments = vec!["import", "--as", "returns"];
    arguments.extend(tables.iter().map(String::as_str));
    let known = sitrep(&arguments).well();
    for expected in [
        "ambsys 2017-08 to 2025-03: 8176 returns of 19 organisations\n",
        "ga-beds 2022-04 to 2024-12: 12247 returns of 124 organisations\n",
        "  left out: 1113 returns of 13 organisations that are not known: RA4 (48), ",
        "  left out: 3 returns of 3 organisations that are not known: RDY (1), RJ8 (1), RYG (1)\n",
        "warning: NNJ07 has no attendances in 2025-10, ",
    ] {
        assert!(known.err.contains(expected), "{expected} is not in\n{}", known.err);
    }
    let twice = [&known.out[..], &known.out[..]].concat();
    let read = read_again(&world, &twice, None);
    assert!(read.contains("69,780 read: 34,890 accepted, 34,890 duplicate, 0 refused;"), "{read}");

    // Every place that they name, RJ8 without attendances apart.
    let places = world.path("places.csv");
    arguments.extend(["--organisations-out", &places]);
    let all = sitrep(&arguments).well();
    assert!(!all.err.contains("ga-beds") || !all.err.contains("RVY (51)"), "{}", all.err);
    let read = read_again(&world, &all.out, Some(&places));
    assert!(read.contains(" 0 duplicate, 0 refused;"), "{read}");
    // A revised table needs a later instant, and then corrects.
    let later = ["import", "--as", "returns", "--recorded-at", "2026-03-12T09:30:00Z", &tables[0]];
    let both = [&known.out[..], &sitrep(&later).well().out[..]].concat();
    let read = read_again(&world, &both, None);
    assert!(read.contains("35,965 read: 35,965 accepted, 0 duplicate, 0 refused;"), "{read}");
}

#[test]
fn what_cannot_be_imported_is_told_with_what_would_be_right() {
    let world = World::new();
    let [october, older, ambsys, beds] = [
        "msitae-2025-10.csv",
        "ae-2016-04_2018-03.csv",
        "ambsys-2017-08_2025-03.csv",
        "ga-beds-2022-04_2024-12.csv",
    ]
    .map(data);
    let (october, older, ambsys, beds) = (october.as_str(), older.as_str(), ambsys.as_str(), beds.as_str());
    let out = world.path("out");
    for (arguments, expected) in [
        (
            vec![ambsys],
            format!(
                "{ambsys}: a table of form ambsys holds no attendances; it can be imported with --as returns\n"
            ),
        ),
        (
            vec![october, beds],
            format!(
                "{beds}: a table of form ga-beds holds no attendances; it can be imported with --as returns\n"
            ),
        ),
        (
            vec![older, "--month", "2018-04"],
            "--month 2018-04: no table holds it; they hold 2016-04 to 2018-03\n".into(),
        ),
        (vec![older, "--month", "October"], "--month October: write a month such as 2017-10\n".into()),
        (
            vec![older, october, older],
            format!("{older}: RF4 has 2017-03 in {older} too; leave one of the two out\n"),
        ),
        (
            vec![october, "--recorded-at", "2026-01-01T00:00:00Z"],
            "--recorded-at is for --as returns: an attendance is recorded when it ends\n".into(),
        ),
        (
            vec![october, "--as", "returns", "--recorded-at", "2025-10-31T00:00:00Z"],
            "--recorded-at 2025-10-31T00:00:00Z: 2025-10 was not over then\n".into(),
        ),
        (
            vec![october, "--as", "returns", "--recorded-at", "2026-01-01"],
            "--recorded-at 2026-01-01: write an instant with its offset, such as 2025-10-01T00:00:00Z\n"
                .into(),
        ),
    ] {
        let mut all = vec!["import", "--out", &out];
        all.extend(arguments);
        let done = sitrep(&all);
        assert_eq!((done.code, done.err), (2, format!("sitrep: {expected}")), "{all:?}");
        assert!(!std::path::Path::new(&out).exists(), "nothing is written");
    }
    let done = sitrep(&["import", "--as", "figures", october]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("[possible values: attendances, returns]"), "{}", done.err);
}

#[test]
fn two_months_of_the_older_table_are_chosen_with_their_places() {
    let world = World::new();
    let (older, places) = (data("ae-2016-04_2018-03.csv"), world.path("places.csv"));
    let arguments = ["import", &older, "--month", "2016-10,2017-10", "--organisations-out", &places];
    let done = sitrep(&arguments).well();
    for expected in [
        "ae-monthly 2016-10 to 2017-10: ",
        " providers, 4045953 attendances, 424739 over four hours\n",
        "  row of totals: none to check against\n",
    ] {
        assert!(done.err.contains(expected), "{expected} is not in\n{}", done.err);
    }
    let read = read_again(&world, &done.out, Some(&places));
    assert!(read.contains("4,045,953 accepted, 0 duplicate, 0 refused;"), "{read}");
    let without = sitrep(&["import", &older, "--month", "2017-10"]).well();
    assert!(without.err.contains(" organisations that are not known: AC008 (971), "), "{}", without.err);
}

#[test]
fn a_damaged_table_is_told_with_line_and_column() {
    let world = World::new();
    let table = std::fs::read_to_string(OCTOBER).expect("a table of ours");
    let line = |number: usize| table.lines().nth(number - 1).expect("a line").to_owned();
    let wye = line(4);
    assert!(wye.contains(",RLQ,"), "{wye}");
    let total = table.lines().position(|line| line.to_uppercase().contains("TOTAL")).expect("a total") + 1;
    for (from, to, expected) in [
        (
            wye.clone(),
            wye.replace("6138", "6138x"),
            "line 4, column \"A&E attendances Type 1\": \"6138x\" is not ",
        ),
        (wye.clone(), wye.replace("6138", "-1"), "line 4, column \"A&E attendances Type 1\": \"-1\" is not "),
        (
            wye.clone(),
            wye.replace("6138", "6139"),
            &format!("line {total}, column \"A&E attendances Type 1\": the total says "),
        ),
        (
            wye.clone(),
            wye.replace("6138", "100"),
            "line 4 (RLQ, type 1): 2478 over four hours is more than 100 attendances",
        ),
        (wye.clone(), format!("{wye},7"), "line 4: 23 cells, 22 were expected"),
        (wye.clone(), format!("{wye}\n{wye}"), "line 5: RLQ stands twice for "),
        (line(1), line(1).replace("Org name", "Name"), "line 1: "),
        (table.clone(), String::new(), "the file is empty: a header and rows were expected"),
        (table.clone(), format!("{}\n", line(1)), "the table has no rows"),
        (
            table.clone(),
            "a,b\n1,2\n".to_owned(),
            "line 1: this header is of no table that is known: \"a,b\"; ",
        ),
    ] {
        let damaged = table.replacen(&from, &to, 1);
        assert_ne!(damaged, table, "{expected}");
        let path = world.write("table.csv", damaged.as_bytes());
        let out = world.path("out");
        let done = sitrep(&["import", &path, "--out", &out]);
        let expected = format!("sitrep: {path}: {expected}");
        assert!(done.err.starts_with(&expected), "{}is not\n{expected}", done.err);
        assert_eq!((done.code, done.text()), (2, ""));
        assert!(!std::path::Path::new(&out).exists(), "nothing is written");
    }
}
