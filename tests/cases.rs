//! Random cases for the property tests: a small country, what its feeds said, and the minutes to look at. Biased so
//! that interesting collisions are common: few references, few minutes, few stamps.
//!
//! A case is a function of its seed. `SITREP_CASES=5000` runs more of them, `SITREP_SEED=17` runs that one alone; the
//! seed of a case that fails is printed.

mod country;
mod live;
mod mishaps;
mod statements;
mod stories;

use std::collections::BTreeSet;
use std::ops::Range;

use domain::event::{Disposal, Event};
use domain::measures::{DEFAULT_WINDOWS, Window};
use domain::organisations::Organisations;
use domain::time::Minute;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::london::minute_of;
use crate::model::{Model, Settings, stated_instants};
use crate::places;

pub use live::Delivery;

/// A small country, what its feeds said, and the minutes to look at.
#[derive(Clone, Debug)]
pub struct Case {
    /// The number from which everything else follows.
    pub seed: u64,
    /// 2–8 sites in 1–3 trusts, some without; 1–2 ambulance services; a nation.
    pub orgs: Organisations,
    /// Windows, excluded disposals, standards, areas and groups.
    pub settings: Settings,
    /// 5–120 events in no order, some of them wrong.
    pub events: Vec<Event<'static>>,
    /// The first minute to look at.
    pub from: Minute,
    /// The last minute to look at; 26 to 40 hours later.
    pub until: Minute,
}

/// The days on which cases play: the clock changes, ordinary days, the turns of a year and of a leap day.
const DAYS: [(u32, u32, u32); 8] = [
    (2026, 3, 29),
    (2026, 10, 25),
    (2026, 3, 29),
    (2026, 10, 25),
    (2026, 11, 21),
    (2026, 7, 1),
    (2027, 1, 1),
    (2028, 2, 29),
];

impl Case {
    /// The case of that seed.
    pub fn random(seed: u64) -> Case {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let country = country::Country::random(&mut rng);
        let (year, month, day) = *DAYS.choose(&mut rng).expect("there are days");
        let from = minute_of(year, month, day).minus(rng.random_range(0..8 * 60));
        let until = from.plus(rng.random_range(26 * 60..=40 * 60));
        let settings = country.settings(settings(&mut rng), &mut rng);
        let mut teller = stories::Teller::new(&mut rng, &country, &settings.standards, from, until);
        let wanted = match teller.rng.random_range(0..10) {
            0..5 => teller.rng.random_range(5..20),
            5..9 => teller.rng.random_range(20..60),
            _ => teller.rng.random_range(60..=120),
        };
        let mut events = Vec::new();
        while events.len() * 4 < wanted * 3 {
            events.extend(teller.story());
        }
        while events.len() < wanted {
            let mishap = teller.mishap(&events);
            events.extend(mishap);
        }
        events.truncate(120);
        events.shuffle(&mut rng);
        Case { seed, orgs: country.orgs, settings, events, from, until }
    }

    /// The same events in another order, some of them twice: to the same effect.
    pub fn shuffled(&self, seed: u64) -> Vec<Event<'static>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ seed.rotate_left(32) ^ 1);
        let mut events = self.events.clone();
        for _ in 0..events.len() / 8 {
            events.extend(self.events.choose(&mut rng).cloned());
        }
        events.shuffle(&mut rng);
        events
    }

    /// What a model knows that has read the events as a file.
    pub fn model(&self) -> Model {
        let mut model = Model::new(&self.orgs, self.settings.clone());
        for event in &self.events {
            model.take(event.clone(), None);
        }
        model
    }

    /// When each event reaches the log, in that order: most at once, some hours or days late, some too late, some
    /// before they can have been recorded. What comes before `from` is history (up to 24 days of it); nothing comes
    /// later than 2 h after `until`.
    pub fn live(&self) -> Vec<Delivery> {
        live::deliveries(self)
    }

    /// The minutes from `from` to `until` at which some figure can step, and every quarter of an hour.
    pub fn edges(&self) -> Vec<Minute> {
        let mut edges: BTreeSet<Minute> = (self.from.0..=self.until.0)
            .filter(|m| m.is_multiple_of(15) || *m == self.from.0 || *m == self.until.0)
            .map(Minute)
            .collect();
        let mut ages = vec![0, 15, 30, 45, 60, 180, 210, 240, 720, 1_440, 2_880, 4_320, 20_160];
        ages.extend(self.settings.windows.iter().map(|window| match window {
            Window::Rolling(minutes) => *minutes,
            Window::Today => 0,
        }));
        let instants = self.events.iter().flat_map(|event| stated_instants(&event.statement));
        for at in instants.map(|at| at.closed_minute()) {
            for age in &ages {
                edges.extend([at.plus(*age), at.plus(age + 1), at.plus(age + 2)]);
            }
        }
        edges.into_iter().filter(|m| self.from <= *m && *m <= self.until).collect()
    }

    /// The organisations as the text of an `organisations.csv`.
    pub fn organisations_csv(&self) -> String {
        places::csv(&self.orgs)
    }
}

fn settings(rng: &mut ChaCha8Rng) -> Settings {
    let mut settings = Settings::default();
    if rng.random_bool(0.3) {
        let mut windows = DEFAULT_WINDOWS.to_vec();
        windows.extend([Window::Rolling(1), Window::Rolling(90), Window::Rolling(2_880)]);
        windows.shuffle(rng);
        windows.truncate(rng.random_range(1..6));
        settings.windows = windows;
    }
    if rng.random_bool(0.3) {
        settings.exclude_disposals = vec![Disposal::Streamed];
    }
    if rng.random_bool(0.1) {
        settings.exclude_disposals.extend([Disposal::Left, Disposal::Admitted]);
    }
    settings
}

/// Checks `cases` cases (or `SITREP_CASES`, or the one of `SITREP_SEED`), on every core; prints the seed of one that
/// panics, and panics then.
pub fn each(cases: u64, check: impl Fn(&Case) + Sync) {
    let seeds = seeds(cases);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (seeds, check) = (seeds.clone(), &check);
            scope.spawn(move || {
                for seed in seeds.filter(|seed| seed % threads == thread) {
                    let _printed = PrintedOnPanic(seed);
                    check(&Case::random(seed));
                }
            });
        }
    });
}

/// The seeds to run: those below `cases` unless the environment says otherwise.
fn seeds(cases: u64) -> Range<u64> {
    if let Some(seed) = number("SITREP_SEED") {
        return seed..seed + 1;
    }
    0..number("SITREP_CASES").unwrap_or(cases)
}

/// A variable of the environment as a number.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not \"{text}\"")))
}

struct PrintedOnPanic(u64);

impl Drop for PrintedOnPanic {
    #[expect(clippy::print_stderr, reason = "a failing test names the seed that replays it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the case of seed {} failed; SITREP_SEED={} runs it alone", self.0, self.0);
        }
    }
}
