//! The same ledger and figures over a file: every event is taken, then the points are made in one sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::admission::admit;
use crate::engine::Settings;
use crate::engine::periodic::Periodic;
use crate::event::{Event, Outcome};
use crate::figures::Figures;
use crate::ids::OrgId;
use crate::ledger::Ledger;
use crate::measures::{Measure, Series};
use crate::returns::PeriodKey;
use crate::sweep::{Scope, Sweep};
use crate::time::{LondonDays, Minute, Second};

/// A replay: every event is taken into the ledger, then the points of a range of minutes are made in one sweep.
#[derive(Debug)]
pub struct Replay {
    settings: Settings,
    ledger: Ledger,
}

impl Replay {
    /// Nothing read yet.
    pub fn new(settings: Settings) -> Replay {
        let ledger = Ledger::new(settings.orgs.clone(), settings.exclude_disposals.clone());
        Replay { settings, ledger }
    }

    /// The measures that a replay makes. The others are the live engine's: a level by a framework and what was first
    /// known depend on when something became known (spec 2.6).
    pub fn measures() -> impl Iterator<Item = Measure> {
        Measure::swept().chain([Measure::Standard, Measure::Escalation])
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes an event of a file, which has no log time, so that nothing is too late.
    pub fn take(&mut self, event: &Event<'_>) -> (Outcome, &'static str) {
        if let Err(refusal) = admit(event, &self.settings.orgs, &self.settings.standards) {
            return refusal;
        }
        if !self.ledger.can_hear(&event.source) {
            return (Outcome::Malformed, "source: 65,000 sources are known, and no more can be");
        }
        let news = self.ledger.apply(event, &mut crate::ledger::Unwatched);
        (if news { Outcome::Accepted } else { Outcome::Duplicate }, "")
    }

    /// Told of some dozens of events before they are taken, it has what it holds of them at hand: they are then taken
    /// sooner. It changes nothing.
    pub fn expect<'a>(&self, events: impl Iterator<Item = &'a Event<'a>>) {
        self.ledger.fetch(events);
    }

    /// Hands every point at the multiples of `step` minutes in [from, until] to `each`, minute by minute; a series from
    /// its first minute that is not all zeros. Only organisations and measures of the scope. `minute_done` is told each
    /// minute that is complete.
    pub fn points(
        &self,
        scope: Scope,
        from: Second,
        until: Second,
        step: u32,
        each: &mut impl FnMut(OrgId, Minute, &Series),
        minute_done: &mut impl FnMut(Minute),
    ) {
        let days = Arc::new(LondonDays::new());
        let mut figures =
            Figures::new(self.settings.orgs.clone(), days, &scope.windows).only(&scope.measures);
        for entity in self.ledger.entities() {
            figures.enter(&self.ledger, entity);
        }
        let first = from.0.div_ceil(step * 60) * step;
        let orgs: Vec<OrgId> =
            self.settings.orgs.iter().map(|(org, _)| org).filter(|org| scope.orgs[org.index()]).collect();
        let measures = scope.measures.clone();
        let beside = Beside::new(self, &scope, figures.days.clone());
        let mut started = Started::new(self.settings.orgs.len());
        let mut sweep = Sweep::new(&figures, scope, Minute(first));
        let mut minute = Minute(first);
        while minute.start() <= until {
            sweep.advance(&figures, minute);
            sweep.count_levels();
            for org in &orgs {
                let level = self.settings.orgs.get(*org).level;
                for point in beside.points(*org, minute) {
                    each(*org, minute, &point);
                }
                for (slot, measure, window) in figures.slots.all() {
                    let due = minute.0.is_multiple_of(figures.slots.step(window))
                        && measure.exists_at(level)
                        && measures.contains(&measure);
                    if !due {
                        continue;
                    }
                    let started = started.of(*org, slot);
                    // Its series come in the same order each time.
                    let mut bit = 1u64;
                    sweep.series(*org, measure, window, &mut |key, values| {
                        // A capacity alone starts no series.
                        let fields = if measure == Measure::AeArea { &values[..1] } else { &values[..] };
                        if *started & bit != 0 || fields.iter().any(|value| *value != 0) {
                            *started |= bit;
                            each(*org, minute, &Series { key, values });
                        }
                        bit <<= 1;
                    });
                }
            }
            minute_done(minute);
            minute = minute.plus(step);
        }
    }
}

/// The points that no sweep makes: standards and declared levels.
struct Beside {
    periodic: Periodic,
    escalation: bool,
    /// The periods whose points are stamped with a minute, for each organisation that they touch.
    stamped: BTreeMap<(OrgId, Minute), BTreeSet<PeriodKey>>,
}

impl Beside {
    fn new(replay: &Replay, scope: &Scope, days: Arc<LondonDays>) -> Beside {
        let periodic = Periodic::of(&replay.settings, days, &replay.ledger);
        let mut stamped: BTreeMap<(OrgId, Minute), BTreeSet<PeriodKey>> = BTreeMap::new();
        if scope.measures.contains(&Measure::Standard) {
            for (period, orgs) in periodic.returns.periods() {
                let stamp = periodic.returns.stamp(period);
                for org in orgs.flat_map(|org| periodic.returns.touched(org)) {
                    stamped.entry((*org, stamp)).or_default().insert(period);
                }
            }
        }
        Beside { escalation: scope.measures.contains(&Measure::Escalation), periodic, stamped }
    }

    fn points(&self, org: OrgId, minute: Minute) -> Vec<Series> {
        let periods = self.stamped.get(&(org, minute)).into_iter().flatten();
        let mut points: Vec<Series> =
            periods.filter_map(|period| self.periodic.standard(*period, org)).collect();
        if self.escalation {
            points.extend(self.periodic.escalation(org, minute));
        }
        points
    }
}

/// Which series have begun: a bit for each tag of each slot of each organisation.
struct Started(Vec<u64>);

impl Started {
    fn new(orgs: usize) -> Started {
        Started(vec![0; orgs * 256])
    }

    fn of(&mut self, org: OrgId, slot: u8) -> &mut u64 {
        &mut self.0[org.index() * 256 + usize::from(slot)]
    }
}
