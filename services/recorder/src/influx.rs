//! The write client of InfluxDB 2, which VictoriaMetrics understands too: `POST {base}/api/v2/write` with a gzip body.
//!
//! Responsible for one attempt and for what its answer means. It keeps a path before `/api` (an ingress with a prefix),
//! bounds its own time, and never follows a redirect with our token.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};

use crate::sink::{Attempt, Away, AwayReason, Refused, RefusedReason, Sink};

/// Of an answer's text at most this many bytes are read.
const ANSWER_BYTES: usize = 4_096;
/// Of an answer's text at most this many characters are told.
const DETAIL_CHARACTERS: usize = 300;

/// Where the store is and how we may write to it.
#[derive(Clone)]
pub struct Settings {
    /// `http://…` or `https://…`, a path before `/api` included.
    pub url: String,
    /// The organisation that owns the bucket.
    pub org: String,
    /// The bucket; for VictoriaMetrics anything.
    pub bucket: String,
    /// The token; empty for none.
    pub token: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a whole request may take.
    pub request_timeout: Duration,
}

impl Settings {
    /// Settings with the usual time-outs.
    pub fn new(url: &str, org: &str, bucket: &str, token: &str) -> Settings {
        Settings {
            url: url.to_owned(),
            org: org.to_owned(),
            bucket: bucket.to_owned(),
            token: token.to_owned(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
        }
    }

    /// The base address, checked.
    pub(crate) fn base(&self) -> Result<Url, InfluxError> {
        let url = Url::parse(&self.url).map_err(|source| InfluxError::Url(source.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(InfluxError::Url("it must begin with http:// or https:// and name a host".into()));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(InfluxError::Url("it must hold no user, password or query".into()));
        }
        Ok(url)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_empty() { "none" } else { "(hidden)" };
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("org", &self.org)
            .field("bucket", &self.bucket)
            .field("token", &token)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .finish()
    }
}

/// Why the client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InfluxError {
    /// The address.
    #[error("the store's address is wrong: {0}")]
    Url(String),
    /// The token.
    #[error("the store's token holds a character that a header cannot carry")]
    Token,
    /// The HTTP client.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// A client that writes to one bucket.
pub struct Influx {
    client: reqwest::Client,
    write_url: Url,
    authorization: Option<HeaderValue>,
}

impl Influx {
    /// Checks the settings; nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Influx, InfluxError> {
        let mut write_url = settings.base()?;
        write_url
            .path_segments_mut()
            .map_err(|()| InfluxError::Url("it cannot have a path".into()))?
            .pop_if_empty()
            .extend(["api", "v2", "write"]);
        write_url
            .query_pairs_mut()
            .append_pair("org", &settings.org)
            .append_pair("bucket", &settings.bucket)
            .append_pair("precision", "ns");
        let client = reqwest::Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.request_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(InfluxError::Client)?;
        Ok(Influx { client, write_url, authorization: authorization(&settings.token)? })
    }

    async fn post(&self, body: Vec<u8>) -> Attempt {
        let mut request = self
            .client
            .post(self.write_url.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_ENCODING, "gzip")
            .body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        match request.send().await {
            Ok(response) => answered(response).await,
            Err(error) => Attempt::Away(unanswered(&error)),
        }
    }
}

impl Sink for Influx {
    async fn write(&self, lines: &[u8]) -> Attempt {
        self.post(gzip(lines)).await
    }

    async fn probe(&self) -> Attempt {
        self.post(gzip(b"")).await
    }
}

fn authorization(token: &str) -> Result<Option<HeaderValue>, InfluxError> {
    if token.is_empty() {
        return Ok(None);
    }
    let mut value = HeaderValue::from_str(&format!("Token {token}")).map_err(|_| InfluxError::Token)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Lines are much alike: the fastest level leaves about a tenth.
fn gzip(lines: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 8 + 64), Compression::fast());
    encoder.write_all(lines).expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything")
}

/// No answer: what was sent may be written, unless there was no connection.
fn unanswered(error: &reqwest::Error) -> Away {
    let reason = if error.is_timeout() { AwayReason::TimedOut } else { AwayReason::Unreachable };
    let mut detail = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        if !detail.is_empty() {
            detail.push_str(": ");
        }
        detail.push_str(&error.to_string());
        cause = error.source();
    }
    let detail = told(detail.as_bytes());
    Away { reason, retry_after: None, perhaps_written: !error.is_connect(), detail }
}

async fn answered(response: reqwest::Response) -> Attempt {
    let status = response.status();
    if status.is_success() {
        return Attempt::Written;
    }
    let retry_after = response.headers().get(RETRY_AFTER).and_then(seconds);
    let text = beginning(response).await;
    judge(status, retry_after, &text)
}

/// `Retry-After` in seconds. Its other form, a date, would need a clock that agrees with the store's: our own waits
/// hold then.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

async fn beginning(mut response: reqwest::Response) -> Vec<u8> {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_BYTES.saturating_sub(text.len()).min(chunk.len());
        text.extend_from_slice(&chunk[..room]);
        if room < chunk.len() {
            break;
        }
    }
    text
}

/// What a status that is no success means. Only 400, 413 and 422 are about the lines: everything else is retried.
fn judge(status: StatusCode, retry_after: Option<Duration>, text: &[u8]) -> Attempt {
    let detail = format!("{} {}", status.as_u16(), told(text));
    let refused =
        |reason| Attempt::Refused(Refused { reason, dropped: dropped(text), detail: detail.clone() });
    let away = |reason, perhaps_written| {
        Attempt::Away(Away { reason, retry_after, perhaps_written, detail: detail.clone() })
    };
    match status.as_u16() {
        400 => refused(RefusedReason::Malformed),
        413 => refused(RefusedReason::TooLarge),
        422 if contains(text, b"field type conflict") => refused(RefusedReason::FieldConflict),
        422 if contains(text, b"outside retention policy") => refused(RefusedReason::OutsideRetention),
        422 => refused(RefusedReason::Unprocessable),
        429 => away(AwayReason::Throttled, false),
        401 | 403 => away(AwayReason::NotAllowed, false),
        404 => away(AwayReason::NotFound, false),
        503 => away(AwayReason::Unavailable, false),
        408 | 500..=599 => away(AwayReason::Unavailable, true),
        _ => away(AwayReason::Unexpected, true),
    }
}

/// The number after the last `dropped=`.
fn dropped(text: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(text);
    let (_, after) = text.rsplit_once("dropped=")?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    after[..digits].parse().ok()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A store's text as it may stand in a log: cut, on one line.
fn told(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().take(DETAIL_CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
