//! The episodes that the board shows: what the alerts topic says, as a list with a bound.
//!
//! It judges nothing and keeps no history beyond its bound; the alerts topic does. Silences change what is sent, not
//! what is shown, and are left out here.

use std::collections::BTreeMap;

use contract::alert::{Action, AlertRecord, State, Transition};
use domain::alert::Severity;
use domain::organisations::Level;
use domain::time::Minute;
use serde::{Serialize, Serializer};

/// How many episodes are kept; the oldest ended ones go first, then the oldest of all.
pub const EPISODES_MAX: usize = 2_000;

/// An episode as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertView {
    /// Its key (spec 3, `dedup_key`).
    pub episode: String,
    /// The rule's id.
    pub rule: String,
    /// How urgent.
    #[serde(serialize_with = "severity")]
    pub severity: Severity,
    /// The level of the organisation.
    #[serde(serialize_with = "level")]
    pub level: Level,
    /// Its code.
    pub org: String,
    /// Its name.
    pub name: String,
    /// Tags of the series: `type`, `window`.
    pub tags: BTreeMap<String, String>,
    /// Where it stands.
    #[serde(serialize_with = "state")]
    pub state: State,
    /// Whether it ever fired: one that did not is nobody's business once it has ended.
    pub fired: bool,
    /// The first minute that was told of it, Unix seconds: that in which the breach began, unless that is older than
    /// what is kept of the topic.
    #[serde(rename = "since_s", serialize_with = "seconds")]
    pub since: Minute,
    /// The minute in which it ended, Unix seconds.
    #[serde(rename = "ended_s", serialize_with = "seconds_or_null")]
    pub ended: Option<Minute>,
    /// The newest minute that was told of it, Unix seconds: that of `value` and `summary`.
    #[serde(rename = "told_s", serialize_with = "seconds")]
    pub told: Minute,
    /// The rule's text with the figures of `told`, as people are to read it; empty in records of older versions.
    pub summary: String,
    /// The value of `told`, as rules write it: `0.723`, `12`.
    pub value: String,
    /// What it is held against: `< 0.76`.
    pub threshold: String,
    /// Frozen because the figures are stale.
    pub stale: bool,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
}

impl AlertView {
    /// Whether it stands in the strip at the top of the board.
    fn shown(&self) -> bool {
        match self.state {
            State::Firing | State::Recovering => true,
            State::Pending | State::Inactive | State::Withdrawn | State::Closed => false,
        }
    }
}

/// Whether a state is an end.
fn is_end(state: State) -> bool {
    match state {
        State::Pending | State::Firing | State::Recovering => false,
        State::Inactive | State::Withdrawn | State::Closed => true,
    }
}

/// Episodes by key, with a bound.
#[derive(Debug, Default)]
pub struct Episodes(BTreeMap<String, AlertView>);

impl Episodes {
    /// Takes in a record of the alerts topic; whether that changed anything. The same record again changes nothing.
    pub fn apply(&mut self, record: &AlertRecord) -> bool {
        match record {
            AlertRecord::Transition(transition) => self.transition(transition),
            AlertRecord::Command(command) => match (command.action, self.0.get_mut(&command.episode)) {
                (Action::Acknowledge, Some(view)) if view.acknowledged_by.is_none() => {
                    view.acknowledged_by = Some(command.by.clone());
                    true
                }
                // Who acknowledged first stands; a closed episode is told by its transition.
                (Action::Acknowledge | Action::Close, _) => false,
            },
            AlertRecord::Silence(_) => false,
        }
    }

    fn transition(&mut self, told: &Transition) -> bool {
        let held = self.0.get(&told.episode);
        let fired =
            held.is_some_and(|held| held.fired) || told.to == State::Firing || told.from == State::Firing;
        let view = AlertView {
            episode: told.episode.clone(),
            rule: told.rule.clone(),
            severity: told.severity,
            level: told.level,
            org: told.org.clone(),
            name: told.name.clone(),
            tags: told.series.iter().cloned().collect(),
            state: told.to,
            fired,
            since: held.map_or(told.minute, |held| held.since.min(told.minute)),
            ended: is_end(told.to).then_some(told.minute),
            told: told.minute,
            summary: told.summary.clone(),
            value: told.value.clone(),
            threshold: told.threshold.clone(),
            stale: told.stale,
            acknowledged_by: held.and_then(|held| held.acknowledged_by.clone()),
        };
        if held == Some(&view) {
            return false;
        }
        if view.ended.is_some() && !view.fired {
            return self.0.remove(&told.episode).is_some();
        }
        self.0.insert(told.episode.clone(), view);
        while self.0.len() > EPISODES_MAX {
            let oldest = self.0.values().min_by_key(|view| (view.ended.is_none(), view.since));
            let oldest = oldest.map(|view| view.episode.clone());
            oldest.and_then(|episode| self.0.remove(&episode));
        }
        true
    }

    /// What stands in the strip: the most urgent first, of these the newest first.
    pub fn shown(&self) -> Vec<&AlertView> {
        let mut shown: Vec<&AlertView> = self.0.values().filter(|view| view.shown()).collect();
        shown.sort_by(|a, b| (b.severity, b.since, &a.episode).cmp(&(a.severity, a.since, &b.episode)));
        shown
    }

    /// Every episode that was open at some time from a minute on, the newest first.
    pub fn from(&self, from: Minute) -> Vec<&AlertView> {
        let open_since = |view: &&AlertView| view.ended.is_none_or(|ended| ended >= from);
        let mut found: Vec<&AlertView> = self.0.values().filter(open_since).collect();
        found.sort_by(|a, b| (b.since, &a.episode).cmp(&(a.since, &b.episode)));
        found
    }
}

fn severity<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.as_str())
}

fn state<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.as_str())
}

fn level<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.as_str())
}

fn seconds<S: Serializer>(minute: &Minute, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(minute.start().0)
}

fn seconds_or_null<S: Serializer>(minute: &Option<Minute>, serializer: S) -> Result<S::Ok, S::Error> {
    minute.map(|minute| minute.start().0).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use contract::alert::Command;
    use domain::time::Millis;

    use super::*;

    fn told(episode: usize, from: State, to: State, severity: Severity, minute: u32) -> AlertRecord {
        AlertRecord::Transition(Transition {
            episode: format!("four-hour|{episode}"),
            rule: "four-hour".to_owned(),
            rule_version: "1".to_owned(),
            level: Level::Site,
            org: "S1".to_owned(),
            name: "One".to_owned(),
            series: vec![("type".to_owned(), "1".to_owned())],
            from,
            to,
            minute: Minute(minute),
            at: Millis(0),
            value: "0.723".to_owned(),
            numerator: None,
            denominator: None,
            threshold: "< 0.76".to_owned(),
            severity,
            stale: false,
            by: String::new(),
            summary: format!("One: 72.3 % in minute {minute}"),
        })
    }

    fn keys(views: &[&AlertView]) -> Vec<usize> {
        views.iter().filter_map(|view| view.episode.split('|').nth(1)?.parse().ok()).collect()
    }

    #[test]
    fn the_strip_holds_what_fires_the_most_urgent_first() {
        use Severity::{Page, Warning};
        use State::{Firing, Inactive, Pending, Recovering};
        let mut episodes = Episodes::default();
        for record in [
            told(1, Inactive, Pending, Warning, 10),
            told(1, Pending, Firing, Warning, 25),
            told(2, Inactive, Pending, Page, 11),
            told(3, Pending, Firing, Page, 12),
            told(3, Firing, Recovering, Page, 20),
            told(4, Pending, Firing, Page, 13),
            told(4, Recovering, Inactive, Page, 30),
            told(5, Pending, Firing, Page, 14),
            told(6, Inactive, Pending, Page, 15),
            told(6, Pending, Inactive, Page, 16),
        ] {
            assert!(episodes.apply(&record));
            assert!(!episodes.apply(&record), "told twice");
        }
        assert_eq!(keys(&episodes.shown()), [5, 3, 1]);
        let one = &episodes.0["four-hour|1"];
        assert_eq!(
            (one.since, one.told, one.summary.as_str()),
            (Minute(10), Minute(25), "One: 72.3 % in minute 25")
        );
        assert_eq!(keys(&episodes.from(Minute(30))), [5, 4, 3, 2, 1], "6 never fired");
        assert_eq!(keys(&episodes.from(Minute(31))), [5, 3, 2, 1]);
    }

    #[test]
    fn who_acknowledged_first_stands() {
        let mut episodes = Episodes::default();
        let acknowledge = |by: &str| {
            let episode = "four-hour|1".to_owned();
            AlertRecord::Command(Command {
                episode,
                action: Action::Acknowledge,
                by: by.to_owned(),
                at: Millis(0),
            })
        };
        assert!(!episodes.apply(&acknowledge("nobody")), "no such episode");
        episodes.apply(&told(1, State::Pending, State::Firing, Severity::Page, 5));
        assert!(episodes.apply(&acknowledge("a.nurse")));
        assert!(!episodes.apply(&acknowledge("b.nurse")));
        episodes.apply(&told(1, State::Firing, State::Recovering, Severity::Page, 9));
        assert_eq!(episodes.shown()[0].acknowledged_by.as_deref(), Some("a.nurse"));
    }

    #[test]
    fn at_the_bound_the_oldest_that_ended_go_first() {
        let mut episodes = Episodes::default();
        for at in 0..EPISODES_MAX {
            episodes.apply(&told(at, State::Pending, State::Firing, Severity::Page, at as u32));
            if at > 0 {
                episodes.apply(&told(at, State::Recovering, State::Inactive, Severity::Page, at as u32));
            }
        }
        episodes.apply(&told(EPISODES_MAX, State::Pending, State::Firing, Severity::Page, 9_999));
        assert_eq!(episodes.0.len(), EPISODES_MAX);
        assert!(episodes.0.contains_key("four-hour|0") && !episodes.0.contains_key("four-hour|1"));
    }
}
