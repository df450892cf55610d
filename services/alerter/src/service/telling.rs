//! Who is told what, and what became of it.

use domain::alert::episode::Phase;
use domain::alert::outbox::{Kind, Notice, Outcome};
use domain::time::Minute;

use super::{Alerter, Episode, Told, Watch, WatchKey, owned_tags, state};
use crate::metrics::DeliveryOutcome;
use crate::rules::{Channel, covers};

/// How many refusals are shown.
pub(crate) const REFUSALS_MAX: usize = 100;

/// A notice to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// By which [`Alerter::delivered`] is told what became of it.
    pub id: u64,
    /// The channel's name.
    pub channel: String,
    /// What to tell.
    pub notice: Notice,
    /// Until when the receiver may believe it, Unix milliseconds; of a resolution: when the episode ended.
    pub ends_at_ms: i64,
}

/// A notice that its receiver refused for good: shown on the board, and given to the fallback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The channel.
    pub channel: String,
    /// The episode's key.
    pub episode: String,
    /// What was to be told.
    pub kind: Kind,
    /// What the receiver answered.
    pub reason: String,
}

impl Alerter {
    pub(super) fn fire(
        &mut self,
        key: &WatchKey,
        watch: &mut Watch,
        key_text: String,
        start: Minute,
        now_ms: i64,
    ) {
        self.open.insert(key_text.clone(), key.clone());
        watch.episode = Some(Episode {
            key: key_text,
            start,
            fired_ms: now_ms,
            sequence: 0,
            announced: false,
            acknowledged_by: None,
            escalated: 0,
            told: Vec::new(),
        });
        self.announce(key, watch, now_ms);
    }

    /// Everybody who was told of an episode is told its end.
    pub(super) fn end(&mut self, key: &WatchKey, watch: &mut Watch, now_ms: i64) {
        let Some(mut episode) = watch.episode.take() else { return };
        self.open.remove(&episode.key);
        for told in std::mem::take(&mut episode.told) {
            self.tell(key, watch, &mut episode, Kind::Resolved, &told.channel, now_ms);
        }
    }

    /// Tells the rule's channels that it fires, unless that was done or it is silenced.
    fn announce(&mut self, key: &WatchKey, watch: &mut Watch, now_ms: i64) {
        let firing = matches!(watch.track.now, Phase::Firing { .. });
        if !firing || self.is_silenced(key, now_ms) {
            return;
        }
        let Some(mut episode) = watch.episode.take_if(|episode| !episode.announced) else { return };
        episode.announced = true;
        self.changed.orgs.insert(key.org.clone());
        let channels = self.rules.rule(&key.rule).map(|rule| rule.channels.clone()).unwrap_or_default();
        for channel in channels {
            self.tell(key, watch, &mut episode, Kind::Firing, &channel, now_ms);
        }
        watch.episode = Some(episode);
    }

    /// Tells more people, for each step of the escalation whose time has come (spec 3.0: wall time since firing, also
    /// while frozen) and as long as nobody has acknowledged.
    fn escalate(&mut self, key: &WatchKey, watch: &mut Watch, now_ms: i64) {
        if self.is_silenced(key, now_ms) {
            return;
        }
        let rules = self.rules.clone();
        let Some(rule) = rules.rule(&key.rule) else { return };
        let Some(mut episode) = watch.episode.take_if(|e| e.announced && e.acknowledged_by.is_none()) else {
            return;
        };
        while let Some(step) = rule.escalations.get(episode.escalated) {
            if now_ms - episode.fired_ms < step.after_ms {
                break;
            }
            episode.escalated += 1;
            let same = state(watch.track.now);
            self.write_record(key, watch, &episode.key, (same, same), "", now_ms);
            for channel in &step.channels {
                self.tell(key, watch, &mut episode, Kind::Escalated, channel, now_ms);
            }
        }
        watch.episode = Some(episode);
    }

    /// Tells again those that forget.
    fn remind(&mut self, key: &WatchKey, watch: &mut Watch, now_ms: i64) {
        let repeat_ms = self.config.repeat.as_ms();
        let Some(mut episode) = watch.episode.take() else { return };
        let due: Vec<String> = episode
            .told
            .iter()
            .filter(|told| self.rules.channels.get(&told.channel).is_some_and(Channel::forgets))
            // A clock that was set back must not keep a reminder waiting: hence the distance in either direction.
            .filter(|told| told.answered_ms.is_some_and(|at_ms| (now_ms - at_ms).abs() >= repeat_ms))
            .filter(|told| self.outbox.lane(&told.channel, &episode.key).next().is_none())
            .map(|told| told.channel.clone())
            .collect();
        for channel in due {
            self.tell(key, watch, &mut episode, Kind::Reminder, &channel, now_ms);
        }
        watch.episode = Some(episode);
    }

    pub(super) fn is_silenced(&self, key: &WatchKey, now_ms: i64) -> bool {
        let mut silences = self.rules.silences.iter().chain(&self.silences);
        silences.any(|silence| covers(silence, &key.rule, &key.org.code, now_ms))
    }

    /// Puts a notice into the outbox.
    pub(super) fn tell(
        &mut self,
        key: &WatchKey,
        watch: &Watch,
        episode: &mut Episode,
        kind: Kind,
        channel: &str,
        now_ms: i64,
    ) {
        episode.sequence += 1;
        if kind != Kind::Resolved && !episode.has_told(channel) {
            episode.told.push(Told { channel: channel.to_owned(), answered_ms: None });
        }
        let face = &watch.face;
        let newest = watch.track.newest.unwrap_or(Minute(0));
        let notice = Notice {
            kind,
            episode: episode.key.clone(),
            sequence: episode.sequence,
            rule: key.rule.clone(),
            version: face.version.clone(),
            severity: face.severity,
            level: key.org.level,
            org: key.org.code.clone(),
            name: face.name.clone(),
            tags: owned_tags(key.tags),
            summary: face.summary.clone(),
            value: face.value.clone(),
            threshold: face.threshold.clone(),
            link: self.link(key),
            start: episode.start,
            minute: newest,
            stale: watch.track.stale,
            acknowledged_by: episode.acknowledged_by.clone(),
            at_ms: now_ms,
        };
        self.put(channel, notice, now_ms);
        self.changed.orgs.insert(key.org.clone());
    }

    fn put(&mut self, channel: &str, notice: Notice, now_ms: i64) {
        let (id, superseded) = self.outbox.push(channel, notice, now_ms);
        self.changed.entries.insert(id);
        self.changed.entries.extend(superseded);
        self.changed.common = true;
        self.changed.urgent = true;
    }

    /// Does what the time asks for, and gives what is to be sent now. Each delivery is under way until
    /// [`Alerter::delivered`]. `now_ms`: wall clock, Unix milliseconds.
    pub fn tick(&mut self, now_ms: i64) -> Vec<Delivery> {
        self.prepare(now_ms);
        self.take_due(now_ms)
    }

    /// The first half of [`Alerter::tick`]: decides what has to be told, so that it can be saved before it is sent.
    pub fn prepare(&mut self, now_ms: i64) {
        if std::mem::take(&mut self.check_withdrawn) {
            self.withdraw_gone(now_ms);
        }
        let silences = self.silences.len();
        self.silences.retain(|silence| silence.until.0 > now_ms);
        self.changed.common |= silences != self.silences.len();
        for key in self.open.values().cloned().collect::<Vec<_>>() {
            let Some(mut watch) = self.taken(&key) else { continue };
            self.announce(&key, &mut watch, now_ms);
            self.escalate(&key, &mut watch, now_ms);
            self.remind(&key, &mut watch, now_ms);
            self.put_back(key, watch);
        }
    }

    /// The second half of [`Alerter::tick`]: what is to be sent now.
    pub fn take_due(&mut self, now_ms: i64) -> Vec<Delivery> {
        let due = self.outbox.take_due(now_ms, self.config.in_flight);
        let ends_after_ms = self.config.ends_after.as_ms();
        let delivery = |entry: domain::alert::outbox::Entry| {
            let ends_at_ms = match entry.notice.kind {
                Kind::Resolved => entry.notice.at_ms,
                Kind::Firing | Kind::Acknowledged | Kind::Escalated | Kind::Reminder => {
                    now_ms + ends_after_ms
                }
            };
            Delivery { id: entry.id, channel: entry.channel, notice: entry.notice, ends_at_ms }
        };
        due.into_iter().map(delivery).collect()
    }

    /// Says what became of a delivery.
    pub fn delivered(&mut self, id: u64, outcome: &Outcome, now_ms: i64) {
        let Some(entry) = self.outbox.settle(id, outcome, now_ms) else { return };
        self.changed.entries.insert(id);
        let (channel, notice) = (&entry.channel, &entry.notice);
        let (episode, kind) = (notice.episode.as_str(), notice.kind.as_str());
        let label = match outcome {
            Outcome::Taken => {
                tracing::debug!(channel, episode, kind, "notice taken");
                self.answered(channel, episode, now_ms);
                self.changed.urgent = true;
                DeliveryOutcome::Taken
            }
            Outcome::Later { reason, .. } => {
                // Said once by the condition of readiness.
                tracing::debug!(
                    channel,
                    episode,
                    kind,
                    reason,
                    attempts = entry.attempts,
                    "notice to be tried again"
                );
                DeliveryOutcome::Later
            }
            Outcome::Refused { reason } => {
                tracing::error!(channel, episode, kind, reason, "notice refused by its receiver");
                self.refused(channel, notice, reason, now_ms);
                self.changed.urgent = true;
                DeliveryOutcome::Refused
            }
        };
        self.metrics.deliveries.of(label).inc();
    }

    fn answered(&mut self, channel: &str, episode: &str, now_ms: i64) {
        self.with_episode(episode, |found| {
            if let Some(told) = found.told_mut(channel) {
                told.answered_ms = Some(now_ms);
            }
        });
    }

    /// A notice that was refused is shown, and the fallback gets it (pitfalls: a page must not be dropped on a 400).
    fn refused(&mut self, channel: &str, notice: &Notice, reason: &str, now_ms: i64) {
        self.refusals.push_back(Refusal {
            at_ms: now_ms,
            channel: channel.to_owned(),
            episode: notice.episode.clone(),
            kind: notice.kind,
            reason: reason.to_owned(),
        });
        while self.refusals.len() > REFUSALS_MAX {
            self.refusals.pop_front();
        }
        self.changed.common = true;
        let fallback = self.rules.fallback.clone().filter(|fallback| fallback != channel);
        // A channel that never took the episode hears no more of it; one that did is told again in its time.
        let is_known = self.with_episode(&notice.episode, |found| {
            match found.told_mut(channel) {
                Some(told) if told.answered_ms.is_some() => told.answered_ms = Some(now_ms),
                Some(_) | None => found.told.retain(|told| told.channel != channel),
            }
            let is_known = fallback.as_deref().is_none_or(|fallback| found.has_told(fallback));
            if let Some(fallback) = fallback.clone().filter(|_| !is_known) {
                found.told.push(Told { channel: fallback, answered_ms: None });
            }
            is_known
        });
        let Some(fallback) = fallback else { return };
        let is_told_anyway =
            self.rules.rule(&notice.rule).is_some_and(|rule| rule.channels.contains(&fallback));
        if is_known.unwrap_or(is_told_anyway) {
            return;
        }
        let kind = if notice.kind == Kind::Reminder { Kind::Firing } else { notice.kind };
        self.put(&fallback, Notice { kind, ..notice.clone() }, now_ms);
    }

    fn with_episode<T>(&mut self, episode: &str, change: impl FnOnce(&mut Episode) -> T) -> Option<T> {
        let key = self.open.get(episode)?;
        let watch = self.orgs.get_mut(&key.org)?.watches.get_mut(&(key.rule.clone(), key.tags))?;
        let changed = change(watch.episode.as_mut()?);
        self.changed.orgs.insert(key.org.clone());
        Some(changed)
    }

    /// What receivers refused for good, the newest last; at most 100.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.iter()
    }
}
