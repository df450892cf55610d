//! A calendar month as it is lived in London.

use std::fmt;

use domain::time::Minute;
use jiff::civil::Date;

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

    /// The first minute of the month by London's clocks.
    pub fn start(self) -> Minute {
        let first = Date::new(self.year, self.month, 1).expect("checked when it was made");
        let midnight = london().to_timestamp(first.at(0, 0, 0, 0)).expect("within 2000–2099");
        Minute(u32::try_from(midnight.as_second() / 60).expect("after 1970"))
    }

    /// The first minute of the next month.
    pub fn end(self) -> Minute {
        let (year, month) = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        Month { year, month }.start()
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
    }
}
