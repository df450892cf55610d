//! HL7 v2 over MLLP with `sitrep up`: nothing that was acknowledged is lost, whenever the process is killed.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::door::event_ids;
use crate::patience::{SOON, eventually};
use crate::running::Running;
use crate::world::{World, now};

/// The listener's feed: the hospital of the little England.
pub(crate) const FEED: &str = r#"
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
    let address = listening(&up);
    (up, address)
}

/// Where it says that it listens for HL7.
pub(crate) fn listening(up: &Running) -> SocketAddr {
    eventually("it says where it listens for HL7", SOON, || {
        let lines = up.lines();
        let said = lines.iter().find_map(|line| line.strip_prefix("feed general listens for HL7 v2 at "));
        said.and_then(|address| address.parse().ok()).ok_or_else(|| "it has not said so".to_owned())
    })
}

/// A time of HL7: some minutes ago, in UTC.
pub(crate) fn time(minutes: i64) -> String {
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
    let held = event_ids(&world);
    let lost: Vec<&String> = acknowledged.difference(&held).collect();
    assert!(
        lost.is_empty(),
        "{} of {} were lost, such as {:?}",
        lost.len(),
        acknowledged.len(),
        lost.first()
    );
}
