//! The published tables of October and November 2025 come back exactly, counted from the events by plain arithmetic;
//! damaged tables are refused with line and column.

mod admissions;
mod long_form;
mod returned;

use std::collections::{BTreeMap, HashSet};

use domain::event::{Attendance, Statement};
use domain::organisations::{Level, Organisations};
use domain::time::{LondonDays, rfc3339};

use super::*;

const OCTOBER: &[u8] = include_bytes!("../../../../tests/data/msitae-2025-10.csv");
const NOVEMBER: &[u8] = include_bytes!("../../../../tests/data/msitae-2025-11.csv");

/// Attendances and those over four hours of a site.
type Counts = BTreeMap<String, (u64, u64)>;

fn attendance<'a, 'b>(event: &'b Event<'a>) -> &'b Attendance<'a> {
    match &event.statement {
        Statement::Attendance(attendance) => attendance,
        other => panic!("only attendances are imported, not {other:?}"),
    }
}

/// Counts from the bytes of an MSitAE table, without the code under test.
fn published(bytes: &[u8]) -> Counts {
    let mut counts = Counts::new();
    for record in csv::Reader::from_reader(bytes).records() {
        let record = record.unwrap();
        if &record[1] == "TOTAL" {
            continue;
        }
        let number = |index: usize| record[index].parse::<u64>().unwrap();
        for kind in 0..3 {
            let attended = number(4 + kind) + number(7 + kind);
            let over = number(10 + kind) + number(13 + kind);
            if attended > 0 {
                counts.insert(format!("{}-T{}", &record[1], kind + 1), (attended, over));
            }
        }
    }
    counts
}

fn minute(instant: Fact<Second>) -> u32 {
    instant.value().expect("stated").0 / 60
}

use domain::event::{Event, Fact};
use domain::time::Second;

#[test]
fn every_row_of_both_months_comes_back_exactly_and_inside_the_month() {
    for (bytes, start, end, england) in [
        (OCTOBER, "2025-09-30T23:00:00Z", "2025-11-01T00:00:00Z", (2_401_266, 619_874)),
        (NOVEMBER, "2025-11-01T00:00:00Z", "2025-12-01T00:00:00Z", (2_347_046, 605_140)),
    ] {
        let instant = |text: &str| rfc3339(text.as_bytes()).unwrap().second().0 / 60;
        let month = instant(start)..instant(end);
        let days = LondonDays::new();
        let (mut counts, mut by_day) = (Counts::new(), BTreeMap::new());
        let (mut refs, mut ids) = (HashSet::new(), HashSet::new());
        read(bytes).unwrap().events(2025, &mut |event| {
            let says = attendance(&event);
            let (from, to) = (minute(says.arrived_at), minute(says.departed_at));
            assert!(month.contains(&to), "{} departs outside the month", event.id);
            assert!(
                to > from && event.recorded_at.0 >= i64::from(says.departed_at.value().unwrap().0) * 1000
            );
            let site = counts.entry(says.site.to_string()).or_insert((0, 0));
            site.0 += 1;
            site.1 += u64::from(to - from > 240);
            *by_day.entry(days.next_midnight(domain::time::Minute(to))).or_insert(0u64) += 1;
            assert!(refs.insert((says.site.to_string(), says.reference)));
            assert!(ids.insert((event.source.to_string(), event.id.to_string())));
        });
        assert_eq!(counts, published(bytes));
        let sum = counts.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        assert_eq!(sum, england);
        assert_eq!(by_day.values().sum::<u64>(), england.0);
        assert_eq!(by_day.len(), ((month.end - month.start) / 1440) as usize, "a point each day");
    }
}

#[test]
fn arrivals_follow_the_hours_and_the_week_and_leave_just_before_four_hours() {
    let (mut hours, mut weekdays, mut last, mut before_last, mut all) = ([0u64; 24], [0u64; 7], 0, 0, 0);
    let mut outside = 0;
    let first = rfc3339(b"2025-11-01T00:00:00Z").unwrap().second().0 / 60;
    read(NOVEMBER).unwrap().events(1, &mut |event| {
        let says = attendance(&event);
        let (from, to) = (minute(says.arrived_at), minute(says.departed_at));
        // November has no summer time: UTC is local. 2025-11-01 was a Saturday.
        hours[(from / 60 % 24) as usize] += 1;
        if from >= first {
            weekdays[((from - first) / 1440 % 7) as usize] += 1;
        } else {
            outside += 1;
        }
        last += u64::from((221..=240).contains(&(to - from)));
        before_last += u64::from((201..=220).contains(&(to - from)));
        all += 1;
    });
    let share = |hour: usize| hours[hour] as f64 / all as f64;
    assert!((9..18).map(share).sum::<f64>() > 0.57 && share(4) < 0.012 && share(10) > 0.07, "{hours:?}");
    // Saturdays and Sundays come five times in this month, Mondays four times.
    assert!(weekdays[2] / 4 > weekdays[1] / 5, "{weekdays:?}");
    assert!(last > before_last * 3 / 2, "no spike: {last} against {before_last}");
    assert!(outside > 0 && outside < all / 100, "{outside} came before the month");
}

#[test]
fn the_same_seed_gives_the_same_attendances_and_another_seed_others() {
    let table = read(small(&[RXF]).as_bytes()).unwrap();
    let events = |seed| {
        let mut events = Vec::new();
        table.events(seed, &mut |event| {
            let mut bytes = Vec::new();
            contract::write_json(&event, &mut bytes);
            assert_eq!(contract::parse_json(&bytes, &contract::Required).as_ref(), Ok(&event), "on the wire");
            events.push(bytes);
        });
        events
    };
    assert_eq!(events(1), events(1));
    assert_ne!(events(1), events(2));
}

#[test]
fn the_places_are_those_that_ship_with_the_project() {
    let shipped = crate::organisations::tests::england();
    let tables = both();
    let rows = organisations(&tables);
    let derived = Organisations::new(&rows).unwrap();
    let codes = |orgs: &Organisations, level| {
        orgs.iter()
            .filter(|(_, org)| org.level == level)
            .map(|(_, org)| org.code.clone())
            .collect::<HashSet<_>>()
    };
    for level in [Level::Site, Level::Trust, Level::Region, Level::Nation] {
        assert_eq!(codes(&derived, level), codes(&shipped, level), "{level:?}");
    }
    for (id, org) in derived.iter() {
        let same = shipped.get(shipped.find(&org.code).unwrap());
        assert_eq!(org.department_type, same.department_type, "{}", org.code);
        let region = |orgs: &Organisations, id| {
            let above = orgs.path(id).iter().find(|id| orgs.get(**id).level == Level::Region);
            above.map(|id| (orgs.get(*id).code.clone(), orgs.get(*id).name.clone()))
        };
        assert_eq!(region(&derived, id), region(&shipped, shipped.find(&org.code).unwrap()), "{}", org.code);
    }
    assert_eq!(codes(&Organisations::new(&organisations(&tables[..1])).unwrap(), Level::Site).len(), 327);
}

/// October and November 2025.
fn both() -> [Published; 2] {
    [Published::read(OCTOBER).unwrap(), Published::read(NOVEMBER).unwrap()]
}

#[test]
fn the_report_says_what_was_left_out_and_who_is_silent() {
    let tables = [read(OCTOBER).unwrap(), read(NOVEMBER).unwrap()];
    let report = report(&tables, silent(&both()));
    let october = &report.files[0];
    assert_eq!(october.providers, 187);
    assert_eq!(october.attendances, [1_481_222, 54_756, 865_288]);
    assert_eq!(october.over_four_hours, [590_612, 2_900, 26_362]);
    assert_eq!(october.without_attendances.len(), 10);
    assert!(october.total_agreed);
    let month = Month::new(2025, 10).unwrap();
    assert_eq!(report.silent, [Silent { month, code: "NNJ07".into(), attendances_elsewhere: 7_515 }]);
    let text = report.to_string();
    for expected in [
        "msitae 2025-10: 187 providers, 2401266 attendances, 619874 over four hours\n",
        "  type 1: 1481222 attendances, 590612 over four hours\n",
        "  row of totals: agrees in every column, not imported\n",
        "warning: NNJ07 has no attendances in 2025-10, and 7515 in the other months: a missing return",
        "  waits of 4-12 h from the decision to admit: 88420 placed\n",
        "  waits of 12 h and more from the decision to admit: 54326 placed\n",
        "  RD1, type 3, 2025-10: 5 emergency admissions via A&E fit on no attendance\n",
        "Open Government Licence v3.0.",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn a_month_alone_shows_a_provider_of_which_it_says_nothing() {
    let months = |tables: &[Published]| -> Vec<String> {
        silent(tables).iter().map(|one| format!("{} {}", one.code, one.month)).collect()
    };
    assert_eq!(months(&both()[..1]), ["NNJ07 2025-10"], "others without attendances have admissions");
    assert_eq!(months(&both()[1..]), [""; 0]);
    let text = silent(&both()[..1])[0].to_string();
    let expected =
        "warning: NNJ07 has no attendances in 2025-10, every count of it is 0: a missing return, not a quiet";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn nobody_is_taken_from_two_tables() {
    let [october, november] = both();
    let overlap = |tables: &[&Published]| {
        let tables: Vec<Published> = tables.iter().map(|table| (*table).clone()).collect();
        super::overlap(&tables).map(|(first, second, code, month)| format!("{first} {second} {code} {month}"))
    };
    assert_eq!(overlap(&[&october, &november]), None);
    assert_eq!(overlap(&[&november, &october, &november]).as_deref(), Some("0 2 AQN04 2025-11"));
    let long = "period,org_code,type,attendances,breaches,admissions\n2025-10-01,RXF,1,9,1,1\n";
    let long = Published::read(long.as_bytes()).unwrap();
    assert_eq!(
        overlap(&[&october, &long]).as_deref(),
        Some("0 1 RXF 2025-10"),
        "another form, the same thing"
    );
}

#[test]
fn departments_that_are_not_known_are_left_out_and_counted() {
    let shipped = crate::organisations::tests::england();
    let mut october = read(OCTOBER).unwrap();
    assert_eq!(october.retain_known(&shipped), []);
    let mut table = read(long_form::TABLE).unwrap();
    table.select(&[Month::new(2017, 10).unwrap()]);
    let before: u64 = table.cells.iter().map(|cell| u64::from(cell.attendances)).sum();
    let left_out = table.retain_known(&shipped);
    let after: u64 = table.cells.iter().map(|cell| u64::from(cell.attendances)).sum();
    assert_eq!(before, 2_044_137);
    assert_eq!(left_out.iter().map(|one| one.count).sum::<u64>(), before - after);
    assert!(left_out.iter().any(|one| one.code == "RA4"), "Yeovil is in Somerset now: {left_out:?}");
    let text = super::left_out("attendances", &left_out[..1]);
    let LeftOut { code, count } = &left_out[0];
    let expected =
        format!("  left out: {count} attendances of 1 organisations that are not known: {code} ({count})\n");
    assert_eq!(text, expected);
}

const LONG: &str = "period,org_code,type,attendances,breaches,admissions\n\
                    2017-10-01,RF4,1,300,90,50\n2017-10-01,RF4,2,10,0,0\n2017-10-01,RF4,other,40,1,0\n\
                    2017-12-01,RF4,1,310,80,50\n2017-11-01,RXF,1,5,5,1\n";

#[test]
fn the_long_form_comes_back_too() {
    let table = read(LONG.as_bytes()).unwrap();
    let mut counts: BTreeMap<(String, u32), (u64, u64)> = BTreeMap::new();
    let october = rfc3339(b"2017-09-30T23:00:00Z").unwrap().second().0 / 60;
    let november = rfc3339(b"2017-11-01T00:00:00Z").unwrap().second().0 / 60;
    let december = rfc3339(b"2017-12-01T00:00:00Z").unwrap().second().0 / 60;
    table.events(7, &mut |event| {
        let says = attendance(&event);
        let to = minute(says.departed_at);
        assert!(to >= october);
        let month = 10 + u32::from(to >= november) + u32::from(to >= december);
        let count = counts.entry((says.site.to_string(), month)).or_insert((0, 0));
        *count = (count.0 + 1, count.1 + u64::from(to - minute(says.arrived_at) > 240));
    });
    let expected = [
        (("RF4-T1", 10), (300, 90)),
        (("RF4-T1", 12), (310, 80)),
        (("RF4-T2", 10), (10, 0)),
        (("RF4-T3", 10), (40, 1)),
        (("RXF-T1", 11), (5, 5)),
    ];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected.map(|((s, m), c)| ((s.to_owned(), m), c)));
    let rows = table.organisations();
    Organisations::new(&rows).unwrap();
    assert_eq!(rows.iter().find(|row| row.code == "RF4").unwrap().parent, "ENG");
    let silent: Vec<String> =
        silent(&[Published::Attendances(table)]).iter().map(|s| format!("{} {}", s.code, s.month)).collect();
    assert_eq!(silent, ["RF4 2017-11"], "a row that is missing between two months");
}

const RXF: &str = "MSitAE-OCTOBER-2025,RXF,NHS ENGLAND NORTH EAST AND YORKSHIRE ,\"MID YORKSHIRE, NHS\",\
                   90,8,7,6,5,4,30,2,1,6,0,0,1,2,3,4,5,6";
const RF4: &str = "MSitAE-OCTOBER-2025,RF4,NHS ENGLAND LONDON,BARKING,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0";

fn small(rows: &[&str]) -> String {
    let header = std::str::from_utf8(OCTOBER).unwrap().lines().next().unwrap();
    std::iter::once(&header).chain(rows).map(|row| format!("{row}\r\n")).collect()
}

#[test]
fn a_small_table_is_read_whatever_its_line_ends_and_byte_order_mark() {
    let text = small(&[RXF, RF4]);
    let table = read(text.as_bytes()).unwrap();
    assert_eq!(table.providers[0].name, "MID YORKSHIRE, NHS");
    assert_eq!(table.providers[0].region, Some("Y63"));
    assert!(!table.has_total);
    assert_eq!((table.cells[0].attendances, table.cells[0].over_four_hours), (96, 36));
    assert_eq!(read(format!("\u{feff}{}", text.replace('\r', "")).as_bytes()).unwrap(), table);
    assert!(report(&[table], Vec::new()).to_string().contains("row of totals: none to check against"));
}

#[test]
fn a_damaged_table_says_where_and_what_would_be_right() {
    const TOTAL: &str = "TOTAL,TOTAL,TOTAL,TOTAL,91,8,7,6,5,4,30,2,1,6,0,0,1,2,3,4,5,6";
    let good = small(&[RXF, RF4, TOTAL]);
    assert!(read(good.as_bytes()).unwrap().has_total, "the table that is damaged below is sound");
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1).into_bytes()
    };
    let long = |from: &str, to: &str| LONG.replacen(from, to, 1).into_bytes();
    let mut no_text = good.clone().into_bytes();
    let position = good.find("BARKING").unwrap();
    no_text[position] = 0xff;
    for (bytes, message) in [
        (Vec::new(), "the file is empty: a header and rows were expected"),
        (small(&[]).into_bytes(), "the table has no rows"),
        (small(&["TOTAL,T,T,T,0"]).into_bytes(), "line 2: 5 cells, 22 were expected"),
        (
            b"a,b\n1,2\n".to_vec(),
            "line 1: this header is of no table that is known: \"a,b\"; a header of one of these was expected: \
             \"Period,Org Code,Parent Org,…\" (MSitAE), \"period,org_code,type,attendances,breaches,admissions\", \
             \"Year,Month,Region,Org Code,Org Name,A0,…\" (AmbSYS), \"nhs_trust22_code,date,…\" (beds)",
        ),
        (
            changed("A&E attendances Type 2", "A&E attendances Type II"),
            "line 1: column \"A&E attendances Type 2\" is missing",
        ),
        (
            changed("Other emergency admissions", "Other emergency admissions,A&E attendances Type 5"),
            "line 1: column \"A&E attendances Type 5\" is not known, or stands twice; counts in it would be lost",
        ),
        (changed(",90,8,", ",90,"), "line 2: 21 cells, 22 were expected"),
        (
            changed(",90,8,", ",many,8,"),
            "line 2, column \"A&E attendances Type 1\": \"many\" is not a whole number from 0 to 100000000",
        ),
        (
            changed(",90,8,", ",-90,8,"),
            "line 2, column \"A&E attendances Type 1\": \"-90\" is not a whole number from 0 to 100000000",
        ),
        (
            changed(",90,8,", ",90,,"),
            "line 2, column \"A&E attendances Type 2\": \"\" is not a whole number from 0 to 100000000",
        ),
        (
            changed(",90,8,", ",90,4294967297,"),
            "line 2, column \"A&E attendances Type 2\": \"4294967297\" is not a whole number from 0 to 100000000",
        ),
        (
            changed(",90,8,", ",\"1,090\",8,"),
            "line 2, column \"A&E attendances Type 1\": \"1,090\" is not a whole number from 0 to 100000000",
        ),
        (
            changed(",30,2,1,6,", ",91,2,1,6,"),
            "line 2 (RXF, type 1): 91 over four hours is more than 90 attendances",
        ),
        (
            changed(",30,2,1,6,", ",30,2,1,7,"),
            "line 2 (RXF, type 1): 7 over four hours is more than 6 attendances",
        ),
        (small(&[RXF, RF4, RXF]).into_bytes(), "line 4: RXF stands twice for 2025-10, first in line 2"),
        (
            changed("TOTAL,91,8", "TOTAL,92,8"),
            "line 4, column \"A&E attendances Type 1\": the total says 92, the rows add up to 91",
        ),
        (
            small(&[RXF, TOTAL, RF4]).into_bytes(),
            "line 3, column \"A&E attendances Type 1\": the total says 91, the rows add up to 90",
        ),
        (small(&[RXF, RF4, TOTAL, RF4]).into_bytes(), "line 5: a row after the total"),
        (
            changed("MSitAE-OCTOBER-2025,RXF", "October,RXF"),
            "line 2, column \"Period\": \"October\" is not a month such as MSitAE-OCTOBER-2025",
        ),
        (
            changed("NHS ENGLAND LONDON", "NHS WALES"),
            "line 3, column \"Parent Org\": \"NHS WALES\" is not one of the seven regions, such as NHS ENGLAND LONDON",
        ),
        (
            changed(",RXF,", ",R/F,"),
            "line 2, column \"Org Code\": \"R/F\" is not a code of 1 to 13 letters and digits",
        ),
        (changed("BARKING", " "), "line 3, column \"Org name\": \"\" is not a name"),
        (no_text, "line 3: not valid UTF-8"),
        (
            long("RF4,1,300,90", "RF4,1,89,90"),
            "line 2 (RF4, type 1): 90 over four hours is more than 89 attendances",
        ),
        (long("other", "4"), "line 4, column \"type\": \"4\" is not 1, 2 or other"),
        (
            long("2017-10-01", "2017-10-02"),
            "line 2, column \"period\": \"2017-10-02\" is not the first day of a month such as 2017-03-01",
        ),
        (long("RF4,2,10", "RF4,1,10"), "line 3: RF4, type 1 stands twice for 2017-10, first in line 2"),
        (
            long("300,90,50", "300,90,x"),
            "line 2, column \"admissions\": \"x\" is not a whole number from 0 to 100000000",
        ),
        (long(",breaches", ""), "line 1: column \"breaches\" is missing"),
    ] {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        match read(&bytes) {
            Ok(_) => panic!("taken, but should be: {message}\n{shown}"),
            Err(error) => assert_eq!(error.to_string(), message, "{shown}"),
        }
    }
}
