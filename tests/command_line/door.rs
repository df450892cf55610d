//! The front door of `sitrep up`: what is answered to a post, what is taken, and what is kept of the rest.

use std::collections::BTreeSet;

use contract::refusal::{self, Origin, Refusal};
use contract::topics::{EVENTS, REFUSALS};
use domain::event::Outcome;
use runtime::clock::SystemClock;
use runtime::log::Log;
use runtime::log::embedded::EmbeddedLog;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::bad_input::{all, good, says_nothing};
use crate::patience::{SOON, eventually};
use crate::running::{Running, text};
use crate::world::{World, ago, attendance, now};

/// Every record of a topic of a data folder that nobody uses any more.
pub(crate) fn records(world: &World, topic: &str) -> Vec<Vec<u8>> {
    let folder = world.path("data/log");
    let log = EmbeddedLog::open(folder.as_ref(), SystemClock::shared()).expect("a log that nobody uses");
    let (starts, ends) = (log.starts(topic).expect("a topic"), log.ends(topic).expect("a topic"));
    let wanted = ends.iter().zip(&starts).map(|(end, start)| (end - start) as usize).sum();
    let (mut records, mut reader) = (Vec::new(), log.reader(&[(topic, starts)]).expect("a topic"));
    while records.len() < wanted {
        let mut each = |record: runtime::log::RecordView<'_>| records.push(record.value.to_vec());
        let read = reader.poll(10_000, SOON, &mut each).expect("a log of ours");
        assert!(read > 0, "{topic} cannot be read to its end");
    }
    records
}

/// The ids of the events that the log has.
pub(crate) fn event_ids(world: &World) -> BTreeSet<String> {
    let id = |value: &Vec<u8>| {
        contract::parse_protobuf(value, &contract::Required, &mut 0).expect("an event").id.into_owned()
    };
    records(world, EVENTS).iter().map(id).collect()
}

/// Starts `sitrep up` and waits until it is ready.
pub(crate) fn up(world: &World, more: &[&str]) -> Running {
    let arguments = world.up(more);
    let up = Running::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    up.ready();
    up
}

fn outcomes_add_up(up: &Running, taken: u64, refused: u64, refused_behind: u64) {
    let read = up.metric("sitrep_intake_read_total");
    assert_eq!((read, up.metric("sitrep_intake_events_total")), (taken + refused, taken + refused));
    assert_eq!(up.metric_of("sitrep_intake_events_total{outcome=\"taken\"}"), taken);
    eventually("the aggregator has read everything", SOON, || {
        let read = up.metric("sitrep_aggregate_events_read_total");
        if read == taken { Ok(()) } else { Err(format!("{read} of {taken}")) }
    });
    assert_eq!(up.metric("sitrep_aggregate_events_total"), taken);
    let of = |outcome: &str| up.metric_of(&format!("sitrep_aggregate_events_total{{outcome=\"{outcome}\"}}"));
    assert_eq!(of("accepted") + of("duplicate") + refused_behind, taken);
}

#[test]
fn what_is_bad_is_answered_counted_and_kept_whole() {
    let (world, now) = (World::new(), now());
    let up = up(&world, &[]);
    let bad = all(now);
    let mut body = Vec::new();
    for (number, bad) in bad.iter().enumerate() {
        body.extend([&bad.bytes[..], b"\n\n", good(number, now).as_bytes(), b"\r\n"].concat());
    }
    // These are the aggregator's to refuse: the door has no log time. The last line has no line break.
    let arrived = |minutes| format!(r#""arrived_at":"{}""#, ago(now, minutes));
    let late = domain::time::Millis(now.0 - 20 * 86_400_000);
    let early = domain::time::Millis(now.0 + 3_600_000);
    body.extend(
        [attendance("late", "General", "L", late, &arrived(20 * 1_440)), "\n".to_owned()].concat().bytes(),
    );
    body.extend(attendance("early", "General", "E", early, &arrived(10)).bytes());
    let (status, answer) = up.post("application/x-ndjson", &body);
    assert_eq!((status, &answer["taken"]), (200, &json!(bad.len() + 2)), "{answer}");
    let refused = answer["refused"].as_array().expect("a list");
    assert_eq!(refused.len(), bad.len(), "{answer}");
    for (number, (told, bad)) in refused.iter().zip(&bad).enumerate() {
        assert_eq!(told["index"], json!(2 * number), "{}", bad.name);
        assert_eq!(told["reason"], json!(bad.outcome.as_str()), "{}: {told}", bad.name);
        assert!(!text(&told["detail"]).is_empty(), "{}", bad.name);
    }
    says_nothing("the answer", answer.to_string().as_bytes());
    outcomes_add_up(&up, bad.len() as u64 + 2, bad.len() as u64, 2);
    for line in up.stop() {
        says_nothing("the log", line.as_bytes());
    }
    let kept = records(&world, REFUSALS);
    let kept: Vec<Refusal> = kept.iter().map(|one| refusal::decode(one).expect("a refusal")).collect();
    let (behind, at_door): (Vec<_>, Vec<_>) = kept.iter().partition(|one| one.origin != Origin::Http);
    assert_eq!(at_door.len(), bad.len());
    for (kept, bad) in at_door.iter().zip(&bad) {
        assert_eq!(kept.reason, bad.outcome, "{}", bad.name);
        assert!(kept.bytes == bad.bytes[..bad.bytes.len().min(65_536)], "{} is kept", bad.name);
        assert_eq!(kept.length, bad.bytes.len() as u64, "{}", bad.name);
        assert_eq!(kept.sha256, <[u8; 32]>::from(Sha256::digest(&bad.bytes)), "{}", bad.name);
    }
    let behind: Vec<Outcome> = behind.iter().map(|one| one.reason).collect();
    assert_eq!(behind, [Outcome::TooLate, Outcome::FutureDated]);
}

#[test]
fn a_post_is_one_event_or_an_array_or_lines() {
    let (world, now) = (World::new(), now());
    let up = up(&world, &[]);
    let good = |number| good(number, now);
    let (json, lines) = ("application/json", "application/x-ndjson");
    let wrong = "[1,{}]".to_owned();
    for (kind, body, status, taken, refused) in [
        (json, good(1), 200, 1, 0),
        (json, format!("[{},{}]", good(2), good(3)), 200, 2, 0),
        (json, "[]".to_owned(), 200, 0, 0),
        (json, wrong, 200, 0, 2),
        (lines, format!("{}\n\n{}", good(4), good(5)), 200, 2, 0),
        (lines, String::new(), 200, 0, 0),
        (lines, "[]\n".to_owned(), 200, 0, 1),
        // Nothing of these is taken.
        (json, String::new(), 400, 0, 0),
        (json, "nonsense".to_owned(), 400, 0, 0),
        (json, format!("[{},", good(6)), 400, 0, 0),
        (json, format!("{}{}", good(6), good(7)), 400, 0, 0),
    ] {
        let (answered, answer) = up.post(kind, body.as_bytes());
        assert_eq!(answered, status, "{body}: {answer}");
        if status == 200 {
            let refusals = answer["refused"].as_array().map(Vec::len);
            assert_eq!((&answer["taken"], refusals), (&json!(taken), Some(refused)), "{body}");
        } else {
            assert!(answer["error"].is_string(), "{answer}");
        }
    }
    let packed = "Content-Encoding: gzip".to_owned();
    assert_eq!(up.post_with(&[packed], b"not gzip").0, 400);
    assert_eq!(up.post_with(&["Content-Encoding: br".to_owned()], b"").0, 415);
    assert_eq!(up.post_with(&["Origin: http://a.page".to_owned()], b"").0, 403);
    outcomes_add_up(&up, 5, 3, 0);
    up.stop();
}

#[test]
fn only_the_token_opens_the_door() {
    let world = World::new();
    let token = world.write("token", b"open-sesame\n");
    let up = up(&world, &["--set", &format!("http.token={{ file = \"{token}\" }}")]);
    let heartbeat =
        format!(r#"{{"id":"1","source":"epr","recorded_at":"{}","heartbeat":{{}}}}"#, now().second());
    assert_eq!(up.post("application/json", b"").0, 401);
    assert_eq!(up.post_with(&["Authorization: Bearer open".to_owned()], b"").0, 401);
    let known = "Authorization: Bearer open-sesame".to_owned();
    let (status, answer) = up.post_with(&[known], heartbeat.as_bytes());
    assert_eq!((status, answer), (200, json!({"taken": 1, "refused": []})));
    for line in up.stop() {
        assert!(!line.contains("open-sesame"), "{line}");
    }
}
