//! The listener: connections within their bounds, each frame judged, written and acknowledged in the order in which it
//! came. All frames of one read go to the log together, so a sender that does not wait for each answer is not held up by
//! each write; what several connections write at a time the log joins.
//!
//! Backpressure: what waits for the log has a bound, at which a connection is not read; where the log takes no more it
//! waits.
//! Nothing is answered `AA` before the log has it durably.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::topics::{EVENTS, REFUSALS};
use domain::organisations::Organisations;
use domain::standard::Standards;
use domain::time::Millis;
use runtime::clock::Clock;
use runtime::health::Condition;
use runtime::log::{Log, LogError, NewRecord};
use runtime::seal::Sealer;
use runtime::shutdown::Shutdown;
use runtime::tls::TlsAcceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::Decoder;
use super::judged::{Batch, Judged, Verdict};
use crate::desk::refusal_record;
use crate::feed::Feed;
use crate::hl7::answer::{Answer, Answers, Complaint};
use crate::judge::Rules;
use crate::metrics::{ConnectionEnd, Metrics};
use crate::pseudonym::Pseudonyms;
use crate::shares::Shares;

/// A read takes at least and at most so much.
const READ_BYTES: (usize, usize) = (8 << 10, 64 << 10);

/// Batches that may wait for the log while more is read.
const BATCHES: usize = 4;

/// How long to wait before a log that takes no more is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// What connections may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `mllp.max_frame`: bytes of a message.
    pub frame_bytes: usize,
    /// `mllp.idle`: a connection on which nothing comes for so long is closed.
    pub idle: Duration,
    /// `mllp.frame_time`: how long a message that has begun, or a TLS handshake, may take.
    pub frame_time: Duration,
    /// `mllp.write_time`: how long a sender may take to read its answers.
    pub write_time: Duration,
    /// `mllp.patience`: how long a log that takes no more is waited for before `AE`.
    pub patience: Duration,
    /// `mllp.connections`: at a time.
    pub connections: usize,
    /// `mllp.connections_per_peer`: of them from one address.
    pub connections_per_peer: usize,
}

/// What a listener needs.
pub struct Mllp {
    /// The log with events and refusals.
    pub log: Arc<dyn Log>,
    /// The places that events may name.
    pub organisations: Organisations,
    /// The standards and scales that they may name.
    pub standards: Standards,
    /// How references become pseudonyms.
    pub pseudonyms: Pseudonyms,
    /// The sender.
    pub feed: Feed,
    /// Who may connect; empty: anybody.
    pub peers: Vec<IpAddr>,
    /// TLS; none: plain.
    pub tls: Option<TlsAcceptor>,
    /// What connections may use.
    pub limits: Limits,
    /// Seals what is refused; none: it is kept as it came.
    pub sealer: Option<Sealer>,
    /// How much of what each sender sends is refused.
    pub shares: Arc<Shares>,
    /// Metrics.
    pub metrics: Metrics,
    /// Readiness: whether the log takes events.
    pub condition: Condition,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

struct Door {
    log: Arc<dyn Log>,
    rules: Rules,
    feed: Feed,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    sealer: Option<Sealer>,
    shares: Arc<Shares>,
    metrics: Metrics,
    condition: Condition,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    /// Makes the control ids of our own answers.
    answers: AtomicU64,
}

/// How many connections each address has.
#[derive(Clone, Default)]
struct Guests(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address; gone when it is dropped.
struct Guest(Guests, IpAddr);

impl Guests {
    fn admit(&self, peer: IpAddr, limits: &Limits) -> Option<Guest> {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (guests.values().sum::<usize>(), guests.get(&peer).copied().unwrap_or(0));
        if all >= limits.connections || own >= limits.connections_per_peer {
            return None;
        }
        guests.insert(peer, own + 1);
        Some(Guest(self.clone(), peer))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match guests.get_mut(&self.1) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => drop(guests.remove(&self.1)),
        }
    }
}

/// Takes connections until the shutdown begins; then each finishes what it is writing, within `limits.write_time`.
pub async fn serve(listener: TcpListener, mllp: Mllp, shutdown: Shutdown) -> io::Result<()> {
    let Mllp {
        log,
        organisations,
        standards,
        pseudonyms,
        feed,
        peers,
        tls,
        limits,
        sealer,
        shares,
        metrics,
        condition,
        clock,
    } = mllp;
    let rules = Rules { organisations, standards, pseudonyms };
    let answers = AtomicU64::new(1);
    let door =
        Door { log, rules, feed, tls, limits, sealer, shares, metrics, condition, clock, shutdown, answers };
    let (door, guests, mut open) = (Arc::new(door), Guests::default(), JoinSet::new());
    loop {
        let accepted = tokio::select! {
            () = door.shutdown.begun() => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip()),
            // The peer may have gone again, or there are no more file handles: neither ends the listener.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let welcome = peers.is_empty() || peers.contains(&peer.to_canonical());
        match guests.admit(peer, &door.limits).filter(|_| welcome) {
            Some(guest) => drop(open.spawn(connection(door.clone(), stream, guest))),
            None => door.metrics.mllp_connection_ended(ConnectionEnd::NotAdmitted),
        }
    }
    let all = async { while open.join_next().await.is_some() {} };
    if timeout(door.limits.write_time, all).await.is_err() {
        tracing::warn!("connections were cut after the drain");
    }
    Ok(())
}

async fn connection(door: Arc<Door>, stream: TcpStream, _guest: Guest) {
    door.metrics.mllp_connections.inc();
    // Answers are small and waited for.
    let _slower = stream.set_nodelay(true);
    let end = match &door.tls {
        None => converse(&door, stream).await,
        Some(tls) => match timeout(door.limits.frame_time, tls.accept(stream)).await {
            Ok(Ok(stream)) => converse(&door, stream).await,
            Ok(Err(_)) | Err(_) => ConnectionEnd::Handshake,
        },
    };
    door.metrics.mllp_connections.dec();
    door.metrics.mllp_connection_ended(end);
}

/// Reads and judges beside writing and answering, until either side ends it.
async fn converse(door: &Arc<Door>, stream: impl AsyncRead + AsyncWrite + Unpin) -> ConnectionEnd {
    let (input, output) = tokio::io::split(stream);
    let (judged, waiting) = channel(BATCHES);
    let (reading, writing) = (read(door, input, judged), write(door, output, waiting));
    tokio::pin!(reading, writing);
    tokio::select! {
        end = &mut reading => writing.await.unwrap_or(end),
        // The answers cannot be written any more.
        Some(end) = &mut writing => end,
    }
}

/// Hands on what each read completes. While there is no room for it, nothing is read.
async fn read(door: &Arc<Door>, mut input: impl AsyncRead + Unpin, judged: Sender<Batch>) -> ConnectionEnd {
    let limits = &door.limits;
    let (mut decoder, mut room) = (Decoder::new(limits.frame_bytes), READ_BYTES.0);
    let begun = door.shutdown.begun();
    tokio::pin!(begun);
    // When the frame under way must have ended, however many reads bring it.
    let mut frame_end = None;
    loop {
        let until = match decoder.is_inside() {
            true => *frame_end.get_or_insert_with(|| Instant::now() + limits.frame_time),
            false => Instant::now() + limits.idle,
        };
        let buffer = decoder.buffer();
        buffer.reserve(room);
        let read = tokio::select! {
            () = &mut begun => return ConnectionEnd::Shutdown,
            read = timeout_at(until, input.read_buf(buffer)) => read,
        };
        match read {
            Err(_) => return ConnectionEnd::Idle,
            Ok(Err(_)) => return ConnectionEnd::Lost,
            Ok(Ok(0)) => {
                return if decoder.is_inside() { ConnectionEnd::Lost } else { ConnectionEnd::Closed };
            }
            Ok(Ok(bytes)) if bytes >= room => room = (room * 2).min(READ_BYTES.1),
            Ok(Ok(_)) => {}
        }
        let now = Millis(door.clock.now_ms());
        let mut batch = Batch::default();
        while let Some(frame) = decoder.next_frame() {
            batch.judge(frame, &door.feed, &door.rules, now);
        }
        if !batch.frames.is_empty() || !decoder.is_inside() {
            frame_end = None;
        }
        if !batch.frames.is_empty() && judged.send(batch).await.is_err() {
            return ConnectionEnd::Lost;
        }
    }
}

/// Writes what waits to the log, all of it together, and answers it. None: the reader has ended, and all is answered.
async fn write(
    door: &Arc<Door>,
    mut output: impl AsyncWrite + Unpin,
    mut waiting: Receiver<Batch>,
) -> Option<ConnectionEnd> {
    while let Some(mut batch) = waiting.recv().await {
        while let Ok(more) = waiting.try_recv() {
            batch.frames.extend(more.frames);
            batch.events.extend(more.events);
        }
        let answers = door.keep(batch).await;
        // TLS holds bytes back until it is told.
        let told = async {
            output.write_all(answers.bytes()).await?;
            output.flush().await
        };
        match timeout(door.limits.write_time, told).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Some(ConnectionEnd::Lost),
            Err(_) => return Some(ConnectionEnd::Slow),
        }
    }
    None
}

impl Door {
    /// Writes a batch to the log, counts it, and returns its acknowledgements, in order.
    async fn keep(self: &Arc<Self>, batch: Batch) -> Answers {
        let Batch { frames, events } = batch;
        let refused = |judged: &Judged| match &judged.verdict {
            Verdict::Taken => None,
            Verdict::Refused(why) => Some((refusal_record(&why.0, self.sealer.as_ref()), why.0.reason)),
        };
        let (refusals, reasons): (Vec<_>, Vec<_>) = frames.iter().filter_map(refused).unzip();
        let (taken, refused) = (events.len() as u64, refusals.len() as u64);
        // Events first: sent again after a failure they change nothing, while a refusal would be kept twice.
        let has_events = self.append(EVENTS, events).await;
        let has_refusals = self.append(REFUSALS, refusals).await;
        if has_events && has_refusals {
            self.condition.holds();
        }
        let now = Millis(self.clock.now_ms());
        let (taken, refused) = (if has_events { taken } else { 0 }, if has_refusals { refused } else { 0 });
        self.metrics.judged(taken, reasons.into_iter().filter(|_| has_refusals));
        self.shares.count(&self.feed.source, taken, refused, now);
        let mut answers = Answers::new(now, frames.len());
        for judged in &frames {
            self.answer(judged, has_events, has_refusals, &mut answers);
        }
        answers
    }

    fn answer(&self, judged: &Judged, has_events: bool, has_refusals: bool, answers: &mut Answers) {
        let away;
        let (answer, complaint) = match &judged.verdict {
            Verdict::Taken if has_events => (Answer::Taken, None),
            Verdict::Refused(why) if has_refusals => (Answer::Refused, Some(&why.1)),
            Verdict::Taken | Verdict::Refused(_) => {
                away = Complaint::away();
                (Answer::Later, Some(&away))
            }
        };
        self.metrics.mllp_answers.of(answer).inc();
        if answer == Answer::Taken {
            judged.left_out.iter().for_each(|why| self.metrics.hl7_left_out(*why));
        }
        if let Some(repeated) = &judged.repeated {
            answers.add(repeated, answer, complaint, self.answers.fetch_add(1, Ordering::Relaxed));
        }
    }

    /// Whether the log has the records durably. Where it takes no more just now, it is waited for.
    async fn append(self: &Arc<Self>, topic: &'static str, records: Vec<NewRecord>) -> bool {
        if records.is_empty() {
            return true;
        }
        let records = Arc::new(records);
        let began = self.clock.monotonic();
        loop {
            let (door, work) = (self.clone(), records.clone());
            let done = tokio::task::spawn_blocking(move || door.log.append(topic, &work)).await;
            match done {
                Ok(Ok(_)) => return true,
                Ok(Err(LogError::Full)) if self.clock.monotonic() - began < self.limits.patience => {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(Err(LogError::Full)) => return false,
                Ok(Err(error)) => {
                    self.condition.waits(error.to_string());
                    return false;
                }
                Err(_) => {
                    tracing::error!("writing messages ended in a panic");
                    return false;
                }
            }
        }
    }
}
