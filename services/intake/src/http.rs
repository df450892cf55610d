//! `POST /v1/events` (spec 4.2): one event, an array, or NDJSON.
//!
//! | answer | when |
//! |---|---|
//! | 200 | every event has its outcome, and the log has them all durably |
//! | 400 | the body is no gzip or no JSON; nothing was taken |
//! | 401, 403 | nobody that we know; a web page where no token is asked for |
//! | 408 | the body did not come in time; nothing was taken |
//! | 413 | over `http.max_body` after unpacking, or too many events; nothing was taken |
//! | 415 | an encoding other than gzip; nothing was taken |
//! | 429 | too many posts at once, or the log takes no more just now: again in a second, the whole |
//! | 503 | the log is away: none, some or all were taken: again, the whole |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use contract::refusal::{self, Refusal};
use contract::topics;
use domain::organisations::Organisations;
use domain::standard::Standards;
use domain::time::Millis;
use runtime::clock::Clock;
use runtime::health::Condition;
use runtime::log::{Log, LogError, NewRecord};
use runtime::shutdown::Shutdown;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::{self, BodyError, Form};
use crate::judge::{Rules, Verdict};
use crate::metrics::{Answer, Metrics};
use crate::pseudonym::Pseudonyms;
use crate::token::{Access, Denied};

/// How often the log is looked at, so that readiness comes back without a post.
const LOOK: Duration = Duration::from_secs(5);

/// What one post, and all at once, may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `http.max_body`: bytes of a body, packed and unpacked.
    pub body_bytes: usize,
    /// Events of one post.
    pub events: usize,
    /// Posts that are read, judged and written at once.
    pub posts: usize,
    /// How long a body may take to come.
    pub body_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { body_bytes: 16 << 20, events: 100_000, posts: 16, body_time: Duration::from_secs(30) }
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
    /// What posts may use.
    pub limits: Limits,
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
    log: Arc<dyn Log>,
    rules: Rules,
    access: Access,
    limits: Limits,
    posts: Arc<Semaphore>,
    metrics: Metrics,
    condition: Condition,
    clock: Arc<dyn Clock>,
}

impl IntakeState {
    /// Nothing is read or written yet.
    pub fn new(intake: Intake) -> IntakeState {
        let Intake { log, organisations, standards, pseudonyms, access, limits, metrics, condition, clock } =
            intake;
        let rules = Rules { organisations, standards, pseudonyms };
        let posts = Arc::new(Semaphore::new(limits.posts));
        IntakeState(Arc::new(Inner { log, rules, access, limits, posts, metrics, condition, clock }))
    }
}

impl fmt::Debug for IntakeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntakeState").field("access", &self.0.access).finish_non_exhaustive()
    }
}

/// The routes of the door.
pub fn router(state: IntakeState) -> Router {
    let bound = DefaultBodyLimit::max(state.0.limits.body_bytes);
    Router::new().route("/v1/events", post(events).layer(bound)).with_state(state)
}

/// Looks at the log now and then until the shutdown begins: a door that is not ready gets no posts that could tell it
/// that the log is back.
pub async fn watch_log(state: IntakeState, shutdown: Shutdown) {
    while !shutdown.is_begun() {
        let inner = state.0.clone();
        let looked = tokio::task::spawn_blocking(move || inner.log.ends(topics::EVENTS).map(|_| ())).await;
        match looked {
            Ok(Ok(())) => state.0.condition.holds(),
            Ok(Err(error)) => state.0.condition.waits(error.to_string()),
            Err(_) => state.0.condition.waits("the log could not be looked at"),
        }
        tokio::select! {
            () = shutdown.begun() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Why a post is not judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum PostError {
    #[error("a bearer token is needed in the authorization header, and it must be ours")]
    Unknown,
    #[error(
        "a web page may not post here; programs on this machine may, and a page with a token where one is set"
    )]
    FromAPage,
    #[error("content-encoding must be gzip or none")]
    Encoding,
    #[error("the body did not come within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("the body broke off")]
    BrokenOff,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("too much at once; send the whole again in a second")]
    Busy,
    #[error("the log is away; none, some or all was taken: send the whole again")]
    Away,
}

impl PostError {
    fn answer(&self) -> (StatusCode, Answer) {
        match self {
            PostError::Unknown => (StatusCode::UNAUTHORIZED, Answer::Denied),
            PostError::FromAPage => (StatusCode::FORBIDDEN, Answer::Denied),
            PostError::Encoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Answer::Encoding),
            PostError::Slow(_) => (StatusCode::REQUEST_TIMEOUT, Answer::Slow),
            PostError::Body(BodyError::TooLarge(_) | BodyError::TooMany(_)) => {
                (StatusCode::PAYLOAD_TOO_LARGE, Answer::TooLarge)
            }
            PostError::BrokenOff | PostError::Body(BodyError::NotGzip | BodyError::NotJson) => {
                (StatusCode::BAD_REQUEST, Answer::NotABody)
            }
            PostError::Busy => (StatusCode::TOO_MANY_REQUESTS, Answer::Busy),
            PostError::Away => (StatusCode::SERVICE_UNAVAILABLE, Answer::Away),
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

async fn events(State(state): State<IntakeState>, request: Request) -> Response {
    let metrics = &state.0.metrics;
    match take_post(&state.0, request).await {
        Ok(judged) => {
            metrics.posts.of(Answer::Judged).inc();
            axum::Json(judged).into_response()
        }
        Err(error) => {
            let (status, answer) = error.answer();
            metrics.posts.of(answer).inc();
            told(&error, status)
        }
    }
}

fn told(error: &PostError, status: StatusCode) -> Response {
    #[derive(Serialize)]
    struct Told {
        error: String,
    }
    let mut response = (status, axum::Json(Told { error: error.to_string() })).into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

async fn take_post(inner: &Arc<Inner>, request: Request) -> Result<Judged, PostError> {
    let headers = request.headers();
    inner.access.check(headers).map_err(|denied| match denied {
        Denied::Unknown => PostError::Unknown,
        Denied::FromAPage => PostError::FromAPage,
    })?;
    let packed = is_packed(headers)?;
    let form = Form::of(headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()));
    // Before the body is read: so bodies at once have a bound too.
    let permit = inner.posts.clone().try_acquire_owned().map_err(|_| PostError::Busy)?;
    let bytes = whole(request, inner.limits).await?;
    inner.metrics.bytes.inc_by(bytes.len() as u64);
    let started = inner.clock.monotonic();
    let working = inner.clone();
    let work = move || working.work(&bytes, packed, form, permit);
    let judged = tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        tracing::error!("judging a post ended in a panic");
        Err(PostError::Away)
    });
    inner.metrics.post_seconds.observe((inner.clock.monotonic() - started).as_secs_f64());
    judged
}

fn is_packed(headers: &HeaderMap) -> Result<bool, PostError> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(false) };
    match encoding.as_bytes() {
        bytes if bytes.eq_ignore_ascii_case(b"gzip") => Ok(true),
        bytes if bytes.eq_ignore_ascii_case(b"identity") || bytes.is_empty() => Ok(false),
        _ => Err(PostError::Encoding),
    }
}

/// The whole body as it came; its bound is a layer of the router.
async fn whole(request: Request, limits: Limits) -> Result<Bytes, PostError> {
    match tokio::time::timeout(limits.body_time, Bytes::from_request(request, &())).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(BodyError::TooLarge(limits.body_bytes).into())
        }
        Ok(Err(_)) => Err(PostError::BrokenOff),
        Err(_) => Err(PostError::Slow(limits.body_time)),
    }
}

/// A post whose events have their verdicts.
#[derive(Default)]
struct Sorted {
    events: Vec<NewRecord>,
    returns: Vec<NewRecord>,
    refusals: Vec<(usize, Box<Refusal>)>,
}

impl Inner {
    /// Judges and writes; blocks until the log has everything.
    fn work(
        &self,
        body: &[u8],
        packed: bool,
        form: Form,
        _permit: OwnedSemaphorePermit,
    ) -> Result<Judged, PostError> {
        let unpacked;
        let body = if packed {
            unpacked = body::gunzip(body, self.limits.body_bytes)?;
            &unpacked
        } else {
            body
        };
        let sorted = self.sort(&body::events(body, form, self.limits.events)?);
        let refused: Vec<NewRecord> = sorted.refusals.iter().map(|(_, refusal)| record(refusal)).collect();
        // Events first: sent again after a failure they change nothing, while a refusal would be kept twice.
        self.append(topics::EVENTS, &sorted.events)?;
        self.append(topics::RETURNS, &sorted.returns)?;
        self.append(topics::REFUSALS, &refused)?;
        self.condition.holds();
        Ok(self.tell(sorted))
    }

    fn sort(&self, events: &[&[u8]]) -> Sorted {
        let now = Millis(self.clock.now_ms());
        let mut sorted = Sorted::default();
        for (index, bytes) in events.iter().enumerate() {
            match self.rules.judge(bytes, now) {
                Verdict::Taken(topic, record) if topic == topics::RETURNS => sorted.returns.push(record),
                Verdict::Taken(_, record) => sorted.events.push(record),
                Verdict::Refused(refusal) => sorted.refusals.push((index, refusal)),
            }
        }
        sorted
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<(), PostError> {
        if records.is_empty() {
            return Ok(());
        }
        match self.log.append(topic, records) {
            Ok(_) => Ok(()),
            Err(LogError::Full) => Err(PostError::Busy),
            Err(
                error @ (LogError::Unavailable(_)
                | LogError::NoTopic(_)
                | LogError::OutOfRange { .. }
                | LogError::Misconfigured(_)
                | LogError::Storage(_)),
            ) => {
                self.condition.waits(error.to_string());
                Err(PostError::Away)
            }
        }
    }

    fn tell(&self, sorted: Sorted) -> Judged {
        let taken = (sorted.events.len() + sorted.returns.len()) as u64;
        self.metrics.judged(taken, sorted.refusals.iter().map(|(_, refusal)| refusal.reason));
        let refused = sorted.refusals.into_iter().map(|(index, refusal)| RefusedEvent {
            index,
            reason: refusal.reason.as_str(),
            detail: refusal.detail,
        });
        Judged { taken, refused: refused.collect() }
    }
}

/// A refusal as a record of the refusals topic.
pub(crate) fn record(refusal: &Refusal) -> NewRecord {
    let mut value = Vec::new();
    refusal::encode(refusal, &mut value);
    NewRecord { key: refusal.source.clone().into_bytes(), value, protobuf: true, partition: None }
}

#[cfg(test)]
mod tests;
