//! The older table of 24 months: months are chosen, providers come and go, England's totals are as printed.

use super::*;

pub(super) const TABLE: &[u8] = include_bytes!("../../../../../tests/data/ae-2016-04_2018-03.csv");

fn of_month(text: &str) -> Table {
    let mut table = read(TABLE).unwrap();
    table.select(&[Month::parse(text).unwrap()]);
    table
}

#[test]
fn england_is_as_printed_and_nobody_is_out_of_the_month() {
    for (text, start, end, all, type_1) in [
        (
            "2016-10",
            "2016-09-30T23:00:00Z",
            "2016-11-01T00:00:00Z",
            (2_001_816, 219_137),
            (1_317_571, 214_604),
        ),
        (
            "2017-10",
            "2017-09-30T23:00:00Z",
            "2017-11-01T00:00:00Z",
            (2_044_137, 205_602),
            (1_325_211, 201_118),
        ),
    ] {
        let instant = |text: &str| rfc3339(text.as_bytes()).unwrap().second().0 / 60;
        let month = instant(start)..instant(end);
        let table = of_month(text);
        assert_eq!(table.months(), [Month::parse(text).unwrap()]);
        let (mut got, mut got_type_1, mut admitted) = ((0, 0), (0, 0), 0);
        table.events(1, &mut |event| {
            let says = attendance(&event);
            let (from, to) = (minute(says.arrived_at), minute(says.departed_at));
            assert!(month.contains(&to));
            let over = u64::from(to - from > 240);
            got = (got.0 + 1, got.1 + over);
            if says.site.ends_with("-T1") {
                got_type_1 = (got_type_1.0 + 1, got_type_1.1 + over);
            }
            admitted += u64::from(says.disposal == Fact::Stated(domain::event::Disposal::Admitted));
            assert!(!says.decided_to_admit_at.is_said(), "this form has no waits from the decision");
        });
        assert_eq!((got, got_type_1), (all, type_1), "{text}");
        let admissions: u64 = table.cells.iter().map(|cell| u64::from(cell.admissions)).sum();
        assert_eq!(admitted, admissions, "no admissions exceed attendances in this table");
    }
}

#[test]
fn places_are_those_of_the_months_that_are_chosen() {
    let codes = |months: &[&str]| {
        let mut table = Published::read(TABLE).unwrap();
        let months: Vec<Month> = months.iter().map(|text| Month::parse(text).unwrap()).collect();
        table.select(&months);
        let rows = organisations(&[table]);
        Organisations::new(&rows).unwrap();
        rows.into_iter().filter(|row| row.level == "trust").map(|row| row.code).collect::<HashSet<_>>()
    };
    let (before, after) = (codes(&["2017-09"]), codes(&["2017-10"]));
    // Central and South Manchester became one trust on 1 October 2017.
    assert!(before.contains("RW3") && !after.contains("RW3"));
    assert!(!before.contains("R0A") && after.contains("R0A"));
    assert_eq!(codes(&["2017-09", "2017-10"]), before.union(&after).cloned().collect());
    assert_eq!(codes(&[]), HashSet::new());
}

#[test]
fn who_stopped_or_came_later_is_not_silent_and_who_paused_is() {
    let older = Published::read(TABLE).unwrap();
    let named = |tables: &[Published]| -> Vec<String> {
        silent(tables).iter().map(|one| format!("{} {}", one.code, one.month)).collect()
    };
    let paused =
        ["RFR 2016-11", "NJS05 2017-09", "RWH 2017-09", "RYY 2017-11", "RYY 2017-12"].map(str::to_owned);
    assert_eq!(named(std::slice::from_ref(&older)), paused);
    // Beside tables of years later nobody more is silent: RNN stopped in 2017 and is a provider again.
    let [october, november] = both();
    let together = named(&[older, october, november]);
    assert_eq!(together[..5], paused);
    assert_eq!(together[5..], ["NNJ07 2025-10"]);
}
