//! Returns and declarations in the live engine (spec 2.5): what a change of one touches, and the points of `standard`,
//! which are written again however old they are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{Engine, Live, Settings};
use crate::date::Date;
use crate::escalation::Declarations;
use crate::event::Statement;
use crate::figures::Figures;
use crate::ids::OrgId;
use crate::ledger::Ledger;
use crate::measures::{MAX_FIELDS, Measure, OrgMinute, Revision, Series, SeriesKey, Tag};
use crate::other::{OtherKey, OtherRecord};
use crate::returns::{Overdue, PeriodKey, Returns};
use crate::standard::Standards;
use crate::time::{LondonDays, Minute};

/// What the ledger holds of returns and declarations, as it is added up.
#[derive(Debug)]
pub(crate) struct Periodic {
    pub(crate) returns: Returns,
    pub(crate) declarations: Declarations,
    standards: Arc<Standards>,
}

/// What a changed entity touches.
pub(crate) enum Touched {
    /// Points of `standard` of these organisations.
    Period(PeriodKey, OrgId),
    /// Points of `escalation` at the minutes [from, until).
    Declared(OrgId, Minute, Minute),
    /// Nothing here.
    Nothing,
}

impl Periodic {
    pub(crate) fn new(settings: &Settings, days: Arc<LondonDays>) -> Periodic {
        let standards = Arc::new(settings.standards.clone());
        let returns = Returns::new(settings.orgs.clone(), standards.clone(), days);
        Periodic { returns, declarations: Declarations::default(), standards }
    }

    /// Everything that a ledger holds.
    pub(crate) fn of(settings: &Settings, days: Arc<LondonDays>, ledger: &Ledger) -> Periodic {
        let mut periodic = Periodic::new(settings, days);
        for (key, record) in &ledger.others {
            periodic.take(key, record);
        }
        periodic
    }

    /// An entity stands as this record says.
    fn take(&mut self, key: &OtherKey, record: &OtherRecord) -> Touched {
        match key {
            OtherKey::Return(standard, org, start) => {
                let Some(period) = self.returns.period(standard, Date(*start)) else {
                    return Touched::Nothing;
                };
                self.returns.set(period, *org, record.amounts());
                Touched::Period(period, *org)
            }
            OtherKey::Escalation(org, scale, since) => {
                let Some(scale) = self.standards.scales.iter().position(|one| one == scale) else {
                    return Touched::Nothing;
                };
                let level = record.amounts().and_then(|amounts| amounts[0]);
                let level = level.and_then(|level| u8::try_from(level).ok());
                let (from, until) = self.declarations.set(*org, scale as u16, *since, level);
                Touched::Declared(*org, from, until)
            }
            OtherKey::Beds(..) => Touched::Nothing,
        }
    }

    /// The point of a standard.
    pub(crate) fn standard(&self, period: PeriodKey, org: OrgId) -> Option<Series> {
        let tag = Tag::text(&self.returns.standard(period).id)?;
        let point = self.returns.point(period, org);
        let mut values = [0; MAX_FIELDS];
        values[..point.len()].copy_from_slice(&point);
        Some(Series { key: SeriesKey::new(Measure::Standard, tag, None), values })
    }

    /// The points of `escalation` of an organisation at m: on each scale from its first declaration on.
    pub(crate) fn escalation(&self, org: OrgId, m: Minute) -> impl Iterator<Item = Series> + '_ {
        self.declarations.begun(org).filter(move |(_, begun)| *begun <= m).filter_map(move |(scale, _)| {
            let tag = Tag::text(self.standards.scales.get(usize::from(scale))?)?;
            let mut values = [0; MAX_FIELDS];
            values[0] = i64::from(self.declarations.declared(org, scale, m));
            Some(Series { key: SeriesKey::new(Measure::Escalation, tag, None), values })
        })
    }
}

/// Points of `standard` that wait to be written, by stamp, organisation and position of the standard.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    points: BTreeSet<(Minute, OrgId, u16)>,
    /// How often this epoch wrote the standards of an org-minute.
    writings: HashMap<(Minute, OrgId), u32>,
}

impl Waiting {
    /// How many there are up to a minute; a period that has not ended has no point yet.
    pub(super) fn up_to(&self, newest: Minute) -> u64 {
        self.points.range(..=last(newest)).count() as u64
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for (stamp, org, standard) in &self.points {
            out.extend_from_slice(&stamp.0.to_le_bytes());
            out.extend_from_slice(&org.0.to_le_bytes());
            out.extend_from_slice(&standard.to_le_bytes());
        }
    }

    /// Puts back [`Waiting::encode`]; `false` if the bytes are none.
    pub(super) fn restore(&mut self, bytes: &[u8]) -> bool {
        self.points = bytes
            .chunks_exact(8)
            .map(|chunk| {
                let [a, b, c, d, o0, o1, s0, s1] = chunk.try_into().expect("chunks of eight");
                let stamp = Minute(u32::from_le_bytes([a, b, c, d]));
                (stamp, OrgId(u16::from_le_bytes([o0, o1])), u16::from_le_bytes([s0, s1]))
            })
            .collect();
        bytes.len().is_multiple_of(8)
    }
}

/// The greatest point of a minute.
fn last(minute: Minute) -> (Minute, OrgId, u16) {
    (minute, OrgId(u16::MAX), u16::MAX)
}

impl Engine {
    /// A statement made something stand: what that touches of returns and declarations is marked.
    pub(super) fn told(&mut self, statement: &Statement<'_>) {
        let Some((key, _)) = OtherKey::of(statement, &self.settings.orgs) else { return };
        let Some(record) = self.ledger.others.get(&key) else { return };
        match self.periodic.take(&key, record) {
            Touched::Period(period, org) => {
                let stamp = self.periodic.returns.stamp(period);
                for above in self.periodic.returns.touched(org) {
                    self.waiting.points.insert((stamp, *above, period.standard));
                }
            }
            Touched::Declared(org, from, until) => self.mark_declared(org, from, until),
            Touched::Nothing => {}
        }
    }

    fn mark_declared(&mut self, org: OrgId, from: Minute, until: Minute) {
        // Before it is live, every minute is new anyhow.
        let Some(newest) = self.live.as_ref().map(|live| live.sweep.at()) else { return };
        let Some(slot) = self.figures.slots.of(Measure::Escalation, 0) else { return };
        let from = from.max(newest.minus(self.settings.horizon_minutes));
        self.dirty.mark(&[org], slot, from, until.min(newest.plus(1)), 1);
    }

    /// A predecessor published this point of a standard: it is written again.
    pub(super) fn standard_published(&mut self, org: OrgId, series: &Series, stamp: Minute) {
        let period =
            series.key.tags().next().and_then(|(_, id)| self.periodic.returns.period_stamped(id, stamp));
        if let Some(period) = period {
            self.waiting.points.insert((stamp, org, period.standard));
        }
    }

    /// Hands org-minutes of standards that wait to `each`, the newest first, until `budget` of them are written.
    pub(super) fn publish_standards(
        &mut self,
        live: &Live,
        budget: u64,
        each: &mut impl FnMut(OrgMinute),
    ) -> u64 {
        let mut written = 0;
        while written < budget {
            let waiting = self.waiting.points.range(..=last(live.sweep.at())).last();
            let Some((stamp, org, _)) = waiting.copied() else { break };
            let mut series = Vec::new();
            let of_org = (stamp, org, 0)..=(stamp, org, u16::MAX);
            for point in self.waiting.points.range(of_org).copied().collect::<Vec<_>>() {
                self.waiting.points.remove(&point);
                let Some(standard) = self.settings.standards.standards.get(usize::from(point.2)) else {
                    continue;
                };
                let period = self.periodic.returns.period_stamped(&standard.id, stamp);
                series.extend(period.and_then(|period| self.periodic.standard(period, org)));
            }
            let n = self.waiting.writings.entry((stamp, org)).or_default();
            *n += 1;
            let organisation = self.settings.orgs.get(org);
            each(OrgMinute {
                level: organisation.level,
                org: organisation.code.clone(),
                minute: stamp,
                revision: Revision { epoch: self.epoch, n: *n },
                freshness: live.freshness[org.index()],
                // A standard moves no alert, and its minute is never the newest.
                restated: true,
                series,
            });
            written += 1;
        }
        written
    }

    /// The returns that are overdue on the local day of the newest closed minute.
    pub fn overdue(&self) -> Vec<Overdue> {
        let newest = self.live.as_ref().map(|live| live.sweep.at());
        newest.map_or_else(Vec::new, |newest| self.periodic.returns.overdue(self.figures.days.date(newest)))
    }

    /// The first minute at which anything at a minute can be other than zero.
    pub(super) fn first(figures: &Figures, declarations: &Declarations) -> Minute {
        declarations.first().map_or(figures.since.first(), |first| first.min(figures.since.first()))
    }
}
