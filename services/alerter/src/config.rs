//! The alerter's section of the configuration. Defaults live in `config/default.toml`, nowhere else.

use std::path::PathBuf;

use domain::alert::outbox::Patience;
use runtime::config::Duration;
use serde::Deserialize;

/// `[alert]`: how rules are applied and how patiently people are told. Whom and when is in the rules' own file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AlertConfig {
    /// The file of rules, channels and silences.
    pub rules: PathBuf,
    /// A minute older than this by the wall clock moves no episode (spec 3.0). One so far in the future does not either.
    pub max_age: Duration,
    /// Alertmanager: `endsAt` = now + this.
    pub ends_after: Duration,
    /// Alertmanager: told again every so often, for as long as the episode is open. Well under `ends_after`.
    pub repeat: Duration,
    /// The wait after the first try that failed; it doubles.
    pub retry_first: Duration,
    /// The longest wait between two tries; at most five minutes.
    pub retry_most: Duration,
    /// How long a receiver may take for one notice, answer included.
    pub timeout: Duration,
    /// Notices under way at a time, for each channel.
    pub in_flight: usize,
    /// The checkpoint is saved at least this often; beyond that, before anybody is told and after.
    pub checkpoint_every: Duration,
    /// The most silences that are kept of those given as commands; one more is not taken.
    pub silences: usize,
    /// So many notices that no receiver has taken yet, or transitions that are not on the alerts topic yet: then no
    /// measures are read until some are (docs/decisions/0026).
    pub outbox: usize,
    /// Where a person sees more; `{org}` and `{level}` are filled in. Empty: no link.
    pub link: String,
}

/// Why the section cannot be used: the key's path and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("alert.{key}: {what}")]
pub struct AlertConfigError {
    key: &'static str,
    what: &'static str,
}

impl AlertConfig {
    /// What no single key can say.
    pub fn check(&self) -> Result<(), AlertConfigError> {
        let wrong = |key, what| Err(AlertConfigError { key, what });
        if self.max_age.as_ms() < 60_000 {
            return wrong(
                "max_age",
                "must be at least \"1m\": the newest minute is that old before the next is there",
            );
        }
        if self.repeat.as_ms() < 1_000 || self.repeat.as_ms().saturating_mul(2) > self.ends_after.as_ms() {
            return wrong("repeat", "must be at least \"1s\" and at most half of alert.ends_after");
        }
        if !(1_000..=300_000).contains(&self.retry_most.as_ms()) {
            return wrong("retry_most", "must be from \"1s\" to \"5m\"");
        }
        if !(1..=self.retry_most.as_ms()).contains(&self.retry_first.as_ms()) {
            return wrong("retry_first", "must be over 0 and at most alert.retry_most");
        }
        if self.timeout.as_ms() == 0 {
            return wrong("timeout", "must be over 0");
        }
        if self.in_flight == 0 {
            return wrong("in_flight", "must be at least 1");
        }
        if self.outbox == 0 {
            return wrong("outbox", "must be at least 1");
        }
        if self.link.replace("{org}", "").replace("{level}", "").contains(['{', '}']) {
            return wrong("link", "may hold the placeholders {org} and {level} only");
        }
        Ok(())
    }

    /// How long to wait between tries.
    pub fn patience(&self) -> Patience {
        Patience { first_ms: self.retry_first.as_ms(), most_ms: self.retry_most.as_ms() }
    }

    /// The link for an organisation.
    pub fn link_of(&self, level: &str, org: &str) -> String {
        self.link.replace("{org}", org).replace("{level}", level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_shipped_values_are_right_and_others_say_what_would_be() {
        assert_eq!(testing::config("").check(), Ok(()));
        for (line, message) in [
            (
                "max_age = \"59s\"",
                "alert.max_age: must be at least \"1m\": the newest minute is that old before the next is there",
            ),
            (
                "repeat = \"31m\"",
                "alert.repeat: must be at least \"1s\" and at most half of alert.ends_after",
            ),
            ("retry_most = \"6m\"", "alert.retry_most: must be from \"1s\" to \"5m\""),
            ("retry_first = \"10m\"", "alert.retry_first: must be over 0 and at most alert.retry_most"),
            ("timeout = \"0s\"", "alert.timeout: must be over 0"),
            ("in_flight = 0", "alert.in_flight: must be at least 1"),
            ("outbox = 0", "alert.outbox: must be at least 1"),
            ("link = \"http://x/{patient}\"", "alert.link: may hold the placeholders {org} and {level} only"),
        ] {
            assert_eq!(testing::config(line).check().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = toml::from_str::<AlertConfig>("max_ages = \"5m\"").unwrap_err();
        assert!(error.message().contains("unknown field `max_ages`"), "{error}");
    }
}
