//! The state as it is kept in the checkpoint: what changed since the last time, in keyed pieces, and back.
//!
//! The forms here are the disk's, apart from the types that work with them: fields are added with a default, never
//! changed, so that a newer alerter reads an older one's checkpoint.

mod forms;

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::alert::{self, AlertRecord};
use domain::alert::outbox::Outbox;
use domain::organisations::{Level, Organisations};
use runtime::checkpoint::Change;

use self::forms::{SavedCommon, SavedEntry, SavedOrg};
use crate::config::AlertConfig;
use crate::metrics::AlertMetrics;
use crate::rules::RuleSet;
use crate::service::{Alerter, Changed, OrgKey, WatchKey};

/// What the pieces of a checkpoint are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An organisation's figures and episodes; the key is `level/code`.
    Org = 1,
    /// A notice still to be told; the key is its id.
    Entry = 2,
    /// A transition that the alerts topic does not have yet; the key is its number.
    Record = 3,
    /// Everything else; one piece.
    Common = 4,
}

const KINDS: [Kind; 4] = [Kind::Org, Kind::Entry, Kind::Record, Kind::Common];

/// Why a piece of a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("piece {number} of the alerter's checkpoint (kind {kind}) cannot be read: {what}")]
pub struct RestoreError {
    number: usize,
    kind: u8,
    what: String,
}

impl Alerter {
    /// The pieces that changed since the last call, to be saved in one transaction with the positions in the log.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        let mut pieces = Vec::new();
        for key in &changed.orgs {
            let saved = self.orgs.get(key).map(SavedOrg::of);
            pieces.push(piece(Kind::Org, org_key(key), saved.as_ref().map(json)));
        }
        for id in &changed.entries {
            let saved = self.outbox.get(*id).map(SavedEntry::of);
            pieces.push(piece(Kind::Entry, id.to_be_bytes().to_vec(), saved.as_ref().map(json)));
        }
        for number in &changed.records {
            let record = self.records.get(number).map(|record| {
                let mut bytes = Vec::new();
                alert::encode(&AlertRecord::Transition(record.clone()), &mut bytes);
                bytes
            });
            pieces.push(piece(Kind::Record, number.to_be_bytes().to_vec(), record));
        }
        if changed.common {
            pieces.push(piece(Kind::Common, Vec::new(), Some(json(&SavedCommon::of(self)))));
        }
        pieces
    }

    /// Whether something has changed that is to be saved before anybody is told, or because somebody was.
    pub fn has_urgent_changes(&self) -> bool {
        self.changed.urgent
    }

    /// Everything counts as changed: after a save that failed, what it would have written is not known any more.
    pub fn mark_all_changed(&mut self) {
        self.changed = Changed {
            orgs: self.orgs.keys().cloned().collect(),
            entries: self.outbox.entries().map(|entry| entry.id).collect(),
            records: self.records.keys().copied().collect(),
            common: true,
            urgent: true,
        };
    }

    /// The state as its pieces were saved: `(kind, key, value)` in any order. Rules and organisations may be others than
    /// then: what they do not have any more is withdrawn at the first tick.
    pub fn restore<'a>(
        rules: Arc<RuleSet>,
        organisations: Arc<Organisations>,
        config: AlertConfig,
        metrics: AlertMetrics,
        pieces: impl Iterator<Item = (u8, &'a [u8], &'a [u8])>,
    ) -> Result<Alerter, RestoreError> {
        let mut alerter = Alerter::new(rules, organisations, config, metrics);
        let (mut entries, mut next_entry) = (Vec::new(), 1);
        for (number, (kind, key, value)) in pieces.enumerate() {
            let broken = |what: String| RestoreError { number, kind, what };
            let Some(known) = KINDS.into_iter().find(|known| *known as u8 == kind) else {
                return Err(broken("a newer version wrote it".to_owned()));
            };
            match known {
                Kind::Org => {
                    let key = parsed_org_key(key).ok_or_else(|| broken("its key".to_owned()))?;
                    let saved: SavedOrg = parsed(value).map_err(broken)?;
                    alerter.orgs.insert(key, saved.restored().map_err(broken)?);
                }
                Kind::Entry => {
                    let saved: SavedEntry = parsed(value).map_err(broken)?;
                    entries.push(saved.restored().map_err(broken)?);
                }
                Kind::Record => {
                    let number =
                        key.try_into().map(u64::from_be_bytes).map_err(|_| broken("its key".to_owned()))?;
                    match alert::decode(value) {
                        Ok(AlertRecord::Transition(record)) => drop(alerter.records.insert(number, record)),
                        Ok(AlertRecord::Command(_) | AlertRecord::Silence(_)) => {
                            return Err(broken("not a transition".to_owned()));
                        }
                        Err(error) => return Err(broken(error.to_string())),
                    }
                }
                Kind::Common => {
                    let saved: SavedCommon = parsed(value).map_err(broken)?;
                    next_entry = saved.next_entry;
                    saved.restore(&mut alerter).map_err(broken)?;
                }
            }
        }
        alerter.outbox = Outbox::restored(alerter.config.patience(), entries, next_entry);
        let after_last = alerter.records.last_key_value().map_or(1, |(number, _)| number + 1);
        alerter.next_record = alerter.next_record.max(after_last);
        alerter.open = open_episodes(&alerter);
        Ok(alerter)
    }
}

fn open_episodes(alerter: &Alerter) -> BTreeMap<String, WatchKey> {
    let mut open = BTreeMap::new();
    for (org, state) in &alerter.orgs {
        for ((rule, tags), watch) in &state.watches {
            if let Some(episode) = &watch.episode {
                let key = WatchKey { org: org.clone(), rule: rule.clone(), tags: *tags };
                open.insert(episode.key.clone(), key);
            }
        }
    }
    open
}

fn piece(kind: Kind, key: Vec<u8>, value: Option<Vec<u8>>) -> Change {
    Change { kind: kind as u8, key, value }
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("the forms have text keys and no failing serialisers")
}

fn parsed<T: serde::de::DeserializeOwned>(value: &[u8]) -> Result<T, String> {
    serde_json::from_slice(value).map_err(|error| error.to_string())
}

fn org_key(key: &OrgKey) -> Vec<u8> {
    format!("{}/{}", key.level.as_str(), key.code).into_bytes()
}

fn parsed_org_key(key: &[u8]) -> Option<OrgKey> {
    let (level, code) = std::str::from_utf8(key).ok()?.split_once('/')?;
    Some(OrgKey { level: Level::parse(level)?, code: code.to_owned() })
}
