//! The local days of Europe/London by the rule itself: British Summer Time runs from 01:00 UTC on the last Sunday of
//! March to 01:00 UTC on the last Sunday of October (since 1996). It is written out here, without time-zone data, so
//! that the model does not share a mistake with the program.

use domain::time::{DAY, Minute};

const HOUR: u32 = 60;

/// Minutes by which London clocks are ahead of UTC: 0 or 60.
pub fn offset(at: Minute) -> u32 {
    let (year, _, _) = date(at);
    let begins = last_sunday(year, 3).plus(HOUR);
    let ends = last_sunday(year, 10).plus(HOUR);
    if begins <= at && at < ends { HOUR } else { 0 }
}

/// The local midnight with which the London day of `at` begins.
pub fn midnight(at: Minute) -> Minute {
    let local = at.0 + offset(at);
    local_midnight(local - local % DAY)
}

/// The minute at which London clocks show midnight of that date.
pub fn midnight_of(year: u32, month: u32, day: u32) -> Minute {
    local_midnight(minute_of(year, month, day).0)
}

/// The clock never changes at midnight, so exactly one of the two readings is right.
fn local_midnight(local: u32) -> Minute {
    let as_summer = Minute(local - HOUR);
    if offset(as_summer) == HOUR { as_summer } else { Minute(local) }
}

/// The minute of 00:00 UTC of a date.
pub fn minute_of(year: u32, month: u32, day: u32) -> Minute {
    let mut days = day - 1;
    days += (1970..year).map(days_in_year).sum::<u32>();
    days += (1..month).map(|month| days_in_month(year, month)).sum::<u32>();
    Minute(days * DAY)
}

/// Year, month and day in UTC.
pub fn date(at: Minute) -> (u32, u32, u32) {
    let mut days = at.0 / DAY;
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn last_sunday(year: u32, month: u32) -> Minute {
    let last = minute_of(year, month, days_in_month(year, month));
    // 1970-01-01 was a Thursday: day 3 was the first Sunday.
    let since_sunday = (last.0 / DAY + 4) % 7;
    last.minus(since_sunday * DAY)
}

fn days_in_year(year: u32) -> u32 {
    (1..=12).map(|month| days_in_month(year, month)).sum()
}

fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use domain::time::{LondonDays, rfc3339};

    use super::*;

    fn minute(text: &str) -> Minute {
        rfc3339(text.as_bytes()).unwrap().second().minute()
    }

    #[test]
    fn the_clocks_change_on_the_published_nights() {
        for (before, after) in [
            ("2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"),
            ("2026-10-25T00:59:00Z", "2026-10-25T01:00:00Z"),
            ("2027-03-28T00:59:00Z", "2027-03-28T01:00:00Z"),
            ("2027-10-31T00:59:00Z", "2027-10-31T01:00:00Z"),
        ] {
            assert_ne!(offset(minute(before)), offset(minute(after)), "{after}");
        }
        assert_eq!(midnight_of(2026, 3, 29), minute("2026-03-29T00:00:00Z"));
        assert_eq!(midnight_of(2026, 3, 30), minute("2026-03-29T23:00:00Z"));
        assert_eq!(midnight_of(2026, 10, 25), minute("2026-10-24T23:00:00Z"));
        assert_eq!(midnight_of(2026, 10, 26), minute("2026-10-26T00:00:00Z"));
    }

    #[test]
    fn the_rule_agrees_with_the_time_zone_data_of_the_program() {
        let days = LondonDays::new();
        let mut at = minute("2000-01-02T00:00:00Z");
        while at < minute("2040-12-31T00:00:00Z") {
            assert_eq!(midnight(at), days.midnight(at), "{at}");
            at = at.plus(7 * HOUR + 1);
        }
    }
}
