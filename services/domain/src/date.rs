//! Local dates of Europe/London and the periods of returns (spec 1.5, 2.5). Which instant a date begins at is
//! [`crate::time::LondonDays`]'s to say.

use std::fmt;

/// A day of the calendar: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub u32);

/// The last day of which anything is computed: 2100-12-31.
const LAST: u32 = 47_846;

impl Date {
    /// Reads `2025-10-31`; `None` for anything else, and for days outside 2000–2099.
    pub fn parse(text: &str) -> Option<Date> {
        let midnight = crate::time::rfc3339(format!("{text}T00:00:00Z").as_bytes())?;
        // A longer text could bring its own time.
        (text.len() == 10).then(|| Date(midnight.second().0 / 86_400))
    }

    /// `days` later.
    pub fn plus(self, days: u32) -> Date {
        Date(self.0.saturating_add(days))
    }

    /// `days` earlier, never before 1970.
    pub fn minus(self, days: u32) -> Date {
        Date(self.0.saturating_sub(days))
    }

    fn civil(self) -> jiff::civil::Date {
        let days = i64::from(self.0.min(LAST));
        let first = jiff::civil::date(1970, 1, 1);
        first.checked_add(jiff::Span::new().days(days)).expect("days of two centuries")
    }

    fn of(civil: jiff::civil::Date) -> Date {
        let days = civil.since(jiff::civil::date(1970, 1, 1)).expect("days between two dates").get_days();
        Date(u32::try_from(days).unwrap_or(0))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil())
    }
}

/// How long the periods of a standard are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// From Monday.
    Week,
    /// A calendar month.
    Month,
    /// From January, April, July or October on.
    Quarter,
}

impl Period {
    /// Every length.
    pub const ALL: [Period; 3] = [Period::Week, Period::Month, Period::Quarter];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Period::Week => "week",
            Period::Month => "month",
            Period::Quarter => "quarter",
        }
    }

    /// The length of that name.
    pub fn parse(text: &str) -> Option<Period> {
        Period::ALL.into_iter().find(|period| period.as_str() == text)
    }

    /// The first day of the period in which a day lies.
    pub fn start(self, day: Date) -> Date {
        // 1970-01-01 was a Thursday.
        let monday = day.minus((day.0 + 3) % 7);
        let civil = day.civil();
        let month = match self {
            Period::Week => return monday,
            Period::Month => civil.month(),
            Period::Quarter => (civil.month() - 1) / 3 * 3 + 1,
        };
        Date::of(jiff::civil::date(civil.year(), month, 1))
    }

    /// The first day after the period that begins at `start`.
    pub fn end(self, start: Date) -> Date {
        match self {
            Period::Week => start.plus(7),
            // Every month has a day 28 days after its first, and none has one 32 days after.
            Period::Month => self.start(start.plus(31)),
            Period::Quarter => self.start(start.plus(92)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    #[test]
    fn dates_read_as_they_are_written() {
        for text in ["2000-01-01", "2024-02-29", "2026-11-21", "2099-12-31"] {
            assert_eq!(date(text).to_string(), text);
        }
        for bad in [
            "",
            "2026-2-1",
            "2026-02-30",
            "1999-12-31",
            "2100-01-01",
            "2026-11-21T",
            "2026-11-21 ",
            "26-11-21",
        ] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_lies_in_one_period_of_each_length() {
        for (period, day, start, end) in [
            (Period::Week, "2026-11-21", "2026-11-16", "2026-11-23"),
            (Period::Week, "2026-11-16", "2026-11-16", "2026-11-23"),
            (Period::Week, "2026-11-22", "2026-11-16", "2026-11-23"),
            (Period::Month, "2024-02-29", "2024-02-01", "2024-03-01"),
            (Period::Month, "2025-12-31", "2025-12-01", "2026-01-01"),
            (Period::Quarter, "2025-12-31", "2025-10-01", "2026-01-01"),
            (Period::Quarter, "2026-03-31", "2026-01-01", "2026-04-01"),
        ] {
            assert_eq!(period.start(date(day)), date(start), "{period:?} {day}");
            assert_eq!(period.end(date(start)), date(end), "{period:?} {day}");
        }
    }

    #[test]
    fn periods_follow_each_other_without_a_gap() {
        for period in Period::ALL {
            let mut start = period.start(date("2000-01-03"));
            while start < date("2099-06-01") {
                let end = period.end(start);
                assert!(end > start);
                assert_eq!((period.start(end), period.start(end.minus(1))), (end, start));
                start = end;
            }
        }
    }
}
