//! What is sent: a random case, moved so that it ends now, in JSON and in protobuf, with duplicates and with what is no
//! event at all.

use std::collections::{BTreeMap, VecDeque};

use acceptance::cases::Case;
use acceptance::model::stated_instants;
use contract::topics::{EVENTS, RETURNS};
use contract::{Required, parse_json, parse_protobuf, write_json, write_protobuf};
use domain::event::{Event, Fact, Outcome, Statement};
use domain::time::{Millis, Minute, Second};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use runtime::log::NewRecord;

use crate::hospital;

/// What a record is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// An event.
    Event(Box<Event<'static>>),
    /// Bytes that are none.
    Garbage(Outcome),
}

/// A record that is to be sent, and to which topic.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: &'static str,
    pub(crate) record: NewRecord,
}

/// What is sent in a test.
pub(crate) struct Feed {
    /// The organisations and settings.
    pub(crate) case: Case,
    /// Not yet sent.
    pub(crate) waiting: VecDeque<Message>,
    /// What each value means that may be in the log, by whether it is said to be protobuf.
    pub(crate) meaning: BTreeMap<(bool, Vec<u8>), Content>,
}

/// How far back live figures go: `ledger.horizon` of the tests. Short, so that a lost checkpoint costs seconds.
pub(crate) const HORIZON_HOURS: i64 = 48;
const HOUR: i64 = 3_600_000;

impl Feed {
    /// A case with many events, from this seed on the first that is rich enough.
    pub(crate) fn random(seed: u64, now_ms: i64, rng: &mut ChaCha8Rng) -> Feed {
        let rich = |seed| {
            let case = Case::random(seed);
            let events = events(&case, now_ms);
            let sites = case.orgs.iter().filter(|(_, org)| org.level.as_str() == "site").count();
            (events.len() >= 60 && sites >= 4).then_some((case, events))
        };
        let (mut case, mut events) = (seed..).find_map(rich).expect("one case in about twenty is rich");
        case.orgs = hospital::beside(&case.orgs);
        for _ in 0..events.len() / 6 {
            events.push(events[rng.random_range(0..events.len())].clone());
        }
        events.shuffle(rng);
        let mut feed = Feed { case, waiting: VecDeque::new(), meaning: BTreeMap::new() };
        for event in events {
            feed.push(event, rng.random_bool(0.4));
        }
        for (value, protobuf, outcome) in garbage(&feed) {
            feed.meaning.insert((protobuf, value.clone()), Content::Garbage(outcome));
            let record = NewRecord { key: b"nobody".to_vec(), value, protobuf, partition: None };
            let place = rng.random_range(0..=feed.waiting.len());
            feed.waiting.insert(place, Message { topic: EVENTS, record });
        }
        feed
    }

    /// Adds an event to what is to be sent.
    pub(crate) fn push(&mut self, event: Event<'static>, protobuf: bool) {
        let mut value = Vec::new();
        if protobuf {
            write_protobuf(&event, &mut value);
        } else {
            write_json(&event, &mut value);
        }
        let (topic, key) = match &event.statement {
            Statement::Attendance(the) => (EVENTS, the.site.as_bytes()),
            Statement::Ambulance(the) => (EVENTS, the.service.as_bytes()),
            Statement::Beds(the) => (EVENTS, the.site.as_bytes()),
            Statement::Heartbeat => (EVENTS, event.source.as_bytes()),
            Statement::Standard(the) => (RETURNS, the.org.as_bytes()),
            Statement::Escalation(the) => (RETURNS, the.org.as_bytes()),
        };
        let record = NewRecord { key: key.to_vec(), value: value.clone(), protobuf, partition: None };
        self.waiting.push_back(Message { topic, record });
        self.meaning.insert((protobuf, value), Content::Event(Box::new(event)));
    }
}

/// The case's events as they are when it ends now.
fn events(case: &Case, now_ms: i64) -> Vec<Event<'static>> {
    let by_minutes = now_ms / 60_000 - i64::from(case.until.0);
    let events = case.events.iter().map(|event| moved(event.clone(), by_minutes));
    events.filter(|event| is_sendable(event) && is_judged_alike(event, now_ms)).collect()
}

/// Whether the wire can say it: a case may hold a statement that states nothing.
fn is_sendable(event: &Event<'static>) -> bool {
    let (mut json, mut protobuf) = (Vec::new(), Vec::new());
    write_json(event, &mut json);
    write_protobuf(event, &mut protobuf);
    parse_json(&json, &Required).is_ok_and(|read| read == *event)
        && parse_protobuf(&protobuf, &Required, &mut 0).is_ok_and(|read| read == *event)
}

/// The model refuses what is older than 14 days, these tests what is older than their horizon: nothing lies between.
fn is_judged_alike(event: &Event<'static>, now_ms: i64) -> bool {
    let instants = stated_instants(&event.statement).into_iter().map(|at| at.0);
    let newest = instants.fold(event.recorded_at.0, i64::max);
    newest > now_ms - (HORIZON_HOURS - 2) * HOUR || newest < now_ms - 14 * 24 * HOUR - HOUR
}

fn moved(mut event: Event<'static>, by_minutes: i64) -> Event<'static> {
    let later = |at: &mut Second| *at = Second((i64::from(at.0) + by_minutes * 60) as u32);
    let fact = |fact: &mut Fact<Second>| {
        if let Fact::Stated(at) = fact {
            later(at);
        }
    };
    event.recorded_at = Millis(event.recorded_at.0 + by_minutes * 60_000);
    match &mut event.statement {
        Statement::Attendance(the) => {
            for instant in [
                &mut the.arrived_at,
                &mut the.assessed_at,
                &mut the.treated_at,
                &mut the.referred_at,
                &mut the.decided_to_admit_at,
                &mut the.clock_stopped_at,
                &mut the.departed_at,
            ] {
                fact(instant);
            }
            if let Some(location) = &mut the.location {
                later(&mut location.since);
            }
        }
        Statement::Ambulance(the) => {
            for instant in [
                &mut the.call_at,
                &mut the.clock_started_at,
                &mut the.responded_at,
                &mut the.arrived_at,
                &mut the.handed_over_at,
                &mut the.cleared_at,
            ] {
                fact(instant);
            }
        }
        Statement::Beds(the) => later(&mut the.as_of),
        Statement::Escalation(the) => later(&mut the.since),
        Statement::Standard(_) | Statement::Heartbeat => {}
    }
    event
}

/// Bad input (spec 1.7): value, whether it is said to be protobuf, its outcome.
fn garbage(feed: &Feed) -> Vec<(Vec<u8>, bool, Outcome)> {
    let good = feed.waiting.iter().find(|message| message.topic == EVENTS && !message.record.protobuf);
    let good = good.expect("some of the events are JSON").record.value.clone();
    let text = String::from_utf8(good.clone()).expect("JSON is UTF-8");
    let mut not_utf8 = good.clone();
    not_utf8[10] = 0xff;
    let mut large = good.clone();
    large.resize(65 * 1024, b' ');
    let json = |text: String| (text.into_bytes(), false, Outcome::Malformed);
    vec![
        json("not JSON".to_owned()),
        json(String::new()),
        json(text[..text.len() / 2].to_owned()),
        json(text.replacen('{', "{\"unheard_of\":1,", 1)),
        json(text.replacen("\"id\":\"", "\"id\":7,\"id2\":\"", 1)),
        json("{\"id\":\"1\",\"source\":\"epr\",\"recorded_at\":\"2026-11-21T14:07:09Z\",\"attendance\":{\"site\":null,\
              \"ref\":\"00000000000000000000000000000000\",\"void\":true}}"
            .to_owned()),
        json(format!("{}1{}", "[".repeat(100), "]".repeat(100))),
        json("{\"id\":\"1\",\"source\":\"epr\",\"recorded_at\":\"2026-11-21T14:07:09Z\",\"standard\":{\
              \"standard\":\"rtt-18-weeks\",\"org\":\"ENG\",\"period_start\":\"2026-10-01\",\"met\":1}}"
            .to_owned()),
        (not_utf8, false, Outcome::Malformed),
        (large, false, Outcome::TooLarge),
        // What begins with a brace is JSON whatever is said of it.
        (format!(" {text}").into_bytes(), true, Outcome::Malformed),
        (vec![0xff; 300], true, Outcome::Malformed),
    ]
}

/// The newest minute that is closed at a time.
pub(crate) fn closed_minute(now_ms: i64) -> Minute {
    Millis(now_ms).closed_minute()
}
