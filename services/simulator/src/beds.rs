//! Bed states of a hospital: pure functions of site and time.

use domain::time::Second;

use crate::organisations::Site;
use crate::random::{Draws, Purpose};

/// One state: adult general and acute beds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BedCount {
    pub(crate) open: u32,
    pub(crate) occupied: u32,
    pub(crate) escalation_open: u32,
    pub(crate) no_criteria_to_reside: u32,
}

/// The beds of a site at an instant: a day's level (about 93 % occupied) and an hour's noise.
pub(crate) fn beds(seed: u64, site: &Site, as_of: Second) -> BedCount {
    let mut size = Draws::new(0, Purpose::Beds, site.key, 0);
    let mut day = Draws::new(seed, Purpose::Beds, site.key, 1 + u64::from(as_of.0 / 86_400));
    let mut hour = Draws::new(seed, Purpose::Beds, site.key, (1 << 32) + u64::from(as_of.0 / 3_600));
    let core = (site.daily * (1.4 + 0.6 * size.unit())).max(20.0);
    let escalation = core * (0.02 + 0.02 * day.normal()).clamp(0.0, 0.08);
    let open = core + escalation;
    let occupancy = (0.93 + 0.02 * day.normal() + 0.008 * hour.normal()).clamp(0.75, 1.0);
    let waiting_to_leave = (0.13 + 0.03 * day.normal()).clamp(0.03, 0.3);
    BedCount {
        open: open as u32,
        occupied: (open * occupancy) as u32,
        escalation_open: escalation as u32,
        no_criteria_to_reside: (open * occupancy * waiting_to_leave) as u32,
    }
}
