//! A department that goes wrong: from an instant on its patients leave later and its ambulances queue. Not an alert:
//! what the figures make of it is for others to say.

use domain::time::Second;

use crate::random::Draws;

/// Seconds from the beginning of a drill until it is at its worst.
const RAMP_SECONDS: f64 = 3_600.0;
/// At its worst: of those who would have left within four hours, how many are kept longer.
const KEPT: f64 = 0.97;
/// Nobody is kept longer than this beyond what would have been.
const LONGER_MINUTES_MAX: u32 = 600;
/// At its worst: how much longer handovers take.
const HANDOVER_FACTOR: f64 = 2.5;
/// No handover takes longer, in a drill or out of it: seconds.
pub(crate) const HANDOVER_SECONDS_MAX: u32 = 8 * 3600;

/// Which department goes wrong, and from when. What was to leave before `from` leaves as ever; after it fewer and fewer
/// do for an hour, then it stays so: of the departures of four hours about a fifth is then within the standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// ODS code of a type-1 site of the simulation.
    pub site: String,
    /// From when its departures slow down.
    pub from: Second,
}

impl Drill {
    /// How bad it is at an instant: 0 before it begins, 1 after an hour.
    pub(crate) fn severity(&self, at: Second) -> f64 {
        (f64::from(at.0.saturating_sub(self.from.0)) / RAMP_SECONDS).min(1.0)
    }

    /// The stay of a patient who was to leave at `stop` after `minutes`.
    pub(crate) fn minutes(&self, stop: Second, minutes: u32, draws: &mut Draws) -> u32 {
        let kept = draws.chance(KEPT * self.severity(stop));
        let longer = (draws.exponential(150.0) as u32).min(LONGER_MINUTES_MAX);
        match (stop >= self.from && kept, minutes <= 240) {
            (false, _) => minutes,
            (true, true) => 241 + longer,
            (true, false) => minutes + longer / 2,
        }
    }

    /// The handover of an ambulance that came at `arrived`, in seconds.
    pub(crate) fn handover_seconds(&self, arrived: Second, seconds: u32) -> u32 {
        let severity = self.severity(arrived);
        let longer = f64::from(seconds) * (1.0 + (HANDOVER_FACTOR - 1.0) * severity) + 1_200.0 * severity;
        (longer as u32).min(HANDOVER_SECONDS_MAX)
    }
}
