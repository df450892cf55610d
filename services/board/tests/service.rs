//! The live board over a real embedded log: what is written to the topics is shown, once, also over a restart.

#![expect(clippy::unwrap_used, reason = "what a test sets up may fail loudly")]

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use board::live::{Live, Message, Mode};
use board::metrics::{Metrics, OrgMinuteOutcome};
use board::service::{Service, ServiceError, run};
use board::store::{Options, Store};
use contract::alert::{AlertRecord, State, Transition};
use contract::measure::MeasureRecord;
use contract::topics::{ALERTS, MEASURES};
use domain::alert::Severity;
use domain::measures::{Freshness, Measure, OrgMinute, Revision, Series, SeriesKey, TypeTag};
use domain::organisations::Level;
use domain::time::{Millis, Minute};
use runtime::clock::ManualClock;
use runtime::health::Health;
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{Log, NewRecord, TopicSetup};
use runtime::shutdown::Shutdown;
use serde_json::Value;

const MINUTE: Minute = Minute(29_921_160);

struct Plant {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    log: Arc<EmbeddedLog>,
}

struct Running {
    live: Arc<Live>,
    metrics: Metrics,
    shutdown: Shutdown,
    health: Health,
    thread: JoinHandle<Result<(), ServiceError>>,
}

fn plant() -> Plant {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Millis::from(MINUTE.start()).0));
    let log = Arc::new(EmbeddedLog::open(&dir.path().join("log"), clock.clone()).unwrap());
    let topic = |name, partitions| TopicSetup { name, partitions, retention: None, append_time: true };
    log.set_up(&[topic(MEASURES, 1), topic(ALERTS, 1)], true).unwrap();
    Plant { dir, clock, log }
}

impl Plant {
    fn store(&self) -> Store {
        Store::open(&self.dir.path().join("store"), Options::live(10_000)).unwrap()
    }

    fn start(&self) -> Running {
        let table = "code,name,level,parent,department_type\nENG,England,nation,,\nS1,One,site,ENG,1\n";
        let organisations = contract::organisations::read_csv(table.as_bytes()).unwrap();
        let live = Arc::new(Live::new(Arc::new(organisations), Mode::Live, None));
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let (shutdown, health) = (Shutdown::new(), Health::new(self.clock.clone()));
        let service = Service {
            log: self.log.clone(),
            store: self.store(),
            live: live.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            clock: self.clock.clone(),
            shutdown: shutdown.clone(),
        };
        let thread = std::thread::spawn(move || run(service));
        Running { live, metrics, shutdown, health, thread }
    }

    fn write(&self, partition: u32, records: &[MeasureRecord]) {
        let new = |record: &MeasureRecord| {
            let mut value = Vec::new();
            contract::measure::encode(record, &mut value);
            NewRecord { key: b"site/S1".to_vec(), value, protobuf: true, partition: Some(partition) }
        };
        self.log.append(MEASURES, &records.iter().map(new).collect::<Vec<_>>()).unwrap();
    }
}

impl Running {
    /// Blocks until the shown figures of S1 satisfy a condition.
    fn until(&self, what: impl Fn(&Value) -> bool) -> Value {
        let mut watch = self.live.watch(0).expect("the board runs");
        loop {
            let snapshot: Value =
                serde_json::from_str(&self.live.watch(0).expect("the board runs").json).unwrap();
            if what(&snapshot) {
                return snapshot;
            }
            match watch.deltas.blocking_recv().expect("the board runs") {
                Message::Delta { .. } => {}
                Message::Closed => panic!("the board ended"),
            }
        }
    }

    fn stop(self) {
        self.shutdown.begin();
        self.thread.join().unwrap().unwrap();
        assert!(self.live.watch(0).is_none(), "every stream has ended");
    }
}

fn minute(minute: Minute, epoch: u64, n: u32, present: i64) -> MeasureRecord {
    let key = SeriesKey::new(Measure::AeDepartment, TypeTag::All, None);
    let mut values = [0; 10];
    values[0] = present;
    MeasureRecord::OrgMinute(OrgMinute {
        level: Level::Site,
        org: "S1".to_owned(),
        minute,
        revision: Revision { epoch, n },
        freshness: Freshness { stale: false, age_seconds: Some(5) },
        restated: n > 1,
        series: vec![Series { key, values }],
    })
}

fn present(snapshot: &Value) -> Option<i64> {
    let at = snapshot["columns"].as_array()?.iter().position(|name| name == "present")?;
    snapshot["orgs"]["S1"][at].as_i64()
}

fn in_store(dir: &Path, at: Minute) -> Option<i64> {
    let row = board::read::Reader::open(&dir.join("store")).unwrap().row("S1", at).unwrap()?;
    Some(row.series[0].values[0])
}

#[test]
fn what_is_published_is_shown_once_and_after_a_restart_the_same() {
    let plant = plant();
    plant.write(0, &[MeasureRecord::Mark { epoch: 3 }, minute(MINUTE, 3, 1, 10), minute(MINUTE, 2, 9, 99)]);
    let board = plant.start();
    board.until(|shown| present(shown) == Some(10));
    plant.write(0, &[minute(MINUTE, 3, 2, 11), minute(MINUTE.minus(1), 3, 1, 8)]);
    board.until(|shown| present(shown) == Some(11));
    plant.write(0, &[minute(MINUTE.plus(1), 3, 1, 12)]);
    let shown = board.until(|shown| present(shown) == Some(12));
    assert_eq!(shown["head"], MINUTE.0 + 1);
    assert!(board.health.is_ready());
    assert_eq!(board.metrics.org_minutes.of(OrgMinuteOutcome::Zombie).get(), 1);
    assert_eq!(board.metrics.org_minutes.of(OrgMinuteOutcome::Written).get(), 4);
    board.stop();
    assert_eq!(in_store(plant.dir.path(), MINUTE), Some(11), "the zombie's figure is not there");
    assert_eq!(in_store(plant.dir.path(), MINUTE.minus(1)), Some(8));

    plant.write(0, &[minute(MINUTE.plus(2), 2, 1, 77), minute(MINUTE.plus(2), 3, 1, 13)]);
    let board = plant.start();
    let shown = board.until(|shown| present(shown) == Some(13));
    assert_eq!(shown["head"], MINUTE.0 + 2);
    assert_eq!(board.metrics.org_minutes.of(OrgMinuteOutcome::Written).get(), 1, "nothing is read again");
    assert_eq!(
        board.metrics.org_minutes.of(OrgMinuteOutcome::Zombie).get(),
        1,
        "the mark outlives the restart"
    );
    board.stop();
}

#[test]
fn episodes_are_shown_and_bad_records_left_out() {
    let plant = plant();
    let garbage = NewRecord { key: vec![], value: b"\xff\xff".to_vec(), protobuf: true, partition: Some(0) };
    plant.log.append(MEASURES, &[garbage]).unwrap();
    plant.write(0, &[minute(MINUTE, 1, 1, 5)]);
    let mut value = Vec::new();
    let transition = Transition {
        episode: "four-hour|site/S1".to_owned(),
        rule: "four-hour".to_owned(),
        rule_version: "1".to_owned(),
        level: Level::Site,
        org: "S1".to_owned(),
        name: "One".to_owned(),
        series: vec![],
        from: State::Pending,
        to: State::Firing,
        minute: MINUTE,
        at: Millis(0),
        value: "0.700".to_owned(),
        numerator: None,
        denominator: None,
        threshold: "< 0.76".to_owned(),
        severity: Severity::Page,
        stale: false,
        by: String::new(),
        summary: "One: 70.0 % within four hours".to_owned(),
    };
    contract::alert::encode(&AlertRecord::Transition(transition), &mut value);
    let record = NewRecord { key: vec![], value, protobuf: true, partition: None };
    plant.log.append(ALERTS, &[record]).unwrap();
    let board = plant.start();
    board.until(|shown| present(shown) == Some(5) && shown["alerts"][0]["rule"] == "four-hour");
    assert_eq!(board.metrics.org_minutes.of(OrgMinuteOutcome::Unreadable).get(), 1);
    board.stop();
    let again = plant.start();
    again.until(|shown| shown["alerts"][0]["rule"] == "four-hour");
    again.stop();
}

#[test]
fn a_log_that_is_not_there_yet_is_waited_for_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Millis::from(MINUTE.start()).0));
    let log = Arc::new(EmbeddedLog::open(&dir.path().join("log"), clock.clone()).unwrap());
    let plant = Plant { dir, clock, log };
    let board = plant.start();
    board.until(|shown| shown["status"]["log_away"] == true);
    assert!(!board.health.is_ready());
    let topic = |name, partitions| TopicSetup {
        name,
        partitions,
        retention: Some(Duration::from_secs(1 << 22)),
        append_time: true,
    };
    plant.log.set_up(&[topic(MEASURES, 1), topic(ALERTS, 1)], true).unwrap();
    plant.write(0, &[minute(MINUTE, 1, 1, 5)]);
    board.until(|shown| present(shown) == Some(5) && shown["status"]["log_away"] == false);
    board.stop();
}
