//! How many HL7 messages a second the listener has durably in the embedded log and acknowledges, beside a bare server that
//! appends as many bytes with the same group commit and answers; and how much memory 200 slow connections take.
//!
//! `cargo run --release -p intake --example mllp_speed`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::topics::{EVENTS, REFUSALS};
use domain::standard::Standards;
use intake::feed::Feed;
use intake::metrics::Metrics;
use intake::mllp::server::{Limits, Mllp, serve};
use intake::pseudonym::Pseudonyms;
use prometheus::Registry;
use runtime::clock::{Clock, SystemClock};
use runtime::health::Health;
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{Log, NewRecord, TopicSetup};
use runtime::shutdown::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How often each is measured, one after the other: other work on the machine then falls on both.
const ROUNDS: usize = 7;

const ANSWER: &[u8] =
    b"\x0bMSH|^~\\&|SITREP||||20261105113000+0000||ACK^A08|1-1|P|2.4\rMSA|AA|123456\r\x1c\r";

fn message(number: usize) -> Vec<u8> {
    let text = format!(
        "\u{b}MSH|^~\\&|EPR|RXF|SITREP|SITREP|20261105113000||ADT^A08^ADT_A01|{number}|P|2.4|||AL|NE|GBR|8859/1|EN\r\
         EVN|A08|20261105113000||REG^Registration|G1234567^DOCTOR^AMANDA^^^DR|20261105112500\r\
         PID|1||4857773456^^^NHS^NH~777123^^^RXF^MR||SMITHERS^JANE^ANNE^^MRS^^L||19470512|F|||1 PLACEHOLDER LANE^^TESTBURGH^TESTSHIRE^ZZ99 3VZ^GBR^H||01632960001^PRN^PH||EN|M|C22|||||A\r\
         PD1|||THE TEST PRACTICE^^Y99999|G7654321^PRACTITIONER^PETER^^^DR\r\
         PV1|1|E|AE^MAJ1^3^RXF^^BED||V0||AE^RESUS2|G1234567^DOCTOR^AMANDA^^^DR|||180|||19|||||V{number:06}^^^RXF|||||||||||||||||306706006|RXF||||||20261105101100|20261105112000\r\
         PV2|||ABDOPAIN^Abdominal pain|||||||||||||||||||||||||||||||||||||3\r\
         ZED|20261105102000|20261105112500||20261105110000||1048071000000103||1|N\r\u{1c}\r"
    );
    text.into_bytes()
}

/// Sends messages on some connections at once and waits for all answers; messages a second.
fn rate(
    clock: &SystemClock,
    address: SocketAddr,
    connections: usize,
    each: usize,
    stream: &Arc<Vec<u8>>,
) -> f64 {
    let began = clock.monotonic();
    let senders: Vec<_> = (0..connections)
        .map(|_| {
            let stream = stream.clone();
            std::thread::spawn(move || {
                let mut socket = TcpStream::connect(address).expect("it listens");
                let mut sending = socket.try_clone().expect("a socket");
                let writer = std::thread::spawn(move || sending.write_all(&stream).expect("it reads"));
                let (mut answered, mut part) = (0, vec![0; 1 << 16]);
                while answered < each {
                    let read = socket.read(&mut part).expect("it answers");
                    assert!(read > 0, "it closed the connection");
                    answered += part[..read].iter().filter(|byte| **byte == 0x1c).count();
                }
                writer.join().expect("no panic");
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
    (connections * each) as f64 / (clock.monotonic() - began).as_secs_f64()
}

/// The bare server: finds the ends of frames, appends a record of the size of ours for each, answers each.
async fn bare(listener: tokio::net::TcpListener, log: Arc<dyn Log>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let log = log.clone();
        tokio::spawn(async move {
            let _slower = stream.set_nodelay(true);
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let ended = buffer[..read].iter().filter(|byte| **byte == 0x1c).count();
                if ended == 0 {
                    continue;
                }
                let record = NewRecord {
                    key: b"RXF-T1".to_vec(),
                    value: vec![7; 100],
                    protobuf: true,
                    partition: None,
                };
                let (log, records) = (log.clone(), vec![record; ended]);
                let appended =
                    tokio::task::spawn_blocking(move || log.append(EVENTS, &records).is_ok()).await;
                if !matches!(appended, Ok(true)) || stream.write_all(&ANSWER.repeat(ended)).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Measures the listener beside the bare server, and prints. CPU is that of this process: of clients and the log's writer too.
#[expect(clippy::print_stdout, reason = "the result")]
fn compare(clock: &SystemClock, at: SocketAddr, beside: SocketAddr, connections: usize, each: usize) {
    let stream: Arc<Vec<u8>> = Arc::new((0..each).flat_map(message).collect());
    let measured = |address| {
        let before = cpu_ticks();
        let rate = rate(clock, address, connections, each, &stream);
        (rate, cpu_ticks() - before)
    };
    let round = |_| {
        let ((ours, our_cpu), (theirs, their_cpu)) = (measured(at), measured(beside));
        let (share, cpu) = (ours / theirs, our_cpu / their_cpu);
        println!(
            "{connections:3} connections: listener {ours:8.0}   bare {theirs:8.0}   share {share:.2}   CPU {cpu:.2}"
        );
        (share, cpu)
    };
    let (mut shares, mut costs): (Vec<f64>, Vec<f64>) = (0..ROUNDS).map(round).unzip();
    let (share, cpu) = (median(&mut shares), median(&mut costs));
    println!("{connections:3} connections: median share {share:.2}, of the bare server's CPU {cpu:.2}");
}

/// User and system time of this process.
fn cpu_ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
}

fn median(of: &mut [f64]) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// The resident memory of this process in MiB.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

#[expect(clippy::print_stdout, reason = "the result")]
fn main() {
    let clock = SystemClock::new();
    let shared: Arc<dyn Clock> = Arc::new(clock);
    let folder = tempfile::tempdir().expect("a folder");
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(folder.path(), shared.clone()).expect("a log"));
    let topic = |name| TopicSetup { name, partitions: 1, retention: None, append_time: true };
    log.set_up(&[topic(EVENTS), topic(REFUSALS)], true).expect("topics");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let csv = std::fs::read(root.join("config/organisations.csv")).expect("a file of the tree");
    let organisations = contract::organisations::read_csv(&csv).expect("organisations");
    let feed = Feed::read(&root.join("config/feeds/example-epr.toml"), &organisations).expect("a feed");
    let metrics = Metrics::new(&Registry::new()).expect("names");
    let limits = Limits {
        frame_bytes: 65_536,
        idle: Duration::from_secs(600),
        frame_time: Duration::from_secs(600),
        write_time: Duration::from_secs(10),
        patience: Duration::from_secs(10),
        connections: 300,
        connections_per_peer: 300,
    };
    let mllp = Mllp {
        log: log.clone(),
        organisations,
        standards: Standards::default(),
        pseudonyms: Pseudonyms::new(Some(b"a key of a deployment"), true).expect("a key"),
        feed,
        peers: Vec::new(),
        tls: None,
        limits,
        sealer: None,
        shares: intake::Shares::new(intake::Alarm::default(), &metrics),
        metrics,
        condition: Health::new(shared.clone()).condition("intake"),
        clock: shared,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let listen = || runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let (ours, theirs) = (listen(), listen());
    let (at, beside) = (ours.local_addr().expect("bound"), theirs.local_addr().expect("bound"));
    runtime.spawn(serve(ours, mllp, Shutdown::new()));
    runtime.spawn(bare(theirs, log));
    println!(
        "messages of {} bytes; messages a second that were durable and answered",
        message(123_456).len()
    );
    for (connections, each) in [(1, 40_000), (20, 4_000)] {
        compare(&clock, at, beside, connections, each);
    }
    // Each sends most of a message and then nothing: what is held is what has come.
    let before = memory();
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut socket = TcpStream::connect(at).expect("it listens");
            socket.write_all(&[b"\x0bMSH|".as_slice(), &[b'x'; 60_000]].concat()).expect("it reads");
            socket
        })
        .collect();
    let answered = rate(&clock, at, 1, 2_000, &Arc::new((0..2_000).flat_map(message).collect()));
    println!(
        "200 connections with 60 kB of an unfinished message each: {:.0} MiB, before {before:.0} MiB (this whole process); beside them {answered:.0} messages a second",
        memory()
    );
    drop(slow);
}
