//! Published figures as returns: `import --as returns`, the ledger, the points of `standard`.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::engine::{HORIZON_MINUTES, Settings};
use domain::event::Outcome;
use domain::freshness::Patience;
use domain::measures::{Measure, Series, Window};
use domain::organisations::Organisations;
use domain::replay::Replay;
use domain::sweep::Scope;
use domain::time::{Minute, rfc3339};
use simulator::import::{Published, organisations};

const STANDARDS: &str = include_str!("../config/standards.toml");
const TABLES: [&[u8]; 4] = [
    include_bytes!("data/ambsys-2017-08_2025-03.csv"),
    include_bytes!("data/ga-beds-2022-04_2024-12.csv"),
    include_bytes!("data/msitae-2025-10.csv"),
    include_bytes!("data/ae-2016-04_2018-03.csv"),
];

/// The points of some organisations by organisation, standard and minute.
type Points = BTreeMap<(String, String, Minute), Series>;

/// Everything is taken twice: the second time nothing is news.
fn points(wanted: &[&str]) -> Points {
    let tables = TABLES.map(|bytes| Published::read(bytes).expect("a published table"));
    let orgs = Arc::new(Organisations::new(&organisations(&tables)).expect("the places of the tables"));
    let settings = Settings {
        orgs: orgs.clone(),
        standards: contract::configuration::read_standards(STANDARDS).expect("the shipped standards"),
        frameworks: Default::default(),
        windows: vec![Window::Today],
        exclude_disposals: Vec::new(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
    };
    let mut replay = Replay::new(settings);
    for expected in [Outcome::Accepted, Outcome::Duplicate] {
        for table in &tables {
            let mut returns = table.returns();
            returns.retain_known(&orgs);
            for one in &returns.stated {
                let event = one.event(table.form(), None);
                assert_eq!(replay.take(&event), (expected, ""), "{}", event.id);
            }
        }
    }
    let scope = Scope {
        orgs: orgs.iter().map(|(_, org)| wanted.contains(&org.code.as_str())).collect(),
        measures: vec![Measure::Standard],
        windows: vec![Window::Today],
    };
    let mut points = Points::new();
    let instant = |text: &str| rfc3339(text.as_bytes()).expect("an instant").second();
    let (from, until) = (instant("2016-04-01T00:00:00Z"), instant("2025-11-02T00:00:00Z"));
    replay.points(
        scope,
        from,
        until,
        60,
        &mut |org, minute, series| {
            let standard = series.key.tags().map(|(_, text)| text.to_owned()).collect::<String>();
            points.insert((orgs.get(org).code.clone(), standard, minute), *series);
        },
        &mut |_| {},
    );
    points
}

#[test]
fn england_is_as_published() {
    let points = points(&["ENG", "RX8", "R1F-AMB", "NNJ07"]);
    let of = |org: &str, standard: &str, end: &str| {
        let minute = rfc3339(end.as_bytes()).expect("an instant").second().minute();
        points.get(&(org.to_owned(), standard.to_owned(), minute)).copied()
    };
    let fields = |series: Option<Series>, names: &[&str]| -> Vec<i64> {
        let series = series.expect("a point");
        names.iter().map(|name| series.field(name).expect("a field of standard")).collect()
    };
    // January 2018: England's own row; the mean is 499 s.
    let january =
        fields(of("ENG", "amb-response-c1", "2018-02-01T00:00:00Z"), &["total", "total_s", "p90_s"]);
    assert_eq!(january, [60_170, 30_034_837, 869]);
    assert_eq!((january[1] as f64 / january[0] as f64).round(), 499.0);
    // March 2025, which ends in summer time.
    let march = |standard, names: &[&str]| fields(of("ENG", standard, "2025-03-31T23:00:00Z"), names);
    let response = march("amb-response-c1", &["total", "total_s", "p90_s", "reporting", "expected"]);
    assert_eq!(((response[1] as f64 / response[0] as f64).round(), response[2]), (472.0, 836));
    assert_eq!(response[3..], [11, 11], "every service");
    assert_eq!(march("amb-response-c2", &["p90_s"]), [3_507]);
    assert_eq!(march("amb-handover", &["total", "total_s"]), [408_452, 767_405_695]);
    assert_eq!(march("amb-handover-over-15m", &["met", "total"]), [274_000, 408_452]);
    assert!(of("R1F-AMB", "amb-response-c1", "2018-02-01T00:00:00Z").is_none(), "missing, not zero");
    // Beds have no row of England: the trusts add up.
    let beds = of("ENG", "ga-beds-occupied", "2025-01-01T00:00:00Z");
    assert_eq!(fields(beds, &["met", "total"]), [94_813, 102_165]);
    for (end, all, type_1) in [
        ("2016-11-01T00:00:00Z", (2_001_816, 219_137), (1_317_571, 214_604)),
        ("2017-11-01T00:00:00Z", (2_044_137, 205_602), (1_325_211, 201_118)),
        ("2025-11-01T00:00:00Z", (2_401_266, 619_874), (1_481_222, 590_612)),
    ] {
        for (standard, (total, over)) in
            [("ae-four-hours-monthly", all), ("ae-four-hours-monthly-type-1", type_1)]
        {
            let got = fields(of("ENG", standard, end), &["total", "met"]);
            assert_eq!(got, [total, total - over], "{standard} {end}");
        }
    }
    let waits = |standard| fields(of("ENG", standard, "2025-11-01T00:00:00Z"), &["count"]);
    assert_eq!(waits("ae-over-12h-decision-monthly"), [54_326]);
    assert_eq!(waits("ae-over-4h-decision-monthly"), [88_420 + 54_326]);
    assert!(
        of("NNJ07", "ae-four-hours-monthly", "2025-11-01T00:00:00Z")
            .is_none_or(|series| { series.field("reporting") == Some(0) })
    );
}
