use std::io::Write;

use domain::event::{ArrivalMode, Disposal};

use super::codes::{Category, Status};
use super::*;

fn organisations() -> Organisations {
    let csv = "code,name,level,parent,department_type\nENG,England,nation,,\nRXF,Trust,trust,ENG,\n\
               RXF05,General,site,RXF,1\nRXF10,Centre,site,RXF,3\nRAA,Other,trust,ENG,\nRAA01,Other,site,RAA,1\n";
    contract::organisations::read_csv(csv.as_bytes()).unwrap()
}

fn read(text: &str) -> Result<Feed, FeedError> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Feed::read(file.path(), &organisations())
}

fn feed(text: &str) -> Feed {
    read(&format!("source = \"rxf.epr\"\n{text}")).unwrap()
}

const PLACES: &str = r#"
site = "RXF05"
orgs = ["RXF"]
[[place]]
point_of_care = ["AE"]
room = ["RES*"]
area = "resus"
[[place]]
point_of_care = ["AE*", "ED"]
area = "majors"
[[place]]
sender = ["RXF10"]
point_of_care = ["UTC"]
site = "RXF10"
department_type = 3
[[place]]
point_of_care = ["CDU"]
outside = true
"#;

#[test]
fn the_first_row_that_fits_says_what_a_place_is() {
    let feed = feed(PLACES);
    let area = |point: &str, room: &str| {
        let named = Named {
            sender: b"RXF",
            point_of_care: point.as_bytes(),
            room: room.as_bytes(),
            ..Named::default()
        };
        feed.place(&named).map(|place| (place.area.as_deref(), place.outside))
    };
    assert_eq!(area("AE", "RES2"), Some((Some("resus"), false)));
    assert_eq!(area("ae", "12"), Some((Some("majors"), false)));
    assert_eq!(area("AECDU", ""), Some((Some("majors"), false)));
    assert_eq!(area("CDU", ""), Some((None, true)));
    assert_eq!(area("WARD7", ""), None);
    assert_eq!(area("UTC", ""), None, "of another sender");
    let centre = Named { sender: b"RXF10", point_of_care: b"UTC", ..Named::default() };
    assert_eq!(feed.place(&centre).unwrap().site.as_deref(), Some("RXF10"));
}

#[test]
fn a_feed_speaks_for_its_own_sites() {
    let feed = feed(PLACES);
    let orgs = organisations();
    assert!(feed.may_speak_for("RXF05", &orgs) && feed.may_speak_for("RXF10", &orgs));
    assert!(!feed.may_speak_for("RAA01", &orgs) && !feed.may_speak_for("nowhere", &orgs));
    assert!(self::feed("").may_speak_for("RAA01", &orgs));
}

#[test]
fn the_authority_is_part_of_a_reference() {
    let refs = contract::Hashed;
    let (with, without) = (feed(""), feed("[hl7]\nauthority = false\n"));
    let reference =
        |feed: &Feed, authority: &str, number: &str| feed.reference(&refs, "RXF05", authority, number);
    assert_ne!(reference(&with, "RXF", "1"), reference(&with, "RAA", "1"));
    assert_ne!(reference(&with, "RXF", "1"), reference(&with, "", "1"));
    assert_eq!(reference(&without, "RXF", "1"), reference(&with, "", "1"));
    assert_eq!(reference(&with, "RXF", ""), None);
    assert!(
        reference(&with, "", &"9".repeat(64)).is_some() && reference(&with, "R", &"9".repeat(63)).is_none()
    );
}

#[test]
fn a_wrong_feed_says_where_and_what_would_be_right() {
    for (text, message) in [
        ("", "source: must be 1 to 64 of a–z, 0–9, . _ -, such as \"rxf.epr\""),
        ("source = \"RXF\"", "source: must be 1 to 64"),
        ("source = \"a\"\nzone = \"London\"", "zone: is no time zone: write \"Europe/London\" or \"UTC\""),
        ("source = \"a\"\norgs = [\"XX\"]", "orgs: \"XX\" is not a code in organisations.csv"),
        (
            "source = \"a\"\norgs = [\"RXF\"]\nsite = \"RAA01\"",
            "site: \"RAA01\" is not at or below any of orgs",
        ),
        (
            "source = \"a\"\norgs = [\"RXF\"]\n[[place]]\nsite = \"RAA01\"",
            "place[0].site: \"RAA01\" is not at or below any of orgs",
        ),
        ("source = \"a\"\nsite = \"RXF\"", "site: \"RXF\" is not the code of a site"),
        (
            "source = \"a\"\n[[place]]\nsite = \"RXF05\"\n[[place]]\nsite = \"Q\"",
            "place[1].site: \"Q\" is not the code",
        ),
        ("source = \"a\"\n[[place]]\narea = \"a/b\"", "place[0].area: must be 1 to 32 of"),
        (
            "source = \"a\"\n[[place]]\ndepartment_type = 6",
            "place[0].department_type: must be 1, 2, 3, 4 or 5",
        ),
        ("source = \"a\"\n[[place]]\noutside = true\narea = \"x\"", "place[0].outside: a place outside"),
        ("source = \"a\"\n[[place]]\npoint = [\"x\"]", "point"),
        (
            "source = \"a\"\n[[hl7.fact]]\nfact = \"name\"\npath = \"PID-5\"",
            "hl7.fact[0].fact: \"name\" is no fact: write one of arrived_at,",
        ),
        (
            "source = \"a\"\n[[hl7.fact]]\nfact = \"acuity\"\npath = \"PV2\"",
            "hl7.fact[0].path: \"PV2\" is no path",
        ),
        (
            "source = \"a\"\n[[hl7.fact]]\nfact = \"acuity\"\npath = \"OBX-5\"\nwhere = \"OBX-3\"",
            "hl7.fact[0].is: is missing",
        ),
        (
            "source = \"a\"\n[[hl7.fact]]\nfact = \"acuity\"\npath = \"OBX-5\"\nwhere = \"OBR-4\"\nis = \"X\"",
            "hl7.fact[0].where: must be of the same segment",
        ),
        ("source = \"a\"\n[codes.acuity]\nRED = 0", "codes.acuity.RED: must be 1, 2, 3, 4 or 5"),
        (
            "source = \"a\"\n[codes.discharge_status]\n1 = \"home\"",
            "codes.discharge_status.1: must be \"by_destination\", \"admitted\"",
        ),
        (
            "source = \"a\"\n[codes.arrival_mode]\nA = \"helicopter\"",
            "codes.arrival_mode.A: must be \"ambulance\"",
        ),
        ("source = \"a\"\n[codes.colour]\nA = 1", "unknown field `colour`"),
        ("source = \"a\"\n[csv]\ndelimiter = \"\"", "csv.delimiter: must be one character"),
        ("source = \"a\"\n[csv]\ndate = \"%!\"", "csv.date: must be a format of strftime"),
        ("source = \"a\"\n[csv.columns]\nacuity = [\"a\", \"b\"]", "csv.columns.acuity: is no instant"),
        ("source = \"a\"\n[csv.columns]\narrived_at = []", "csv.columns.arrived_at: must be [\"column\"]"),
        ("source = \"a\"\n[csv.columns]\narrival = [\"x\"]", "csv.columns.arrival: \"arrival\" is no fact"),
        ("source = ", "is not TOML"),
    ] {
        let said = read(text).unwrap_err().to_string();
        assert!(said.contains(message), "{text}\n{said}");
    }
}

/// The check digit of SNOMED CT identifiers (Verhoeff).
fn verhoeff_holds(code: &str) -> bool {
    // Multiplication in the dihedral group of ten elements, without its table.
    let times = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    const ONCE: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted =
        |digit: u8, position: usize| (0..position % 8).fold(digit, |digit, _| ONCE[usize::from(digit)]);
    code.bytes()
        .rev()
        .enumerate()
        .fold(0, |check, (position, byte)| times(check, permuted(byte - b'0', position)))
        == 0
}

#[test]
fn every_shipped_snomed_code_passes_its_check_digit() {
    assert!(verhoeff_holds("1064891000000107") && !verhoeff_holds("1064891000000108"));
    assert!(!verhoeff_holds("1064981000000107"), "two digits changed places");
    let codes = feed("").codes;
    let all = codes.acuity.keys().chain(codes.arrival_mode.keys());
    let all = all.chain(codes.discharge_status.keys()).chain(codes.discharge_destination.keys());
    let mut seen = 0;
    for code in all {
        assert!(verhoeff_holds(code), "{code}");
        seen += 1;
    }
    assert_eq!(seen, 5 + 9 + 18 + 18);
}

#[test]
fn codes_of_a_feed_are_added_to_those_shipped() {
    let feed = feed("[codes.acuity]\nRED = 1\n1064911000000105 = 3\n");
    assert_eq!(feed.codes.acuity["RED"], 1);
    assert_eq!(feed.codes.acuity["1064911000000105"], 3, "and put before them");
    assert_eq!(feed.codes.acuity["1064891000000107"], 1);
    assert_eq!(feed.codes.department_type["01"].number(), 1);
    assert_eq!(feed.codes.attendance_category["X"], Category::Died);
    assert_eq!(feed.codes.discharge_status["182992009"], Status::ByDestination);
}

/// Category, status, destination (`""`: retracted, none: absent) and the disposal that they say together.
#[test]
fn the_disposal_is_decided_by_precedence() {
    const HOME: &str = "306689006";
    const WARD: &str = "306706006";
    const MORTUARY: &str = "305398007";
    const DONE: &str = "182992009";
    const LEFT: &str = "1066321000000107";
    const SDEC: &str = "1077081000000104";
    const UNIT: &str = "1324201000000109";
    let none = None;
    let stated = Fact::Stated;
    for (category, status, destination, disposal) in [
        (none, Some(DONE), Some(HOME), stated(Disposal::Discharged)),
        (none, Some(DONE), Some(WARD), stated(Disposal::Admitted)),
        (none, none, Some(WARD), stated(Disposal::Admitted)),
        (none, Some(LEFT), Some(WARD), stated(Disposal::Left)),
        (none, Some(SDEC), Some(WARD), stated(Disposal::Streamed)),
        (none, Some(UNIT), Some(HOME), stated(Disposal::Admitted)),
        (none, Some(LEFT), Some(MORTUARY), stated(Disposal::Died)),
        (Some("X"), Some(LEFT), Some(HOME), stated(Disposal::Died)),
        (Some("1"), Some(DONE), none, Fact::Absent),
        (none, Some("unheard"), none, Fact::Absent),
        (none, Some("unheard"), Some(HOME), stated(Disposal::Discharged)),
        (none, Some(""), none, Fact::Retracted),
        (none, Some(""), Some(""), Fact::Retracted),
        (none, none, Some(""), Fact::Retracted),
        (none, Some(""), Some(HOME), stated(Disposal::Discharged)),
        (none, none, none, Fact::Absent),
    ] {
        let feed = feed("");
        let mut attendance = Attendance::new("RXF05", Ref([0; 16]));
        let mut coded = feed.codes.coded();
        let said = |text: Option<&'static str>| match text {
            None => Fact::Absent,
            Some("") => Fact::Retracted,
            Some(text) => Fact::Stated(text),
        };
        coded.read(CodeSet::AttendanceCategory, said(category), &mut attendance);
        coded.read(CodeSet::DischargeStatus, said(status), &mut attendance);
        coded.read(CodeSet::DischargeDestination, said(destination), &mut attendance);
        assert_eq!(coded.disposal(), disposal, "{category:?} {status:?} {destination:?}");
        assert_eq!(coded.unknown().is_empty(), status != Some("unheard"));
    }
}

#[test]
fn codes_state_their_facts() {
    let feed = feed("");
    let mut attendance = Attendance::new("RXF05", Ref([0; 16]));
    let mut coded = feed.codes.coded();
    coded.read(CodeSet::Acuity, Fact::Stated(" 1064901000000108 "), &mut attendance);
    coded.read(CodeSet::ArrivalMode, Fact::Stated("1048071000000103"), &mut attendance);
    coded.read(CodeSet::AttendanceCategory, Fact::Stated("4"), &mut attendance);
    coded.read(CodeSet::Child, Fact::Retracted, &mut attendance);
    coded.read(CodeSet::DepartmentType, Fact::Stated("99"), &mut attendance);
    assert_eq!(attendance.acuity, Fact::Stated(3));
    assert_eq!(attendance.arrival_mode, Fact::Stated(ArrivalMode::WalkIn));
    assert_eq!(attendance.planned, Fact::Stated(true));
    assert_eq!(attendance.child, Fact::Retracted);
    assert_eq!(attendance.department_type, Fact::Absent);
    assert_eq!(coded.unknown(), [CodeSet::DepartmentType]);
}
