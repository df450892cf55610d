//! From which minute on each series of each organisation is published: its first that is not zero (spec 2.4).

use super::slots::{ordinal, ordinals};
use crate::attendance::NEVER;
use crate::ids::OrgId;
use crate::measures::{MEASURES, Measure, Tag};
use crate::organisations::Organisations;
use crate::time::Minute;

/// For each organisation, measure and tag the first minute at which anything was ever added.
#[derive(Debug)]
pub(crate) struct Since {
    /// For each organisation its series by measure and tag.
    minutes: Vec<Vec<Minute>>,
    /// For each organisation and measure where its series begin.
    first: Vec<[u16; MEASURES.len()]>,
    /// Whether it changed after it was last saved.
    pub(crate) changed: bool,
}

impl Since {
    pub(crate) fn new(orgs: &Organisations) -> Since {
        let mut since = Since { minutes: Vec::new(), first: Vec::new(), changed: false };
        for (org, organisation) in orgs.iter() {
            let (mut first, mut count) = ([0; MEASURES.len()], 0);
            for measure in Measure::swept().filter(|measure| measure.exists_at(organisation.level)) {
                first[measure as usize - 1] = count as u16;
                count += ordinals(orgs, org, measure);
            }
            since.first.push(first);
            since.minutes.push(vec![NEVER; count]);
        }
        since
    }

    fn place(&self, org: OrgId, measure: Measure, ordinal: usize) -> usize {
        usize::from(self.first[org.index()][measure as usize - 1]) + ordinal
    }

    /// The first minute at which the series can be other than zero there.
    pub(crate) fn of(&self, orgs: &Organisations, org: OrgId, measure: Measure, tag: Tag) -> Minute {
        match ordinal(orgs, org, measure, tag) {
            Some(ordinal) if measure.exists_at(orgs.get(org).level) => {
                self.minutes[org.index()][self.place(org, measure, ordinal)]
            }
            Some(_) | None => NEVER,
        }
    }

    /// The first minute at which anything anywhere can be other than zero.
    pub(crate) fn first(&self) -> Minute {
        self.minutes.iter().flatten().copied().min().unwrap_or(NEVER)
    }

    /// The series of that ordinal is other than zero at that minute; the measure exists there.
    pub(crate) fn seen(&mut self, org: OrgId, measure: Measure, ordinal: usize, minute: Minute) {
        let place = self.place(org, measure, ordinal);
        let since = &mut self.minutes[org.index()][place];
        if minute < *since {
            *since = minute;
            self.changed = true;
        }
    }

    /// For the checkpoint.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for minute in self.minutes.iter().flatten() {
            out.extend_from_slice(&minute.0.to_le_bytes());
        }
    }

    /// Puts back [`Since::encode`]; `false` if the bytes are none.
    pub(crate) fn restore(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() != self.minutes.iter().map(Vec::len).sum::<usize>() * 4 {
            return false;
        }
        let minutes = self.minutes.iter_mut().flatten();
        for (minute, bytes) in minutes.zip(bytes.chunks_exact(4)) {
            *minute = Minute(u32::from_le_bytes(bytes.try_into().expect("chunks of four")));
            if !minute.is_in_range() && *minute != NEVER {
                return false;
            }
        }
        true
    }
}
