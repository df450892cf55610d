//! What a department and an ambulance service say of one attendance, statement by statement, as their systems send
//! it. Not the words (`statements`), and not when the log receives it (`simulation`).

use domain::event::Disposal;
use domain::time::Second;

use crate::faults::{Correction, Facts, Faults};
use crate::random::Draws;
use crate::stays::Visit;

/// Fewest statements of an attendance that can be asked for: registration and departure.
pub(crate) const STATEMENTS_MIN: u8 = 2;
/// Most statements of an attendance that can be asked for.
pub(crate) const STATEMENTS_MAX: u8 = 16;

/// One statement about an attendance or its journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Register,
    Assess,
    /// The n-th move, from 1.
    Move(u8),
    Treat,
    Refer,
    Decide,
    StopClock,
    Depart,
    /// The correction; of a cancelled departure its retraction.
    Correct,
    /// A cancelled departure is stated again.
    DepartAgain,
    Void,
    Call,
    Respond,
    Convey,
    HandOver,
    Clear,
    CorrectHandover,
}

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    Department,
    AmbulanceService,
}

impl Step {
    pub(crate) fn speaker(self) -> Speaker {
        match self {
            Step::Register
            | Step::Assess
            | Step::Move(_)
            | Step::Treat
            | Step::Refer
            | Step::Decide
            | Step::StopClock
            | Step::Depart
            | Step::Correct
            | Step::DepartAgain
            | Step::Void => Speaker::Department,
            Step::Call
            | Step::Respond
            | Step::Convey
            | Step::HandOver
            | Step::Clear
            | Step::CorrectHandover => Speaker::AmbulanceService,
        }
    }
}

/// One line of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) step: Step,
    /// What it says happened, or was found out, then.
    pub(crate) when: Second,
}

/// Decides about corrections of the visit and writes all that is said of it, each speaker's lines in order of time.
pub(crate) fn script(
    visit: &mut Visit,
    statements: Option<u8>,
    faults: &Faults,
    draws: &mut Draws,
    lines: &mut Vec<Line>,
) {
    lines.clear();
    attendance(visit, statements, lines);
    journey(visit, lines);
    // Last, so that the lines above are numbered and timed as they are without faults.
    if faults.any() {
        amend(visit, faults, draws, lines);
    }
}

fn attendance(visit: &mut Visit, statements: Option<u8>, lines: &mut Vec<Line>) {
    let mut say = |step, when: Option<Second>| lines.extend(when.map(|when| Line { step, when }));
    say(Step::Register, Some(visit.arrived_at));
    say(Step::Assess, Some(visit.assessed_at));
    say(Step::Treat, visit.treated_at);
    say(Step::Refer, visit.referred_at);
    say(Step::Decide, visit.decided_at);
    say(Step::StopClock, visit.stopped_at);
    say(Step::Depart, Some(visit.departed_at));
    let others = lines.len() as u8;
    visit.moves = statements.map_or(1, |wanted| wanted.saturating_sub(others));
    for n in 1..=visit.moves {
        lines.push(Line { step: Step::Move(n), when: visit.moved_at(n) });
    }
    if let Some(wanted) = statements {
        shorten(lines, usize::from(wanted));
    }
    lines.sort_by_key(|line| line.when);
}

/// Leaves out what a plain system does not send; the departure states again when the clock stopped.
fn shorten(lines: &mut Vec<Line>, wanted: usize) {
    for step in [Step::Refer, Step::StopClock, Step::Assess, Step::Decide, Step::Treat] {
        if lines.len() > wanted {
            lines.retain(|line| line.step != step);
        }
    }
}

impl Visit {
    /// When the n-th move was: the first at the assessment, the others spread evenly until the departure.
    pub(crate) fn moved_at(&self, n: u8) -> Second {
        let span = u64::from(self.departed_at.0.saturating_sub(self.assessed_at.0));
        let before = u64::from(n.saturating_sub(1));
        Second(self.assessed_at.0 + (span * before / u64::from(self.moves.max(1))) as u32)
    }
}

fn amend(visit: &mut Visit, faults: &Faults, draws: &mut Draws, lines: &mut Vec<Line>) {
    let facts =
        Facts { arrived_at: visit.arrived_at, treated_at: visit.treated_at, disposal: visit.disposal };
    visit.correction = faults.correction(visit.departed_at, facts, draws);
    let found_out = visit.departed_at.0 + 600 + (draws.exponential(7_200.0) as u32).min(86_400);
    match visit.correction {
        None => {}
        Some(Correction::Cancelled(departed_at)) => {
            lines.push(Line {
                step: Step::Correct,
                when: Second(visit.departed_at.0 + draws.between(600, 3_000)),
            });
            lines.push(Line { step: Step::DepartAgain, when: departed_at });
        }
        Some(
            Correction::Arrival(_)
            | Correction::Treatment(_)
            | Correction::Departure(_)
            | Correction::Disposal(_),
        ) => lines.push(Line { step: Step::Correct, when: Second(found_out) }),
    }
    if let Some(seconds) = faults.void(draws) {
        lines.push(Line { step: Step::Void, when: Second(visit.arrived_at.0 + seconds) });
    }
    if let Some(ride) = &mut visit.ride {
        ride.corrected_handover_at = faults.handover(ride.arrived_at, ride.handed_over_at, draws);
        let when = ride.corrected_handover_at.map(|_| Second(ride.cleared_at.0 + 900));
        lines.extend(when.map(|when| Line { step: Step::CorrectHandover, when }));
    }
}

fn journey(visit: &Visit, lines: &mut Vec<Line>) {
    let Some(ride) = visit.ride else { return };
    for (step, when) in [
        (Step::Call, ride.call_at),
        (Step::Respond, ride.responded_at),
        (Step::Convey, ride.arrived_at),
        (Step::HandOver, ride.handed_over_at),
        (Step::Clear, ride.cleared_at),
    ] {
        lines.push(Line { step, when });
    }
}

/// The area in which the patient is treated.
pub(crate) fn area(visit: &Visit, major: bool) -> &'static str {
    match (major, visit.child, visit.acuity) {
        (true, _, 1) => "resus",
        (true, true, _) => "paeds",
        (true, false, 2 | 3) => "majors",
        (true, false, _) => "minors",
        (false, _, _) => "utc",
    }
}

/// The ending as it is stated at departure, a correction of it left out.
pub(crate) fn clock_stop(visit: &Visit) -> Option<Second> {
    visit.stopped_at.filter(|_| visit.disposal == Disposal::Discharged)
}
