//! Files of messages and what the example feed makes of them (`tests/hl7/*.hl7`, `*.expected`): what
//! `sitrep feed test config/feeds/example-epr.toml FILE` prints, with references hashed without a key.
//!
//! `SITREP_WRITE_EXPECTED=1` writes the expectations again: for a change that is meant, read before it is kept.

use std::fs;
use std::path::{Path, PathBuf};

use contract::Hashed;
use domain::organisations::Organisations;
use intake::feed::Feed;
use intake::hl7::adt::Surroundings;
use intake::trial::try_messages;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn organisations() -> Organisations {
    let csv = fs::read(root().join("config/organisations.csv")).expect("a file of the tree");
    contract::organisations::read_csv(&csv).expect("organisations")
}

fn said(file: &[u8]) -> String {
    let organisations = organisations();
    let feed = Feed::read(&root().join("config/feeds/example-epr.toml"), &organisations).expect("a feed");
    let around =
        Surroundings { feed: &feed, organisations: &organisations, references: &Hashed, received: None };
    let mut text = String::new();
    let totals = try_messages(file, around, &mut |line| {
        text.push_str(line);
        text.push('\n');
    });
    assert_eq!(totals.taken + totals.refused, totals.messages);
    text
}

#[test]
fn every_file_of_messages_becomes_what_is_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hl7");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let write = std::env::var_os("SITREP_WRITE_EXPECTED").is_some();
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files.iter().filter(|file| file.extension().is_some_and(|name| name == "hl7")) {
        seen += 1;
        let (said, expected) = (said(&fs::read(file).unwrap()), file.with_extension("expected"));
        if write {
            fs::write(&expected, &said).unwrap();
        }
        let expected = fs::read_to_string(expected).unwrap_or_default();
        if let Some((number, (said, expected))) = said
            .lines()
            .zip(expected.lines().chain([""]))
            .enumerate()
            .find(|(_, (said, expected))| said != expected)
        {
            wrong.push(format!(
                "{} line {}\n  said     {said}\n  expected {expected}",
                file.display(),
                number + 1
            ));
        } else if said.lines().count() != expected.lines().count() {
            wrong.push(format!("{}: {} lines were said", file.display(), said.lines().count()));
        }
    }
    assert!(seen >= 12, "{seen} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const NONE: &str = "";
const DEPARTMENT: &str = "[[place]]\npoint_of_care = [\"AE\"]\n";
const WARDS: &str = "[[place]]\npoint_of_care = [\"WARD*\"]\noutside = true\n";

/// What a feed with these places makes of a message of one visit.
fn said_of(places: &str, event: &str, class: &str, now: &str, other: &str) -> String {
    let organisations = organisations();
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    fs::write(file.path(), format!("source = \"a\"\nsite = \"RXF-T1\"\n{places}")).expect("a file of ours");
    let feed = Feed::read(file.path(), &organisations).expect("a feed");
    let around =
        Surroundings { feed: &feed, organisations: &organisations, references: &Hashed, received: None };
    let message = format!(
        "MSH|^~\\&|EPR|RXF|||20261105120000||ADT^{event}|1|P|2.4\rEVN|{event}|20261105120000||||20261105105500\r\
         PV1|1|{class}|{now}|||{other}|||||||||||||V1\r"
    );
    let mut said = String::new();
    try_messages(message.as_bytes(), around, &mut |line| said.push_str(line));
    said
}

/// A departure that a move out of the department implied is taken back by the move back; an inpatient's stands. A place
/// without an area says that it has none.
#[test]
fn an_a02_back_into_the_department_takes_the_departure_back() {
    const BACK: &str = "\"departed_at\":null,\"disposal\":null";
    for (places, class, now, from, is_back) in [
        (DEPARTMENT, "E", "AE^MAJ1", "XRAY", true),
        (DEPARTMENT, "", "AE^MAJ1", "XRAY", true),
        (DEPARTMENT, "I", "AE^MAJ1", "WARD7", false),
        (DEPARTMENT, "E", "AE^MAJ1", "AE^RESUS1", false),
        (DEPARTMENT, "E", "AE^MAJ1", "", false),
        (WARDS, "E", "TRI^1", "WARD7", true),
        (WARDS, "E", "TRI^1", "XRAY", false),
        (NONE, "E", "AE^MAJ1", "XRAY", false),
    ] {
        let said = said_of(places, "A02", class, now, from);
        assert_eq!(said.contains(BACK), is_back, "{places:?} {class} {now} {from}: {said}");
        let has_no_area = said.contains("left out: PV1-3: its [[place]] has no area");
        assert_eq!(has_no_area, places == DEPARTMENT, "{places:?} {class} {now} {from}: {said}");
    }
}

/// A departure is taken back by an A12 if the move that it cancels may have led from the department out of it: what the
/// feed says of places, PV1-3 (where the patient is now), PV1-6 (where the patient was meant to go).
#[test]
fn an_a12_reopens_what_its_move_may_have_closed_and_nothing_else() {
    for (places, now, cancelled, reopens) in [
        // Nothing is known to be outside, so no move has closed anything.
        (NONE, "TRI^1", "MAJ^1", false),
        (NONE, "TRI^1", "", false),
        (WARDS, "TRI^1", "MAJ^1", false),
        (WARDS, "TRI^1", "WARD7", true),
        (WARDS, "TRI^1", "", true),
        (WARDS, "WARD8", "WARD7", false),
        (DEPARTMENT, "AE^MAJ1", "AE^RESUS2", false),
        (DEPARTMENT, "AE^MAJ1", "WARD7", true),
        (DEPARTMENT, "AE^MAJ1", "", true),
        (DEPARTMENT, "", "WARD7", true),
        (DEPARTMENT, "", "AE^MAJ1", false),
        // Back to a place that the patient had left the department for.
        (DEPARTMENT, "WARD8", "WARD7", false),
        (DEPARTMENT, "WARD8", "AE^MAJ1", false),
        (DEPARTMENT, "WARD8", "", false),
    ] {
        let said = said_of(places, "A12", "E", now, cancelled);
        assert!(said.contains("\"location\":{\"area\":null"), "{said}");
        let is_reopened = said.contains("\"departed_at\":null,\"disposal\":null");
        assert_eq!(is_reopened, reopens, "{places:?} {now} {cancelled}: {said}");
    }
}

/// A file is the same however its lines end and whether its messages are in frames.
#[test]
fn line_ends_and_frames_change_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hl7");
    let file = fs::read_to_string(folder.join("visit.hl7")).unwrap();
    let without_lines = |text: String| {
        let said = said(text.as_bytes());
        said.lines().filter(|line| !line.starts_with("message")).map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = without_lines(file.clone());
    assert_eq!(plain, without_lines(file.replace('\n', "\r")));
    assert_eq!(plain, without_lines(file.replace('\n', "\r\n")));
    assert_eq!(plain, without_lines(file.replace("MSH|", "\u{0b}MSH|").replace('\n', "\r")));
    let framed = file.replace('\n', "\r").replace("MSH|", "\u{1c}\r\u{0b}MSH|");
    assert_eq!(plain, without_lines(framed));
    assert_eq!(
        plain,
        without_lines(format!("FHS|^~\\&\rBHS|^~\\&\r{}BTS|4\rFTS|1\r", file.replace('\n', "\r")))
    );
}
