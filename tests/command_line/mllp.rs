//! HL7 v2 over MLLP with `sitrep up`: nothing that was acknowledged is lost, whenever the process is killed, and nothing of
//! a patient gets past the door.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use contract::topics::{ALERTS, EVENTS, MEASURES, REFUSALS};
use domain::event::Statement;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::door::records;
use crate::patience::{SOON, eventually};
use crate::running::Running;
use crate::world::{World, now};

/// The listener's feed: the hospital of the little England.
const FEED: &str = r#"
source = "general.epr"
site = "General"
[[place]]
point_of_care = ["AE"]
area = "majors"
[[hl7.fact]]
fact = "assessed_at"
path = "ZED-1"
"#;

/// Starts `sitrep up` with a listener, and waits until it is ready.
fn up(world: &World) -> (Running, SocketAddr) {
    std::fs::create_dir_all(world.path("feeds")).expect("a folder of ours");
    world.write("feeds/general.toml", FEED.as_bytes());
    let listener = "intake.mllp=[{ feed = \"general\", listen = \"127.0.0.1:0\" }]";
    let feeds = format!("intake.feeds={}", world.path("feeds"));
    let arguments = world.up(&["--set", &feeds, "--set", listener]);
    let up = Running::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    up.ready();
    let address = eventually("it says where it listens for HL7", SOON, || {
        let lines = up.lines();
        let said = lines.iter().find_map(|line| line.strip_prefix("feed general listens for HL7 v2 at "));
        said.and_then(|address| address.parse().ok()).ok_or_else(|| "it has not said so".to_owned())
    });
    (up, address)
}

/// A time of HL7: some minutes ago, in UTC.
fn time(minutes: i64) -> String {
    let digits = crate::world::ago(now(), minutes);
    digits.chars().filter(char::is_ascii_digit).collect::<String>() + "+0000"
}

fn a04(id: &str) -> Vec<u8> {
    let time = time(5);
    let pv1 = format!("PV1|1|E|AE{}V{id}", "|".repeat(16));
    let header = format!("MSH|^~\\&|EPR|GEN|||{time}||ADT^A04|{id}|P|2.4\rEVN|A04|{time}\rPID|1||X\r{pv1}\r");
    [b"\x0b", header.as_bytes(), b"\x1c\r"].concat()
}

/// The control ids that were answered `AA` in what came back.
fn taken(answers: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answers);
    let whole = text.rfind('\u{1c}').map_or("", |end| &text[..end]);
    whole
        .split("MSA|AA|")
        .skip(1)
        .map(|rest| rest.split(['\r', '|']).next().unwrap_or_default().to_owned())
        .collect()
}

/// Kills at any moment between receiving, writing and acknowledging.
#[test]
fn every_message_that_was_acknowledged_is_in_the_log_whenever_it_is_killed() {
    let kills = crate::kills::wanted(12);
    let (world, mut random) = (World::new(), ChaCha8Rng::seed_from_u64(20_261_122));
    let mut acknowledged = BTreeSet::new();
    let mut under_way = 0;
    for round in 0..kills {
        let (up, address) = up(&world);
        let mut stream = TcpStream::connect(address).expect("it listens");
        let mut sender = stream.try_clone().expect("a socket");
        // Sends for as long as it lives.
        let sending = std::thread::spawn(move || {
            (0u64..).take_while(|number| sender.write_all(&a04(&format!("{round}-{number}"))).is_ok()).count()
        });
        let (mut answers, mut part) = (Vec::new(), [0; 4_096]);
        let enough = random.random_range(1..20_000);
        while answers.len() < enough {
            let read = stream.read(&mut part).expect("it answers");
            assert!(read > 0, "it closed the connection");
            answers.extend_from_slice(&part[..read]);
        }
        up.kill();
        // What it had sent before it was killed still comes.
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
        let _gone = stream.read_to_end(&mut answers);
        drop(stream);
        let sent = sending.join().expect("no panic");
        let taken = taken(&answers);
        under_way += u64::from(taken.len() < sent);
        acknowledged.extend(taken);
    }
    assert!(acknowledged.len() as u64 > kills, "too few were acknowledged to say anything");
    assert!(under_way > kills / 2, "it was mostly killed when nothing was under way");
    let held: BTreeSet<String> = records(&world, EVENTS)
        .iter()
        .map(|value| {
            contract::parse_protobuf(value, &contract::Required, &mut 0).expect("an event").id.into_owned()
        })
        .collect();
    let lost: Vec<&String> = acknowledged.difference(&held).collect();
    assert!(
        lost.is_empty(),
        "{} of {} were lost, such as {:?}",
        lost.len(),
        acknowledged.len(),
        lost.first()
    );
}

/// What no figure needs and nobody may find: an NHS number, a name, an address and the number of a visit.
const PLANTED: [&str; 4] = ["4857773456", "QUIXOTIC", "PLACEHOLDERLANE", "VISIT90210"];

/// The bytes that would betray them, in any case of their letters.
fn says(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes).to_ascii_uppercase();
    PLANTED.into_iter().find(|planted| text.contains(planted))
}

/// A message with one thing planted in one field of one segment; MSH-1, MSH-2, the time, the type and the control id
/// (which the protocol repeats) are as they must be.
fn planted_messages() -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    let segments = ["MSH", "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "OBX", "DG1", "AL1", "ZED", "MRG"];
    for event in ["A04", "A08", "A42"] {
        for (number, segment) in segments.iter().enumerate() {
            for field in 1..=52 {
                let (id, time) = (format!("{event}-{number}-{field}"), time(5));
                let must = |name: &str, at: usize| match (name, at) {
                    ("MSH", 9) => format!("ADT^{event}"),
                    ("MSH", 10) => id.clone(),
                    ("MSH", 7) | ("EVN", 2) => time.clone(),
                    ("MSH", 12) => "2.4".to_owned(),
                    ("PV1", 2) => "E".to_owned(),
                    ("PV1", 3) => "AE".to_owned(),
                    ("PV1", 19) => "VISIT90210".to_owned(),
                    ("MRG", 5) => "VISIT90210A".to_owned(),
                    _ => String::new(),
                };
                if *segment == "MSH" && [1, 2, 10].contains(&field) {
                    continue;
                }
                let mut text = String::new();
                for name in segments {
                    text.push_str(name);
                    let first = if name == "MSH" { 3 } else { 1 };
                    text.push_str(if name == "MSH" { "|^~\\&" } else { "" });
                    for at in first..=52 {
                        text.push('|');
                        let is_it = name == *segment && at == field;
                        text.push_str(&if is_it { PLANTED.join("^") } else { must(name, at) });
                    }
                    text.push('\r');
                }
                messages.push((id, [b"\x0b", text.as_bytes(), b"\x1c\r"].concat()));
            }
        }
    }
    messages
}

#[test]
fn nothing_of_a_patient_gets_past_the_door() {
    let world = World::new();
    let (up, address) = up(&world);
    let messages = planted_messages();
    let mut stream = TcpStream::connect(address).expect("it listens");
    let mut sender = stream.try_clone().expect("a socket");
    let all: Vec<u8> = messages.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let sending = std::thread::spawn(move || sender.write_all(&all).expect("it reads"));
    let (mut answers, mut part) = (Vec::new(), [0; 4_096]);
    while answers.iter().filter(|byte| **byte == 0x1c).count() < messages.len() {
        let read = stream.read(&mut part).expect("it answers");
        assert!(read > 0, "it closed the connection");
        answers.extend_from_slice(&part[..read]);
    }
    sending.join().expect("no panic");
    assert_eq!(says(&answers), None, "an answer");
    let text = String::from_utf8_lossy(&answers).into_owned();
    let (good, bad) = (text.matches("MSA|AA|").count(), text.matches("MSA|AR|").count());
    assert!(
        good > 1_000 && bad >= 10 && good + bad == messages.len(),
        "{good} AA, {bad} AR of {}",
        messages.len()
    );
    eventually("the aggregator has read everything", SOON, || {
        let (read, taken) = (
            up.metric("sitrep_aggregate_events_read_total"),
            up.metric_of("sitrep_intake_events_total{outcome=\"taken\"}"),
        );
        if read == taken { Ok(()) } else { Err(format!("{read} of {taken}")) }
    });
    for path in ["/metrics", "/readyz", "/v1/alerts", "/v1/organisations", "/v1/feeds", "/"] {
        assert_eq!(says(&up.get(path).body), None, "{path}");
    }
    let printed = up.stop();
    assert_eq!(says(printed.join("\n").as_bytes()), None, "what it printed");
    for topic in [EVENTS, MEASURES, ALERTS] {
        for record in records(&world, topic) {
            assert_eq!(says(&record), None, "{topic}");
        }
    }
    let refusals = records(&world, REFUSALS);
    assert_eq!(refusals.len(), bad);
    for refusal in refusals.iter().map(|record| contract::refusal::decode(record).expect("a refusal")) {
        assert!(says(&refusal.bytes).is_some(), "it is not kept whole");
        assert_eq!(says(format!("{} {}", refusal.detail, refusal.source).as_bytes()), None);
    }
    let stated = records(&world, EVENTS);
    let is_attendance = |value: &&Vec<u8>| {
        let event = contract::parse_protobuf(value, &contract::Required, &mut 0).expect("an event");
        matches!(event.statement, Statement::Attendance(_))
    };
    assert!(stated.iter().filter(is_attendance).count() > 1_000);
}
