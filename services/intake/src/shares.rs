//! How much of what each sender sends is refused: a deploy that broke a feed must be seen, and not only by whoever reads
//! the answers.
//!
//! A sender is a token's name or a feed's, so there are as many as the configuration has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::time::Millis;
use prometheus::IntGauge;

use crate::metrics::Metrics;

/// The minutes that are looked at; each has a bucket.
const MINUTES: usize = 10;

/// From when on a sender is in trouble.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// More than this share of its events is refused: from 0 to 1.
    pub share: f64,
    /// And at least so many are.
    pub at_least: u64,
}

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm { share: 0.05, at_least: 20 }
    }
}

/// Counts of the last ten minutes by sender.
#[derive(Debug)]
pub struct Shares {
    alarm: Alarm,
    gauge: IntGauge,
    senders: Mutex<BTreeMap<String, Sender>>,
}

#[derive(Debug, Default)]
struct Sender {
    /// For the minute in each place: which, and how many were read and refused in it.
    minutes: [(i64, u64, u64); MINUTES],
    alarmed: bool,
}

impl Shares {
    /// Nothing has come yet. One for all doors of a process.
    pub fn new(alarm: Alarm, metrics: &Metrics) -> Arc<Shares> {
        Arc::new(Shares::with_gauge(alarm, metrics.senders_in_trouble.clone()))
    }

    fn with_gauge(alarm: Alarm, gauge: IntGauge) -> Shares {
        Shares { alarm, gauge, senders: Mutex::default() }
    }

    /// So many events of a sender were taken, so many refused.
    pub(crate) fn count(&self, sender: &str, taken: u64, refused: u64, now: Millis) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if !senders.contains_key(sender) {
            senders.insert(sender.to_owned(), Sender::default());
        }
        if let Some(one) = senders.get_mut(sender) {
            one.add(taken, refused, minute(now));
        }
        self.judge(&mut senders, now);
    }

    /// Time has passed: what is older than ten minutes no longer counts.
    pub(crate) fn tick(&self, now: Millis) {
        self.judge(&mut self.senders.lock().unwrap_or_else(PoisonError::into_inner), now);
    }

    fn judge(&self, senders: &mut BTreeMap<String, Sender>, now: Millis) {
        for (name, sender) in senders.iter_mut() {
            let (read, refused) = sender.sums(minute(now));
            let alarmed = refused >= self.alarm.at_least && refused as f64 > self.alarm.share * read as f64;
            match (std::mem::replace(&mut sender.alarmed, alarmed), alarmed) {
                (false, true) => {
                    tracing::error!(
                        sender = name,
                        read,
                        refused,
                        "much of what a sender sends is refused: see `sitrep refusals list` (what is no JSON is not kept)"
                    );
                }
                (true, false) => {
                    tracing::info!(sender = name, "little of what a sender sends is refused again")
                }
                (false, false) | (true, true) => {}
            }
        }
        self.gauge.set(senders.values().filter(|sender| sender.alarmed).count() as i64);
    }
}

impl Sender {
    fn add(&mut self, taken: u64, refused: u64, minute: i64) {
        let place = &mut self.minutes[minute.rem_euclid(MINUTES as i64) as usize];
        if place.0 != minute {
            *place = (minute, 0, 0);
        }
        place.1 += taken + refused;
        place.2 += refused;
    }

    fn sums(&self, minute: i64) -> (u64, u64) {
        let recent = self.minutes.iter().filter(|(at, ..)| (0..MINUTES as i64).contains(&(minute - at)));
        recent.fold((0, 0), |(read, refused), one| (read + one.1, refused + one.2))
    }
}

fn minute(now: Millis) -> i64 {
    now.0.div_euclid(60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_sender_is_in_trouble_while_much_of_its_last_ten_minutes_was_refused() {
        let gauge = IntGauge::new("g", "g").unwrap();
        let shares = Shares::with_gauge(Alarm { share: 0.1, at_least: 5 }, gauge.clone());
        let mut rows = 0;
        let mut at = |minute: i64, sender: &str, taken, refused, alarmed| {
            rows += 1;
            shares.count(sender, taken, refused, Millis(minute * MINUTE));
            assert_eq!(gauge.get(), alarmed, "row {rows}");
        };
        at(100, "a", 0, 4, 0); // all of them, but too few
        at(100, "b", 1_000, 5, 0); // enough of them, but a small share
        at(101, "a", 0, 1, 1);
        at(101, "b", 0, 200, 2); // 205 of 1,205
        at(105, "a", 45, 0, 1); // 5 of 50 is no more than a tenth
        at(106, "a", 0, 1, 2);
        at(110, "a", 0, 0, 1); // what was of minute 100 no longer counts: 2 of 47
        let left = |minute: i64| {
            shares.tick(Millis(minute * MINUTE));
            gauge.get()
        };
        assert_eq!(left(110), 1);
        assert_eq!(left(111), 0);
        // A clock that steps back does no harm.
        shares.count("a", 1, 0, Millis(-5));
        assert_eq!(left(112), 0);
    }
}
