//! How far the aggregator reads, over a log in memory that can do what the embedded one cannot: its topics have several
//! partitions, and every append is a transaction, whose end takes an offset and is no record. Time is virtual, and the
//! test has its turn whenever the log is asked for records.

#![expect(clippy::unwrap_used, reason = "what a test sets up may fail loudly")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aggregator::backfill::{self, Backfill, BackfillReport};
use aggregator::config::AggregateConfig;
use aggregator::metrics::Metrics;
use aggregator::pipeline::{self, AggregateError, Parts};
use contract::measure::{self, MeasureRecord};
use contract::topics::{BACKFILL, CONTROL, EVENTS, MEASURES, REFUSALS, RETURNS};
use domain::engine::{HORIZON_MINUTES, Settings};
use domain::event::{Attendance, Event, Fact, Statement};
use domain::freshness::Patience;
use domain::ids::Ref;
use domain::measures::{Measure, OrgMinute, Tag, TypeTag, Window};
use domain::organisations::Organisations;
use domain::replay::Replay;
use domain::standard::Standards;
use domain::sweep::Scope;
use domain::time::{Millis, Minute, Second};
use prometheus::Registry;
use runtime::clock::{Clock, ManualClock};
use runtime::health::Health;
use runtime::log::{Log, LogError, NewRecord, Position, Reader, RecordView, TopicSetup};
use runtime::shutdown::Shutdown;

/// The first minute of each test.
const MINUTE: Minute = Minute(29_921_160);
/// A reader that is asked so often in a row and has nothing is asked for ever.
const IDLE_MOST: u32 = 1_000;

/// What is at an offset: a record with when it was taken, or the end of a transaction.
type Entry = Option<(i64, NewRecord)>;
/// By topic and partition.
type Topics = BTreeMap<String, Vec<Vec<Entry>>>;

type Turn = Box<dyn FnMut(&Memory) + Send>;

/// The log. Clones are the same.
#[derive(Clone)]
struct Memory {
    topics: Arc<Mutex<Topics>>,
    clock: Arc<ManualClock>,
    /// Called each time before records are handed out.
    turn: Arc<Mutex<Turn>>,
}

impl Memory {
    fn new(clock: &Arc<ManualClock>, partitions: usize) -> Memory {
        let topics = [EVENTS, RETURNS, MEASURES, REFUSALS, CONTROL, BACKFILL];
        let topics = topics.map(|topic| (topic.to_owned(), vec![Vec::new(); partitions]));
        Memory {
            topics: Arc::new(Mutex::new(topics.into())),
            clock: clock.clone(),
            turn: Arc::new(Mutex::new(Box::new(|_| ()))),
        }
    }

    fn add_partition(&self, topic: &str) {
        self.topics.lock().unwrap().get_mut(topic).unwrap().push(Vec::new());
    }

    fn of<T>(&self, topic: &str, each: impl Fn(&Vec<Entry>) -> T) -> Vec<T> {
        self.topics.lock().unwrap()[topic].iter().map(each).collect()
    }

    fn say(&self, partition: u32, event: &Event<'_>) {
        let mut value = Vec::new();
        contract::event::write_json(event, &mut value);
        let record = NewRecord { key: Vec::new(), value, protobuf: false, partition: Some(partition) };
        self.append(EVENTS, &[record]).unwrap();
    }

    /// Every org-minute in a topic, by partition, in order.
    fn org_minutes(&self, topic: &str) -> Vec<OrgMinute> {
        let of_partition = |entries: &Vec<Entry>| {
            let records = entries.iter().flatten().map(|(_, record)| measure::decode(&record.value).unwrap());
            let org_minute = |record| match record {
                MeasureRecord::OrgMinute(one) => Some(one),
                MeasureRecord::Mark { .. } => None,
            };
            records.filter_map(org_minute).collect::<Vec<_>>()
        };
        self.of(topic, of_partition).concat()
    }

    /// How many arrived in the last four hours, each time that it was published for a minute.
    fn arrived(&self, topic: &str, minute: Minute) -> Vec<i64> {
        let org_minutes = self.org_minutes(topic);
        let of_minute = org_minutes.iter().filter(|one| one.org == "S1" && one.minute == minute);
        let series = of_minute.flat_map(|one| &one.series).filter(|series| {
            series.key.measure == Measure::AeArrivals && series.key.tag == Tag::Type(TypeTag::All)
        });
        series.filter_map(|series| series.field("arrived")).collect()
    }
}

impl Log for Memory {
    fn set_up(&self, _: &[TopicSetup], _: bool) -> Result<(), LogError> {
        Ok(())
    }

    fn starts(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        Ok(self.of(topic, |_| 0))
    }

    fn ends(&self, topic: &str) -> Result<Vec<u64>, LogError> {
        Ok(self.of(topic, |entries| entries.len() as u64))
    }

    fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, LogError> {
        let is_since = |entry: &Entry| entry.as_ref().is_some_and(|(at_ms, _)| *at_ms >= timestamp_ms);
        Ok(self.of(topic, |entries| entries.iter().position(is_since).unwrap_or(entries.len()) as u64))
    }

    fn reader(&self, topics: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError> {
        let places = topics.iter().map(|(topic, offsets)| ((*topic).to_owned(), offsets.clone())).collect();
        Ok(Box::new(MemoryReader { log: self.clone(), places, polls: 0, idle: 0 }))
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, LogError> {
        let at_ms = self.clock.now_ms();
        let mut topics = self.topics.lock().unwrap();
        let partitions = topics.get_mut(topic).unwrap();
        let mut positions = Vec::new();
        for record in records {
            let partition = record.partition.unwrap_or(0);
            let entries = &mut partitions[partition as usize];
            positions.push(Position { partition, offset: entries.len() as u64 });
            entries.push(Some((at_ms, record.clone())));
            entries.push(None);
        }
        Ok(positions)
    }
}

struct MemoryReader {
    log: Memory,
    /// Where each partition is read on: behind the end of a transaction as soon as that was fetched.
    places: Vec<(String, Vec<u64>)>,
    polls: u32,
    idle: u32,
}

impl Reader for MemoryReader {
    fn poll(
        &mut self,
        max: usize,
        _: Duration,
        each: &mut dyn FnMut(RecordView<'_>),
    ) -> Result<usize, LogError> {
        (self.log.turn.lock().unwrap())(&self.log);
        self.polls += 1;
        if self.polls == 1 {
            return Ok(0); // the broker takes its time
        }
        let topics = self.log.topics.lock().unwrap();
        let mut count = 0;
        for (topic, (name, offsets)) in self.places.iter_mut().enumerate() {
            let partitions = &topics[name];
            let (known, there) = (offsets.len() as u32, partitions.len() as u32);
            if there > known {
                return Err(LogError::MorePartitions { topic: name.clone(), known, there });
            }
            for (partition, (next, entries)) in (0..).zip(offsets.iter_mut().zip(partitions)) {
                while let Some(entry) = entries.get(*next as usize).filter(|_| count < max) {
                    let offset = *next;
                    *next += 1;
                    let Some((timestamp_ms, record)) = entry else { continue };
                    let (key, value, protobuf) = (&record.key[..], &record.value[..], record.protobuf);
                    let timestamp_ms = *timestamp_ms;
                    each(RecordView { topic, partition, offset, timestamp_ms, key, value, protobuf });
                    count += 1;
                }
            }
        }
        self.idle = if count == 0 { self.idle + 1 } else { 0 };
        assert!(self.idle < IDLE_MOST, "{:?}: it is read on although its end is reached", self.places);
        Ok(count)
    }

    fn has_reached(&self, ends: &[Vec<u64>]) -> bool {
        let places = self.places.iter().map(|(_, offsets)| offsets);
        places.zip(ends).all(|(offsets, ends)| offsets.iter().zip(ends).all(|(next, end)| next >= end))
    }
}

fn settings() -> Settings {
    let table = "code,name,level,parent,department_type\nENG,England,nation,,\nS1,One,site,ENG,1\n";
    let organisations: Organisations = contract::organisations::read_csv(table.as_bytes()).unwrap();
    Settings {
        orgs: Arc::new(organisations),
        standards: Standards::default(),
        windows: vec![Window::Rolling(240)],
        exclude_disposals: Vec::new(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
        frameworks: Default::default(),
    }
}

/// Somebody arrives so many minutes after the first minute of the test.
fn arrives(number: u8, minutes: u32) -> Event<'static> {
    let at: Second = MINUTE.plus(minutes).start();
    let mut attendance = Attendance::new("S1", Ref([number; 16]));
    attendance.arrived_at = Fact::Stated(at);
    Event {
        id: number.to_string().into(),
        source: "feed".into(),
        recorded_at: Millis::from(at),
        statement: Statement::Attendance(attendance),
    }
}

struct World {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    log: Memory,
    health: Health,
}

/// What a process of the aggregator left.
struct Ended {
    outcome: Result<(), AggregateError>,
    metrics: Arc<Metrics>,
}

impl World {
    fn new(partitions: usize) -> World {
        let clock = Arc::new(ManualClock::new(Millis::from(MINUTE.start()).0));
        let log = Memory::new(&clock, partitions);
        let health = Health::new(clock.clone());
        World { folder: tempfile::tempdir().unwrap(), clock, log, health }
    }

    fn stand_at(&self, minutes: u32) {
        self.clock.set_ms(Millis::from(MINUTE.plus(minutes).start()).0 + 1_000);
    }

    /// Runs the aggregator in this thread until `turn`, which is called once it is live whenever it asks for records,
    /// begins the shutdown.
    fn run(&self, mut turn: impl FnMut(&Memory, &Shutdown) + Send + 'static) -> Ended {
        let shutdown = Shutdown::new();
        let metrics = Arc::new(Metrics::new(&Registry::new()).unwrap());
        let config = AggregateConfig {
            checkpoint: self.folder.path().join("aggregator.checkpoint"),
            checkpoint_every: Duration::from_secs(5),
            restate_delay: Duration::from_secs(10),
            restate_budget: 2_000,
            pseudonyms_required: false,
        };
        let parts = Parts {
            log: Arc::new(self.log.clone()),
            clock: self.clock.clone(),
            shutdown: shutdown.clone(),
            ready: self.health.condition("aggregator"),
            in_time: self.health.condition("clock"),
            metrics: metrics.clone(),
            config_hash: 0,
            sealer: None,
        };
        let health = self.health.clone();
        *self.log.turn.lock().unwrap() = Box::new(move |log| {
            if health.waiting().iter().all(|(name, _)| *name != "aggregator") {
                turn(log, &shutdown);
            }
        });
        let outcome = pipeline::run(settings(), config, parts);
        *self.log.turn.lock().unwrap() = Box::new(|_| ());
        Ended { outcome, metrics }
    }

    fn run_until_live(&self) -> Ended {
        self.run(|_, shutdown| shutdown.begin())
    }
}

/// The last offset of each partition has no record, so no record ever says that the end is reached; and that once nothing
/// comes does not say so either.
#[test]
fn a_start_reads_to_the_end_of_a_log_that_ends_in_a_transactions_end() {
    let world = World::new(2);
    world.log.say(0, &arrives(1, 1));
    world.log.say(1, &arrives(2, 2));
    world.stand_at(10);
    for start in 1..=2 {
        let ended = world.run_until_live();
        ended.outcome.unwrap();
        // The second start reads back what the first published, up to the end of its transaction. Nothing was published
        // of a log that was read half.
        assert_eq!(world.log.arrived(MEASURES, MINUTE.plus(10)), vec![2; start], "start {start}");
        assert_eq!(ended.metrics.read.get(), if start == 1 { 2 } else { 0 });
    }
}

#[test]
fn a_backfill_reads_to_the_end_of_a_log_that_ends_in_a_transactions_end() {
    let world = World::new(2);
    world.log.say(0, &arrives(1, 1));
    world.log.say(1, &arrives(2, 2));
    let settings = settings();
    let backfill = Backfill {
        from: MINUTE.plus(10).start(),
        until: MINUTE.plus(10).start(),
        step: 1,
        scope: Scope {
            orgs: vec![true; settings.orgs.len()],
            measures: Measure::swept().collect(),
            windows: settings.windows.clone(),
        },
        topic: BACKFILL.to_owned(),
        pseudonyms_required: false,
    };
    let report =
        backfill::run(&world.log, &mut Replay::new(settings), &backfill, &Shutdown::new(), &mut |_| ());
    let BackfillReport { read, refused, org_minutes, .. } = report.unwrap();
    assert_eq!((read, refused, org_minutes), (2, 0, 2));
    assert_eq!(world.log.arrived(BACKFILL, MINUTE.plus(10)), [2]);
}

/// Events in a partition that is not read would be missing from the figures, and nobody would know.
#[test]
fn partitions_that_are_added_end_the_process_and_the_next_one_reads_them() {
    let world = World::new(2);
    world.log.say(0, &arrives(1, 1));
    world.stand_at(10);
    let mut turns = 0;
    let ended = world.run(move |log, _| {
        turns += 1;
        assert!(turns < 10, "it runs on");
        if turns == 2 {
            log.add_partition(EVENTS);
            log.say(2, &arrives(2, 2));
        }
    });
    let Err(AggregateError::Log(error)) = ended.outcome else { panic!("{:?}", ended.outcome) };
    let said = "topic sitrep.events.v1 has 3 partitions now, of which 2 are known here: all are from the next start on";
    assert_eq!(error.to_string(), said);
    world.run_until_live().outcome.unwrap();
    assert_eq!(world.log.arrived(MEASURES, MINUTE.plus(10)), [1, 2]);
}

/// The new partition is read from its start, the others from where the checkpoint is.
#[test]
fn partitions_that_were_added_between_two_starts_are_read_from_their_start() {
    let world = World::new(1);
    world.log.say(0, &arrives(1, 1));
    world.stand_at(10);
    world.run_until_live().outcome.unwrap();
    world.log.add_partition(EVENTS);
    world.log.say(1, &arrives(2, 2));
    let ended = world.run_until_live();
    ended.outcome.unwrap();
    assert_eq!((ended.metrics.read.get(), world.log.arrived(MEASURES, MINUTE.plus(10))), (1, vec![1, 2]));
}

/// In a new partition of the measures a publisher has no mark: what is believed dead would be heard there.
#[test]
fn a_new_partition_of_the_measures_gets_its_mark_from_a_new_start() {
    let world = World::new(1);
    world.stand_at(10);
    let (clock, mut turns) = (world.clock.clone(), 0);
    let ended = world.run(move |log, _| {
        turns += 1;
        assert!(turns < 10, "it runs on");
        if turns == 2 {
            log.add_partition(MEASURES);
            clock.advance(Duration::from_secs(5)); // the next checkpoint is due
        }
    });
    let more = |error: &AggregateError| {
        matches!(error, AggregateError::Log(LogError::MorePartitions { known: 1, there: 2, .. }))
    };
    assert!(ended.outcome.as_ref().is_err_and(more), "{:?}", ended.outcome);
    world.run_until_live().outcome.unwrap();
    let first = |entries: &Vec<Entry>| {
        let (_, record) = entries.first()?.as_ref()?;
        measure::decode(&record.value).ok()
    };
    assert!(matches!(world.log.of(MEASURES, first)[1], Some(MeasureRecord::Mark { epoch: 3 })));
}

/// A day ahead, then set right: no minute is closed for a day, and that is said for as long.
#[test]
fn what_a_clock_that_stood_ahead_has_published_is_told_until_it_is_over() {
    const AHEAD: u32 = 1_440;
    let world = World::new(1);
    world.log.say(0, &arrives(1, 0));
    world.stand_at(AHEAD);
    world.run_until_live().outcome.unwrap();
    assert!(world.health.is_ready());
    let why = "figures were published up to 2026-11-22T14:00:00Z, ahead of the clock: none are added before that time";
    // Minutes that were gone by, and what is told then.
    for (minutes, told) in [(0, true), (AHEAD - 11, true), (AHEAD - 10, false), (AHEAD, false)] {
        world.stand_at(minutes);
        let published = world.log.org_minutes(MEASURES).len();
        world.run_until_live().outcome.unwrap();
        let waiting: Vec<_> =
            world.health.waiting().into_iter().map(|(name, waiting)| (name, waiting.why)).collect();
        let expected = if told { vec![("clock", why.to_owned())] } else { vec![] };
        assert_eq!(waiting, expected, "after {minutes} minutes");
        let newest = world.log.org_minutes(MEASURES)[published..].iter().map(|one| one.minute).max();
        assert!(newest <= Some(MINUTE.plus(AHEAD)), "after {minutes} minutes");
    }
    // Told once, it is told to the end.
    world.stand_at(0);
    let (clock, health, mut turns) = (world.clock.clone(), world.health.clone(), 0);
    let ended = world.run(move |_, shutdown| {
        turns += 1;
        let is_told = !health.is_ready();
        let at = |minutes: u32| Millis::from(MINUTE.plus(minutes).start()).0 + 1_000;
        match turns {
            1 => clock.set_ms(at(AHEAD - 1)),
            2 => assert!(is_told),
            3 => {
                assert!(is_told);
                clock.set_ms(at(AHEAD));
            }
            4 => {}
            5 => {
                assert!(!is_told);
                clock.set_ms(at(AHEAD + 1));
            }
            6 => {}
            _ => shutdown.begin(),
        }
    });
    ended.outcome.unwrap();
    let newest = world.log.org_minutes(MEASURES).iter().map(|one| one.minute).max();
    assert_eq!(newest, Some(MINUTE.plus(AHEAD + 1)));
}

/// The clock that is set back under a running aggregator is as silent.
#[test]
fn a_clock_that_is_set_back_is_told_while_the_aggregator_runs() {
    let world = World::new(1);
    world.stand_at(60);
    let (clock, health, mut turns) = (world.clock.clone(), world.health.clone(), 0);
    let ended = world.run(move |_, shutdown| {
        turns += 1;
        let back = |minutes: u32| Millis::from(MINUTE.plus(60 - minutes).start()).0 + 1_000;
        match turns {
            1 => clock.set_ms(back(10)),
            3 => {
                assert!(health.is_ready());
                clock.set_ms(back(11));
            }
            5 => {
                assert!(!health.is_ready());
                clock.set_ms(back(0));
            }
            7 => {
                assert!(health.is_ready());
                shutdown.begin();
            }
            _ => {}
        }
    });
    ended.outcome.unwrap();
}
