//! Against the client library's own stand-in for a broker: for what becomes of errors, not for volume and not for
//! topic settings, which it does not know.

use std::collections::BTreeMap;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::clock::SystemClock;
use crate::config;

const TOPIC: &str = "sitrep.events.v1";

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn config(brokers: &str) -> KafkaConfig {
    let duration = |text: &str| text.parse::<config::Duration>().unwrap();
    KafkaConfig {
        brokers: brokers.to_owned(),
        client_id: "test".to_owned(),
        create_topics: false,
        replication: -1,
        delivery_timeout: duration("10s"),
        fetch_queue: config::Bytes(8 << 20),
        send_queue: config::Bytes(8 << 20),
        stall_timeout: duration("30s"),
        properties: BTreeMap::new(),
    }
}

fn cluster(topics: &[(&str, i32)]) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for (topic, partitions) in topics {
        cluster.create_topic(topic, *partitions, 1).unwrap();
    }
    cluster
}

fn connect(config: &KafkaConfig) -> KafkaLog {
    KafkaLog::connect(config, SystemClock::shared()).unwrap()
}

fn record(key: &str, value: &str, partition: Option<u32>) -> NewRecord {
    NewRecord { key: key.into(), value: value.into(), protobuf: partition == Some(2), partition }
}

type Got = Vec<(usize, u32, u64, NewRecord)>;

/// Polls until so many records have come, or for about half a minute.
fn read(reader: &mut dyn Reader, wanted: usize) -> Result<Got, LogError> {
    let mut got = Vec::new();
    for _ in 0..300 {
        let before = got.len();
        let count = reader.poll(3, Duration::from_millis(100), &mut |record| {
            assert!(record.timestamp_ms > 1_700_000_000_000, "{record:?}");
            let (key, value) = (record.key.to_vec(), record.value.to_vec());
            let new = NewRecord { key, value, protobuf: record.protobuf, partition: Some(record.partition) };
            got.push((record.topic, record.partition, record.offset, new));
        })?;
        assert_eq!(count, got.len() - before);
        assert!(count <= 3);
        if got.len() >= wanted {
            break;
        }
    }
    got.sort_by_key(|record| (record.0, record.1, record.2));
    Ok(got)
}

#[test]
fn what_was_appended_is_read_from_every_partition_of_every_topic() {
    let cluster = cluster(&[(TOPIC, 3), ("other", 1)]);
    let log = connect(&config(&cluster.bootstrap_servers()));
    let records: Vec<_> = (0..9).map(|n| record("k", &n.to_string(), Some(n % 3))).collect();
    let positions = log.append(TOPIC, &records).unwrap();
    let expected: Vec<_> = (0..9).map(|n| Position { partition: n % 3, offset: u64::from(n / 3) }).collect();
    assert_eq!(positions, expected);
    log.append("other", &[record("", "x", Some(0))]).unwrap();
    assert_eq!((log.starts(TOPIC).unwrap(), log.ends(TOPIC).unwrap()), (vec![0; 3], vec![3; 3]));
    assert_eq!(log.offsets_at(TOPIC, i64::MAX / 2).unwrap(), [3; 3]);

    let mut reader = log.reader(&[("other", vec![0]), (TOPIC, vec![0, 1, 3])]).unwrap();
    let got = read(&mut *reader, 6).unwrap();
    let mut expected: Got = vec![(0, 0, 0, record("", "x", Some(0)))];
    expected.extend(
        (0..9)
            .filter(|n| n % 3 == 0 || (n % 3 == 1 && n / 3 >= 1))
            .map(|n| (1, n % 3, u64::from(n / 3), record("k", &n.to_string(), Some(n % 3)))),
    );
    expected.sort_by_key(|record| (record.0, record.1, record.2));
    assert_eq!(got, expected);

    let later = log.append(TOPIC, &[record("k", "late", Some(2)), record("k", "keyed", None)]).unwrap();
    assert_eq!(later[0], Position { partition: 2, offset: 3 });
    let keyed = read(&mut *reader, 2).unwrap();
    assert!(keyed.contains(&(1, 2, 3, record("k", "late", Some(2)))), "{keyed:?}");
    assert_eq!(log.append(TOPIC, &[]).unwrap(), []);
}

#[test]
fn what_begins_as_json_is_json_whatever_its_header_says() {
    let cluster = cluster(&[(TOPIC, 1)]);
    let log = connect(&config(&cluster.bootstrap_servers()));
    let cases = [
        ("{}", true, false),
        ("{}", false, false),
        ("\n\u{1}x", true, true),
        ("x", false, false),
        ("", true, true),
    ];
    let records = cases.map(|(value, said, _)| NewRecord { protobuf: said, ..record("k", value, Some(0)) });
    log.append(TOPIC, &records).unwrap();
    let mut reader = log.reader(&[(TOPIC, vec![0])]).unwrap();
    let got: Vec<_> = read(&mut *reader, cases.len()).unwrap().into_iter().map(|got| got.3).collect();
    let expected: Vec<_> =
        cases.map(|(value, _, read)| NewRecord { protobuf: read, ..record("k", value, Some(0)) }).into();
    assert_eq!(got, expected);
}

#[test]
fn an_append_that_is_larger_than_the_send_queue_goes_through_whole() {
    let cluster = cluster(&[(TOPIC, 1)]);
    let narrow = KafkaConfig { send_queue: config::Bytes(64 << 10), ..config(&cluster.bootstrap_servers()) };
    let log = connect(&narrow);
    let records: Vec<_> = (0..1_000).map(|n| record("k", &format!("{n:01000}"), Some(0))).collect();
    let positions = log.append(TOPIC, &records).unwrap();
    assert_eq!(positions, (0..1_000).map(|offset| Position { partition: 0, offset }).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_done_is_said() {
    let cluster = cluster(&[(TOPIC, 2)]);
    let log = connect(&config(&cluster.bootstrap_servers()));
    let error = log.append(TOPIC, &[record("k", "v", Some(2))]).unwrap_err().to_string();
    assert_eq!(error, "topic sitrep.events.v1 has no partition 2: it has 2, from 0 on");
    let large = NewRecord { value: vec![b'x'; 2 << 20], ..record("k", "", Some(0)) };
    assert!(matches!(log.append(TOPIC, &[large]), Err(LogError::Storage(_))));
    assert_eq!(log.ends(TOPIC).unwrap(), [0, 0]);
}

#[test]
fn a_partition_that_has_no_leader_yet_is_waited_for() {
    let cluster = cluster(&[(TOPIC, 2)]);
    let log = connect(&config(&cluster.bootstrap_servers()));
    log.append(TOPIC, &[record("k", "v", Some(1))]).unwrap();
    let not_yet = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
    ];
    for error in not_yet {
        // More than the client library asks again for by itself.
        cluster.request_errors(RDKafkaApiKey::ListOffsets, &[error; 8]);
        assert_eq!(log.ends(TOPIC).unwrap(), [0, 1], "{error:?}");
        cluster.request_errors(RDKafkaApiKey::ListOffsets, &[error; 8]);
        // The stand-in knows no times: it answers with the ends.
        assert_eq!(log.offsets_at(TOPIC, 0).unwrap(), [0, 1], "{error:?}");
    }
}

#[test]
fn an_offset_that_is_not_there_is_an_error_and_not_a_jump() {
    let cluster = cluster(&[(TOPIC, 2)]);
    let log = connect(&config(&cluster.bootstrap_servers()));
    log.append(TOPIC, &[record("k", "v", Some(1))]).unwrap();
    let mut reader = log.reader(&[(TOPIC, vec![0, 7])]).unwrap();
    let error = read(&mut *reader, 1).unwrap_err();
    assert_eq!(error.to_string(), "topic sitrep.events.v1 partition 1: offset 7 is out of range");
}

#[test]
fn a_broker_that_goes_away_is_waited_for() {
    let cluster = cluster(&[(TOPIC, 1)]);
    let brief =
        KafkaConfig { delivery_timeout: "2s".parse().unwrap(), ..config(&cluster.bootstrap_servers()) };
    let log = connect(&brief);
    let health = log.health();
    log.append(TOPIC, &[record("k", "before", None)]).unwrap();
    let mut reader = log.reader(&[(TOPIC, vec![0])]).unwrap();
    assert_eq!(read(&mut *reader, 1).unwrap().len(), 1);

    cluster.broker_down(1).unwrap();
    let error = log.append(TOPIC, &[record("k", "lost", None)]).unwrap_err();
    assert!(matches!(error, LogError::Unavailable(_)), "{error}");
    // At the next look of the watchdog at the latest.
    let told = (0..150).any(|_| {
        assert_eq!(reader.poll(1, Duration::from_millis(100), &mut |_| {}).unwrap(), 0);
        health.away_since_ms().is_some()
    });
    assert!(told, "nobody says that the broker is away");

    cluster.broker_up(1).unwrap();
    let back = (0..20).any(|_| log.append(TOPIC, &[record("k", "after", None)]).is_ok());
    assert!(back, "no append went through after the broker was back");
    assert_eq!((health.away_since_ms(), health.stalled()), (None, None));
    let got = read(&mut *reader, 1).unwrap();
    assert!(got.iter().any(|record| record.3.value == b"after"), "{got:?}");
}

#[test]
fn a_reader_that_no_longer_moves_is_given_up() {
    let cluster = cluster(&[(TOPIC, 1)]);
    let watchful =
        KafkaConfig { stall_timeout: "1s".parse().unwrap(), ..config(&cluster.bootstrap_servers()) };
    let log = connect(&watchful);
    log.append(TOPIC, &[record("k", "v", None)]).unwrap();
    let refused = vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR; 10_000];
    cluster.request_errors(RDKafkaApiKey::Fetch, &refused);
    let mut reader = log.reader(&[(TOPIC, vec![0])]).unwrap();
    let error = read(&mut *reader, 1).unwrap_err();
    assert!(matches!(error, LogError::Unavailable(_)), "{error}");
    let stalled = log.health().stalled().unwrap();
    assert!(stalled.starts_with("topic sitrep.events.v1 partition 0: at offset 0 of 1 for "), "{stalled}");
}

#[test]
fn partitions_that_a_reader_does_not_have_are_an_error_and_not_missed() {
    let cluster = cluster(&[(TOPIC, 2), ("other", 3)]);
    let watchful =
        KafkaConfig { stall_timeout: "1s".parse().unwrap(), ..config(&cluster.bootstrap_servers()) };
    let log = connect(&watchful);
    // As after the number of partitions was asked for, one was added.
    let mut reader = log.reader(&[(TOPIC, vec![0; 2]), ("other", vec![0; 2])]).unwrap();
    let error = read(&mut *reader, 1).unwrap_err();
    assert!(
        matches!(&error, LogError::MorePartitions { topic, known: 2, there: 3 } if topic == "other"),
        "{error}"
    );
    let mut again = log.reader(&[(TOPIC, vec![0; 2]), ("other", vec![0; 3])]).unwrap();
    log.append("other", &[record("k", "v", Some(2))]).unwrap();
    assert_eq!(read(&mut *again, 1).unwrap().len(), 1);
    // Longer than the watchdog takes for a look.
    assert_eq!(again.poll(1, Duration::from_millis(500), &mut |_| {}).unwrap(), 0);
}

#[test]
fn readers_and_logs_close_also_when_no_broker_is_there() {
    let brokers = {
        let cluster = cluster(&[(TOPIC, 1)]);
        cluster.bootstrap_servers()
    };
    let log = connect(&config(&brokers));
    let mut reader = log.reader(&[(TOPIC, vec![0])]).unwrap();
    assert_eq!(reader.poll(1, Duration::from_millis(10), &mut |_| {}).unwrap(), 0);
    drop(reader);
    drop(log);
}

#[test]
fn settings_that_keep_a_promise_cannot_be_changed() {
    let with = |key: &str, value: &str| {
        let properties = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let config = KafkaConfig { properties, ..config("127.0.0.1:1") };
        KafkaLog::connect(&config, SystemClock::shared()).map(drop).map_err(|error| error.to_string())
    };
    for key in ["transactional.id", "enable.auto.commit", "acks", "group.id", "auto.offset.reset"] {
        assert_eq!(with(key, "x"), Err(format!("kafka.properties.{key} cannot be changed: leave it out")));
    }
    assert!(
        with("no.such.setting", "x").unwrap_err().starts_with("kafka.properties: no.such.setting = \"x\": ")
    );
    assert_eq!(with("message.max.bytes", "2000000"), Ok(()));
    let empty = KafkaConfig { brokers: " ".to_owned(), ..config("") };
    let error = KafkaLog::connect(&empty, SystemClock::shared()).err().unwrap().to_string();
    assert_eq!(error, "kafka.brokers is empty: write host:port, several with commas between them");
}
