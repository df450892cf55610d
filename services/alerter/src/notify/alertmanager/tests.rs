//! Against a small HTTP server that answers as it is told.

use std::time::Duration;

use domain::alert::Severity;
use domain::organisations::Level;
use domain::time::Minute;

use super::*;
use crate::notify::Notifiers;
use crate::rules::{Channel, RuleSet};
use crate::testing::{Receiver, serve};

fn notifiers(url: String, token: Option<&str>, timeout: Duration) -> Notifiers {
    let channel = Channel::Alertmanager { url, token: token.map(Secret::new) };
    let channels = [("am".to_owned(), channel), ("log".to_owned(), Channel::Log)].into();
    let set =
        RuleSet { rules: vec![], channels, fallback: None, silences: vec![], targets: Default::default() };
    Notifiers::new(&set, timeout).unwrap()
}

fn delivery(kind: Kind) -> Delivery {
    let notice = Notice {
        kind,
        episode: "four-hour:site:S1:type=1:20261121T140700Z".to_owned(),
        sequence: 3,
        rule: "four-hour".to_owned(),
        version: "v".to_owned(),
        severity: Severity::Page,
        level: Level::Site,
        org: "S1".to_owned(),
        name: "St Elsewhere é \"".to_owned(),
        tags: vec![("type".to_owned(), "1".to_owned()), ("window".to_owned(), "4h".to_owned())],
        summary: "75.9 % within four hours".to_owned(),
        value: "0.759".to_owned(),
        threshold: "< 0.76".to_owned(),
        link: "http://127.0.0.1:8080/?org=S1".to_owned(),
        start: Minute(29_921_167),
        minute: Minute(29_921_182),
        stale: false,
        acknowledged_by: None,
        at_ms: 1_795_270_950_000,
    };
    Delivery { id: 1, channel: "am".to_owned(), notice, ends_at_ms: 1_795_274_550_999 }
}

const NOW_MS: i64 = 1_795_270_029_000;
const PATIENT: Duration = Duration::from_secs(30);

async fn outcome(answer: (u16, Vec<(&'static str, &'static str)>, &str)) -> Outcome {
    let server = Receiver { answer: Some((answer.0, answer.1, answer.2.to_owned())), ..Receiver::default() };
    notifiers(serve(server).await, None, PATIENT).send(&delivery(Kind::Firing), NOW_MS).await
}

#[tokio::test]
async fn the_alert_is_posted_below_the_prefix_with_its_labels_and_times() {
    let server = Receiver { answer: Some((200, vec![], String::new())), ..Receiver::default() };
    let seen = server.seen.clone();
    let url = format!("{}/some/prefix", serve(server).await);
    let outcome = notifiers(url, Some("secret"), PATIENT).send(&delivery(Kind::Firing), NOW_MS).await;
    assert_eq!(outcome, Outcome::Taken);
    let (path, headers, body) = seen.lock().unwrap().remove(0);
    assert_eq!(path, "/some/prefix/api/v2/alerts");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["authorization"], "Bearer secret");
    let wanted = json!([{
        "labels": {
            "alertname": "four-hour", "level": "site", "org": "S1", "name": "St Elsewhere é \"",
            "severity": "page", "type": "1", "window": "4h",
        },
        "annotations": {
            "summary": "75.9 % within four hours", "value": "0.759", "threshold": "< 0.76",
            "minute": "2026-11-21T14:22:00Z", "episode": "four-hour:site:S1:type=1:20261121T140700Z",
            "sequence": "3", "rule_version": "v",
            "note": "an acknowledgement in another app is not seen by sitrep",
        },
        "startsAt": "2026-11-21T14:07:00Z",
        "endsAt": "2026-11-21T15:22:30Z",
        "generatorURL": "http://127.0.0.1:8080/?org=S1",
    }]);
    assert_eq!(body, wanted);
}

#[tokio::test]
async fn what_the_receiver_answers_decides_whether_it_is_tried_again() {
    for status in [200, 201, 202, 204] {
        assert_eq!(outcome((status, vec![], "")).await, Outcome::Taken, "{status}");
    }
    for status in [301, 302, 307, 401, 403, 408, 429, 500, 502, 503, 504] {
        let outcome = outcome((status, vec![("location", "/elsewhere")], "no")).await;
        assert_eq!(outcome, Outcome::Later { after_ms: None, reason: format!("{status}: no") });
    }
    for status in [400, 404, 405, 409, 410, 413, 422] {
        let outcome = outcome((status, vec![], "bad\nlabel")).await;
        assert_eq!(outcome, Outcome::Refused { reason: format!("{status}: bad label") });
    }
}

#[tokio::test]
async fn retry_after_is_read_in_seconds_and_as_a_date() {
    for (text, after_ms) in [
        ("7", Some(7_000)),
        ("0", Some(0)),
        ("4294967295", Some(4_294_967_295_000)),
        ("Sat, 21 Nov 2026 14:07:39 GMT", Some(30_000)),
        ("Sat, 21 Nov 2020 14:07:39 GMT", Some(0)),
        ("Sat, 21 Nov 2026 14:07:39", None),
        ("-1", None),
        ("soon", None),
        ("", None),
    ] {
        let outcome = outcome((429, vec![("retry-after", text)], "")).await;
        assert_eq!(outcome, Outcome::Later { after_ms, reason: "429: ".to_owned() }, "{text}");
    }
}

#[tokio::test]
async fn a_long_answer_is_cut_between_characters() {
    let Outcome::Refused { reason } = outcome((400, vec![], &"é".repeat(100_000))).await else {
        panic!("refused")
    };
    assert_eq!(reason, format!("400: {}", "é".repeat(ANSWER_CHARACTERS_MAX)));
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_or_is_away_is_tried_again() {
    let silent = serve(Receiver::default()).await;
    let slow =
        notifiers(silent, None, Duration::from_millis(100)).send(&delivery(Kind::Firing), NOW_MS).await;
    assert!(
        matches!(&slow, Outcome::Later { after_ms: None, reason } if reason.contains("timed out")),
        "{slow:?}"
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let away = notifiers(closed, None, PATIENT).send(&delivery(Kind::Firing), NOW_MS).await;
    assert!(matches!(&away, Outcome::Later { after_ms: None, .. }), "{away:?}");
}

#[tokio::test]
async fn a_channel_that_is_gone_refuses_and_the_log_takes() {
    let notifiers = notifiers("http://127.0.0.1:1".to_owned(), None, PATIENT);
    let gone = Delivery { channel: "gone".to_owned(), ..delivery(Kind::Firing) };
    let reason = "the channel is not configured any more".to_owned();
    assert_eq!(notifiers.send(&gone, NOW_MS).await, Outcome::Refused { reason });
    let log = Delivery { channel: "log".to_owned(), ..delivery(Kind::Firing) };
    assert_eq!(notifiers.send(&log, NOW_MS).await, Outcome::Taken);
}

#[test]
fn a_resolution_ends_no_earlier_than_it_starts() {
    let Delivery { notice, .. } = delivery(Kind::Resolved);
    let alert = alert(&notice, 0);
    assert_eq!(alert["endsAt"], alert["startsAt"]);
    assert!(alert["annotations"].get("note").is_none());
}

#[test]
fn labels_stay_the_same_for_as_long_as_the_episode_lasts() {
    let all: Vec<Value> = Kind::ALL.into_iter().map(|kind| labels(&delivery(kind).notice)).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}
