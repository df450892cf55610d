//! A recorder's lives on a virtual clock: a topic with revisions, restatements, marks and zombies, a store that loses,
//! delays and repeats, and processes that die at any request. At the end the store holds of each point the value of the
//! highest revision; and where no request lingers, no point ever goes back to an older value.

use std::collections::{BTreeMap, HashMap};

use contract::measure::{self, MeasureRecord};
use domain::measures::{Freshness, MAX_FIELDS, Measure, OrgMinute, Revision, Series, SeriesKey, Window};
use domain::organisations::Level;
use domain::time::Minute;
use prometheus::Registry;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use runtime::clock::ManualClock;
use runtime::health::Health;
use runtime::log::{Log, LogError, NewRecord, Position, Reader, RecordView, TopicSetup};

use tokio::sync::Notify;

use super::*;
use crate::line;
use crate::metrics::Metrics;
use crate::reading::Reading;
use crate::sink::{Attempt, Away, AwayReason};

const PARTITIONS: usize = 2;
const TOPIC: &str = "measures";
const LIMITS: Limits = Limits { lines: 12, bytes: 1 << 20, age: Duration::ZERO };

/// The topic, and what must stand in the store.
#[derive(Default)]
struct Topic {
    partitions: Vec<Vec<Vec<u8>>>,
    expected: BTreeMap<Vec<u8>, i64>,
    epoch: u64,
    counts: HashMap<(String, u32), u32>,
    /// The value of the next writing: rises, so that an older value is smaller.
    value: i64,
}

impl Topic {
    fn new() -> Topic {
        let mut topic = Topic { partitions: vec![Vec::new(); PARTITIONS], ..Topic::default() };
        topic.new_publisher();
        topic
    }

    fn new_publisher(&mut self) {
        self.epoch += 1;
        self.counts.clear();
        for partition in &mut self.partitions {
            partition.push(encoded(&MeasureRecord::Mark { epoch: self.epoch }));
        }
    }

    /// One writing of some series of an org-minute, by the publisher in force or by a zombie.
    fn write(&mut self, random: &mut ChaCha8Rng) {
        let org = ["A", "B", "C"][random.random_range(0..3)].to_owned();
        let minute = random.random_range(1..4);
        let zombie = self.epoch > 1 && random.random_bool(0.1);
        let n = self.counts.entry((org.clone(), minute)).and_modify(|n| *n += 1).or_insert(1);
        let epoch = if zombie { self.epoch - 1 } else { self.epoch };
        self.value += 1;
        let keys = (1..5u32).filter(|_| random.random_bool(0.6));
        let org_minute = OrgMinute {
            level: Level::Site,
            org: org.clone(),
            minute: Minute(minute),
            revision: Revision { epoch, n: *n },
            freshness: Freshness::default(),
            restated: false,
            series: keys.map(|window| series(window, self.value)).collect(),
        };
        if !zombie {
            for series in &org_minute.series {
                let mut text = Vec::new();
                line::write_series(Level::Site, &org, Minute(minute), series, &mut text);
                self.expected.insert(name(&text), self.value);
            }
        }
        let partition = usize::from(org == "A");
        self.partitions[partition].push(encoded(&MeasureRecord::OrgMinute(org_minute)));
    }

    fn ends(&self) -> Vec<u64> {
        self.partitions.iter().map(|partition| partition.len() as u64).collect()
    }

    /// Hands the next records of a partition to the reading.
    fn hand(&self, reading: &mut Reading, partition: usize, count: usize) {
        let start = reading.places()[partition].offset;
        for (offset, value) in (start..).zip(&self.partitions[partition][start as usize..]).take(count) {
            let partition = partition as u32;
            let record =
                RecordView { topic: 0, partition, offset, timestamp_ms: 0, key: b"", value, protobuf: true };
            reading.record(record, Duration::ZERO);
        }
    }
}

fn series(window: u32, value: i64) -> Series {
    let mut values = [0; MAX_FIELDS];
    values[0] = value;
    let window = Some(Window::Rolling(window * 60));
    Series { key: SeriesKey::new(Measure::AmbHandover, None, window), values }
}

fn encoded(record: &MeasureRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    measure::encode(record, &mut bytes);
    bytes
}

fn name(line: &[u8]) -> Vec<u8> {
    let (series, timestamp) = line::point_name(line);
    [series, b"@", timestamp].concat()
}

/// The store's points, and requests that were given up but are still on their way.
#[derive(Default)]
struct Store {
    points: BTreeMap<Vec<u8>, i64>,
    lingering: Vec<(Instant, Vec<u8>)>,
    went_back: Vec<String>,
}

impl Store {
    fn apply(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            let value = text.split("completed=").nth(1).and_then(|rest| rest.split('i').next()).unwrap();
            let value: i64 = value.parse().unwrap();
            if let Some(before) = self.points.insert(name(line), value).filter(|before| *before > value) {
                self.went_back.push(format!("{before} went back to {value}: {text}"));
            }
        }
    }

    fn apply_lingering(&mut self, until: Instant) {
        let (arrived, on_the_way): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.lingering).into_iter().partition(|(at, _)| *at <= until);
        self.lingering = on_the_way;
        arrived.iter().for_each(|(_, lines)| self.apply(lines));
    }
}

#[derive(Clone, Copy)]
struct Faults {
    /// Of a hundred requests so many go wrong in each way.
    percent: u32,
    lingering: bool,
}

struct Flaky {
    store: Arc<Mutex<Store>>,
    random: Mutex<ChaCha8Rng>,
    faults: Faults,
    /// The process dies with this request, which is carried out or not.
    dies_at: Mutex<u32>,
    death: Arc<Notify>,
}

impl Sink for Flaky {
    async fn write(&self, lines: &[u8]) -> Attempt {
        let (roll, delay) = {
            let mut random = self.random.lock().unwrap();
            (random.random_range(0..100), random.random_range(0..4_000))
        };
        {
            let mut store = self.store.lock().unwrap();
            store.apply_lingering(Instant::now());
            let mut left = self.dies_at.lock().unwrap();
            *left = left.saturating_sub(1);
            if *left > 0 {
                return answer(&mut store, lines, roll, delay, self.faults);
            }
            match roll % 3 {
                0 => store.apply(lines),
                1 if self.faults.lingering => {
                    store.lingering.push((Instant::now() + Duration::from_millis(delay), lines.to_vec()));
                }
                _ => {}
            }
        }
        self.death.notify_one();
        std::future::pending().await
    }

    async fn probe(&self) -> Attempt {
        Attempt::Written
    }
}

fn answer(store: &mut Store, lines: &[u8], roll: u32, delay: u64, faults: Faults) -> Attempt {
    let away = |reason, perhaps_written| {
        Attempt::Away(Away { reason, retry_after: None, perhaps_written, detail: String::new() })
    };
    let kind = roll / faults.percent.max(1);
    match kind {
        _ if faults.percent == 0 => {}
        0 => return away(AwayReason::Unavailable, false),
        1 => {
            store.apply(lines);
            return away(AwayReason::TimedOut, true);
        }
        2 if faults.lingering => {
            store.lingering.push((Instant::now() + Duration::from_millis(delay), lines.to_vec()));
            return away(AwayReason::TimedOut, true);
        }
        _ => {}
    }
    store.apply(lines);
    Attempt::Written
}

/// No refusal is expected here.
struct NoLog;

impl Log for NoLog {
    fn set_up(&self, _topics: &[TopicSetup], _create: bool) -> Result<(), LogError> {
        unreachable!()
    }
    fn starts(&self, _topic: &str) -> Result<Vec<u64>, LogError> {
        unreachable!()
    }
    fn ends(&self, _topic: &str) -> Result<Vec<u64>, LogError> {
        unreachable!()
    }
    fn offsets_at(&self, _topic: &str, _timestamp_ms: i64) -> Result<Vec<u64>, LogError> {
        unreachable!()
    }
    fn reader(&self, _topics: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError> {
        unreachable!()
    }
    fn append(&self, _topic: &str, _records: &[NewRecord]) -> Result<Vec<Position>, LogError> {
        unreachable!()
    }
}

/// One process: from its start until it has read everything, or until it dies.
async fn live(path: &std::path::Path, topic: &Topic, sink: Flaky, random: &mut ChaCha8Rng) {
    let keeper = Keeper::new(Checkpoint::open(path).unwrap(), TOPIC);
    let starts = vec![0; PARTITIONS];
    let mut progress = keeper.saved().unwrap().unwrap_or_else(|| Progress::beginning(&starts));
    assert_eq!(progress.fit(&starts, &topic.ends()), Ok(0));
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let clock = Arc::new(ManualClock::new(0));
    let watch = StoreWatch::new(metrics.clone(), Health::new(clock.clone()).condition("store"));
    let refusals = Refusals::new(Arc::new(NoLog), TOPIC, clock);
    let metrics = Arc::new(metrics);
    let (places, sent) = (progress.stored.clone(), progress.sent.clone());
    let mut writer = Writer::new(sink, watch, refusals, keeper, LIMITS, 1, progress);
    let mut again = Reading::again(TOPIC, places, sent, LIMITS, metrics.clone());
    if !again.is_done() {
        (0..PARTITIONS).for_each(|partition| topic.hand(&mut again, partition, usize::MAX));
        assert!(again.is_done());
        writer.store(again.close()).await.unwrap();
    }
    let mut reading = Reading::onwards(TOPIC, again.places().to_vec(), LIMITS, metrics);
    while reading.places().iter().map(|place| place.offset).ne(topic.ends()) {
        topic.hand(&mut reading, random.random_range(0..PARTITIONS), random.random_range(1..9));
        let open = reading.close();
        for portion in reading.take_closed().into_iter().chain([open]) {
            writer.store(portion).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1_500))).await;
        writer.tend().await.unwrap();
    }
    writer.settle_in_time().await.unwrap();
    writer.save().await.unwrap();
}

async fn check(seed: u64, faults: Faults) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorder.sqlite");
    let store = Arc::new(Mutex::new(Store::default()));
    let mut topic = Topic::new();
    let lives = random.random_range(2..8);
    for life in 0..=lives {
        for _ in 0..random.random_range(0..60) {
            if random.random_bool(0.03) {
                topic.new_publisher();
            }
            topic.write(&mut random);
        }
        // The last one lives until everything is written.
        let dies_at = if life == lives { u32::MAX } else { random.random_range(1..12) };
        let other = ChaCha8Rng::seed_from_u64(random.random());
        let death = Arc::new(Notify::new());
        let sink = Flaky {
            store: store.clone(),
            random: Mutex::new(other),
            faults,
            dies_at: Mutex::new(dies_at),
            death: death.clone(),
        };
        tokio::select! {
            () = live(&path, &topic, sink, &mut random) => {}
            () = death.notified() => assert!(life < lives, "seed {seed}: the last life did not end"),
        }
    }
    let mut store = store.lock().unwrap();
    store.apply_lingering(Instant::now() + Duration::from_secs(60));
    assert_eq!(store.points, topic.expected, "seed {seed}");
    if !faults.lingering {
        assert_eq!(store.went_back, Vec::<String>::new(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_the_newest_value_stands_at_the_end() {
    let cases: u64 = std::env::var("SITREP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100);
    println!("seeds 0..{cases}");
    for seed in 0..cases {
        check(seed, Faults { percent: 15, lingering: true }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restarted_recorder_never_writes_an_older_value_over_a_newer_one() {
    let cases: u64 = std::env::var("SITREP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100);
    println!("seeds 0..{cases}");
    for seed in 0..cases {
        check(seed, Faults { percent: 15, lingering: false }).await;
    }
}
