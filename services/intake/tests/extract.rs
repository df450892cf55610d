//! CSV extracts: rows and what the example feed makes of them.

use std::path::{Path, PathBuf};

use contract::Hashed;
use domain::organisations::Organisations;
use intake::extract::{ExtractError, read_rows};
use intake::feed::Feed;
use intake::hl7::adt::Surroundings;

fn organisations() -> Organisations {
    let csv = "code,name,level,parent,department_type\nENG,England,nation,,\nRXF,Trust,trust,ENG,\nRAA,Other,trust,ENG,\n\
               RXF-T1,Major,site,RXF,1\nRXF-T3,Minor,site,RXF,3\nRAA-T1,Other,site,RAA,1\nRX8,Ambulances,service,ENG,\n";
    contract::organisations::read_csv(csv.as_bytes()).expect("organisations")
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/feeds/example-ecds.toml")
}

fn feed(text: &str) -> Feed {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    std::fs::write(file.path(), format!("source = \"a\"\n{text}")).expect("a file of ours");
    Feed::read(file.path(), &organisations()).expect("a feed")
}

/// Each row in a line: its event without id, source and reference, or why it is refused.
fn rows(feed: &Feed, csv: &[u8]) -> Result<Vec<String>, ExtractError> {
    let organisations = organisations();
    let around = Surroundings { feed, organisations: &organisations, references: &Hashed, received: None };
    let mut said = Vec::new();
    read_rows(csv, around, &mut |row| {
        let text = match &row.event {
            Ok(event) => {
                let mut json = Vec::new();
                contract::write_json(event, &mut json);
                let value: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
                let mut facts = value["attendance"].as_object().expect("an attendance").clone();
                facts.remove("ref");
                let facts: Vec<String> =
                    facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{} {} {}", value["id"], value["recorded_at"], facts.join(" ")).replace('"', "")
            }
            Err(fault) => fault.to_string(),
        };
        let left_out: Vec<String> = row.left_out.iter().map(|why| format!(" [{why}]")).collect();
        said.push(format!("{}: {text}{}", row.line, left_out.concat()));
    })?;
    Ok(said)
}

const HEADER: &str = "Attendance_Identifier,Der_Provider_Site_Code,EC_Department_Type,EC_AttendanceCategory,Arrival_Date,Arrival_Time,\
                      EC_Arrival_Mode_SNOMED_CT,EC_Acuity_SNOMED_CT,EC_Initial_Assessment_Date,EC_Initial_Assessment_Time,\
                      EC_Seen_For_Treatment_Date,EC_Seen_For_Treatment_Time,EC_Decision_To_Admit_Date,EC_Decision_To_Admit_Time,\
                      EC_Departure_Date,EC_Departure_Time,EC_Discharge_Status_SNOMED_CT,EC_Discharge_Destination_SNOMED_CT,\
                      Extract_Date,Extract_Time,Patient_Name,NHS_Number\n";

fn of_example(line: &str) -> String {
    let feed = Feed::read(&example(), &organisations()).expect("the example");
    let csv = format!("{HEADER}{line}\n");
    rows(&feed, csv.as_bytes()).expect("CSV").remove(0)
}

/// The cells from the arrival on, and what is said of the row.
#[test]
fn rows_of_the_example_become_events_or_say_their_column() {
    for (cells, said) in [
        (
            "A1,RXF-T1,01,1,2026-11-05,10:12:00,1048071000000103,1064901000000108,2026-11-05,10:20:00,2026-11-05,11:25:00,,,\
             2026-11-05,13:58:00,182992009,306689006,2026-11-06,02:00:00,QUIXOTIC,4857773456",
            "2: line-2 2026-11-06T02:00:00Z acuity=3 arrival_mode=walk_in arrived_at=2026-11-05T10:12:00Z \
             assessed_at=2026-11-05T10:20:00Z departed_at=2026-11-05T13:58:00Z department_type=1 disposal=discharged \
             planned=false site=RXF-T1 treated_at=2026-11-05T11:25:00Z",
        ),
        // Empty and NULL say nothing; seconds may be missing; a date that is exported with midnight.
        (
            "A1,RXF-T3,,NULL,2026-07-01 00:00:00,10:12,,,,,,,,,,,,,2026-07-01,12:00,,",
            "2: line-2 2026-07-01T11:00:00Z arrived_at=2026-07-01T09:12:00Z site=RXF-T3",
        ),
        (
            "A1,RXF-T1,99,,2026-11-05,10:12:00,HELICOPTER,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: line-2 2026-11-06T02:00:00Z arrived_at=2026-11-05T10:12:00Z site=RXF-T1 [a code that is not in \
             [codes.arrival_mode]] [a code that is not in [codes.department_type]]",
        ),
        // The hour that comes twice: the nearest to when the row was recorded.
        (
            "A1,RXF-T1,,,2026-10-25,01:30:00,,,,,,,,,,,,,2026-10-25,03:00:00,,",
            "2: line-2 2026-10-25T03:00:00Z arrived_at=2026-10-25T01:30:00Z site=RXF-T1",
        ),
        ("A1,RXF-T1,,,,,,,,,,,,,,,,,2026-11-06,02:00:00,,", "2: malformed: the row states no fact"),
        ("A1,RXF-T1,01", "2: malformed: the row has more or fewer cells than the header"),
        (
            "A1,NOWHERE,,,,,,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: unknown_place: Der_Provider_Site_Code: is not the code of a site in organisations.csv",
        ),
        (
            "A1,RAA-T1,,,,,,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: not_allowed: Der_Provider_Site_Code: the feed may not speak for this site (its orgs)",
        ),
        (
            "A1,,,,,,,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: unknown_place: Der_Provider_Site_Code: no column, no [[place]] and not the feed says which site this is",
        ),
        (",RXF-T1,,,,,,,,,,,,,,,,,2026-11-06,02:00:00,,", "2: malformed: Attendance_Identifier: is empty"),
        (
            "A1,RXF-T1,,,2026-11-05,,,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: malformed: Arrival_Time: is empty beside a date",
        ),
        (
            "A1,RXF-T1,,,2026-11-05,25:00:00,,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: malformed: Arrival_Time: is no time as csv.time has it",
        ),
        (
            "A1,RXF-T1,,,05/11/2026,10:00:00,,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: malformed: Arrival_Date: is no date as csv.date and csv.time have it",
        ),
        (
            "A1,RXF-T1,,,1826-11-05,10:00:00,,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: malformed: Arrival_Date: is not from 2000 to 2099",
        ),
        (
            "A1,RXF-T1,,,2026-11-05,10:00:00,,,,,,,,,,,,,,,,",
            "2: malformed: Extract_Date: when the row was recorded is missing",
        ),
        (
            "A1,RXF-T1,,,2026-11-07,10:00:00,,,,,,,,,,,,,2026-11-06,02:00:00,,",
            "2: future_dated: an instant is more than 10 minutes after recorded_at",
        ),
    ] {
        assert_eq!(of_example(cells), said, "{cells}");
    }
}

/// Of a row that was recorded long after the double hour: the second readings, unless the arrival would be after the rest
/// and need not be.
#[test]
fn nothing_is_before_the_arrival_that_need_not_be() {
    let feed = feed(
        "site = \"RXF-T1\"\n[csv]\nref = \"ref\"\nrecorded_at = [\"at\"]\n[csv.columns]\narrived_at = [\"in\"]\n\
         treated_at = [\"seen\"]\ndeparted_at = [\"out\"]\n",
    );
    for (cells, at, said) in [
        ("01:50,,01:30", "06:00", "arrived_at=2026-10-25T00:50:00Z departed_at=2026-10-25T01:30:00Z"),
        (
            "01:50,01:55,01:30",
            "06:00",
            "arrived_at=2026-10-25T00:50:00Z departed_at=2026-10-25T01:30:00Z site=RXF-T1 treated_at=2026-10-25T00:55:00Z",
        ),
        ("01:30,,01:50", "06:00", "arrived_at=2026-10-25T01:30:00Z departed_at=2026-10-25T01:50:00Z"),
        // No reading helps: as without the rule.
        ("01:50,,00:30", "06:00", "arrived_at=2026-10-25T01:50:00Z departed_at=2026-10-24T23:30:00Z"),
        ("12:00,,11:00", "13:00", "arrived_at=2026-10-25T12:00:00Z departed_at=2026-10-25T11:00:00Z"),
        // The departure would be in the future.
        ("01:50,,01:30", "01:55", "arrived_at=2026-10-25T00:50:00Z departed_at=2026-10-25T00:30:00Z"),
    ] {
        let cell = |time: &str| if time.is_empty() { String::new() } else { format!("2026-10-25 {time}:00") };
        let cells: Vec<String> = cells.split(',').map(cell).collect();
        let csv = format!("ref,at,in,seen,out\n1,{},{}\n", cell(at), cells.join(","));
        let found = rows(&feed, csv.as_bytes()).expect("CSV").remove(0);
        assert!(found.contains(said), "{csv}: {found}");
    }
}

/// Without a column of when it was recorded: the newest instant; the hour that comes twice is after the arrival.
#[test]
fn a_row_without_a_date_of_recording_has_that_of_its_newest_instant() {
    let feed = feed(
        "site = \"RXF-T1\"\n[csv]\nref = \"ref\"\ndelimiter = \";\"\ndate = \"%d/%m/%Y\"\ntime = \"%H:%M\"\nid = \"id\"\n\
         [csv.columns]\narrived_at = [\"in\"]\ndeparted_at = [\"out\"]\nambulance_service = [\"service\"]\nambulance_ref = [\"job\"]\n",
    );
    let csv = "\u{feff}ref;id;in;out;service;job\r\n\
               1;a;24/10/2026 23:10;25/10/2026 01:20;;\r\n\
               2;b;25/10/2026 01:50;25/10/2026 01:20;;\r\n\
               3;c;2026-10-25T01:50:00+00:00;;RX8;J1\r\n\
               4;d;;;RX8;\r\n\
               5;e e;25/10/2026 12:00;;;\r\n\
               6;f;25/10/2026 12:00;;XXX;J1\r\n";
    let said = rows(&feed, csv.as_bytes()).expect("CSV");
    for (said, expected) in said.iter().zip([
        "2: a 2026-10-25T00:20:00Z arrived_at=2026-10-24T22:10:00Z departed_at=2026-10-25T00:20:00Z site=RXF-T1",
        "3: b 2026-10-25T01:20:00Z arrived_at=2026-10-25T00:50:00Z departed_at=2026-10-25T01:20:00Z site=RXF-T1",
        "4: c 2026-10-25T01:50:00Z ambulance={ref:",
        "5: malformed: the row states no fact [ambulance_service",
        "6: malformed: id: must be 1 to 128 ASCII characters without spaces",
        "7: f 2026-10-25T12:00:00Z arrived_at=2026-10-25T12:00:00Z site=RXF-T1 [ambulance_service",
    ]) {
        assert!(said.starts_with(expected), "{said}");
    }
    assert_eq!(said.len(), 6);
}

/// A place says the site and, unless a column does, the department's type; of another site than the row's, or outside, it
/// says nothing.
#[test]
fn a_place_states_the_type_of_its_department() {
    let feed = feed(
        "site = \"RXF-T1\"\n[csv]\nref = \"ref\"\npoint_of_care = \"place\"\nsite = \"site\"\n[csv.columns]\narrived_at = [\"in\"]\n\
         department_type = [\"type\"]\n[[place]]\npoint_of_care = [\"UTC\"]\nsite = \"RXF-T3\"\ndepartment_type = 3\narea = \"utc\"\n\
         [[place]]\npoint_of_care = [\"EYE\"]\ndepartment_type = 2\n[[place]]\npoint_of_care = [\"WARD*\"]\noutside = true\ndepartment_type = 5\n",
    );
    for (cells, said) in [
        ("UTC,,", "department_type=3 site=RXF-T3"),
        ("EYE,,", "department_type=2 site=RXF-T1"),
        ("EYE,RXF-T3,", "department_type=2 site=RXF-T3"),
        ("EYE,,01", "department_type=1 site=RXF-T1"),
        ("UTC,RXF-T1,", "site=RXF-T1"),
        ("WARD7,,", "site=RXF-T1"),
        ("AE,,", "site=RXF-T1"),
    ] {
        let csv = format!("ref,in,place,site,type\n1,2026-11-05T10:00:00Z,{cells}\n");
        let expected = format!("2: line-2 2026-11-05T10:00:00Z arrived_at=2026-11-05T10:00:00Z {said}");
        assert_eq!(rows(&feed, csv.as_bytes()).expect("CSV"), [expected], "{cells}");
    }
    let bare = rows(&feed, b"ref,in,place,site,type\n1,,UTC,,\n").expect("CSV");
    assert_eq!(bare, ["2: malformed: the row states no fact"]);
}

#[test]
fn a_file_that_does_not_fit_its_feed_says_so_at_once() {
    let example = Feed::read(&example(), &organisations()).expect("the example");
    let missing = rows(&example, b"Attendance_Identifier,Arrival_Date\n").unwrap_err().to_string();
    assert!(missing.contains("no column Arrival_Time, no column ") && missing.contains("[csv]"), "{missing}");
    assert!(rows(&feed(""), b"a\n").unwrap_err().to_string().contains("csv.ref: is empty"));
    assert_eq!(rows(&example, HEADER.as_bytes()).expect("no rows"), Vec::<String>::new());
    let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe".as_slice(), &utf16].concat();
    let simple = feed("site = \"RXF-T1\"\n[csv]\nref = \"ref\"\n[csv.columns]\narrived_at = [\"in\"]\n");
    for (csv, said) in [
        (&b""[..], "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (
            b"ref;in\n1;2026-11-05T10:00:00Z\n",
            "one column with ; in it: write csv.delimiter = \";\" in the feed",
        ),
        (b"ref\tin\n1\t2026-11-05T10:00:00Z\n", "csv.delimiter = \"\\t\" in the feed"),
        (b"\xef\xbb\xbfsep=,\r\nref,in\r\n", "the first line is the sep= of a spreadsheet"),
        (b"ref,in,\"note\n1,2026-11-05T10:00:00Z,\n", "is a quote in it not closed?"),
        (&utf16, "the file is UTF-16: save it as UTF-8"),
        (&marked, "the file is UTF-16: save it as UTF-8"),
    ] {
        let error = rows(&simple, csv).unwrap_err().to_string();
        assert!(error.contains(said), "{:?}: {error}", String::from_utf8_lossy(csv));
    }
}

/// Every row is there, with its line, however lines end.
#[test]
fn lines_may_end_in_any_way() {
    let feed = feed("site = \"RXF-T1\"\n[csv]\nref = \"ref\"\n[csv.columns]\narrived_at = [\"in\"]\n");
    for end in ["\n", "\r\n", "\r"] {
        let lines = ["ref,in,more", "1,2026-11-05T10:00:00Z,", "2,2026-11-05T11:00:00Z,\"a, b\"", ""];
        let said = rows(&feed, lines.join(end).as_bytes()).expect("CSV");
        let row = |line: u8, time: &str| format!("{line}: line-{line} {time} arrived_at={time} site=RXF-T1");
        assert_eq!(said, [row(2, "2026-11-05T10:00:00Z"), row(3, "2026-11-05T11:00:00Z")], "{end:?}");
    }
}

/// It would be the reference of many.
#[test]
fn a_reference_that_a_spreadsheet_has_spoilt_is_refused() {
    let feed = feed("site = \"RXF-T1\"\n[csv]\nref = \"ref\"\n[csv.columns]\narrived_at = [\"in\"]\n");
    let of = |reference: &str| {
        rows(&feed, format!("ref,in\n\"{reference}\",2026-11-05T10:00:00Z\n").as_bytes())
            .expect("CSV")
            .remove(0)
    };
    for reference in ["1.23457E+11", "1E+12", "1,23457E+11", "9.87e+15"] {
        let said = "2: malformed: ref: looks like a number that a spreadsheet has rounded: export the column as text";
        assert_eq!(of(reference), said, "{reference}");
    }
    for reference in ["#N/A", "#n/a", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "####"] {
        let said = "2: malformed: ref: is an error of a spreadsheet: mend the column and export it again";
        assert_eq!(of(reference), said, "{reference}");
    }
    for reference in ["123457000000", "1E11", "E+11", "AE+11", "1E+", "1E+11A", "#12", "N/A-1"] {
        assert!(of(reference).contains("arrived_at"), "{reference}: {}", of(reference));
    }
}

/// Any bytes: a row is taken or refused, nothing panics.
#[test]
fn no_bytes_make_it_panic() {
    let example = Feed::read(&example(), &organisations()).expect("the example");
    let clean = format!("{HEADER}A1,RXF-T1,01,1,2026-11-05,10:12:00,x,y,,,,,,,,,,,2026-11-06,02:00:00,n,1\n");
    let mut seed = 20_261_122_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..3_000 {
        let mut bytes = clean.clone().into_bytes();
        for _ in 0..=next(8) {
            let at = HEADER.len() + next(bytes.len() - HEADER.len());
            bytes[at] = b"\",\n\r-:0129\xff A"[next(13)];
        }
        let _rows = rows(&example, &bytes);
    }
}
