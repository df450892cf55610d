//! Which figures are kept for years, in the table `daily` of the store, which the retention of minutes does not touch.
//!
//! Of each organisation and local day two rows are kept: at 00:00 the points of window `today`, which are the whole
//! previous day, with the department, levels and feeds at that minute, and the returns whose period it ends; at 08:00 the
//! beds, as they are counted nationally. Responsible
//! for choosing; [`crate::store`] merges and keeps, reports read ([`crate::report`]).

use domain::measures::{Measure, OrgMinute, SeriesKey, Window};
use domain::time::{LondonDays, Minute};

/// Published tables from which figures were made, as the store remembers it: such figures are shown with their licence,
/// and with what of them is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Published {
    /// A monthly table as single attendances: their number and those over four hours are as published.
    Attendances,
    /// Totals of a period as they were published.
    Returns,
}

impl Published {
    /// Either.
    pub const ALL: [Published; 2] = [Published::Attendances, Published::Returns];

    /// Its name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Published::Attendances => "attendances",
            Published::Returns => "returns",
        }
    }

    /// That of a name.
    pub fn parse(text: &str) -> Option<Published> {
        Published::ALL.into_iter().find(|published| published.as_str() == text)
    }
}

/// From 08:00 to the midnight that follows; clocks change earlier in the day.
const MORNING_BEFORE_MIDNIGHT_MINUTES: u32 = 16 * 60;

/// The two minutes of a local day whose figures are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// 00:00: everything that has a day.
    Midnight,
    /// 08:00: what is counted in the morning.
    Morning,
}

/// 08:00 of the local day that ends with this midnight.
pub fn morning(midnight: Minute) -> Minute {
    midnight.minus(MORNING_BEFORE_MIDNIGHT_MINUTES)
}

/// What of a writing is kept for years; `None` at every minute but the two of a day. At midnight an organisation
/// without a figure to keep still has a row: the day is held.
pub(crate) fn kept(writing: &OrgMinute, days: &LondonDays) -> Option<OrgMinute> {
    let moment = moment(writing.minute, days)?;
    let wanted = |key: &SeriesKey| kept_at(key, moment);
    let series: Vec<_> = writing.series.iter().filter(|series| wanted(&series.key)).copied().collect();
    if series.is_empty() && moment == Moment::Morning {
        return None;
    }
    Some(OrgMinute { org: writing.org.clone(), series, ..*writing })
}

/// What of a writing is of the local day that is not over: its points of window `today`. The rest is of the moment.
pub(crate) fn so_far(mut writing: OrgMinute) -> OrgMinute {
    writing.series.retain(|series| series.key.window == Some(Window::Today));
    writing
}

fn moment(minute: Minute, days: &LondonDays) -> Option<Moment> {
    // London is whole hours from UTC: most minutes need no calendar.
    if !minute.0.is_multiple_of(60) {
        return None;
    }
    if days.midnight(minute) == minute {
        return Some(Moment::Midnight);
    }
    (morning(days.next_midnight(minute)) == minute).then_some(Moment::Morning)
}

fn kept_at(key: &SeriesKey, moment: Moment) -> bool {
    match key.measure {
        Measure::AeFourHour
        | Measure::AeArrivals
        | Measure::AeTreatment
        | Measure::AeAdmission
        | Measure::AmbHandover
        | Measure::AmbResponse => moment == Moment::Midnight && key.window == Some(Window::Today),
        Measure::AeDepartment
        | Measure::Standard
        | Measure::Escalation
        | Measure::Opel
        | Measure::FirstKnown
        | Measure::Feed => moment == Moment::Midnight,
        Measure::BedState => moment == Moment::Morning,
        Measure::AmbQueue | Measure::AeArea | Measure::OpelParameter => false,
    }
}

#[cfg(test)]
mod tests {
    use domain::time::rfc3339;

    use super::*;

    #[test]
    fn two_minutes_of_each_local_day_are_kept_also_when_the_clocks_change() {
        let days = LondonDays::new();
        let minute = |text: &str| rfc3339(text.as_bytes()).unwrap().second().minute();
        for (text, expected) in [
            ("2026-01-15T00:00:00Z", Some(Moment::Midnight)),
            ("2026-01-15T08:00:00Z", Some(Moment::Morning)),
            ("2026-01-15T07:00:00Z", None),
            ("2026-01-15T08:01:00Z", None),
            ("2026-07-15T23:00:00Z", Some(Moment::Midnight)),
            ("2026-07-15T00:00:00Z", None),
            ("2026-07-15T07:00:00Z", Some(Moment::Morning)),
            ("2026-07-15T08:00:00Z", None),
            ("2026-03-29T00:00:00Z", Some(Moment::Midnight)),
            ("2026-03-29T07:00:00Z", Some(Moment::Morning)),
            ("2026-10-24T23:00:00Z", Some(Moment::Midnight)),
            ("2026-10-25T08:00:00Z", Some(Moment::Morning)),
            ("2026-10-25T07:00:00Z", None),
        ] {
            assert_eq!(moment(minute(text), &days), expected, "{text}");
        }
    }
}
