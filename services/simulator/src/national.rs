//! England in numbers, as the published statistics of autumn 2025 have it: how many attendances a day, how they are
//! spread over the hours and the week, how many leave within four hours. Not how one department differs from another.

use domain::event::DepartmentType;

/// What is typical of departments of one type.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Attendances a day in England (MSitAE, October 2025 ÷ 31).
    pub(crate) daily_in_england: f64,
    /// Departments of this type in England (the derived sites of the same table).
    pub(crate) departments: f64,
    /// How much sizes differ: deviation of the logarithm.
    pub(crate) size_deviation: f64,
    /// Share that leaves within four hours.
    pub(crate) within: f64,
    /// Median minutes of a stay within four hours, the spike before four hours left out.
    pub(crate) median_minutes: f64,
    /// Arrivals by local hour, in running totals of no particular sum.
    pub(crate) hours: [u32; 24],
}

/// Of a stay within four hours: how many leave in its last twenty minutes because they are its last (share leaving
/// in the last 20 minutes rose from 4.7 to 8.4 % of all when the standard came).
pub(crate) const SPIKE: f64 = 0.13;

/// Of type-1 arrivals, how many come by ambulance.
pub(crate) const BY_AMBULANCE: f64 = 0.25;

/// Arrivals by weekday from Monday, relative to the mean day: Monday has 16 % of the week.
pub(crate) const WEEKDAYS: [f64; 7] = [1.12, 1.01, 0.98, 0.98, 0.98, 0.95, 0.98];

// Peak 10–12, trough 04–06, about 60 % between 09 and 18; units with fewer beds are busier by day.
const ALL_HOURS: [u32; 24] =
    [22, 18, 15, 13, 10, 10, 14, 23, 43, 64, 74, 73, 67, 64, 62, 61, 61, 60, 57, 53, 47, 41, 34, 27];
const MOSTLY_DAY: [u32; 24] =
    [6, 4, 3, 2, 2, 2, 4, 16, 60, 82, 92, 88, 78, 74, 72, 72, 74, 74, 72, 62, 38, 18, 10, 8];

const MAJOR: Profile = Profile {
    daily_in_england: 47_800.0,
    departments: 121.0,
    size_deviation: 0.4,
    within: 0.6013,
    median_minutes: 135.0,
    hours: running(ALL_HOURS),
};
const SINGLE_SPECIALTY: Profile = Profile {
    daily_in_england: 1_770.0,
    departments: 37.0,
    size_deviation: 0.6,
    within: 0.947,
    median_minutes: 95.0,
    hours: running(MOSTLY_DAY),
};
const OTHER: Profile = Profile {
    daily_in_england: 27_900.0,
    departments: 170.0,
    size_deviation: 0.6,
    within: 0.9695,
    median_minutes: 75.0,
    hours: running(MOSTLY_DAY),
};

/// The profile of a type; 4 is like 3, and 5 like 2.
pub(crate) fn profile(kind: DepartmentType) -> &'static Profile {
    match kind {
        DepartmentType::Major => &MAJOR,
        DepartmentType::SingleSpecialty | DepartmentType::SameDayEmergencyCare => &SINGLE_SPECIALTY,
        DepartmentType::Other | DepartmentType::WalkInCentre => &OTHER,
    }
}

impl Profile {
    /// The share of a day's arrivals that comes in that local hour.
    pub(crate) fn hour_share(&self, hour: usize) -> f64 {
        f64::from(self.hour_weight(hour)) / f64::from(self.hours[23])
    }

    /// The weight of that local hour among the 24.
    pub(crate) fn hour_weight(&self, hour: usize) -> u32 {
        self.hours[hour] - if hour == 0 { 0 } else { self.hours[hour - 1] }
    }
}

const fn running(weights: [u32; 24]) -> [u32; 24] {
    let mut totals = weights;
    let mut hour = 1;
    while hour < 24 {
        totals[hour] += totals[hour - 1];
        hour += 1;
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_the_one_that_is_known() {
        for kind in [DepartmentType::Major, DepartmentType::Other] {
            let profile = profile(kind);
            let weight = |hour| profile.hour_weight(hour);
            let peak = (0..24).max_by_key(|hour| weight(*hour)).unwrap();
            let trough = (0..24).min_by_key(|hour| weight(*hour)).unwrap();
            assert!((10..12).contains(&peak) && (3..6).contains(&trough), "{peak} {trough}");
            assert!((0..24).map(|hour| profile.hour_share(hour)).sum::<f64>() > 0.999_999);
        }
        let all: f64 = [DepartmentType::Major, DepartmentType::Other]
            .map(|kind| {
                let profile = profile(kind);
                profile.daily_in_england * (9..18).map(|hour| profile.hour_share(hour)).sum::<f64>()
            })
            .iter()
            .sum();
        assert!((0.57..0.65).contains(&(all / (47_800.0 + 27_900.0))), "{all}");
        assert!((WEEKDAYS.iter().sum::<f64>() - 7.0).abs() < 1e-9);
        assert!((WEEKDAYS[0] / 7.0 - 0.16).abs() < 1e-9);
    }
}
