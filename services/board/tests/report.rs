//! Reports over a small country whose figures can be added up by hand: the sentences that people read, the tables, and
//! what is said of what is not held.
//!
//! `SITREP_BLESS=1` writes the golden files anew: then read the difference.

use std::path::{Path, PathBuf};

use board::read::Reader;
use board::report::period::{Period, Span};
use board::report::{self, Report, Request, Rules, html, json, text};
use board::store::{Options, Store};
use domain::alert::value::{Decimal, Value};
use domain::date::Date;
use domain::measures::{Freshness, MAX_FIELDS, Measure, OrgMinute, Revision, Series, Tag, TypeTag};
use domain::organisations::{Level, Organisations, Row};
use domain::standard::Standards;
use domain::target::{Step, Targets};
use domain::time::{LondonDays, Minute, rfc3339};

/// Twelve trusts with one major department each, the last four with a minor injuries unit too.
fn organisations() -> Organisations {
    let row = |code: &str, name: &str, level: &str, parent: &str, department_type: &str| Row {
        code: code.to_owned(),
        name: name.to_owned(),
        level: level.to_owned(),
        parent: parent.to_owned(),
        department_type: department_type.to_owned(),
    };
    let mut rows = vec![row("ENG", "England", "nation", "", "")];
    for number in 1..=12 {
        let trust = format!("T{number:02}");
        rows.push(row(&trust, &format!("Trust {number}"), "trust", "ENG", ""));
        rows.push(row(&format!("{trust}-A"), &format!("Major {number}"), "site", &trust, "1"));
        if number > 8 {
            rows.push(row(&format!("{trust}-M"), &format!("Minor {number}"), "site", &trust, "3"));
        }
    }
    Organisations::new(&rows).expect("a sound table")
}

/// Departed and within four hours of a day.
type Day = (i64, i64);

/// What a trust's departments have of a day: type 1 and type 3.
type Plan = fn(u32) -> (Day, Day);

/// 93.7 % and 90.6 %: eight trusts at 75 %, of which the first is the smallest and the second the largest.
fn week(trust: u32) -> (Day, Day) {
    match trust {
        1 => ((16, 12), (0, 0)),
        2 => ((24, 18), (0, 0)),
        3..=8 => ((20, 15), (0, 0)),
        12 => ((250, 232), (150, 149)),
        _ => ((250, 233), (150, 150)),
    }
}

/// 95.3 % and 92.9 %: one trust at 75 %.
fn year_before(trust: u32) -> (Day, Day) {
    match trust {
        1 => ((20, 15), (0, 0)),
        2..=8 => ((20, 17), (0, 0)),
        _ => ((250, 236), (150, 150)),
    }
}

/// Everybody within four hours.
fn quiet(trust: u32) -> (Day, Day) {
    if trust > 8 { ((10, 10), (5, 5)) } else { ((10, 10), (0, 0)) }
}

struct World {
    folder: tempfile::TempDir,
    store: Store,
    organisations: Organisations,
    days: LondonDays,
}

fn point(measure: Measure, tag: impl Into<Tag>, fields: &[(&str, i64)]) -> Series {
    let mut values = [0; MAX_FIELDS];
    for (name, value) in fields {
        values[measure.field(name).expect("a field of the measure")] = *value;
    }
    Series { key: report::figures::daily(measure, tag.into()), values }
}

/// 95 % from July 2010 on.
fn targets() -> Targets {
    let step = Step {
        from: Date::parse("2010-07-01").expect("a date"),
        to: None,
        value: Decimal::parse("0.95").expect("a number"),
        source: "operating standard".to_owned(),
        verified: true,
    };
    let value = Value::parse("ae_four_hour.within / ae_four_hour.departed").expect("a value");
    Targets {
        targets: vec![domain::target::Target { value, series: Vec::new(), level: None, steps: vec![step] }],
    }
}

fn minute(text: &str) -> Minute {
    rfc3339(text.as_bytes()).expect("an instant").second().minute()
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut store = Store::open(folder.path(), Options::live(1_440)).expect("a store");
        let organisations = organisations();
        store.save_organisations(&organisations).expect("the table is saved");
        World { folder, store, organisations, days: LondonDays::new() }
    }

    /// Days by a plan: the first noon, and how many. The site of trust 3 is silent on the first of them.
    fn days(&mut self, noon: &str, number: usize, plan: Plan) {
        let mut midnight = self.days.next_midnight(minute(noon));
        for day in 0..number {
            let batch = self.day(midnight, plan, day == 0);
            self.store.apply(&batch).expect("a day is taken");
            midnight = self.days.next_midnight(midnight);
        }
    }

    /// The org-minutes of a midnight: sums of the sites at every level.
    fn day(&self, midnight: Minute, plan: Plan, with_silence: bool) -> Vec<OrgMinute> {
        let of = |code: &str| {
            let trust: u32 = code[1..3].parse().expect("a number");
            let (major, minor) = plan(trust);
            if code.ends_with("-M") { ((0, 0), minor) } else { (major, (0, 0)) }
        };
        let add = |a: Day, b: Day| (a.0 + b.0, a.1 + b.1);
        let mut batch = Vec::new();
        for (id, org) in self.organisations.iter() {
            let (mut one, mut three) = ((0, 0), (0, 0));
            for site in self.organisations.sites_below(id) {
                let (major, minor) = of(&self.organisations.get(*site).code);
                (one, three) = (add(one, major), add(three, minor));
            }
            let mut series = Vec::new();
            for (tag, day) in [(TypeTag::All, add(one, three)), (TypeTag::One, one), (TypeTag::Three, three)]
            {
                if day.0 > 0 {
                    let over_12h = (day.0 - day.1) / 10;
                    let fields = [("departed", day.0), ("within", day.1), ("over_12h", over_12h)];
                    series.push(point(Measure::AeFourHour, tag, &fields));
                    series.push(point(Measure::AeArrivals, tag, &[("arrived", day.0 + 1)]));
                }
            }
            if org.level == Level::Nation {
                let fields = [
                    ("completed", 300),
                    ("over_15m", 100),
                    ("total_s", 250_000),
                    ("p90_s", i64::from(midnight.0 % 7) + 1_800),
                ];
                series.push(point(Measure::AmbHandover, Tag::None, &fields));
                let fields = [("present", 120), ("on_clock", 110), ("longest_minutes", 900)];
                series.push(point(Measure::AeDepartment, TypeTag::All, &fields));
            }
            let stale = with_silence && org.code == "T03-A";
            batch.push(OrgMinute {
                level: org.level,
                org: org.code.clone(),
                minute: midnight,
                revision: Revision { epoch: 1, n: 1 },
                freshness: Freshness { stale, age_seconds: Some(60) },
                restated: false,
                series,
            });
        }
        batch
    }

    fn report(&self, org: Option<&str>, span: Span, ending: &str) -> Report {
        let mut reader = Reader::open(self.folder.path()).expect("the store is open");
        let period = Period::ending(span, ending).expect("a period");
        let request = Request { org: org.map(str::to_owned), period, floor: 0.8 };
        let (targets, standards) = (targets(), Standards::default());
        let rules = Rules { targets: &targets, standards: &standards };
        report::make(&mut reader, &request, rules).expect("a report")
    }
}

fn golden(name: &str, found: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report").join(name);
    if std::env::var_os("SITREP_BLESS").is_some() {
        std::fs::write(&path, found).expect("the golden file is written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is not what is said now:\n{found}", path.display());
}

/// The week ending 26 October 2014, at whose end the clocks went back; the week before with five days; a year before.
fn october_2014() -> World {
    let mut world = World::new();
    world.days("2013-10-21T12:00:00Z", 7, year_before);
    world.days("2014-10-15T12:00:00Z", 5, quiet);
    world.days("2014-10-20T12:00:00Z", 7, week);
    world
}

#[test]
fn a_week_is_told_in_the_words_that_people_use() {
    let world = october_2014();
    let report = world.report(None, Span::Week, "2014-10-26");
    let document = report.document();
    assert_eq!(
        document.summary[0],
        "93.7 % of patients (all types) within four hours against 95 %; 90.6 % in major departments (type 1); the same \
         week last year 95.3 % and 92.9 %; eight trusts below 80 %, one a year ago."
    );
    assert_eq!(
        document.summary[2],
        "The lowest, all types: Trust 2 (75.0 % of 168), Trust 3 (75.0 % of 140) and Trust 4 (75.0 % of 140)."
    );
    assert_eq!(document.summary[3], "The week before: 100.0 % and 100.0 % (of 5 of its 7 days).");
    let lowest: Vec<&str> = report.below.organisations.iter().map(|one| one.place.code.as_str()).collect();
    assert_eq!(lowest, ["T02", "T03", "T04", "T05", "T06", "T07", "T08", "T01"], "ties: the larger first");
    assert_eq!((report.now.feeds.site_days, report.now.feeds.stale), (16 * 7, 1));
    golden("week.txt", &text::write(&document));
    golden("week.html", &html::write(&document));
    golden("week.json", &json::write(&report));
    for line in text::write(&document).lines() {
        assert!(line.chars().count() <= text::COLUMNS, "{line}");
    }
}

#[test]
fn what_is_not_held_is_said_and_never_a_zero() {
    let world = october_2014();
    for (span, ending, expected) in [
        (
            Span::Week,
            "2013-10-27",
            "95.3 % of patients (all types) within four hours against 95 %; 92.9 % in major departments (type 1); the same \
             week last year not held; one trust below 80 %, not held a year ago.",
        ),
        (
            Span::Month,
            "2014-10-31",
            "94.0 % of patients (all types) within four hours against 95 %; 91.2 % in major departments (type 1); the same \
             month last year 95.3 % and 92.9 % (of 7 of its 31 days); no trusts below 80 %, one a year ago.",
        ),
        (
            Span::Day,
            "2014-10-26",
            "93.7 % of patients (all types) within four hours against 95 %; 90.6 % in major departments (type 1); the same \
             weekday a year before 95.3 % and 92.9 %; eight trusts below 80 %, one a year ago.",
        ),
        (Span::Week, "2014-11-02", "No four-hour figures are held for week ending 2 November 2014."),
    ] {
        let report = world.report(None, span, ending);
        assert_eq!(report.document().summary[0], expected);
        let table = &report.document().sections[0];
        for (column, figures) in report.periods().iter().enumerate() {
            let is_held = figures.four_hour(TypeTag::All).is_some();
            let says = table.rows.first().map(|row| row.cells[column].as_str());
            assert_eq!(says.is_some_and(|cell| cell != "not held"), is_held, "{says:?} in column {column}");
        }
    }
    let future = world.report(None, Span::Week, "2014-11-02");
    let labels = future.document().labels;
    assert_eq!(labels[1], "The period is not over: what follows is what there is of it so far.");
}

#[test]
fn a_trust_names_its_sites_and_a_site_itself() {
    let world = october_2014();
    let trust = world.report(Some("T12"), Span::Week, "2014-10-26");
    assert_eq!((trust.below.level, trust.below.now.map(|now| now.of)), (Level::Site, Some(2)));
    assert_eq!(trust.now.share(TypeTag::All), report::number::Share::of((232 + 149) * 7, 400 * 7));
    let site = world.report(Some("T01-A"), Span::Week, "2014-10-26");
    assert_eq!(site.below.now, Some(report::BelowCount { below: 1, of: 1 }));
    assert_eq!(site.now.held, 7);
    let minor = world.report(Some("T09-M"), Span::Week, "2014-10-26");
    assert_eq!(
        minor.document().summary[0],
        "100.0 % of patients (all types) within four hours against 95 %; the same week last year 100.0 %; no sites below \
         80 %, none a year ago."
    );
}

#[test]
fn a_report_that_cannot_be_made_says_why() {
    let world = World::new();
    let (targets, standards) = (targets(), Standards::default());
    let rules = Rules { targets: &targets, standards: &standards };
    for (org, expected, usage) in [
        (Some("X99"), "no organisation has the code \"X99\" in the store's table", true),
        (None, "the store holds no figures", false),
    ] {
        let mut reader = Reader::open(world.folder.path()).expect("the store is open");
        let period = Period::ending(Span::Day, "2014-10-26").expect("a period");
        let request = Request { org: org.map(str::to_owned), period, floor: 0.8 };
        let error = report::make(&mut reader, &request, rules).expect_err("there is nothing");
        assert_eq!((error.to_string().as_str(), error.is_usage()), (expected, usage));
    }
}
