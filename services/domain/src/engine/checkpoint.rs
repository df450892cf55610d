//! What of the engine survives its process: the facts that stand, the feeds, and which points wait to be written. It is
//! saved together with the offsets that led to it; figures are made again from the ledger.

use super::Engine;
use super::periodic::Periodic;
use crate::dirty::Dirty;
use crate::ids::Ref;
use crate::ledger::EntityKey;
use crate::other::OtherKey;
use crate::time::{Millis, Minute};

/// A change to the checkpoint: which kind of thing, its key, its bytes (none: gone).
pub type Change<'a> = (u8, &'a [u8], Option<&'a [u8]>);

/// Kinds of things in a checkpoint.
mod kind {
    pub(super) const ATTENDANCE: u8 = 1;
    pub(super) const JOURNEY: u8 = 2;
    pub(super) const OTHER: u8 = 3;
    pub(super) const SOURCE_NAME: u8 = 4;
    pub(super) const AREA_NAME: u8 = 5;
    pub(super) const FEED: u8 = 6;
    pub(super) const STATE: u8 = 7;
}

impl Engine {
    /// Hands every change since the last call to `each`: to be saved in one transaction with the offsets.
    pub fn save(&mut self, each: &mut impl FnMut(Change<'_>)) {
        let mut key_bytes = Vec::new();
        for key in std::mem::take(&mut self.forgotten) {
            let kind = encode_key(&key, &mut key_bytes);
            each((kind, &key_bytes, None));
        }
        self.ledger.drain_touched(&mut |key, bytes| {
            let kind = encode_key(&key, &mut key_bytes);
            each((kind, &key_bytes, Some(bytes)));
        });
        for (names, saved, kind) in [
            (&self.ledger.sources, &mut self.saved_sources, kind::SOURCE_NAME),
            (&self.ledger.areas, &mut self.saved_areas, kind::AREA_NAME),
        ] {
            for (number, name) in names.iter().enumerate().skip(*saved) {
                each((kind, &(number as u16).to_be_bytes(), Some(name.as_bytes())));
            }
            *saved = names.len();
        }
        self.feeds.encode(&mut |name, bytes| each((kind::FEED, name.as_bytes(), Some(bytes))));
        let mut marks = Vec::new();
        self.dirty.encode(&mut marks);
        each((kind::STATE, b"dirty", Some(&marks)));
        for (key, encode) in [
            (&b"standards"[..], &(|out: &mut Vec<u8>| self.waiting.encode(out)) as &dyn Fn(&mut Vec<u8>)),
            (&b"opel"[..], &|out: &mut Vec<u8>| self.escalations.encode(out)),
        ] {
            marks.clear();
            encode(&mut marks);
            each((kind::STATE, key, Some(&marks)));
        }
        if std::mem::take(&mut self.first_known.changed) {
            marks.clear();
            self.first_known.encode(&mut marks);
            each((kind::STATE, b"first known", Some(&marks)));
        }
        if std::mem::take(&mut self.figures.since.changed) {
            marks.clear();
            self.figures.since.encode(&mut marks);
            each((kind::STATE, b"since", Some(&marks)));
        }
        if let Some(live) = &self.live {
            each((kind::STATE, b"until", Some(&live.sweep.at().0.to_le_bytes())));
        }
    }

    /// Puts back one change of a checkpoint; `false` if it is none of ours. Names must come before what uses them:
    /// [`Engine::restored`] ends it.
    pub fn restore(&mut self, kind: u8, key: &[u8], bytes: &[u8]) -> bool {
        match kind {
            kind::ATTENDANCE | kind::JOURNEY => {
                let Some((place, reference)) = key.split_first_chunk::<2>() else { return false };
                let Ok(reference) = reference.try_into() else { return false };
                let (place, reference) = (u16::from_le_bytes(*place), Ref(reference));
                let key = if kind == kind::ATTENDANCE {
                    EntityKey::Attendance(place, reference)
                } else {
                    EntityKey::Journey(place, reference)
                };
                usize::from(place) < self.settings.orgs.len() && self.ledger.restore(key, bytes)
            }
            kind::OTHER => {
                OtherKey::decode(key).is_some_and(|key| self.ledger.restore(EntityKey::Other(key), bytes))
            }
            kind::SOURCE_NAME | kind::AREA_NAME => {
                let Ok(name) = std::str::from_utf8(bytes) else { return false };
                let names =
                    if kind == kind::SOURCE_NAME { &mut self.ledger.sources } else { &mut self.ledger.areas };
                names.number(name).is_some_and(|number| key == number.to_be_bytes())
            }
            kind::FEED => {
                let Ok(name) = std::str::from_utf8(key) else { return false };
                let restored = self.feeds.restore(name, bytes, self.settings.orgs.len());
                self.ledger.heard(name, self.feeds.newest(name).unwrap_or(Millis(0)));
                restored
            }
            kind::STATE => self.restore_state(key, bytes),
            _ => false,
        }
    }

    fn restore_state(&mut self, key: &[u8], bytes: &[u8]) -> bool {
        match (key, bytes) {
            (b"dirty", bytes) => match Dirty::decode(bytes) {
                Some(dirty) if dirty.is_within(self.settings.orgs.len()) => self.dirty = dirty,
                Some(_) | None => return false,
            },
            (b"standards", bytes) => return self.waiting.restore(bytes),
            (b"opel", bytes) => return self.escalations.restore(bytes),
            (b"first known", bytes) => return self.first_known.restore(bytes),
            (b"since", bytes) => return self.figures.since.restore(bytes),
            (b"until", [a, b, c, d]) => {
                let until = Minute(u32::from_le_bytes([*a, *b, *c, *d]));
                self.restored_until = Some(until).filter(|until| until.is_in_range());
                return self.restored_until.is_some();
            }
            _ => return false,
        }
        true
    }

    /// Ends the restore of a checkpoint: the figures stand at the minute up to which it had published. `false` if its parts
    /// do not fit together: this engine is of no use then.
    #[must_use]
    pub fn restored(&mut self) -> bool {
        if !self.ledger.link_all() {
            return false;
        }
        self.periodic = Periodic::of(&self.settings, self.figures.days.clone(), &self.ledger);
        self.saved_sources = self.ledger.sources.len();
        self.saved_areas = self.ledger.areas.len();
        if let Some(until) = self.restored_until.take() {
            self.stand_at(until);
        }
        true
    }
}

fn encode_key(key: &EntityKey, out: &mut Vec<u8>) -> u8 {
    out.clear();
    match key {
        EntityKey::Attendance(place, reference) => {
            out.extend_from_slice(&place.to_le_bytes());
            out.extend_from_slice(&reference.0);
            kind::ATTENDANCE
        }
        EntityKey::Journey(place, reference) => {
            out.extend_from_slice(&place.to_le_bytes());
            out.extend_from_slice(&reference.0);
            kind::JOURNEY
        }
        EntityKey::Other(key) => {
            key.encode(out);
            kind::OTHER
        }
    }
}
