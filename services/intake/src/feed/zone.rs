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
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// The zone of a feed's local times.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

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
        TimeZone::get(name).ok().map(Zone)
    }

    /// The instant of a local reading; `None` outside 2000–2099.
    pub fn instant(&self, local: DateTime, nearest: Nearest) -> Option<Millis> {
        let at = |offset: Offset| offset.to_timestamp(local).ok().map(|stamp| stamp.as_millisecond());
        let millis = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset)?,
            // The offset before the gap moves the reading forward by it.
            AmbiguousOffset::Gap { before, .. } => at(before)?,
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (at(before)?, at(after)?);
                match nearest {
                    Nearest::First => first,
                    Nearest::NotBefore(Millis(limit)) if first >= limit => first,
                    Nearest::NotBefore(_) => second,
                    Nearest::To(Millis(other)) if second > other + FUTURE_TOLERANCE_MS => first,
                    Nearest::To(Millis(other)) if (first - other).abs() <= (second - other).abs() => first,
                    Nearest::To(_) => second,
                }
            }
        };
        in_range(millis)
    }

    /// The offset of this zone at an instant, in seconds east of UTC.
    pub fn offset_seconds(&self, at: Millis) -> Option<i32> {
        let stamp = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(self.0.to_offset(stamp).seconds())
    }
}

/// The instant of a reading that states its offset, in seconds east of UTC; `None` outside 2000–2099.
pub fn with_offset(local: DateTime, offset_seconds: i32) -> Option<Millis> {
    let stamp = Offset::from_seconds(offset_seconds).ok()?.to_timestamp(local).ok()?;
    in_range(stamp.as_millisecond())
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
