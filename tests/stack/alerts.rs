//! The alert is in Alertmanager once, stays alive, resolves once, and restarts in between send nothing again.

use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use contract::alert::{self, AlertRecord, State};
use contract::topics::ALERTS;
use serde_json::Value as Json;

use crate::hospital;
use crate::http;
use crate::patience::{eventually, pause};
use crate::say;
use crate::servers::Server;
use crate::world::World;

/// Minutes have to close before a rule fires or resolves.
const MINUTES: Duration = Duration::from_secs(300);
/// Longer than `alert.ends_after`: what is not told again is forgotten by then.
const KEPT_ALIVE: Duration = Duration::from_secs(25);

/// What Alertmanager sent on: status and organisation, in order.
pub(crate) struct Webhooks {
    received: Receiver<Vec<u8>>,
    so_far: Vec<(String, String)>,
}

impl Webhooks {
    pub(crate) fn new(received: Receiver<Vec<u8>>) -> Webhooks {
        Webhooks { received, so_far: Vec::new() }
    }

    /// The statuses of all alerts that were sent on so far.
    pub(crate) fn statuses(&mut self) -> Vec<String> {
        for body in self.received.try_iter() {
            let body: Json = serde_json::from_slice(&body).expect("a webhook is JSON");
            for alert in body["alerts"].as_array().expect("it has alerts") {
                assert_eq!(alert["labels"]["alertname"], "full", "{alert}");
                let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
                self.so_far.push((text(&alert["status"]), text(&alert["labels"]["org"])));
            }
        }
        self.so_far.iter().map(|(status, _)| status.clone()).collect()
    }

    /// Waits until so many were sent on.
    pub(crate) fn become_these(&mut self, wanted: &[&str]) {
        eventually(&format!("the webhooks are {wanted:?}"), MINUTES, || {
            let statuses = self.statuses();
            if statuses == wanted { Ok(()) } else { Err(format!("{statuses:?}")) }
        });
    }
}

/// The alerts that are active in Alertmanager.
pub(crate) fn active(alertmanager: SocketAddr) -> Result<Vec<Json>, String> {
    let answer = http::get(alertmanager, "/api/v2/alerts?active=true", &[])?;
    serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {}", answer.text()))
}

/// How often episodes came to a state, from the alerts topic; there must be one episode.
pub(crate) fn transitions(world: &World, to: State) -> usize {
    let (mut count, mut episodes) = (0, Vec::new());
    world.read(ALERTS, |record| {
        let AlertRecord::Transition(transition) = alert::decode(record.value).expect("a record of ours")
        else {
            panic!("nobody gave a command")
        };
        count += usize::from(transition.to == to);
        episodes.push(transition.episode);
    });
    episodes.dedup();
    assert!(episodes.len() <= 1, "one episode: {episodes:?}");
    count
}

/// One episode through two kills of the alerter and one of the aggregator.
pub(crate) fn once(seed: u64) {
    let (webhook, received) = http::receiver();
    let mut webhooks = Webhooks::new(received);
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let mut alertmanager = Server::alertmanager(folder.path(), webhook);
    let mut world = World::new(seed, &hospital::rules(alertmanager.address(), "1m"));
    world.feed.waiting.clear();
    world.kafka.launch();
    alertmanager.start();
    world.kafka.ready();
    world.aggregate().ready();
    world.alert().ready();
    world.patients(false);
    eventually("the episode is pending", MINUTES, || {
        let pending = world.alert().metric("sitrep_alert_changes_total{change=\"pending\"}")?;
        if pending >= 1.0 { Ok(()) } else { Err("it is not".to_owned()) }
    });
    world.kill_alerter();
    world.alert();
    webhooks.become_these(&["firing"]);
    let first = active(alertmanager.address()).expect("it answers");
    assert_eq!(first.len(), 1, "{first:?}");
    say("firing, in spite of a kill while pending");
    world.kill_alerter();
    world.kill_aggregator();
    world.aggregate();
    world.alert();
    pause(KEPT_ALIVE);
    let kept = active(alertmanager.address()).expect("it answers");
    assert_eq!(kept.len(), 1, "the alert is kept alive: {kept:?}");
    for same in ["fingerprint", "startsAt"] {
        assert_eq!(kept[0][same], first[0][same], "the same alert");
    }
    assert_eq!(kept[0]["annotations"]["episode"], first[0]["annotations"]["episode"], "the same episode");
    assert_eq!(webhooks.statuses(), ["firing"], "a restart sends nothing again");
    world.patients(true);
    webhooks.become_these(&["firing", "resolved"]);
    say("resolved");
    world.kill_alerter();
    world.alert().ready();
    pause(KEPT_ALIVE);
    assert_eq!(webhooks.statuses(), ["firing", "resolved"], "a restart sends nothing again");
    let left = active(alertmanager.address()).expect("it answers");
    assert!(left.is_empty(), "nothing is active any more: {left:?}");
    for (state, times) in [(State::Firing, 1), (State::Inactive, 1)] {
        assert_eq!(transitions(&world, state), times, "transitions to {state:?}");
    }
    drop(world);
    drop(alertmanager);
}
