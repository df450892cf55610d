//! Which points are to be written again: for each hour, organisation and slot the minutes, as bits of a word. Marks are
//! unions, so the order in which they are made does not matter.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::ids::OrgId;
use crate::time::Minute;

/// A measure and window by number; see [`crate::figures::Slots`].
pub(crate) type Slot = u8;

/// The marks of one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HourMarks {
    /// Minutes at which everything is to be written: they were never published.
    pub(crate) whole: u64,
    /// Minutes at which the series of one organisation and slot are to be written.
    pub(crate) parts: HashMap<(OrgId, Slot), u64>,
}

impl HourMarks {
    /// Every minute with a mark.
    pub(crate) fn minutes(&self) -> u64 {
        self.parts.values().fold(self.whole, |all, bits| all | bits)
    }
}

/// Marks by hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dirty {
    hours: BTreeMap<u32, HourMarks>,
}

/// The bits of [from, until) within an hour, every `step`-th minute of Unix time.
fn bits(hour: u32, from: Minute, until: Minute, step: u32) -> u64 {
    let low = from.0.max(hour * 60) - hour * 60;
    let high = until.0.min(hour * 60 + 60) - hour * 60;
    let run = ((1u64 << (high - low)) - 1) << low;
    if step == 1 { run } else { run & stepped(step) }
}

/// The multiples of a step within an hour; a step divides the hour or is a multiple of it.
fn stepped(step: u32) -> u64 {
    (0..60).step_by(step as usize).fold(0, |bits, minute| bits | 1 << minute)
}

impl Dirty {
    /// Marks the points of a slot at every `step`-th minute of [from, until).
    pub(crate) fn mark(&mut self, orgs: &[OrgId], slot: Slot, from: Minute, until: Minute, step: u32) {
        if from >= until {
            return;
        }
        for hour in from.0 / 60..=(until.0 - 1) / 60 {
            let bits = bits(hour, from, until, step);
            if bits == 0 {
                continue;
            }
            let marks = self.hours.entry(hour).or_default();
            for org in orgs {
                *marks.parts.entry((*org, slot)).or_default() |= bits;
            }
        }
    }

    /// Marks every point of every organisation in [from, until).
    pub(crate) fn mark_whole(&mut self, from: Minute, until: Minute) {
        if from >= until {
            return;
        }
        for hour in from.0 / 60..=(until.0 - 1) / 60 {
            self.hours.entry(hour).or_default().whole |= bits(hour, from, until, 1);
        }
    }

    /// The newest hour with a mark.
    pub(crate) fn newest_hour(&self) -> Option<u32> {
        self.hours.last_key_value().map(|(hour, _)| *hour)
    }

    /// The marks of an hour.
    pub(crate) fn hour(&self, hour: u32) -> Option<&HourMarks> {
        self.hours.get(&hour)
    }

    /// Takes the marks of these minutes of an hour away and returns them.
    pub(crate) fn take(&mut self, hour: u32, minutes: u64) -> HourMarks {
        let mut taken = HourMarks::default();
        let Some(marks) = self.hours.get_mut(&hour) else {
            return taken;
        };
        taken.whole = marks.whole & minutes;
        marks.whole &= !minutes;
        marks.parts.retain(|key, bits| {
            let gone = *bits & minutes;
            if gone != 0 {
                taken.parts.insert(*key, gone);
            }
            *bits &= !minutes;
            *bits != 0
        });
        if marks.whole == 0 && marks.parts.is_empty() {
            self.hours.remove(&hour);
        }
        taken
    }

    /// Forgets the marks before a minute: it is final.
    pub(crate) fn trim(&mut self, minute: Minute) {
        while let Some((hour, _)) = self.hours.first_key_value().map(|(hour, marks)| (*hour, marks))
            && hour < minute.0 / 60
        {
            self.hours.remove(&hour);
        }
        if !minute.0.is_multiple_of(60) {
            self.take(minute.0 / 60, bits(minute.0 / 60, Minute(minute.0 / 60 * 60), minute, 1));
        }
    }

    /// Forgets the marks after a minute: it is still to come.
    pub(crate) fn keep_until(&mut self, minute: Minute) {
        let after = minute.0 + 1;
        self.hours.split_off(&after.div_ceil(60));
        self.take(after / 60, bits(after / 60, Minute(after), Minute(after / 60 * 60 + 60), 1));
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.hours.is_empty()
    }

    /// How many organisations × minutes are marked, given how many organisations have figures.
    pub(crate) fn org_minutes(&self, orgs: u64) -> u64 {
        let mut count = 0;
        for marks in self.hours.values() {
            count += u64::from(marks.whole.count_ones()) * orgs;
            let mut by_org: HashMap<OrgId, u64> = HashMap::new();
            for ((org, _), bits) in &marks.parts {
                *by_org.entry(*org).or_default() |= bits & !marks.whole;
            }
            count += by_org.values().map(|bits| u64::from(bits.count_ones())).sum::<u64>();
        }
        count
    }

    /// Whether all marks are of instants that there are, and of so many organisations.
    pub(crate) fn is_within(&self, orgs: usize) -> bool {
        self.hours.iter().all(|(hour, marks)| {
            hour.checked_mul(60).is_some_and(|first| Minute(first).is_in_range())
                && (marks.whole | marks.minutes()) >> 60 == 0
                && marks.parts.keys().all(|(org, _)| org.index() < orgs)
        })
    }

    /// For the checkpoint.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for (hour, marks) in &self.hours {
            out.extend_from_slice(&hour.to_le_bytes());
            out.extend_from_slice(&marks.whole.to_le_bytes());
            out.extend_from_slice(&(marks.parts.len() as u32).to_le_bytes());
            for ((org, slot), bits) in &marks.parts {
                out.extend_from_slice(&org.0.to_le_bytes());
                out.push(*slot);
                out.extend_from_slice(&bits.to_le_bytes());
            }
        }
    }

    /// The marks whose [`Dirty::encode`] this was; `None` if the bytes are none.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Dirty> {
        let mut dirty = Dirty::default();
        while !bytes.is_empty() {
            let (hour, rest) = bytes.split_first_chunk::<4>()?;
            let (whole, rest) = rest.split_first_chunk::<8>()?;
            let (count, rest) = rest.split_first_chunk::<4>()?;
            let mut marks = HourMarks { whole: u64::from_le_bytes(*whole), ..HourMarks::default() };
            bytes = rest;
            for _ in 0..u32::from_le_bytes(*count) {
                let (part, rest) = bytes.split_first_chunk::<11>()?;
                let [o0, o1, slot, b @ ..] = *part;
                marks.parts.insert((OrgId(u16::from_le_bytes([o0, o1])), slot), u64::from_le_bytes(b));
                bytes = rest;
            }
            dirty.hours.insert(u32::from_le_bytes(*hour), marks);
        }
        Some(dirty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_half_open_and_keep_to_their_step() {
        let mut dirty = Dirty::default();
        let org = OrgId(3);
        dirty.mark(&[org], 1, Minute(58), Minute(62), 1);
        dirty.mark(&[org], 2, Minute(1), Minute(61), 15);
        dirty.mark(&[org], 2, Minute(7), Minute(7), 1);
        assert_eq!(dirty.hour(0).unwrap().parts[&(org, 1)], 0b11 << 58);
        assert_eq!(dirty.hour(1).unwrap().parts[&(org, 1)], 0b11);
        assert_eq!(dirty.hour(0).unwrap().parts[&(org, 2)], 1 << 15 | 1 << 30 | 1 << 45);
        assert_eq!(dirty.hour(1).unwrap().parts[&(org, 2)], 1);
        assert_eq!(dirty.org_minutes(9), 2 + 3 + 2);
        let mut bytes = Vec::new();
        dirty.encode(&mut bytes);
        assert_eq!(Dirty::decode(&bytes).as_ref(), Some(&dirty));
        let taken = dirty.take(1, 1);
        assert_eq!(taken.parts.len(), 2);
        dirty.trim(Minute(61));
        assert_eq!(dirty.newest_hour(), Some(1));
        dirty.trim(Minute(62));
        assert!(dirty.is_empty());
    }

    #[test]
    fn marks_are_kept_up_to_a_minute_and_not_beyond() {
        for (minute, kept) in [(59, 2), (60, 3), (61, 4), (119, 4), (120, 5), (121, 5)] {
            let mut dirty = Dirty::default();
            for at in [58, 59, 60, 61, 120] {
                dirty.mark_whole(Minute(at), Minute(at + 1));
            }
            dirty.keep_until(Minute(minute));
            assert_eq!(dirty.org_minutes(1), kept, "{minute}");
        }
    }
}
