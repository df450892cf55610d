//! What has to be told to whom: in order for each episode and channel, tried again without limit and at most five
//! minutes apart, until the receiver takes it or refuses it for good (spec 3.0, "Nothing is lost").
//!
//! Responsible for order, patience and what is under way. Not for sending, and not for keeping itself on a disk: the
//! caller saves [`Outbox::entries`] with the state that made them and restores them after a restart; what was under
//! way then is due at once.

use std::collections::{BTreeMap, BTreeSet};

use super::Severity;
use crate::organisations::Level;
use crate::time::Minute;

/// What a notice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An episode fired.
    Firing,
    /// Somebody has acknowledged it.
    Acknowledged,
    /// Nobody has acknowledged it: more people are told.
    Escalated,
    /// It is over.
    Resolved,
    /// It is still open: for receivers that forget what is not told again.
    Reminder,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] =
        [Kind::Firing, Kind::Acknowledged, Kind::Escalated, Kind::Resolved, Kind::Reminder];

    /// The name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Firing => "firing",
            Kind::Acknowledged => "acknowledged",
            Kind::Escalated => "escalated",
            Kind::Resolved => "resolved",
            Kind::Reminder => "reminder",
        }
    }
}

/// What a receiver is told: organisation, figures, threshold and link, never a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it says.
    pub kind: Kind,
    /// The episode's key.
    pub episode: String,
    /// The number of this notice within the episode, from 1: a receiver can tell an older from a newer one.
    pub sequence: u32,
    /// The rule's id.
    pub rule: String,
    /// The rule's version.
    pub version: String,
    /// As the rule said when it fired.
    pub severity: Severity,
    /// The organisation's level.
    pub level: Level,
    /// Its code.
    pub org: String,
    /// Its name when it fired.
    pub name: String,
    /// The tags of the series.
    pub tags: Vec<(String, String)>,
    /// The rule's text, filled.
    pub summary: String,
    /// The value as it is shown.
    pub value: String,
    /// The condition of the breach.
    pub threshold: String,
    /// Where a person sees more.
    pub link: String,
    /// The first minute in breach.
    pub start: Minute,
    /// The minute that moved the episode last.
    pub minute: Minute,
    /// Whether its figures are stale.
    pub stale: bool,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// When the notice was written, Unix milliseconds. Of a resolution: when the episode ended.
    pub at_ms: i64,
}

/// A notice for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Rises with each entry; gives the order within an episode and channel.
    pub id: u64,
    /// The channel's name.
    pub channel: String,
    /// What to tell.
    pub notice: Notice,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Not to be tried before this wall time, Unix milliseconds.
    pub due_ms: i64,
}

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Taken,
    /// Try again, after as long as the receiver asked for.
    Later {
        /// `Retry-After`, milliseconds.
        after_ms: Option<i64>,
        /// What went wrong, in a phrase.
        reason: String,
    },
    /// The receiver will never take it.
    Refused {
        /// What it answered, in a phrase.
        reason: String,
    },
}

/// How long to wait between tries, milliseconds: doubling from `first_ms` to `most_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// After the first failure.
    pub first_ms: i64,
    /// At most.
    pub most_ms: i64,
}

impl Patience {
    /// After that many failures; `asked_ms`: what the receiver asked for, which may prolong it but not beyond the most.
    pub fn wait_ms(self, failures: u32, asked_ms: Option<i64>) -> i64 {
        let doubled = self.first_ms.saturating_mul(1i64 << failures.saturating_sub(1).min(40));
        doubled.max(asked_ms.unwrap_or(0)).clamp(0, self.most_ms)
    }
}

/// Everything that is still to be told.
#[derive(Clone, Debug)]
pub struct Outbox {
    entries: BTreeMap<u64, Entry>,
    under_way: BTreeSet<u64>,
    next_id: u64,
    patience: Patience,
}

impl Outbox {
    /// An empty one.
    pub fn new(patience: Patience) -> Outbox {
        Outbox::restored(patience, Vec::new(), 1)
    }

    /// One as it was saved: nothing is under way, waits go on.
    pub fn restored(patience: Patience, entries: Vec<Entry>, next_id: u64) -> Outbox {
        let entries: BTreeMap<u64, Entry> = entries.into_iter().map(|entry| (entry.id, entry)).collect();
        let after_last = entries.last_key_value().map_or(1, |(id, _)| id + 1);
        Outbox { entries, under_way: BTreeSet::new(), next_id: next_id.max(after_last), patience }
    }

    /// Puts a notice behind what the channel is still to be told of its episode; gives the entry's id.
    ///
    /// A reminder that waits is superseded by any other notice and taken out; one that is under way stays before it.
    /// Gives the ids that were taken out too.
    pub fn push(&mut self, channel: &str, notice: Notice, now_ms: i64) -> (u64, Vec<u64>) {
        let superseded: Vec<u64> = self
            .lane(channel, &notice.episode)
            .filter(|entry| entry.notice.kind == Kind::Reminder && !self.under_way.contains(&entry.id))
            .map(|entry| entry.id)
            .collect();
        for id in &superseded {
            self.entries.remove(id);
        }
        let id = self.next_id;
        self.next_id += 1;
        let entry = Entry { id, channel: channel.to_owned(), notice, attempts: 0, due_ms: now_ms };
        self.entries.insert(id, entry);
        (id, superseded)
    }

    /// What to send now, marked as under way: of each episode and channel the oldest only, and of each channel at most
    /// `per_channel` at a time.
    pub fn take_due(&mut self, now_ms: i64, per_channel: usize) -> Vec<Entry> {
        let mut room: BTreeMap<&str, usize> = BTreeMap::new();
        for id in &self.under_way {
            if let Some(entry) = self.entries.get(id) {
                *room.entry(&entry.channel).or_default() += 1;
            }
        }
        let mut lanes = BTreeSet::new();
        let mut due = Vec::new();
        for entry in self.entries.values() {
            let is_first = lanes.insert((entry.channel.as_str(), entry.notice.episode.as_str()));
            let busy = room.entry(&entry.channel).or_default();
            // A wait from before the clock was set back must not keep a page for longer than a wait can be.
            let is_due =
                entry.due_ms <= now_ms || entry.due_ms > now_ms.saturating_add(self.patience.most_ms);
            if is_first && is_due && *busy < per_channel && !self.under_way.contains(&entry.id) {
                *busy += 1;
                due.push(entry.clone());
            }
        }
        self.under_way.extend(due.iter().map(|entry| entry.id));
        due
    }

    /// Says what became of a try. Gives the entry as it stands: taken and refused ones are out of the outbox, others wait.
    /// `None`: it was not under way.
    pub fn settle(&mut self, id: u64, outcome: &Outcome, now_ms: i64) -> Option<Entry> {
        if !self.under_way.remove(&id) {
            return None;
        }
        match outcome {
            Outcome::Taken | Outcome::Refused { .. } => self.entries.remove(&id),
            Outcome::Later { after_ms, .. } => {
                let entry = self.entries.get_mut(&id)?;
                entry.attempts = entry.attempts.saturating_add(1);
                entry.due_ms = now_ms.saturating_add(self.patience.wait_ms(entry.attempts, *after_ms));
                Some(entry.clone())
            }
        }
    }

    /// What one channel is still to be told of one episode, in order.
    pub fn lane<'a>(&'a self, channel: &'a str, episode: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.values().filter(move |entry| entry.channel == channel && entry.notice.episode == episode)
    }

    /// Everything that is still to be told, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// One entry.
    pub fn get(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// How many are still to be told, those under way included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The id that the next entry will get: saved with the entries, so that no id is given twice.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { first_ms: 1_000, most_ms: 300_000 };

    fn notice(episode: &str, kind: Kind) -> Notice {
        Notice {
            kind,
            episode: episode.to_owned(),
            sequence: 1,
            rule: "r".to_owned(),
            version: "1".to_owned(),
            severity: Severity::Warning,
            level: Level::Site,
            org: "RXF05".to_owned(),
            name: "St Elsewhere".to_owned(),
            tags: vec![],
            summary: String::new(),
            value: "1".to_owned(),
            threshold: "> 0".to_owned(),
            link: String::new(),
            start: Minute(1),
            minute: Minute(2),
            stale: false,
            acknowledged_by: None,
            at_ms: 0,
        }
    }

    fn due(outbox: &mut Outbox, now_ms: i64) -> Vec<u64> {
        outbox.take_due(now_ms, 2).into_iter().map(|entry| entry.id).collect()
    }

    fn later(after_ms: Option<i64>) -> Outcome {
        Outcome::Later { after_ms, reason: "503".to_owned() }
    }

    #[test]
    fn each_episode_and_channel_is_told_in_order_one_at_a_time() {
        let mut outbox = Outbox::new(PATIENCE);
        for (channel, episode, kind) in [
            ("am", "e1", Kind::Firing),
            ("am", "e1", Kind::Resolved),
            ("log", "e1", Kind::Firing),
            ("am", "e2", Kind::Firing),
            ("am", "e3", Kind::Firing),
        ] {
            outbox.push(channel, notice(episode, kind), 0);
        }
        assert_eq!(due(&mut outbox, 0), [1, 3, 4], "two at a time for a channel");
        assert_eq!(due(&mut outbox, 0), [0; 0]);
        outbox.settle(1, &later(None), 0);
        assert_eq!(due(&mut outbox, 999), [5], "the second waits behind the first, the others do not");
        assert_eq!(due(&mut outbox, 1_000), [0; 0], "am is busy with 4 and 5");
        outbox.settle(4, &Outcome::Taken, 1_000);
        assert_eq!(due(&mut outbox, 1_000), [1]);
        outbox.settle(1, &Outcome::Taken, 1_000);
        assert_eq!(due(&mut outbox, 1_000), [2]);
        outbox.settle(2, &Outcome::Refused { reason: "400".to_owned() }, 1_000);
        assert_eq!(outbox.entries().map(|entry| entry.id).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(outbox.settle(2, &Outcome::Taken, 1_000), None, "settled once");
    }

    #[test]
    fn tries_go_on_for_ever_and_are_at_most_five_minutes_apart() {
        for (failures, asked_ms, wait_ms) in [
            (1, None, 1_000),
            (2, None, 2_000),
            (9, None, 256_000),
            (10, None, 300_000),
            (u32::MAX, None, 300_000),
            (1, Some(30_000), 30_000),
            (9, Some(30_000), 256_000),
            (1, Some(i64::MAX), 300_000),
            (1, Some(-5), 1_000),
        ] {
            assert_eq!(PATIENCE.wait_ms(failures, asked_ms), wait_ms, "{failures} {asked_ms:?}");
        }
        let mut outbox = Outbox::new(PATIENCE);
        outbox.push("am", notice("e", Kind::Firing), 0);
        let mut now_ms = 0;
        for attempt in 1..1_000 {
            assert_eq!(due(&mut outbox, now_ms), [1]);
            let entry = outbox.settle(1, &later(None), now_ms).unwrap();
            assert_eq!(entry.attempts, attempt);
            assert!(entry.due_ms - now_ms <= PATIENCE.most_ms);
            assert_eq!(due(&mut outbox, entry.due_ms - 1), [0; 0]);
            now_ms = entry.due_ms;
        }
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing_waiting() {
        let mut outbox = Outbox::new(PATIENCE);
        outbox.push("am", notice("e", Kind::Firing), 10_000_000);
        assert_eq!(due(&mut outbox, 9_999_999), [0; 0]);
        assert_eq!(due(&mut outbox, 1_000), [1]);
    }

    #[test]
    fn a_reminder_gives_way() {
        let mut outbox = Outbox::new(PATIENCE);
        outbox.push("am", notice("e", Kind::Reminder), 0);
        let (id, superseded) = outbox.push("am", notice("e", Kind::Resolved), 0);
        assert_eq!((id, superseded), (2, vec![1]));
        assert_eq!(due(&mut outbox, 0), [2]);

        let mut outbox = Outbox::new(PATIENCE);
        outbox.push("am", notice("e", Kind::Reminder), 0);
        assert_eq!(due(&mut outbox, 0), [1]);
        outbox.push("am", notice("e", Kind::Resolved), 0);
        assert_eq!(due(&mut outbox, 0), [0; 0], "an older reminder must not arrive after the resolution");
        outbox.settle(1, &Outcome::Taken, 0);
        assert_eq!(due(&mut outbox, 0), [2]);
    }

    #[test]
    fn after_a_restart_what_was_under_way_is_due_and_what_was_taken_is_not() {
        let mut outbox = Outbox::new(PATIENCE);
        for episode in ["e1", "e2", "e3"] {
            outbox.push("am", notice(episode, Kind::Firing), 0);
        }
        assert_eq!(due(&mut outbox, 0), [1, 2]);
        outbox.settle(1, &Outcome::Taken, 0);
        let mut again = Outbox::restored(PATIENCE, outbox.entries().cloned().collect(), outbox.next_id());
        assert_eq!(due(&mut again, 0), [2, 3]);
        assert_eq!(again.push("am", notice("e4", Kind::Firing), 0).0, 4);
        let mut emptied = Outbox::restored(PATIENCE, vec![], 9);
        assert_eq!(emptied.push("am", notice("e", Kind::Firing), 0).0, 9);
    }
}
