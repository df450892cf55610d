//! What is published and when (spec 2.6): the newest closed minute at once, what was touched of older minutes behind it,
//! newest first.

use std::collections::BTreeMap;

use super::computed::FirstKnown;
use super::{Engine, Live};
use crate::dirty::HourMarks;
use crate::ids::OrgId;
use crate::measures::{Freshness, Measure, OrgMinute, Revision, Series};
use crate::sweep::{Scope, Sweep, everything};
use crate::time::Minute;

impl Engine {
    /// The newest minute that is closed; `None` before there is one. It never goes back, whatever the clock does.
    pub fn newest(&self) -> Option<Minute> {
        self.live.as_ref().map(|live| live.sweep.at())
    }

    /// How many org-minutes wait to be written.
    pub fn backlog(&self) -> u64 {
        let standards = self.live.as_ref().map_or(0, |live| self.waiting.up_to(live.sweep.at()));
        self.dirty.org_minutes(self.settings.orgs.len() as u64) + standards
    }

    /// Whether anything of the newest closed minute waits to be written.
    pub fn newest_waits(&self) -> bool {
        self.live.as_ref().is_some_and(|live| {
            let at = live.sweep.at().0;
            self.dirty.hour(at / 60).is_some_and(|marks| marks.minutes() & (1 << (at % 60)) != 0)
        })
    }

    /// Hands what waits of the newest closed minute to `each`.
    pub fn publish_newest(&mut self, each: &mut impl FnMut(OrgMinute)) {
        if !self.newest_waits() {
            return;
        }
        let Some(mut live) = self.live.take() else { return };
        let at = live.sweep.at();
        let marks = self.dirty.take(at.0 / 60, 1 << (at.0 % 60));
        live.sweep.count_levels();
        let mut computed = if marks.whole != 0 {
            self.computed(&live.sweep, &|org| live.freshness[org.index()].stale)
        } else {
            BTreeMap::new()
        };
        let mut first_known = std::mem::take(&mut self.first_known);
        let Live { sweep, freshness, writings } = &mut live;
        let (computed, known) = (&mut computed, &mut first_known);
        let mut writer =
            Writer { engine: self, freshness, writings, newest: at, computed, first_known: known };
        writer.write(sweep, at, &marks, each);
        self.first_known = first_known;
        self.live = Some(live);
    }

    /// Hands older org-minutes that wait to `each`, the newest first, until about `budget` of them are written (a
    /// minute is never split). Returns how many.
    pub fn publish_older(&mut self, budget: u64, each: &mut impl FnMut(OrgMinute)) -> u64 {
        let Some(mut live) = self.live.take() else { return 0 };
        let (mut written, mut first_known) = (0, std::mem::take(&mut self.first_known));
        while written < budget {
            let Some(hour) = self.dirty.newest_hour() else { break };
            let Some((minutes, first, last)) = self.newest_minutes(hour, budget - written) else { break };
            let marks = self.dirty.take(hour, minutes);
            let scope = self.scope_of(&marks);
            let mut sweep = Sweep::new(&self.figures, scope, first);
            let mut org_minutes = Vec::new();
            for minute in first.0..=last.0 {
                if minutes & (1 << (minute % 60)) == 0 {
                    continue;
                }
                sweep.advance(&self.figures, Minute(minute));
                sweep.count_levels();
                let Live { sweep: newest, freshness, writings } = &mut live;
                let (computed, first_known) = (&mut BTreeMap::new(), &mut first_known);
                let mut writer =
                    Writer { engine: self, freshness, writings, newest: newest.at(), computed, first_known };
                writer.write(&sweep, Minute(minute), &marks, &mut |org_minute| org_minutes.push(org_minute));
            }
            // A minute of nothing costs something too, so that a long empty backlog does not hold up the newest minute.
            written += (org_minutes.len() as u64).max(u64::from(minutes.count_ones()));
            org_minutes.into_iter().rev().for_each(&mut *each);
        }
        self.first_known = first_known;
        written += self.publish_standards(&live, budget.saturating_sub(written), each);
        self.live = Some(live);
        written
    }

    /// The newest marked minutes of an hour that fit into a budget; at least one. As bits, the first and the last.
    fn newest_minutes(&self, hour: u32, budget: u64) -> Option<(u64, Minute, Minute)> {
        let marks = self.dirty.hour(hour)?;
        let all = marks.minutes();
        let mut taken = 0u64;
        let mut cost = 0;
        for bit in (0..60u32).rev().filter(|bit| all & (1 << bit) != 0) {
            let per_minute = if marks.whole & (1 << bit) != 0 {
                self.settings.orgs.len() as u64
            } else {
                marks.parts.values().filter(|bits| **bits & (1 << bit) != 0).count() as u64 / 4 + 1
            };
            if taken != 0 && cost + per_minute > budget {
                break;
            }
            cost += per_minute;
            taken |= 1 << bit;
        }
        let first = Minute(hour * 60 + taken.trailing_zeros());
        let last = Minute(hour * 60 + 63 - taken.leading_zeros());
        (taken != 0).then_some((taken, first, last))
    }

    fn scope_of(&self, marks: &HourMarks) -> Scope {
        if marks.whole != 0 {
            return everything(&self.figures);
        }
        let mut orgs = vec![false; self.settings.orgs.len()];
        let mut slots = [false; 256];
        for (org, slot) in marks.parts.keys() {
            orgs[org.index()] = true;
            slots[usize::from(*slot)] = true;
        }
        let mut measures = Vec::new();
        let windows = self.figures.slots.windows();
        let mut wanted = vec![false; windows.len()];
        for (slot, measure, window) in self.figures.slots.all() {
            if slots[usize::from(slot)] {
                if !measures.contains(&measure) {
                    measures.push(measure);
                }
                if let Some(window) = window {
                    wanted[window] = true;
                }
            }
        }
        let windows = windows.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(window, _)| *window);
        Scope { orgs, measures, windows: windows.collect() }
    }
}

/// Makes org-minutes of what is marked at one minute.
struct Writer<'a> {
    engine: &'a Engine,
    freshness: &'a [Freshness],
    writings: &'a mut [Vec<u32>],
    newest: Minute,
    /// The computed escalation of the newest minute.
    computed: &'a mut BTreeMap<OrgId, Vec<Series>>,
    first_known: &'a mut FirstKnown,
}

impl Writer<'_> {
    fn write(&mut self, sweep: &Sweep, minute: Minute, marks: &HourMarks, each: &mut impl FnMut(OrgMinute)) {
        let bit = 1u64 << (minute.0 % 60);
        let whole = marks.whole & bit != 0;
        let figures = &self.engine.figures;
        for (org, organisation) in self.engine.settings.orgs.iter() {
            let mut series = Vec::new();
            let is_touched = |slot| marks.parts.get(&(org, slot)).is_some_and(|bits| bits & bit != 0);
            for (slot, measure, window) in figures.slots.all() {
                let due = whole && minute.0.is_multiple_of(figures.slots.step(window));
                if !(is_touched(slot) || due) || !measure.exists_at(organisation.level) {
                    continue;
                }
                let tag = window.map(|window| figures.slots.windows()[window]);
                let Some(window) = sweep.window(tag) else { continue };
                sweep.series(org, measure, window, &mut |key, values| {
                    // Before its first minute a missing point and a point of zeros say the same (spec 2.4).
                    if figures.since(org, measure, key.tag) <= minute {
                        series.push(Series { key, values });
                    }
                });
            }
            let declared = figures.slots.of(Measure::Escalation, 0);
            if whole || declared.is_some_and(is_touched) {
                series.extend(self.engine.periodic.escalation(org, minute));
            }
            if whole {
                self.first_known.points(self.engine, sweep, org, minute, &mut series);
            }
            series.extend(self.computed.remove(&org).unwrap_or_default());
            if !series.is_empty() {
                let revision = self.revision(org, minute);
                each(OrgMinute {
                    level: organisation.level,
                    org: organisation.code.clone(),
                    minute,
                    revision,
                    freshness: self.freshness[org.index()],
                    restated: minute != self.newest,
                    series,
                });
            }
        }
    }

    fn revision(&mut self, org: OrgId, minute: Minute) -> Revision {
        let size = self.engine.settings.horizon_minutes as usize + 1;
        let writings = &mut self.writings[org.index()];
        if writings.is_empty() {
            *writings = vec![0; size];
        }
        let n = &mut writings[minute.0 as usize % size];
        *n += 1;
        Revision { epoch: self.engine.epoch, n: *n }
    }
}
