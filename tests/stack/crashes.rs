//! Aggregator and recorder are killed at random moments; afterwards nothing is lost and nothing is doubled.

use std::time::Duration;

use rand::Rng;

use crate::patience::pause;
use crate::say;
use crate::world::World;

/// Events through Kafka to the store while processes die.
pub(crate) fn killed_at_random(seed: u64) -> World {
    let mut world = World::with_servers(seed, "");
    world.aggregate().ready();
    world.record();
    let (mut aggregators, mut recorders) = (0, 0);
    while world.send_some(8) > 0 {
        let wait = world.rng.random_range(0..3_000);
        pause(Duration::from_millis(wait));
        if world.aggregator.is_some() && world.rng.random_bool(0.35) {
            world.kill_aggregator();
            aggregators += 1;
        }
        if world.recorder.is_some() && world.rng.random_bool(0.35) {
            world.kill_recorder();
            recorders += 1;
        }
        if world.rng.random_bool(0.7) {
            world.aggregate();
        }
        if world.rng.random_bool(0.7) {
            world.record();
        }
    }
    world.aggregate();
    world.record();
    say(&format!("killed the aggregator {aggregators} times, the recorder {recorders} times"));
    world.settles("after the crashes");
    world.published_is_right();
    world.refusals_are_right();
    world
}
