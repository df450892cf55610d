//! `GET /v1/live`: server-sent events. A `snapshot` first, then a `delta` for each change; their ids are numbers that
//! rise by one. A reader that reconnects, or that was too slow, gets a snapshot.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};

use super::Board;
use crate::live::Message;

/// A comment line this often keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// After how long a browser tries again.
const RETRY: Duration = Duration::from_secs(3);

pub(super) async fn live(State(board): State<Arc<Board>>) -> Response {
    let Ok(permit) = board.streams.clone().try_acquire_owned() else {
        let headers = [(header::RETRY_AFTER, "30")];
        return (StatusCode::SERVICE_UNAVAILABLE, headers, "too many browsers watch\n").into_response();
    };
    let headers = [
        (HeaderName::from_static("x-accel-buffering"), "no"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
    ];
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("still here");
    (headers, Sse::new(events(board, permit)).keep_alive(keep_alive)).into_response()
}

/// What a stream holds between two events.
struct Watcher {
    board: Arc<Board>,
    deltas: Option<broadcast::Receiver<Message>>,
    _open: Open,
}

/// One browser that watches: a place among them, and one on the gauge.
struct Open {
    board: Arc<Board>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.board.metrics.watchers.dec();
    }
}

fn events(board: Arc<Board>, permit: OwnedSemaphorePermit) -> impl Stream<Item = Result<Event, Infallible>> {
    board.metrics.watchers.inc();
    let open = Open { board: board.clone(), _permit: permit };
    let watcher = Watcher { board, deltas: None, _open: open };
    unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    })
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        if let Some(deltas) = &mut self.deltas {
            match deltas.recv().await {
                Ok(Message::Delta { seq, json }) => {
                    return Some(Event::default().event("delta").id(seq.to_string()).data(&*json));
                }
                Ok(Message::Closed) | Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => self.board.metrics.gaps.inc(),
            }
        }
        let watch = self.board.live.watch(self.board.clock.0.now_ms())?;
        self.deltas = Some(watch.deltas);
        let event = Event::default().event("snapshot").id(watch.seq.to_string());
        Some(event.retry(RETRY).data(watch.json))
    }
}
