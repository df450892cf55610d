//! Tables as returns: every number that is read comes back from the events, and nothing that a table does not say.

use std::collections::HashMap;

use domain::event::Return;

use super::*;

const AMBSYS: &[u8] = include_bytes!("../../../../../tests/data/ambsys-2017-08_2025-03.csv");
const BEDS: &[u8] = include_bytes!("../../../../../tests/data/ga-beds-2022-04_2024-12.csv");

/// Numbers of a return: met, total, count, sum of seconds, 90th percentile.
type Numbers = [Option<u64>; 5];

/// By standard, organisation and first day, read back from what is written.
fn from_events(bytes: &[u8]) -> HashMap<(String, String, u32), Numbers> {
    let table = Published::read(bytes).unwrap();
    let (mut line, mut ids, mut found) = (Vec::new(), HashSet::new(), HashMap::new());
    for one in table.returns().stated {
        line.clear();
        contract::write_json(&one.event(table.form(), None), &mut line);
        let event = contract::parse_json(&line, &contract::Required).expect("well formed");
        let Statement::Standard(Return { standard, org, period_start, met, total, count, total_s, p90_s }) =
            &event.statement
        else {
            panic!("only returns")
        };
        assert!(
            event.recorded_at.0 > i64::from(*period_start + 28) * 86_400_000,
            "before the month was over"
        );
        assert!(ids.insert(event.id.to_string()), "{} twice", event.id);
        let numbers = [met, total, count, total_s, p90_s].map(|fact| fact.value());
        let key = (standard.to_string(), org.to_string(), *period_start);
        assert_eq!(found.insert(key, numbers), None, "stated twice");
    }
    found
}

fn first_day(year: &str, month: &str) -> u32 {
    let date = jiff::civil::Date::new(year.parse().unwrap(), month.parse().unwrap(), 1).unwrap();
    u32::try_from((date - jiff::civil::Date::constant(1970, 1, 1)).get_days()).unwrap()
}

#[test]
fn every_service_and_month_of_ambsys_comes_back() {
    let mut found = from_events(AMBSYS);
    let (mut rows, mut numbers, mut other_means) = (0, 0, Vec::new());
    let mut reader = csv::Reader::from_reader(AMBSYS);
    let headers = reader.headers().unwrap().clone();
    for record in reader.records() {
        let record = record.unwrap();
        rows += 1;
        let cell = |name: &str| {
            let text = &record[headers.iter().position(|header| header == name).unwrap()];
            if text == "." { None } else { Some(text.parse::<u64>().unwrap()) }
        };
        let org = match &record[3] {
            "Eng" => "ENG",
            "R1F" => "R1F-AMB",
            "RYF" => "RYF-AMB",
            code => code,
        };
        let mut take = |standard: &str, expected: Numbers| {
            let got = found.remove(&(standard.to_owned(), org.to_owned(), first_day(&record[0], &record[1])));
            numbers += expected.iter().flatten().count();
            let expected = expected.iter().any(Option::is_some).then_some(expected);
            assert_eq!(got, expected, "{standard} {org} {}-{}", &record[0], &record[1]);
        };
        for (standard, [total, total_s, mean_s, p90_s]) in [
            ("amb-response-c1", ["A8", "A24", "A25", "A26"]),
            ("amb-response-c2", ["A10", "A30", "A31", "A32"]),
            ("amb-response-c3", ["A11", "A33", "A34", "A35"]),
            ("amb-response-c4", ["A12", "A36", "A37", "A38"]),
            ("amb-handover", ["A140", "A141", "A142", "A143"]),
        ] {
            take(standard, [None, cell(total), None, cell(total_s), cell(p90_s)]);
            let mean = cell(total).map(|total| cell(total_s).unwrap() as f64 / total as f64);
            if mean.map(|mean| (mean * 2.0).ceil() as u64 / 2)
                != cell(mean_s).map(|mean| (2 * mean).div_ceil(2))
            {
                let published = cell(mean_s).unwrap() as f64;
                if (mean.unwrap() - published).abs() > 0.5 {
                    other_means.push(format!("{org} {}-{:0>2} {standard}", &record[0], &record[1]));
                }
            }
        }
        for (standard, met) in [
            ("amb-handover-over-15m", "A144"),
            ("amb-handover-over-30m", "A145"),
            ("amb-handover-over-60m", "A146"),
        ] {
            take(standard, [cell(met), cell("A140"), None, None, None]);
        }
    }
    assert!(found.is_empty(), "stated and not in the file: {found:?}");
    assert_eq!(rows, 1_748);
    assert_eq!(numbers, 1_702 * 4 * 3 + 342 * (3 + 3 * 2), "only . is nothing");
    let remarked: Vec<String> = Published::read(AMBSYS)
        .unwrap()
        .returns()
        .remarks
        .iter()
        .filter(|one| matches!(one.why, Why::Disagrees { .. }))
        .map(|one| format!("{} {} {}", one.org, one.month, one.standard))
        .collect();
    assert_eq!(remarked, other_means);
    assert!((1..10).contains(&remarked.len()), "two services in their first two months: {remarked:?}");
}

#[test]
fn englands_ambulances_are_as_printed() {
    let found = from_events(AMBSYS);
    let of = |standard: &str, year: &str, month: &str| {
        found[&(standard.to_owned(), "ENG".to_owned(), first_day(year, month))]
    };
    let mean = |numbers: Numbers| (numbers[3].unwrap() as f64 / numbers[1].unwrap() as f64).round() as u64;
    assert_eq!(mean(of("amb-response-c1", "2018", "1")), 499);
    assert_eq!(mean(of("amb-response-c1", "2025", "3")), 472);
    assert_eq!(of("amb-response-c1", "2025", "3")[4], Some(836));
    assert_eq!(mean(of("amb-response-c2", "2025", "3")), 1_713);
    assert_eq!(of("amb-response-c2", "2025", "3")[4], Some(3_507));
    let handover = of("amb-handover", "2025", "3");
    assert_eq!((handover[1], handover[3]), (Some(408_452), Some(767_405_695)));
    assert_eq!(of("amb-handover-over-15m", "2025", "3"), [Some(274_000), Some(408_452), None, None, None]);
    assert!(!found.contains_key(&("amb-handover".to_owned(), "ENG".to_owned(), first_day("2018", "1"))));
}

#[test]
fn beds_come_back_and_add_up() {
    let mut found = from_events(BEDS);
    let mut reader = csv::Reader::from_reader(BEDS);
    let headers = reader.headers().unwrap().clone();
    let (mut december, mut doubtful) = ((0, 0), Vec::new());
    for record in reader.records() {
        let record = record.unwrap();
        let cell = |name: String| {
            let text = &record[headers.iter().position(|header| header == name).unwrap()];
            if text == "NA" { None } else { Some(text.parse::<u64>().unwrap()) }
        };
        let (name, year) = record[1].split_once(' ').unwrap();
        let month = Month::from_name(&format!("{name}-{year}")).unwrap();
        for (standard, group) in [
            ("ga-beds-occupied", "general_acute_beds"),
            ("ga-beds-adult-occupied", "adult_general_acute_beds"),
            ("critical-care-beds-occupied", "adult_critical_care_beds"),
        ] {
            let (open, occupied) = (cell(format!("{group}_available")), cell(format!("{group}_occupied")));
            let got = found.remove(&(standard.to_owned(), record[0].to_owned(), month.first_day()));
            if standard == "ga-beds-occupied" && &record[1] == "December 2024" {
                december = (december.0 + open.unwrap(), december.1 + occupied.unwrap());
            }
            let expected = match (open, occupied) {
                (Some(open), Some(occupied)) if occupied > open => {
                    doubtful.push(format!("{} {month} {standard}", &record[0]));
                    None
                }
                (Some(_), Some(_)) => Some([occupied, open, None, None, None]),
                _ => None,
            };
            assert_eq!(got, expected, "{standard} {} {}", &record[0], &record[1]);
        }
    }
    assert!(found.is_empty(), "stated and not in the file: {found:?}");
    assert_eq!(december, (102_165, 94_813));
    let returns = Published::read(BEDS).unwrap().returns();
    let remarked: Vec<String> = returns
        .remarks
        .iter()
        .filter(|one| matches!(one.why, Why::MoreThanAll { .. }))
        .map(|one| format!("{} {} {}", one.org, one.month, one.standard))
        .collect();
    assert_eq!(remarked, doubtful);
    assert_eq!(doubtful.len(), 3, "RN3 in the summer of 2022");
}

#[test]
fn trusts_that_are_not_known_are_left_out_of_the_beds() {
    let mut returns = Published::read(BEDS).unwrap().returns();
    let before = returns.stated.len();
    let left_out = returns.retain_known(&crate::organisations::tests::england());
    let codes: Vec<&str> = left_out.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(
        codes,
        ["RA4", "RAN", "RAP", "RBQ", "RBV", "REN", "RET", "RGM", "RL1", "RP4", "RPY", "RRJ", "RVY"]
    );
    assert_eq!(left_out.iter().map(|one| one.count).sum::<u64>(), (before - returns.stated.len()) as u64);
}

#[test]
fn both_ae_forms_come_back_as_returns() {
    let found = from_events(OCTOBER);
    let sum = |standard: &str| {
        let of = found.iter().filter(|((id, _, _), _)| id == standard);
        of.fold(([0; 3], 0), |(sum, count), (_, numbers)| {
            let numbers = [0, 1, 2].map(|index| numbers[index].unwrap_or(0));
            ([sum[0] + numbers[0], sum[1] + numbers[1], sum[2] + numbers[2]], count + 1)
        })
    };
    let four_hours = |kind: &str| sum(&format!("ae-four-hours-monthly{kind}"));
    assert_eq!(four_hours(""), ([2_401_266 - 619_874, 2_401_266, 0], 187));
    assert_eq!(four_hours("-type-1").0, [1_481_222 - 590_612, 1_481_222, 0]);
    assert_eq!(four_hours("-type-2").0, [54_756 - 2_900, 54_756, 0]);
    assert_eq!(four_hours("-type-3").0, [865_288 - 26_362, 865_288, 0]);
    assert_eq!(sum("ae-over-12h-decision-monthly"), ([0, 0, 54_326], 187));
    assert_eq!(sum("ae-over-4h-decision-monthly"), ([0, 0, 88_420 + 54_326], 187));
    assert_eq!(
        sum("ae-admissions-monthly").1,
        187 + 3,
        "RJ8, RDY and RYG have admissions and no attendances"
    );
    assert!(found.keys().all(|(_, org, _)| org != "NNJ07"), "a missing return is not a return of 0");

    let long = from_events(long_form::TABLE);
    let england = |standard: &str, day: u32| {
        let of = long.iter().filter(|((id, _, first), _)| id == standard && *first == day);
        of.fold((0, 0), |sum, (_, numbers)| (sum.0 + numbers[0].unwrap(), sum.1 + numbers[1].unwrap()))
    };
    let october = first_day("2017", "10");
    assert_eq!(england("ae-four-hours-monthly", october), (2_044_137 - 205_602, 2_044_137));
    assert_eq!(england("ae-four-hours-monthly-type-1", october), (1_325_211 - 201_118, 1_325_211));
    assert!(!long.keys().any(|(standard, _, _)| standard.contains("decision")), "this form has no waits");
}

#[test]
fn a_later_vintage_has_the_same_id_and_a_later_stamp() {
    let table = Published::read(OCTOBER).unwrap();
    let returns = table.returns();
    let (first, later) = (&returns.stated[0], rfc3339(b"2026-02-12T09:30:00Z").unwrap().second());
    let (one, other) = (first.event(Form::Msitae, None), first.event(Form::Msitae, Some(later)));
    assert_eq!((&one.id, &one.source, &one.statement), (&other.id, &other.source, &other.statement));
    assert_eq!(one.id, "ae-four-hours-monthly-RLQ-2025-10");
    assert_eq!(one.source, "nhs-england.msitae");
    assert_eq!(one.recorded_at.second().to_string(), "2025-11-13T09:30:00Z");
    assert_eq!(other.recorded_at.second(), later);
}

#[test]
fn the_places_of_all_tables_together_are_one_table_of_organisations() {
    let shipped = crate::organisations::tests::england();
    let tables = [OCTOBER, AMBSYS, BEDS].map(|bytes| Published::read(bytes).unwrap());
    let rows = organisations(&tables);
    let places = Organisations::new(&rows).unwrap();
    for (_, org) in shipped.iter().filter(|(_, org)| org.level == Level::Service) {
        assert!(places.find_at(&org.code, Level::Service).is_some(), "{}", org.code);
    }
    assert!(places.find_at("RVY", Level::Trust).is_some(), "a trust with beds and no A&E department");
    assert!(
        places.find_at("R1F", Level::Trust).is_some() && places.find_at("R1F-AMB", Level::Service).is_some()
    );
    for table in &tables {
        let left_out: u64 = table.returns().retain_known(&places).iter().map(|one| one.count).sum();
        let expected = if table.form() == Form::Msitae { 3 } else { 0 };
        assert_eq!(left_out, expected, "{:?}: admissions where nobody attended", table.form());
    }
}

#[test]
fn the_report_counts_what_is_missing_and_names_what_is_doubtful() {
    let table = Published::read(AMBSYS).unwrap();
    let text = returns_report(table.form(), &table.months(), &table.returns());
    for expected in [
        "ambsys 2017-08 to 2025-03: 8176 returns of 19 organisations\n",
        "  amb-response-c1: 1702 stated, 46 missing\n",
        "  amb-handover: 342 stated, 1406 missing\n",
        "  warning: RYC, 2017-11, amb-response-c2: published as 1468, its numbers give 1467.063: stated by its numbers\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    let table = Published::read(BEDS).unwrap();
    let text = returns_report(table.form(), &table.months(), &table.returns());
    for expected in [
        "ga-beds 2022-04 to 2024-12: ",
        "with half of their numbers, not stated\n",
        "  warning: RN3, 2022-06, ga-beds-adult-occupied: 506 of 495 cannot be: not stated\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn a_damaged_table_of_figures_says_where_and_what_would_be_right() {
    let head = |bytes: &'static [u8], lines: usize| {
        std::str::from_utf8(bytes)
            .unwrap()
            .lines()
            .take(lines)
            .map(|line| format!("{line}\r\n"))
            .collect::<String>()
    };
    let (ambsys, beds) = (head(AMBSYS, 9), head(BEDS, 3));
    for sound in [&ambsys, &beds] {
        let table = Published::read(sound.as_bytes()).unwrap();
        let other = format!("\u{feff}{}", sound.replace("\r\n", " \n"));
        assert_eq!(Published::read(other.as_bytes()).unwrap(), table, "another byte order mark and line end");
    }
    for (sound, from, to, message) in [
        (
            &ambsys,
            "2017,8,Eng,",
            "2017,13,Eng,",
            "line 2, column \"Month\": \"13\" is not a month from 1 to 12 of a year from 2000 to 2099",
        ),
        (
            &ambsys,
            "2017,8,Eng,",
            "17,8,Eng,",
            "line 2, column \"Month\": \"8\" is not a month from 1 to 12 of a year from 2000 to 2099",
        ),
        (
            &ambsys,
            ",10233,",
            ",10x33,",
            "line 2, column \"A8\": \"10x33\" is not a whole number from 0 to 1000000000000, or . where it is missing",
        ),
        (
            &ambsys,
            ",10233,",
            ",-1,",
            "line 2, column \"A8\": \"-1\" is not a whole number from 0 to 1000000000000, or . where it is missing",
        ),
        (
            &ambsys,
            ",10233,",
            ",,",
            "line 2, column \"A8\": \"\" is not a whole number from 0 to 1000000000000, or . where it is missing",
        ),
        (
            &ambsys,
            ",10233,",
            ",NA,",
            "line 2, column \"A8\": \"NA\" is not a whole number from 0 to 1000000000000, or . where it is missing",
        ),
        (&ambsys, ",10233,", ",10233,1,", "line 2: 154 cells, 153 were expected"),
        (
            &ambsys,
            "Y59,R1F",
            "Y57,R1F",
            "line 3, column \"Region\": \"Y57\" is not the code of one of the seven regions, such as Y56",
        ),
        (&ambsys, "Y56,RRU", "Y59,R1F", "line 4: R1F-AMB stands twice for 2017-08, first in line 3"),
        (
            &ambsys,
            "RRU,LONDON AMBULANCE SERVICE NHS TRUST",
            "RRU, ",
            "line 4, column \"Org Name\": \"\" is not a name",
        ),
        (&ambsys, ",A24,", ",A8,", "line 1: column \"A24\" is missing"),
        (
            &ambsys,
            ",A0,",
            ",A8,",
            "line 1: column \"A8\" is not known, or stands twice; counts in it would be lost",
        ),
        (
            &ambsys,
            ",A0,",
            ",Calls,",
            "line 1: column \"Calls\" is not known, or stands twice; counts in it would be lost",
        ),
        (
            &beds,
            "April 2022",
            "Avril 2022",
            "line 2, column \"date\": \"Avril 2022\" is not a month such as April 2022",
        ),
        (
            &beds,
            ",2286,",
            ",.,",
            "line 2, column \"general_acute_beds_available\": \".\" is not a whole number from 0 to 1000000000000, or NA where it is missing",
        ),
        (
            &beds,
            ",0.889,",
            ",88.9 %,",
            "line 2, column \"general_acute_beds_occupancy_rate\": \"88.9 %\" is not a share such as 0.928, or NA where it is missing",
        ),
        (&beds, "R0B", "R0A", "line 3: R0A stands twice for 2022-04, first in line 2"),
        (&beds, "\"date\",", "", "line 1: column \"date\" is missing"),
    ] {
        let damaged = sound.replacen(from, to, 1);
        assert_ne!(&damaged, sound, "{from}");
        assert_eq!(Published::read(damaged.as_bytes()).unwrap_err().to_string(), message);
    }
    let header = |text: &str| text.lines().next().unwrap().to_owned();
    for text in [header(&ambsys), header(&beds)] {
        assert_eq!(Published::read(text.as_bytes()), Err(ImportError::NoRows));
    }
    let error = read(AMBSYS).unwrap_err().to_string();
    assert_eq!(error, "a table of form ambsys holds no attendances; it can be imported as returns");
}

#[test]
fn a_rate_that_is_of_other_beds_is_said() {
    let text: String =
        std::str::from_utf8(BEDS).unwrap().lines().take(2).map(|line| format!("{line}\n")).collect();
    let swapped = text.replacen("1982,1794,0.905", "1982,1714,0.905", 1);
    assert_ne!(text, swapped);
    let remarks = |text: &str| Published::read(text.as_bytes()).unwrap().returns().remarks;
    assert_eq!(remarks(&text), []);
    let why = Why::Disagrees { published: 905, computed: 864 };
    assert_eq!(remarks(&swapped).iter().map(|one| one.why).collect::<Vec<_>>(), [why]);
}
