//! Returns, declarations, computed escalation and what was first known, in the live engine: published, restated, and
//! the same after a restart (spec 2.5, 2.6).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use domain::date::{Date, Period};
use domain::engine::{Engine, HORIZON_MINUTES, Settings};
use domain::event::{Attendance, Beds, Disposal, Escalation, Event, Fact, Outcome, Return, Statement};
use domain::expression::Expression;
use domain::freshness::Patience;
use domain::ids::Ref;
use domain::measures::{DEFAULT_WINDOWS, Measure, OrgMinute, Revision, SeriesKey};
use domain::opel::{Band, Framework, LevelBand, Parameter, Provenance, Total};
use domain::organisations::{Organisations, Row};
use domain::standard::{Kind, Standard, Standards};
use domain::time::{Millis, Minute, rfc3339};

const ORGANISATIONS: &str = "code,name,level,parent,department_type\nENG,England,nation,,\nQ,System,system,ENG,\n\
    T1,One,trust,Q,\nT2,Two,trust,Q,\nS1,First,site,T1,1\nS2,Second,site,T2,1\nS3,Walk-in,site,T2,3\n";

type Saved = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// The smallest table of organisations.
fn nation() -> Row {
    let (code, level) = ("ENG".to_owned(), "nation".to_owned());
    Row { code, level, name: "England".to_owned(), parent: String::new(), department_type: String::new() }
}

fn at(text: &str) -> Millis {
    rfc3339(format!("{text}:00Z").as_bytes()).expect("a day and a time")
}

fn minute(text: &str) -> Minute {
    at(text).second().minute()
}

fn parameter(id: &str, value: &str) -> Parameter {
    let said = |verified| Provenance { source: "somebody".to_owned(), verified };
    let bands = [(None, Some(0.5), 0), (Some(0.5), Some(0.9), 1), (Some(0.9), None, 2)];
    Parameter {
        id: id.to_owned(),
        title: id.to_owned(),
        value: Some(Expression::parse(value).expect("an expression")),
        provenance: said(true),
        bands: bands.map(|(from, to, points)| Band { from, to, points }).to_vec(),
        bands_provenance: said(false),
    }
}

fn framework() -> Framework {
    let levels = [(0, 0, 1), (1, 1, 2), (2, 3, 3), (4, 4, 4)];
    Framework {
        id: "f".to_owned(),
        title: "F".to_owned(),
        from: None,
        to: None,
        department_types: vec![domain::event::DepartmentType::Major],
        fall_minutes: 2,
        parameters: vec![
            parameter("beds", "bed_state.occupied / bed_state.open"),
            parameter(
                "late",
                "1 - ae_four_hour.within{type=all, window=4h} / ae_four_hour.departed{type=all, window=4h}",
            ),
        ],
        total: Some(Total {
            levels: levels.map(|(from, to, level)| LevelBand { from, to, level }).to_vec(),
            needs: 1,
            provenance: Provenance { source: "somebody".to_owned(), verified: true },
        }),
        weights: Vec::new(),
        locals: Vec::new(),
    }
}

fn engine(epoch: u64) -> Engine {
    engine_of(epoch, framework())
}

fn engine_of(epoch: u64, framework: Framework) -> Engine {
    let orgs = contract::organisations::read_csv(ORGANISATIONS.as_bytes()).expect("a right table");
    Engine::new(
        Settings {
            orgs: Arc::new(orgs),
            standards: Standards {
                standards: vec![Standard::new("rtt", Kind::Share, Period::Month)],
                scales: vec!["opel".to_owned()],
            },
            frameworks: Arc::new(vec![framework]),
            windows: DEFAULT_WINDOWS.to_vec(),
            exclude_disposals: Vec::new(),
            horizon_minutes: HORIZON_MINUTES,
            patience: Patience::default(),
        },
        epoch,
    )
}

struct World {
    engine: Engine,
    published: Vec<OrgMinute>,
    number: u32,
}

impl World {
    fn begin(now: &str) -> World {
        World::with(engine(1), Vec::new(), now)
    }

    fn with(mut engine: Engine, published: Vec<OrgMinute>, now: &str) -> World {
        engine.begin(at(now));
        let mut world = World { engine, published, number: 1_000 };
        world.publish();
        world
    }

    fn say(&mut self, now: &str, statement: Statement<'static>) -> Outcome {
        self.number += 1;
        let event = Event {
            id: format!("{}", self.number).into(),
            source: "feed".into(),
            recorded_at: at(now),
            statement,
        };
        self.engine.take(&event, at(now)).0
    }

    fn tick(&mut self, now: &str) {
        self.engine.tick(at(now));
        self.publish();
    }

    fn publish(&mut self) {
        let published = &mut self.published;
        self.engine.publish_newest(&mut |one| published.push(one));
        while self.engine.publish_older(1_000, &mut |one| published.push(one)) > 0 {}
        assert_eq!(self.engine.backlog(), 0);
    }

    /// The process ends here, before or after it was saved, and another begins.
    fn restart(mut self, saved: Option<&Saved>, epoch: u64, now: &str) -> World {
        let mut next = engine(epoch);
        let own = self.save();
        for ((kind, key), bytes) in saved.unwrap_or(&own) {
            assert!(next.restore(*kind, key, bytes));
        }
        assert!(next.restored());
        for one in &self.published {
            next.published_before(one);
        }
        World::with(next, self.published, now)
    }

    fn save(&mut self) -> Saved {
        let mut saved = Saved::new();
        self.engine.save(&mut |(kind, key, bytes)| {
            saved.insert((kind, key.to_vec()), bytes.expect("nothing is forgotten here").to_vec());
        });
        saved
    }

    /// The fields that stand of a measure of an organisation at a minute; of each series those of the highest revision.
    fn held(&self, org: &str, at: &str, measure: Measure) -> Vec<Vec<i64>> {
        let mut standing: BTreeMap<SeriesKey, (Revision, Vec<i64>)> = BTreeMap::new();
        for one in self.published.iter().filter(|one| one.org == org && one.minute == minute(at)) {
            for series in one.series.iter().filter(|series| series.key.measure == measure) {
                let values = series.values[..measure.definition().fields.len()].to_vec();
                let held = standing.entry(series.key).or_insert((one.revision, values.clone()));
                if held.0 <= one.revision {
                    *held = (one.revision, values);
                }
            }
        }
        standing.into_values().map(|(_, values)| values).collect()
    }
}

fn returned(org: &'static str, start: &str, met: Fact<u64>, total: Fact<u64>) -> Statement<'static> {
    Statement::Standard(Return {
        standard: Cow::Borrowed("rtt"),
        org: Cow::Borrowed(org),
        period_start: Date::parse(start).expect("a date").0,
        met,
        total,
        count: Fact::Absent,
        total_s: Fact::Absent,
        p90_s: Fact::Absent,
    })
}

fn declared(since: &str, level: Fact<u8>) -> Statement<'static> {
    let (org, scale) = (Cow::Borrowed("T1"), Cow::Borrowed("opel"));
    Statement::Escalation(Escalation { org, scale, since: at(since).second(), level })
}

fn beds(site: &'static str, as_of: &str, open: Fact<u32>, occupied: Fact<u32>) -> Statement<'static> {
    Statement::Beds(Beds {
        site: Cow::Borrowed(site),
        as_of: at(as_of).second(),
        open,
        occupied,
        escalation_open: Fact::Absent,
        no_criteria_to_reside: Fact::Absent,
    })
}

fn attended(number: u8, arrived: &str, departed: &str) -> Statement<'static> {
    let mut the = Attendance::new("S1", Ref([number; 16]));
    the.arrived_at = Fact::Stated(at(arrived).second());
    the.departed_at = Fact::Stated(at(departed).second());
    the.disposal = Fact::Stated(Disposal::Discharged);
    Statement::Attendance(the)
}

#[test]
fn a_return_is_published_at_its_period_s_end_however_old_and_restated() {
    use Fact::{Absent, Retracted, Stated};
    let mut world = World::begin("2026-11-21T14:00");
    let (end, may) = ("2025-11-01T00:00", "2019-05-31T23:00");
    let month = returned("T1", "2025-10-01", Stated(90), Stated(100));
    assert_eq!(world.say("2026-11-21T14:00", month), Outcome::Accepted);
    assert_eq!(
        world.say("2026-11-21T14:00", returned("T2", "2019-05-01", Stated(1), Stated(2))),
        Outcome::Accepted
    );
    world.publish();
    assert_eq!(world.held("T1", end, Measure::Standard), [[90, 100, 0, 0, 0, 1, 1]]);
    assert_eq!(world.held("ENG", end, Measure::Standard), [[90, 100, 0, 0, 0, 1, 2]]);
    assert_eq!(world.held("ENG", may, Measure::Standard), [[1, 2, 0, 0, 0, 1, 2]], "May ends at 23:00 UTC");
    assert!(world.held("S1", end, Measure::Standard).is_empty());
    assert!(world.published.iter().filter(|one| one.minute == minute(end)).all(|one| one.restated));

    // Saved, then corrected, written, and the process ends: the next one knows that it was written.
    let saved = world.save();
    assert_eq!(
        world.say("2026-11-21T14:01", returned("T1", "2025-10-01", Stated(80), Absent)),
        Outcome::Accepted
    );
    world.publish();
    assert_eq!(world.held("ENG", end, Measure::Standard), [[80, 100, 0, 0, 0, 1, 2]]);
    let mut world = world.restart(Some(&saved), 2, "2026-11-21T14:02");
    assert_eq!(
        world.held("ENG", end, Measure::Standard),
        [[90, 100, 0, 0, 0, 1, 2]],
        "as the log says to it"
    );

    let nothing = returned("T1", "2025-10-01", Retracted, Retracted);
    assert_eq!(world.say("2026-11-21T14:03", nothing), Outcome::Accepted);
    world.publish();
    assert_eq!(
        world.held("Q", end, Measure::Standard),
        [[0; 7]],
        "a point that was touched is written, zeros too"
    );
    let wrong = returned("T1", "2025-10-02", Stated(1), Stated(2));
    assert_eq!(world.say("2026-11-21T14:04", wrong), Outcome::Malformed);
    assert_eq!(
        world.say("2026-11-21T14:04", returned("T1", "2025-10-01", Stated(3), Stated(2))),
        Outcome::Malformed
    );
}

#[test]
fn what_waited_when_the_process_ended_is_written_by_the_next() {
    let mut world = World::begin("2026-11-21T14:00");
    let month = returned("T1", "2025-10-01", Fact::Stated(90), Fact::Stated(100));
    assert_eq!(world.say("2026-11-21T14:00", month), Outcome::Accepted);
    let saved = world.save();
    let world = world.restart(Some(&saved), 2, "2026-11-21T14:01");
    assert_eq!(world.held("ENG", "2025-11-01T00:00", Measure::Standard), [[90, 100, 0, 0, 0, 1, 2]]);
}

#[test]
fn the_point_of_a_period_that_has_not_ended_waits_for_its_end() {
    let mut world = World::begin("2026-11-30T23:58");
    let month = returned("T1", "2026-11-01", Fact::Stated(9), Fact::Stated(10));
    assert_eq!(world.say("2026-11-30T23:58", month), Outcome::Accepted);
    world.publish();
    assert!(world.held("T1", "2026-12-01T00:00", Measure::Standard).is_empty());
    world.tick("2026-12-01T00:00");
    assert_eq!(world.held("T1", "2026-12-01T00:00", Measure::Standard), [[9, 10, 0, 0, 0, 1, 1]]);
}

#[test]
fn a_declaration_holds_from_the_next_minute_until_the_next_and_is_restated() {
    use Fact::{Retracted, Stated};
    let mut world = World::begin("2026-11-21T14:00");
    assert_eq!(world.say("2026-11-21T14:00", declared("2026-11-21T13:50", Stated(3))), Outcome::Accepted);
    world.publish();
    let levels = |world: &World| {
        ["2026-11-21T13:50", "2026-11-21T13:51", "2026-11-21T13:56", "2026-11-21T14:00"]
            .map(|at| world.held("T1", at, Measure::Escalation).first().map_or(-1, |fields| fields[0]))
    };
    assert_eq!(levels(&world), [-1, 3, 3, 3]);
    assert!(world.held("Q", "2026-11-21T14:00", Measure::Escalation).is_empty(), "it is not rolled up");
    assert_eq!(world.say("2026-11-21T14:01", declared("2026-11-21T13:55", Stated(1))), Outcome::Accepted);
    world.tick("2026-11-21T14:01");
    assert_eq!(levels(&world), [-1, 3, 1, 1]);
    let mut world = world.restart(None, 2, "2026-11-21T14:03");
    assert_eq!(world.held("T1", "2026-11-21T14:02", Measure::Escalation), [[1]]);
    assert_eq!(world.say("2026-11-21T14:04", declared("2026-11-21T13:55", Retracted)), Outcome::Accepted);
    world.tick("2026-11-21T14:04");
    assert_eq!(levels(&world), [-1, 3, 3, 3]);
    assert_eq!(world.held("T1", "2026-11-21T14:04", Measure::Escalation), [[3]]);
    let strange = Escalation {
        scale: Cow::Borrowed("reap"),
        org: Cow::Borrowed("T1"),
        since: at("2026-11-21T13:00").second(),
        level: Stated(2),
    };
    assert_eq!(world.say("2026-11-21T14:05", Statement::Escalation(strange)), Outcome::UnknownStandard);
}

#[test]
fn what_was_first_known_of_a_day_is_written_once() {
    let mut world = World::begin("2026-11-21T23:50");
    let first = attended(1, "2026-11-21T12:00", "2026-11-21T13:00");
    assert_eq!(world.say("2026-11-21T23:50", first), Outcome::Accepted);
    world.tick("2026-11-21T23:59");
    let midnight = "2026-11-22T00:00";
    assert!(world.held("S1", midnight, Measure::FirstKnown).is_empty());
    world.tick(midnight);
    let of_all = |world: &World, measure| world.held("S1", midnight, measure).first().cloned();
    assert_eq!(of_all(&world, Measure::FirstKnown), Some(vec![1, 1, 0]));
    let saved = world.save();
    assert_eq!(
        world.say("2026-11-22T00:01", attended(2, "2026-11-21T12:00", "2026-11-21T20:00")),
        Outcome::Accepted
    );
    world.tick("2026-11-22T00:02");
    assert_eq!(of_all(&world, Measure::FirstKnown), Some(vec![1, 1, 0]));
    let count = |world: &World| {
        let series = world.published.iter().flat_map(|one| &one.series);
        series.filter(|series| series.key.measure == Measure::FirstKnown).count()
    };
    let written = count(&world);
    assert!(written > 0);
    let published = world.published.clone();
    let world = world.restart(Some(&saved), 2, "2026-11-22T00:03");
    assert_eq!(count(&world), written, "not by a process that starts from the checkpoint");

    // Without its checkpoint it reads back what was published, and writes none of it again.
    let mut fresh = engine(3);
    let event = |number: u8, statement| Event {
        id: format!("{number}").into(),
        source: "feed".into(),
        recorded_at: at("2026-11-21T23:50"),
        statement,
    };
    for number in [1, 2] {
        let statement = attended(number, "2026-11-21T12:00", "2026-11-21T13:00");
        fresh.take(&event(number, statement), at("2026-11-21T23:50"));
    }
    published.iter().for_each(|one| fresh.published_before(one));
    let world = World::with(fresh, published, "2026-11-22T00:05");
    assert_eq!(count(&world), written);
}

#[test]
fn the_midnight_of_what_was_first_known_is_the_local_one() {
    let mut world = World::begin("2026-07-01T22:50");
    let patient = attended(1, "2026-07-01T12:00", "2026-07-01T13:00");
    assert_eq!(world.say("2026-07-01T22:50", patient), Outcome::Accepted);
    world.tick("2026-07-01T23:00");
    assert_eq!(world.held("S1", "2026-07-01T23:00", Measure::FirstKnown)[0], [1, 1, 0]);
    world.tick("2026-07-02T00:00");
    assert!(world.held("S1", "2026-07-02T00:00", Measure::FirstKnown).is_empty());
}

#[test]
fn of_nobody_treated_there_is_no_median() {
    let mut framework = framework();
    framework.parameters[1] = parameter("wait", "ae_treatment.median_minutes{type=all, window=1h}");
    let mut world = World::with(engine_of(1, framework), Vec::new(), "2026-11-21T14:00");
    let mut treated = Attendance::new("S1", Ref([1; 16]));
    treated.arrived_at = Fact::Stated(at("2026-11-21T14:00").second());
    treated.treated_at = Fact::Stated(at("2026-11-21T14:10").second());
    assert_eq!(world.say("2026-11-21T14:10", Statement::Attendance(treated)), Outcome::Accepted);
    world.tick("2026-11-21T14:11");
    let waits = |world: &World, at: &str| world.held("S1", at, Measure::OpelParameter)[1].clone();
    assert_eq!(waits(&world, "2026-11-21T14:11"), [10_000_000, 2, 1]);
    // An hour later nobody was treated within the hour, and the feed is alive.
    assert_eq!(world.say("2026-11-21T15:05", Statement::Heartbeat), Outcome::Accepted);
    world.tick("2026-11-21T15:11");
    assert_eq!(waits(&world, "2026-11-21T15:11"), [0, 0, 0]);
}

#[test]
fn the_computed_level_stands_beside_the_declared_one() {
    use Fact::{Absent, Stated};
    let mut world = World::begin("2026-11-21T14:00");
    world.tick("2026-11-21T14:01");
    assert!(world.held("S1", "2026-11-21T14:01", Measure::Opel).is_empty(), "nothing is known yet");
    assert_eq!(
        world.say("2026-11-21T14:01", beds("S1", "2026-11-21T14:00", Stated(100), Stated(90))),
        Outcome::Accepted
    );
    world.tick("2026-11-21T14:02");
    let opel = |world: &World, org: &str, at: &str| world.held(org, at, Measure::Opel);
    // score, level, missing: 0.9 is the edge of two points.
    assert_eq!(opel(&world, "S1", "2026-11-21T14:02"), [[2, 3, 1]]);
    assert_eq!(opel(&world, "T1", "2026-11-21T14:02"), [[2, 3, 1]]);
    assert!(opel(&world, "T2", "2026-11-21T14:02").is_empty());
    assert_eq!(
        opel(&world, "Q", "2026-11-21T14:02"),
        [[2, 3, 3]],
        "T2 is left out of the mean, and counted as missing"
    );
    assert!(opel(&world, "ENG", "2026-11-21T14:02").is_empty());
    let parameters = world.held("S1", "2026-11-21T14:02", Measure::OpelParameter);
    assert_eq!(parameters, [[900_000, 2, 1], [0, 0, 0]]);

    // Another patient over four hours: a parameter more is known.
    assert_eq!(
        world.say("2026-11-21T14:02", attended(1, "2026-11-21T05:00", "2026-11-21T14:01")),
        Outcome::Accepted
    );
    world.tick("2026-11-21T14:03");
    assert_eq!(opel(&world, "S1", "2026-11-21T14:03"), [[4, 4, 0]]);

    // Fewer beds occupied: the score falls at once, the level after two minutes, also over a restart.
    assert_eq!(
        world.say("2026-11-21T14:03", beds("S1", "2026-11-21T14:03", Stated(100), Stated(10))),
        Outcome::Accepted
    );
    world.tick("2026-11-21T14:04");
    assert_eq!(opel(&world, "S1", "2026-11-21T14:04"), [[2, 4, 0]]);
    let mut world = world.restart(None, 2, "2026-11-21T14:05");
    assert_eq!(opel(&world, "S1", "2026-11-21T14:05"), [[2, 4, 0]]);
    world.tick("2026-11-21T14:06");
    assert_eq!(opel(&world, "S1", "2026-11-21T14:06"), [[2, 3, 0]]);

    // A state that gives only one of the two numbers: the rate is not known, and neither is that of the trust.
    assert_eq!(
        world.say("2026-11-21T14:06", beds("S1", "2026-11-21T14:06", Stated(100), Absent)),
        Outcome::Accepted
    );
    world.tick("2026-11-21T14:07");
    assert_eq!(world.held("T1", "2026-11-21T14:07", Measure::OpelParameter)[0], [0, 0, 0]);
    assert!(world.held("T1", "2026-11-21T14:07", Measure::Escalation).is_empty());
    // The past is not computed again.
    assert_eq!(opel(&world, "S1", "2026-11-21T14:03"), [[4, 4, 0]]);
}

#[test]
fn of_a_silent_feed_nothing_is_known() {
    let mut world = World::begin("2026-11-21T14:00");
    let state = beds("S1", "2026-11-21T14:00", Fact::Stated(100), Fact::Stated(90));
    assert_eq!(world.say("2026-11-21T14:00", state), Outcome::Accepted);
    world.tick("2026-11-21T14:02");
    assert_eq!(world.held("S1", "2026-11-21T14:02", Measure::Opel), [[2, 3, 1]]);
    world.tick("2026-11-21T17:00");
    assert_eq!(
        world.held("S1", "2026-11-21T17:00", Measure::Opel),
        [[0, 0, 2]],
        "stale: no level, and not level 1"
    );
}

#[test]
fn of_a_level_the_file_says_everything() {
    let golden = include_str!("golden/opel-2023-24.txt");
    let text = include_str!("../config/opel/acute-2023-24.toml");
    let organisations = Organisations::new(&[nation()]).expect("a nation");
    let places = contract::configuration::Places { organisations: &organisations, windows: &DEFAULT_WINDOWS };
    let framework = contract::configuration::read_framework(text, places).expect("as shipped");
    let mut table = String::new();
    // Each edge of each parameter: just below and at it, all others missing.
    for (index, parameter) in framework.parameters.iter().enumerate() {
        for edge in parameter.bands.iter().filter_map(|band| band.from) {
            for value in [edge - 1e-9, edge] {
                let score = scored(&framework, &|one| (one == index).then_some(value));
                let points = score.parameters[index].points;
                table.push_str(&format!("{} {value:.9} {points} missing {}\n", parameter.id, score.missing));
            }
        }
    }
    // Each total that the parameters can make, with what is missing, and the level.
    for (known, points) in [(9, 0), (5, 2), (4, 5), (9, 1), (9, 2), (9, 3), (9, 4), (9, 5), (5, 5), (0, 0)] {
        let value = |one: usize| {
            let bands = &framework.parameters[one].bands;
            let band = bands.iter().find(|band| band.points == points).or_else(|| bands.last())?;
            (one < known).then_some(band.from.or(band.to.map(|to| to - 0.001))?)
        };
        let score = scored(&framework, &value);
        let level = score.level.map_or("unknown".to_owned(), |level| level.to_string());
        table.push_str(&format!(
            "{known} known of {points} points: {} level {level} missing {}\n",
            score.score, score.missing
        ));
    }
    for score in [0, 11, 12, 22, 23, 33, 34, 44] {
        let one = domain::opel::Score { score, missing: 0, level: Some(1), parameters: Vec::new() };
        let level = framework.mean(&[(&one, 1)]).level.expect("a level");
        table.push_str(&format!("score {score} level {level}\n"));
    }
    assert_eq!(table, golden, "{table}");
}

/// The score where the value of each parameter is the one that is given, whatever its expression reads.
fn scored(framework: &Framework, value: &dyn Fn(usize) -> Option<f64>) -> domain::opel::Score {
    let mut framework = framework.clone();
    for parameter in &mut framework.parameters {
        parameter.value = Some(Expression::parse("local.value").expect("an expression"));
    }
    framework.score(&|parameter, _| value(parameter))
}
