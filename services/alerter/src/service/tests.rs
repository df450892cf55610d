//! Episodes from the first minute in breach to what each receiver is told; restarts at every step.

use std::collections::BTreeMap;

use contract::alert::{Action, AlertRecord, Command};
use domain::alert::outbox::Outcome;

use super::*;
use crate::testing::{self, four_hour};

mod restarts;

const M: u32 = 29_921_160;

const RULES: &str = r#"
[alerts]
fallback = "log"
[channel.am]
type = "alertmanager"
url = "http://127.0.0.1:9"
[channel.log]
type = "log"
[channel.director]
type = "log"
[[rule]]
id = "low"
level = "site"
series = { type = "1", window = "4h" }
value = "ae_four_hour.within / ae_four_hour.departed"
at_least = { "ae_four_hour.departed" = 20 }
breach = "< 0.76"
clear = ">= 0.78"
hold = "2m"
keep = "1m"
severity = "warning"
channels = ["am"]
escalate = [{ after = "10m", channels = ["director"] }]
summary = "{name}: {value:%} ({within} of {departed})"
"#;

/// An alerter, its clock, and everything that it ever did.
pub(super) struct Drill {
    pub(super) alerter: Alerter,
    pub(super) now_ms: i64,
    pub(super) told: Vec<String>,
    pub(super) written: Vec<String>,
    /// What each channel answers; taken where nothing is said.
    pub(super) answers: BTreeMap<String, Outcome>,
}

pub(super) fn alerter(rules: &str) -> Alerter {
    Alerter::new(testing::rules(rules), testing::organisations(), testing::config(""), testing::metrics())
}

impl Drill {
    pub(super) fn new(rules: &str) -> Drill {
        Drill {
            alerter: alerter(rules),
            now_ms: i64::from(M) * 60_000,
            told: Vec::new(),
            written: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    /// A publication of the minute M + `minute` of S1, two seconds after it has closed.
    pub(super) fn minute(&mut self, minute: u32, within: i64, departed: i64) {
        self.publish(&four_hour("S1", M + minute, 1, within, departed));
    }

    pub(super) fn publish(&mut self, record: &OrgMinute) {
        self.now_ms = self.now_ms.max(i64::from(record.minute.0) * 60_000 + 2_000);
        self.alerter.on_minute(record, self.now_ms);
        self.work();
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.now_ms += seconds * 1_000;
        self.work();
    }

    pub(super) fn command(&mut self, action: Action, episode: &str) {
        let command =
            Command { episode: episode.to_owned(), action, by: "sister".to_owned(), at: Millis(self.now_ms) };
        self.alerter.on_record(&AlertRecord::Command(command), self.now_ms);
        self.work();
    }

    /// Sends until there is nothing to send, and writes the transitions.
    pub(super) fn work(&mut self) {
        loop {
            let due = self.alerter.tick(self.now_ms);
            if due.is_empty() {
                break;
            }
            for delivery in due {
                let outcome = self.answers.get(&delivery.channel).cloned().unwrap_or(Outcome::Taken);
                self.told.push(line(&delivery, &outcome));
                self.alerter.delivered(delivery.id, &outcome, self.now_ms);
            }
        }
        let mut last = None;
        for (number, record) in self.alerter.records() {
            let (from, to) = (record.from.as_str(), record.to.as_str());
            let stale = if record.stale { " stale" } else { "" };
            self.written.push(format!("{} {from}>{to}{stale} {}", record.minute.0 - M, record.value));
            last = Some(number);
        }
        if let Some(last) = last {
            self.alerter.recorded(last);
        }
    }

    pub(super) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    fn episode(&self) -> String {
        self.alerter.open.keys().next().cloned().expect("an episode is open")
    }
}

fn line(delivery: &Delivery, outcome: &Outcome) -> String {
    let Delivery { channel, notice, .. } = delivery;
    let failed = match outcome {
        Outcome::Taken => "",
        Outcome::Later { .. } => " later",
        Outcome::Refused { .. } => " refused",
    };
    format!("{channel} {} {} {}{failed}", notice.kind.as_str(), notice.sequence, notice.value)
}

/// In breach at M + 1, firing at M + 3.
fn firing() -> Drill {
    let mut drill = Drill::new(RULES);
    for minute in 0..4 {
        drill.minute(minute, if minute == 0 { 80 } else { 70 }, 100);
    }
    assert_eq!(drill.told(), ["am firing 1 0.700"]);
    drill
}

#[test]
fn an_episode_is_told_once_and_ends_once() {
    let mut drill = firing();
    drill.minute(4, 60, 100);
    drill.minute(5, 77, 100);
    drill.minute(6, 78, 100);
    assert_eq!(drill.told(), [""; 0]);
    drill.minute(7, 79, 100);
    assert_eq!(drill.told(), ["am resolved 2 0.790"]);
    drill.pass(86_400);
    assert_eq!(drill.told(), [""; 0]);
    let wanted = [
        "1 inactive>pending 0.700",
        "3 pending>firing 0.700",
        "6 firing>recovering 0.780",
        "7 recovering>inactive 0.790",
    ];
    assert_eq!(drill.written, wanted);
}

#[test]
fn against_the_target_the_one_in_force_on_the_day_is_held() {
    let text = RULES.replace("< 0.76", "< target").replace("clear = \">= 0.78\"\n", "");
    let mut drill = Drill::new(&text);
    for minute in 0..3 {
        drill.minute(minute, 78, 100);
    }
    assert_eq!(drill.told(), [""; 0], "78 % is the target from 21 November 2026 on");
    for minute in 3..6 {
        drill.minute(minute, 77, 100);
    }
    assert_eq!(drill.told(), ["am firing 1 0.770"]);
    let mut alerter = alerter(&text);
    let (midnight, mut due) = (M - 14 * 60, Vec::new());
    for minute in midnight - 2..=midnight {
        let now_ms = i64::from(minute) * 60_000 + 2_000;
        alerter.on_minute(&four_hour("S1", minute, 1, 94, 100), now_ms);
        due = alerter.tick(now_ms);
    }
    assert_eq!(due.remove(0).notice.threshold, "< 0.95", "the point of midnight belongs to the day before");
}

#[test]
fn the_notice_says_who_what_and_where() {
    let mut alerter = alerter(RULES);
    let mut due = Vec::new();
    for minute in M..M + 3 {
        let now_ms = i64::from(minute) * 60_000 + 2_000;
        alerter.on_minute(&four_hour("S1", minute, 1, 2, 30), now_ms);
        due = alerter.tick(now_ms);
    }
    let Delivery { notice, ends_at_ms, .. } = due.remove(0);
    assert_eq!(notice.episode, "low:site:S1:type=1,window=4h:20261121T140000Z");
    assert_eq!(notice.summary, "St Elsewhere: 6.6 % (2 of 30)");
    assert_eq!(
        (notice.threshold.as_str(), notice.link.as_str()),
        ("< 0.76", "http://127.0.0.1:8080/?org=S1")
    );
    assert_eq!((notice.start, notice.minute), (Minute(M), Minute(M + 2)));
    assert_eq!(ends_at_ms, i64::from(M + 2) * 60_000 + 2_000 + 3_600_000);
}

#[test]
fn an_open_episode_is_told_again_every_five_minutes() {
    let mut drill = firing();
    for minute in 4..20 {
        drill.minute(minute, 60 + i64::from(minute), 100);
    }
    let wanted = [
        "am reminder 2 0.680",
        "director escalated 3 0.730",
        "am reminder 4 0.730",
        "am reminder 5 0.780",
        "am resolved 6 0.790",
        "director resolved 7 0.790",
    ];
    assert_eq!(drill.told(), wanted);
}

#[test]
fn a_reminder_does_not_pile_up_while_the_receiver_is_away() {
    let mut drill = firing();
    drill.command(Action::Acknowledge, &drill.episode());
    assert_eq!(drill.told(), ["am acknowledged 2 0.700"]);
    let away = Outcome::Later { after_ms: None, reason: "503".to_owned() };
    drill.answers.insert("am".to_owned(), away);
    for _ in 0..720 {
        drill.pass(10);
    }
    assert!(drill.alerter.outbox.len() <= 1, "{}", drill.alerter.outbox.len());
    let tries = drill.told();
    assert!(tries.iter().all(|line| line == "am reminder 3 0.700 later"), "{tries:?}");
    assert!((23..40).contains(&tries.len()), "two hours, at most five minutes apart: {}", tries.len());
    drill.answers.clear();
    drill.pass(300);
    assert_eq!(drill.told(), ["am reminder 3 0.700"]);
}

#[test]
fn a_restated_past_moves_nothing() {
    let mut drill = firing();
    for minute in 0..500 {
        let mut record = four_hour("S1", M + 3 - minute.min(M), 2, 99, 100);
        record.restated = true;
        drill.publish(&record);
    }
    drill.publish(&four_hour("S1", M + 2, 9, 99, 100));
    assert_eq!(drill.told(), [""; 0]);
    assert_eq!(drill.written.len(), 2);
}

#[test]
fn a_stale_site_freezes_and_a_fresh_value_ends_it() {
    let mut drill = firing();
    for minute in 4..30 {
        let mut record = four_hour("S1", M + minute, 1, 90, 100);
        record.freshness.stale = true;
        drill.publish(&record);
    }
    let told = drill.told();
    assert!(told.iter().all(|line| !line.contains("resolved")), "{told:?}");
    assert_eq!(
        drill.written[2..],
        ["4 firing>firing stale 0.700", "13 firing>firing stale 0.700"],
        "frozen, escalated"
    );
    drill.minute(30, 90, 100);
    drill.minute(31, 90, 100);
    assert_eq!(drill.told(), ["am resolved 8 0.900", "director resolved 9 0.900"]);
    assert_eq!(
        drill.written[4..],
        ["30 firing>recovering 0.900", "30 recovering>recovering 0.900", "31 recovering>inactive 0.900"]
    );
}

#[test]
fn a_site_that_departs_nobody_is_not_judged() {
    let mut drill = firing();
    for minute in 4..14 {
        drill.minute(minute, 0, 0);
    }
    drill.minute(14, 19, 19);
    let mut empty = four_hour("S1", M + 15, 1, 0, 0);
    empty.series.clear();
    drill.publish(&empty);
    assert!(drill.told().iter().all(|line| !line.contains("resolved")));
}

#[test]
fn a_minute_older_than_max_age_or_far_ahead_steps_nothing() {
    let mut drill = Drill::new(RULES);
    drill.now_ms = i64::from(M + 100) * 60_000;
    for minute in 0..95 {
        drill.publish(&four_hour("S1", M + minute, 1, 0, 100));
    }
    assert_eq!((drill.told(), drill.written.len()), (vec![], 0), "mute");
    for minute in 95..98 {
        drill.publish(&four_hour("S1", M + minute, 1, 0, 100));
    }
    assert_eq!(drill.told(), ["am firing 1 0.000"]);
    drill.alerter.on_minute(&four_hour("S1", M + 10_000, 1, 0, 100), drill.now_ms);
    drill.publish(&four_hour("S1", M + 98, 1, 90, 100));
    drill.publish(&four_hour("S1", M + 99, 1, 90, 100));
    assert_eq!(drill.told(), ["am resolved 2 0.900"], "a minute of the far future has not made it deaf");
}

#[test]
fn the_newest_minute_published_again_is_judged_anew() {
    let mut drill = Drill::new(RULES);
    drill.minute(0, 70, 100);
    drill.minute(1, 70, 100);
    drill.minute(2, 90, 100);
    assert_eq!(drill.told(), [""; 0]);
    drill.publish(&four_hour("S1", M + 2, 2, 75, 101));
    assert_eq!(drill.told(), ["am firing 1 0.742"]);
    drill.publish(&four_hour("S1", M + 2, 3, 75, 101));
    drill.publish(&four_hour("S1", M + 2, 2, 99, 100));
    assert_eq!(drill.told(), [""; 0], "a lower revision does not stand");
}

#[test]
fn nobody_acknowledges_and_more_people_are_told() {
    let mut drill = firing();
    drill.pass(599);
    assert!(!drill.told().iter().any(|line| line.starts_with("director")));
    drill.pass(1);
    assert_eq!(drill.told(), ["director escalated 3 0.700"]);
    drill.pass(86_400);
    assert!(!drill.told().iter().any(|line| line.starts_with("director")), "a step is taken once");
}

#[test]
fn an_acknowledgement_stops_the_escalation_and_may_come_twice() {
    let mut drill = firing();
    let episode = drill.episode();
    drill.command(Action::Acknowledge, "no such episode");
    drill.command(Action::Acknowledge, &episode);
    drill.command(Action::Acknowledge, &episode);
    assert_eq!(drill.told(), ["am acknowledged 2 0.700"]);
    drill.pass(3_600);
    assert_eq!(drill.told(), ["am reminder 3 0.700"]);
    assert_eq!(drill.written[2..], ["3 firing>firing 0.700"]);
}

#[test]
fn a_person_closes_what_is_frozen_and_nothing_else() {
    let mut drill = firing();
    let episode = drill.episode();
    drill.command(Action::Close, &episode);
    assert_eq!(drill.told(), [""; 0]);
    let mut record = four_hour("S1", M + 4, 1, 70, 100);
    record.freshness.stale = true;
    drill.publish(&record);
    drill.command(Action::Close, &episode);
    drill.command(Action::Close, &episode);
    assert_eq!(drill.told(), ["am resolved 2 0.700"]);
    assert_eq!(drill.written.last().unwrap(), "4 firing>closed stale 0.700");
}

fn silence(rule: &str, from_ms: i64, until_ms: i64) -> AlertRecord {
    AlertRecord::Silence(contract::alert::Silence {
        rule: Some(rule.to_owned()),
        org: None,
        from: Millis(from_ms),
        until: Millis(until_ms),
        who: "sister".to_owned(),
        why: "drill".to_owned(),
    })
}

#[test]
fn in_a_silence_nobody_is_called_and_after_it_those_that_still_fire_are() {
    let start_ms = i64::from(M) * 60_000;
    for (last, told) in [(70, vec!["am firing 1 0.700"]), (90, vec![])] {
        let mut drill = Drill::new(RULES);
        drill.alerter.on_record(&silence("low", start_ms, start_ms + 600_000), start_ms);
        drill.alerter.on_record(&silence("low", start_ms, start_ms + 600_000), start_ms);
        assert_eq!(drill.alerter.silences.len(), 1, "the same again changes nothing");
        for minute in 0..9 {
            drill.minute(minute, 70, 100);
        }
        drill.minute(9, last, 100);
        assert_eq!(drill.told(), [""; 0]);
        assert_eq!(drill.written[1], "2 pending>firing 0.700", "kept and shown all the same");
        drill.minute(10, last, 100);
        assert_eq!(drill.told(), told);
        assert!(drill.alerter.silences.is_empty(), "one that is over is forgotten");
    }
}

#[test]
fn a_silence_keeps_true_what_was_told_before() {
    let mut drill = firing();
    drill.alerter.on_record(&silence("low", 0, drill.now_ms + 86_400_000), drill.now_ms);
    drill.pass(1_200);
    assert_eq!(drill.told(), ["am reminder 2 0.700"], "no escalation");
    drill.minute(24, 90, 100);
    drill.minute(25, 90, 100);
    assert_eq!(drill.told(), ["am resolved 3 0.900"]);
}

#[test]
fn what_is_refused_goes_to_the_fallback_and_is_shown() {
    let mut drill = Drill::new(RULES);
    drill.answers.insert("am".to_owned(), Outcome::Refused { reason: "400: bad".to_owned() });
    for minute in 0..3 {
        drill.minute(minute, 70, 100);
    }
    assert_eq!(drill.told(), ["am firing 1 0.700 refused", "log firing 1 0.700"]);
    for minute in 3..20 {
        drill.minute(minute, 90, 100);
    }
    assert_eq!(
        drill.told(),
        ["log resolved 2 0.900"],
        "the fallback hears the rest, the receiver that refused does not"
    );
    let shown: Vec<&str> = drill.alerter.refusals().map(|refusal| refusal.reason.as_str()).collect();
    assert_eq!(shown, ["400: bad"]);
}

#[test]
fn a_refused_reminder_reaches_the_fallback_once() {
    let mut drill = firing();
    drill.command(Action::Acknowledge, &drill.episode());
    drill.answers.insert("am".to_owned(), Outcome::Refused { reason: "410".to_owned() });
    drill.told();
    for _ in 0..10 {
        drill.pass(300);
    }
    let told = drill.told();
    assert_eq!(told.iter().filter(|line| line.starts_with("log")).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("am")).count(), 10);
    assert_eq!(drill.alerter.refusals().count(), 10);
}

#[test]
fn firing_and_resolution_arrive_in_order_also_after_an_outage() {
    let mut drill = Drill::new(RULES);
    drill.answers.insert("am".to_owned(), Outcome::Later { after_ms: None, reason: "503".to_owned() });
    for minute in 0..3 {
        drill.minute(minute, 70, 100);
    }
    for minute in 3..6 {
        drill.minute(minute, 90, 100);
    }
    assert!(drill.told().iter().all(|line| line == "am firing 1 0.700 later"));
    drill.answers.clear();
    drill.pass(300);
    assert_eq!(drill.told(), ["am firing 1 0.700", "am resolved 2 0.900"]);
}

#[test]
fn a_tag_left_out_gives_each_of_its_values_an_episode() {
    let rules = RULES.replace("type = \"1\", ", "");
    let mut drill = Drill::new(&rules);
    for minute in 0..3 {
        let mut record = four_hour("S1", M + minute, 1, 70, 100);
        let mut other = record.series[0];
        other.key.tag = domain::measures::TypeTag::All.into();
        record.series.push(other);
        drill.publish(&record);
    }
    let keys: Vec<&String> = drill.alerter.open.keys().collect();
    assert_eq!(
        keys,
        ["low:site:S1:type=1,window=4h:20261121T140000Z", "low:site:S1:type=all,window=4h:20261121T140000Z"]
    );
}

#[test]
fn organisations_that_nobody_watches_or_knows_leave_no_trace() {
    let mut drill = Drill::new(RULES);
    for org in ["S9", "R1", ""] {
        drill.publish(&four_hour(org, M, 1, 0, 100));
    }
    let mut trust = four_hour("R1", M, 1, 0, 100);
    trust.level = domain::organisations::Level::Trust;
    drill.publish(&trust);
    assert!(drill.alerter.orgs.is_empty());
}
