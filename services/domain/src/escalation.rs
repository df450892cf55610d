//! Declared escalation levels (spec 1.6, 2.5): a declaration holds until the next one. It is a person's word about one
//! organisation and is not rolled up; the computed level ([`crate::opel`]) stands beside it.

use std::collections::BTreeMap;

use crate::ids::OrgId;
use crate::time::{Minute, Second};

/// Every declaration of an organisation on a scale, by its instant; `None`: retracted, as if never made.
type Line = BTreeMap<Second, Option<u8>>;

/// Every declaration. Scales are positions in [`crate::standard::Standards::scales`].
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    lines: BTreeMap<(OrgId, u16), Line>,
}

/// When a declaration counts: what happened in a minute is known at the next.
fn counts_from(since: Second) -> Minute {
    since.minute().plus(1)
}

impl Declarations {
    /// What stands of a declaration has changed. Returns the minutes [from, until) at which that can make a difference.
    pub fn set(&mut self, org: OrgId, scale: u16, since: Second, level: Option<u8>) -> (Minute, Minute) {
        let line = self.lines.entry((org, scale)).or_default();
        line.insert(since, level);
        let next = line.range(Second(since.0 + 1)..).find(|(_, level)| level.is_some());
        (counts_from(since), next.map_or(Minute(u32::MAX), |(next, _)| counts_from(*next)))
    }

    /// The level declared at m; 0: none.
    pub fn declared(&self, org: OrgId, scale: u16, m: Minute) -> u8 {
        let Some(line) = self.lines.get(&(org, scale)) else { return 0 };
        let standing = line.range(..m.start()).rev().find_map(|(_, level)| *level);
        standing.unwrap_or(0)
    }

    /// The scales on which an organisation ever declared a level, each with the first minute at which that counted.
    pub fn begun(&self, org: OrgId) -> impl Iterator<Item = (u16, Minute)> + '_ {
        let lines = self.lines.range((org, 0)..=(org, u16::MAX));
        lines.filter_map(|((_, scale), line)| Some((*scale, counts_from(*line.first_key_value()?.0))))
    }

    /// The first minute at which any declaration counted.
    pub fn first(&self) -> Option<Minute> {
        self.lines.values().filter_map(|line| Some(counts_from(*line.first_key_value()?.0))).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_holds_until_the_next() {
        let (org, other) = (OrgId(3), OrgId(4));
        let mut held = Declarations::default();
        let at = |minute: u32, second: u32| Second(minute * 60 + second);
        assert_eq!(held.set(org, 0, at(10, 30), Some(3)), (Minute(11), Minute(u32::MAX)));
        assert_eq!(held.set(org, 0, at(20, 0), Some(1)), (Minute(21), Minute(u32::MAX)));
        assert_eq!(held.set(org, 0, at(10, 59), Some(4)), (Minute(11), Minute(21)));
        assert_eq!(
            held.set(org, 0, at(5, 0), None),
            (Minute(6), Minute(11)),
            "a retracted one changes nothing"
        );
        let levels =
            |held: &Declarations, org| [10, 11, 20, 21, 99].map(|m| held.declared(org, 0, Minute(m)));
        assert_eq!(levels(&held, org), [0, 4, 4, 1, 1]);
        assert_eq!(levels(&held, other), [0; 5]);
        assert_eq!(held.declared(org, 1, Minute(99)), 0);
        assert_eq!(held.set(org, 0, at(20, 0), None), (Minute(21), Minute(u32::MAX)));
        assert_eq!(levels(&held, org), [0, 4, 4, 4, 4]);
        assert_eq!(held.set(org, 0, at(10, 59), None).1, Minute(u32::MAX));
        assert_eq!(levels(&held, org), [0, 3, 3, 3, 3]);
        assert_eq!(held.begun(org).collect::<Vec<_>>(), [(0, Minute(6))]);
        assert_eq!((held.begun(other).count(), held.first()), (0, Some(Minute(6))));
    }
}
