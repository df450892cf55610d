//! The connections of a web server: so many at once, so many of one address, TLS where it is asked for, and none that says nothing for long.
//!
//! A handshake is made aside, so that a client that is slow at it holds up nobody.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use crate::tls::{TlsAcceptor, TlsStream};

/// What the connections of a server may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once; one more waits until another ends.
    pub connections: usize,
    /// Of them from one address; one more is closed at once.
    pub per_peer: usize,
    /// A TLS handshake takes at most this.
    pub handshake: Duration,
    /// A connection on which nothing is read or written for this long, and at most for twice as long, is cut.
    pub idle: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        let (handshake, idle) = (Duration::from_secs(10), Duration::from_secs(60));
        Bounds { connections: 1_024, per_peer: 256, handshake, idle }
    }
}

/// Accepts connections within bounds, for `axum::serve`.
#[derive(Debug)]
pub struct Connections {
    address: SocketAddr,
    ready: mpsc::Receiver<(Connection, SocketAddr)>,
    accepting: JoinHandle<()>,
}

impl Connections {
    /// Accepts from now on. Called within a tokio runtime.
    pub fn new(listener: TcpListener, tls: Option<TlsAcceptor>, bounds: Bounds) -> io::Result<Connections> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(1);
        let accepting = tokio::spawn(accept(listener, tls, bounds, sender));
        Ok(Connections { address, ready, accepting })
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting task has ended, which only a panic of it can do.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
    ready: mpsc::Sender<(Connection, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let peers = Peers::default();
    loop {
        let room = places.clone().acquire_owned().await.expect("never closed");
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: that passes only when some are given back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let Some(place) = peers.place(peer.ip().to_canonical(), bounds.per_peer, room) else { continue };
        // It only makes small answers quicker; a connection that has just gone says so at its first read.
        drop(stream.set_nodelay(true));
        match tls.clone() {
            None => {
                drop(ready.send((Connection::new(Stream::Plain(stream), bounds.idle, place), peer)).await)
            }
            Some(tls) => {
                let ready = ready.clone();
                tokio::spawn(async move {
                    match tokio::time::timeout(bounds.handshake, tls.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let stream = Stream::Tls(Box::new(stream));
                            drop(ready.send((Connection::new(stream, bounds.idle, place), peer)).await);
                        }
                        Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS handshake"),
                        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
                    }
                });
            }
        }
    }
}

/// The connections of each address.
#[derive(Clone, Debug, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, Peer>>>);

#[derive(Debug, Default)]
struct Peer {
    connections: usize,
    /// That one was turned away, as long as it has others.
    told: bool,
}

impl Peers {
    fn all(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one connection more, if the address has fewer than `most`.
    fn place(&self, address: IpAddr, most: usize, room: OwnedSemaphorePermit) -> Option<Place> {
        let mut all = self.all();
        let peer = all.entry(address).or_default();
        if peer.connections < most {
            peer.connections += 1;
            return Some(Place { peers: self.clone(), address, _room: room });
        }
        if !std::mem::replace(&mut peer.told, true) {
            tracing::warn!(%address, most, "an address has as many connections as one may have: more are closed");
        }
        None
    }
}

/// The place of a connection among all, and among those of its address; given back when it goes.
#[derive(Debug)]
struct Place {
    peers: Peers,
    address: IpAddr,
    _room: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.peers.all();
        if let Some(peer) = all.get_mut(&self.address) {
            peer.connections -= 1;
            if peer.connections == 0 {
                all.remove(&self.address);
            }
        }
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    idle: Duration,
    quiet: Pin<Box<Sleep>>,
    /// Whether something was read or written since `quiet` began.
    moved: bool,
    _place: Place,
}

impl Connection {
    fn new(stream: Stream, idle: Duration, place: Place) -> Connection {
        let quiet = Box::pin(tokio::time::sleep(idle));
        Connection { stream, idle, quiet, moved: false, _place: place }
    }

    /// What a read or a write came to; an error where nothing has moved for too long.
    fn watched<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.moved = true;
            return done;
        }
        while self.quiet.as_mut().poll(cx).is_ready() {
            if !std::mem::take(&mut self.moved) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.quiet = Box::pin(tokio::time::sleep(self.idle));
        }
        Poll::Pending
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let done = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        };
        self.watched(cx, done)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let done = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, from),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, from),
        };
        self.watched(cx, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        if done.is_ready() { done } else { self.watched(cx, done) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        };
        self.watched(cx, done)
    }
}

#[cfg(test)]
mod tests;
