//! Local times as instants. A reading of a clock that shows no offset is an instant only with a zone, and around a
//! clock change only with a rule.
//!
//! | reading | instant |
//! |---|---|
//! | it exists once | that one |
//! | it exists twice (the hour before clocks went back) | the one nearest to what the caller knows, and not after it ([`Nearest`]) |
//! | it does not exist (clocks went forward) | moved forward by what the clock skipped: 01:30 is 02:30 |

use domain::admission::FUTURE_TOLERANCE_MS;
use domain::time::{END_SECOND, FIRST_SECOND, Millis};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// The zone of a feed's local times: from when on which offset holds, in order. Looked up for each time of each message, so
/// the clock changes of the century are found once.
#[derive(Clone, Debug)]
pub struct Zone(Vec<Period>);

/// Between two clock changes.
#[derive(Clone, Copy, Debug)]
struct Period {
    from_ms: i64,
    /// East of UTC.
    offset_ms: i64,
}

/// Which of two instants a reading that exists twice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearest {
    /// The one nearer to this, when it was recorded or came; of two as near, the first. One that is so far after this that
    /// it would be refused as future it is not.
    To(Millis),
    /// The first that is not before this; else the second.
    NotBefore(Millis),
    /// The first.
    First,
}

impl Zone {
    /// The zone of that name, such as `Europe/London` or `UTC`; `None` for a name that is not in the tables.
    pub fn named(name: &str) -> Option<Zone> {
        let zone = TimeZone::get(name).ok()?;
        let [first, end] = [FIRST_SECOND, END_SECOND].map(|at| Timestamp::from_second(i64::from(at)).ok());
        let offset_ms = |offset: Offset| i64::from(offset.seconds()) * 1000;
        let mut periods =
            vec![Period { from_ms: i64::MIN / 2, offset_ms: offset_ms(zone.to_offset(first?)) }];
        for change in zone.following(first?).take_while(|change| Some(change.timestamp()) < end) {
            let from_ms = change.timestamp().as_millisecond();
            periods.push(Period { from_ms, offset_ms: offset_ms(change.offset()) });
        }
        Some(Zone(periods))
    }

    /// The instant of a local reading; `None` outside 2000–2099.
    pub fn instant(&self, local: DateTime, nearest: Nearest) -> Option<Millis> {
        let local = utc_ms(local)?;
        // The last period that had begun when the clock showed this. Where it had ended, the clock skipped the reading, and
        // this offset, that before the gap, moves it forward by the gap.
        let next = self.0.partition_point(|period| period.from_ms + period.offset_ms <= local);
        let index = next.checked_sub(1)?;
        let instant = local - self.0[index].offset_ms;
        // What the clock showed before it was put back it shows twice.
        let before = index.checked_sub(1).map(|before| local - self.0[before].offset_ms);
        let Some(first) = before.filter(|before| *before < self.0[index].from_ms) else {
            return in_range(instant);
        };
        let second = instant;
        in_range(match nearest {
            Nearest::First => first,
            Nearest::NotBefore(Millis(limit)) if first >= limit => first,
            Nearest::NotBefore(_) => second,
            Nearest::To(Millis(other)) if second > other + FUTURE_TOLERANCE_MS => first,
            Nearest::To(Millis(other)) if (first - other).abs() <= (second - other).abs() => first,
            Nearest::To(_) => second,
        })
    }

    /// The offset of this zone at an instant, in seconds east of UTC.
    pub fn offset_seconds(&self, at: Millis) -> Option<i32> {
        let index = self.0.partition_point(|period| period.from_ms <= at.0).checked_sub(1)?;
        i32::try_from(self.0[index].offset_ms / 1000).ok()
    }
}

/// The instant of a reading that states its offset, in seconds east of UTC; `None` outside 2000–2099.
pub fn with_offset(local: DateTime, offset_seconds: i32) -> Option<Millis> {
    in_range(utc_ms(local)? - i64::from(offset_seconds) * 1000)
}

/// The instant at which a clock that keeps UTC shows this.
fn utc_ms(local: DateTime) -> Option<i64> {
    Offset::UTC.to_timestamp(local).ok().map(|stamp| stamp.as_millisecond())
}

/// Instants outside 2000–2099 are refused (spec 1).
fn in_range(millis: i64) -> Option<Millis> {
    let century = i64::from(FIRST_SECOND) * 1000..i64::from(END_SECOND) * 1000;
    century.contains(&millis).then_some(Millis(millis))
}

#[cfg(test)]
mod tests {
    use domain::time::rfc3339;

    use super::*;

    fn at(text: &str) -> Millis {
        rfc3339(text.as_bytes()).unwrap()
    }

    #[test]
    fn readings_become_instants_around_both_changes() {
        let london = Zone::named("Europe/London").unwrap();
        let near = |text| Nearest::To(at(text));
        for (local, nearest, instant) in [
            ("2026-11-21T14:07:09", Nearest::First, "2026-11-21T14:07:09Z"),
            ("2026-07-01T14:07:09", Nearest::First, "2026-07-01T13:07:09Z"),
            // March: 01:00–01:59 do not exist.
            ("2026-03-29T00:59:59", Nearest::First, "2026-03-29T00:59:59Z"),
            ("2026-03-29T01:00", Nearest::First, "2026-03-29T01:00:00Z"),
            ("2026-03-29T01:30", near("2026-03-29T05:00:00Z"), "2026-03-29T01:30:00Z"),
            ("2026-03-29T02:00", Nearest::First, "2026-03-29T01:00:00Z"),
            // October: they exist twice.
            ("2026-10-25T00:59:59", Nearest::First, "2026-10-24T23:59:59Z"),
            ("2026-10-25T01:30", Nearest::First, "2026-10-25T00:30:00Z"),
            ("2026-10-25T01:30", near("2026-10-25T00:35:00Z"), "2026-10-25T00:30:00Z"),
            ("2026-10-25T01:30", near("2026-10-25T01:00:00Z"), "2026-10-25T00:30:00Z"),
            // Nearer, and yet to come.
            ("2026-10-25T01:30", near("2026-10-25T01:05:00Z"), "2026-10-25T00:30:00Z"),
            ("2026-10-25T01:30", near("2026-10-25T01:19:59Z"), "2026-10-25T00:30:00Z"),
            ("2026-10-25T01:30", near("2026-10-25T01:20:00Z"), "2026-10-25T01:30:00Z"),
            ("2026-10-25T01:30", near("2026-10-27T09:00:00Z"), "2026-10-25T01:30:00Z"),
            ("2026-10-25T01:20", Nearest::NotBefore(at("2026-10-25T00:50:00Z")), "2026-10-25T01:20:00Z"),
            ("2026-10-25T01:55", Nearest::NotBefore(at("2026-10-25T00:50:00Z")), "2026-10-25T00:55:00Z"),
            ("2026-10-25T01:10", Nearest::NotBefore(at("2026-10-25T09:00:00Z")), "2026-10-25T01:10:00Z"),
            ("2026-10-25T02:00", Nearest::First, "2026-10-25T02:00:00Z"),
        ] {
            assert_eq!(
                london.instant(local.parse().unwrap(), nearest),
                Some(at(instant)),
                "{local} {nearest:?}"
            );
        }
    }

    /// Beside the library's own rule for readings, at every quarter of an hour of some years, in zones whose clocks change by
    /// an hour, by half of one, in the other half of the year, and not at all.
    #[test]
    fn the_clock_changes_are_those_of_the_tables() {
        use jiff::ToSpan;
        use jiff::tz::AmbiguousOffset::{Fold, Gap, Unambiguous};
        for name in ["Europe/London", "Europe/Dublin", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"] {
            let (ours, theirs) = (Zone::named(name).unwrap(), TimeZone::get(name).unwrap());
            let mut changes = 0;
            for year in [2000, 2026, 2027, 2038, 2099] {
                let mut local = jiff::civil::date(year, 1, 1).at(12, 0, 0, 0);
                while local < jiff::civil::date(year, 12, 31).at(12, 0, 0, 0) {
                    let by =
                        |offset: Offset| Some(Millis(offset.to_timestamp(local).unwrap().as_millisecond()));
                    let (first, second) = match theirs.to_ambiguous_timestamp(local).offset() {
                        Unambiguous { offset } => (by(offset), by(offset)),
                        Gap { before, .. } => (by(before), by(before)),
                        Fold { before, after } => (by(before), by(after)),
                    };
                    changes += i32::from(first != second);
                    assert_eq!(ours.instant(local, Nearest::First), first, "{name} {local}");
                    let late = Nearest::NotBefore(Millis(i64::MAX));
                    assert_eq!(ours.instant(local, late), second, "{name} {local}");
                    let at = first.unwrap();
                    let stamp = Timestamp::from_millisecond(at.0).unwrap();
                    assert_eq!(
                        ours.offset_seconds(at),
                        Some(theirs.to_offset(stamp).seconds()),
                        "{name} {at:?}"
                    );
                    local = local.checked_add(15.minutes()).unwrap();
                }
            }
            assert_eq!(changes == 0, name == "UTC", "{name}: {changes}");
        }
    }

    #[test]
    fn other_zones_and_other_centuries() {
        let utc = Zone::named("UTC").unwrap();
        let noon = "2026-07-01T12:00".parse().unwrap();
        assert_eq!(utc.instant(noon, Nearest::First), Some(at("2026-07-01T12:00:00Z")));
        assert_eq!(with_offset(noon, 3_600), Some(at("2026-07-01T11:00:00Z")));
        assert_eq!(utc.instant("1999-12-31T23:59:59".parse().unwrap(), Nearest::First), None);
        assert_eq!(with_offset("2100-01-01T00:00".parse().unwrap(), 0), None);
        assert!(Zone::named("Europe/Londno").is_none() && Zone::named("").is_none());
        let london = Zone::named("Europe/London").unwrap();
        assert_eq!(london.offset_seconds(at("2026-07-01T12:00:00Z")), Some(3_600));
        assert_eq!(london.offset_seconds(at("2026-12-01T12:00:00Z")), Some(0));
    }
}
