//! What bed states add to `bed_state`, and declarations to `escalation`.

use std::borrow::Cow;
use std::slice;

use super::Tally;
use crate::model::clocks::minute;
use crate::model::statements::{BedStates, Declarations};
use crate::model::table::Series;

/// 48 h in seconds: how long a bed state holds at most.
const HOLDS_MAX: i64 = 48 * 3_600;

/// The newest state of each site whose minute is over, unless it is older than 48 h.
pub(super) fn bed_states(tally: &mut Tally, all: &[BedStates], m: i64) {
    let series = Series { measure: "bed_state", tag: Cow::Borrowed(""), window: None };
    for of_site in all {
        let newest = of_site.states.iter().rfind(|state| minute(state.as_of) < m);
        if let Some(state) = newest.filter(|state| state.as_of >= m * 60 - HOLDS_MAX) {
            tally.add(&of_site.places, &series, &state.fields);
        }
    }
}

/// The newest declaration that was not taken back holds until the next one; at its own organisation only.
pub(super) fn escalation(tally: &mut Tally, all: &[Declarations], m: i64) {
    for one in all {
        let newest = one.levels.iter().rfind(|(since, _)| minute(*since) < m);
        if let Some((_, level)) = newest {
            let series = Series { measure: "escalation", tag: Cow::Owned(one.scale.clone()), window: None };
            tally.add(slice::from_ref(&one.place), &series, &[("declared", *level)]);
        }
    }
}
