//! A checkpoint that was damaged is refused, or what is made of it works: no entry of it, cut, flipped or replaced by noise,
//! ends the process or leaves it turning. `SITREP_CASES` and `SITREP_SEED` as in the other tests.

use std::collections::BTreeMap;

use acceptance::cases::{self, Case};
use acceptance::program::settings;
use domain::engine::Engine;
use domain::time::Millis;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Saved = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// Damaged checkpoints of each case.
const DAMAGES: usize = 25;

fn save(engine: &mut Engine) -> Saved {
    let mut saved = Saved::new();
    engine.save(&mut |(kind, key, bytes)| {
        saved.insert((kind, key.to_vec()), bytes.unwrap_or_default().to_vec());
    });
    saved
}

/// One entry is another than it was.
fn damage(saved: &Saved, rng: &mut ChaCha8Rng) -> Saved {
    // Each kind is as likely as the others, however many entries it has.
    let mut kinds: Vec<u8> = saved.keys().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    let kind = kinds[rng.random_range(0..kinds.len())];
    let keys: Vec<_> = saved.keys().filter(|key| key.0 == kind).cloned().collect();
    let at = keys[rng.random_range(0..keys.len())].clone();
    let mut damaged = saved.clone();
    let mut bytes = damaged.remove(&at).expect("an entry");
    let mut key = at.1;
    match rng.random_range(0..6) {
        0 => return damaged,
        1 => bytes.truncate(rng.random_range(0..=bytes.len())),
        2 => bytes.push(rng.random()),
        3 => bytes = (0..rng.random_range(0..200)).map(|_| rng.random()).collect(),
        4 if !key.is_empty() => {
            let place = rng.random_range(0..key.len());
            key[place] ^= 1 << rng.random_range(0..8);
        }
        _ if !bytes.is_empty() => {
            for _ in 0..rng.random_range(1..4) {
                let place = rng.random_range(0..bytes.len());
                bytes[place] ^= 1 << rng.random_range(0..8);
            }
        }
        _ => {}
    }
    damaged.insert((kind, key), bytes);
    damaged
}

/// As the aggregator does it: one entry that is not understood, and none of it is used.
fn restored(case: &Case, saved: &Saved) -> Option<Engine> {
    let mut engine = Engine::new(settings(&case.orgs, &case.settings), 2);
    let understood = saved.iter().all(|((kind, key), bytes)| engine.restore(*kind, key, bytes));
    (understood && engine.restored()).then_some(engine)
}

fn run(case: &Case, taken: &mut [u32; 2]) {
    let mut rng = ChaCha8Rng::seed_from_u64(case.seed ^ 0xda3a);
    let log = case.live();
    let now = Millis::from(case.from.start());
    let (before, after) = log.split_at(log.partition_point(|one| one.log_time < now));
    let mut engine = Engine::new(settings(&case.orgs, &case.settings), 1);
    for one in before {
        engine.take(&one.event, one.log_time);
    }
    engine.begin(now);
    engine.publish_newest(&mut |_| {});
    engine.publish_older(rng.random_range(0..50), &mut |_| {});
    let saved = save(&mut engine);
    assert!(restored(case, &saved).is_some(), "seed {}: whole, it is taken back", case.seed);
    for _ in 0..DAMAGES {
        let Some(mut engine) = restored(case, &damage(&saved, &mut rng)) else {
            taken[0] += 1;
            continue;
        };
        taken[1] += 1;
        engine.begin(now);
        let later = Millis(now.0 + 60_000);
        for one in after.iter().take(20) {
            engine.take(&one.event, one.log_time);
        }
        engine.tick(later);
        engine.publish_newest(&mut |_| {});
        engine.publish_older(100, &mut |_| {});
        save(&mut engine);
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_or_harmless() {
    let taken = std::sync::Mutex::new([0; 2]);
    cases::each(40, |case| run(case, &mut taken.lock().expect("nobody panicked with it")));
    let [refused, harmless] = *taken.lock().expect("nobody panicked with it");
    assert!(refused > 0 && harmless > 0, "{refused} refused, {harmless} taken");
}
