//! Alerts on the wire: what became of episodes, and what people ask of them (spec 3, 4.3;
//! `proto/sitrep/v1/alert.proto`). How an episode moves is in [`domain::alert`]; here it is only told.

use domain::alert::Severity;
use domain::organisations::Level;
use domain::time::{Millis, Minute};
use prost::Message;
use serde_json::{Map, Value as Json, json};

use crate::DecodeError;
use crate::generated::{self, alert_record};
use crate::measure::{level_number, level_of};

/// A value of the alerts topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertRecord {
    /// An episode changed its state, or was marked stale or fresh.
    Transition(Transition),
    /// Somebody acknowledges or closes an episode.
    Command(Command),
    /// Somebody silences a rule or an organisation.
    Silence(Silence),
}

/// The state of an episode, with how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Not in breach; as an end: resolved, or dropped before it fired.
    Inactive,
    /// In breach, not yet for long enough.
    Pending,
    /// In breach for long enough.
    Firing,
    /// Clear, not yet for long enough.
    Recovering,
    /// Ended because its rule or organisation is gone.
    Withdrawn,
    /// Ended by a person.
    Closed,
}

impl State {
    /// Every state.
    pub const ALL: [State; 6] =
        [State::Inactive, State::Pending, State::Firing, State::Recovering, State::Withdrawn, State::Closed];

    /// The name in records and on the board.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Inactive => "inactive",
            State::Pending => "pending",
            State::Firing => "firing",
            State::Recovering => "recovering",
            State::Withdrawn => "withdrawn",
            State::Closed => "closed",
        }
    }
}

/// An episode changed its state. `from` and `to` are equal where it was only marked stale or fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The episode's key, at most 255 bytes.
    pub episode: String,
    /// The rule's id.
    pub rule: String,
    /// Which version of the rule judged.
    pub rule_version: String,
    /// The organisation's level.
    pub level: Level,
    /// The organisation's code.
    pub org: String,
    /// The organisation's name.
    pub name: String,
    /// The tags of the series, name and value.
    pub series: Vec<(String, String)>,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The minute that was judged.
    pub minute: Minute,
    /// When it was judged.
    pub at: Millis,
    /// The value as it is shown; empty: there was none.
    pub value: String,
    /// The value's numerator, or the value itself.
    pub numerator: Option<i64>,
    /// The value's denominator, where it has one.
    pub denominator: Option<i64>,
    /// What it was compared with, for example `< 0.76`.
    pub threshold: String,
    /// How loud.
    pub severity: Severity,
    /// A feed behind the figure is silent: the episode stands still.
    pub stale: bool,
    /// Who did it; empty: the rule itself.
    pub by: String,
    /// The rule's text with the figures of that minute; empty in records of before there was it.
    pub summary: String,
}

/// What a person may ask for an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Somebody takes care of it: nobody else is called.
    Acknowledge,
    /// End it.
    Close,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 2] = [Action::Acknowledge, Action::Close];

    /// The name in records and paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Acknowledge => "acknowledge",
            Action::Close => "close",
        }
    }
}

/// Somebody acknowledges or closes an episode. Idempotent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The episode's key.
    pub episode: String,
    /// What is asked.
    pub action: Action,
    /// Who, from the token.
    pub by: String,
    /// When.
    pub at: Millis,
}

/// Nothing is sent for these episodes in [from, until).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The rule; `None`: every rule.
    pub rule: Option<String>,
    /// The organisation's code; `None`: every organisation.
    pub org: Option<String>,
    /// From when.
    pub from: Millis,
    /// Until when, exclusive.
    pub until: Millis,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
}

/// Appends a record as protobuf.
pub fn encode(record: &AlertRecord, out: &mut Vec<u8>) {
    let record = match record {
        AlertRecord::Transition(transition) => alert_record::Record::Transition(to_message(transition)),
        AlertRecord::Command(command) => alert_record::Record::Command(generated::AlertCommand {
            episode: command.episode.clone(),
            action: action_number(command.action).into(),
            by: command.by.clone(),
            at_ms: command.at.0,
        }),
        AlertRecord::Silence(silence) => alert_record::Record::Silence(generated::AlertSilence {
            rule: silence.rule.clone().unwrap_or_default(),
            org: silence.org.clone().unwrap_or_default(),
            from_ms: silence.from.0,
            until_ms: silence.until.0,
            who: silence.who.clone(),
            why: silence.why.clone(),
        }),
    };
    let message = generated::AlertRecord { record: Some(record) };
    out.reserve(message.encoded_len());
    message.encode_raw(out);
}

fn to_message(transition: &Transition) -> generated::AlertTransition {
    let tag = |(name, value): &(String, String)| generated::Tag { name: name.clone(), value: value.clone() };
    generated::AlertTransition {
        episode: transition.episode.clone(),
        rule: transition.rule.clone(),
        rule_version: transition.rule_version.clone(),
        level: level_number(transition.level) as i32,
        org: transition.org.clone(),
        name: transition.name.clone(),
        series: transition.series.iter().map(tag).collect(),
        from: state_number(transition.from).into(),
        to: state_number(transition.to).into(),
        minute: transition.minute.0,
        at_ms: transition.at.0,
        value: transition.value.clone(),
        numerator: transition.numerator,
        denominator: transition.denominator,
        threshold: transition.threshold.clone(),
        severity: severity_number(transition.severity).into(),
        stale: transition.stale,
        by: transition.by.clone(),
        summary: transition.summary.clone(),
    }
}

/// Reads a record.
pub fn decode(bytes: &[u8]) -> Result<AlertRecord, DecodeError> {
    match generated::AlertRecord::decode(bytes)?.record {
        Some(alert_record::Record::Transition(message)) => of_message(message).map(AlertRecord::Transition),
        Some(alert_record::Record::Command(message)) => {
            let action = find(Action::ALL, |action| action_number(action) as i32, message.action, "action")?;
            let at = Millis(message.at_ms);
            Ok(AlertRecord::Command(Command { episode: message.episode, action, by: message.by, at }))
        }
        Some(alert_record::Record::Silence(message)) => Ok(AlertRecord::Silence(Silence {
            rule: Some(message.rule).filter(|rule| !rule.is_empty()),
            org: Some(message.org).filter(|org| !org.is_empty()),
            from: Millis(message.from_ms),
            until: Millis(message.until_ms),
            who: message.who,
            why: message.why,
        })),
        None => Err(DecodeError::UnknownRecord),
    }
}

fn of_message(message: generated::AlertTransition) -> Result<Transition, DecodeError> {
    let state = |number, field| find(State::ALL, |state| state_number(state) as i32, number, field);
    let severity_number = |severity| severity_number(severity) as i32;
    let level = u64::try_from(message.level).ok().and_then(level_of);
    Ok(Transition {
        level: level.ok_or(DecodeError::Field("level"))?,
        from: state(message.from, "from")?,
        to: state(message.to, "to")?,
        severity: find(Severity::ALL, severity_number, message.severity, "severity")?,
        episode: message.episode,
        rule: message.rule,
        rule_version: message.rule_version,
        org: message.org,
        name: message.name,
        series: message.series.into_iter().map(|tag| (tag.name, tag.value)).collect(),
        minute: Minute(message.minute),
        at: Millis(message.at_ms),
        value: message.value,
        numerator: message.numerator,
        denominator: message.denominator,
        threshold: message.threshold,
        stale: message.stale,
        by: message.by,
        summary: message.summary,
    })
}

fn find<T: Copy, const N: usize>(
    all: [T; N],
    number_of: impl Fn(T) -> i32,
    number: i32,
    field: &'static str,
) -> Result<T, DecodeError> {
    all.into_iter().find(|value| number_of(*value) == number).ok_or(DecodeError::Field(field))
}

fn state_number(state: State) -> generated::AlertState {
    match state {
        State::Inactive => generated::AlertState::Inactive,
        State::Pending => generated::AlertState::Pending,
        State::Firing => generated::AlertState::Firing,
        State::Recovering => generated::AlertState::Recovering,
        State::Withdrawn => generated::AlertState::Withdrawn,
        State::Closed => generated::AlertState::Closed,
    }
}

fn severity_number(severity: Severity) -> generated::Severity {
    match severity {
        Severity::Info => generated::Severity::Info,
        Severity::Warning => generated::Severity::Warning,
        Severity::Page => generated::Severity::Page,
    }
}

fn action_number(action: Action) -> generated::AlertAction {
    match action {
        Action::Acknowledge => generated::AlertAction::Acknowledge,
        Action::Close => generated::AlertAction::Close,
    }
}

/// The record as people and browsers read it; `kind` is `transition`, `acknowledge`, `close` or `silence`.
pub fn to_json(record: &AlertRecord) -> Json {
    match record {
        AlertRecord::Transition(transition) => transition_json(transition),
        AlertRecord::Command(command) => json!({
            "kind": command.action.as_str(),
            "episode": command.episode,
            "by": command.by,
            "at_ms": command.at.0,
        }),
        AlertRecord::Silence(silence) => json!({
            "kind": "silence",
            "rule": silence.rule,
            "org": silence.org,
            "from_ms": silence.from.0,
            "until_ms": silence.until.0,
            "who": silence.who,
            "why": silence.why,
        }),
    }
}

fn transition_json(transition: &Transition) -> Json {
    let series: Map<String, Json> =
        transition.series.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    json!({
        "kind": "transition",
        "episode": transition.episode,
        "rule": transition.rule,
        "rule_version": transition.rule_version,
        "level": transition.level.as_str(),
        "org": transition.org,
        "name": transition.name,
        "series": series,
        "from": transition.from.as_str(),
        "to": transition.to.as_str(),
        "minute": transition.minute.to_string(),
        "at_ms": transition.at.0,
        "value": transition.value,
        "numerator": transition.numerator,
        "denominator": transition.denominator,
        "threshold": transition.threshold,
        "severity": transition.severity.as_str(),
        "stale": transition.stale,
        "by": transition.by,
        "summary": transition.summary,
    })
}
