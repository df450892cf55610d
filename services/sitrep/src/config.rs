//! The configuration: `config/default.toml` with a file and `--set` over it, parsed to typed values once.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alerter::config::AlertConfig;
use alerter::rules::{RuleSet, Surroundings, load_rules};
use anyhow::Result;
use domain::engine::Settings;
use domain::event::Disposal;
use domain::figures::WINDOWS_MAX;
use domain::freshness::Patience;
use domain::measures::Window;
use domain::organisations::Organisations;
use runtime::config::{Bytes, Duration, Secret};
use runtime::log::kafka::KafkaConfig;
use runtime::seal::Sealer;
use runtime::tls::TlsConfig;
use serde::Deserialize;

use crate::cli::ConfigArgs;
use crate::{fault, usage};

const DEFAULTS: &str = include_str!("../../../config/default.toml");
const ENGLAND: &[u8] = include_bytes!("../../../config/organisations.csv");
const ALERTS: &str = include_str!("../../../config/alerts.toml");
/// The rules of `sitrep up --demo`.
pub(crate) const DEMO_ALERTS: &str = include_str!("../../../config/demo-alerts.toml");

/// Everything that can be configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) organisations: PathBuf,
    pub(crate) groups: PathBuf,
    pub(crate) areas: PathBuf,
    pub(crate) standards: PathBuf,
    pub(crate) targets: PathBuf,
    pub(crate) opel: Vec<String>,
    pub(crate) log: String,
    pub(crate) http: Http,
    pub(crate) pseudonyms: Pseudonyms,
    pub(crate) intake: crate::feeds::Intake,
    pub(crate) mllp: crate::feeds::Bounds,
    pub(crate) refusals: Refusals,
    pub(crate) kafka: Kafka,
    pub(crate) ledger: Ledger,
    pub(crate) measures: Measures,
    pub(crate) freshness: Freshness,
    pub(crate) restate: Restate,
    pub(crate) checkpoint: Every,
    pub(crate) store: Store,
    pub(crate) board: Wall,
    pub(crate) influx: Influx,
    pub(crate) alert: AlertConfig,
    pub(crate) shutdown: Timeout,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    #[serde(deserialize_with = "address")]
    pub(crate) listen: std::net::SocketAddr,
    pub(crate) max_body: Bytes,
    pub(crate) buffer: Bytes,
    pub(crate) connections: NonZeroU32,
    pub(crate) connections_per_peer: NonZeroU32,
    pub(crate) writes: NonZeroU32,
    pub(crate) turn: Duration,
    pub(crate) post_events: NonZeroU32,
    pub(crate) body_time: Duration,
    pub(crate) tokens: PathBuf,
    pub(crate) token: OptionalSecret,
    pub(crate) tls: TlsConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pseudonyms {
    pub(crate) required: bool,
    pub(crate) key: OptionalSecret,
    pub(crate) accept_new_key: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusals {
    seal_to: String,
    alarm_share: f64,
    alarm_at_least: NonZeroU64,
}

impl Refusals {
    /// What seals refused bytes, if anything. An error is one of usage.
    pub(crate) fn sealer(&self) -> Result<Option<Sealer>> {
        match self.seal_to.as_str() {
            "" => Ok(None),
            key => Sealer::new(key).map(Some).map_err(|error| usage(format!("refusals.seal_to: {error}"))),
        }
    }

    /// When much of what a sender sends is refused. An error is one of usage.
    pub(crate) fn alarm(&self) -> Result<intake::Alarm> {
        if !(0.0..=1.0).contains(&self.alarm_share) {
            return Err(usage("refusals.alarm_share: must be from 0.0 to 1.0"));
        }
        Ok(intake::Alarm { share: self.alarm_share, at_least: self.alarm_at_least.get() })
    }
}

/// `[kafka]`, with the partitions of topics that we make.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kafka {
    brokers: String,
    client_id: String,
    create_topics: bool,
    pub(crate) partitions: u32,
    replication: i32,
    delivery_timeout: Duration,
    fetch_queue: Bytes,
    send_queue: Bytes,
    stall_timeout: Duration,
    properties: std::collections::BTreeMap<String, String>,
}

impl Kafka {
    /// What the client is told.
    pub(crate) fn client(&self) -> KafkaConfig {
        KafkaConfig {
            brokers: self.brokers.clone(),
            client_id: self.client_id.clone(),
            create_topics: self.create_topics,
            replication: self.replication,
            delivery_timeout: self.delivery_timeout,
            fetch_queue: self.fetch_queue,
            send_queue: self.send_queue,
            stall_timeout: self.stall_timeout,
            properties: self.properties.clone(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    pub(crate) horizon: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measures {
    pub(crate) windows: Vec<String>,
    pub(crate) exclude_disposals: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Freshness {
    pub(crate) source: Duration,
    pub(crate) site: Duration,
    pub(crate) retired: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restate {
    pub(crate) delay: Duration,
    pub(crate) budget: NonZeroU64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Every {
    pub(crate) every: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) minutes: Duration,
}

/// `[board]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wall {
    pub(crate) streams: NonZeroU32,
    pub(crate) answer_points: NonZeroU32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Influx {
    pub(crate) url: String,
    pub(crate) victoriametrics: bool,
    pub(crate) org: String,
    pub(crate) bucket: String,
    pub(crate) token: OptionalSecret,
    pub(crate) topic: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timeout {
    pub(crate) timeout: Duration,
}

pub(crate) fn address<'de, D: serde::Deserializer<'de>>(from: D) -> Result<std::net::SocketAddr, D::Error> {
    let wrong = || serde::de::Error::custom("write an address and a port, such as \"127.0.0.1:8080\"");
    String::deserialize(from).map_err(|_| wrong())?.parse().map_err(|_| wrong())
}

/// A secret that may be missing: `{ optional = "NAME" }` is the environment variable NAME if it is set; else as
/// [`Secret`].
#[derive(Clone, Debug)]
pub(crate) struct OptionalSecret(pub(crate) Option<Secret>);

impl<'de> Deserialize<'de> for OptionalSecret {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<OptionalSecret, D::Error> {
        use serde::de::Error;
        let value = toml::Value::deserialize(from)?;
        // The text that stands here may be the secret itself: it is not said again.
        let toml::Value::Table(mut source) = value else {
            return Err(D::Error::custom(
                "a secret is not written here but named: { env = \"NAME\" } or { file = \"/path\" }",
            ));
        };
        // The key of the defaults may be left beside the user's: the user's wins.
        let optional = source.remove("optional");
        if let (Some(toml::Value::String(name)), true) = (optional, source.is_empty()) {
            let set = std::env::var(name).ok().filter(|text| !text.is_empty());
            return Ok(OptionalSecret(set.map(Secret::new)));
        }
        let secret = Secret::deserialize(toml::Value::Table(source))
            .map_err(|error| D::Error::custom(error.message()))?;
        Ok(OptionalSecret(Some(secret)))
    }
}

/// Reads the configuration; an error is one of usage.
pub(crate) fn load(args: &ConfigArgs) -> Result<Config> {
    let mut overrides = Vec::new();
    for text in &args.overrides {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            usage(format!("--set {text}: write KEY=VALUE, such as http.listen=127.0.0.1:8081"))
        })?;
        overrides.push((key.to_owned(), value.to_owned()));
    }
    let config: Config =
        runtime::config::load(DEFAULTS, args.config.as_deref(), &overrides).map_err(fault)?;
    config.alert.check().map_err(fault)?;
    config.check_times()?;
    config.check_sizes()?;
    Ok(config)
}

/// A file's bytes; an error is one of usage and names the file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| usage(format!("{} cannot be read: {error}", path.display())))
}

/// The organisations of a file, England as shipped without one; and the bytes that they were read from.
pub(crate) fn organisations(path: &Path) -> Result<(Arc<Organisations>, Vec<u8>)> {
    let empty = path.as_os_str().is_empty();
    let bytes = if empty { ENGLAND.to_vec() } else { read(path)? };
    let name = if empty { "organisations.csv as shipped".to_owned() } else { path.display().to_string() };
    let organisations =
        contract::organisations::read_csv(&bytes).map_err(|error| usage(format!("{name}: {error}")))?;
    Ok((Arc::new(organisations), bytes))
}

impl Config {
    /// The organisations with their groups and areas, and the bytes that they were read from.
    pub(crate) fn places(&self) -> Result<(Arc<Organisations>, Vec<u8>)> {
        type Reader = fn(Organisations, &[u8]) -> Result<Organisations, contract::organisations::ReadError>;
        let (mut orgs, mut bytes) = organisations(&self.organisations)?;
        let tables: [(&Path, Reader); 2] = [
            (&self.groups, contract::organisations::read_groups),
            (&self.areas, contract::organisations::read_areas),
        ];
        for (path, read_into) in tables {
            bytes.push(0);
            if !path.as_os_str().is_empty() {
                let table = read(path)?;
                let wrong = |error| usage(format!("{}: {error}", path.display()));
                orgs = Arc::new(read_into(Arc::unwrap_or_clone(orgs), &table).map_err(wrong)?);
                bytes.extend_from_slice(&table);
            }
        }
        Ok((orgs, bytes))
    }

    /// What is so short that it would undo what it is for.
    fn check_times(&self) -> Result<()> {
        for (key, time, least_ms, least) in [
            ("freshness.source", self.freshness.source, 60_000, "1m"),
            ("freshness.site", self.freshness.site, 60_000, "1m"),
            ("store.minutes", self.store.minutes, 3_600_000, "1h"),
            ("checkpoint.every", self.checkpoint.every, 100, "100ms"),
        ] {
            if time.as_ms() < least_ms {
                return Err(usage(format!("{key}: must be at least \"{least}\"")));
            }
        }
        Ok(())
    }

    /// A post that may come must have room, or it would be turned away for ever.
    fn check_sizes(&self) -> Result<()> {
        let Http { max_body, buffer, .. } = &self.http;
        if buffer.get() < max_body.get() {
            let least = max_body.get();
            return Err(usage(format!("http.buffer: must be at least http.max_body ({least} bytes)")));
        }
        Ok(())
    }

    /// `ledger.horizon` in minutes.
    pub(crate) fn horizon_minutes(&self) -> Result<u32> {
        let minutes = u32::try_from(self.ledger.horizon.as_ms() / 60_000).unwrap_or(u32::MAX);
        if !(60..=60 * 24 * 60).contains(&minutes) {
            return Err(usage("ledger.horizon: must be from \"1h\" to \"60d\""));
        }
        Ok(minutes)
    }

    /// `ledger.horizon` in days; a part of a day counts as one.
    pub(crate) fn horizon_days(&self) -> u64 {
        (self.ledger.horizon.as_ms() as u64).div_ceil(86_400_000)
    }

    /// How far back the events topic must reach, in days.
    pub(crate) fn events_kept_days(&self) -> u64 {
        self.horizon_days() + crate::topics::BEFORE_HORIZON_DAYS
    }

    /// The windows.
    pub(crate) fn windows(&self) -> Result<Vec<Window>> {
        windows(&self.measures.windows, "measures.windows")
    }

    /// How the engine is set up, and a hash of everything that figures depend on.
    pub(crate) fn engine(&self) -> Result<(Settings, u64)> {
        let (orgs, bytes) = self.places()?;
        let windows = self.windows()?;
        let mut exclude_disposals = Vec::new();
        for name in &self.measures.exclude_disposals {
            let all: Vec<&str> = Disposal::ALL.iter().map(|one| one.as_str()).collect();
            exclude_disposals.push(Disposal::parse(name).ok_or_else(|| {
                usage(format!("measures.exclude_disposals: \"{name}\" is none of {}", all.join(", ")))
            })?);
        }
        let horizon_minutes = self.horizon_minutes()?;
        let mut hashed = bytes;
        for text in self.measures.windows.iter().chain(&self.measures.exclude_disposals) {
            hashed.push(0);
            hashed.extend_from_slice(text.as_bytes());
        }
        hashed.extend_from_slice(&horizon_minutes.to_le_bytes());
        hashed.push(u8::from(self.pseudonyms.required));
        hashed.extend_from_slice(contract::VERSION.as_bytes());
        let tables = self.tables(&orgs, &windows)?;
        hashed.extend_from_slice(tables.text.as_bytes());
        let settings = Settings {
            orgs,
            standards: tables.standards,
            frameworks: Arc::new(tables.frameworks),
            windows,
            exclude_disposals,
            horizon_minutes,
            patience: Patience {
                source_ms: self.freshness.source.as_ms(),
                site_ms: self.freshness.site.as_ms(),
                retired: self.freshness.retired.clone(),
            },
        };
        Ok((settings, xxhash_rust::xxh3::xxh3_64(&hashed)))
    }

    /// The rules; `shipped` are those that stand for an empty `alert.rules`.
    pub(crate) fn rules(&self, organisations: &Organisations, shipped: Option<&str>) -> Result<RuleSet> {
        let windows = self.windows()?;
        let tables = self.tables(organisations, &windows)?;
        let surroundings = Surroundings {
            organisations,
            windows: &windows,
            targets: &tables.targets,
            frameworks: &tables.frameworks,
        };
        let (name, text) = if self.alert.rules.as_os_str().is_empty() {
            ("the shipped rules".to_owned(), shipped.unwrap_or(ALERTS).to_owned())
        } else {
            let text =
                String::from_utf8(read(&self.alert.rules)?).map_err(|_| usage("alert.rules: not UTF-8"))?;
            (self.alert.rules.display().to_string(), text)
        };
        load_rules(&text, surroundings).map_err(|error| usage(format!("{name}: {error}")))
    }

    /// What makes TLS connections of the web server's; `None`: plain HTTP. An error is one of usage.
    pub(crate) fn tls(&self) -> Result<Option<runtime::tls::TlsAcceptor>> {
        self.http.tls.acceptor(&["http/1.1"]).map_err(|error| usage(format!("http.tls: {error}")))
    }

    /// A file of the data folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }
}

/// Windows by their names; an error names the key.
pub(crate) fn windows(names: &[String], key: &str) -> Result<Vec<Window>> {
    let mut windows = Vec::new();
    for name in names {
        let window = Window::parse(name).ok_or_else(|| {
            usage(format!("{key}: \"{name}\" is no window: write today, 90m, 4h or 7d, at most 14d"))
        })?;
        if !windows.contains(&window) {
            windows.push(window);
        }
    }
    if windows.is_empty() || windows.len() > WINDOWS_MAX {
        return Err(usage(format!("{key}: from 1 to {WINDOWS_MAX} windows")));
    }
    Ok(windows)
}
