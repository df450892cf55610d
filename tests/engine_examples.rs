//! Each a bug that the property test found, in its smallest form: what the live engine must write again.

use std::collections::BTreeMap;
use std::sync::Arc;

use acceptance::places;
use domain::engine::{Engine, HORIZON_MINUTES, Settings};
use domain::event::{Attendance, Event, Fact, Journey, JourneyName, Outcome, Statement};
use domain::freshness::Patience;
use domain::ids::Ref;
use domain::measures::{DEFAULT_WINDOWS, Measure, OrgMinute, Revision, Tag, TypeTag, Window};
use domain::organisations::{Level, Organisations};
use domain::standard::Standards;
use domain::time::{DAY, Millis, Minute, Second, rfc3339};

type Saved = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

fn little_england() -> Organisations {
    places::organisations(places::LITTLE_ENGLAND).expect("a right table")
}

struct World {
    engine: Engine,
    published: Vec<OrgMinute>,
    number: u32,
}

fn at(text: &str) -> Millis {
    rfc3339(format!("2026-11-{text}:00Z").as_bytes()).expect("a day and a time")
}

fn second(text: &str) -> Second {
    at(text).second()
}

fn settings() -> Settings {
    Settings {
        orgs: Arc::new(little_england()),
        standards: Standards::default(),
        frameworks: Default::default(),
        windows: DEFAULT_WINDOWS.to_vec(),
        exclude_disposals: Vec::new(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
    }
}

fn engine(epoch: u64) -> Engine {
    Engine::new(settings(), epoch)
}

fn site(index: usize) -> String {
    let orgs = little_england();
    orgs.iter().filter(|(_, org)| org.level == Level::Site).nth(index).expect("some sites").1.code.clone()
}

fn service() -> String {
    let orgs = little_england();
    orgs.iter().find(|(_, org)| org.level == Level::Service).expect("a service").1.code.clone()
}

impl World {
    fn begin(mut engine: Engine, published: Vec<OrgMinute>, now: &str) -> World {
        engine.begin(at(now));
        let mut world = World { engine, published, number: 0 };
        world.publish();
        world
    }

    fn say(&mut self, now: &str, statement: Statement<'static>) {
        self.number += 1;
        let event = Event {
            id: format!("{}", self.number).into(),
            source: "feed".into(),
            recorded_at: at(now),
            statement,
        };
        assert_eq!(self.engine.take(&event, at(now)).0, Outcome::Accepted);
    }

    fn publish(&mut self) {
        let published = &mut self.published;
        self.engine.publish_newest(&mut |one| published.push(one));
        while self.engine.publish_older(1_000, &mut |one| published.push(one)) > 0 {}
    }

    fn save(&mut self) -> Saved {
        let mut saved = Saved::new();
        self.engine.save(&mut |(kind, key, bytes)| {
            saved.insert((kind, key.to_vec()), bytes.expect("nothing is forgotten here").to_vec());
        });
        saved
    }

    /// What stands of a field in the store.
    fn holds(&self, org: &str, minute: &str, measure: Measure, window: Option<Window>, field: &str) -> i64 {
        let minute: Minute = second(minute).minute();
        let mut newest: Option<(Revision, i64)> = None;
        for one in self.published.iter().filter(|one| one.org == org && one.minute == minute) {
            for series in one.series.iter().filter(|series| {
                series.key.measure == measure
                    && series.key.window == window
                    && matches!(series.key.tag, Tag::None | Tag::Type(TypeTag::All))
            }) {
                let value = series.field(field).expect("a field of the measure");
                newest = newest.max(Some((one.revision, value)));
            }
        }
        newest.map_or(0, |(_, value)| value)
    }
}

fn restored(saved: &Saved, epoch: u64) -> Engine {
    let mut engine = engine(epoch);
    for ((kind, key), bytes) in saved {
        assert!(engine.restore(*kind, key, bytes));
    }
    assert!(engine.restored());
    engine
}

/// A decision to admit at 01:00 counts as over twelve hours from 13:01 on. When it turns out to have been at 03:00, the
/// two hours after 13:01 must be written again, as well as those after 01:00.
#[test]
fn a_corrected_decision_is_written_again_where_twelve_hours_were_over() {
    let mut world = World::begin(engine(1), Vec::new(), "20T00:10");
    let attendance = || Attendance::new(site(0), Ref([1; 16]));
    let mut arrives = attendance();
    arrives.arrived_at = Fact::Stated(second("20T00:00"));
    arrives.decided_to_admit_at = Fact::Stated(second("20T01:00"));
    world.say("20T01:01", Statement::Attendance(arrives));
    world.engine.tick(at("20T16:00"));
    world.publish();
    let over = |world: &World, minute| {
        world.holds(&site(0), minute, Measure::AeDepartment, None, "awaiting_over_12h")
    };
    assert_eq!((over(&world, "20T13:00"), over(&world, "20T13:01"), over(&world, "20T15:59")), (0, 1, 1));
    let mut corrected = attendance();
    corrected.decided_to_admit_at = Fact::Stated(second("20T03:00"));
    world.say("20T16:00", Statement::Attendance(corrected));
    world.publish();
    assert_eq!((over(&world, "20T13:01"), over(&world, "20T15:00"), over(&world, "20T15:01")), (0, 0, 1));
}

/// A correction comes after the checkpoint, and the process dies before it has written the older minutes again. Read
/// again from the log, the event must mark them.
#[test]
fn a_correction_after_the_checkpoint_is_not_forgotten_by_a_crash() {
    let mut world = World::begin(engine(1), Vec::new(), "20T00:10");
    let mut leaves = Attendance::new(site(0), Ref([1; 16]));
    leaves.arrived_at = Fact::Stated(second("20T01:00"));
    leaves.departed_at = Fact::Stated(second("20T02:00"));
    world.say("20T02:01", Statement::Attendance(leaves));
    world.engine.tick(at("20T04:00"));
    world.publish();
    let saved = world.save();
    let departed = |world: &World, minute| {
        world.holds(&site(0), minute, Measure::AeFourHour, Some(Window::Rolling(60)), "departed")
    };
    assert_eq!((departed(&world, "20T02:30"), departed(&world, "20T03:30")), (1, 0));
    let corrected = || {
        let mut corrected = Attendance::new(site(0), Ref([1; 16]));
        corrected.departed_at = Fact::Stated(second("20T03:00"));
        Statement::Attendance(corrected)
    };
    world.say("20T04:00", corrected());
    // Killed here: nothing of it was published.
    let number = world.number - 1;
    let mut again = World { engine: restored(&saved, 2), published: world.published, number };
    again.say("20T04:00", corrected());
    let mut again = World::begin(again.engine, again.published, "20T04:02");
    again.publish();
    assert_eq!((departed(&again, "20T02:30"), departed(&again, "20T03:30")), (0, 1));
}

/// A site's only journey is sent elsewhere; the marks are in the checkpoint, and the process that takes over has never
/// seen the site with a handover. The zeros must be written all the same.
#[test]
fn the_zeros_of_what_went_elsewhere_survive_a_checkpoint() {
    let mut world = World::begin(engine(1), Vec::new(), "20T00:10");
    let mut journey = Journey::new(service(), Ref([2; 16]));
    journey.destination = Fact::Stated(site(0).into());
    journey.arrived_at = Fact::Stated(second("20T01:00"));
    journey.handed_over_at = Fact::Stated(second("20T01:20"));
    world.say("20T01:21", Statement::Ambulance(journey));
    world.engine.tick(at("20T02:00"));
    world.publish();
    let completed = |world: &World, site: &str| {
        world.holds(site, "20T01:30", Measure::AmbHandover, Some(Window::Rolling(60)), "completed")
    };
    assert_eq!((completed(&world, &site(0)), completed(&world, &site(1))), (1, 0));
    let mut diverted = Journey::new(service(), Ref([2; 16]));
    diverted.destination = Fact::Stated(site(1).into());
    world.say("20T02:00", Statement::Ambulance(diverted));
    let saved = world.save();
    // Killed here: the marks were saved, nothing of it was published.
    let again = World::begin(restored(&saved, 2), world.published, "20T02:02");
    assert_eq!((completed(&again, &site(0)), completed(&again, &site(1))), (0, 1));
}

/// How old a feed is, is counted to the minute of the figures and not to the moment in which the minute was closed (spec 3.1).
#[test]
fn a_feed_is_as_old_as_at_the_minute_of_the_figures() {
    let mut world = World::begin(engine(1), Vec::new(), "20T12:00");
    let mut arrives = Attendance::new(site(0), Ref([1; 16]));
    arrives.arrived_at = Fact::Stated(second("20T12:00"));
    world.say("20T12:00", Statement::Attendance(arrives));
    // 60 min 59 s after its newest word, the minute of 60 min is closed.
    world.engine.tick(Millis(at("20T13:00").0 + 59_000));
    world.publish();
    world.engine.tick(at("20T13:01"));
    world.publish();
    let freshness = |minute: &str| {
        let minute = second(minute).minute();
        let found = world.published.iter().rfind(|one| one.org == site(0) && one.minute == minute);
        found.map(|one| (one.freshness.age_seconds, one.freshness.stale)).expect("published")
    };
    assert_eq!(freshness("20T13:00"), (Some(3_600), false));
    assert_eq!(freshness("20T13:01"), (Some(3_660), true));
}

/// An aggregator's clock stood hours ahead. Its successor has no checkpoint and reads back what was published: minutes that
/// are still to come are written when they come, not before and not twice under one revision.
#[test]
fn what_was_published_ahead_of_its_time_is_written_when_its_time_comes() {
    let arrives = |number: u8, at: &str| {
        let mut arrives = Attendance::new(site(0), Ref([number; 16]));
        arrives.arrived_at = Fact::Stated(second(at));
        Statement::Attendance(arrives)
    };
    let mut ahead = World::begin(engine(1), Vec::new(), "20T10:00");
    ahead.say("20T10:00", arrives(1, "20T09:30"));
    ahead.engine.tick(at("20T13:30"));
    ahead.publish();
    let mut next = World { engine: engine(2), published: Vec::new(), number: 0 };
    next.say("20T10:00", arrives(1, "20T09:30"));
    ahead.published.iter().for_each(|one| next.engine.published_before(one));
    let mut next = World::begin(next.engine, ahead.published, "20T10:05");
    let of_its_own = |world: &World| -> Vec<(String, Minute, Revision)> {
        let own = world.published.iter().filter(|one| one.revision.epoch == 2);
        own.map(|one| (one.org.clone(), one.minute, one.revision)).collect()
    };
    assert_eq!(of_its_own(&next).iter().map(|one| one.1).max(), Some(second("20T10:05").minute()));
    next.say("20T10:06", arrives(2, "20T10:06"));
    next.engine.tick(at("20T13:00"));
    next.publish();
    let present = next.holds(&site(0), "20T12:00", Measure::AeDepartment, None, "present");
    assert_eq!(present, 2);
    let mut written = of_its_own(&next);
    let count = written.len();
    written.sort();
    written.dedup();
    assert_eq!(written.len(), count, "two writings of one revision");
}

/// With a horizon of a day an entity is held for fifteen. All that an attendance states is older than that, but not the
/// handover with which its clock started: when that is corrected, the arrival moves with it.
#[test]
fn an_attendance_is_held_for_as_long_as_its_journey_is_young() {
    let settings = Settings { horizon_minutes: DAY, ..settings() };
    let mut world = World::begin(Engine::new(settings, 1), Vec::new(), "01T00:10");
    let mut arrives = Attendance::new(site(0), Ref([1; 16]));
    arrives.arrived_at = Fact::Stated(second("01T00:20"));
    arrives.ambulance = Fact::Stated(JourneyName { service: service().into(), reference: Ref([2; 16]) });
    world.say("01T00:30", Statement::Attendance(arrives));
    let handed_over = |at: &str| {
        let mut journey = Journey::new(service(), Ref([2; 16]));
        journey.destination = Fact::Stated(site(0).into());
        journey.handed_over_at = Fact::Stated(second(at));
        Statement::Ambulance(journey)
    };
    world.engine.tick(at("15T12:00"));
    world.say("15T12:00", handed_over("15T12:00"));
    world.engine.tick(at("15T13:00"));
    world.publish();
    let arrived = |world: &World, minute| {
        world.holds(&site(0), minute, Measure::AeArrivals, Some(Window::Rolling(60)), "arrived")
    };
    assert_eq!((arrived(&world, "15T12:30"), arrived(&world, "15T11:30")), (1, 0));
    world.engine.tick(at("16T02:00"));
    world.say("16T02:00", handed_over("15T11:00"));
    world.publish();
    assert_eq!((arrived(&world, "15T12:30"), arrived(&world, "15T11:30")), (0, 1));
    // Forgotten on the hour when the newest of both, this correction, is older than fifteen days.
    let held = |world: &World| (world.engine.ledger().attendances(), world.engine.ledger().journeys());
    let days = |count: i64| count * 86_400_000;
    world.engine.tick(Millis(at("16T02:00").0 + days(15)));
    assert_eq!(held(&world), (1, 1));
    world.engine.tick(Millis(at("16T03:00").0 + days(15)));
    assert_eq!(held(&world), (0, 0));
}
