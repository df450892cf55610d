//! The file of rules, channels and silences (`config/alerts.toml`, spec 3), read into types that cannot be wrong.
//!
//! Everything is checked when it is loaded; what is not built yet is refused with its name, never left out in silence.
//! An error names the rule or channel, the key in it, and what would be right.

mod raw;

use std::collections::BTreeMap;

use contract::alert::Silence;
use domain::alert::rule::Rule;
use domain::measures::Window;
use domain::opel::Framework;
use domain::organisations::Organisations;
use domain::target::Targets;
use runtime::config::Secret;

/// What the rules are checked against.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The organisations that there are.
    pub organisations: &'a Organisations,
    /// The windows that are published.
    pub windows: &'a [Window],
    /// The dated targets.
    pub targets: &'a Targets,
    /// The escalation frameworks that are computed.
    pub frameworks: &'a [Framework],
}

/// Everything that the file says.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// The rules, in the file's order.
    pub rules: Vec<Rule>,
    /// The channels by name.
    pub channels: BTreeMap<String, Channel>,
    /// The channel that gets what another refused for good.
    pub fallback: Option<String>,
    /// The silences of the file.
    pub silences: Vec<Silence>,
    /// The dated targets, against which rules may compare.
    pub targets: Targets,
}

/// Where notices go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Alertmanager's API v2.
    Alertmanager {
        /// Its address, a path before `/api/v2` included, without a slash at the end.
        url: String,
        /// Sent as a bearer token.
        token: Option<Secret>,
    },
    /// The process's own log.
    Log,
}

impl Channel {
    /// Whether the receiver forgets an alert that is not told again.
    pub fn forgets(&self) -> bool {
        match self {
            Channel::Alertmanager { .. } => true,
            Channel::Log => false,
        }
    }
}

/// Whether a silence covers an episode of that rule and organisation at that time (spec 3.0).
///
/// In [from, until) nobody new is called. What was told before is still kept true: open alerts are told again, and their
/// resolution is sent.
pub fn covers(silence: &Silence, rule: &str, org: &str, now_ms: i64) -> bool {
    (silence.from.0..silence.until.0).contains(&now_ms)
        && silence.rule.as_deref().is_none_or(|wanted| wanted == rule)
        && silence.org.as_deref().is_none_or(|wanted| wanted == org)
}

/// Why the file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct RulesError {
    /// The rule or channel and the key: `rule "four-hour" breach`.
    place: String,
    /// What is wrong and what would be right.
    what: String,
}

/// Reads the file's text.
pub fn load_rules(text: &str, surroundings: Surroundings<'_>) -> Result<RuleSet, RulesError> {
    raw::read(text, surroundings)
}

impl RuleSet {
    /// The rule of that id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

#[cfg(test)]
mod tests;
