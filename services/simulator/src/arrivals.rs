//! How many patients come to a site in an hour: Poisson, by local hour and weekday. Not what becomes of them.

use domain::event::DepartmentType;
use domain::time::Second;
use jiff::tz::TimeZone;

use crate::national::{self, WEEKDAYS};
use crate::organisations::Site;
use crate::random::Draws;

/// More arrivals than this in one hour at one site are not simulated: numbers within an hour have three digits.
pub(crate) const ARRIVALS_PER_HOUR_MAX: u32 = 999;

/// The clock on the wall of every department.
pub(crate) fn london() -> TimeZone {
    TimeZone::get("Europe/London").expect("time-zone data is compiled in")
}

/// An hour as it is on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalHour {
    /// 0–23.
    pub(crate) hour: usize,
    /// 0 = Monday.
    pub(crate) weekday: usize,
    /// How far local time is ahead of UTC: 0 or 60.
    pub(crate) ahead_minutes: u32,
}

/// The local hour that begins at `start`, which is a whole hour: London's offset is one too.
pub(crate) fn local_hour(zone: &TimeZone, start: Second) -> LocalHour {
    let instant = jiff::Timestamp::from_second(i64::from(start.0)).expect("within 2000–2099");
    let wall = zone.to_datetime(instant);
    let weekday = wall.date().weekday().to_monday_zero_offset();
    let hour: usize = wall.hour().unsigned_abs().into();
    let utc_hour = start.0 / 3600 % 24;
    let ahead_minutes = (hour as u32 + 24 - utc_hour) % 24 * 60;
    LocalHour { hour, weekday: weekday.unsigned_abs().into(), ahead_minutes }
}

/// The arrivals at a site in the hour that begins at `start`, in order.
pub(crate) fn arrivals(site: &Site, start: Second, local: LocalHour, draws: &mut Draws) -> Vec<Second> {
    let count = draws.poisson(expected(site.kind, site.daily, local)).min(ARRIVALS_PER_HOUR_MAX);
    let mut instants: Vec<Second> = (0..count).map(|_| Second(start.0 + draws.below(3600))).collect();
    instants.sort_unstable();
    instants
}

/// The mean number of arrivals in that hour.
fn expected(kind: DepartmentType, daily: f64, local: LocalHour) -> f64 {
    daily * national::profile(kind).hour_share(local.hour) * WEEKDAYS[local.weekday]
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::rfc3339;

    #[test]
    fn hours_are_londons() {
        for (start, hour, weekday, ahead_minutes) in [
            ("2025-10-24T12:00:00Z", 13, 4, 60),
            ("2025-10-26T00:00:00Z", 1, 6, 60),
            ("2025-10-26T01:00:00Z", 1, 6, 0),
            ("2025-10-26T23:00:00Z", 23, 6, 0),
            ("2026-03-29T01:00:00Z", 2, 6, 60),
            ("2026-07-01T23:00:00Z", 0, 3, 60),
        ] {
            let start = rfc3339(start.as_bytes()).unwrap().second();
            assert_eq!(local_hour(&london(), start), LocalHour { hour, weekday, ahead_minutes }, "{start}");
        }
    }

    #[test]
    fn a_week_has_seven_mean_days() {
        let week: f64 = (0..7)
            .flat_map(|weekday| (0..24).map(move |hour| LocalHour { hour, weekday, ahead_minutes: 0 }))
            .map(|local| expected(DepartmentType::Major, 400.0, local))
            .sum();
        assert!((week - 2800.0).abs() < 1e-6, "{week}");
    }
}
