use domain::measures::DEFAULT_WINDOWS;

use super::*;
use crate::organisations::read_csv;

const ORGANISATIONS: &str = "code,name,level,parent,department_type\nENG,England,nation,,\nQ1,System,system,ENG,\n\
    Q2,Other,system,ENG,\nT1,One,trust,Q1,\nT2,Two,trust,Q1,\nT3,Three,trust,Q2,\nS1,Site,site,T1,1\n";

const GOOD: &str = "id = \"acute\"\ntitle = \"Acute\"\ndepartment_types = [1]\nfall_minutes = 15\n\
    [total]\nneeds = 1\nsource = \"s\"\nverified = true\n\
    levels = [{ level = 1, from = 0, to = 0 }, { level = 2, from = 1, to = 1 }, { level = 3, from = 2, to = 2 }, { level = 4, from = 3, to = 3 }]\n\
    [[parameter]]\nid = \"handover\"\ntitle = \"Handover\"\nsource = \"s\"\nverified = true\n\
    value = 'amb_handover.total_s{window=today} / amb_handover.completed{window=today} / 60'\n\
    bands = [{ to = 15, points = 0 }, { from = 15, to = 30.5, points = 1 }, { from = 30.5, points = 3 }]\n\
    bands_source = \"ours\"\n\
    [[parameter]]\nid = \"expected\"\ntitle = \"Expected\"\nsource = \"s\"\nverified = false\n\
    value = 'ae_arrivals.arrived{type=all, window=24h} / local.expected'\n\
    [local.expected]\nS1 = 380\n\
    [[weights]]\nsystem = \"Q1\"\nmembers = { T1 = 0.25, T2 = 0.75 }\nsource = \"s\"\nverified = false\n";

fn read(text: &str) -> Result<Framework, String> {
    let organisations = read_csv(ORGANISATIONS.as_bytes()).unwrap();
    let places = Places { organisations: &organisations, windows: &DEFAULT_WINDOWS };
    read_framework(text, places).map_err(|error| error.to_string())
}

#[test]
fn what_is_shipped_reads() {
    let acute = read(include_str!("../../../../config/opel/acute-2023-24.toml")).unwrap();
    let total = acute.total.as_ref().unwrap();
    assert_eq!((acute.parameters.len(), total.provenance.verified, acute.is_verified()), (9, true, false));
    let edges: Vec<u32> = total.levels.iter().map(|band| band.to).collect();
    assert_eq!(edges, [11, 22, 33, 44]);
    let later = read(include_str!("../../../../config/opel/acute-2024-26.toml")).unwrap();
    assert_eq!((later.parameters.len(), later.total), (10, None));
}

#[test]
fn a_framework_reads_as_it_is_written() {
    let framework = read(GOOD).unwrap();
    assert_eq!(framework.weights("Q1", &["T1", "T2"]), [("T1", 250_000), ("T2", 750_000)]);
    assert_eq!(framework.locals[0].values, [("S1".to_owned(), 380.0)]);
    let unverified =
        ["bands of handover", "what expected is", "bands of expected (not known)", "weights of Q1"];
    assert_eq!(framework.unverified(), unverified);
    let scored = framework.score(&|parameter, _| (parameter == 0).then_some(30.5 * 60.0));
    assert_eq!((scored.parameters[0].value, scored.missing), (Some(1.0 / 60.0), 1));
}

#[test]
fn a_wrong_framework_says_what_would_be_right() {
    for (right, wrong, message) in [
        ("id = \"acute\"", "id = \"Acute!\"", "framework \"Acute!\" id: must be 1 to 64 of a–z"),
        ("id = \"acute\"", "id = \"acute-framework-of-a-very-long-name\"", "id: is longer than 31 bytes"),
        ("fall_minutes = 15", "fall_minutes = 1500", "framework \"acute\" fall_minutes: at most 1440"),
        ("fall_minutes = 15", "fall = 15", "framework fall: unknown field `fall`, expected one of `id`,"),
        ("fall_minutes = 15", "from = 2025-01-01\nto = 2024-01-01", "framework \"acute\" to: is before from"),
        ("[1]", "[6]", "framework \"acute\" department_types: must be numbers from 1 to 5"),
        ("needs = 1", "needs = 3", "total needs: must be from 1 to the 2 parameters"),
        ("from = 2, to = 2", "from = 3, to = 2", "total levels: level 3 is empty: from must not be above to"),
        (
            "from = 1, to = 1",
            "from = 2, to = 2",
            "total levels: gap between level 1 and level 2: level 2 must begin at 1",
        ),
        (
            "from = 0, to = 0",
            "from = 0, to = 1",
            "total levels: overlap between level 1 and level 2: level 2 must begin at 2",
        ),
        (
            "from = 3, to = 3",
            "from = 3, to = 4",
            "total levels: ends at 4, and the parameters' greatest points add up to 3",
        ),
        (
            "{ level = 4, from = 3, to = 3 }",
            "",
            "total levels: must be the levels 1, 2, 3 and 4 in this order",
        ),
        (
            "from = 15, to = 30.5",
            "from = 20, to = 30.5",
            "parameter \"handover\" bands: gap between 15 and 20: each band begins where the one before ends",
        ),
        (
            "from = 15, to = 30.5",
            "from = 10, to = 30.5",
            "parameter \"handover\" bands: overlap from 10 to 15",
        ),
        ("from = 15, to = 30.5", "from = 15, to = 15", "parameter \"handover\" bands: band 2 is empty"),
        (
            "{ to = 15, points",
            "{ from = 0, to = 15, points",
            "parameter \"handover\" bands: must cover every value",
        ),
        ("to = 15,", "to = \"15\",", "parameter \"handover\" bands[0].to: must be a number"),
        ("points = 3", "points = -3", "parameter \"handover\" bands[2].points: invalid value: integer `-3`"),
        ("bands_source = \"ours\"\n", "", "parameter \"handover\" bands_source: is empty: say who says so"),
        ("id = \"expected\"", "id = \"handover\"", "parameter \"handover\" id: stands twice"),
        (
            "window=24h",
            "window=3h",
            "parameter \"expected\" value: window 3h is not published: one of 1h, 4h",
        ),
        (
            "type=all, window=24h",
            "window=24h",
            "parameter \"expected\" value: at character 1: ae_arrivals needs its tag type",
        ),
        (
            "type=all",
            "type=7",
            "parameter \"expected\" value: at character 1: \"7\" is no value of the tag type of ae_arrivals",
        ),
        ("type=all", "kind=all", "parameter \"expected\" value: at character 1: ae_arrivals has no tag kind"),
        ("/ 60", "/", "parameter \"handover\" value: at character 76: a number, a field such as"),
        (
            "[local.expected]",
            "[local.expectation]",
            "parameter \"expected\" value: local.expected is not there: add",
        ),
        ("S1 = 380", "S9 = 380", "local.expected S9: is not a code in organisations.csv"),
        ("S1 = 380", "S1 = \"380\"", "local.expected S1: must be a number"),
        ("T1 = 0.25", "T1 = 0.2", "weights 1 members: add up to 0.95, and must add up to 1"),
        ("T1 = 0.25", "T3 = 0.25", "weights 1 members.T3: is no trust of the system Q1"),
        ("T1 = 0.25", "T1 = 0", "weights 1 members.T1: must be over 0 and at most 1"),
        ("system = \"Q1\"", "system = \"T1\"", "weights 1 system: \"T1\" is no system of organisations.csv"),
        ("[[weights]]", "[[weight]]", "framework weight: unknown field `weight`"),
    ] {
        assert!(GOOD.contains(right), "{right}");
        let error = read(&GOOD.replacen(right, wrong, 1)).unwrap_err();
        assert!(error.contains(message), "{error}\n{message}");
    }
}
