//! Self-metrics of the alerter.

use domain::alert::episode::Change;
use prometheus::{IntCounter, IntGauge, Registry};
use runtime::metrics::{Counters, Gauges, Label, MetricsError, counter, gauge};

/// What became of an org-minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinuteOutcome {
    /// Judged by the rules.
    Judged,
    /// Not the newest minute: moves no episode.
    Restated,
    /// Older than `alert.max_age`: moves no episode.
    Old,
    /// Further in the future than `alert.max_age`: left out.
    Future,
    /// Of an organisation that is not configured.
    UnknownOrg,
    /// Of an organisation that no rule watches.
    Unwatched,
    /// Not decodable.
    Malformed,
}

impl Label for MinuteOutcome {
    const ALL: &'static [MinuteOutcome] = &[
        MinuteOutcome::Judged,
        MinuteOutcome::Restated,
        MinuteOutcome::Old,
        MinuteOutcome::Future,
        MinuteOutcome::UnknownOrg,
        MinuteOutcome::Unwatched,
        MinuteOutcome::Malformed,
    ];

    fn as_str(self) -> &'static str {
        match self {
            MinuteOutcome::Judged => "judged",
            MinuteOutcome::Restated => "restated",
            MinuteOutcome::Old => "old",
            MinuteOutcome::Future => "future",
            MinuteOutcome::UnknownOrg => "unknown_org",
            MinuteOutcome::Unwatched => "unwatched",
            MinuteOutcome::Malformed => "malformed",
        }
    }
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// It had an effect.
    Done,
    /// It was so already, or it names nothing that is there.
    NoEffect,
    /// Not decodable.
    Malformed,
}

impl Label for CommandOutcome {
    const ALL: &'static [CommandOutcome] =
        &[CommandOutcome::Done, CommandOutcome::NoEffect, CommandOutcome::Malformed];

    fn as_str(self) -> &'static str {
        match self {
            CommandOutcome::Done => "done",
            CommandOutcome::NoEffect => "no_effect",
            CommandOutcome::Malformed => "malformed",
        }
    }
}

/// What became of a try to tell somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Taken.
    Taken,
    /// To be tried again.
    Later,
    /// Refused for good.
    Refused,
}

impl Label for DeliveryOutcome {
    const ALL: &'static [DeliveryOutcome] =
        &[DeliveryOutcome::Taken, DeliveryOutcome::Later, DeliveryOutcome::Refused];

    fn as_str(self) -> &'static str {
        match self {
            DeliveryOutcome::Taken => "taken",
            DeliveryOutcome::Later => "later",
            DeliveryOutcome::Refused => "refused",
        }
    }
}

/// The phases of an episode that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseLabel {
    /// Pending.
    Pending,
    /// Firing.
    Firing,
    /// Recovering.
    Recovering,
    /// Of these: frozen, its figures being stale.
    Stale,
}

impl Label for PhaseLabel {
    const ALL: &'static [PhaseLabel] =
        &[PhaseLabel::Pending, PhaseLabel::Firing, PhaseLabel::Recovering, PhaseLabel::Stale];

    fn as_str(self) -> &'static str {
        match self {
            PhaseLabel::Pending => "pending",
            PhaseLabel::Firing => "firing",
            PhaseLabel::Recovering => "recovering",
            PhaseLabel::Stale => "stale",
        }
    }
}

/// A change of an episode, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeLabel(pub Change);

impl Label for ChangeLabel {
    const ALL: &'static [ChangeLabel] = &[
        ChangeLabel(Change::Pending),
        ChangeLabel(Change::Dropped),
        ChangeLabel(Change::Fired),
        ChangeLabel(Change::Recovering),
        ChangeLabel(Change::Relapsed),
        ChangeLabel(Change::Resolved),
        ChangeLabel(Change::Frozen),
        ChangeLabel(Change::Thawed),
        ChangeLabel(Change::Withdrawn),
        ChangeLabel(Change::Closed),
    ];

    fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

/// Everything that the alerter counts.
#[derive(Clone, Debug)]
pub struct AlertMetrics {
    /// Org-minutes read.
    pub minutes: Counters<MinuteOutcome>,
    /// Commands read.
    pub commands: Counters<CommandOutcome>,
    /// Changes of episodes.
    pub changes: Counters<ChangeLabel>,
    /// Tries to tell somebody.
    pub deliveries: Counters<DeliveryOutcome>,
    /// Episodes now.
    pub episodes: Gauges<PhaseLabel>,
    /// Notices that wait, those under way included.
    pub outbox: IntGauge,
    /// Age of the oldest of them.
    pub outbox_age_seconds: IntGauge,
    /// Transitions that the alerts topic does not have yet.
    pub records_waiting: IntGauge,
    /// Checkpoints saved.
    pub checkpoints: IntCounter,
    /// Checkpoints that could not be saved.
    pub checkpoint_failures: IntCounter,
    /// When the last checkpoint was saved, Unix seconds.
    pub checkpoint_seconds: IntGauge,
}

impl AlertMetrics {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> Result<AlertMetrics, MetricsError> {
        Ok(AlertMetrics {
            minutes: Counters::new(
                registry,
                "sitrep_alert_minutes_total",
                "Org-minutes read, by outcome.",
                "outcome",
            )?,
            commands: Counters::new(
                registry,
                "sitrep_alert_commands_total",
                "Commands read, by outcome.",
                "outcome",
            )?,
            changes: Counters::new(registry, "sitrep_alert_changes_total", "Changes of episodes.", "change")?,
            deliveries: Counters::new(
                registry,
                "sitrep_alert_deliveries_total",
                "Tries to tell a receiver, by outcome.",
                "outcome",
            )?,
            episodes: Gauges::new(
                registry,
                "sitrep_alert_episodes",
                "Episodes by phase; stale: of all these, those whose figures are stale.",
                "phase",
            )?,
            outbox: gauge(registry, "sitrep_alert_outbox_notices", "Notices still to be told.")?,
            outbox_age_seconds: gauge(
                registry,
                "sitrep_alert_outbox_age_seconds",
                "Age of the oldest notice still to be told.",
            )?,
            records_waiting: gauge(
                registry,
                "sitrep_alert_records_waiting",
                "Transitions that are not on the alerts topic yet.",
            )?,
            checkpoints: counter(registry, "sitrep_alert_checkpoints_total", "Checkpoints saved.")?,
            checkpoint_failures: counter(
                registry,
                "sitrep_alert_checkpoint_failures_total",
                "Checkpoints that could not be saved.",
            )?,
            checkpoint_seconds: gauge(
                registry,
                "sitrep_alert_checkpoint_timestamp_seconds",
                "When the last checkpoint was saved, Unix time.",
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_a_label() {
        let labels: Vec<Change> = ChangeLabel::ALL.iter().map(|label| label.0).collect();
        assert_eq!(labels, Change::ALL);
    }

    #[test]
    fn the_exposition_is_this() {
        let registry = Registry::new();
        AlertMetrics::new(&registry).unwrap();
        let text = runtime::metrics::encode(&registry);
        let series: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.trim_end_matches(" 0"))
            .collect();
        assert_eq!(
            series,
            [
                "sitrep_alert_changes_total{change=\"closed\"}",
                "sitrep_alert_changes_total{change=\"dropped\"}",
                "sitrep_alert_changes_total{change=\"firing\"}",
                "sitrep_alert_changes_total{change=\"frozen\"}",
                "sitrep_alert_changes_total{change=\"pending\"}",
                "sitrep_alert_changes_total{change=\"recovering\"}",
                "sitrep_alert_changes_total{change=\"relapsed\"}",
                "sitrep_alert_changes_total{change=\"resolved\"}",
                "sitrep_alert_changes_total{change=\"thawed\"}",
                "sitrep_alert_changes_total{change=\"withdrawn\"}",
                "sitrep_alert_checkpoint_failures_total",
                "sitrep_alert_checkpoint_timestamp_seconds",
                "sitrep_alert_checkpoints_total",
                "sitrep_alert_commands_total{outcome=\"done\"}",
                "sitrep_alert_commands_total{outcome=\"malformed\"}",
                "sitrep_alert_commands_total{outcome=\"no_effect\"}",
                "sitrep_alert_deliveries_total{outcome=\"later\"}",
                "sitrep_alert_deliveries_total{outcome=\"refused\"}",
                "sitrep_alert_deliveries_total{outcome=\"taken\"}",
                "sitrep_alert_episodes{phase=\"firing\"}",
                "sitrep_alert_episodes{phase=\"pending\"}",
                "sitrep_alert_episodes{phase=\"recovering\"}",
                "sitrep_alert_episodes{phase=\"stale\"}",
                "sitrep_alert_minutes_total{outcome=\"future\"}",
                "sitrep_alert_minutes_total{outcome=\"judged\"}",
                "sitrep_alert_minutes_total{outcome=\"malformed\"}",
                "sitrep_alert_minutes_total{outcome=\"old\"}",
                "sitrep_alert_minutes_total{outcome=\"restated\"}",
                "sitrep_alert_minutes_total{outcome=\"unknown_org\"}",
                "sitrep_alert_minutes_total{outcome=\"unwatched\"}",
                "sitrep_alert_outbox_age_seconds",
                "sitrep_alert_outbox_notices",
                "sitrep_alert_records_waiting",
            ]
        );
    }
}
