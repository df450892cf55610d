//! Feeds on the command line: what they make of messages and extracts, and what is said of wrong ones.

use std::path::Path;

use contract::topics::EVENTS;

use crate::door::records;
use crate::run::{Done, sitrep, sitrep_with};
use crate::world::World;

/// A file of the tree.
fn tree(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the tree");
    root.join(name).to_str().expect("a path of ours is text").to_owned()
}

fn feed(arguments: &[&str]) -> Done {
    let arguments: Vec<&str> = ["feed"].iter().chain(arguments).copied().collect();
    sitrep(&arguments)
}

#[test]
fn messages_are_tried_and_what_is_left_out_is_said() {
    let (example, folder) = (tree("config/feeds/example-epr.toml"), "services/intake/tests/hl7");
    let done = feed(&["test", &example, &tree(&format!("{folder}/visit.hl7"))]).well();
    assert_eq!(
        done.text(),
        std::fs::read_to_string(tree(&format!("{folder}/visit.expected"))).expect("a file")
    );
    assert!(done.err.contains("4 messages: 4 taken as 4 events, 0 refused"), "{}", done.err);
    // By its name in the folder of feeds, and from standard input.
    let feeds = format!("intake.feeds={}", tree("config/feeds"));
    let file = std::fs::read(tree(&format!("{folder}/inpatients.hl7"))).expect("a file");
    let done = sitrep_with(&["feed", "test", "example-epr", "-", "--set", &feeds], &file).well();
    assert!(done.text().contains("left out: PV1-2: this class is not in [hl7.class]"), "{}", done.text());
    let none = feed(&["test", &example, &example]);
    assert_eq!(none.code, 1);
    assert!(none.err.contains("there is no HL7 v2 message in the file"), "{}", none.err);
}

/// What docs/connect.md shows.
#[test]
fn an_extract_becomes_figures() {
    let world = World::new();
    let (example, csv) = (tree("config/feeds/example-ecds.toml"), tree("tests/data/feeds/ecds.csv"));
    let events = world.path("events.ndjson");
    let done = feed(&["load", &example, &csv, "--out", &events]).well();
    assert!(done.err.contains("line 5: malformed: Arrival_Time: is empty beside a date"), "{}", done.err);
    assert!(done.err.contains("rows: 4 read: 3 taken, 1 refused"), "{}", done.err);
    let at = "2026-11-05T14:00:00Z";
    let figures = sitrep(&[
        "replay",
        "--events",
        &events,
        "--from",
        at,
        "--until",
        at,
        "--only",
        "ae_four_hour",
        "--levels",
        "site",
        "--windows",
        "24h",
    ])
    .well();
    let expected = "ae_four_hour,level=site,org=RXF-T1,type=1,window=24h departed=2i,within=1i,over_12h=0i,implausible=0i 1793887200000000000";
    assert!(figures.text().lines().any(|line| line == expected), "{}", figures.text());
    let bare = world.write(
        "bare.csv",
        std::fs::read_to_string(&csv).expect("ours").lines().next().expect("a header").as_bytes(),
    );
    let done = feed(&["load", &example, &bare, "--out", &world.path("none.ndjson")]).well();
    assert!(done.err.contains("the file has a header and no row: nothing was loaded"), "{}", done.err);
    // Into the log of `sitrep up`, twice: the second time says the same.
    let data = format!("data={}", world.path("data"));
    for _ in 0..2 {
        feed(&["load", &example, &csv, "--embedded", "--set", &data]).well();
    }
    let held = records(&world, EVENTS);
    assert_eq!((held.len(), &held[..3]), (6, &held[3..]));
    // Under another key than the log's each visit would be there twice.
    let key = format!("pseudonyms.key={{ file = \"{}\" }}", world.write("key", b"the first key of all\n"));
    let done = feed(&["load", &example, &csv, "--embedded", "--set", &data, "--set", &key]);
    assert_eq!(done.code, 2, "{}", done.err);
    assert!(done.err.contains("pseudonyms.key: the key for pseudonyms is not the one"), "{}", done.err);
    assert_eq!(records(&world, EVENTS).len(), 6);
}

#[test]
fn what_is_wrong_with_a_feed_or_a_listener_is_said_with_its_key() {
    let world = World::new();
    std::fs::create_dir_all(world.path("feeds")).expect("a folder of ours");
    world.write("feeds/good.toml", b"source = \"good\"\nsite = \"General\"\n");
    let organisations = format!("organisations={}", world.path("organisations.csv"));
    let feeds = format!("intake.feeds={}", world.path("feeds"));
    let check = |more: &[&str]| {
        let mut all = vec!["check", "--set", &organisations, "--set", &feeds];
        more.iter().for_each(|text| all.extend(["--set", text]));
        sitrep(&all)
    };
    let good = check(&["intake.mllp=[{ feed = \"good\", listen = \"127.0.0.1:2575\" }]"]).well();
    assert!(good.text().contains("feed            good: source good\n"), "{}", good.text());
    assert!(good.text().contains("mllp            127.0.0.1:2575, plain: feed good\n"), "{}", good.text());
    for (setting, said) in [
        (
            "intake.mllp=[{ feed = \"other\", listen = \"127.0.0.1:2575\" }]",
            "intake.mllp[0].feed: there is no other.toml",
        ),
        (
            "intake.mllp=[{ feed = \"good\", listen = \"0.0.0.0:2575\" }]",
            "intake.mllp[0].listen: others than this machine can reach it",
        ),
        ("intake.mllp=[{ feed = \"good\", listen = \"2575\" }]", "write an address and a port"),
        ("intake.mllp=[{ feed = \"good\", listen = \"127.0.0.1:1\", port = 1 }]", "unknown field `port`"),
        ("mllp.max_frame=10B", "mllp.max_frame: must be from \"1KiB\" to \"1MiB\""),
        ("mllp.connections=0", "mllp.connections"),
        ("intake.feeds=/nowhere/at/all", "intake.feeds: /nowhere/at/all cannot be read"),
    ] {
        let done = check(&[setting]);
        assert_eq!(done.code, 2, "{setting}: {}", done.err);
        assert!(done.err.contains(said), "{setting}: {}", done.err);
    }
    for (text, said) in [
        ("site = \"General\"", "feed bad: source: must be 1 to 64"),
        ("source = \"bad\"\nsite = \"Trust\"", "feed bad: site: \"Trust\" is not the code of a site"),
        ("source = \"good\"", "feed good: source: is that of feed bad"),
        (
            "source = \"bad\"\n[[hl7.fact]]\nfact = \"acuity\"\npath = \"OBX\"",
            "feed bad: hl7.fact[0].path: \"OBX\" is no path",
        ),
        ("source = \"bad\"\n[codes.acuity]\nRED = 9", "feed bad: codes.acuity.RED: must be 1, 2, 3, 4 or 5"),
        ("source = \"bad\"\nsuorce = \"x\"", "suorce"),
    ] {
        world.write("feeds/bad.toml", text.as_bytes());
        let done = check(&[]);
        assert_eq!(done.code, 2, "{text}: {}", done.err);
        assert!(done.err.contains(said), "{text}: {}", done.err);
    }
}
