//! HTTP of the board (spec 4.2): the page, its stream of changes, and the figures as JSON. Reading only.
//!
//! The page and what belongs to it are compiled in. The policy that is sent with everything lets a browser run only
//! these files: a name that comes from a feed stays text.

mod measures;
mod overdue;
mod stream;
mod targets;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::measures::Window;
use domain::organisations::Organisations;
use domain::standard::Standards;
use domain::target::Targets;
use domain::time::{LondonDays, Minute, rfc3339};
use runtime::clock::Clock;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::live::Live;
use crate::metrics::Metrics;
use crate::read::Reader;
use crate::store::StoreError;

/// How many requests read the store at a time; the others wait.
const READERS: usize = 4;

/// What the answers may use: `[board]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Browsers that watch at a time; one more is answered 503.
    pub streams: usize,
    /// Points of one answer of `/v1/measures`; more are refused with the step that would do.
    pub answer_points: u64,
}

/// What the answers are made from.
#[derive(Debug)]
pub struct Board {
    live: Arc<Live>,
    readers: Readers,
    streams: Arc<Semaphore>,
    limits: Limits,
    clock: ClockBox,
    metrics: Metrics,
    tables: Tables,
    days: Arc<LondonDays>,
}

/// What is shown beside the figures.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// The dated targets.
    pub targets: Targets,
    /// The periodic standards, for overdue returns.
    pub standards: Standards,
    /// The windows that are published; empty: not known, as of a kept store.
    pub windows: Vec<Window>,
}

impl Board {
    /// `dir`: the folder of the store.
    pub fn new(
        live: Arc<Live>,
        dir: &std::path::Path,
        limits: Limits,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        tables: Tables,
    ) -> Arc<Board> {
        Arc::new(Board {
            live,
            readers: Readers {
                dir: dir.to_owned(),
                idle: Mutex::new(Vec::new()),
                permits: Semaphore::new(READERS),
            },
            streams: Arc::new(Semaphore::new(limits.streams)),
            limits,
            clock: ClockBox(clock),
            metrics,
            tables,
            days: Arc::new(LondonDays::new()),
        })
    }

    fn organisations(&self) -> &Organisations {
        self.live.organisations()
    }
}

/// The routes of the board, to be merged with others. Must be served within a tokio runtime.
pub fn router(board: Arc<Board>) -> Router {
    let mut router = Router::new()
        .route("/v1/measures", get(measures::measures))
        .route("/v1/organisations", get(organisations))
        .route("/v1/overdue", get(overdue::overdue))
        .route("/v1/alerts", get(alerts))
        .route("/v1/live", get(stream::live));
    for (path, content_type, text) in FILES {
        let headers = [(header::CONTENT_TYPE, *content_type), (header::CACHE_CONTROL, "no-cache")];
        router = router.route(path, get(move || async move { (headers, *text) }));
    }
    router.layer(map_response(protected)).with_state(board)
}

/// The page and what it loads: path, content type, text.
const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("../pages/index.html")),
    ("/static/board.css", "text/css; charset=utf-8", include_str!("../static/board.css")),
    ("/static/board.js", JAVASCRIPT, include_str!("../static/board.js")),
    ("/static/chart.js", JAVASCRIPT, include_str!("../static/chart.js")),
    ("/static/detail.js", JAVASCRIPT, include_str!("../static/detail.js")),
    ("/static/format.js", JAVASCRIPT, include_str!("../static/format.js")),
    ("/static/strip.js", JAVASCRIPT, include_str!("../static/strip.js")),
    ("/static/table.js", JAVASCRIPT, include_str!("../static/table.js")),
    ("/static/tiles.js", JAVASCRIPT, include_str!("../static/tiles.js")),
    ("/static/icon.svg", "image/svg+xml", include_str!("../static/icon.svg")),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Only our own files run and only our own server is asked; no frame, no form, no inline script or style.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async fn protected(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Serialize)]
struct OrganisationView<'a> {
    code: &'a str,
    name: &'a str,
    level: &'static str,
    parent: Option<&'a str>,
    department_type: Option<u8>,
}

/// `GET /v1/organisations`: every organisation in the order of the table.
async fn organisations(
    State(board): State<Arc<Board>>,
    Query(asked): Query<Vec<(String, String)>>,
) -> Response {
    if let Some(refusal) = no_parameter(&asked) {
        return refusal.into_response();
    }
    let table = board.organisations();
    let views: Vec<_> = table
        .iter()
        .map(|(_, org)| OrganisationView {
            code: &org.code,
            name: &org.name,
            level: org.level.as_str(),
            parent: org.parent.map(|parent| table.get(parent).code.as_str()),
            department_type: org.department_type.map(|tag| tag as u8),
        })
        .collect();
    json(&serde_json::json!({ "organisations": views }))
}

/// `GET /v1/alerts?from=…&org=…`: the episodes that were open at some time since `from` (by default: all that are kept).
async fn alerts(State(board): State<Arc<Board>>, Query(asked): Query<Vec<(String, String)>>) -> Response {
    let (mut from, mut orgs) = (None, Vec::new());
    for (parameter, value) in asked {
        match parameter.as_str() {
            "from" => match instant(&parameter, &value) {
                Ok(minute) => from = Some(minute),
                Err(refusal) => return refusal.into_response(),
            },
            "org" => match value.split(',').find(|code| board.organisations().find(code).is_none()) {
                Some(unknown) => return no_org(unknown).into_response(),
                None => orgs.extend(value.split(',').map(str::to_owned)),
            },
            _ => {
                return Refusal::new(&parameter, "is not a parameter of this; it has from and org")
                    .into_response();
            }
        }
    }
    let mut episodes = board.live.episodes(from.unwrap_or(Minute(0)));
    episodes.retain(|view| orgs.is_empty() || orgs.contains(&view.org));
    json(&serde_json::json!({ "alerts": episodes }))
}

/// Why a question is answered 400: which parameter, and what would be right.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Refusal {
    parameter: String,
    message: String,
}

impl Refusal {
    fn new(parameter: &str, message: impl Into<String>) -> Refusal {
        Refusal { parameter: parameter.to_owned(), message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, json(&serde_json::json!({ "error": self }))).into_response()
    }
}

/// Refuses any parameter.
fn no_parameter(asked: &[(String, String)]) -> Option<Refusal> {
    let (parameter, _) = asked.first()?;
    Some(Refusal::new(parameter, "is not a parameter of this; there is none"))
}

fn no_org(code: &str) -> Refusal {
    Refusal::new("org", format!("{} is not a code of /v1/organisations", quoted(code)))
}

/// A text from outside as it may stand in a message: short, escaped.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("{short:?}")
}

/// An instant as the minute in which it lies.
fn instant(parameter: &str, text: &str) -> Result<Minute, Refusal> {
    rfc3339(text.as_bytes()).map(|millis| millis.second().minute()).ok_or_else(|| {
        let hint =
            "must be an RFC 3339 instant of 2000 to 2099 such as 2026-11-21T14:00:00Z (a + is written %2B)";
        Refusal::new(parameter, hint)
    })
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => failure(&error),
    }
}

fn failure(error: &dyn std::error::Error) -> Response {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain = format!("{chain}: {cause}");
        source = cause.source();
    }
    tracing::error!(error = chain, "a question could not be answered");
    let body = json(&serde_json::json!({ "error": { "message": "the figures cannot be read just now" } }));
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}

/// Connections to the store that are used again.
#[derive(Debug)]
struct Readers {
    dir: std::path::PathBuf,
    idle: Mutex<Vec<Reader>>,
    permits: Semaphore,
}

impl Board {
    /// Runs a question on a thread that may block, with a reader.
    async fn read<T: Send + 'static>(
        self: &Arc<Board>,
        what: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _permit = self.readers.permits.acquire().await.expect("never closed");
        let board = Arc::clone(self);
        let work = move || {
            let idle = board.readers.idle().pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => Reader::open(&board.readers.dir)?,
            };
            let answer = what(&mut reader)?;
            board.readers.idle().push(reader);
            Ok(answer)
        };
        tokio::task::spawn_blocking(work).await.expect("reading does not panic")
    }
}

impl Readers {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock with a `Debug` that shows nothing.
struct ClockBox(Arc<dyn Clock>);

impl std::fmt::Debug for ClockBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
