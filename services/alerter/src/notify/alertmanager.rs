//! Alertmanager, API v2: `POST /api/v2/alerts`.
//!
//! It tells alerts apart by their labels and forgets those that are not told again before `endsAt`: so the labels of an
//! episode never change, and open ones are told again.

use std::time::Duration;

use domain::alert::outbox::{Kind, Notice, Outcome};
use domain::time::{Millis, rfc3339};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use runtime::config::Secret;
use serde_json::{Map, Value, json};

use crate::service::Delivery;

/// How much of an answer is read, bytes.
const ANSWER_BYTES_MAX: usize = 1_024;
/// How much of an answer is shown, characters.
const ANSWER_CHARACTERS_MAX: usize = 200;

/// One Alertmanager.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    client: Client,
    url: String,
    token: Option<Secret>,
}

impl Alertmanager {
    /// The Alertmanager at `base`, which may have a path and has no slash at its end.
    pub fn new(client: Client, base: &str, token: Option<Secret>) -> Alertmanager {
        Alertmanager { client, url: format!("{base}/api/v2/alerts"), token }
    }

    /// Tells it one notice.
    pub async fn send(&self, delivery: &Delivery, now_ms: i64) -> Outcome {
        let alerts = Value::Array(vec![alert(&delivery.notice, delivery.ends_at_ms)]);
        let mut request =
            self.client.post(&self.url).header(CONTENT_TYPE, "application/json").body(alerts.to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        match request.send().await {
            Ok(response) => judged(response, now_ms).await,
            Err(error) => Outcome::Later { after_ms: None, reason: chain(&error.without_url()) },
        }
    }
}

/// 2xx is taken. 401, 403, 408, 429, 5xx and what is no answer of an Alertmanager at all (1xx, 3xx) may be mended and is
/// tried again; another 4xx says that it will never take this.
async fn judged(response: Response, now_ms: i64) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::Taken;
    }
    let after_ms = retry_after_ms(response.headers(), now_ms);
    let reason = format!("{}: {}", status.as_u16(), beginning(response).await);
    let may_be_mended = matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_client_error() && !may_be_mended {
        Outcome::Refused { reason }
    } else {
        Outcome::Later { after_ms, reason }
    }
}

/// The beginning of an answer, cut between characters, on one line.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(ANSWER_CHARACTERS_MAX).collect()
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// `Retry-After` in seconds or as a date, as milliseconds from now.
fn retry_after_ms(headers: &HeaderMap, now_ms: i64) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u32>() {
        Ok(seconds) => i64::try_from(Duration::from_secs(u64::from(seconds)).as_millis()).ok(),
        Err(_) => Some((http_date(text)?.0 - now_ms).max(0)),
    }
}

/// `Sat, 21 Nov 2026 14:07:09 GMT`
fn http_date(text: &str) -> Option<Millis> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = parts[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    rfc3339(format!("{year}-{month:02}-{day}T{time}Z").as_bytes())
}

fn alert(notice: &Notice, ends_at_ms: i64) -> Value {
    let ends_at = Millis(ends_at_ms).second().max(notice.start.start());
    let mut alert = json!({
        "labels": labels(notice),
        "annotations": annotations(notice),
        "startsAt": notice.start.to_string(),
        "endsAt": ends_at.to_string(),
    });
    if !notice.link.is_empty() {
        alert["generatorURL"] = notice.link.clone().into();
    }
    alert
}

fn labels(notice: &Notice) -> Value {
    let mut labels = Map::new();
    for (name, value) in &notice.tags {
        labels.insert(name.clone(), value.clone().into());
    }
    for (name, value) in [
        ("alertname", notice.rule.as_str()),
        ("level", notice.level.as_str()),
        ("org", &notice.org),
        ("name", &notice.name),
        ("severity", notice.severity.as_str()),
    ] {
        labels.insert(name.to_owned(), value.into());
    }
    labels.into()
}

fn annotations(notice: &Notice) -> Value {
    let mut annotations = Map::new();
    let mut put = |name: &str, value: &str| drop(annotations.insert(name.to_owned(), value.into()));
    put("summary", &notice.summary);
    put("value", &notice.value);
    put("threshold", &notice.threshold);
    put("minute", &notice.minute.to_string());
    put("episode", &notice.episode);
    put("sequence", &notice.sequence.to_string());
    put("rule_version", &notice.version);
    if notice.stale {
        put("stale", "the feed behind this figure is silent: the alert stands still until it is heard again");
    }
    match &notice.acknowledged_by {
        Some(by) => put("acknowledged_by", by),
        None if notice.kind == Kind::Resolved => {}
        None => put("note", "an acknowledgement in another app is not seen by sitrep"),
    }
    annotations.into()
}

#[cfg(test)]
mod tests;
