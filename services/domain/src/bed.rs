//! Bed states (spec 1.4): the newest of a site holds until the next one, at most 48 hours, as a whole.

use crate::time::{Minute, Second};

/// A bed state holds for so long: 48 hours, in minutes.
pub const HOLDS_AT_MOST: u32 = 2_880;

/// The facts of a bed state: open, occupied, escalation_open, no_criteria_to_reside; not stated: `None`. At least one is.
pub type Beds = [Option<u32>; 4];

/// The bed states of one site, by rising instant.
#[derive(Clone, Debug, Default)]
pub(crate) struct BedStates {
    states: Vec<(Second, Beds)>,
}

impl BedStates {
    /// What was stated as of that instant.
    pub(crate) fn get(&self, as_of: Second) -> Option<Beds> {
        let found = self.states.binary_search_by_key(&as_of, |(one, _)| *one);
        found.ok().map(|index| self.states[index].1)
    }

    /// Puts a state in its place; none takes it away.
    pub(crate) fn set(&mut self, as_of: Second, beds: Option<Beds>) {
        let found = self.states.binary_search_by_key(&as_of, |(one, _)| *one);
        match (found, beds) {
            (Ok(index), Some(beds)) => self.states[index].1 = beds,
            (Ok(index), None) => {
                self.states.remove(index);
            }
            (Err(index), Some(beds)) => self.states.insert(index, (as_of, beds)),
            (Err(_), None) => {}
        }
    }

    /// The minutes [from, until) at which a state as of that instant is the one that holds, if there is one.
    pub(crate) fn holds(&self, as_of: Second) -> (Minute, Minute) {
        let next = self.states.partition_point(|(one, _)| *one <= as_of);
        let next = self.states.get(next).map_or(Minute(u32::MAX), |(next, _)| next.minute().plus(1));
        let begin = as_of.minute().plus(1);
        (begin, as_of.minute().plus(HOLDS_AT_MOST + 1).min(next).max(begin))
    }

    /// The state that holds at `m`: the newest with ⌊as_of⌋ < m and as_of ≥ m − 48 h.
    pub(crate) fn at(&self, m: Minute) -> Option<Beds> {
        let happened = self.states.partition_point(|(one, _)| one.minute() < m);
        let (as_of, beds) = self.states.get(happened.checked_sub(1)?)?;
        (as_of.0 >= m.minus(HOLDS_AT_MOST).start().0).then_some(*beds)
    }

    /// Forgets what holds at no minute from `minute` on.
    pub(crate) fn trim(&mut self, minute: Minute) {
        let oldest = minute.minus(HOLDS_AT_MOST).start();
        let first = self.states.partition_point(|(one, _)| *one < oldest);
        self.states.drain(..first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(beds: u32) -> Beds {
        [Some(beds), None, None, None]
    }

    #[test]
    fn the_newest_holds_until_the_next_at_most_48_hours() {
        let mut states = BedStates::default();
        let day = 1_440 * 60;
        states.set(Second(day + 30), Some(open(1)));
        states.set(Second(day + 600), Some(open(2)));
        let at = |states: &BedStates, m: u32| states.at(Minute(m)).and_then(|beds| beds[0]);
        assert_eq!(at(&states, 1_440), None, "its minute is not over");
        assert_eq!(at(&states, 1_441), Some(1));
        assert_eq!(at(&states, 1_450), Some(1));
        assert_eq!(at(&states, 1_451), Some(2));
        assert_eq!(at(&states, 1_450 + 2_880), Some(2), "exactly 48 hours");
        assert_eq!(at(&states, 1_451 + 2_880), None);
        assert_eq!(states.holds(Second(day + 30)), (Minute(1_441), Minute(1_451)));
        assert_eq!(states.holds(Second(day + 600)), (Minute(1_451), Minute(1_451 + 2_880)));
        // The newer of two within a minute counts.
        states.set(Second(day + 630), Some(open(3)));
        assert_eq!(states.holds(Second(day + 600)), (Minute(1_451), Minute(1_451)));
        assert_eq!(at(&states, 1_451), Some(3));
        states.set(Second(day + 630), None);
        assert_eq!((at(&states, 1_451), states.get(Second(day + 630))), (Some(2), None));
        states.trim(Minute(1_451 + 2_879));
        assert_eq!(at(&states, 1_450 + 2_880), Some(2));
        states.trim(Minute(1_451 + 2_880));
        assert_eq!(states.get(Second(day + 600)), None);
    }

    #[test]
    fn seconds_count_for_the_48_hours() {
        let mut states = BedStates::default();
        states.set(Second(60_000 * 60 + 59), Some(open(1)));
        assert!(states.at(Minute(60_000 + HOLDS_AT_MOST)).is_some());
        assert!(states.at(Minute(60_000 + HOLDS_AT_MOST + 1)).is_none());
    }
}
