//! The MLLP listener over real sockets and a log in memory: what is answered, when, in which order, and what is kept.

#[path = "mllp/certificates.rs"]
mod certificates;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use contract::refusal::{Origin, Refusal, decode};
use contract::topics::{EVENTS, REFUSALS};
use domain::event::Outcome;
use domain::organisations::Organisations;
use domain::standard::Standards;
use intake::feed::Feed;
use intake::hl7::answer::Answer;
use intake::metrics::Metrics;
use intake::mllp::server::{Limits, Mllp, serve};
use intake::mllp::{Decoder, Frame};
use intake::pseudonym::Pseudonyms;
use prometheus::Registry;
use runtime::clock::ManualClock;
use runtime::health::Health;
use runtime::log::{Log, LogError, NewRecord, Position, Reader, TopicSetup};
use runtime::shutdown::Shutdown;
use runtime::tls::{TlsAcceptor, TlsConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use certificates::pem;

/// 2026-11-21T14:10:00Z
const NOW: i64 = 1_795_270_200_000;

type Failing = Box<dyn Fn(&str, usize) -> Option<LogError> + Send + Sync>;

/// Keeps what is appended; fails as it is told to; and may be held, so that nothing is durable until it is let go.
#[derive(Default)]
struct Memory {
    appended: Mutex<Vec<(String, NewRecord)>>,
    calls: AtomicUsize,
    failing: Mutex<Option<Failing>>,
    held: Mutex<bool>,
    changed: Condvar,
}

impl Memory {
    fn hold(&self, held: bool) {
        *self.held.lock().expect("no panic") = held;
        self.changed.notify_all();
    }

    fn of(&self, topic: &str) -> Vec<NewRecord> {
        let appended = self.appended.lock().expect("no panic");
        appended.iter().filter(|(name, _)| name == topic).map(|(_, record)| record.clone()).collect()
    }
}

impl Log for Memory {
    fn set_up(&self, _topics: &[TopicSetup], _create: bool) -> Result<(), LogError> {
        unreachable!("the door sets nothing up")
    }
    fn starts(&self, _topic: &str) -> Result<Vec<u64>, LogError> {
        unreachable!("the door reads nothing")
    }
    fn ends(&self, _topic: &str) -> Result<Vec<u64>, LogError> {
        unreachable!("the listener does not look")
    }
    fn offsets_at(&self, _topic: &str, _timestamp_ms: i64) -> Result<Vec<u64>, LogError> {
        unreachable!("the door reads nothing")
    }
    fn reader(&self, _topics: &[(&str, Vec<u64>)]) -> Result<Box<dyn Reader>, LogError> {
        unreachable!("the door reads nothing")
    }
    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, LogError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let failing = self.failing.lock().expect("no panic");
        if let Some(error) = failing.as_ref().and_then(|failing| failing(topic, call)) {
            return Err(error);
        }
        drop(self.changed.wait_while(self.held.lock().expect("no panic"), |held| *held).expect("no panic"));
        self.appended
            .lock()
            .expect("no panic")
            .extend(records.iter().map(|record| (topic.to_owned(), record.clone())));
        Ok(vec![Position { partition: 0, offset: 0 }; records.len()])
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn organisations() -> Organisations {
    let csv = std::fs::read(root().join("config/organisations.csv")).expect("a file of the tree");
    contract::organisations::read_csv(&csv).expect("organisations")
}

struct Door {
    log: Arc<Memory>,
    metrics: Metrics,
    health: Health,
    address: SocketAddr,
    shutdown: Shutdown,
    served: JoinHandle<io::Result<()>>,
}

const LIMITS: Limits = Limits {
    frame_bytes: 65_536,
    idle: Duration::from_secs(60),
    frame_time: Duration::from_secs(60),
    write_time: Duration::from_secs(60),
    patience: Duration::from_secs(60),
    connections: 100,
    connections_per_peer: 100,
};

async fn door_with(limits: Limits, tls: Option<TlsAcceptor>, peers: &[&str]) -> Door {
    let organisations = organisations();
    let feed = Feed::read(&root().join("config/feeds/example-epr.toml"), &organisations).expect("a feed");
    let (log, clock) = (Arc::new(Memory::default()), Arc::new(ManualClock::new(NOW)));
    let (health, metrics) = (Health::new(clock.clone()), Metrics::new(&Registry::new()).expect("names"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (address, shutdown) = (listener.local_addr().expect("bound"), Shutdown::new());
    let mllp = Mllp {
        log: log.clone(),
        organisations,
        standards: Standards::default(),
        pseudonyms: Pseudonyms::new(Some(b"a key of a deployment"), true).expect("a key"),
        feed,
        peers: peers.iter().map(|peer| peer.parse().expect("an address")).collect(),
        tls,
        limits,
        sealer: None,
        shares: intake::Shares::new(intake::Alarm::default(), &metrics),
        metrics: metrics.clone(),
        condition: health.condition("intake"),
        clock,
    };
    let served = tokio::spawn(serve(listener, mllp, shutdown.clone()));
    Door { log, metrics, health, address, shutdown, served }
}

async fn door() -> Door {
    door_with(LIMITS, None, &[]).await
}

impl Door {
    async fn connect(&self) -> Sender<TcpStream> {
        Sender::new(TcpStream::connect(self.address).await.expect("it listens"))
    }

    fn refusals(&self) -> Vec<Refusal> {
        self.log.of(REFUSALS).iter().map(|record| decode(&record.value).expect("a refusal")).collect()
    }

    fn answered(&self, answer: Answer) -> u64 {
        self.metrics.mllp_answers.of(answer).get()
    }

    async fn stop(self) {
        self.shutdown.begin();
        self.served.await.expect("no panic").expect("served");
    }
}

struct Sender<S> {
    stream: S,
    decoder: Decoder,
    answers: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    fn new(stream: S) -> Sender<S> {
        Sender { stream, decoder: Decoder::new(65_536), answers: Vec::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("it reads");
    }

    /// The next `count` acknowledgements; fewer where the connection ends.
    async fn answers(&mut self, count: usize) -> Vec<String> {
        while self.answers.len() < count {
            let mut bytes = [0; 4_096];
            match self.stream.read(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(read) => self.decoder.push(&bytes[..read], |frame| match frame {
                    Frame::Whole(text) => self.answers.push(String::from_utf8(text.to_vec()).expect("text")),
                    other => panic!("{other:?}"),
                }),
            }
        }
        let count = count.min(self.answers.len());
        self.answers.drain(..count).collect()
    }

    async fn ask(&mut self, message: &str) -> String {
        self.send(&framed(message)).await;
        self.answers(1).await.pop().expect("an answer")
    }

    /// Whether the other side has closed it, without an answer.
    async fn is_closed(&mut self) -> bool {
        self.answers(1).await.is_empty()
    }
}

fn framed(message: &str) -> Vec<u8> {
    [b"\x0b", message.as_bytes(), b"\x1c\r"].concat()
}

fn a04(id: &str) -> String {
    message("A04", id, "2.4")
}

fn message(event: &str, id: &str, version: &str) -> String {
    format!(
        "MSH|^~\\&|EPR|RXF|SITREP|SITREP|20261121140709||ADT^{event}|{id}|P|{version}\rEVN|{event}|20261121140709\r\
         PID|1||4857773456^^^NHS||SMITHERS^JANE||19470512|F\r\
         PV1|1|E|AE^MAJ1||||||||||||||||V{id}^^^RXF|||||||||||||||||||||||||20261121140500\r"
    )
}

fn lines(answer: &str) -> Vec<&str> {
    answer.split('\r').filter(|line| !line.is_empty()).collect()
}

/// The code and the control id of an acknowledgement.
fn msa(answer: &str) -> (&str, &str) {
    let fields: Vec<&str> = lines(answer)[1].split('|').collect();
    assert_eq!(fields[0], "MSA", "{answer}");
    (fields[1], fields[2])
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

#[test]
fn a_message_is_taken_and_its_event_is_in_the_log() {
    run(async {
        let door = door().await;
        let mut sender = door.connect().await;
        let answer = sender.ask(&a04("1001")).await;
        assert_eq!(msa(&answer), ("AA", "1001"));
        let header = lines(&answer)[0];
        assert!(header.starts_with("MSH|^~\\&|SITREP||||20261121141000+0000||ACK^A04|"), "{header}");
        assert!(header.ends_with("|P|2.4"), "{header}");
        let events = door.log.of(EVENTS);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].key, b"RXF-T1");
        let event = contract::parse_protobuf(&events[0].value, &contract::Required, &mut 0).unwrap();
        assert_eq!((event.id.as_ref(), event.source.as_ref()), ("1001", "rxf.epr"));
        assert!(door.health.is_ready());
        door.stop().await;
    });
}

#[test]
fn nothing_is_acknowledged_before_the_log_has_it() {
    run(async {
        let door = door().await;
        door.log.hold(true);
        let mut sender = door.connect().await;
        sender.send(&framed(&a04("1"))).await;
        while door.log.calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let mut byte = [0; 1];
        let early = tokio::time::timeout(Duration::from_millis(20), sender.stream.read(&mut byte)).await;
        assert!(early.is_err(), "an answer came while the log had nothing");
        door.log.hold(false);
        assert_eq!(msa(&sender.answers(1).await[0]), ("AA", "1"));
        door.stop().await;
    });
}

#[test]
fn many_in_flight_are_acknowledged_in_their_order_and_written_together() {
    run(async {
        let door = door().await;
        let mut sender = door.connect().await;
        let mut all = Vec::new();
        for number in 0..500 {
            let own = if number % 10 == 3 { format!("V{number}^^^RXF") } else { "nothing of it".to_owned() };
            all.extend(framed(&a04(&number.to_string()).replace(&own, "")));
        }
        sender.send(&all).await;
        let answers = sender.answers(500).await;
        for (number, answer) in answers.iter().enumerate() {
            let expected = if number % 10 == 3 { "AR" } else { "AA" };
            assert_eq!(msa(answer), (expected, number.to_string().as_str()));
        }
        assert_eq!((door.log.of(EVENTS).len(), door.log.of(REFUSALS).len()), (450, 50));
        assert!(door.log.calls.load(Ordering::SeqCst) < 200, "each message went to the log by itself");
        assert_eq!((door.metrics.read.get(), door.answered(Answer::Taken)), (500, 450));
        door.stop().await;
    });
}

#[test]
fn a_refused_message_is_kept_whole_and_the_answer_names_its_field() {
    run(async {
        let door = door().await;
        let mut sender = door.connect().await;
        let bad = a04("7").replace("20261121140500", "4857773456");
        let answer = sender.ask(&bad).await;
        assert_eq!(msa(&answer), ("AR", "7"));
        assert_eq!(lines(&answer)[2], "ERR|PV1^1^44^102&Data type error&HL70357");
        assert!(lines(&answer)[1].contains("|PV1-44: must be YYYYMMDD"), "{answer}");
        let newer = sender.ask(&message("A04", "8", "2.5.1").replace("20261121140500", "x")).await;
        assert!(
            lines(&newer)[2].starts_with("ERR||PV1^1^44|102^Data type error^HL70357|E||||PV1-44: must"),
            "{newer}"
        );
        let kept = door.refusals();
        assert_eq!(
            (kept[0].reason, &kept[0].origin, kept[0].source.as_str()),
            (Outcome::Malformed, &Origin::Mllp, "rxf.epr")
        );
        assert_eq!(kept[0].bytes, bad.as_bytes());
        assert!(!kept[0].detail.contains("4857773456") && !answer.contains("4857773456"));
        assert_eq!(door.answered(Answer::Refused), 2);
        door.stop().await;
    });
}

#[test]
fn what_is_no_message_at_all_is_answered_too() {
    run(async {
        let door = door_with(Limits { frame_bytes: 1_024, ..LIMITS }, None, &[]).await;
        let mut sender = door.connect().await;
        for (bytes, id, reason) in [
            // A frame with nothing in it is passed over.
            (&b"\x0b\x1c\r\x0bnonsense\x1c\r"[..], "", Outcome::Malformed),
            (b"\x0bMSH|^~\\&|EPR|RXF|||20261121140709||ADT^A04|9|P|2.4\rPI|1\x1c\r", "9", Outcome::Malformed),
            (b"\x0bMSH|^~\\&|EPR|RXF|||20261121140709||ORU^R01|10|P|2.4\x1c\r", "10", Outcome::Malformed),
        ] {
            sender.send(bytes).await;
            assert_eq!(msa(&sender.answers(1).await[0]), ("AR", id));
            assert_eq!(door.refusals().last().unwrap().reason, reason);
        }
        let long = a04("11") + &"NTE|1||".repeat(200);
        assert_eq!(msa(&sender.ask(&long).await), ("AR", "11"));
        let kept = door.refusals().pop().unwrap();
        assert_eq!(
            (kept.reason, kept.length, kept.bytes.len()),
            (Outcome::TooLarge, long.len() as u64, 1_024)
        );
        // One broke off, and the next is taken.
        sender.send(b"\x0bMSH|^~\\&|EPR|RXF|||20261121140709||ADT^A04|12|P|2.4\rPV").await;
        sender.send(&framed(&a04("13"))).await;
        let answers = sender.answers(2).await;
        assert_eq!((msa(&answers[0]), msa(&answers[1])), (("AR", "12"), ("AA", "13")));
        // Acknowledgements are not acknowledged.
        sender.send(&framed("MSH|^~\\&|EPR|RXF|||20261121140709||ACK|14|P|2.4\rMSA|AA|1")).await;
        assert_eq!(msa(&sender.ask(&a04("15")).await), ("AA", "15"));
        door.stop().await;
    });
}

#[test]
fn a_log_that_is_away_is_our_trouble_and_one_that_is_full_is_waited_for() {
    run(async {
        let door = door().await;
        *door.log.failing.lock().expect("no panic") =
            Some(Box::new(|topic, _| (topic == EVENTS).then(|| LogError::Unavailable("no broker".into()))));
        let mut sender = door.connect().await;
        sender
            .send(&[framed(&a04("1")), framed(&a04("2").replace("A04|", "|")), framed(&a04("3"))].concat())
            .await;
        let answers = sender.answers(3).await;
        let said: Vec<_> = answers.iter().map(|answer| msa(answer)).collect();
        assert_eq!(said, [("AE", "1"), ("AR", "2"), ("AE", "3")]);
        assert!(answers[0].contains("ERR|^^^207&Application internal error&HL70357"), "{}", answers[0]);
        assert!(!door.health.is_ready());
        assert_eq!(
            (door.metrics.read.get(), door.log.of(REFUSALS).len()),
            (1, 1),
            "counted though not written"
        );
        // Full three times, then not.
        let first = door.log.calls.load(Ordering::SeqCst);
        *door.log.failing.lock().expect("no panic") =
            Some(Box::new(move |_, call| (call < first + 3).then_some(LogError::Full)));
        assert_eq!(msa(&sender.ask(&a04("4")).await), ("AA", "4"));
        assert!(door.health.is_ready());
        door.stop().await;
    });
}

#[test]
fn a_log_that_stays_full_is_given_up_in_the_end() {
    run(async {
        let door = door_with(Limits { patience: Duration::ZERO, ..LIMITS }, None, &[]).await;
        *door.log.failing.lock().expect("no panic") = Some(Box::new(|_, _| Some(LogError::Full)));
        let mut sender = door.connect().await;
        assert_eq!(msa(&sender.ask(&a04("1")).await), ("AE", "1"));
        door.stop().await;
    });
}

#[test]
fn connections_have_bounds() {
    run(async {
        let door = door_with(Limits { connections_per_peer: 2, ..LIMITS }, None, &[]).await;
        let (mut one, mut two, mut three) =
            (door.connect().await, door.connect().await, door.connect().await);
        assert_eq!(msa(&one.ask(&a04("1")).await), ("AA", "1"));
        assert_eq!(msa(&two.ask(&a04("2")).await), ("AA", "2"));
        assert!(three.is_closed().await);
        drop(one);
        // Its place is free as soon as it is seen to be gone.
        loop {
            let mut again = door.connect().await;
            again.send(&framed(&a04("3"))).await;
            if again.answers(1).await.len() == 1 {
                break;
            }
        }
        door.stop().await;
        let door = door_with(LIMITS, None, &["127.0.0.2"]).await;
        assert!(door.connect().await.is_closed().await, "127.0.0.1 is not one of its peers");
        door.stop().await;
    });
}

#[test]
fn who_says_nothing_or_never_ends_is_cut() {
    run(async {
        let short = Duration::from_millis(30);
        let door = door_with(Limits { idle: short, ..LIMITS }, None, &[]).await;
        assert!(door.connect().await.is_closed().await);
        door.stop().await;
        let door = door_with(Limits { frame_time: short, ..LIMITS }, None, &[]).await;
        let mut sender = door.connect().await;
        sender.send(b"\x0bMSH|").await;
        assert!(sender.is_closed().await);
        // Nor does a message that goes on for ever.
        let mut sender = door.connect().await;
        sender.send(b"\x0bMSH|").await;
        let going_on = async { while sender.stream.write_all(b"x").await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), going_on).await.expect("it is cut");
        door.stop().await;
    });
}

#[test]
fn a_stop_finishes_what_is_being_written() {
    run(async {
        let door = door().await;
        door.log.hold(true);
        let (mut busy, mut idle) = (door.connect().await, door.connect().await);
        busy.send(&framed(&a04("1"))).await;
        while door.log.calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        door.shutdown.begin();
        assert!(idle.is_closed().await);
        door.log.hold(false);
        assert_eq!(msa(&busy.answers(1).await[0]), ("AA", "1"));
        assert!(busy.is_closed().await);
        door.stop().await;
    });
}

#[test]
fn with_tls_only_who_shows_a_certificate_of_ours_is_heard() {
    run(async {
        let config = TlsConfig {
            certificate: pem("server.pem"),
            key: pem("server.key.pem"),
            client_ca: pem("ca.pem"),
        };
        let door = door_with(LIMITS, config.acceptor(&[]).unwrap(), &[]).await;
        let mut client = tls::connect(door.address, Some("client")).await.map(Sender::new).unwrap();
        assert_eq!(msa(&client.ask(&a04("1")).await), ("AA", "1"));
        for shown in [None, Some("stranger")] {
            if let Ok(stream) = tls::connect(door.address, shown).await {
                let mut stranger = Sender::new(stream);
                let _refused = stranger.stream.write_all(&framed(&a04("2"))).await;
                assert!(stranger.is_closed().await, "{shown:?}");
            }
        }
        // Plain text to a port that speaks TLS.
        let mut plain = door.connect().await;
        plain.send(&framed(&a04("3"))).await;
        assert!(plain.answers(1).await.is_empty());
        assert_eq!(door.log.of(EVENTS).len(), 1);
        door.stop().await;
    });
}

/// A sender's side of TLS.
mod tls {
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    use super::pem;

    /// Connects and shows a certificate of ours, if any.
    pub(super) async fn connect(
        address: std::net::SocketAddr,
        shown: Option<&str>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pem("ca.pem")).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let file = |end| pem(&format!("{name}.{end}"));
                let chain = vec![CertificateDer::from_pem_file(file("pem")).expect("PEM")];
                let key = PrivateKeyDer::from_pem_file(file("key.pem")).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
    }
}
