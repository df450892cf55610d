//! Rules on trial (`sitrep rules test`): a file writes the figures of an organisation minute by minute and what has to
//! happen, and the alerter that runs in earnest is told them. Nobody is called: what would have been sent is only noted.
//!
//! Every change of an episode must be expected; one more, one fewer or one minute later is a fault of the rule or of
//! the file. The file's form is in `file`; reading files and printing are the caller's.

mod file;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use contract::alert::{State, Transition};
use domain::alert::outbox::{Kind, Outcome};
use domain::measures::{Freshness, OrgMinute, Revision, Series, SeriesKey, Values};
use domain::organisations::{Level, Organisations};
use domain::time::Minute;
use prometheus::Registry;

use crate::config::AlertConfig;
use crate::metrics::AlertMetrics;
use crate::rules::RuleSet;
use crate::service::Alerter;

pub use file::{Surroundings, TrialError, read};

/// How long after a minute has closed its figures are there.
const AFTER_CLOSING_MS: i64 = 2_000;

/// One trial: a rule, an organisation, and some minutes.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What it shows.
    pub name: String,
    rule: String,
    org: String,
    level: Level,
    from: Minute,
    /// Each field that is written, with its series and its value at each minute; `None`: the minute is not published.
    values: Vec<(SeriesKey, usize, Vec<Option<i64>>)>,
    stale: Vec<bool>,
    expect: Vec<Expected>,
}

/// Something that has to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    minute: u32,
    change: String,
    told: Option<Vec<String>>,
    says: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Minutes since the trial began.
    pub minute: u32,
    /// `pending`, `dropped`, `firing`, `recovering`, `relapsed`, `resolved`, `frozen`, `thawed`, `escalated`.
    pub change: &'static str,
    /// The channels that would have been told, in order.
    pub told: Vec<String>,
    /// What they would have been told; empty if nobody was.
    pub says: String,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m {}", self.minute, self.change)?;
        if !self.told.is_empty() {
            write!(f, ", {} told \"{}\"", self.told.join(" and "), self.says)?;
        }
        Ok(())
    }
}

impl Trial {
    /// What is not as expected, each in words; empty if all is. `rules`, `organisations` and `config` are those with which
    /// the file was read.
    pub fn faults(
        &self,
        rules: &Arc<RuleSet>,
        organisations: &Arc<Organisations>,
        config: &AlertConfig,
    ) -> Vec<String> {
        compare(&self.expect, &self.run(rules, organisations, config))
    }

    /// All that happens.
    fn run(
        &self,
        rules: &Arc<RuleSet>,
        organisations: &Arc<Organisations>,
        config: &AlertConfig,
    ) -> Vec<Happened> {
        let mut only = RuleSet::clone(rules);
        only.rules.retain(|rule| rule.id == self.rule);
        // A silence of the file is for real nights: here it would hide what the rule does.
        only.silences.clear();
        let metrics = AlertMetrics::new(&Registry::new()).expect("a registry of its own");
        let mut alerter = Alerter::new(Arc::new(only), organisations.clone(), config.clone(), metrics);
        let mut happened = Vec::new();
        for minute in 0..self.stale.len() as u32 {
            let now_ms = i64::from(self.from.plus(minute).0) * 60_000 + AFTER_CLOSING_MS;
            if let Some(record) = self.record(minute) {
                alerter.on_minute(&record, now_ms);
            }
            let before = happened.len();
            note(&mut alerter, minute, false, &mut happened);
            let told = told(&mut alerter, now_ms);
            note(&mut alerter, minute, true, &mut happened);
            // Who is told is told for what happened last in that minute.
            if let Some(last) = happened[before..].last_mut() {
                (last.told, last.says) = told;
            }
        }
        happened
    }

    fn record(&self, minute: u32) -> Option<OrgMinute> {
        let mut series: Vec<Series> = Vec::new();
        for (key, index, values) in &self.values {
            let value = values[minute as usize]?;
            let position = series.iter().position(|known| known.key == *key).unwrap_or_else(|| {
                series.push(Series { key: *key, values: Values::default() });
                series.len() - 1
            });
            series[position].values[*index] = value;
        }
        let freshness = Freshness { stale: self.stale[minute as usize], ..Freshness::default() };
        Some(OrgMinute {
            level: self.level,
            org: self.org.clone(),
            minute: self.from.plus(minute),
            revision: Revision { epoch: 1, n: 1 },
            freshness,
            restated: false,
            series,
        })
    }
}

/// Takes the transitions that are not noted yet.
fn note(alerter: &mut Alerter, minute: u32, after_judging: bool, happened: &mut Vec<Happened>) {
    let mut last = None;
    for (number, record) in alerter.records() {
        let change = change(record, after_judging);
        happened.push(Happened { minute, change, told: Vec::new(), says: String::new() });
        last = Some(number);
    }
    if let Some(last) = last {
        alerter.recorded(last);
    }
}

/// Takes what is to be sent; reminders say nothing new.
fn told(alerter: &mut Alerter, now_ms: i64) -> (Vec<String>, String) {
    let (mut channels, mut says) = (Vec::new(), String::new());
    loop {
        let due = alerter.tick(now_ms);
        if due.is_empty() {
            return (channels, says);
        }
        for delivery in due {
            if delivery.notice.kind != Kind::Reminder {
                channels.push(delivery.channel.clone());
                says.clone_from(&delivery.notice.summary);
            }
            alerter.delivered(delivery.id, &Outcome::Taken, now_ms);
        }
    }
}

fn change(record: &Transition, after_judging: bool) -> &'static str {
    match (record.from, record.to) {
        (from, to) if from == to => match (after_judging, record.stale) {
            (true, _) => "escalated",
            (false, true) => "frozen",
            (false, false) => "thawed",
        },
        (State::Recovering, State::Firing) => "relapsed",
        (State::Pending, State::Inactive) => "dropped",
        (_, State::Inactive) => "resolved",
        (_, State::Pending | State::Firing | State::Recovering | State::Withdrawn | State::Closed) => {
            record.to.as_str()
        }
    }
}

fn compare(expected: &[Expected], happened: &[Happened]) -> Vec<String> {
    let mut faults = Vec::new();
    let is = |wanted: &Expected, got: &Happened| wanted.minute == got.minute && wanted.change == got.change;
    for wanted in expected {
        let Some(got) = happened.iter().find(|got| is(wanted, got)) else {
            faults.push(format!("expected {}m {}: it did not happen", wanted.minute, wanted.change));
            continue;
        };
        if let Some(told) = wanted.told.as_ref().filter(|told| **told != got.told) {
            let nobody = |names: &[String]| match names {
                [] => "nobody".to_owned(),
                names => names.join(" and "),
            };
            faults.push(format!("{got}: expected {} told", nobody(told)));
        }
        if let Some(says) = wanted.says.as_ref().filter(|says| **says != got.says) {
            faults.push(format!("{got}: expected \"{says}\""));
        }
    }
    for got in happened.iter().filter(|got| !expected.iter().any(|wanted| is(wanted, got))) {
        faults.push(format!("{got}: not expected"));
    }
    faults
}
