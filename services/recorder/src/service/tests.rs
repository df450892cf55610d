//! The whole service on the embedded log.

use std::sync::Mutex;

use contract::measure::{self, MeasureRecord};
use contract::refusal;
use contract::topics::{MEASURES, REFUSALS};
use domain::event::Outcome;
use domain::measures::{Freshness, MAX_FIELDS, Measure, OrgMinute, Revision, Series, SeriesKey};
use domain::organisations::Level;
use domain::time::Minute;
use prometheus::Registry;
use runtime::clock::SystemClock;
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{NewRecord, TopicSetup};
use tokio::sync::watch;

use super::*;
use crate::sink::Attempt;

/// A store that takes everything and says how many lines it has seen.
#[derive(Clone)]
struct Everything {
    lines: Arc<Mutex<Vec<String>>>,
    seen: watch::Sender<usize>,
}

impl Everything {
    fn new() -> Everything {
        Everything { lines: Arc::default(), seen: watch::channel(0).0 }
    }

    async fn has(&self, lines: usize) {
        self.seen.subscribe().wait_for(|seen| *seen >= lines).await.unwrap();
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Sink for Everything {
    async fn write(&self, lines: &[u8]) -> Attempt {
        let mut held = self.lines.lock().unwrap();
        held.extend(std::str::from_utf8(lines).unwrap().lines().map(str::to_owned));
        self.seen.send_replace(held.len());
        Attempt::Written
    }

    async fn probe(&self) -> Attempt {
        Attempt::Written
    }
}

struct House {
    folder: tempfile::TempDir,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
}

impl House {
    fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let clock = SystemClock::shared();
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(folder.path(), clock.clone()).unwrap());
        let house = House { folder, log, clock };
        house.set_up(REFUSALS);
        house
    }

    fn set_up(&self, name: &'static str) {
        let topic = TopicSetup { name, partitions: 1, retention: None, append_time: false };
        self.log.set_up(&[topic], true).unwrap();
    }

    fn recorder(&self, sink: &Everything, metrics: &Metrics, shutdown: &Shutdown) -> Recorder<Everything> {
        Recorder {
            log: self.log.clone(),
            topic: MEASURES.into(),
            sink: sink.clone(),
            checkpoint: Checkpoint::open(&self.folder.path().join("recorder.sqlite")).unwrap(),
            limits: Limits { age: Duration::from_millis(1), ..Limits::default() },
            drain: Duration::from_secs(30),
            metrics: metrics.clone(),
            health: Health::new(self.clock.clone()),
            clock: self.clock.clone(),
            shutdown: shutdown.clone(),
        }
    }

    fn publish(&self, record: &MeasureRecord) {
        let mut value = Vec::new();
        measure::encode(record, &mut value);
        self.append(value);
    }

    fn append(&self, value: Vec<u8>) {
        let record = NewRecord { key: b"site/A".to_vec(), value, protobuf: true, partition: None };
        self.log.append(MEASURES, &[record]).unwrap();
    }

    fn refusals(&self) -> Vec<refusal::Refusal> {
        let mut reader = self.log.reader(&[(REFUSALS, vec![0])]).unwrap();
        let mut found = Vec::new();
        let mut each =
            |record: runtime::log::RecordView<'_>| found.push(refusal::decode(record.value).unwrap());
        while reader.poll(100, Duration::ZERO, &mut each).unwrap() > 0 {}
        found
    }
}

fn queue(org: &str, epoch: u64, n: u32, waiting: i64) -> MeasureRecord {
    let mut values = [0; MAX_FIELDS];
    values[0] = waiting;
    let key = SeriesKey::new(Measure::AmbQueue, None, None);
    MeasureRecord::OrgMinute(OrgMinute {
        level: Level::Site,
        org: org.into(),
        minute: Minute(29_921_167),
        revision: Revision { epoch, n },
        freshness: Freshness::default(),
        restated: false,
        series: vec![Series { key, values }],
    })
}

fn line(org: &str, waiting: i64) -> String {
    format!(
        "amb_queue,level=site,org={org} waiting={waiting}i,over_15m=0i,over_30m=0i,over_45m=0i,over_60m=0i,\
         longest_s=0i,unclosed=0i 1795270020000000000"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_recorded_once_over_a_restart() {
    let house = House::new();
    house.set_up(MEASURES);
    let (sink, metrics) = (Everything::new(), Metrics::new(&Registry::new()).unwrap());
    for (org, lines) in [("A", 1), ("B", 2), ("C", 3)] {
        let shutdown = Shutdown::new();
        let running = tokio::spawn(run(house.recorder(&sink, &metrics, &shutdown)));
        house.publish(&MeasureRecord::Mark { epoch: 1 });
        house.publish(&queue(org, 1, 1, 5));
        sink.has(lines).await;
        shutdown.begin();
        running.await.unwrap().unwrap();
    }
    assert_eq!(sink.lines(), [line("A", 5), line("B", 5), line("C", 5)]);
    assert_eq!(metrics.lines.get(), 3);
    assert_eq!(metrics.newest_minute.get(), 29_921_167 * 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zombies_are_left_out_and_what_is_no_measure_is_kept_as_a_refusal() {
    let house = House::new();
    house.set_up(MEASURES);
    house.publish(&MeasureRecord::Mark { epoch: 7 });
    house.publish(&queue("A", 6, 90, 1));
    house.append(b"not a measure".to_vec());
    house.publish(&queue("bad\norg", 7, 1, 1));
    house.publish(&queue("A", 7, 1, 2));
    let (sink, metrics) = (Everything::new(), Metrics::new(&Registry::new()).unwrap());
    let shutdown = Shutdown::new();
    let running = tokio::spawn(run(house.recorder(&sink, &metrics, &shutdown)));
    sink.has(1).await;
    shutdown.begin();
    running.await.unwrap().unwrap();
    assert_eq!(sink.lines(), [line("A", 2)]);
    assert_eq!(metrics.ignored.of(Ignored::OlderEpoch).get(), 1);
    assert_eq!(metrics.ignored.of(Ignored::Unreadable).get(), 2);
    let refusals = house.refusals();
    let offsets: Vec<_> = refusals.iter().map(|refusal| (refusal.reason, refusal.origin.clone())).collect();
    let at = |offset| refusal::Origin::Log { topic: MEASURES.into(), partition: 0, offset };
    assert_eq!(offsets, [(Outcome::Malformed, at(2)), (Outcome::Malformed, at(3))]);
    assert_eq!(refusals[0].bytes, b"not a measure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_yet_is_waited_for() {
    let house = House::new();
    let (sink, metrics) = (Everything::new(), Metrics::new(&Registry::new()).unwrap());
    let shutdown = Shutdown::new();
    let recorder = house.recorder(&sink, &metrics, &shutdown);
    let health = recorder.health.clone();
    let running = tokio::spawn(run(recorder));
    house.set_up(MEASURES);
    house.publish(&queue("A", 1, 1, 3));
    sink.has(1).await;
    assert!(health.waiting().iter().all(|(name, _)| *name == "store" || *name == "measures-log"));
    shutdown.begin();
    running.await.unwrap().unwrap();
    assert_eq!(sink.lines(), [line("A", 3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_of_another_log_is_an_error_that_a_person_mends() {
    let house = House::new();
    house.set_up(MEASURES);
    let (sink, metrics) = (Everything::new(), Metrics::new(&Registry::new()).unwrap());
    let recorder = house.recorder(&sink, &metrics, &Shutdown::new());
    let mut checkpoint = recorder.checkpoint;
    checkpoint.save(std::iter::empty::<runtime::checkpoint::Change>(), &[(MEASURES, b"9 1 9\n")]).unwrap();
    let error = run(Recorder { checkpoint, ..recorder }).await.unwrap_err();
    assert!(
        matches!(error, RecorderError::Progress(ProgressError::Ahead { offset: 9, end: 0, .. })),
        "{error:?}"
    );
}

/// A log to whose topic a partition was added since its partitions were counted.
struct Outgrown(Arc<dyn Log>);

impl Reader for Outgrown {
    fn poll(
        &mut self,
        _: usize,
        _: Duration,
        _: &mut dyn FnMut(runtime::log::RecordView<'_>),
    ) -> Result<usize, LogError> {
        Err(LogError::MorePartitions { topic: MEASURES.to_owned(), known: 1, there: 2 })
    }

    fn has_reached(&self, _: &[Vec<u64>]) -> bool {
        false
    }
}

impl Log for Outgrown {
    fn set_up(&self, topics: &[TopicSetup], create: bool) -> Result<(), LogError> {
        self.0.set_up(topics, create)
    }
    fn starts(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        self.0.starts(topic)
    }
    fn ends(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        self.0.ends(topic)
    }
    fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, LogError> {
        self.0.offsets_at(topic, timestamp_ms)
    }
    fn reader(&self, _: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(Outgrown(self.0.clone())))
    }
    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<runtime::log::Position>, LogError> {
        self.0.append(topic, records)
    }
}

/// What is in a partition that is not read would be missing from the store, and nobody would know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_were_added_end_the_process() {
    let house = House::new();
    house.set_up(MEASURES);
    let (sink, metrics, shutdown) =
        (Everything::new(), Metrics::new(&Registry::new()).unwrap(), Shutdown::new());
    let recorder = house.recorder(&sink, &metrics, &shutdown);
    let log: Arc<dyn Log> = Arc::new(Outgrown(house.log.clone()));
    let error = run(Recorder { log, ..recorder }).await.unwrap_err();
    assert!(matches!(error, RecorderError::Log(LogError::MorePartitions { .. })), "{error:?}");
}
