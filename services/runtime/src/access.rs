//! Who may ask a service to do something: bearer tokens, each with what it may do and for whom, or, where no token is
//! set, whoever is on this machine.
//!
//! Tokens are kept as SHA-256 digests: they are long and random, so a slow hash would add nothing. The file of tokens is
//! looked at again while the process runs, so that one can be replaced without a restart. What a source or an
//! organisation is, is not known here: they are texts, and the service that asks compares them.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, ORIGIN};
use prometheus::{IntCounter, IntGauge, Registry};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::metrics::{self, MetricsError};
use crate::shutdown::Shutdown;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sending events.
    Events,
    /// Acknowledging and closing alerts, and silencing.
    Alerts,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 2] = [Scope::Events, Scope::Alerts];

    /// As it stands in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Events => "events",
            Scope::Alerts => "alerts",
        }
    }
}

/// What a token grants: one `[[token]]` of the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who has the token: shown in logs, and as who acknowledged.
    pub name: String,
    /// SHA-256 of the token, 64 hexadecimal digits.
    #[serde(deserialize_with = "digest_text")]
    sha256: [u8; 32],
    /// The sources that it may speak as: each a name, or its beginning and `*`.
    #[serde(default)]
    pub sources: Vec<String>,
    /// The organisations that it may speak for, each with everything below it; `*` is every one.
    #[serde(default)]
    pub orgs: Vec<String>,
    /// What it may be used for.
    #[serde(default = "events_only")]
    pub scopes: Vec<Scope>,
}

impl Grant {
    /// What may do everything: programs on this machine, and the one token of a small deployment.
    pub fn everything(name: &str) -> Grant {
        let all = || vec!["*".to_owned()];
        let scopes = Scope::ALL.to_vec();
        Grant { name: name.to_owned(), sha256: [0; 32], sources: all(), orgs: all(), scopes }
    }

    /// Whether it may speak as this source.
    pub fn speaks_as(&self, source: &str) -> bool {
        self.sources.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => source.starts_with(start),
            None => pattern == source,
        })
    }

    /// Whether it may speak for an organisation, given by the codes of itself and of all that it is below of.
    pub fn speaks_for<'a>(&self, mut codes: impl Iterator<Item = &'a str>) -> bool {
        self.speaks_for_all() || codes.any(|code| self.orgs.iter().any(|org| org == code))
    }

    /// Whether it may speak for every organisation.
    pub fn speaks_for_all(&self) -> bool {
        self.orgs.iter().any(|org| org == "*")
    }

    /// Why it cannot be used as it stands, if so.
    fn wrong(&self, known: &dyn Fn(&str) -> bool) -> Option<String> {
        if self.name.is_empty() || self.name.len() > 64 || self.name.chars().any(char::is_control) {
            return Some("name: write 1 to 64 bytes that say who has it".to_owned());
        }
        if let Some(source) = self.sources.iter().find(|source| !is_pattern(source)) {
            return Some(format!(
                "sources: {source:?} is no source (a-z 0-9 . _ -), nor its beginning and *"
            ));
        }
        if let Some(org) = self.orgs.iter().find(|org| *org != "*" && !known(org)) {
            return Some(format!("orgs: {org:?} is not in organisations.csv, nor is it \"*\""));
        }
        if self.scopes.contains(&Scope::Events) && (self.sources.is_empty() || self.orgs.is_empty()) {
            return Some("sources and orgs: who sends events names at least one of each".to_owned());
        }
        None
    }
}

fn events_only() -> Vec<Scope> {
    vec![Scope::Events]
}

/// Whether it is a source, or the beginning of some and `*`, as `sources` of a token has it.
pub fn is_pattern(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    let plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    plain && !text.is_empty() && name.len() <= 64
}

fn digest_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(from)?;
    from_hex(&text)
        .ok_or_else(|| serde::de::Error::custom("write the 64 digits that `sitrep token new` gives"))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The digest of a token, as it stands in the file.
pub fn digest_hex(token: &str) -> String {
    digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why nobody's access can be decided.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No token, and an address that others can reach.
    #[error(
        "a token is required where others than this machine can ask; set one, or listen on 127.0.0.1 and not on {0}"
    )]
    NoToken(IpAddr),
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file holds something else than tokens.
    #[error("{path}: {what}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where and what, and what would be right; never a token.
        what: String,
    },
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token, or none of ours: 401.
    #[error("a bearer token is needed in the authorization header, and it must be ours")]
    Unknown,
    /// The token is not for this: 403.
    #[error("this token may not be used for {}", .0.as_str())]
    NotForThis(Scope),
    /// It comes from a web page, which must not use a machine that asks for no token: 403.
    #[error(
        "a web page may not do this here; programs on this machine may, and a page with a token where one is set"
    )]
    FromAPage,
}

/// Where tokens come from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// One token that may do everything. An empty one is none.
    pub single: Option<&'a str>,
    /// A file of tokens; an empty path is none.
    pub file: &'a Path,
    /// Where the service listens.
    pub address: IpAddr,
}

type Known = dyn Fn(&str) -> bool + Send + Sync;

/// Who may ask. Clones are the same.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    single: Option<Arc<Grant>>,
    file: Option<TokenFile>,
    metrics: AccessMetrics,
}

struct TokenFile {
    path: PathBuf,
    known: Box<Known>,
    read: RwLock<Read>,
}

struct Read {
    text: Vec<u8>,
    grants: Vec<Arc<Grant>>,
}

/// What is counted about tokens.
#[derive(Clone, Debug)]
pub struct AccessMetrics {
    tokens: IntGauge,
    failures: IntCounter,
}

impl AccessMetrics {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> Result<AccessMetrics, MetricsError> {
        let tokens = metrics::gauge(registry, "sitrep_access_tokens", "Tokens that are known.")?;
        let help = "Times that the file of tokens was found changed and could not be used.";
        let failures = metrics::counter(registry, "sitrep_access_reload_failures_total", help)?;
        Ok(AccessMetrics { tokens, failures })
    }
}

impl Access {
    /// Reads the tokens. `known`: whether there is an organisation of that code.
    pub fn new(
        sources: Sources<'_>,
        known: impl Fn(&str) -> bool + Send + Sync + 'static,
        metrics: AccessMetrics,
    ) -> Result<Access, AccessError> {
        let single = sources.single.filter(|token| !token.is_empty());
        let single = single.map(|token| {
            Arc::new(Grant { sha256: digest(token.as_bytes()), ..Grant::everything("http.token") })
        });
        let file = if sources.file.as_os_str().is_empty() {
            None
        } else {
            let (path, known) = (sources.file.to_owned(), Box::new(known));
            let text = read(&path)?;
            let grants = parse(&path, &text, &*known)?.unwrap_or_default();
            Some(TokenFile { path, known, read: RwLock::new(Read { text, grants }) })
        };
        if single.is_none() && file.is_none() && !sources.address.is_loopback() {
            return Err(AccessError::NoToken(sources.address));
        }
        let access = Access(Arc::new(Inner { single, file, metrics }));
        access.0.metrics.tokens.set(access.grants().len() as i64);
        Ok(access)
    }

    /// In a few words for a person.
    pub fn describe(&self) -> String {
        match (self.grants().len(), &self.0.file) {
            (0, None) => "no token: this machine only".to_owned(),
            (1, _) => "1 token".to_owned(),
            (tokens, _) => format!("{tokens} tokens"),
        }
    }

    /// What the request may do, if it may do this.
    pub fn check(&self, headers: &HeaderMap, scope: Scope) -> Result<Arc<Grant>, Denied> {
        if self.0.single.is_none() && self.0.file.is_none() {
            let page = headers.contains_key(ORIGIN);
            return if page {
                Err(Denied::FromAPage)
            } else {
                Ok(Arc::new(Grant::everything("this machine")))
            };
        }
        let given = digest(bearer(headers).ok_or(Denied::Unknown)?);
        // Every token is looked at, whichever is the right one, and in constant time.
        let mut found = None;
        for grant in self.grants() {
            if bool::from(grant.sha256.ct_eq(&given)) {
                found = Some(grant);
            }
        }
        let grant = found.ok_or(Denied::Unknown)?;
        if grant.scopes.contains(&scope) { Ok(grant) } else { Err(Denied::NotForThis(scope)) }
    }

    /// Looks at the file now and then until the shutdown begins. One that cannot be used changes nothing, and is said.
    pub async fn watch(self, shutdown: Shutdown) {
        if self.0.file.is_none() {
            return;
        }
        shutdown.meanwhile(LOOK, move || self.look()).await;
    }

    /// Reads the file again, if it has changed.
    fn look(&self) {
        let Some(file) = &self.0.file else { return };
        let text = read(&file.path);
        let read = || file.read.read().unwrap_or_else(PoisonError::into_inner);
        if text.as_ref().is_ok_and(|text| *text == read().text) {
            return;
        }
        match text.and_then(|text| Ok((changed(&file.path, &text, &*file.known)?, text))) {
            Ok((grants, text)) => {
                tracing::info!(tokens = grants.len(), "the tokens have changed");
                *file.read.write().unwrap_or_else(PoisonError::into_inner) = Read { text, grants };
                self.0.metrics.tokens.set(self.grants().len() as i64);
            }
            Err(error) => {
                self.0.metrics.failures.inc();
                tracing::warn!(%error, "the tokens have changed and cannot be used: the old ones stand");
            }
        }
    }

    fn grants(&self) -> Vec<Arc<Grant>> {
        let file = self.0.file.as_ref().map(|file| file.read.read().unwrap_or_else(PoisonError::into_inner));
        let of_file = file.iter().flat_map(|read| read.grants.iter());
        self.0.single.iter().chain(of_file).cloned().collect()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("tokens", &self.grants().len()).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AccessError> {
    std::fs::read(path).map_err(|source| AccessError::Unreadable { path: path.to_owned(), source })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensFile {
    token: Option<Vec<Grant>>,
}

type Grants = Vec<Arc<Grant>>;

/// The tokens of a file that was found changed. One that names none is most likely being written: nobody is locked out
/// by that.
fn changed(path: &Path, text: &[u8], known: &dyn Fn(&str) -> bool) -> Result<Grants, AccessError> {
    parse(path, text, known)?.ok_or_else(|| {
        let what = "it names no token; write token = [] if nobody is to have one".to_owned();
        AccessError::Wrong { path: path.to_owned(), what }
    })
}

/// The tokens of a file; `None`: it does not say `token` at all.
fn parse(path: &Path, text: &[u8], known: &dyn Fn(&str) -> bool) -> Result<Option<Grants>, AccessError> {
    let wrong = |what: String| AccessError::Wrong { path: path.to_owned(), what };
    let text = std::str::from_utf8(text).map_err(|_| wrong("not UTF-8".to_owned()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(place(text, &error)))?;
    let file: TokensFile = serde_path_to_error::deserialize(table)
        .map_err(|error| wrong(format!("{}: {}", error.path(), error.inner().message())))?;
    let Some(tokens) = file.token else { return Ok(None) };
    for (index, grant) in tokens.iter().enumerate() {
        if let Some(what) = grant.wrong(known) {
            return Err(wrong(format!("token {} ({:?}): {what}", index + 1, grant.name)));
        }
        let twice = tokens[..index].iter().any(|other| other.sha256 == grant.sha256);
        if twice {
            return Err(wrong(format!(
                "token {} ({:?}): the same sha256 stands before",
                index + 1,
                grant.name
            )));
        }
    }
    Ok(Some(tokens.into_iter().map(Arc::new).collect()))
}

/// Where and what, without the line itself: somebody may have written the token there.
fn place(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    format!("line {line}: {}", error.message().trim())
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests;
