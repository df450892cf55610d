//! The loop over the embedded log, a real checkpoint and an HTTP server that stands for Alertmanager. Time is virtual;
//! turns are made until something is there, or too many were made.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use contract::alert::{Action, Command};
use domain::measures::OrgMinute;
use domain::time::Millis;
use runtime::clock::ManualClock;
use runtime::health::Health;
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{Position, TopicSetup};

use super::*;
use crate::testing::{self, Receiver, four_hour};

const MEASURES_TOPIC: &str = "sitrep.measures.v1";
const ALERTS_TOPIC: &str = "sitrep.alerts.v1";
const M: u32 = 29_921_160;

/// A log that can be away.
struct Wire {
    log: EmbeddedLog,
    away: AtomicBool,
    /// The next reader finds that partitions were added since they were counted.
    grown: AtomicBool,
}

struct Outgrown;

impl Reader for Outgrown {
    fn poll(&mut self, _: usize, _: Duration, _: &mut dyn FnMut(RecordView<'_>)) -> Result<usize, LogError> {
        Err(LogError::MorePartitions { topic: MEASURES_TOPIC.to_owned(), known: 1, there: 2 })
    }
    fn has_reached(&self, _: &[Vec<u64>]) -> bool {
        false
    }
}

impl Wire {
    fn there(&self) -> Result<&EmbeddedLog, LogError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(LogError::Unavailable("no broker".to_owned()));
        }
        Ok(&self.log)
    }
}

impl Log for Wire {
    fn set_up(&self, topics: &[TopicSetup], create: bool) -> Result<(), LogError> {
        self.there()?.set_up(topics, create)
    }
    fn starts(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        self.there()?.starts(topic)
    }
    fn ends(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        self.there()?.ends(topic)
    }
    fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, LogError> {
        self.there()?.offsets_at(topic, timestamp_ms)
    }
    fn reader(&self, topics: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError> {
        if self.grown.swap(false, Ordering::Relaxed) {
            return Ok(Box::new(Outgrown));
        }
        self.there()?.reader(topics)
    }
    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, LogError> {
        self.there()?.append(topic, records)
    }
}

struct Stage {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    log: Arc<Wire>,
    runtime: tokio::runtime::Runtime,
    health: Health,
    rules: Arc<RuleSet>,
    receiver: Receiver,
    metrics: Mutex<AlertMetrics>,
    /// Lines of `[alert]` over the defaults.
    config: String,
}

fn rules(url: &str) -> Arc<RuleSet> {
    testing::rules(&format!(
        r#"
[channel.am]
type = "alertmanager"
url = "{url}"
[[rule]]
id = "low"
level = "site"
series = {{ type = "1", window = "4h" }}
value = "ae_four_hour.within / ae_four_hour.departed"
breach = "< 0.76"
hold = "2m"
keep = "1m"
severity = "warning"
channels = ["am"]
summary = "{{name}}"
"#
    ))
}

impl Stage {
    fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(i64::from(M) * 60_000));
        let log = EmbeddedLog::open(&folder.path().join("log"), clock.clone()).unwrap();
        let topic = |name| TopicSetup { name, partitions: 1, retention: None, append_time: true };
        log.set_up(&[topic(MEASURES_TOPIC), topic(ALERTS_TOPIC)], true).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let receiver = Receiver { answer: Some((200, vec![], String::new())), ..Receiver::default() };
        let url = runtime.block_on(testing::serve(receiver.clone()));
        Stage {
            health: Health::new(clock.clone()),
            log: Arc::new(Wire { log, away: AtomicBool::new(false), grown: AtomicBool::new(false) }),
            rules: rules(&url),
            metrics: Mutex::new(testing::metrics()),
            config: String::new(),
            folder,
            clock,
            runtime,
            receiver,
        }
    }

    fn shell(&self) -> Shell {
        *self.metrics.lock().unwrap() = testing::metrics();
        let setup = Setup {
            log: self.log.clone(),
            measures_topic: MEASURES_TOPIC.to_owned(),
            alerts_topic: ALERTS_TOPIC.to_owned(),
            checkpoint: self.checkpoint().to_owned(),
            config: testing::config(&self.config),
            rules: self.rules.clone(),
            organisations: testing::organisations(),
            clock: self.clock.clone(),
            shutdown: Shutdown::new(),
            condition: self.health.condition("alerter"),
            receivers: self.health.condition("receivers"),
            metrics: self.metrics.lock().unwrap().clone(),
            runtime: self.runtime.handle().clone(),
        };
        let notifiers = Arc::new(Notifiers::new(&setup.rules, setup.config.timeout.get()).unwrap());
        Shell::open(setup, notifiers).unwrap()
    }

    fn checkpoint(&self) -> std::path::PathBuf {
        Path::join(self.folder.path(), "alerter.checkpoint")
    }

    fn append(&self, topic: &str, value: Vec<u8>) {
        let record = NewRecord { key: vec![], value, protobuf: true, partition: Some(0) };
        self.log.log.append(topic, &[record]).unwrap();
    }

    fn publish(&self, record: &OrgMinute) {
        self.clock.set_ms(i64::from(record.minute.0) * 60_000 + 2_000);
        let mut value = Vec::new();
        measure::encode_org_minute(record, &mut value);
        self.append(MEASURES_TOPIC, value);
    }

    fn minutes(&self, minutes: std::ops::Range<u32>, within: i64) {
        for minute in minutes {
            self.publish(&four_hour("S1", M + minute, 1, within, 100));
        }
    }

    /// `startsAt`, and whether it is a resolution, of every alert that was posted.
    fn posted(&self) -> Vec<(String, bool)> {
        let seen = self.receiver.seen.lock().unwrap();
        let text =
            |body: &serde_json::Value, field: &str| body[0][field].as_str().unwrap_or_default().to_owned();
        let now = Millis(self.clock.now_ms()).second().to_string();
        seen.iter().map(|(_, _, body)| (text(body, "startsAt"), text(body, "endsAt") <= now)).collect()
    }

    /// The transitions on the alerts topic.
    fn transitions(&self) -> Vec<String> {
        let mut reader = self.log.log.reader(&[(ALERTS_TOPIC, vec![0])]).unwrap();
        let mut all = Vec::new();
        reader
            .poll(1_000, Duration::ZERO, &mut |view| {
                if let Ok(AlertRecord::Transition(record)) = alert::decode(view.value) {
                    assert_eq!(view.key, record.episode.as_bytes());
                    all.push(format!("{}>{}", record.from.as_str(), record.to.as_str()));
                }
            })
            .unwrap();
        all
    }
}

/// Turns until it is so; a hundred turns are ten seconds of waiting at most.
fn until(shell: &mut Shell, what: &str, is_so: impl Fn(&Shell) -> bool) {
    for _ in 0..100 {
        shell.turn();
        if is_so(shell) {
            return;
        }
    }
    panic!("not so after a hundred turns: {what}");
}

fn is_quiet(shell: &Shell) -> bool {
    shell.under_way == 0 && shell.alerter.outbox.is_empty() && shell.alerter.records().next().is_none()
}

#[test]
fn an_alert_is_posted_once_survives_a_restart_and_resolves_once() {
    let stage = Stage::new();
    let mut shell = stage.shell();
    stage.minutes(0..3, 70);
    until(&mut shell, "fired", |shell| stage.posted().len() == 1 && is_quiet(shell));
    assert_eq!(stage.posted(), [("2026-11-21T14:00:00Z".to_owned(), false)]);
    assert!(stage.health.is_ready());

    drop(shell);
    let mut shell = stage.shell();
    stage.minutes(3..4, 70);
    for _ in 0..5 {
        shell.turn();
    }
    assert_eq!(stage.posted().len(), 1, "a restart sends nothing again");

    drop(shell);
    stage.minutes(4..6, 90);
    let mut shell = stage.shell();
    until(&mut shell, "resolved", |shell| stage.posted().len() == 2 && is_quiet(shell));
    assert_eq!(stage.posted()[1], ("2026-11-21T14:00:00Z".to_owned(), true));
    drop(shell);
    let mut shell = stage.shell();
    for _ in 0..5 {
        shell.turn();
    }
    assert_eq!(stage.posted().len(), 2);
    let wanted = ["inactive>pending", "pending>firing", "firing>recovering", "recovering>inactive"];
    assert_eq!(stage.transitions(), wanted);
}

#[test]
fn without_a_checkpoint_the_past_is_read_and_mute() {
    let stage = Stage::new();
    stage.minutes(0..60, 70);
    stage.clock.advance(Duration::from_secs(600));
    let mut shell = stage.shell();
    until(&mut shell, "read", |shell| shell.positions.as_ref().is_some_and(|p| p.offsets[0] == [60]));
    for _ in 0..3 {
        shell.turn();
    }
    assert_eq!((stage.posted(), stage.transitions()), (vec![], vec![]));
}

#[test]
fn a_publisher_of_an_older_epoch_is_not_heard() {
    let stage = Stage::new();
    let mut mark = Vec::new();
    measure::encode(&MeasureRecord::Mark { epoch: 5 }, &mut mark);
    stage.append(MEASURES_TOPIC, mark);
    let mut shell = stage.shell();
    stage.minutes(0..5, 70);
    until(&mut shell, "read", |shell| shell.positions.as_ref().is_some_and(|p| p.offsets[0] == [6]));
    assert_eq!(shell.alerter.orgs.len(), 0);
    drop(shell);
    let mut shell = stage.shell();
    stage.minutes(5..9, 70);
    until(&mut shell, "read", |shell| shell.positions.as_ref().is_some_and(|p| p.offsets[0] == [10]));
    assert_eq!(shell.alerter.orgs.len(), 0, "the epoch is in the checkpoint");
}

#[test]
fn commands_are_obeyed_and_bytes_that_are_none_are_counted() {
    let stage = Stage::new();
    let mut shell = stage.shell();
    stage.minutes(0..3, 70);
    until(&mut shell, "fired", |shell| stage.posted().len() == 1 && is_quiet(shell));
    let episode = shell.alerter.open.keys().next().unwrap().clone();
    let at = Millis(stage.clock.now_ms());
    let command = Command { episode, action: Action::Acknowledge, by: "sister".to_owned(), at };
    let mut value = Vec::new();
    alert::encode(&AlertRecord::Command(command), &mut value);
    for topic in [MEASURES_TOPIC, ALERTS_TOPIC] {
        stage.append(topic, b"\xff not protobuf".to_vec());
        stage.append(topic, vec![]);
    }
    stage.append(ALERTS_TOPIC, value);
    until(&mut shell, "acknowledged", |shell| stage.posted().len() == 2 && is_quiet(shell));
    let seen = stage.receiver.seen.lock().unwrap();
    assert_eq!(seen[1].2[0]["annotations"]["acknowledged_by"], "sister");
    let metrics = stage.metrics.lock().unwrap();
    assert_eq!(metrics.minutes.of(MinuteOutcome::Malformed).get(), 2);
    assert_eq!(metrics.commands.of(CommandOutcome::Malformed).get(), 2);
    assert_eq!(metrics.commands.of(CommandOutcome::Done).get(), 1);
}

#[test]
fn a_log_that_is_away_is_waited_for_and_nothing_is_lost() {
    let stage = Stage::new();
    stage.log.away.store(true, Ordering::Relaxed);
    let mut shell = stage.shell();
    stage.minutes(0..3, 70);
    for _ in 0..3 {
        shell.turn();
    }
    let (name, waiting) = stage.health.waiting().remove(0);
    assert_eq!((name, waiting.why.as_str()), ("alerter", "the log is not available: no broker"));
    stage.log.away.store(false, Ordering::Relaxed);
    stage.clock.advance(Duration::from_secs(1));
    until(&mut shell, "fired", |shell| stage.posted().len() == 1 && is_quiet(shell));
    assert!(stage.health.is_ready());
    assert_eq!(stage.transitions(), ["inactive>pending", "pending>firing"]);
}

#[test]
fn after_partitions_were_added_the_topics_are_looked_up_again_and_read_on() {
    let stage = Stage::new();
    stage.log.grown.store(true, Ordering::Relaxed);
    let mut shell = stage.shell();
    stage.minutes(0..3, 70);
    shell.turn();
    assert!(!stage.health.is_ready());
    stage.clock.advance(Duration::from_secs(1));
    until(&mut shell, "fired", |shell| stage.posted().len() == 1 && is_quiet(shell));
    assert!(stage.health.is_ready());
}

#[test]
fn while_the_outbox_is_full_no_measures_are_read_and_nothing_is_lost() {
    let stage = Stage { config: "outbox = 1".to_owned(), ..Stage::new() };
    let taken = Arc::clone(&stage.receiver.seen);
    let away = Stage { rules: rules("http://127.0.0.1:1"), ..stage };
    let mut shell = away.shell();
    away.minutes(0..3, 70);
    until(&mut shell, "one notice waits", |shell| shell.alerter.outbox.len() == 1);
    until(&mut shell, "said", |_| !away.health.is_ready());
    let waiting = away.health.waiting();
    let (_, alerter) = waiting.iter().find(|(name, _)| *name == "alerter").unwrap();
    assert_eq!(alerter.why, "1 notices wait (alert.outbox): no measures are read");
    away.minutes(3..5, 90);
    for _ in 0..5 {
        shell.turn();
    }
    let read = |shell: &Shell| shell.positions.as_ref().map(|positions| positions.offsets[0].clone());
    assert_eq!(read(&shell), Some(vec![3]), "nothing is read on");
    drop(shell);
    // The receiver is at another address now, and takes what waits.
    let url = away.runtime.block_on(testing::serve(away.receiver.clone()));
    let back = Stage { rules: rules(&url), ..away };
    back.clock.advance(Duration::from_secs(1));
    let mut shell = back.shell();
    until(&mut shell, "resolved", |shell| taken.lock().unwrap().len() == 2 && is_quiet(shell));
    assert_eq!(read(&shell), Some(vec![5]));
    until(&mut shell, "ready again", |_| back.health.is_ready());
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_left_out() {
    let stage = Stage::new();
    let mut checkpoint = Checkpoint::open(&stage.checkpoint()).unwrap();
    let piece = runtime::checkpoint::Change { kind: 1, key: b"site/S1".to_vec(), value: Some(b"{".to_vec()) };
    checkpoint.save([piece].into_iter(), &[("positions", b"{}".as_slice())]).unwrap();
    drop(checkpoint);
    let mut shell = stage.shell();
    stage.minutes(0..3, 70);
    until(&mut shell, "fired", |shell| stage.posted().len() == 1 && is_quiet(shell));
}

#[test]
fn the_end_waits_for_what_is_under_way() {
    let stage = Stage::new();
    let mut shell = stage.shell();
    stage.minutes(0..3, 70);
    until(&mut shell, "sent", |_| !stage.posted().is_empty());
    shell.drain();
    assert!(is_quiet(&shell));
    drop(shell);
    let mut shell = stage.shell();
    for _ in 0..3 {
        shell.turn();
    }
    assert_eq!(stage.posted().len(), 1);
}
