//! Time as the measures see it (spec 2.1): UTC seconds and minutes as whole numbers, and the local days of
//! Europe/London. Nothing here reads a clock.

use std::fmt;

use crate::date::Date;

/// 2000-01-01T00:00:00Z in Unix seconds: no instant is before it.
pub const FIRST_SECOND: u32 = 946_684_800;
/// 2100-01-01T00:00:00Z in Unix seconds: every instant is before it.
pub const END_SECOND: u32 = 4_102_444_800;

/// Minutes in a day of 24 hours.
pub const DAY: u32 = 1_440;

/// An instant floored to the second: Unix seconds, within 2000–2099.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Second(pub u32);

impl Second {
    /// ⌊t⌋: the minute in which the instant lies.
    pub fn minute(self) -> Minute {
        Minute(self.0 / 60)
    }
}

/// A minute: Unix seconds ÷ 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(pub u32);

impl Minute {
    /// The instant at which the minute begins.
    pub fn start(self) -> Second {
        Second(self.0 * 60)
    }

    /// Whether it is within 2000–2099.
    pub fn is_in_range(self) -> bool {
        (FIRST_SECOND / 60..END_SECOND / 60).contains(&self.0)
    }

    /// `n` minutes later.
    pub fn plus(self, n: u32) -> Minute {
        Minute(self.0.saturating_add(n))
    }

    /// `n` minutes earlier, never before 1970.
    pub fn minus(self, n: u32) -> Minute {
        Minute(self.0.saturating_sub(n))
    }
}

/// Unix milliseconds: when a source recorded something, or when the log took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

impl Millis {
    /// The instant floored to the second; saturates outside 2000–2099.
    pub fn second(self) -> Second {
        let seconds = self.0.div_euclid(1000).clamp(i64::from(FIRST_SECOND), i64::from(END_SECOND) - 1);
        Second(u32::try_from(seconds).expect("clamped to 2000–2099, which fits"))
    }

    /// The newest minute that is closed at this time: every floored minute before it is over.
    pub fn closed_minute(self) -> Minute {
        self.second().minute()
    }
}

impl From<Second> for Millis {
    fn from(second: Second) -> Millis {
        Millis(i64::from(second.0) * 1000)
    }
}

impl fmt::Display for Second {
    /// RFC 3339 in UTC: `2025-10-01T00:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = jiff::Timestamp::from_second(i64::from(self.0)).map_err(|_| fmt::Error)?;
        write!(f, "{timestamp}")
    }
}

impl fmt::Display for Minute {
    /// RFC 3339 in UTC, seconds included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start().fmt(f)
    }
}

/// Reads an RFC 3339 instant with its offset as Unix milliseconds; finer than a millisecond is cut off.
///
/// `None` for anything else, and for instants outside 2000–2099 (spec 1). A leap second (`:60`) is refused: UTC
/// seconds here are Unix seconds.
pub fn rfc3339(text: &[u8]) -> Option<Millis> {
    if text.len() < 20 || text[4] != b'-' || text[7] != b'-' || text[13] != b':' || text[16] != b':' {
        return None;
    }
    if !matches!(text[10], b'T' | b't') {
        return None;
    }
    let year = two(text, 0)? * 100 + two(text, 2)?;
    let (month, day) = (two(text, 5)?, two(text, 8)?);
    let (hour, minute, second) = (two(text, 11)?, two(text, 14)?, two(text, 17)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = &text[19..];
    let mut millis = 0;
    if rest[0] == b'.' {
        let digits = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for position in 0..3 {
            let digit = if position < digits { rest[1 + position] - b'0' } else { 0 };
            millis = millis * 10 + i64::from(digit);
        }
        rest = &rest[1 + digits..];
    }
    let offset_minutes = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (two(rest, 1)?, two(rest, 4)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i64::from(hours * 60 + minutes);
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    let days = days_from_civil(year, month, day)?;
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset_minutes * 60;
    if !(i64::from(FIRST_SECOND)..i64::from(END_SECOND)).contains(&seconds) {
        return None;
    }
    Some(Millis(seconds * 1000 + millis))
}

fn two(text: &[u8], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; `None` where there is no such date.
fn days_from_civil(year: u32, month: u32, day: u32) -> Option<i64> {
    const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const LENGTH: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month.checked_sub(1)?).ok().filter(|index| *index < 12)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = LENGTH[index] + u32::from(leap && month == 2);
    if day == 0 || day > length || year < 1 {
        return None;
    }
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400;
    let days = before * 365 + leaps + BEFORE[index] + u32::from(leap && month > 2) + day - 1;
    Some(i64::from(days) - 719_162)
}

/// The first day of [`LondonDays`]: 1999-12-31.
const FIRST_DAY: Date = Date(10_956);

/// The local midnights of Europe/London, so that `today` has 23, 24 or 25 hours (spec 2.1).
#[derive(Debug, Clone)]
pub struct LondonDays {
    /// Every local midnight from 1999-12-31 to 2100-01-02, rising.
    midnights: Vec<Minute>,
}

impl LondonDays {
    /// Computes the table from the time-zone data that is compiled in.
    pub fn new() -> LondonDays {
        let zone = jiff::tz::TimeZone::get("Europe/London").expect("time-zone data is compiled in");
        let mut date = jiff::civil::date(1999, 12, 31);
        let mut midnights = Vec::with_capacity(36_530);
        while date <= jiff::civil::date(2100, 1, 2) {
            let midnight = zone.to_timestamp(date.at(0, 0, 0, 0)).expect("midnight always exists in London");
            midnights.push(Minute(u32::try_from(midnight.as_second() / 60).expect("after 1970")));
            date = date.tomorrow().expect("far from the end of the calendar");
        }
        LondonDays { midnights }
    }

    /// The midnight with which the local day of `minute` begins.
    pub fn midnight(&self, minute: Minute) -> Minute {
        self.midnights[self.day(minute)]
    }

    /// The midnight with which the local day of `minute` ends.
    pub fn next_midnight(&self, minute: Minute) -> Minute {
        self.midnights[(self.day(minute) + 1).min(self.midnights.len() - 1)]
    }

    /// The local day in which a minute lies.
    pub fn date(&self, minute: Minute) -> Date {
        FIRST_DAY.plus(self.day(minute) as u32)
    }

    /// The midnight with which a local day begins; that of the table's ends for days beyond them.
    pub fn start_of(&self, date: Date) -> Minute {
        let day = date.0.saturating_sub(FIRST_DAY.0) as usize;
        self.midnights[day.min(self.midnights.len() - 1)]
    }

    fn day(&self, minute: Minute) -> usize {
        self.midnights.partition_point(|midnight| *midnight <= minute).saturating_sub(1)
    }
}

impl Default for LondonDays {
    fn default() -> Self {
        LondonDays::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_their_offset_and_to_the_millisecond() {
        for (text, millis) in [
            ("2000-01-01T00:00:00Z", 946_684_800_000),
            ("2026-11-21T14:07:09Z", 1_795_270_029_000),
            ("2026-11-21T14:07:09.5Z", 1_795_270_029_500),
            ("2026-11-21T14:07:09.123999+00:00", 1_795_270_029_123),
            ("2026-11-21t15:07:09+01:00", 1_795_270_029_000),
            ("2026-11-21T09:37:09-04:30", 1_795_270_029_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("2099-12-31T23:59:59.999Z", 4_102_444_799_999),
        ] {
            assert_eq!(rfc3339(text.as_bytes()), Some(Millis(millis)), "{text}");
            let theirs: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(theirs.as_millisecond(), millis, "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_of_this_century_is_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T14:07:09",
            "2026-11-21 14:07:09Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00ZZ",
            "1999-12-31T23:59:59Z",
            "2100-01-01T00:00:00Z",
            "2000-01-01T00:30:00+01:00",
            "2026-01-01T0a:00:00Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00é",
            "99999-01-01T00:00:00Z",
        ] {
            assert_eq!(rfc3339(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn days_have_23_24_or_25_hours() {
        let days = LondonDays::new();
        let length = |text: &str| {
            let noon = rfc3339(text.as_bytes()).unwrap().second().minute();
            days.next_midnight(noon).0 - days.midnight(noon).0
        };
        assert_eq!(length("2026-03-28T12:00:00Z"), 24 * 60);
        assert_eq!(length("2026-03-29T12:00:00Z"), 23 * 60);
        assert_eq!(length("2026-10-25T12:00:00Z"), 25 * 60);
        let last = rfc3339(b"2026-10-25T23:59:00Z").unwrap().second().minute();
        assert_eq!(days.midnight(last).to_string(), "2026-10-24T23:00:00Z");
        assert_eq!(days.midnight(last.plus(1)), last.plus(1));
        let date = days.date(last);
        assert_eq!((date.to_string().as_str(), days.date(last.plus(1))), ("2026-10-25", date.plus(1)));
        assert_eq!(days.start_of(date), days.midnight(last));
    }

    #[test]
    fn every_second_of_some_years_agrees_with_the_calendar_library() {
        for day in (10_957i64..47_482).step_by(17) {
            let stamp = jiff::Timestamp::from_second(day * 86_400 + day % 86_400).unwrap();
            assert_eq!(rfc3339(stamp.to_string().as_bytes()), Some(Millis(stamp.as_millisecond())));
        }
    }
}
