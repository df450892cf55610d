//! Which minutes a changed span touches: no more than it must, as each is published again.

use crate::attendance::{Stay, TWELVE_HOURS};
use crate::journey::Wait;
use crate::time::Minute;

/// The minutes at which two stays differ, as ranges [from, until).
pub(super) fn changed_stay(old: Option<Stay>, new: Option<Stay>) -> Vec<(Minute, Minute)> {
    let (Some(old), Some(new)) = (old, new) else {
        return old.or(new).map(|one| (one.begin(), one.end())).into_iter().collect();
    };
    let (begin, end) = (old.begin().min(new.begin()), old.end().max(new.end()));
    let same_beginning = Stay { stop: new.stop, departed: new.departed, decided: new.decided, ..old } == new;
    if !same_beginning {
        return vec![(begin, end)];
    }
    // Something has happened at m if its minute is before m: a shift from a to b is seen at (a, b]. A decision is seen
    // again when twelve hours have passed since.
    let twelve_hours_on = |decided: Minute| decided.plus(TWELVE_HOURS);
    [
        (old.stop, new.stop),
        (old.departed, new.departed),
        (old.decided, new.decided),
        (twelve_hours_on(old.decided), twelve_hours_on(new.decided)),
    ]
    .into_iter()
    .filter(|(a, b)| a != b)
    .map(|(a, b)| (a.min(b).plus(1).max(begin), a.max(b).plus(1).min(end)))
    .filter(|(from, until)| from < until)
    .collect()
}

/// The minutes at which two waits differ.
pub(super) fn changed_wait(old: Option<Wait>, new: Option<Wait>) -> Vec<(Minute, Minute)> {
    match (old, new) {
        (Some(old), Some(new)) if old.arrived == new.arrived => {
            vec![(old.end().min(new.end()), old.end().max(new.end()))]
        }
        (old, new) => [old, new].into_iter().flatten().map(|one| (one.begin(), one.end())).collect(),
    }
}
