//! A calendar month as it is lived in London.

use std::fmt;

use domain::time::{Minute, Second};
use jiff::civil::{Date, Weekday};

use crate::arrivals::london;

/// A month of 2000–2099.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

const NAMES: [&str; 12] = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];

impl Month {
    /// The month of a year; `None` outside January 2000 … November 2099 (a month's end must be an instant).
    pub fn new(year: i16, month: i8) -> Option<Month> {
        let known = (2000..2100).contains(&year) && (1..=12).contains(&month) && (year, month) != (2099, 12);
        known.then_some(Month { year, month })
    }

    /// `OCTOBER-2025`, in capitals or not.
    pub(super) fn from_name(text: &str) -> Option<Month> {
        let (name, year) = text.split_once('-')?;
        let position = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        Month::new(plain(year, 4)?, i8::try_from(position + 1).ok()?)
    }

    /// `2017-03-01`: the first day of the month.
    pub(super) fn from_first_day(text: &str) -> Option<Month> {
        let (year, rest) = text.split_once('-')?;
        let month = rest.strip_suffix("-01")?;
        Month::new(plain(year, 4)?, i8::try_from(plain(month, 2)?).ok()?)
    }

    /// `2017-03`
    pub fn parse(text: &str) -> Option<Month> {
        let (year, month) = text.split_once('-')?;
        Month::new(plain(year, 4)?, i8::try_from(plain(month, 2)?).ok()?)
    }

    /// `October 2025`, in capitals or not.
    pub(super) fn from_words(text: &str) -> Option<Month> {
        let (name, year) = text.split_once(' ')?;
        Month::from_name(&format!("{name}-{year}"))
    }

    /// `2025` and `10`, or `9`
    pub(super) fn from_numbers(year: &str, month: &str) -> Option<Month> {
        let month = plain(month, 1).or_else(|| plain(month, 2))?;
        Month::new(plain(year, 4)?, i8::try_from(month).ok()?)
    }

    /// Its first day, in days since 1970-01-01.
    pub fn first_day(self) -> u32 {
        let since = self.date().duration_since(Date::constant(1970, 1, 1));
        u32::try_from(since.as_hours() / 24).expect("after 1970")
    }

    /// When its statistics came out, as far as the month tells: the second Thursday of the next month, 09:30 in London,
    /// as is usual for NHS England's monthly series. A table does not say it.
    pub fn published(self) -> Second {
        let thursday = self.next().date().nth_weekday_of_month(2, Weekday::Thursday);
        let day = thursday.expect("every month has two Thursdays");
        let instant = london().to_timestamp(day.at(9, 30, 0, 0)).expect("within 2000–2099");
        Second(u32::try_from(instant.as_second()).expect("after 1970"))
    }

    /// How many months lie between it and another, in either direction.
    pub(super) fn distance(self, other: Month) -> u16 {
        let months = |month: Month| month.year * 12 + i16::from(month.month);
        months(self).abs_diff(months(other))
    }

    fn date(self) -> Date {
        Date::new(self.year, self.month, 1).expect("checked when it was made")
    }

    fn next(self) -> Month {
        let (year, month) = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        Month { year, month }
    }

    /// The first minute of the month by London's clocks.
    pub fn start(self) -> Minute {
        let midnight = london().to_timestamp(self.date().at(0, 0, 0, 0)).expect("within 2000–2099");
        Minute(u32::try_from(midnight.as_second() / 60).expect("after 1970"))
    }

    /// The first minute of the next month.
    pub fn end(self) -> Minute {
        self.next().start()
    }
}

fn plain(text: &str, digits: usize) -> Option<i16> {
    let all_digits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

impl fmt::Display for Month {
    /// `2025-10`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_londons() {
        for (text, start, hours) in [
            ("OCTOBER-2025", "2025-09-30T23:00:00Z", 31 * 24 + 1),
            ("March-2026", "2026-03-01T00:00:00Z", 31 * 24 - 1),
            ("DECEMBER-2025", "2025-12-01T00:00:00Z", 31 * 24),
            ("FEBRUARY-2024", "2024-02-01T00:00:00Z", 29 * 24),
        ] {
            let month = Month::from_name(text).unwrap();
            assert_eq!(month.start().to_string(), start);
            assert_eq!(month.end().0 - month.start().0, hours * 60, "{text}");
        }
        assert_eq!(Month::from_first_day("2017-03-01"), Month::new(2017, 3));
        assert_eq!(Month::parse("2017-03"), Month::new(2017, 3));
        assert_eq!(Month::from_words("April 2022"), Month::new(2022, 4));
        assert_eq!(Month::from_numbers("2018", "1"), Month::new(2018, 1));
        assert_eq!(Month::from_numbers("2018", "12"), Month::new(2018, 12));
    }

    #[test]
    fn a_month_begins_on_a_day_and_is_published_on_a_thursday_after_it() {
        for (month, first_day, published) in [
            ("2017-09", 17_410, "2017-10-12T08:30:00Z"),
            ("2017-10", 17_440, "2017-11-09T09:30:00Z"),
            ("2024-12", 20_058, "2025-01-09T09:30:00Z"),
            ("2025-04", 20_179, "2025-05-08T08:30:00Z"),
        ] {
            let month = Month::parse(month).unwrap();
            assert_eq!(month.first_day(), first_day, "{month}");
            assert_eq!(month.published().to_string(), published, "{month}");
            assert!(month.published() > month.end().start());
        }
    }

    #[test]
    fn what_is_no_month_is_none() {
        for text in ["", "OCTOBER", "OCTOBER-25", "OCTOBR-2025", "OCTOBER-2025-1", "OCTOBER-+202", "MAY-1999"]
        {
            assert_eq!(Month::from_name(text), None, "{text}");
        }
        for text in ["2017-03", "2017-03-02", "2017-13-01", "2017-3-01", "17-03-01", "x-03-01", "2099-12-01"]
        {
            assert_eq!(Month::from_first_day(text), None, "{text}");
        }
        for text in ["2017-13", "2017-3", "17-03", "2017", "2017-03-01", "", "2017-00"] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
        for text in ["Apr 2022", "April", "April  2022", "2022 April"] {
            assert_eq!(Month::from_words(text), None, "{text}");
        }
        for (year, month) in [("2018", "13"), ("2018", "0"), ("2018", "012"), ("18", "1"), ("2018", "")] {
            assert_eq!(Month::from_numbers(year, month), None, "{year} {month}");
        }
    }
}
