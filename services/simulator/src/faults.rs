//! What goes wrong between a department and the log, one kind at a time and at a known rate. Faults change what is
//! said and when it is received, never what happened.
//!
//! | fault | rate | what it does |
//! |---|---|---|
//! | `late` | 1 % of statements | received 1–12 h after they were recorded |
//! | `duplicate` | 1 % of statements | received again, byte for byte, up to an hour later |
//! | `disordered` | 5 % of statements | received up to 20 min later, overtaken by what followed |
//! | `corrected` | 3 % of attendances and of journeys | a fact is stated otherwise up to a day later; a sixth of these are departures that are retracted (`null`) and stated again |
//! | `void` | 0.5 % of attendances | cancelled 10 min to 6 h after arrival |
//! | `silent_feed` | 3 % of the days of a source | nothing is received for 2–6 h (not even a heartbeat); then all at once |
//! | `clock_skew` | 5 % of sources | every instant they state is 2–9 min off, early or late, `recorded_at` too |
//! | `clock_change` | 15 % of sources | for five hours after a clock change they go on with the old offset: every instant is an hour late in spring (live, that is refused as `future_dated`) and an hour early in autumn |
//!
//! Within one event `recorded_at` and the instants always shift together.

use domain::event::Disposal;
use domain::time::{Millis, Second};
use jiff::tz::TimeZone;

use crate::arrivals::london;
use crate::organisations::Places;
use crate::random::{Draws, Purpose, key};

/// A kind of fault; the rates are in the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Received hours after it was recorded.
    Late,
    /// Received twice.
    Duplicate,
    /// Received after what followed it.
    Disordered,
    /// Stated otherwise later.
    Corrected,
    /// Cancelled.
    Void,
    /// Nothing from a source for hours, then all at once.
    SilentFeed,
    /// A source's clock is some minutes wrong.
    ClockSkew,
    /// A source misses the change of the clocks.
    ClockChange,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 8] = [
        Fault::Late,
        Fault::Duplicate,
        Fault::Disordered,
        Fault::Corrected,
        Fault::Void,
        Fault::SilentFeed,
        Fault::ClockSkew,
        Fault::ClockChange,
    ];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Late => "late",
            Fault::Duplicate => "duplicate",
            Fault::Disordered => "disordered",
            Fault::Corrected => "corrected",
            Fault::Void => "void",
            Fault::SilentFeed => "silent_feed",
            Fault::ClockSkew => "clock_skew",
            Fault::ClockChange => "clock_change",
        }
    }

    /// The kind of that name; `-` may stand for `_`.
    pub fn parse(text: &str) -> Option<Fault> {
        let text = text.replace('-', "_");
        Fault::ALL.into_iter().find(|fault| fault.as_str() == text)
    }
}

/// What is stated otherwise about an attendance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Correction {
    /// Another arrival.
    Arrival(Second),
    /// Another beginning of treatment.
    Treatment(Second),
    /// Another departure: back-timed.
    Departure(Second),
    /// Another ending.
    Disposal(Disposal),
    /// The departure is retracted, and stated again with this time.
    Cancelled(Second),
}

/// The faults of one simulation, with what they decide once for each source.
pub(crate) struct Faults {
    chosen: Vec<Fault>,
    seed: u64,
    sources: Vec<SourceFaults>,
    zone: TimeZone,
}

#[derive(Default)]
struct SourceFaults {
    key: u64,
    skew_seconds: i64,
    misses_clock_change: bool,
}

impl Faults {
    pub(crate) fn new(chosen: &[Fault], seed: u64, places: &Places) -> Faults {
        let mut faults = Faults { chosen: chosen.to_vec(), seed, sources: Vec::new(), zone: london() };
        faults.sources = places.sources.iter().map(|name| faults.source(name)).collect();
        faults
    }

    fn source(&self, name: &str) -> SourceFaults {
        let key = key(name);
        let mut draws = Draws::new(self.seed, Purpose::Feeds, key, 0);
        let skewed = draws.chance(0.05);
        let minutes = i64::from(draws.between(2, 9)) * if draws.chance(0.5) { 60 } else { -60 };
        let skew_seconds = if skewed && self.has(Fault::ClockSkew) { minutes } else { 0 };
        let misses_clock_change = draws.chance(0.15) && self.has(Fault::ClockChange);
        SourceFaults { key, skew_seconds, misses_clock_change }
    }

    pub(crate) fn any(&self) -> bool {
        !self.chosen.is_empty()
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.chosen.contains(&fault)
    }

    /// When a message is received that would be received at `at`.
    pub(crate) fn received(&self, at: i64, draws: &mut Draws) -> i64 {
        let mut at = at;
        if self.has(Fault::Late) && draws.chance(0.01) {
            at += i64::from(draws.between(3_600_000, 43_200_000));
        }
        if self.has(Fault::Disordered) && draws.chance(0.05) {
            at += i64::from(draws.between(60_000, 1_200_000));
        }
        at
    }

    /// When it is received once more, if it is.
    pub(crate) fn received_again(&self, at: i64, draws: &mut Draws) -> Option<i64> {
        let again = self.has(Fault::Duplicate) && draws.chance(0.01);
        again.then(|| at + i64::from(draws.between(1_000, 3_600_000)))
    }

    /// The end of the silence in which a source is at that time.
    pub(crate) fn silent_until(&self, source: u16, at: i64) -> Option<i64> {
        const DAY: i64 = 86_400_000;
        if !self.has(Fault::SilentFeed) {
            return None;
        }
        let day = at.div_euclid(DAY);
        let key = self.sources[usize::from(source)].key;
        let mut draws = Draws::new(self.seed, Purpose::Feeds, key, 1 + day.unsigned_abs());
        if !draws.chance(0.03) {
            return None;
        }
        // Inside one UTC day, so that the day alone decides.
        let length = i64::from(draws.between(7_200_000, 21_600_000));
        let start = day * DAY + i64::from(draws.below(64_800_000));
        (start..start + length).contains(&at).then_some(start + length)
    }

    /// By how many seconds a source's clock is wrong at that time.
    pub(crate) fn clock_error_seconds(&self, source: u16, at: Millis) -> i64 {
        let source = &self.sources[usize::from(source)];
        if !source.misses_clock_change {
            return source.skew_seconds;
        }
        let offset = |at: i64| {
            let instant = jiff::Timestamp::from_second(at).expect("within 2000–2099");
            i64::from(self.zone.to_offset(instant).seconds())
        };
        let now = i64::from(at.second().0);
        source.skew_seconds + offset(now) - offset(now - 5 * 3600)
    }

    /// Whether and how an attendance is corrected.
    pub(crate) fn correction(&self, departed: Second, seen: Facts, draws: &mut Draws) -> Option<Correction> {
        if !(self.has(Fault::Corrected) && draws.chance(0.03)) {
            return None;
        }
        let seconds = draws.between(60, 1_800);
        Some(match draws.below(6) {
            0 => Correction::Arrival(Second(seen.arrived_at.0 - seconds)),
            1 => Correction::Treatment(Second(seen.treated_at.unwrap_or(seen.arrived_at).0 + seconds / 4)),
            2 | 3 => {
                Correction::Departure(Second(departed.0 - seconds.min((departed.0 - seen.arrived_at.0) / 2)))
            }
            4 if seen.disposal == Disposal::Admitted => Correction::Disposal(Disposal::Transferred),
            4 => Correction::Disposal(Disposal::Admitted),
            _ => Correction::Cancelled(Second(departed.0 + 3_600 + seconds)),
        })
    }

    /// Whether a journey's handover is corrected, and to what.
    pub(crate) fn handover(&self, arrived: Second, handed_over: Second, draws: &mut Draws) -> Option<Second> {
        let corrected = self.has(Fault::Corrected) && draws.chance(0.03);
        let earlier = draws.below(601).min((handed_over.0 - arrived.0) / 2);
        corrected.then_some(Second(handed_over.0 - earlier))
    }

    /// When, in seconds after arrival, an attendance is cancelled.
    pub(crate) fn void(&self, draws: &mut Draws) -> Option<u32> {
        (self.has(Fault::Void) && draws.chance(0.005)).then(|| draws.between(600, 21_600))
    }
}

/// What a correction starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) arrived_at: Second,
    pub(crate) treated_at: Option<Second>,
    pub(crate) disposal: Disposal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_nothing_else_is() {
        for fault in Fault::ALL {
            assert_eq!(Fault::parse(fault.as_str()), Some(fault));
        }
        assert_eq!(Fault::parse("silent-feed"), Some(Fault::SilentFeed));
        for bad in ["", "LATE", "late ", "lost"] {
            assert_eq!(Fault::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_missed_clock_change_is_an_hour_for_five_hours() {
        let places = Places { sources: vec!["a.epr".into()], ..Places::default() };
        let mut faults = Faults::new(&[], 1, &places);
        faults.sources[0].misses_clock_change = true;
        for (at, error) in [
            ("2025-10-26T00:59:59Z", 0),
            ("2025-10-26T01:00:00Z", -3600),
            ("2025-10-26T05:59:59Z", -3600),
            ("2025-10-26T06:00:00Z", 0),
            ("2026-03-29T00:59:59Z", 0),
            ("2026-03-29T01:00:00Z", 3600),
            ("2026-03-29T06:00:00Z", 0),
        ] {
            let at_millis = domain::time::rfc3339(at.as_bytes()).unwrap();
            assert_eq!(faults.clock_error_seconds(0, at_millis), error, "{at}");
        }
    }
}
