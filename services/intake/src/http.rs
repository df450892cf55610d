//! The door for HTTP (spec 4.2). `POST /v1/events`: one event, an array, or NDJSON; FHIR is in `fhir`, and is answered
//! with the same statuses.
//!
//! | answer | when |
//! |---|---|
//! | 200 | every event has its outcome, and the log has them all durably |
//! | 400 | the body is no gzip or no JSON; nothing was taken |
//! | 401, 403 | nobody that we know; a token that may post nothing; a web page where no token is asked for |
//! | 408 | the body did not come in time; nothing was taken |
//! | 413 | over `http.max_body` after unpacking, too many events, or by itself over `http.buffer`; nothing was taken |
//! | 415 | an encoding other than gzip; nothing was taken |
//! | 429 | too much at once, or the log takes no more just now: again in a second, the whole |
//! | 503 | the log is away: none, some or all were taken: again, the whole |
//!
//! A body is judged while it comes, so what is held is what goes to the log, and never the body. Nothing is written
//! before its end: one that turns out to be no body has changed nothing.

mod fhir;
mod post;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing;
use contract::topics;
use domain::organisations::Organisations;
use domain::standard::Standards;
use domain::time::Millis;
use runtime::access::{Access, Denied};
use runtime::clock::Clock;
use runtime::health::Condition;
use runtime::log::Log;
use runtime::seal::Sealer;
use runtime::shutdown::Shutdown;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::body::BodyError;
use crate::desk::{Desk, DeskError, Written};
use crate::feed::Feed;
use crate::judge::Rules;
use crate::metrics::{Answer, Metrics};
use crate::pseudonym::Pseudonyms;
use crate::shares::Shares;

/// How often the log is looked at, so that readiness comes back without a post.
const LOOK: Duration = Duration::from_secs(5);

/// What one post, and all at once, may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `http.max_body`: bytes of a body, packed and unpacked.
    pub body_bytes: usize,
    /// Events of one post.
    pub events: usize,
    /// `http.buffer`: bytes that are judged and not yet written, of all posts together.
    pub buffer_bytes: usize,
    /// Posts that are written at once.
    pub writes: usize,
    /// How long a post waits for its turn to be written.
    pub turn: Duration,
    /// How long a body may take to come.
    pub body_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes: 16 << 20,
            events: 100_000,
            buffer_bytes: 64 << 20,
            writes: 64,
            turn: Duration::from_secs(1),
            body_time: Duration::from_secs(30),
        }
    }
}

/// What an intake needs.
pub struct Intake {
    /// The log with events, returns and refusals.
    pub log: Arc<dyn Log>,
    /// The places that events may name.
    pub organisations: Organisations,
    /// The standards and scales that they may name.
    pub standards: Standards,
    /// How references become pseudonyms.
    pub pseudonyms: Pseudonyms,
    /// Who may post.
    pub access: Access,
    /// The senders of FHIR resources.
    pub feeds: Vec<Feed>,
    /// The names of those whose messages a listener for MLLP takes.
    pub listened: Vec<String>,
    /// What posts may use.
    pub limits: Limits,
    /// Seals what is refused; `None`: it is kept as it came.
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

/// The state of the routes. Clones are the same.
#[derive(Clone)]
pub struct IntakeState(Arc<Inner>);

struct Inner {
    desk: Arc<Desk>,
    access: Access,
    feeds: Vec<Feed>,
    listened: Vec<String>,
    limits: Limits,
    writes: Arc<Semaphore>,
}

impl IntakeState {
    /// Nothing is read or written yet.
    pub fn new(intake: Intake) -> IntakeState {
        let rules = Rules {
            organisations: intake.organisations,
            standards: intake.standards,
            pseudonyms: intake.pseudonyms,
        };
        let desk = Desk {
            log: intake.log,
            rules,
            sealer: intake.sealer,
            shares: intake.shares,
            metrics: intake.metrics,
            condition: intake.condition,
            clock: intake.clock,
            held: AtomicUsize::new(0),
            held_max: intake.limits.buffer_bytes,
        };
        let writes = Arc::new(Semaphore::new(intake.limits.writes));
        let (access, feeds, listened, limits) = (intake.access, intake.feeds, intake.listened, intake.limits);
        IntakeState(Arc::new(Inner { desk: Arc::new(desk), access, feeds, listened, limits, writes }))
    }
}

impl fmt::Debug for IntakeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntakeState").field("access", &self.0.access).finish_non_exhaustive()
    }
}

/// The routes of the door.
pub fn router(state: IntakeState) -> Router {
    Router::new()
        .route("/v1/events", routing::post(events))
        .route("/fhir/R4", routing::post(fhir::bundle))
        .route("/fhir/R4/Encounter", routing::post(fhir::encounter))
        .with_state(state)
}

/// Looks at the log now and then until the shutdown begins: a door that is not ready gets no posts that could tell it
/// that the log is back. What was refused is forgotten with time here, too.
pub async fn watch_log(state: IntakeState, shutdown: Shutdown) {
    let desk = &state.0.desk;
    while !shutdown.is_begun() {
        let log = desk.log.clone();
        let looked = tokio::task::spawn_blocking(move || log.ends(topics::EVENTS).map(|_| ())).await;
        match looked {
            Ok(Ok(())) => desk.condition.holds(),
            Ok(Err(error)) => desk.condition.waits(error.to_string()),
            Err(_) => desk.condition.waits("the log could not be looked at"),
        }
        desk.shares.tick(Millis(desk.clock.now_ms()));
        tokio::select! {
            () = shutdown.begun() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Why a post is not judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PostError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("content-encoding must be gzip or none")]
    Encoding,
    #[error("content-type must be application/fhir+json: XML is not read")]
    Media,
    #[error("no FHIR feed is configured whose source this token may speak as")]
    NoFeed,
    #[error("this token may speak as several FHIR feeds: add ?feed= and the name of one")]
    WhichFeed,
    #[error("the body did not come within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("the body broke off")]
    BrokenOff,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl PostError {
    pub(crate) fn answer(&self) -> (StatusCode, Answer) {
        match self {
            PostError::Denied(Denied::Unknown) => (StatusCode::UNAUTHORIZED, Answer::Denied),
            PostError::Denied(Denied::FromAPage | Denied::NotForThis(_)) => {
                (StatusCode::FORBIDDEN, Answer::Denied)
            }
            PostError::NoFeed => (StatusCode::FORBIDDEN, Answer::Denied),
            PostError::WhichFeed => (StatusCode::BAD_REQUEST, Answer::NotABody),
            PostError::Encoding | PostError::Media => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Answer::Encoding),
            PostError::Slow(_) => (StatusCode::REQUEST_TIMEOUT, Answer::Slow),
            PostError::Body(BodyError::TooLarge(_) | BodyError::TooMany(_))
            | PostError::Desk(DeskError::TooMuch(_)) => (StatusCode::PAYLOAD_TOO_LARGE, Answer::TooLarge),
            PostError::BrokenOff
            | PostError::Body(
                BodyError::NotGzip | BodyError::NotJson | BodyError::Broken(_) | BodyError::NotUtf8(_),
            ) => (StatusCode::BAD_REQUEST, Answer::NotABody),
            PostError::Desk(DeskError::Busy) => (StatusCode::TOO_MANY_REQUESTS, Answer::Busy),
            PostError::Desk(DeskError::Away) => (StatusCode::SERVICE_UNAVAILABLE, Answer::Away),
        }
    }
}

/// What is answered to a post that was judged.
#[derive(Debug, Serialize)]
struct Judged {
    taken: u64,
    refused: Vec<RefusedEvent>,
}

#[derive(Debug, Serialize)]
struct RefusedEvent {
    /// Which event of the post, from 0.
    index: usize,
    reason: &'static str,
    detail: String,
}

impl From<Written> for Judged {
    fn from(written: Written) -> Judged {
        let refused = written.refused.into_iter();
        let refused =
            refused.map(|(index, reason, detail)| RefusedEvent { index, reason: reason.as_str(), detail });
        Judged { taken: written.taken, refused: refused.collect() }
    }
}

async fn events(State(state): State<IntakeState>, request: Request) -> Response {
    let metrics = &state.0.desk.metrics;
    match post::take(&state.0, request).await {
        Ok(written) => {
            metrics.posts.of(Answer::Judged).inc();
            axum::Json(Judged::from(written)).into_response()
        }
        Err(error) => {
            let (status, answer) = error.answer();
            metrics.posts.of(answer).inc();
            let told = serde_json::json!({ "error": error.to_string() });
            with_headers(status, axum::Json(told).into_response())
        }
    }
}

/// What belongs to a status that is no success.
pub(crate) fn with_headers(status: StatusCode, mut response: Response) -> Response {
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
mod tests;
