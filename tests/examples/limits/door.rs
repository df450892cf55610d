//! HTTP NDJSON into the embedded log: the door beside a bare server that appends the same lines with the same group
//! commit and answers. Both serve on loopback in this process; the clients are threads of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use contract::topics::{EVENTS, REFUSALS, RETURNS};
use domain::standard::Standards;
use prometheus::Registry;
use runtime::access::{Access, AccessMetrics, Sources};
use runtime::clock::{Clock, SystemClock};
use runtime::health::Health;
use runtime::http::{Bounds, Connections, serve};
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{Log, NewRecord, TopicSetup};
use runtime::shutdown::Shutdown;

use super::Outcome;

/// How long each is measured.
const LENGTH: Duration = Duration::from_secs(4);

/// Connections, and events of a post.
const ROWS: [(usize, usize); 4] = [(1, 1_000), (20, 1_000), (20, 100), (20, 1)];

/// Measures and prints.
pub(crate) fn run(dir: &str) -> Outcome {
    println!(
        "{:>11} {:>6} {:>14} {:>14} {:>6}",
        "connections", "post", "bare, events/s", "door, events/s", "ratio"
    );
    for (connections, events) in ROWS {
        let mut rates = Vec::new();
        for bare in [true, false] {
            let folder = Path::new(dir).join(format!("door-{connections}-{events}-{bare}"));
            if folder.exists() {
                std::fs::remove_dir_all(&folder)?;
            }
            rates.push(rate(&folder, bare, connections, events)?);
            std::fs::remove_dir_all(&folder)?;
        }
        let ratio = rates[1] / rates[0];
        println!("{connections:>11} {events:>6} {:>14.0} {:>14.0} {ratio:>6.2}", rates[0], rates[1]);
    }
    Ok(())
}

/// Events a second.
fn rate(
    folder: &Path,
    bare: bool,
    connections: usize,
    events: usize,
) -> Result<f64, Box<dyn std::error::Error>> {
    let clock = SystemClock::shared();
    let log = Arc::new(EmbeddedLog::open(folder, clock.clone())?);
    let topic = |name| TopicSetup { name, partitions: 1, retention: None, append_time: true };
    log.set_up(&[topic(EVENTS), topic(RETURNS), topic(REFUSALS)], true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let router = if bare { bare_server(log.clone()) } else { door(log.clone(), clock.clone())? };
    let shutdown = Shutdown::new();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let connected = {
        let _entered = runtime.enter();
        Connections::new(listener, None, Bounds::default())?
    };
    let server = runtime.spawn(serve(connected, router, shutdown.clone(), Duration::ZERO));
    let body = body(events, clock.now_ms());
    let started = clock.monotonic();
    let posts: u64 = std::thread::scope(|scope| {
        let posting = || {
            let clock = &clock;
            let body = &body;
            scope.spawn(move || post(address, body, || clock.monotonic() - started < LENGTH))
        };
        let threads: Vec<_> = (0..connections).map(|_| posting()).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client does not panic")).sum()
    });
    let seconds = (clock.monotonic() - started).as_secs_f64();
    shutdown.begin();
    runtime.block_on(server)??;
    let kept = log.ends(EVENTS)?[0];
    assert_eq!(kept, posts * events as u64, "what was answered is in the log");
    Ok(kept as f64 / seconds)
}

fn body(events: usize, now_ms: i64) -> Vec<u8> {
    let now = domain::time::Millis(now_ms).second();
    let line = |number: usize| {
        format!(
            "{{\"id\":\"RXF05-{number:06}-3\",\"source\":\"rxf.epr\",\"recorded_at\":\"{now}\",\"attendance\":{{\"site\":\"RXF-T1\",\
             \"ref\":\"A{number:06}\",\"arrived_at\":\"{now}\",\"department_type\":1,\"acuity\":3,\"arrival_mode\":\"walk_in\"}}}}\n"
        )
    };
    (0..events).map(line).collect::<String>().into_bytes()
}

/// Posts one after the other on one connection while it may; how many were answered.
fn post(address: SocketAddr, body: &[u8], mut may: impl FnMut() -> bool) -> u64 {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket of ours");
    let mut answers = BufReader::new(stream.try_clone().expect("a socket of ours"));
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (request, mut posts) = ([head.as_bytes(), body].concat(), 0);
    while may() {
        stream.write_all(&request).expect("it reads");
        let (mut line, mut length) = (String::new(), 0);
        answers.read_line(&mut line).expect("it answers");
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        loop {
            line.clear();
            answers.read_line(&mut line).expect("it answers");
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut rest = vec![0; length];
        answers.read_exact(&mut rest).expect("it answers");
        posts += 1;
    }
    posts
}

/// Reads the body, cuts it at its line ends, appends the lines as they are, answers.
fn bare_server(log: Arc<EmbeddedLog>) -> Router {
    async fn take(State(log): State<Arc<EmbeddedLog>>, body: Bytes) -> &'static str {
        let append = move || {
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let record = |line: &[u8]| NewRecord {
                key: Vec::new(),
                value: line.to_vec(),
                protobuf: false,
                partition: None,
            };
            log.append(EVENTS, &lines.map(record).collect::<Vec<_>>())
        };
        tokio::task::spawn_blocking(append).await.expect("it does not panic").expect("the log takes it");
        "{}"
    }
    let bound = axum::extract::DefaultBodyLimit::max(16 << 20);
    Router::new().route("/v1/events", axum::routing::post(take).layer(bound)).with_state(log)
}

fn door(log: Arc<EmbeddedLog>, clock: Arc<dyn Clock>) -> Result<Router, Box<dyn std::error::Error>> {
    let organisations =
        contract::organisations::read_csv(include_bytes!("../../../config/organisations.csv"))?;
    let registry = Registry::new();
    let metrics = intake::metrics::Metrics::new(&registry)?;
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let sources = Sources { single: None, file: Path::new(""), address };
    let state = intake::IntakeState::new(intake::Intake {
        log,
        organisations,
        standards: Standards::default(),
        pseudonyms: intake::pseudonym::Pseudonyms::new(Some(b"a key of a deployment"), true)?,
        access: Access::new(sources, |_| true, AccessMetrics::new(&registry)?)?,
        feeds: Vec::new(),
        listened: Vec::new(),
        limits: intake::Limits::default(),
        sealer: None,
        shares: intake::Shares::new(intake::Alarm::default(), &metrics),
        metrics,
        condition: Health::new(clock.clone()).condition("intake"),
        clock,
    });
    Ok(intake::router(state))
}
