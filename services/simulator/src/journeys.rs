//! Ambulance journeys that end at a department: call, response, arrival, handover, clear. Not calls that bring nobody:
//! those are `calls`.

use domain::event::Category;
use domain::time::Second;

use crate::drill::{Drill, HANDOVER_SECONDS_MAX};
use crate::random::Draws;

/// From a call to the arrival at hospital never more than this: so far ahead of now arrivals must be known.
pub(crate) const LEAD_SECONDS_MAX: u32 = 6 * 3600;

/// One journey, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ride {
    pub(crate) category: Category,
    pub(crate) call_at: Second,
    pub(crate) clock_started_at: Second,
    pub(crate) responded_at: Second,
    pub(crate) arrived_at: Second,
    pub(crate) handed_over_at: Second,
    pub(crate) cleared_at: Second,
    /// A handover time that is stated later instead of the first.
    pub(crate) corrected_handover_at: Option<Second>,
}

impl Ride {
    /// When the four-hour clock of its patient starts: the earlier of handover and arrival + 15 min (spec 2.2).
    pub(crate) fn clock_start(&self) -> Second {
        self.handed_over_at.min(Second(self.arrived_at.0 + 900))
    }
}

/// A journey that comes to hospital at `arrived`. Handover: mean about 35 minutes, median 24, with a long tail.
pub(crate) fn ride(arrived: Second, drill: Option<&Drill>, draws: &mut Draws) -> Ride {
    let category = match draws.below(100) {
        0..12 => Category::C1,
        12..77 => Category::C2,
        77..98 => Category::C3,
        _ => Category::C4,
    };
    let response = response_seconds(category, draws);
    let on_scene_and_road = draws.between(1_500, 5_400);
    let call_handling = if category == Category::C1 { 0 } else { draws.below(241) };
    let handover = draws.log_normal(1_440.0, 0.87).clamp(120.0, f64::from(HANDOVER_SECONDS_MAX)) as u32;
    let handover = drill.map_or(handover, |drill| drill.handover_seconds(arrived, handover));
    let responded = arrived.0 - on_scene_and_road;
    let handed_over = arrived.0 + handover;
    Ride {
        category,
        call_at: Second(responded - response - call_handling),
        clock_started_at: Second(responded - response),
        responded_at: Second(responded),
        arrived_at: arrived,
        handed_over_at: Second(handed_over),
        cleared_at: Second(handed_over + draws.between(300, 1_500)),
        corrected_handover_at: None,
    }
}

/// From the start of the response clock to the response, seconds: about England's means of March 2025. Category 5 has no
/// published one: a clinician calls back.
pub(crate) fn response_seconds(category: Category, draws: &mut Draws) -> u32 {
    let mean = match category {
        Category::C1 => 480.0,
        Category::C2 => 1_700.0,
        Category::C3 => 5_800.0,
        Category::C4 => 7_000.0,
        Category::C5 => 3_600.0,
    };
    draws.log_normal(0.8 * mean, 0.65).clamp(60.0, 13_000.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn journeys_run_in_order_and_handovers_have_their_mean_and_tail() {
        let mut draws = Draws::new(11, Purpose::Visits, 0, 0);
        let arrived = Second(1_760_000_000);
        let rides: Vec<Ride> = (0..20_000).map(|_| ride(arrived, None, &mut draws)).collect();
        for ride in &rides {
            let order = [
                ride.call_at,
                ride.clock_started_at,
                ride.responded_at,
                ride.arrived_at,
                ride.handed_over_at,
                ride.cleared_at,
            ];
            assert!(order.is_sorted(), "{ride:?}");
            assert!(arrived.0 - ride.call_at.0 <= LEAD_SECONDS_MAX, "{ride:?}");
            assert!(ride.clock_start().0 - arrived.0 <= 900);
        }
        let delays: Vec<u32> = rides.iter().map(|ride| ride.handed_over_at.0 - arrived.0).collect();
        let mean = delays.iter().map(|d| f64::from(*d)).sum::<f64>() / delays.len() as f64 / 60.0;
        assert!((33.0..37.0).contains(&mean), "mean handover {mean} min");
        let over_60 = delays.iter().filter(|d| **d > 3600).count() as f64 / delays.len() as f64;
        assert!((0.1..0.2).contains(&over_60), "{over_60}");
    }
}
