//! What the entities add up to: for each site the observations and spans, by minute. It changes only by taking the old
//! contribution of an entity away and adding the new one (a correction is no special case), and it says which points
//! that touches. The windows themselves are made by a [`crate::sweep::Sweep`].

mod since;
mod slots;
mod spans;
mod touched;

pub(crate) use self::slots::ordinal;
pub use self::slots::{Slots, WINDOWS_MAX};
pub(crate) use self::spans::{Span, Spans};

use std::sync::Arc;

use self::since::Since;
use self::touched::{changed_stay, changed_wait};
use crate::area::{AreaStay, changed_areas};
use crate::attendance::{self, Admission, Arrival, Closing, Stay, Treatment};
use crate::bed::{BedStates, Beds};
use crate::dirty::Dirty;
use crate::ids::OrgId;
use crate::journey::{self, Handover, Response, Wait};
use crate::ledger::{Entity, Ledger};
use crate::measures::{Measure, Tag, Window};
use crate::organisations::Organisations;
use crate::sweep::{Covering, Observed, Sweep};
use crate::time::{LondonDays, Minute, Second};
use crate::timeline::{Timed, Timeline};

macro_rules! timed {
    ($($name:ident),+) => {
        $(impl Timed for $name {
            fn at(&self) -> Minute {
                self.minute
            }
        })+
    };
}

timed!(Arrival, Closing, Treatment, Admission, Handover, Response);

/// What one site or one ambulance service adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaf {
    pub(crate) arrivals: Timeline<Arrival>,
    pub(crate) closings: Timeline<Closing>,
    pub(crate) treatments: Timeline<Treatment>,
    pub(crate) admissions: Timeline<Admission>,
    pub(crate) handovers: Timeline<Handover>,
    pub(crate) responses: Timeline<Response>,
    pub(crate) stays: Spans<Stay>,
    pub(crate) areas: Spans<AreaStay>,
    pub(crate) waits: Spans<Wait>,
    pub(crate) beds: BedStates,
}

/// Everything that is added up, by site.
#[derive(Debug)]
pub struct Figures {
    pub(crate) orgs: Arc<Organisations>,
    pub(crate) days: Arc<LondonDays>,
    pub(crate) slots: Slots,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) since: Since,
    /// The measures that are kept; what the others need is not.
    wanted: u32,
    /// Held for the next attendance, so that none allocates.
    scratch: Vec<AreaStay>,
}

/// Where the points that a change touches are marked: between the floor (older minutes are final) and the newest closed
/// minute, both included; what comes later is made anew anyhow.
pub(crate) struct Marks<'a> {
    pub(crate) dirty: &'a mut Dirty,
    pub(crate) floor: Minute,
    pub(crate) newest: Minute,
}

/// Series of these tags are other than zero at these organisations at that minute.
fn seen_at(
    (orgs, since): (&Organisations, &mut Since),
    places: &[OrgId],
    (measure, tags): (Measure, &[Tag]),
    minute: Minute,
) {
    for org in places {
        for tag in tags {
            if let Some(ordinal) = ordinal(orgs, *org, measure, *tag) {
                since.seen(*org, measure, ordinal, minute);
            }
        }
    }
}

/// The live sweep, which a change is carried into, and where it is marked.
pub(crate) type Live<'a, 'm> = Option<(&'a mut Sweep, &'a mut Marks<'m>)>;

fn bit(measure: Measure) -> u32 {
    1 << measure as u32
}

impl Figures {
    /// Nothing yet; of every measure that the sweep makes.
    pub fn new(orgs: Arc<Organisations>, days: Arc<LondonDays>, windows: &[Window]) -> Figures {
        Figures {
            leaves: vec![Leaf::default(); orgs.len()],
            since: Since::new(&orgs),
            slots: Slots::new(windows),
            wanted: u32::MAX,
            scratch: Vec::new(),
            orgs,
            days,
        }
    }

    /// The same, but of these measures only.
    pub(crate) fn only(self, measures: &[Measure]) -> Figures {
        Figures { wanted: measures.iter().fold(0, |bits, measure| bits | bit(*measure)), ..self }
    }

    fn wants(&self, measure: Measure) -> bool {
        self.wanted & bit(measure) != 0
    }

    /// The first minute at which the series can be other than zero there.
    pub(crate) fn since(&self, org: OrgId, measure: Measure, tag: Tag) -> Minute {
        self.since.of(&self.orgs, org, measure, tag)
    }

    /// The series is published there at that minute: from then on its zeros are written. `false` if it is none of ours.
    pub(crate) fn seen(&mut self, org: OrgId, measure: Measure, tag: Tag, minute: Minute) -> bool {
        match ordinal(&self.orgs, org, measure, tag) {
            Some(ordinal) if measure.exists_at(self.orgs.get(org).level) => {
                self.since.seen(org, measure, ordinal, minute);
                true
            }
            Some(_) | None => false,
        }
    }

    /// An entity of the ledger that was never entered before.
    pub(crate) fn enter(&mut self, ledger: &Ledger, entity: Entity) {
        match entity {
            Entity::Attendance(index) => {
                let Some(new) = ledger.attendance(index) else { return };
                self.attendance(None, Some(new), &mut None);
                if self.wants(Measure::AeArea) {
                    let mut areas = std::mem::take(&mut self.scratch);
                    areas.clear();
                    ledger.area_stays(index, &new.stay, &mut areas);
                    self.areas(new.site, &[], &areas, &mut None);
                    self.scratch = areas;
                }
            }
            Entity::Journey(index) => self.journey(None, ledger.journey(index), &mut None),
            Entity::Beds(site, as_of) => self.beds(site, as_of, ledger.beds(site, as_of), &mut None),
        }
    }

    /// An attendance changed from `old` to `new`.
    pub(crate) fn attendance(
        &mut self,
        old: Option<attendance::Contribution>,
        new: Option<attendance::Contribution>,
        live: &mut Live<'_, '_>,
    ) {
        if old == new {
            return;
        }
        let Some(site) = new.or(old).map(|one| one.site) else {
            return;
        };
        let stay = |one: Option<attendance::Contribution>| one.map(|one| one.stay);
        self.observation(site, old.map(|one| one.arrival), new.map(|one| one.arrival), live);
        self.observation(site, old.and_then(|one| one.closing), new.and_then(|one| one.closing), live);
        self.observation(site, old.and_then(|one| one.treatment), new.and_then(|one| one.treatment), live);
        self.observation(site, old.and_then(|one| one.admission), new.and_then(|one| one.admission), live);
        if stay(old) != stay(new) {
            let touched = if live.is_some() { changed_stay(stay(old), stay(new)) } else { Vec::new() };
            self.span(site, stay(old), stay(new), &touched, live);
        }
    }

    /// The times in areas of an attendance changed from `old` to `new`.
    pub(crate) fn areas(&mut self, site: OrgId, old: &[AreaStay], new: &[AreaStay], live: &mut Live<'_, '_>) {
        changed_areas(old, new, &mut |gone, come, touched| self.span(site, gone, come, &[touched], live));
    }

    /// A journey changed from `old` to `new`.
    pub(crate) fn journey(
        &mut self,
        old: Option<journey::Contribution>,
        new: Option<journey::Contribution>,
        live: &mut Live<'_, '_>,
    ) {
        if old == new {
            return;
        }
        let Some(service) = new.or(old).map(|one| one.service) else {
            return;
        };
        let handover = |one: Option<journey::Contribution>| one.and_then(|one| one.handover);
        let response = |one: Option<journey::Contribution>| one.and_then(|one| one.response);
        self.observation(service, handover(old), handover(new), live);
        self.observation(service, response(old), response(new), live);
        let at = |one: Option<journey::Contribution>| one.and_then(|one| one.destination);
        // A changed destination moves the journey: the old site forgets it.
        let moves = if at(old) == at(new) {
            [(at(new), old, new), (None, None, None)]
        } else {
            [(at(old), old, None), (at(new), None, new)]
        };
        for (site, old, new) in moves {
            let Some(site) = site else { continue };
            self.observation(site, handover(old), handover(new), live);
            let (gone, come) = (old.and_then(|one| one.wait), new.and_then(|one| one.wait));
            if gone != come {
                self.span(site, gone, come, &changed_wait(gone, come), live);
            }
        }
    }

    /// The bed state of a site as of an instant is now this, or none.
    pub(crate) fn beds(&mut self, site: OrgId, as_of: Second, new: Option<Beds>, live: &mut Live<'_, '_>) {
        if !self.wants(Measure::BedState) || self.leaves[site.index()].beds.get(as_of) == new {
            return;
        }
        let states = &mut self.leaves[site.index()].beds;
        states.set(as_of, new);
        let (from, until) = states.holds(as_of);
        let places = self.orgs.adds_to(site);
        if new.is_some() {
            let series = (Measure::BedState, &[Tag::None][..]);
            seen_at((&self.orgs, &mut self.since), places, series, from);
        }
        let Some((sweep, marks)) = live else { return };
        sweep.set_beds(site, states.at(sweep.at()));
        let Some(slot) = self.slots.of(Measure::BedState, 0) else { return };
        let (from, until) = (from.max(marks.floor), until.min(marks.newest.plus(1)));
        marks.dirty.mark(places, slot, from, until, 1);
    }

    /// Replaces an observation of a windowed measure.
    fn observation<T: Observed>(
        &mut self,
        leaf: OrgId,
        old: Option<T>,
        new: Option<T>,
        live: &mut Live<'_, '_>,
    ) {
        let measure = T::MEASURE;
        if old == new || !self.wants(measure) {
            return;
        }
        if let Some(old) = old {
            T::timeline(&mut self.leaves[leaf.index()]).remove(old);
        }
        let places = T::places(&self.orgs, leaf);
        if let Some(new) = new {
            T::timeline(&mut self.leaves[leaf.index()]).add(new);
            let series = (measure, new.tags());
            seen_at((&self.orgs, &mut self.since), places, series, new.at().plus(1));
        }
        let Some((sweep, marks)) = live else { return };
        for (observation, sign) in [(old, -1), (new, 1)] {
            let Some(observation) = observation else { continue };
            sweep.observe(leaf, &observation, sign);
            let minute = observation.at();
            for (position, window) in self.slots.windows().iter().enumerate() {
                let from = minute.plus(1).max(marks.floor);
                let until = window.last_covering(minute, &self.days).min(marks.newest).plus(1);
                let Some(slot) = self.slots.of(measure, position) else { return };
                marks.dirty.mark(places, slot, from, until, window.step());
            }
        }
    }

    /// Replaces a span of a measure at a minute; `touched` are the minutes at which that makes a difference.
    fn span<T: Covering>(
        &mut self,
        leaf: OrgId,
        old: Option<T>,
        new: Option<T>,
        touched: &[(Minute, Minute)],
        live: &mut Live<'_, '_>,
    ) {
        let measure = T::MEASURE;
        if !self.wants(measure) {
            return;
        }
        if let Some(old) = old {
            T::spans(&mut self.leaves[leaf.index()]).remove(old);
        }
        let places = T::places(&self.orgs, leaf);
        if let Some(new) = new {
            T::spans(&mut self.leaves[leaf.index()]).add(new);
            new.seen(&self.orgs, leaf, &mut |tags| {
                seen_at((&self.orgs, &mut self.since), places, (measure, tags), new.begin());
            });
        }
        let Some((sweep, marks)) = live else { return };
        sweep.cover(leaf, old, new);
        let Some(slot) = self.slots.of(measure, 0) else { return };
        for (from, until) in touched {
            let (from, until) = ((*from).max(marks.floor), (*until).min(marks.newest.plus(1)));
            marks.dirty.mark(places, slot, from, until, 1);
        }
    }

    /// Forgets what is before the hour of `minute`.
    pub(crate) fn trim(&mut self, minute: Minute) {
        for leaf in &mut self.leaves {
            leaf.arrivals.trim(minute);
            leaf.closings.trim(minute);
            leaf.treatments.trim(minute);
            leaf.admissions.trim(minute);
            leaf.handovers.trim(minute);
            leaf.responses.trim(minute);
            leaf.stays.trim(minute);
            leaf.areas.trim(minute);
            leaf.waits.trim(minute);
            leaf.beds.trim(minute);
        }
    }
}
