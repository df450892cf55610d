//! Feeds and the MLLP listeners that take their messages: configuration, checks, start.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use domain::organisations::Organisations;
use domain::standard::Standards;
use intake::Shares;
use intake::feed::Feed;
use intake::metrics::Metrics;
use intake::mllp::server::{self, Limits, Mllp};
use intake::pseudonym::Pseudonyms;
use runtime::config::{Bytes, Duration};
use runtime::health::Condition;
use runtime::seal::Sealer;
use runtime::tls::{TlsAcceptor, TlsConfig};
use serde::Deserialize;

use crate::config::Config;
use crate::plant::Plant;
use crate::progress::say;
use crate::{fault, usage};

/// `[intake]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Intake {
    pub(crate) feeds: PathBuf,
    pub(crate) mllp: Vec<Listener>,
}

/// `[[intake.mllp]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    feed: String,
    #[serde(deserialize_with = "crate::config::address")]
    listen: SocketAddr,
    #[serde(default)]
    peers: Vec<IpAddr>,
    #[serde(default)]
    tls: TlsConfig,
}

/// `[mllp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bounds {
    max_frame: Bytes,
    idle: Duration,
    frame_time: Duration,
    write_time: Duration,
    patience: Duration,
    connections: usize,
    connections_per_peer: usize,
}

/// A listener that was checked.
pub(crate) struct Checked {
    pub(crate) feed: Feed,
    pub(crate) listen: SocketAddr,
    peers: Vec<IpAddr>,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// What every door shares.
#[derive(Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) organisations: &'a Organisations,
    pub(crate) standards: &'a Standards,
    pub(crate) pseudonyms: &'a Pseudonyms,
    pub(crate) sealer: &'a Option<Sealer>,
    pub(crate) shares: &'a Arc<Shares>,
    pub(crate) metrics: &'a Metrics,
    pub(crate) condition: &'a Condition,
}

impl Bounds {
    fn limits(&self) -> Result<Limits> {
        let frame_bytes = usize::try_from(self.max_frame.get()).unwrap_or(usize::MAX);
        if !(1 << 10..=1 << 20).contains(&frame_bytes) {
            return Err(usage("mllp.max_frame: must be from \"1KiB\" to \"1MiB\""));
        }
        if self.connections == 0 || self.connections_per_peer == 0 {
            return Err(usage("mllp.connections, mllp.connections_per_peer: must be at least 1"));
        }
        Ok(Limits {
            frame_bytes,
            idle: self.idle.get(),
            frame_time: self.frame_time.get(),
            write_time: self.write_time.get(),
            patience: self.patience.get(),
            connections: self.connections,
            connections_per_peer: self.connections_per_peer,
        })
    }
}

/// Reads one feed; what is wrong is a fault of configuration.
pub(crate) fn read(file: &Path, organisations: &Organisations) -> Result<Feed> {
    Feed::read(file, organisations).map_err(fault)
}

/// Every feed of the folder `intake.feeds`, by name.
pub(crate) fn all(config: &Config, organisations: &Organisations) -> Result<Vec<Feed>> {
    let folder = &config.intake.feeds;
    if folder.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let unreadable = |error| usage(format!("intake.feeds: {} cannot be read: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        files.push(entry.map_err(unreadable)?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut feeds: Vec<Feed> = Vec::with_capacity(files.len());
    for file in &files {
        let feed = read(file, organisations)?;
        if let Some(other) = feeds.iter().find(|other| other.source == feed.source) {
            let (name, other) = (&feed.name, &other.name);
            return Err(usage(format!("feed {name}: source: is that of feed {other}; each has its own")));
        }
        feeds.push(feed);
    }
    Ok(feeds)
}

/// The names of the feeds that have a listener.
pub(crate) fn listened(config: &Config) -> Vec<String> {
    config.intake.mllp.iter().map(|listener| listener.feed.clone()).collect()
}

/// Every listener with its feed. One that others than this machine can reach must say who they are.
pub(crate) fn listeners(config: &Config, organisations: &Organisations) -> Result<Vec<Checked>> {
    config.mllp.limits()?;
    let feeds = all(config, organisations)?;
    let mut checked = Vec::new();
    for (index, listener) in config.intake.mllp.iter().enumerate() {
        let wrong = |key: &str, what: String| usage(format!("intake.mllp[{index}].{key}: {what}"));
        let feed = feeds.iter().find(|feed| feed.name == listener.feed).ok_or_else(|| {
            let name = &listener.feed;
            wrong("feed", format!("there is no {name}.toml in the folder that intake.feeds names"))
        })?;
        let tls = listener.tls.acceptor(&[]).map_err(|error| wrong("tls", error.to_string()))?;
        let shows_itself = !listener.tls.client_ca.as_os_str().is_empty();
        if !listener.listen.ip().is_loopback() && listener.peers.is_empty() && !shows_itself {
            let what = "others than this machine can reach it: name tls.client_ca, or peers = [\"10.1.2.3\"]";
            return Err(wrong("listen", what.into()));
        }
        let (feed, peers) = (feed.clone(), listener.peers.clone());
        checked.push(Checked { feed, listen: listener.listen, peers, tls });
    }
    Ok(checked)
}

/// Starts every listener on a thread of its own.
pub(crate) fn start(plant: &mut Plant, common: Common<'_>) -> Result<()> {
    for listener in listeners(&plant.config, common.organisations)? {
        let (address, name) = (listener.listen, listener.feed.name.clone());
        let bound = plant
            .runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .with_context(|| format!("intake.mllp: {address} cannot be bound"))?;
        let address = bound.local_addr()?;
        plant.watch(listener.tls.as_ref());
        let mllp = Mllp {
            log: plant.log.clone(),
            organisations: common.organisations.clone(),
            standards: common.standards.clone(),
            pseudonyms: common.pseudonyms.clone(),
            sealer: common.sealer.clone(),
            shares: common.shares.clone(),
            feed: listener.feed,
            peers: listener.peers,
            tls: listener.tls,
            limits: plant.config.mllp.limits()?,
            metrics: common.metrics.clone(),
            condition: common.condition.clone(),
            clock: plant.clock.clone(),
        };
        let (handle, shutdown) = (plant.runtime.handle().clone(), plant.shutdown.clone());
        plant.spawn("mllp", move || handle.block_on(server::serve(bound, mllp, shutdown)))?;
        say(&format!("feed {name} listens for HL7 v2 at {address}"));
    }
    Ok(())
}
