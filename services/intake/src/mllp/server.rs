//! The listener: connections within their bounds, each frame judged, written and acknowledged in the order in which it
//! came. All frames of one read go to the log together, so a sender that does not wait for each answer is not held up by
//! each write; what several connections write at a time the log joins.
//!
//! Backpressure: a connection is not read while its frames are being written, and where the log takes no more it waits.
//! Nothing is answered `AA` before the log has it durably.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::topics::{EVENTS, REFUSALS};
use domain::admission::Standards;
use domain::event::Outcome;
use domain::organisations::Organisations;
use domain::time::Millis;
use runtime::clock::Clock;
use runtime::health::Condition;
use runtime::log::{Log, LogError, NewRecord};
use runtime::shutdown::Shutdown;
use runtime::tls::TlsAcceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Decoder;
use super::judged::{Judged, Verdict, judge};
use crate::feed::Feed;
use crate::hl7::answer::{self, Answer, Complaint};
use crate::http::record;
use crate::judge::Rules;
use crate::metrics::{ConnectionEnd, Metrics};
use crate::pseudonym::Pseudonyms;

/// A read takes at least and at most so much.
const READ_BYTES: (usize, usize) = (8 << 10, 64 << 10);

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
        metrics,
        condition,
        clock,
    } = mllp;
    let rules = Rules { organisations, standards, pseudonyms };
    let answers = AtomicU64::new(1);
    let door = Door { log, rules, feed, tls, limits, metrics, condition, clock, shutdown, answers };
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

/// Reads, judges, writes and answers, until either side ends it.
async fn converse(door: &Arc<Door>, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> ConnectionEnd {
    let limits = &door.limits;
    let (mut decoder, mut room) = (Decoder::new(limits.frame_bytes), READ_BYTES.0);
    let begun = door.shutdown.begun();
    tokio::pin!(begun);
    loop {
        let patience = if decoder.is_inside() { limits.frame_time } else { limits.idle };
        let buffer = decoder.buffer();
        buffer.reserve(room);
        let read = tokio::select! {
            () = &mut begun => return ConnectionEnd::Shutdown,
            read = timeout(patience, stream.read_buf(buffer)) => read,
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
        let mut batch = Vec::new();
        while let Some(frame) = decoder.next_frame() {
            batch.push(judge(frame, &door.feed, &door.rules, now));
        }
        if batch.is_empty() {
            continue;
        }
        let answers = door.write(batch).await;
        match timeout(limits.write_time, stream.write_all(&answers)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return ConnectionEnd::Lost,
            Err(_) => return ConnectionEnd::Slow,
        }
        // TLS holds bytes back until it is told.
        if timeout(limits.write_time, stream.flush()).await.is_err() {
            return ConnectionEnd::Slow;
        }
    }
}

impl Door {
    /// Writes a batch to the log and returns its acknowledgements, in order.
    async fn write(self: &Arc<Self>, batch: Vec<Judged>) -> Vec<u8> {
        let (mut events, mut refusals) = (Vec::new(), Vec::new());
        for judged in &batch {
            match &judged.verdict {
                Verdict::Taken(records) => events.extend_from_slice(records),
                Verdict::Refused(refusal, _) => refusals.push(record(refusal)),
            }
        }
        // Events first: sent again after a failure they change nothing, while a refusal would be kept twice.
        let taken = self.append(EVENTS, events).await;
        let refused = self.append(REFUSALS, refusals).await;
        if taken && refused {
            self.condition.holds();
        }
        let now = Millis(self.clock.now_ms());
        let mut answers = Vec::with_capacity(batch.len() * 128);
        for judged in &batch {
            let kept = match judged.verdict {
                Verdict::Taken(_) => taken,
                Verdict::Refused(..) => refused,
            };
            self.answer(judged, kept, now, &mut answers);
        }
        answers
    }

    /// Counts a message and appends its acknowledgement.
    fn answer(&self, judged: &Judged, kept: bool, now: Millis, out: &mut Vec<u8>) {
        let away;
        let (answer, complaint) = match &judged.verdict {
            _ if !kept => {
                away = Complaint::away();
                (Answer::Later, Some(&away))
            }
            Verdict::Taken(records) => {
                self.metrics.judged(records.len() as u64, std::iter::empty::<Outcome>());
                judged.left_out.iter().for_each(|why| self.metrics.hl7_left_out(*why));
                (Answer::Taken, None)
            }
            Verdict::Refused(refusal, complaint) => {
                self.metrics.judged(0, std::iter::once(refusal.reason));
                (Answer::Refused, Some(complaint))
            }
        };
        self.metrics.mllp_answers.of(answer).inc();
        if let Some(repeated) = &judged.repeated {
            let number = self.answers.fetch_add(1, Ordering::Relaxed);
            answer::write(repeated, answer, complaint, now, number, out);
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
