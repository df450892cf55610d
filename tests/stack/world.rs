//! A small world: the servers, sitrep's services, what was sent to them, and the model that says what the store must
//! hold then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use acceptance::model::{Model, Points};
use acceptance::program::organisations;
use contract::refusal::{self, Origin};
use contract::topics::{EVENTS, REFUSALS, RETURNS};
use domain::event::Outcome;
use domain::organisations::Organisations;
use domain::time::{Millis, Minute};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use runtime::clock::SystemClock;
use runtime::log::kafka::{KafkaConfig, KafkaLog};
use runtime::log::{Log, LogError, NewRecord, RecordView};
use tempfile::TempDir;

use crate::feed::{Content, Feed, HORIZON_HOURS, Message, closed_minute};
use crate::patience::{SOON, elapsed, eventually, now_ms};
use crate::say;
use crate::servers::{Kind, Server};
use crate::service::Service;
use crate::{store, tables};

/// Partitions of the topics: journeys, attendances and heartbeats are in different ones.
const PARTITIONS: u32 = 4;
/// So much of the past is compared minute by minute.
const RECENT_MINUTES: u32 = 6 * 60;

/// The world of a test.
pub(crate) struct World {
    pub(crate) aggregator: Option<Service>,
    pub(crate) recorder: Option<Service>,
    pub(crate) alerter: Option<Service>,
    pub(crate) kafka: Server,
    pub(crate) influx: Server,
    pub(crate) feed: Feed,
    /// Those of the case, with its groups.
    pub(crate) orgs: Organisations,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) log: Arc<KafkaLog>,
    folder: TempDir,
}

/// What the log says that the store and the refusals must hold.
pub(crate) struct Told {
    pub(crate) model: Model,
    /// By topic, partition and offset.
    refused: BTreeMap<(String, u32, u64), (Outcome, Vec<u8>)>,
}

impl World {
    /// Servers that are not started, no services, and a feed.
    pub(crate) fn new(seed: u64, rules: &str) -> World {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let folder = TempDir::with_prefix("sitrep-stack-").expect("a temporary folder");
        let (kafka, influx) =
            (Server::new(Kind::Kafka, folder.path()), Server::new(Kind::Influx, folder.path()));
        let feed = Feed::random(seed, now_ms(), &mut rng);
        say(&format!("seed {seed}: case {}, {} messages", feed.case.seed, feed.waiting.len()));
        let log = Arc::new(connect(&kafka));
        let (aggregator, recorder, alerter) = (None, None, None);
        let orgs = organisations(&feed.case.orgs, &feed.case.settings);
        let world = World { aggregator, recorder, alerter, kafka, influx, feed, orgs, rng, log, folder };
        for (name, text) in tables::of(&world.feed.case) {
            world.write(name, &text);
        }
        world.write("alerts.toml", rules);
        world.write("sitrep.toml", &world.config());
        world
    }

    /// As [`World::new`], with Kafka and InfluxDB ready.
    pub(crate) fn with_servers(seed: u64, rules: &str) -> World {
        let mut world = World::new(seed, rules);
        world.kafka.launch();
        world.influx.launch();
        world.influx.ready();
        world.kafka.ready();
        world
    }

    fn config(&self) -> String {
        let settings = &self.feed.case.settings;
        let windows: Vec<String> = settings.windows.iter().map(|window| format!("\"{window}\"")).collect();
        let excluded: Vec<String> =
            settings.exclude_disposals.iter().map(|one| format!("\"{}\"", one.as_str())).collect();
        format!(
            "{}opel = []\n\
             http.listen = \"127.0.0.1:0\"\n\
             pseudonyms.required = true\n\
             [kafka]\nbrokers = \"{}\"\npartitions = {PARTITIONS}\n\
             [ledger]\nhorizon = \"{HORIZON_HOURS}h\"\n\
             [measures]\nwindows = [{}]\nexclude_disposals = [{}]\n\
             [freshness]\nsource = \"14d\"\nsite = \"14d\"\n\
             [restate]\ndelay = \"1s\"\nbudget = 50000\n\
             [checkpoint]\nevery = \"1s\"\n\
             [influx]\nurl = \"http://{}\"\n\
             [alert]\nrules = \"{}\"\nrepeat = \"2s\"\nends_after = \"20s\"\nretry_most = \"2s\"\n",
            tables::NAMES.map(|(key, file)| format!("{key} = \"{}\"\n", self.path(file).display())).concat(),
            self.kafka.address(),
            windows.join(", "),
            excluded.join(", "),
            self.influx.address(),
            self.path("alerts.toml").display(),
        )
    }

    /// A file of this world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file of ours");
    }

    /// The arguments of a service that keeps its data in the folder `data`.
    pub(crate) fn arguments(&self, command: &str, data: &str, keys: &[&str]) -> Vec<String> {
        let config = self.path("sitrep.toml").display().to_string();
        let data = format!("data={}", self.path(data).display());
        let mut arguments = vec![command.to_owned(), "--config".to_owned(), config];
        for key in std::iter::once(data.as_str()).chain(keys.iter().copied()) {
            arguments.extend(["--set".to_owned(), key.to_owned()]);
        }
        arguments
    }

    /// Starts a service with its own data.
    pub(crate) fn service(&self, command: &str, keys: &[&str]) -> Service {
        Service::start(command, &self.arguments(command, command, keys))
    }

    /// Starts the aggregator, unless it runs.
    pub(crate) fn aggregate(&mut self) -> &mut Service {
        if self.aggregator.is_none() {
            self.aggregator = Some(self.service("aggregate", &[]));
        }
        self.aggregator.as_mut().expect("it was started")
    }

    /// Starts the recorder, unless it runs.
    pub(crate) fn record(&mut self) -> &mut Service {
        if self.recorder.is_none() {
            self.recorder = Some(self.service("record", &[]));
        }
        self.recorder.as_mut().expect("it was started")
    }

    /// Starts the alerter, unless it runs.
    pub(crate) fn alert(&mut self) -> &mut Service {
        if self.alerter.is_none() {
            self.alerter = Some(self.service("alert", &[]));
        }
        self.alerter.as_mut().expect("it was started")
    }

    /// The services that run.
    pub(crate) fn running(&mut self) -> impl Iterator<Item = &mut Service> {
        [&mut self.aggregator, &mut self.recorder, &mut self.alerter].into_iter().flatten()
    }

    /// SIGKILL of the aggregator.
    pub(crate) fn kill_aggregator(&mut self) {
        self.aggregator.take().expect("it runs").kill();
    }

    /// SIGKILL of the recorder.
    pub(crate) fn kill_recorder(&mut self) {
        self.recorder.take().expect("it runs").kill();
    }

    /// SIGKILL of the alerter.
    pub(crate) fn kill_alerter(&mut self) {
        self.alerter.take().expect("it runs").kill();
    }

    /// Removes the files of a data folder that begin so.
    pub(crate) fn remove(&self, data: &str, beginning: &str) {
        let mut removed = 0;
        for file in std::fs::read_dir(self.path(data)).expect("a folder of ours").map_while(Result::ok) {
            if file.file_name().to_string_lossy().starts_with(beginning) {
                std::fs::remove_file(file.path()).expect("a file of ours");
                removed += 1;
            }
        }
        assert!(removed > 0, "there is no {beginning} in {data}");
    }

    /// Sends at most so many of what waits. Returns how many.
    pub(crate) fn send(&mut self, count: usize) -> usize {
        let count = count.min(self.feed.waiting.len());
        for message in self.feed.waiting.drain(..count).collect::<Vec<_>>() {
            self.append(&message);
        }
        count
    }

    /// Sends one to so many of what waits.
    pub(crate) fn send_some(&mut self, most: usize) -> usize {
        let count = self.rng.random_range(1..=most);
        self.send(count)
    }

    fn append(&self, message: &Message) {
        let records = [NewRecord { ..message.record.clone() }];
        eventually("kafka takes a record", SOON, || match self.log.append(message.topic, &records) {
            Ok(_) => Ok(()),
            // What was perhaps taken is sent again: a duplicate.
            Err(LogError::Full | LogError::Unavailable(_)) => Err("it does not".to_owned()),
            Err(error) => panic!("kafka does not take a record of {}: {error}", message.topic),
        });
    }

    /// Hands every record of a topic to `each`.
    pub(crate) fn read(&self, topic: &str, mut each: impl FnMut(RecordView<'_>)) {
        let log = |what: Result<Vec<u64>, LogError>| what.expect("kafka answers");
        let (mut at, ends) = (log(self.log.starts(topic)), log(self.log.ends(topic)));
        let mut reader = self.log.reader(&[(topic, at.clone())]).expect("kafka answers");
        let until = elapsed() + SOON;
        while at.iter().zip(&ends).any(|(at, end)| at < end) {
            assert!(elapsed() < until, "{topic} cannot be read to its end");
            let polled = reader.poll(5_000, std::time::Duration::from_millis(200), &mut |record| {
                at[record.partition as usize] = record.offset + 1;
                each(record);
            });
            polled.expect("kafka answers");
        }
    }

    /// What the log has, told to the model. Everything that was sent must be in the log.
    pub(crate) fn tell(&self) -> Told {
        let case = &self.feed.case;
        let mut told =
            Told { model: Model::new(&case.orgs, case.settings.clone()), refused: BTreeMap::new() };
        let mut seen = BTreeSet::new();
        for topic in [EVENTS, RETURNS] {
            self.read(topic, |record| {
                let value = record.value;
                let key = (record.protobuf, value.to_vec());
                let outcome = match self.feed.meaning.get(&key).expect("only we write here") {
                    Content::Event(event) => {
                        told.model.take((**event).clone(), Some(Millis(record.timestamp_ms)))
                    }
                    Content::Garbage(outcome) => *outcome,
                };
                seen.insert(key);
                if outcome.is_refused() {
                    let place = (topic.to_owned(), record.partition, record.offset);
                    told.refused.insert(place, (outcome, value[..value.len().min(65_536)].to_vec()));
                }
            });
        }
        let waiting = self.feed.waiting.iter();
        seen.extend(waiting.map(|message| (message.record.protobuf, message.record.value.clone())));
        assert!(self.feed.meaning.keys().eq(seen.iter()), "the log has everything that it took");
        told
    }

    /// Waits until the store holds what the model says.
    pub(crate) fn settles(&mut self, when: &str) {
        let started = elapsed();
        let told = self.tell();
        eventually(&format!("{when}: the store equals the model"), SOON * 2, || {
            self.running().for_each(Service::must_run);
            self.compare(&told, "sitrep")
        });
        say(&format!("{when}: equal after {:.1} s", (elapsed() - started).as_secs_f64()));
    }

    /// Compares a bucket with the model.
    pub(crate) fn compare(&self, told: &Told, bucket: &str) -> Result<(), String> {
        for (from, until) in self.pieces() {
            let held = store::points(self.influx.address(), bucket, &self.orgs, from, until)?;
            self.same(&held, &self.wanted(told, from, until))?;
        }
        Ok(())
    }

    /// What is compared: every recent minute, and pieces of what was before.
    pub(crate) fn pieces(&self) -> Vec<(Minute, Minute)> {
        let newest = closed_minute(now_ms() - 2_000);
        let mut pieces = vec![(newest.minus(RECENT_MINUTES), newest)];
        let oldest = HORIZON_HOURS as u32 * 60 - 30;
        pieces.extend((RECENT_MINUTES + 30..oldest).step_by(347).map(|ago| {
            let from = newest.minus(ago);
            (from, from.plus(15))
        }));
        pieces
    }

    /// What the model says of [from, until].
    pub(crate) fn wanted(&self, told: &Told, from: Minute, until: Minute) -> BTreeMap<Minute, Points> {
        let reading = told.model.read();
        (from.0..=until.0).map(Minute).map(|minute| (minute, reading.points(minute))).collect()
    }

    /// Whether two sets of points are the same, and if not the newest differences.
    pub(crate) fn same(
        &self,
        held: &BTreeMap<Minute, Points>,
        wanted: &BTreeMap<Minute, Points>,
    ) -> Result<(), String> {
        let (mut differences, mut text) = (0u64, String::new());
        let nothing = Points::new();
        for minute in wanted.keys().chain(held.keys()).rev() {
            let (held, wanted) =
                (held.get(minute).unwrap_or(&nothing), wanted.get(minute).unwrap_or(&nothing));
            if held == wanted {
                continue;
            }
            for key in held.keys().chain(wanted.keys().filter(|key| !held.contains_key(key))) {
                if held.get(key) == wanted.get(key) {
                    continue;
                }
                differences += 1;
                if differences <= 5 {
                    let ((org, series), held, wanted) = (key, held.get(key), wanted.get(key));
                    write!(text, "\n  {minute} {org} {series:?}: holds {held:?}, should be {wanted:?}")
                        .expect("a text takes all");
                }
            }
        }
        if differences == 0 { Ok(()) } else { Err(format!("{differences} points differ:{text}")) }
    }

    /// Every record that must be refused is on the refusals topic, whole and for the right reason, and no other is.
    pub(crate) fn refusals_are_right(&self) {
        let told = self.tell();
        let mut kept = BTreeMap::new();
        self.read(REFUSALS, |record| {
            let refusal = refusal::decode(record.value).expect("a refusal");
            let Origin::Log { topic, partition, offset } = refusal.origin else {
                panic!("a refusal that is not from the log: {refusal:?}")
            };
            // After a crash a record is read again, and refused again in the same way.
            let again = kept.insert((topic, partition, offset), (refusal.reason, refusal.bytes.clone()));
            assert!(again.is_none_or(|again| again == (refusal.reason, refusal.bytes)));
        });
        let reasons = |all: &BTreeMap<(String, u32, u64), (Outcome, Vec<u8>)>| -> Vec<_> {
            all.iter().map(|(place, (outcome, _))| (place.clone(), *outcome)).collect()
        };
        assert_eq!(reasons(&kept), reasons(&told.refused), "what is refused, and why");
        assert!(kept == told.refused, "the refused bytes are kept whole");
        say(&format!("{} refusals are right", kept.len()));
    }
}

fn connect(kafka: &Server) -> KafkaLog {
    let duration = |text: &str| text.parse().expect("a duration");
    let config = KafkaConfig {
        brokers: kafka.address().to_string(),
        client_id: "stack-test".to_owned(),
        create_topics: false,
        replication: -1,
        delivery_timeout: duration("5s"),
        fetch_queue: runtime::config::Bytes(32 << 20),
        send_queue: runtime::config::Bytes(8 << 20),
        stall_timeout: duration("10m"),
        properties: BTreeMap::new(),
    };
    KafkaLog::connect(&config, SystemClock::shared()).expect("the settings are right")
}
