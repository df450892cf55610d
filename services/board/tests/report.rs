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
use domain::standard::{Kind, Standard, Standards};
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

/// A monthly share from all twelve trusts, due after 14 days, and a monthly count that nobody ever sent.
fn standards() -> Standards {
    let mut rtt = Standard::new("rtt", Kind::Share, domain::date::Period::Month);
    rtt.title = "Within 18 weeks".to_owned();
    rtt.due_days = 14;
    let unknown = Standard::new("unknown", Kind::Count, domain::date::Period::Month);
    Standards { standards: vec![rtt, unknown], scales: vec!["opel".to_owned()] }
}

fn tag(text: &str) -> Tag {
    Tag::text(text).expect("a text")
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

    /// Writes one more org-minute of the nation, or of a trust.
    fn write(&mut self, org: &str, at: &str, series: Vec<Series>) {
        let level = if org == "ENG" { Level::Nation } else { Level::Trust };
        let freshness = Freshness { stale: false, age_seconds: None };
        let revision = Revision { epoch: 2, n: 1 };
        let org = org.to_owned();
        let writing =
            OrgMinute { level, org, minute: minute(at), revision, freshness, restated: true, series };
        self.store.apply(&[writing]).expect("it is taken");
    }

    fn report(&self, org: Option<&str>, span: Span, ending: &str) -> Report {
        let mut reader = Reader::open(self.folder.path()).expect("the store is open");
        let period = Period::ending(span, ending).expect("a period");
        let request = Request { org: org.map(str::to_owned), period, floor: 0.8 };
        let (targets, standards) = (targets(), standards());
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
    assert_eq!(labels[1], "The period is not over, and nothing is held of it yet.");
}

#[test]
fn the_day_that_is_not_over_is_told_up_to_its_newest_minute() {
    let mut world = october_2014();
    let of = |departed, within| {
        vec![point(Measure::AeFourHour, TypeTag::All, &[("departed", departed), ("within", within)])]
    };
    // Of an older minute, the newest, and what is of the moment and not of the day.
    world.write("ENG", "2014-10-27T09:00:00Z", of(50, 50));
    let mut newest = of(100, 77);
    newest.push(point(Measure::AeDepartment, TypeTag::All, &[("present", 9_999)]));
    world.write("ENG", "2014-10-27T14:05:00Z", newest);
    world.write("T01", "2014-10-27T14:04:00Z", of(10, 7));
    for (span, ending, share, attendances, held, below) in [
        (
            Span::Day,
            "2014-10-27",
            "77.0 % of patients (all types) within four hours",
            "100 attendances (all types) ended, 23 of them after more than four hours and 0 after more than 12 hours since \
             arrival; 0 of 1 days are over and held.",
            "Days held, of the period's days | 0 of 1 and a part | 1 of 1 | 0 of 1",
            Some("T01"),
        ),
        (
            Span::Month,
            "2014-10-31",
            "93.9 % of patients (all types) within four hours",
            "13,120 attendances (all types) ended, 793 of them after more than four hours and 77 after more than 12 hours \
             since arrival; 12 of 31 days are over and held.",
            "Days held, of the period's days | 12 of 31 and a part | 0 of 30 | 7 of 31",
            None,
        ),
    ] {
        let report = world.report(None, span, ending);
        let document = report.document();
        let label = "The period is not over: what follows goes up to 27 October 2014 14:05 GMT.";
        assert_eq!(document.labels[1], label);
        assert!(document.summary[0].starts_with(share), "{}", document.summary[0]);
        assert_eq!(document.summary[1], attendances);
        assert_eq!(rows(&report, "How complete")[0], held);
        assert!(!text::write(&document).contains("9,999"), "a moment is no midnight");
        let lowest = report.below.organisations.first().map(|one| one.place.code.as_str());
        assert_eq!(lowest, below);
    }
    // Midnight ends a day: nothing of the next is known, and the one before is whole.
    let midnight = october_2014();
    let report = midnight.report(None, Span::Day, "2014-10-26");
    assert_eq!((report.now.held, report.now.so_far), (1, None));
    let labels = midnight.report(None, Span::Day, "2014-10-27").document().labels;
    assert_eq!(labels[1], "The period is not over, and nothing is held of it yet.");
}

#[test]
fn the_first_day_of_a_store_may_be_a_part_of_one() {
    let world = october_2014();
    for (span, ending, says) in [
        (Span::Day, "2013-10-21", true),
        (Span::Week, "2013-10-27", true),
        (Span::Day, "2013-10-22", false),
        (Span::Week, "2014-10-26", false),
        (Span::Day, "2013-10-20", false),
    ] {
        let labels = world.report(None, span, ending).document().labels;
        let label =
            "The store's figures begin in the course of 21 October 2013: that day may be held in part only.";
        assert_eq!(labels.iter().any(|held| held == label), says, "{ending}: {labels:?}");
    }
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

/// The rows of a section, label and cells with bars between them.
fn rows(report: &Report, title: &str) -> Vec<String> {
    let document = report.document();
    let section = document.sections.iter().find(|section| section.title.starts_with(title));
    let section = section.unwrap_or_else(|| panic!("no section {title}"));
    let rows = section.rows.iter().map(|row| format!("{} | {}", row.label, row.cells.join(" | ")));
    rows.chain(section.notes.iter().cloned()).collect()
}

#[test]
fn returns_stand_with_their_completeness_and_what_is_overdue() {
    let mut world = october_2014();
    let point = |met, total, reporting| {
        let fields = [("met", met), ("total", total), ("reporting", reporting), ("expected", 12)];
        vec![point(Measure::Standard, tag("rtt"), &fields)]
    };
    // August 2014 of all, September of ten, and August of the year before.
    world.write("ENG", "2014-08-31T23:00:00Z", point(920, 1_000, 12));
    world.write("ENG", "2014-09-30T23:00:00Z", point(910, 1_000, 10));
    world.write("ENG", "2013-09-30T23:00:00Z", point(940, 1_000, 12));
    let report = world.report(None, Span::Week, "2014-10-26");
    let title = "Periodic standards";
    assert_eq!(
        rows(&report, title),
        [
            "Within 18 weeks | 30 Sep 2014 | 91.00 % | – | 94.00 % | 10 of 12",
            "Overdue from 2 for the period to 30 September 2014: Within 18 weeks."
        ]
    );
    // Before September was over, August's returns were the newest.
    let earlier = world.report(None, Span::Day, "2014-09-29");
    assert_eq!(rows(&earlier, title)[0], "Within 18 weeks | 31 Aug 2014 | 92.00 % | – | – | 12 of 12");
    // A return that came to nothing is no return, and 500 days later nobody asks for one.
    let mut world = october_2014();
    world.write("ENG", "2013-04-30T23:00:00Z", point(920, 1_000, 12));
    world.write("ENG", "2014-09-30T23:00:00Z", point(0, 0, 0));
    assert_eq!(world.report(None, Span::Week, "2014-10-26").standards, []);
}

#[test]
fn a_month_without_days_is_told_from_its_returns() {
    let mut world = World::new();
    for (org, share) in [("ENG", (900, 1_000)), ("T01", (70, 100)), ("T02", (80, 100))] {
        let fields = [("met", share.0), ("total", share.1), ("reporting", 1), ("expected", 12)];
        let series = vec![point(Measure::Standard, tag("ae-four-hours-monthly"), &fields)];
        world.write(org, "2014-09-30T23:00:00Z", series);
    }
    let report = world.report(None, Span::Month, "2014-09-30");
    assert_eq!(
        report.document().summary[0],
        "90.0 % of patients (all types) within four hours against 95 %; the same month last year not held; one trust below \
         80 %, not held a year ago."
    );
    assert_eq!((report.now.held, report.now.source.as_str()), (0, "returns"));
    assert_eq!(report.below.now, Some(report::BelowCount { below: 1, of: 2 }));
    // A week of that month is not made of it.
    assert!(world.report(None, Span::Week, "2014-09-28").now.four_hour(TypeTag::All).is_none());
}

#[test]
fn declared_and_computed_levels_stay_apart() {
    let mut world = october_2014();
    let declared = |level| vec![point(Measure::Escalation, tag("opel"), &[("declared", level)])];
    world.write("T02", "2014-10-24T23:00:00Z", declared(4));
    world.write("T02", "2014-10-27T00:00:00Z", declared(2));
    let computed = [("score", 25), ("opel", 3), ("missing", 2)];
    world.write("T05", "2014-10-27T00:00:00Z", vec![point(Measure::Opel, tag("acute"), &computed)]);
    let report = world.report(None, Span::Week, "2014-10-26");
    let rows = rows(&report, "Escalation");
    assert_eq!(rows[..2], ["Trust 5 (T05) | – | 3 (3) | 25 | 2", "Trust 2 (T02) | 2 (4) | – | – | –"]);
    assert_eq!(rows[3], "Level three at the end: declared by none, computed of one.");
}

#[test]
fn beds_are_those_of_the_mornings_and_what_was_first_known_stays() {
    let mut world = october_2014();
    let beds =
        |open, occupied| vec![point(Measure::BedState, Tag::None, &[("open", open), ("occupied", occupied)])];
    world.write("ENG", "2014-10-24T07:00:00Z", beds(100, 90));
    world.write("ENG", "2014-10-26T08:00:00Z", beds(300, 290));
    world.write("ENG", "2014-10-26T09:00:00Z", beds(900, 1));
    let first = [("departed", 1_700), ("within", 1_600)];
    for day in ["20", "21", "22", "23", "24", "25"] {
        let at = format!("2014-10-{day}T23:00:00Z");
        world.write("ENG", &at, vec![point(Measure::FirstKnown, TypeTag::All, &first)]);
    }
    let report = world.report(None, Span::Week, "2014-10-26");
    let found = rows(&report, "General and acute beds");
    assert_eq!(found[0], "Open | 200 | – | –");
    // Of the sums: the mean of 90 % and 96.7 % would be 93.3 %.
    assert!(found.contains(&"Occupancy (occupied of open) | 95.00 % | – | –".to_owned()), "{found:?}");
    assert!(found.contains(&"Mornings with figures | 2 of 7 | – | –".to_owned()), "{found:?}");
    let titles = |report: &Report| {
        report.document().sections.iter().any(|one| one.title.starts_with("As first known"))
    };
    assert!(!titles(&report), "six days of seven cannot be compared");
    world.write("ENG", "2014-10-27T00:00:00Z", vec![point(Measure::FirstKnown, TypeTag::All, &first)]);
    let report = world.report(None, Span::Week, "2014-10-26");
    assert_eq!(
        rows(&report, "As first known")[..2],
        [
            "All types, as first known | 94.12 % of 11,900 | – | –",
            "All types, now | 93.75 % of 12,320 | – | –"
        ]
    );
}

#[test]
fn the_history_is_told_when_the_minutes_are_gone() {
    let world = october_2014();
    let before = text::write(&world.report(None, Span::Week, "2014-10-26").document());
    let file =
        rusqlite::Connection::open(world.folder.path().join("board.sqlite")).expect("the store's file");
    // As docs/running.md empties it, on a day in 2026.
    let emptied = "DELETE FROM org_minutes; DELETE FROM positions;
                   DELETE FROM daily WHERE (id & 4294967295) * 60 > unixepoch('2026-11-22', '-15 days')";
    file.execute_batch(emptied).expect("the tables are there");
    assert_eq!(text::write(&world.report(None, Span::Week, "2014-10-26").document()), before);
}
