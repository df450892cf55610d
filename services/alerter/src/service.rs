//! The alerter's state, without a clock, a socket or a disk: it is told org-minutes, commands, outcomes and the time, and
//! returns what to send, what to write to the alerts topic and what to save.
//!
//! Effects come before the checkpoint and are idempotent by key: a transition by its episode and minute, a notice by its
//! episode and sequence. So reading the log again after a crash repeats at most what was under way.

mod commands;
mod figures;
mod telling;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use contract::alert::{Silence, State, Transition as Record};
use domain::alert::episode::{Change, Phase, Point, Timing, Transition};
use domain::alert::outbox::Outbox;
use domain::alert::rule::{Judged, Rule, Tags, dedup_key};
use domain::alert::template::Facts;
use domain::alert::value::Decimal;
use domain::measures::{Measure, OrgMinute};
use domain::organisations::Organisations;
use domain::time::{LondonDays, Millis, Minute};

use crate::config::AlertConfig;
use crate::metrics::{AlertMetrics, ChangeLabel, MinuteOutcome, PhaseLabel};
use crate::rules::RuleSet;
pub use telling::{Delivery, Refusal};

pub(crate) use figures::{Figure, Figures, Taken};
pub(crate) use watch::{Episode, Face, OrgKey, Told, Watch, WatchKey};

/// One organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OrgState {
    pub(crate) figures: Figures,
    pub(crate) watches: BTreeMap<(String, Tags), Watch>,
}

/// What has to be saved since the last time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changed {
    pub(crate) orgs: BTreeSet<OrgKey>,
    pub(crate) entries: BTreeSet<u64>,
    pub(crate) records: BTreeSet<u64>,
    pub(crate) common: bool,
    /// Something that must be on the disk before anybody is told.
    pub(crate) urgent: bool,
}

/// Rules, episodes, and what is still to be told.
#[derive(Clone, Debug)]
pub struct Alerter {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) organisations: Arc<Organisations>,
    pub(crate) config: AlertConfig,
    pub(crate) metrics: AlertMetrics,
    pub(crate) orgs: BTreeMap<OrgKey, OrgState>,
    /// Where each open episode is.
    pub(crate) open: BTreeMap<String, WatchKey>,
    pub(crate) outbox: Outbox,
    /// Those given as commands; the file's are in the rules.
    pub(crate) silences: Vec<Silence>,
    /// Transitions that the alerts topic does not have yet, in order.
    pub(crate) records: BTreeMap<u64, Record>,
    pub(crate) next_record: u64,
    pub(crate) refusals: VecDeque<Refusal>,
    pub(crate) changed: Changed,
    /// Whether rules or organisations may have gone since the state was saved.
    pub(crate) check_withdrawn: bool,
    days: Arc<LondonDays>,
}

impl Alerter {
    /// One that knows nothing yet.
    pub fn new(
        rules: Arc<RuleSet>,
        organisations: Arc<Organisations>,
        config: AlertConfig,
        metrics: AlertMetrics,
    ) -> Alerter {
        let outbox = Outbox::new(config.patience());
        Alerter {
            rules,
            organisations,
            config,
            metrics,
            orgs: BTreeMap::new(),
            open: BTreeMap::new(),
            outbox,
            silences: Vec::new(),
            records: BTreeMap::new(),
            next_record: 1,
            refusals: VecDeque::new(),
            changed: Changed::default(),
            check_withdrawn: true,
            days: Arc::new(LondonDays::new()),
        }
    }

    /// Whether so much waits to be told or written that no more minutes should be taken (`alert.outbox`).
    pub fn is_full(&self) -> bool {
        self.outbox.len().max(self.records.len()) >= self.config.outbox
    }

    /// Takes an org-minute of the measures topic, read at `now_ms` (wall clock, Unix milliseconds).
    ///
    /// Marks of publishers are obeyed before: records of an older epoch do not come here (spec 2.6).
    pub fn on_minute(&mut self, record: &OrgMinute, now_ms: i64) {
        let outcome = self.judge_minute(record, now_ms);
        self.metrics.minutes.of(outcome).inc();
    }

    fn judge_minute(&mut self, record: &OrgMinute, now_ms: i64) -> MinuteOutcome {
        let Some(org) = self.organisations.find_at(&record.org, record.level) else {
            return MinuteOutcome::UnknownOrg;
        };
        let name = self.organisations.get(org).name.clone();
        let rules = Arc::clone(&self.rules);
        let watching: Vec<&Rule> =
            rules.rules.iter().filter(|rule| rule.watches(record.level, &record.org)).collect();
        if watching.is_empty() {
            return MinuteOutcome::Unwatched;
        }
        let age_ms = now_ms.saturating_sub(i64::from(record.minute.0) * 60_000);
        // A minute of the far future would make every later one an older one, and the alerter mute for good.
        if age_ms < -self.config.max_age.as_ms() {
            return MinuteOutcome::Future;
        }
        let key = OrgKey { level: record.level, code: record.org.clone() };
        let wanted = |measure: Measure| {
            watching.iter().any(|rule| rule.fields().any(|field| field.measure == measure))
        };
        let taken = self.orgs.entry(key.clone()).or_default().figures.take(record, wanted);
        if taken != Taken::Nothing {
            self.changed.orgs.insert(key.clone());
        }
        if taken != Taken::Newest {
            return MinuteOutcome::Restated;
        }
        if age_ms > self.config.max_age.as_ms() {
            return MinuteOutcome::Old;
        }
        for rule in watching {
            for tags in self.instances(rule, &key) {
                self.judge(
                    rule,
                    WatchKey { org: key.clone(), rule: rule.id.clone(), tags },
                    &name,
                    record.minute,
                    now_ms,
                );
            }
        }
        MinuteOutcome::Judged
    }

    /// The tags of every episode that a rule can have for an organisation, as far as is known.
    fn instances(&self, rule: &Rule, key: &OrgKey) -> BTreeSet<Tags> {
        if let Some(only) = rule.only_tags() {
            return BTreeSet::from([only]);
        }
        let Some(state) = self.orgs.get(key) else { return BTreeSet::new() };
        let seen = state.figures.series.keys().filter_map(|series| rule.tags_of(*series));
        let watched = state.watches.keys().filter(|(id, _)| *id == rule.id).map(|(_, tags)| *tags);
        seen.chain(watched).collect()
    }

    fn judge(&mut self, rule: &Rule, key: WatchKey, name: &str, minute: Minute, now_ms: i64) {
        let Some(state) = self.orgs.get_mut(&key.org) else { return };
        let target = rule.against_target.then(|| {
            let date = self.days.date(minute.minus(1));
            let target = self.rules.targets.find(rule.value, key.org.level, &key.tags.pairs())?;
            target.on(date).map(|step| step.value)
        });
        let target = target.flatten();
        let judged =
            rule.judge(target, |field| state.figures.field(key.tags.series(field.measure), field.index));
        let stale = state.figures.stale;
        let mut watch = std::mem::take(state.watches.entry((key.rule.clone(), key.tags)).or_default());
        let was = watch.track.now;
        let Judged { judgement, amount } = judged;
        if !stale {
            watch.amount = amount.or(watch.amount);
        }
        let timing = Timing { hold: rule.hold, keep: rule.keep };
        let transitions = watch.track.step(timing, Point { minute, judgement, stale });
        if was != Phase::Inactive || !transitions.is_empty() || watch.track.now != Phase::Inactive {
            self.dress(rule, &key, (name, minute, target), &mut watch);
        }
        for transition in transitions {
            self.happened(&key, &mut watch, was, transition, "", now_ms);
        }
        self.put_back(key, watch);
    }

    fn put_back(&mut self, key: WatchKey, watch: Watch) {
        if let Some(state) = self.orgs.get_mut(&key.org) {
            state.watches.insert((key.rule, key.tags), watch);
        }
    }

    /// Takes a watch out, to be put back.
    fn taken(&mut self, key: &WatchKey) -> Option<Watch> {
        let state = self.orgs.get_mut(&key.org)?;
        state.watches.get_mut(&(key.rule.clone(), key.tags)).map(std::mem::take)
    }

    /// Puts the newest figures into the words of an episode.
    fn dress(
        &self,
        rule: &Rule,
        key: &WatchKey,
        (name, minute, target): (&str, Minute, Option<Decimal>),
        watch: &mut Watch,
    ) {
        let breach = rule.sides(target).map(|(breach, _)| breach);
        let (minute, link) = (minute.to_string(), self.link(key));
        let window = key.tags.window.map(|window| window.to_string()).unwrap_or_default();
        let facts = Facts {
            name,
            org: &key.org.code,
            level: key.org.level.as_str(),
            amount: watch.amount,
            breach: rule.breach,
            threshold: breach.map(|breach| breach.threshold),
            department_type: key.tags.department_type.map_or("", |tag| tag.as_str()),
            window: &window,
            minute: &minute,
            link: &link,
        };
        let face = &mut watch.face;
        face.summary = rule.summary.fill(&facts);
        face.value = watch.amount.map(|amount| amount.plain(rule.breach.rounding())).unwrap_or_default();
        face.threshold = breach.map_or_else(|| "no target in force".to_owned(), |breach| breach.to_string());
        face.version.clone_from(&rule.version);
        if watch.episode.is_none() {
            face.severity = rule.severity;
            name.clone_into(&mut face.name);
        }
    }

    fn link(&self, key: &WatchKey) -> String {
        self.config.link_of(key.org.level.as_str(), &key.org.code)
    }

    /// A change of an episode: on the record, and told to whom it concerns.
    fn happened(
        &mut self,
        key: &WatchKey,
        watch: &mut Watch,
        was: Phase,
        transition: Transition,
        by: &str,
        now_ms: i64,
    ) {
        let Transition { change, start } = transition;
        let episode = dedup_key(&key.rule, key.org.level, &key.org.code, key.tags, start);
        let (from, to) = states(was, watch.track.now, transition);
        self.metrics.changes.of(ChangeLabel(change)).inc();
        tracing::info!(episode, change = change.as_str(), value = watch.face.value, "alert");
        self.write_record(key, watch, &episode, (from, to), by, now_ms);
        match change {
            Change::Fired => self.fire(key, watch, episode, start, now_ms),
            Change::Resolved | Change::Withdrawn | Change::Closed => self.end(key, watch, now_ms),
            Change::Pending
            | Change::Dropped
            | Change::Recovering
            | Change::Relapsed
            | Change::Frozen
            | Change::Thawed => {}
        }
    }

    fn write_record(
        &mut self,
        key: &WatchKey,
        watch: &Watch,
        episode: &str,
        (from, to): (State, State),
        by: &str,
        now_ms: i64,
    ) {
        let share = watch.amount.filter(|amount| amount.below != 1);
        let record = Record {
            episode: episode.to_owned(),
            rule: key.rule.clone(),
            rule_version: watch.face.version.clone(),
            level: key.org.level,
            org: key.org.code.clone(),
            name: watch.face.name.clone(),
            series: owned_tags(key.tags),
            from,
            to,
            minute: watch.track.newest.unwrap_or(Minute(0)),
            at: Millis(now_ms),
            value: watch.face.value.clone(),
            numerator: watch.amount.map(|amount| amount.above),
            denominator: share.map(|amount| amount.below),
            threshold: watch.face.threshold.clone(),
            severity: watch.face.severity,
            stale: watch.track.stale,
            by: by.to_owned(),
            summary: watch.face.summary.clone(),
        };
        self.changed.records.insert(self.next_record);
        self.records.insert(self.next_record, record);
        self.next_record += 1;
        self.changed.orgs.insert(key.org.clone());
        self.changed.common = true;
        self.changed.urgent = true;
    }

    /// The transitions that the alerts topic does not have yet, in order, each with the number by which
    /// [`Alerter::recorded`] is told that it is there.
    pub fn records(&self) -> impl Iterator<Item = (u64, &Record)> {
        self.records.iter().map(|(number, record)| (*number, record))
    }

    /// The alerts topic has every transition up to this number.
    pub fn recorded(&mut self, up_to: u64) {
        let later = self.records.split_off(&(up_to + 1));
        self.changed.records.extend(self.records.keys());
        self.records = later;
    }

    /// Ends what belongs to a rule, a series or an organisation that is not there any more.
    fn withdraw_gone(&mut self, now_ms: i64) {
        let gone: Vec<WatchKey> = self
            .orgs
            .iter()
            .flat_map(|(org, state)| state.watches.keys().map(move |watch| (org, watch)))
            .filter(|(org, (rule, tags))| !self.is_watched(org, rule, *tags))
            .map(|(org, (rule, tags))| WatchKey { org: org.clone(), rule: rule.clone(), tags: *tags })
            .collect();
        for key in gone {
            let Some(mut watch) = self.taken(&key) else { continue };
            let was = watch.track.now;
            if let Some(transition) = watch.track.withdraw() {
                self.happened(&key, &mut watch, was, transition, "", now_ms);
            }
            if let Some(state) = self.orgs.get_mut(&key.org) {
                state.watches.remove(&(key.rule, key.tags));
            }
            self.changed.orgs.insert(key.org);
        }
    }

    fn is_watched(&self, org: &OrgKey, rule: &str, tags: Tags) -> bool {
        let is_there = self.organisations.find_at(&org.code, org.level).is_some();
        let rule = self.rules.rule(rule).filter(|_| is_there);
        rule.is_some_and(|rule| rule.watches(org.level, &org.code) && rule.has(tags))
    }

    /// Sets the gauges.
    pub fn show(&self, now_ms: i64) {
        let mut counts = [0i64; 4];
        for watch in self.orgs.values().flat_map(|state| state.watches.values()) {
            match watch.track.now {
                Phase::Inactive => continue,
                Phase::Pending { .. } => counts[0] += 1,
                Phase::Firing { .. } => counts[1] += 1,
                Phase::Recovering { .. } => counts[2] += 1,
            }
            counts[3] += i64::from(watch.track.stale);
        }
        let labels = [PhaseLabel::Pending, PhaseLabel::Firing, PhaseLabel::Recovering, PhaseLabel::Stale];
        for (label, count) in labels.into_iter().zip(counts) {
            self.metrics.episodes.of(label).set(count);
        }
        let oldest_ms = self.outbox.entries().map(|entry| entry.notice.at_ms).min();
        self.metrics.outbox.set(self.outbox.len() as i64);
        self.metrics.outbox_age_seconds.set(oldest_ms.map_or(0, |at_ms| (now_ms - at_ms).max(0) / 1000));
        self.metrics.records_waiting.set(self.records.len() as i64);
    }
}

/// The state before and after a transition, as the alerts topic has them.
fn states(was: Phase, now: Phase, transition: Transition) -> (State, State) {
    let before = if was.start() == Some(transition.start) { state(was) } else { State::Inactive };
    match transition.change {
        Change::Pending => (before, State::Pending),
        Change::Dropped | Change::Resolved => (before, State::Inactive),
        Change::Fired | Change::Relapsed => (before, State::Firing),
        Change::Recovering => (before, State::Recovering),
        Change::Frozen | Change::Thawed => (state(now), state(now)),
        Change::Withdrawn => (before, State::Withdrawn),
        Change::Closed => (before, State::Closed),
    }
}

fn state(phase: Phase) -> State {
    match phase {
        Phase::Inactive => State::Inactive,
        Phase::Pending { .. } => State::Pending,
        Phase::Firing { .. } => State::Firing,
        Phase::Recovering { .. } => State::Recovering,
    }
}

fn owned_tags(tags: Tags) -> Vec<(String, String)> {
    tags.pairs().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests;
