//! Emergency calls that bring nobody to hospital: treated on the scene, or heard and treated (category 5). About as many as
//! journeys that convey; without them a service's response times would be those of its sickest patients. Not the journeys
//! to departments: those are `journeys`.

use domain::event::{Category, Event, Fact, Journey, Statement};
use domain::time::Second;

use crate::arrivals::LocalHour;
use crate::journeys::response_seconds;
use crate::national::{WEEKDAYS, profile};
use crate::organisations::Service;
use crate::random::{Draws, Purpose, reference};
use crate::statements::Said;

/// Calls that convey nobody for each journey that does (England, 2024/25: about half of all incidents end in a
/// department).
const FOR_EACH_JOURNEY: f64 = 0.9;

/// One call, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) category: Category,
    pub(crate) call_at: Second,
    pub(crate) clock_started_at: Second,
    pub(crate) responded_at: Second,
    pub(crate) cleared_at: Second,
}

/// What is said of a call, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Call,
    Respond,
    Clear,
}

impl Step {
    pub(crate) const ALL: [Step; 3] = [Step::Call, Step::Respond, Step::Clear];

    /// Its number among the statements of the call, from 1.
    pub(crate) fn number(self) -> u8 {
        match self {
            Step::Call => 1,
            Step::Respond => 2,
            Step::Clear => 3,
        }
    }
}

/// When a service is called in the hour that begins at `start`, in order.
pub(crate) fn calls(service: &Service, start: Second, local: LocalHour, draws: &mut Draws) -> Vec<Second> {
    let share = profile(domain::event::DepartmentType::Major).hour_share(local.hour);
    let expected = service.daily * FOR_EACH_JOURNEY * share * WEEKDAYS[local.weekday];
    let count = draws.poisson(expected).min(crate::arrivals::ARRIVALS_PER_HOUR_MAX);
    let mut instants: Vec<Second> = (0..count).map(|_| Second(start.0 + draws.below(3600))).collect();
    instants.sort_unstable();
    instants
}

/// The call of that number: the same whenever it is asked for.
pub(crate) fn call(seed: u64, service: &Service, number: u32, call_at: Second) -> Call {
    let mut draws = Draws::new(seed, Purpose::Calls, service.key, 1 << 32 | u64::from(number));
    let category = match draws.below(100) {
        0..6 => Category::C1,
        6..46 => Category::C2,
        46..70 => Category::C3,
        70..74 => Category::C4,
        _ => Category::C5,
    };
    let answering = if category == Category::C1 { 0 } else { draws.below(241) };
    let clock_started_at = Second(call_at.0 + answering);
    let responded_at = Second(clock_started_at.0 + response_seconds(category, &mut draws));
    let treating =
        if category == Category::C5 { draws.between(300, 1_200) } else { draws.between(1_200, 4_800) };
    Call { category, call_at, clock_started_at, responded_at, cleared_at: Second(responded_at.0 + treating) }
}

impl Call {
    /// When a step happens.
    pub(crate) fn when(&self, step: Step) -> Second {
        match step {
            Step::Call => self.clock_started_at,
            Step::Respond => self.responded_at,
            Step::Clear => self.cleared_at,
        }
    }
}

/// What the service says at a step: a journey without a destination.
pub(crate) fn statement<'a>(
    seed: u64,
    service: &'a Service,
    (number, call): (u32, Call),
    step: Step,
    said: Said<'a>,
) -> Event<'a> {
    let mut says = Journey::new(service.code.as_str(), reference(seed, service.key, u64::from(number)));
    match step {
        Step::Call => {
            says.category = Fact::Stated(call.category);
            says.call_at = said.stated(call.call_at);
            says.clock_started_at = said.stated(call.clock_started_at);
        }
        Step::Respond => says.responded_at = said.stated(call.responded_at),
        Step::Clear => says.cleared_at = said.stated(call.cleared_at),
    }
    said.event(Statement::Ambulance(says))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_run_in_order_and_each_category_has_its_times() {
        let service = Service { code: "RX8".into(), key: 8, source: 0, daily: 1_000.0 };
        let called = Second(1_760_000_000);
        let all: Vec<Call> = (0..20_000).map(|number| call(4, &service, number, called)).collect();
        for call in &all {
            let order = [call.call_at, call.clock_started_at, call.responded_at, call.cleared_at];
            assert!(order.is_sorted(), "{call:?}");
        }
        assert_eq!(all[7], call(4, &service, 7, called), "the same again");
        for (category, share, mean_minutes) in [
            (Category::C1, 0.06, 7.0..9.0),
            (Category::C2, 0.40, 26.0..30.0),
            (Category::C3, 0.24, 88.0..104.0),
            (Category::C4, 0.04, 100.0..130.0),
            (Category::C5, 0.26, 40.0..90.0),
        ] {
            let of: Vec<&Call> = all.iter().filter(|call| call.category == category).collect();
            let got = of.len() as f64 / all.len() as f64;
            assert!((got - share).abs() < 0.015, "{category:?}: {got}");
            let seconds = of.iter().map(|call| f64::from(call.responded_at.0 - call.clock_started_at.0));
            let mean = seconds.sum::<f64>() / of.len() as f64 / 60.0;
            assert!(mean_minutes.contains(&mean), "{category:?}: {mean} min");
        }
    }
}
