//! The live engine is the model: the random cases on a virtual clock, minute by minute, with kills and restores at
//! random steps, from checkpoints that are older than what was published, or lost. The newest minute is right as soon
//! as it is closed, and once the queues are empty everything is.
//! `SITREP_CASES=5000` runs more cases, `SITREP_SEED=17` that one alone.

use std::collections::{BTreeMap, BTreeSet};

use acceptance::cases::{self, Case};
use acceptance::model::{Model, Points};
use acceptance::program::{organisations, put_series, settings};
use domain::engine::{Engine, HORIZON_MINUTES};
use domain::event::Category;
use domain::measures::{
    Freshness, MAX_FIELDS, Measure, OrgMinute, Revision, Series, SeriesKey, Tag, TagKind, TypeTag,
};
use domain::organisations::Level;
use domain::time::{Millis, Minute};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Saved = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// What survives a process: the log, what was published, the checkpoint.
struct World<'a> {
    case: &'a Case,
    log: Vec<cases::Delivery>,
    /// What each delivery's outcome was when it was first read.
    outcomes: Vec<Option<&'static str>>,
    published: Vec<OrgMinute>,
    checkpoint: Saved,
    checkpoint_log: usize,
    checkpoint_published: usize,
    epoch: u64,
}

impl World<'_> {
    /// Starts a process as spec 2.6 "Start" says; `end`: how much of the log there is.
    fn start(&mut self, end: usize, now: Millis) -> Engine {
        self.epoch += 1;
        let mut engine = Engine::new(settings(&self.case.orgs, &self.case.settings), self.epoch);
        for ((kind, key), bytes) in &self.checkpoint {
            assert!(engine.restore(*kind, key, bytes), "a checkpoint of ours is taken back");
        }
        assert!(engine.restored(), "and its parts fit together");
        for index in self.checkpoint_log..end {
            self.take(&mut engine, index);
        }
        for published in &self.published[self.checkpoint_published..] {
            engine.published_before(published);
        }
        engine.begin(now);
        engine
    }

    /// Somebody else started in between, with another configuration, and published what is wrong.
    fn stranger(&mut self, rng: &mut ChaCha8Rng, now: Minute) {
        self.epoch += 1;
        let organisations = organisations(&self.case.orgs, &self.case.settings);
        let orgs: Vec<(String, Level)> =
            organisations.iter().map(|(_, org)| (org.code.clone(), org.level)).collect();
        for n in 1..rng.random_range(2..40) {
            let (org, level) = orgs[rng.random_range(0..orgs.len())].clone();
            let swept: Vec<Measure> = Measure::swept().collect();
            let measure = swept[rng.random_range(0..swept.len())];
            if !measure.exists_at(level) {
                continue;
            }
            let definition = measure.definition();
            let window = definition
                .by_window
                .then(|| self.case.settings.windows[rng.random_range(0..self.case.settings.windows.len())]);
            let minute = now.minus(rng.random_range(0..2_000));
            if window.is_some_and(|window| !minute.0.is_multiple_of(window.step())) {
                continue;
            }
            let tag = match definition.tag {
                TagKind::None => Tag::None,
                TagKind::Type => {
                    [TypeTag::All, TypeTag::One, TypeTag::Two, TypeTag::Three][rng.random_range(0..4)].into()
                }
                TagKind::Category => Category::ALL[rng.random_range(0..5)].into(),
                TagKind::Area
                | TagKind::Standard
                | TagKind::Scale
                | TagKind::Framework
                | TagKind::Parameter
                | TagKind::Source => Tag::text("other").expect("a text"),
            };
            let key = SeriesKey { measure, tag, window };
            self.published.push(OrgMinute {
                level,
                org,
                minute,
                revision: Revision { epoch: self.epoch, n },
                freshness: Freshness::default(),
                restated: true,
                series: vec![Series { key, values: [rng.random_range(1..9); MAX_FIELDS] }],
            });
        }
    }

    fn take(&mut self, engine: &mut Engine, index: usize) {
        let delivery = &self.log[index];
        let outcome = engine.take(&delivery.event, delivery.log_time).0;
        let first = self.outcomes[index].get_or_insert(outcome.as_str());
        // Read again, what was accepted may be a duplicate; what was refused is refused the same way.
        let again = outcome.as_str() == "duplicate" && *first == "accepted";
        assert!(again || outcome.as_str() == *first, "{} then {}", first, outcome.as_str());
    }

    fn save(&mut self, engine: &mut Engine, position: usize) {
        let checkpoint = &mut self.checkpoint;
        engine.save(&mut |(kind, key, bytes)| {
            match bytes {
                Some(bytes) => checkpoint.insert((kind, key.to_vec()), bytes.to_vec()),
                None => checkpoint.remove(&(kind, key.to_vec())),
            };
        });
        self.checkpoint_log = position;
        self.checkpoint_published = self.published.len();
    }

    fn lose_checkpoint(&mut self) {
        self.checkpoint.clear();
        (self.checkpoint_log, self.checkpoint_published) = (0, 0);
    }

    /// What stands at these minutes: of each series the value of the highest revision that carries it.
    fn store(&self, minutes: &BTreeSet<Minute>) -> BTreeMap<Minute, Points> {
        let mut store: BTreeMap<(Minute, &str, SeriesKey), (Revision, &Series)> = BTreeMap::new();
        for one in self.published.iter().filter(|one| minutes.contains(&one.minute)) {
            for series in &one.series {
                let key = (one.minute, one.org.as_str(), series.key);
                let held = store.entry(key).or_insert((one.revision, series));
                assert!(
                    held.0 != one.revision || held.1.values == series.values,
                    "one revision, two values: {} {} {:?}",
                    one.org,
                    one.minute,
                    series.key
                );
                if one.revision >= held.0 {
                    *held = (one.revision, series);
                }
            }
        }
        let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
        for ((minute, org, _), (_, series)) in store {
            put_series(points.entry(minute).or_default(), org, series);
        }
        points
    }
}

#[test]
fn the_store_equals_the_model_whatever_came_late_and_whatever_crashed() {
    cases::each(120, run);
}

fn run(case: &Case) {
    let mut rng = ChaCha8Rng::seed_from_u64(case.seed ^ 0xc4a5);
    let log = case.live();
    let mut world = World {
        case,
        outcomes: vec![None; log.len()],
        log,
        published: Vec::new(),
        checkpoint: Saved::new(),
        checkpoint_log: 0,
        checkpoint_published: 0,
        epoch: 0,
    };
    let mut model = Model::new(&case.orgs, case.settings.clone());
    let mut expected = Vec::new();
    let mut position = world.log.partition_point(|one| one.log_time < Millis::from(case.from.start()));
    let tell = |model: &mut Model, expected: &mut Vec<&'static str>, log: &[cases::Delivery]| {
        for one in log {
            expected.push(model.take(one.event.clone(), Some(one.log_time)).as_str());
        }
    };
    tell(&mut model, &mut expected, &world.log[..position]);
    let mut engine = world.start(position, Millis::from(case.from.start()));
    let until = case.until.plus(4 * 60);
    for minute in case.from.0..=until.0 {
        let now = Millis(i64::from(minute) * 60_000 + rng.random_range(0..60_000));
        let end = world.log.partition_point(|one| one.log_time <= now);
        let arriving = end > position;
        engine.tick(now);
        for index in position..end {
            world.take(&mut engine, index);
            if rng.random_bool(0.3) {
                engine.publish_newest(&mut |one| world.published.push(one));
            }
        }
        tell(&mut model, &mut expected, &world.log[position..end]);
        position = end;
        engine.publish_newest(&mut |one| world.published.push(one));
        assert!(!engine.newest_waits());
        if arriving || rng.random_bool(0.01) {
            newest_is_right(&world, &model, Minute(minute));
        }
        if rng.random_bool(0.1) {
            publish_some(&mut world, &mut engine, &mut rng);
        }
        if rng.random_bool(0.05) {
            world.save(&mut engine, position);
        }
        if rng.random_bool(if arriving { 0.15 } else { 0.002 }) {
            if rng.random_bool(0.3) {
                world.lose_checkpoint();
            }
            if rng.random_bool(0.3) {
                world.stranger(&mut rng, Minute(minute));
            }
            engine = world.start(position, now);
            engine.publish_newest(&mut |one| world.published.push(one));
            newest_is_right(&world, &model, Minute(minute));
        }
    }
    while engine.publish_older(500, &mut |one| world.published.push(one)) > 0 {}
    assert_eq!(engine.backlog(), 0);
    let outcomes: Vec<&str> = world.outcomes.iter().take(position).flatten().copied().collect();
    assert_eq!(outcomes, expected, "outcomes of seed {}", case.seed);
    everything_is_right(&world, &model, until);
}

/// Publishes a part of what waits.
fn publish_some(world: &mut World<'_>, engine: &mut Engine, rng: &mut ChaCha8Rng) {
    engine.publish_older(rng.random_range(1..400), &mut |one| world.published.push(one));
}

fn newest_is_right(world: &World<'_>, model: &Model, minute: Minute) {
    let points = world.store(&BTreeSet::from([minute])).remove(&minute).unwrap_or_default();
    assert_same(world.case, "newest", minute, &points, &model.points(minute));
}

fn everything_is_right(world: &World<'_>, model: &Model, until: Minute) {
    let mut minutes: BTreeSet<Minute> = world.case.edges().into_iter().collect();
    minutes.extend((world.case.until.0..=until.0).step_by(7).map(Minute));
    minutes.extend((1..14).map(|days| world.case.from.minus(days * 1_440 - 30)));
    minutes.retain(|minute| minute.0 + HORIZON_MINUTES >= until.0);
    let mut store = world.store(&minutes);
    let reading = model.read();
    for minute in minutes {
        let points = store.remove(&minute).unwrap_or_default();
        assert_same(world.case, "at the end", minute, &points, &reading.points(minute));
    }
}

fn assert_same(case: &Case, when: &str, minute: Minute, got: &Points, wanted: &Points) {
    for key in got.keys().chain(wanted.keys()) {
        let (got, wanted) = (got.get(key), wanted.get(key));
        assert_eq!(got, wanted, "seed {}, {when}, at {minute}: {} {:?}", case.seed, key.0, key.1);
    }
}
