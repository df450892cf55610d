//! Where in the department a patient is: from the moves of an attendance to times in areas (spec 1.2 `location`, 2.4
//! `ae_area`). The times in areas of one attendance never overlap: of the moves that have happened the newest counts.

use crate::attendance::{OPEN_AT_MOST, Stay};
use crate::time::{Minute, Second};

/// A time in an area: at every minute of [begin, end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AreaStay {
    /// The first minute at which it counts.
    pub begin: Minute,
    /// The first minute at which it counts no more.
    pub end: Minute,
    /// Where the area stands among those of its site; behind them all for another.
    pub area: u16,
}

/// Appends the times in areas of a stay to `out`. `moves`: the moves that stand, by rising instant, each with its area.
pub(crate) fn area_stays(stay: &Stay, moves: impl Iterator<Item = (u32, u16)>, out: &mut Vec<AreaStay>) {
    let present_begin = stay.present_from.plus(1);
    let present_end = stay.departed.plus(1).min(stay.start.plus(OPEN_AT_MOST + 1));
    let mut moves = moves.map(|(since, area)| (Second(since).minute(), area)).peekable();
    while let Some((since, area)) = moves.next() {
        let next = moves.peek().map_or(Minute(u32::MAX), |(next, _)| next.plus(1));
        let (begin, end) = (since.plus(1).max(present_begin), next.min(present_end));
        if begin < end {
            out.push(AreaStay { begin, end, area });
        }
    }
}

/// Hands each difference between two lists of times in areas to `change`: what goes, what comes, and the minutes
/// [from, until) at which that makes a difference.
pub(crate) fn changed_areas(
    old: &[AreaStay],
    new: &[AreaStay],
    change: &mut impl FnMut(Option<AreaStay>, Option<AreaStay>, (Minute, Minute)),
) {
    // Most changes are a departure or a next move, which end a time in an area. No two of a list begin together.
    let grown = |a: &AreaStay, b: &AreaStay| a.area == b.area && a.begin == b.begin && a.end != b.end;
    for gone in old.iter().filter(|one| !new.contains(one)) {
        match new.iter().find(|come| grown(gone, come)) {
            Some(come) => {
                change(Some(*gone), Some(*come), (gone.end.min(come.end), gone.end.max(come.end)));
            }
            None => change(Some(*gone), None, (gone.begin, gone.end)),
        }
    }
    for come in new.iter().filter(|one| !old.contains(one)) {
        if !old.iter().any(|gone| grown(gone, come)) {
            change(None, Some(*come), (come.begin, come.end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attendance::{CountedType, NEVER};

    fn stay(from: u32, departed: Minute) -> Stay {
        Stay {
            start: Minute(from),
            stop: departed,
            present_from: Minute(from),
            departed,
            decided: NEVER,
            department_type: CountedType::Five,
        }
    }

    fn stays(stay: &Stay, moves: &[(u32, u16)]) -> Vec<(u32, u32, u16)> {
        let mut out = Vec::new();
        area_stays(stay, moves.iter().copied(), &mut out);
        out.iter().map(|one| (one.begin.0, one.end.0, one.area)).collect()
    }

    #[test]
    fn of_the_moves_that_happened_the_newest_counts() {
        let there = stay(100, Minute(200));
        for (moves, expected) in [
            (&[][..], vec![]),
            (&[(110 * 60, 1)], vec![(111, 201, 1)]),
            (&[(90 * 60, 1)], vec![(101, 201, 1)]),
            (&[(110 * 60, 1), (150 * 60 + 59, 2)], vec![(111, 151, 1), (151, 201, 2)]),
            // Two in one minute: both have happened at the next, the newer counts.
            (&[(110 * 60, 1), (110 * 60 + 30, 2)], vec![(111, 201, 2)]),
            (&[(90 * 60, 1), (95 * 60, 2)], vec![(101, 201, 2)]),
            (&[(200 * 60, 1)], vec![]),
            (&[(300 * 60, 1)], vec![]),
        ] {
            assert_eq!(stays(&there, moves), expected, "{moves:?}");
        }
        let open = stay(100, NEVER);
        assert_eq!(stays(&open, &[(100 * 60, 3)]), [(101, 100 + OPEN_AT_MOST + 1, 3)]);
        assert_eq!(stays(&Stay { present_from: NEVER, ..open }, &[(100 * 60, 3)]), []);
    }

    #[test]
    fn only_the_minutes_that_differ_are_touched() {
        let one = |begin, end, area| AreaStay { begin: Minute(begin), end: Minute(end), area };
        let there = vec![one(10, 100, 1)];
        for (old, new, expected) in [
            (vec![], there.clone(), vec![(10, 100)]),
            (there.clone(), vec![], vec![(10, 100)]),
            (there.clone(), there.clone(), vec![]),
            (there.clone(), vec![one(10, 60, 1)], vec![(60, 100)]),
            (there.clone(), vec![one(20, 100, 1)], vec![(10, 100), (20, 100)]),
            (
                there.clone(),
                vec![one(10, 30, 1), one(30, 60, 2), one(60, 100, 1)],
                vec![(30, 100), (30, 60), (60, 100)],
            ),
            (there.clone(), vec![one(10, 60, 1), one(60, 100, 2)], vec![(60, 100), (60, 100)]),
            (there.clone(), vec![one(10, 100, 2)], vec![(10, 100), (10, 100)]),
            (there, vec![one(20, 60, 1)], vec![(10, 100), (20, 60)]),
        ] {
            let (mut touched, mut balance) = (Vec::new(), 0);
            changed_areas(&old, &new, &mut |gone, come, (from, until)| {
                touched.push((from.0, until.0));
                balance += i32::from(come.is_some()) - i32::from(gone.is_some());
            });
            assert_eq!(touched, expected, "{old:?} {new:?}");
            assert_eq!(balance, new.len() as i32 - old.len() as i32);
        }
    }
}
