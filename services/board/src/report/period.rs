//! The periods that reports are of, and those that they are compared with. Days are those of Europe/London; a week is
//! Monday to Sunday and named by its Sunday; a month is that of the calendar. Nothing here knows the time of day now.

use domain::time::Minute;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::history;

/// The years in which reports can end: a year before and a day after are still within 2000–2099 (spec 1).
const YEARS: std::ops::RangeInclusive<i16> = 2001..=2098;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// One local day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl Span {
    /// Every span.
    pub const ALL: [Span; 3] = [Span::Day, Span::Week, Span::Month];

    /// The word: `day`, `week`, `month`.
    pub fn as_str(self) -> &'static str {
        match self {
            Span::Day => "day",
            Span::Week => "week",
            Span::Month => "month",
        }
    }

    /// The span of that word.
    pub fn parse(text: &str) -> Option<Span> {
        Span::ALL.into_iter().find(|span| span.as_str() == text)
    }
}

/// Why a date ends no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// It is no date.
    #[error("\"{0}\" is no date from 2001 to 2098: write it as 2026-11-22")]
    Date(String),
    /// A week ends on a Sunday.
    #[error("{asked} is no Sunday, and a week is named by its Sunday: the one around it ends on {sunday}")]
    Week {
        /// The date.
        asked: Date,
        /// The Sunday on which the week around it ends.
        sunday: Date,
    },
    /// A month ends on its last day.
    #[error("{asked} is not the last day of its month, which is {last}")]
    Month {
        /// The date.
        asked: Date,
        /// The last day of the month.
        last: Date,
    },
}

/// Some whole local days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// How long.
    pub span: Span,
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

impl Period {
    /// The period of that length that ends with that day, written `2026-11-22`.
    pub fn ending(span: Span, text: &str) -> Result<Period, PeriodError> {
        let asked: Option<Date> = text.parse().ok().filter(|_| text.len() == 10);
        let asked = asked.filter(|date| YEARS.contains(&date.year()));
        let asked = asked.ok_or_else(|| PeriodError::Date(text.chars().take(40).collect()))?;
        match span {
            Span::Week if asked.weekday() != Weekday::Sunday => {
                let sunday = days_later(asked, 7 - i64::from(asked.weekday().to_monday_one_offset()));
                Err(PeriodError::Week { asked, sunday })
            }
            Span::Month if asked != asked.last_of_month() => {
                Err(PeriodError::Month { asked, last: asked.last_of_month() })
            }
            Span::Day | Span::Week | Span::Month => Ok(Period::with_last(span, asked)),
        }
    }

    fn with_last(span: Span, last: Date) -> Period {
        let first = match span {
            Span::Day => last,
            Span::Week => days_later(last, -6),
            Span::Month => last.first_of_month(),
        };
        Period { span, first, last }
    }

    /// The period of the same length just before it.
    pub fn before(self) -> Period {
        Period::with_last(self.span, days_later(self.first, -1))
    }

    /// The same period a year before: days and weeks 364 days earlier, so that weekdays agree; the same month of the
    /// year before.
    pub fn year_before(self) -> Period {
        match self.span {
            Span::Day | Span::Week => Period::with_last(self.span, days_later(self.last, -364)),
            Span::Month => {
                let first = self.first.with().year(self.first.year() - 1).build();
                let first = first.expect("every month of 2000 and later begins with a first day");
                Period::with_last(self.span, first.last_of_month())
            }
        }
    }

    /// Its days, rising.
    pub fn days(self) -> impl Iterator<Item = Date> {
        self.first.series(1.day()).take_while(move |day| *day <= self.last)
    }

    /// The minutes whose points of window `today` are its days: the midnight after each, rising.
    pub fn midnights(self) -> Vec<Minute> {
        self.days().map(|day| midnight(days_later(day, 1))).collect()
    }

    /// Its first and last minute with a daily figure: the first morning, and the midnight that ends it.
    pub fn bounds(self) -> (Minute, Minute) {
        (history::morning(midnight(days_later(self.first, 1))), self.end())
    }

    /// The local midnight that ends it.
    pub fn end(self) -> Minute {
        midnight(days_later(self.last, 1))
    }

    /// What it is called: `Thursday 26 October 2017`, `week ending 29 October 2017`, `October 2017`.
    pub fn title(self) -> String {
        match self.span {
            Span::Day => self.last.strftime("%A %-d %B %Y").to_string(),
            Span::Week => format!("week ending {}", self.last.strftime("%-d %B %Y")),
            Span::Month => self.last.strftime("%B %Y").to_string(),
        }
    }

    /// The same for the head of a column: `26 Oct 2017`, `w/e 29 Oct 2017`, `Oct 2017`.
    pub fn short(self) -> String {
        match self.span {
            Span::Day => self.last.strftime("%a %-d %b %Y").to_string(),
            Span::Week => format!("w/e {}", self.last.strftime("%-d %b %Y")),
            Span::Month => self.last.strftime("%b %Y").to_string(),
        }
    }
}

/// A minute as people in London read it: `1 November 2017 00:00 GMT`.
pub fn local(minute: Minute) -> String {
    let instant = jiff::Timestamp::from_second(i64::from(minute.0) * 60).expect("a minute of this century");
    instant.to_zoned(london()).strftime("%-d %B %Y %H:%M %Z").to_string()
}

/// The local date of the minute before, which is the day that a point stamped with it speaks of.
pub fn day_of(minute: Minute) -> Date {
    let instant = jiff::Timestamp::from_second(i64::from(minute.minus(1).0) * 60);
    instant.expect("a minute of this century").to_zoned(london()).date()
}

fn midnight(day: Date) -> Minute {
    let instant = london().to_timestamp(day.at(0, 0, 0, 0)).expect("midnight always exists in London");
    Minute(u32::try_from(instant.as_second() / 60).expect("after 1970"))
}

fn days_later(day: Date, days: i64) -> Date {
    day.checked_add(days.days()).expect("far from the ends of the calendar")
}

fn london() -> TimeZone {
    TimeZone::get("Europe/London").expect("time-zone data is compiled in")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(period: Period) -> String {
        format!("{} {}..{}", period.span.as_str(), period.first, period.last)
    }

    #[test]
    fn a_period_has_the_one_before_and_the_same_a_year_before() {
        for (span, ending, period, before, year_before) in [
            (
                Span::Day,
                "2024-02-29",
                "day 2024-02-29..2024-02-29",
                "day 2024-02-28..2024-02-28",
                "day 2023-03-02..2023-03-02",
            ),
            (
                Span::Week,
                "2014-10-26",
                "week 2014-10-20..2014-10-26",
                "week 2014-10-13..2014-10-19",
                "week 2013-10-21..2013-10-27",
            ),
            (
                Span::Week,
                "2026-01-04",
                "week 2025-12-29..2026-01-04",
                "week 2025-12-22..2025-12-28",
                "week 2024-12-30..2025-01-05",
            ),
            (
                Span::Month,
                "2024-02-29",
                "month 2024-02-01..2024-02-29",
                "month 2024-01-01..2024-01-31",
                "month 2023-02-01..2023-02-28",
            ),
            (
                Span::Month,
                "2017-01-31",
                "month 2017-01-01..2017-01-31",
                "month 2016-12-01..2016-12-31",
                "month 2016-01-01..2016-01-31",
            ),
        ] {
            let found = Period::ending(span, ending).unwrap();
            assert_eq!(
                [shown(found), shown(found.before()), shown(found.year_before())],
                [period, before, year_before]
            );
        }
    }

    #[test]
    fn a_date_that_ends_no_period_is_told_what_would_be_right() {
        for (span, text, message) in [
            (
                Span::Week,
                "2014-10-27",
                "2014-10-27 is no Sunday, and a week is named by its Sunday: the one around it ends on 2014-11-02",
            ),
            (
                Span::Week,
                "2014-10-25",
                "2014-10-25 is no Sunday, and a week is named by its Sunday: the one around it ends on 2014-10-26",
            ),
            (Span::Month, "2024-02-28", "2024-02-28 is not the last day of its month, which is 2024-02-29"),
            (Span::Day, "2025-02-29", "\"2025-02-29\" is no date from 2001 to 2098: write it as 2026-11-22"),
            (Span::Day, "2000-12-31", "\"2000-12-31\" is no date from 2001 to 2098: write it as 2026-11-22"),
            (Span::Day, "2099-01-01", "\"2099-01-01\" is no date from 2001 to 2098: write it as 2026-11-22"),
            (Span::Day, "31/10/2025", "\"31/10/2025\" is no date from 2001 to 2098: write it as 2026-11-22"),
            (Span::Day, "20251031", "\"20251031\" is no date from 2001 to 2098: write it as 2026-11-22"),
            (Span::Month, "", "\"\" is no date from 2001 to 2098: write it as 2026-11-22"),
        ] {
            assert_eq!(Period::ending(span, text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn days_end_at_local_midnights() {
        let october = Period::ending(Span::Month, "2017-10-31").unwrap();
        let midnights = october.midnights();
        assert_eq!(midnights.len(), 31);
        assert_eq!(midnights[0].to_string(), "2017-10-01T23:00:00Z");
        assert_eq!(midnights[28].to_string(), "2017-10-30T00:00:00Z", "the clocks went back on the 29th");
        assert_eq!(october.end().to_string(), "2017-11-01T00:00:00Z");
        assert_eq!(october.bounds().0.to_string(), "2017-10-01T07:00:00Z");
        assert_eq!(day_of(midnights[0]).to_string(), "2017-10-01");
        let changing = Period::ending(Span::Week, "2026-03-29").unwrap().midnights();
        assert_eq!(changing[6].0 - changing[5].0, 23 * 60);
    }

    #[test]
    fn periods_are_named_as_people_name_them() {
        for (span, title, short) in [
            (Span::Day, "Sunday 26 October 2014", "Sun 26 Oct 2014"),
            (Span::Week, "week ending 26 October 2014", "w/e 26 Oct 2014"),
        ] {
            let period = Period::ending(span, "2014-10-26").unwrap();
            assert_eq!((period.title().as_str(), period.short().as_str()), (title, short));
        }
        let month = Period::ending(Span::Month, "2014-10-31").unwrap();
        assert_eq!((month.title().as_str(), month.short().as_str()), ("October 2014", "Oct 2014"));
        assert_eq!(local(Minute(24_680_940)), "4 December 2016 13:00 GMT");
        assert_eq!(local(Minute(25_158_240)), "1 November 2017 00:00 GMT");
        assert_eq!(local(Minute(24_981_780)), "1 July 2017 12:00 BST");
    }
}
