//! Published tables come out as they went in: `import`, the ledger, the daily points. Every provider and type of each
//! month, and England's totals as NHS England printed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::engine::{HORIZON_MINUTES, Settings};
use domain::event::{DepartmentType, Outcome};
use domain::freshness::Patience;
use domain::measures::{Measure, TypeTag, Window};
use domain::organisations::Organisations;
use domain::replay::Replay;
use domain::standard::Standards;
use domain::sweep::Scope;
use domain::time::{LondonDays, Minute};
use simulator::import::{self, Month, Table};

const ENGLAND: &[u8] = include_bytes!("../config/organisations.csv");
const OCTOBER: &[u8] = include_bytes!("data/msitae-2025-10.csv");
const NOVEMBER: &[u8] = include_bytes!("data/msitae-2025-11.csv");
const OLDER: &[u8] = include_bytes!("data/ae-2016-04_2018-03.csv");

/// Sums of the daily points of a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    departed: i64,
    within: i64,
    admitted: i64,
    over_4h_decision: i64,
    over_12h_decision: i64,
}

/// For each organisation and type.
type Sums = BTreeMap<(String, TypeTag), Sum>;

fn imported(table: &Table, orgs: &Arc<Organisations>) -> Sums {
    let settings = Settings {
        orgs: orgs.clone(),
        standards: Standards::default(),
        frameworks: Default::default(),
        windows: vec![Window::Today],
        exclude_disposals: Vec::new(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
    };
    let mut replay = Replay::new(settings);
    // Through the wire form, as `sitrep import | sitrep replay` does it.
    let mut line = Vec::new();
    table.events(7, &mut |event| {
        line.clear();
        contract::write_json(&event, &mut line);
        let read = contract::parse_json(&line, &contract::Hashed).expect("an imported event is well formed");
        assert_eq!(replay.take(&read).0, Outcome::Accepted);
    });
    let month = table.months()[0];
    let days = LondonDays::new();
    let scope = Scope {
        orgs: vec![true; orgs.len()],
        measures: vec![Measure::AeFourHour, Measure::AeAdmission],
        windows: vec![Window::Today],
    };
    let mut sums = Sums::new();
    // The point of a local midnight is the whole day before it.
    let (first, last) = (days.next_midnight(month.start()), month.end());
    let is_midnight = |minute: Minute| days.midnight(minute) == minute;
    replay.points(
        scope,
        first.start(),
        last.start(),
        60,
        &mut |org, minute, series| {
            if is_midnight(minute) {
                let tag = series.key.tag.department_type().expect("both measures have a type");
                let sum = sums.entry((orgs.get(org).code.clone(), tag)).or_default();
                let field = |name| series.field(name).expect("a field of the measure");
                if series.key.measure == Measure::AeFourHour {
                    sum.departed += field("departed");
                    sum.within += field("within");
                    assert_eq!(field("implausible"), 0, "nothing imported is implausible");
                } else {
                    sum.admitted += field("admitted");
                    sum.over_4h_decision += field("over_4h_decision");
                    sum.over_12h_decision += field("over_12h_decision");
                }
            }
        },
        &mut |_| {},
    );
    sums
}

/// England's attendances and those over four hours, by type.
type England<'a> = &'a [(TypeTag, i64, i64)];

fn check(bytes: &[u8], england: England<'_>, waits: (i64, i64)) {
    let table = import::read(bytes).expect("a published table");
    let orgs = Arc::new(contract::organisations::read_csv(ENGLAND).expect("the shipped organisations"));
    let all = compare(&table, orgs, england);
    assert_eq!(
        (all.over_4h_decision - all.over_12h_decision, all.over_12h_decision),
        waits,
        "England's waits"
    );
}

/// A month of the older table, with the places that its import writes: many are no more.
fn check_older(month: &str, england: England<'_>) {
    let mut table = import::read(OLDER).expect("a published table");
    table.select(&[Month::parse(month).expect("a month")]);
    let orgs = Organisations::new(&table.organisations()).expect("the places of the table");
    let all = compare(&table, Arc::new(orgs), england);
    assert_eq!((all.over_4h_decision, all.over_12h_decision), (0, 0), "it has no waits");
}

/// Each row, and what is known of England; the sums of England.
fn compare(table: &Table, orgs: Arc<Organisations>, england: England<'_>) -> Sum {
    let sums = imported(table, &orgs);
    let of = |org: &str, tag| sums.get(&(org.to_owned(), tag)).copied().unwrap_or_default();
    let mut checked = 0;
    for cell in &table.cells {
        let tag = match cell.kind {
            DepartmentType::Major => TypeTag::One,
            DepartmentType::SingleSpecialty => TypeTag::Two,
            DepartmentType::Other => TypeTag::Three,
            DepartmentType::WalkInCentre | DepartmentType::SameDayEmergencyCare => {
                panic!("not in these tables")
            }
        };
        let code = &table.providers[cell.provider].code;
        let Sum { departed, within, admitted, .. } = of(code, tag);
        let (attendances, over) = (i64::from(cell.attendances), i64::from(cell.over_four_hours));
        assert_eq!((departed, departed - within), (attendances, over), "{code} type {}", tag.as_str());
        // As many as came: RD1 and R0D admit from types that nobody attended.
        assert_eq!(admitted, attendances.min(i64::from(cell.admissions)), "{code} type {}", tag.as_str());
        checked += 1;
    }
    assert!(checked > 300, "only {checked} rows of the table were checked");
    for waits in &table.waits {
        let code = &table.providers[waits.provider].code;
        let all = of(code, TypeTag::All);
        let expected = (i64::from(waits.from_4_to_12_hours), i64::from(waits.over_12_hours));
        assert_eq!((all.over_4h_decision - all.over_12h_decision, all.over_12h_decision), expected, "{code}");
    }
    for (tag, attendances, over) in england {
        let Sum { departed, within, .. } = of("ENG", *tag);
        assert_eq!((departed, departed - within), (*attendances, *over), "England, type {}", tag.as_str());
    }
    of("ENG", TypeTag::All)
}

#[test]
fn october_2025_comes_out_as_published() {
    check(
        OCTOBER,
        &[
            (TypeTag::All, 2_401_266, 619_874),
            (TypeTag::One, 1_481_222, 590_612),
            (TypeTag::Two, 54_756, 2_900),
            (TypeTag::Three, 865_288, 26_362),
        ],
        (88_420, 54_326),
    );
}

#[test]
fn november_2025_comes_out_as_published() {
    check(
        NOVEMBER,
        &[
            (TypeTag::All, 2_347_046, 605_140),
            (TypeTag::One, 1_450_144, 575_050),
            (TypeTag::Two, 49_725, 2_475),
            (TypeTag::Three, 847_177, 27_615),
        ],
        (83_151, 50_648),
    );
}

#[test]
fn october_2016_comes_out_as_published() {
    check_older("2016-10", &[(TypeTag::All, 2_001_816, 219_137), (TypeTag::One, 1_317_571, 214_604)]);
}

#[test]
fn october_2017_comes_out_as_published() {
    check_older("2017-10", &[(TypeTag::All, 2_044_137, 205_602), (TypeTag::One, 1_325_211, 201_118)]);
}
