//! Broker, store and Alertmanager are away at the start, and go away in the middle: every service waits, says so once,
//! loses nothing, and goes on by itself.

use std::time::Duration;

use crate::alerts::{Webhooks, active};
use crate::hospital;
use crate::http;
use crate::patience::{SOON, eventually, pause};
use crate::say;
use crate::servers::{OUTAGE, Server};
use crate::service::Service;
use crate::world::World;

/// A service is not ready, for a reason that has this text.
fn waits(service: &mut Service, text: &str) {
    eventually(&format!("/readyz says that it waits: {text}"), SOON, || {
        service.must_run();
        let why = service.waits_for()?.unwrap_or_default();
        if why.contains(text) { Ok(()) } else { Err(format!("it says {why:?}")) }
    });
}

/// A service does not wait for this any more; perhaps for something else.
fn waits_no_more(service: &mut Service, text: &str) {
    eventually(&format!("/readyz no longer says that it waits: {text}"), SOON, || {
        service.must_run();
        let why = service.waits_for()?.unwrap_or_default();
        if why.contains(text) { Err(why) } else { Ok(()) }
    });
}

/// Everything away at the start; then each of the servers in turn.
pub(crate) fn waited_for(seed: u64) {
    let (webhook, received) = http::receiver();
    let mut webhooks = Webhooks::new(received);
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let mut alertmanager = Server::alertmanager(folder.path(), webhook);
    let mut world = World::new(seed, &hospital::rules(alertmanager.address(), "0m"));
    waits(world.aggregate(), "kafka");
    waits(world.record(), "kafka");
    waits(world.alert(), "kafka");
    pause(OUTAGE);
    for service in world.running() {
        service.must_run();
        let said = service.said("kafka is away");
        assert_eq!(said, 1, "it says once that the broker is away: {:#?}", service.lines());
    }
    world.kafka.start();
    world.aggregate().ready();
    world.alert().ready();
    waits(world.record(), "bucket");
    let third = world.feed.waiting.len() / 3;
    world.send(third);
    world.influx.start();
    world.settles("kafka, then the store, came after the services");

    world.influx.kill();
    world.send(third);
    waits(world.record(), "store");
    pause(OUTAGE);
    world.influx.start();
    world.settles("the store was away");
    world.record().ready();

    world.kafka.kill();
    for service in world.running() {
        waits(service, "kafka");
    }
    pause(OUTAGE);
    world.kafka.start();
    world.send(usize::MAX);
    world.patients(false);
    world.settles("the broker was away");
    for service in world.running() {
        waits_no_more(service, "kafka");
        assert!(service.said("kafka is away") <= 2, "{:#?}", service.lines());
    }

    // The patients fill the department while nobody can be told.
    eventually("the page waits", Duration::from_secs(180), || {
        let waiting = world.alert().metric("sitrep_alert_outbox_notices")?;
        if waiting >= 1.0 { Ok(()) } else { Err("no page yet".to_owned()) }
    });
    waits(world.alert(), "channel pager");
    say("a page waits for Alertmanager");
    pause(OUTAGE);
    assert_eq!(world.alert().said("channel pager"), 1, "said once: {:#?}", world.alert().lines());
    alertmanager.start();
    webhooks.become_these(&["firing"]);
    world.alert().ready();
    alertmanager.kill();
    waits(world.alert(), "channel pager");
    alertmanager.start();
    // It has forgotten everything; keeping the alert alive tells it again.
    webhooks.become_these(&["firing", "firing"]);
    world.alert().ready();
    assert_eq!(active(alertmanager.address()).map(|alerts| alerts.len()), Ok(1));
    world.patients(true);
    webhooks.become_these(&["firing", "firing", "resolved"]);
    world.settles("at the end");
    world.published_is_right();
    world.refusals_are_right();
}
