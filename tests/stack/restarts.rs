//! Restarts at the worst moments (spec 2.6, "Start" and "Revision").

use std::time::Duration;

use domain::event::Disposal;

use crate::patience::{SOON, eventually, now_ms};
use crate::say;
use crate::service::Service;
use crate::world::World;

/// A world in which a part of the events has been read and stored.
fn begun(seed: u64) -> World {
    let mut world = World::with_servers(seed, "");
    world.aggregate().ready();
    world.record();
    world.send(world.feed.waiting.len() / 2);
    world.settles("at the beginning");
    world
}

/// Killed after the checkpoint has the correction and before its figures are published.
pub(crate) fn between_checkpoint_and_publication(seed: u64) {
    let mut world = begun(seed);
    world.aggregator.take().expect("it runs").stop();
    // Older minutes are collected for so long that the kill comes first.
    let mut slow = world.service("aggregate", &["restate.delay=10m"]);
    slow.ready();
    world.settles("with a slow aggregator");
    let read = |slow: &mut Service| slow.metric("sitrep_aggregate_events_read_total").unwrap_or_default();
    let before = read(&mut slow);
    // Patients of our own: whatever the case is, the rest changes some figure.
    let sent = (world.patients(false) + world.send(usize::MAX)) as f64;
    eventually("the rest is read", SOON, || {
        let read = read(&mut slow) - before;
        if read >= sent { Ok(()) } else { Err(format!("{read} of {sent}")) }
    });
    let read_by = now_ms() as f64 / 1000.0;
    eventually("the rest is in the checkpoint", SOON, || {
        let saved = slow.metric("sitrep_aggregate_checkpoint_saved_timestamp_seconds")?;
        if saved > read_by + 1.0 { Ok(()) } else { Err(format!("saved at {saved}, read at {read_by}")) }
    });
    let differences = world.compare(&world.tell(), "sitrep");
    assert!(differences.is_err(), "the rest must not be published yet, or this test tests nothing");
    slow.kill();
    let mut next = world.service("aggregate", &[]);
    next.ready();
    assert_eq!(read(&mut next), 0.0, "the checkpoint is behind everything that was sent");
    world.aggregator = Some(next);
    world.settles("killed between checkpoint and publication");
    world.published_is_right();
}

/// The checkpoints are gone: minutes of re-reading, and the same figures.
pub(crate) fn checkpoints_lost(seed: u64) {
    let mut world = begun(seed);
    world.kill_aggregator();
    world.remove("aggregate", "aggregator.checkpoint");
    world.send_some(20);
    world.aggregate();
    world.settles("without the aggregator's checkpoint");
    world.kill_recorder();
    world.remove("record", "recorder.checkpoint");
    world.send(usize::MAX);
    world.record();
    world.settles("without the recorder's checkpoint");
    world.kill_aggregator();
    world.kill_recorder();
    world.remove("aggregate", "aggregator.checkpoint");
    world.remove("record", "recorder.checkpoint");
    world.aggregate();
    world.record();
    world.settles("without either");
    world.published_is_right();
    world.refusals_are_right();
}

/// A first publisher is stopped, a second one started, the first continued: it changes nothing any more.
pub(crate) fn a_zombie_changes_nothing(seed: u64) {
    let mut world = begun(seed);
    // Whatever the case is, somebody has been discharged.
    world.patients(false);
    world.patients(true);
    world.settles("with patients of our own");
    world.aggregator.take().expect("it runs").stop();
    // The first one counts otherwise, so that whatever it writes is seen: nothing of it may stand.
    let all: Vec<String> = Disposal::ALL.iter().map(|one| format!("\"{}\"", one.as_str())).collect();
    let otherwise = format!("measures.exclude_disposals=[{}]", all.join(","));
    let arguments = world.arguments("aggregate", "zombie", &[&otherwise]);
    let mut zombie = Service::start("zombie", &arguments);
    zombie.ready();
    let told = world.tell();
    eventually("the first publisher's other figures are in the store", SOON, || {
        world.compare(&told, "sitrep").err().map(drop).ok_or("they are not".to_owned())
    });
    zombie.signal("STOP");
    world.aggregate().ready();
    world.settles("behind the second publisher's mark");
    let ignored = world.published().ignored;
    zombie.signal("CONT");
    world.send(usize::MAX);
    let published = eventually("the zombie writes", SOON, || {
        zombie.must_run();
        let published = world.published();
        if published.ignored >= ignored + 20 { Ok(published) } else { Err("not enough yet".to_owned()) }
    });
    eventually("the recorder has seen what the zombie wrote", SOON, || {
        let name = "sitrep_record_ignored_records_total{reason=\"older_epoch\"}";
        let seen = world.record().metric(name)?;
        if seen >= published.ignored as f64 { Ok(()) } else { Err(format!("it ignored {seen}")) }
    });
    say(&format!("{} org-minutes of the zombie are ignored", published.ignored));
    world.settles("beside a zombie");
    world.kill_recorder();
    world.remove("record", "recorder.checkpoint");
    world.record();
    world.settles("beside a zombie, recorded anew");
    world.kill_aggregator();
    world.aggregate().ready();
    assert!(world.published().epoch > published.epoch, "each start has an epoch of its own");
    world.settles("beside a zombie, after a restart");
    zombie.must_run();
    zombie.signal("TERM");
    assert!(zombie.wait(SOON + Duration::from_secs(30)).success(), "a zombie can be stopped");
    world.settles("after the zombie");
    world.published_is_right();
}
