//! What happens to one patient: when seen, when the clock stops, how it ends. Not what is said of it (`script`).

use domain::event::{ArrivalMode, DepartmentType, Disposal};
use domain::time::{DAY, Second};

use crate::drill::Drill;
use crate::faults::Correction;
use crate::journeys::{self, Ride};
use crate::national::{self, BY_AMBULANCE, SPIKE};
use crate::organisations::Site;
use crate::random::Draws;

/// The longest stay by itself, in minutes; a drill adds to it.
pub(crate) const STAY_MINUTES_MAX: u32 = 30 * 60;

/// One attendance, whole, as it will have been.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Visit {
    /// Position of the site.
    pub(crate) site: u16,
    /// Unique at the site: hours since 2000 × 1000 + number in the hour.
    pub(crate) number: u32,
    pub(crate) ride: Option<Ride>,
    pub(crate) mode: ArrivalMode,
    pub(crate) child: bool,
    pub(crate) planned: bool,
    pub(crate) acuity: u8,
    pub(crate) arrived_at: Second,
    pub(crate) assessed_at: Second,
    pub(crate) treated_at: Option<Second>,
    pub(crate) referred_at: Option<Second>,
    pub(crate) decided_at: Option<Second>,
    /// Where the episode ended before the patient left.
    pub(crate) stopped_at: Option<Second>,
    pub(crate) departed_at: Second,
    pub(crate) disposal: Disposal,
    /// How often the patient is moved.
    pub(crate) moves: u8,
    /// What is stated otherwise later.
    pub(crate) correction: Option<Correction>,
}

/// Minutes of a stay within four hours, 3–240, with the spike just before four hours.
pub(crate) fn minutes_within(kind: DepartmentType, draws: &mut Draws) -> u32 {
    if draws.chance(SPIKE) {
        let before = draws.unit();
        return 240 - (20.0 * before * before) as u32;
    }
    for _ in 0..8 {
        let minutes = draws.log_normal(national::profile(kind).median_minutes, 0.6);
        if (3.0..241.0).contains(&minutes) {
            return minutes as u32;
        }
    }
    draws.between(30, 239)
}

/// Minutes of a stay over four hours, 241 and more, [`until_morning`] not yet counted.
pub(crate) fn minutes_over(kind: DepartmentType, draws: &mut Draws) -> u32 {
    let mean = if kind == DepartmentType::Major { 200.0 } else { 60.0 };
    (241 + draws.exponential(mean) as u32).min(STAY_MINUTES_MAX)
}

/// How many minutes longer a patient stays who would leave a major department after more than four hours at that
/// minute of the local day: beds and lifts home come by day, so of those of the small hours most leave from nine on.
/// Without it hardly anybody who leaves at six in the morning would have come within four hours.
pub(crate) fn until_morning(kind: DepartmentType, local_minute: u32, draws: &mut Draws) -> u32 {
    let (held, after_nine) = (draws.chance(0.7), draws.below(360));
    let small_hours = (120..510).contains(&local_minute);
    if held && small_hours && kind == DepartmentType::Major { 540 - local_minute + after_nine } else { 0 }
}

/// Everything about the patient who comes to `site` at `came`, by ambulance or not.
pub(crate) fn visit(
    site: &Site,
    (index, number): (u16, u32),
    (came, ahead_minutes): (Second, u32),
    draws: &mut Draws,
    drill: Option<(&Drill, &mut Draws)>,
) -> Visit {
    let by_ambulance = draws.chance(BY_AMBULANCE) && site.service.is_some();
    let ride = by_ambulance.then(|| journeys::ride(came, drill.as_ref().map(|(drill, _)| *drill), draws));
    let clock_start = ride.map_or(came, |ride| ride.clock_start());
    let begins = ride.map_or(came, |ride| ride.handed_over_at);
    let planned = draws.chance(0.02);
    let minutes = stay(site, planned, clock_start, begins, draws);
    let local_minute = (clock_start.minute().0 + minutes + ahead_minutes) % DAY;
    let held = until_morning(site.kind, local_minute, draws);
    // The department of the drill holds nobody till morning: who is late is what it shows, at any hour.
    let drilled =
        drill.as_ref().is_some_and(|(drill, _)| clock_start.minute().plus(minutes) >= drill.from.minute());
    let minutes = if minutes > 240 && !drilled { minutes + held } else { minutes };
    let first_stop = minutes_later(clock_start, minutes, draws);
    let (disposal, wait_minutes) = ending(site.kind, planned, minutes, draws);
    let mut visit = Visit {
        site: index,
        number,
        ride,
        mode: mode(by_ambulance, draws),
        child: draws.chance(0.22),
        planned,
        acuity: acuity(site.kind, by_ambulance, draws),
        arrived_at: ride.map_or(came, |ride| registered(&ride, draws)),
        assessed_at: begins,
        treated_at: None,
        referred_at: None,
        decided_at: None,
        stopped_at: None,
        departed_at: first_stop,
        disposal,
        moves: 1,
        correction: None,
    };
    visit.see(begins, first_stop, draws);
    let stop = match drill {
        Some((drill, draws)) => {
            let longer = drill.minutes(first_stop, minutes, draws);
            if longer > minutes { minutes_later(clock_start, longer, draws) } else { first_stop }
        }
        None => first_stop,
    };
    visit.departed_at = Second(stop.0 + wait_minutes * 60);
    visit.stopped_at = (wait_minutes > 0).then_some(stop);
    visit
}

impl Visit {
    /// Spreads assessment, treatment, referral and decision over the time in the department.
    fn see(&mut self, begins: Second, stop: Second, draws: &mut Draws) {
        let span = f64::from(stop.0.saturating_sub(begins.0));
        let assessed = (draws.exponential(720.0)).min(0.3 * span);
        self.assessed_at = Second(begins.0 + assessed as u32);
        if self.disposal == Disposal::Left {
            return;
        }
        let treated = assessed + draws.log_normal(3_300.0, 0.7).min(0.6 * (span - assessed));
        let rest = span - treated;
        let at = |seconds: f64| Some(Second(begins.0 + seconds as u32));
        self.treated_at = at(treated);
        let admitted = self.disposal == Disposal::Admitted;
        let (referred, decided) = (0.05 + 0.25 * draws.unit(), 0.3 + 0.3 * draws.unit());
        if admitted || draws.chance(0.15) {
            self.referred_at = at(treated + referred * rest);
        }
        if admitted {
            self.decided_at = at(treated + decided * rest);
        }
    }
}

/// Minutes on the clock; a patient who is still in the ambulance does not leave.
fn stay(site: &Site, planned: bool, clock_start: Second, begins: Second, draws: &mut Draws) -> u32 {
    let minutes = if planned {
        draws.between(15, 120)
    } else if draws.chance(site.within) {
        minutes_within(site.kind, draws)
    } else {
        minutes_over(site.kind, draws)
    };
    let in_ambulance = (begins.0 - clock_start.0) / 60;
    if in_ambulance == 0 { minutes } else { minutes.max(in_ambulance + draws.between(20, 60)) }
}

/// An instant in the minute that is `minutes` after that of `start`.
fn minutes_later(start: Second, minutes: u32, draws: &mut Draws) -> Second {
    Second(start.minute().plus(minutes).start().0 + draws.below(60))
}

/// The department registers a patient while the crew waits, at the latest with the handover.
fn registered(ride: &Ride, draws: &mut Draws) -> Second {
    let handover_seconds = ride.handed_over_at.0 - ride.arrived_at.0;
    Second(ride.arrived_at.0 + draws.between(60, handover_seconds.min(480)))
}

/// How it ends, and for how many minutes the patient still waits to be fetched.
fn ending(kind: DepartmentType, planned: bool, minutes: u32, draws: &mut Draws) -> (Disposal, u32) {
    let major = kind == DepartmentType::Major;
    let admitted = match (planned, major, minutes > 240) {
        (true, _, _) => 0.0,
        (false, true, true) => 0.42,
        (false, true, false) => 0.20,
        (false, false, _) => 0.015,
    };
    let (chosen, waits) = (draws.unit(), draws.chance(0.1));
    let wait_minutes = draws.between(20, 120);
    if chosen < admitted {
        return (Disposal::Admitted, 0);
    }
    let rest = (chosen - admitted) / (1.0 - admitted);
    match rest {
        _ if rest < 0.001 && major => (Disposal::Died, 0),
        _ if rest < 0.02 => (Disposal::Transferred, 0),
        _ if rest < 0.06 => (Disposal::Left, 0),
        _ if rest < 0.2 && minutes < 40 => (Disposal::Streamed, 0),
        _ if waits && major => (Disposal::Discharged, wait_minutes),
        _ => (Disposal::Discharged, 0),
    }
}

fn mode(by_ambulance: bool, draws: &mut Draws) -> ArrivalMode {
    let other = draws.chance(0.02);
    match (by_ambulance, other) {
        (true, _) => ArrivalMode::Ambulance,
        (false, true) => ArrivalMode::Other,
        (false, false) => ArrivalMode::WalkIn,
    }
}

fn acuity(kind: DepartmentType, by_ambulance: bool, draws: &mut Draws) -> u8 {
    let running_totals = match (kind == DepartmentType::Major, by_ambulance) {
        (true, true) => [8, 45, 88, 99, 100],
        (true, false) => [1, 12, 58, 94, 100],
        (false, _) => [0, 1, 12, 76, 100],
    };
    draws.position(&running_totals) as u8 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn stays_are_on_their_side_of_four_hours_and_leave_just_before() {
        let mut draws = Draws::new(3, Purpose::Visits, 0, 0);
        for kind in [DepartmentType::Major, DepartmentType::SingleSpecialty, DepartmentType::Other] {
            let within: Vec<u32> = (0..20_000).map(|_| minutes_within(kind, &mut draws)).collect();
            assert!(within.iter().all(|minutes| (3..=240).contains(minutes)));
            let in_last = |low, high| within.iter().filter(|m| (low..=high).contains(*m)).count();
            assert!(in_last(221, 240) > 2 * in_last(201, 220), "no spike for {kind:?}");
            assert!(in_last(240, 240) > 0 && in_last(239, 239) > 0);
            assert!((0..20_000).all(|_| (241..=STAY_MINUTES_MAX).contains(&minutes_over(kind, &mut draws))));
        }
    }
}
