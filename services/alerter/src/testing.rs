//! What tests of several modules need: a small England, the configuration, a rule, an HTTP server.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::alert::value::{Decimal, Value};
use domain::date::Date;
use domain::measures::{
    DEFAULT_WINDOWS, Freshness, Measure, OrgMinute, Revision, Series, SeriesKey, TypeTag, Values, Window,
};
use domain::opel::{Framework, Provenance, Total};
use domain::organisations::{Level, Organisations, Row};
use domain::target::{Step, Target, Targets};
use domain::time::Minute;
use prometheus::Registry;

use crate::config::AlertConfig;
use crate::metrics::AlertMetrics;
use crate::rules::{RuleSet, Surroundings, load_rules};

/// As `config/default.toml` has them.
const CONFIG: &str = r#"
rules = "config/alerts.toml"
max_age = "5m"
ends_after = "1h"
repeat = "5m"
retry_first = "1s"
retry_most = "5m"
timeout = "10s"
in_flight = 16
checkpoint_every = "5s"
silences = 1000
outbox = 100000
link = "http://127.0.0.1:8080/?org={org}"
"#;

/// The shipped configuration with one line replaced.
pub(crate) fn config(line: &str) -> AlertConfig {
    let mut table: toml::Table = CONFIG.parse().unwrap();
    table.extend(line.parse::<toml::Table>().unwrap());
    table.try_into().unwrap()
}

pub(crate) fn organisations() -> Arc<Organisations> {
    let rows = "ENG,England,nation,,\nR1,A trust,trust,ENG,\nS1,St Elsewhere,site,R1,1\nS2,Öther,site,R1,3\nA1,Ambulances,service,ENG,";
    let rows: Vec<Row> = rows
        .lines()
        .map(|line| {
            let mut cells = line.split(',').map(str::to_owned);
            let mut next = || cells.next().unwrap_or_default();
            Row { code: next(), name: next(), level: next(), parent: next(), department_type: next() }
        })
        .collect();
    Arc::new(Organisations::new(&rows).unwrap())
}

pub(crate) fn rules(text: &str) -> Arc<RuleSet> {
    let organisations = organisations();
    let surroundings = Surroundings {
        organisations: &organisations,
        windows: &DEFAULT_WINDOWS,
        targets: &targets(),
        frameworks: &frameworks(),
    };
    Arc::new(load_rules(text, surroundings).unwrap_or_else(|error| panic!("{error}")))
}

/// Two targets: 95 % of the four-hour standard until 20 November 2026, 78 % from then on.
pub(crate) fn targets() -> Targets {
    let step = |from, value| Step {
        from: Date::parse(from).unwrap(),
        to: None,
        value: Decimal::parse(value).unwrap(),
        source: "somebody".to_owned(),
        verified: true,
    };
    let value = Value::ratio(Measure::AeFourHour, "within", "departed").unwrap();
    let steps = vec![step("2010-07-01", "0.95"), step("2026-11-21", "0.78")];
    Targets { targets: vec![Target { value, series: Vec::new(), level: None, steps }] }
}

/// A verified framework and one that is not.
pub(crate) fn frameworks() -> Vec<Framework> {
    let framework = |id: &str, verified: bool| {
        let provenance = Provenance { source: "somebody".to_owned(), verified };
        Framework {
            id: id.to_owned(),
            title: id.to_owned(),
            from: None,
            to: None,
            department_types: Vec::new(),
            fall_minutes: 0,
            parameters: Vec::new(),
            total: Some(Total { levels: Vec::new(), needs: 1, provenance }),
            weights: Vec::new(),
            locals: Vec::new(),
        }
    };
    vec![framework("sure", true), framework("unsure", false)]
}

pub(crate) fn metrics() -> AlertMetrics {
    AlertMetrics::new(&Registry::new()).unwrap()
}

/// `ae_four_hour`, type 1, 4 h of a site.
pub(crate) fn four_hour(org: &str, minute: u32, n: u32, within: i64, departed: i64) -> OrgMinute {
    let key = SeriesKey {
        measure: Measure::AeFourHour,
        tag: TypeTag::One.into(),
        window: Some(Window::Rolling(240)),
    };
    let mut values = Values::default();
    (values[0], values[1]) = (departed, within);
    OrgMinute {
        level: Level::Site,
        org: org.to_owned(),
        minute: Minute(minute),
        revision: Revision { epoch: 1, n },
        freshness: Freshness::default(),
        restated: false,
        series: vec![Series { key, values }],
    }
}

/// What a request was: path, headers, body.
type Seen = (String, HeaderMap, serde_json::Value);

/// Status, headers, body.
pub(crate) type Answer = (u16, Vec<(&'static str, &'static str)>, String);

/// A server that answers everything in one way, and remembers what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    /// None: never answers.
    pub(crate) answer: Option<Answer>,
}

async fn answer(
    State(receiver): State<Receiver>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or_default();
    receiver.seen.lock().unwrap().push((uri.path().to_owned(), headers, body));
    match receiver.answer {
        None => std::future::pending().await,
        Some((status, headers, body)) => {
            let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
            answer
        }
    }
}

/// Serves on a free port of this machine; gives the address.
pub(crate) async fn serve(receiver: Receiver) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(receiver);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
