//! A sweep moves over the minutes and holds what every window and every department is at the minute where it stands.
//! The live figures are a sweep that stands at the newest closed minute; a restatement is a short sweep over a few
//! organisations; a replay is a sweep over everything. One mechanism, so that they cannot differ.

mod levels;
mod observed;

use std::sync::Arc;

pub(crate) use self::levels::Covering;
pub(crate) use self::observed::Observed;

use self::levels::{LONGEST_IN_DEPARTMENT, LONGEST_IN_QUEUE, add_levels, areas, department, queue};
use crate::area::AreaStay;
use crate::attendance::{Admission, Arrival, Closing, Stay, Treatment};
use crate::bed::Beds;
use crate::event::Category;
use crate::figures::{Figures, Leaf, Span};
use crate::ids::OrgId;
use crate::journey::{Handover, Response, Wait};
use crate::measures::{MAX_FIELDS, Measure, SeriesKey, Tag, TypeTag, Values, Window};
use crate::organisations::Organisations;
use crate::percentile::{Bag, Minutes};
use crate::time::Minute;

/// What a sweep looks at.
#[derive(Clone, Debug)]
pub struct Scope {
    /// For each organisation whether its figures are wanted.
    pub orgs: Vec<bool>,
    /// The measures that are wanted.
    pub measures: Vec<Measure>,
    /// The windows that are wanted.
    pub windows: Vec<Window>,
}

impl Scope {
    fn has(&self, measure: Measure) -> bool {
        self.measures.contains(&measure)
    }
}

/// Sums over a window of `ae_four_hour`: by type (1, 2, 3, all), the fields of the measure.
type FourHour = [[i64; 4]; 4];
/// Sums over a window of `ae_arrivals`: by type (1, 2, 3, 5, all).
type Arrivals = [[i64; 3]; 5];

/// Sums over a window of `ae_admission`: by type (1, 2, 3, all), the fields of the measure.
type Admissions = [[i64; 3]; 4];

/// Sums over a window, and the delays that percentiles are taken of.
#[derive(Clone, Debug)]
struct Delays<const N: usize> {
    sums: [i64; N],
    delays: Bag,
}

impl<const N: usize> Default for Delays<N> {
    fn default() -> Self {
        Delays { sums: [0; N], delays: Bag::default() }
    }
}

/// `amb_handover`: completed, over 15, 30, 45, 60 min, total, lost beyond 15 and 30 min.
type Handovers = Delays<8>;
/// `amb_response`: responses, total.
type Responses = Delays<2>;

/// Bed states added up, field by field: the sum, and how many states stated it.
#[derive(Clone, Copy, Debug, Default)]
struct BedSum {
    states: u32,
    sums: [i64; 4],
    stated: [u32; 4],
}

impl BedSum {
    fn add(&mut self, beds: &Beds) {
        self.states += 1;
        for ((sum, stated), field) in self.sums.iter_mut().zip(&mut self.stated).zip(beds) {
            *sum += i64::from(field.unwrap_or(0));
            *stated += u32::from(field.is_some());
        }
    }
}

const ALL_OF_FOUR: usize = 3;
const ALL_OF_FIVE: usize = 4;

/// The figures of a scope at one minute.
#[derive(Debug)]
pub struct Sweep {
    at: Minute,
    scope: Scope,
    /// For each window its first minute at `at`.
    starts: Vec<Minute>,
    /// For each organisation its position among those wanted.
    position: Vec<Option<u16>>,
    /// For each leaf the positions of the wanted organisations that it adds to.
    paths: Vec<Vec<u16>>,
    /// For each service the positions of the wanted organisations where its responses count.
    response_paths: Vec<Vec<u16>>,
    four_hour: Vec<FourHour>,
    arrivals: Vec<Arrivals>,
    /// By type (1, 2, 3, all).
    treatments: Vec<[Minutes; 4]>,
    admissions: Vec<Admissions>,
    handovers: Vec<Handovers>,
    /// By category.
    responses: Vec<[Responses; 5]>,
    stays: Vec<Vec<Stay>>,
    area_stays: Vec<Vec<AreaStay>>,
    waits: Vec<Vec<Wait>>,
    /// For each leaf the bed state that holds.
    beds: Vec<Option<Beds>>,
    /// By organisation and type (1, 2, 3, 5, all).
    department: Vec<[[i64; MAX_FIELDS]; 5]>,
    queue: Vec<[i64; MAX_FIELDS]>,
    /// For each leaf how many are in each of its areas, those in another last; empty: not looked at.
    areas: Vec<Vec<i64>>,
    orgs: Arc<Organisations>,
    bed_sums: Vec<BedSum>,
    /// Whether these four are those of the stays, waits and bed states.
    levels_current: bool,
    /// Whether the windows are being filled for the first time: delays are sorted once, at the end.
    filling: bool,
}

impl Sweep {
    /// A sweep that stands at `at`.
    pub fn new(figures: &Figures, scope: Scope, at: Minute) -> Sweep {
        let orgs: &Organisations = &figures.orgs;
        let mut position = vec![None; orgs.len()];
        let mut wanted = 0u16;
        for (org, _) in orgs.iter().filter(|(org, _)| scope.orgs[org.index()]) {
            position[org.index()] = Some(wanted);
            wanted += 1;
        }
        let positions = |places: fn(&Organisations, OrgId) -> &[OrgId]| {
            let wanted =
                |(leaf, _)| places(orgs, leaf).iter().filter_map(|org| position[org.index()]).collect();
            orgs.iter().map(wanted).collect::<Vec<Vec<u16>>>()
        };
        let has_areas = |leaf: OrgId| {
            scope.has(Measure::AeArea)
                && position[leaf.index()].is_some()
                && Measure::AeArea.exists_at(orgs.get(leaf).level)
        };
        let areas = |leaf| if has_areas(leaf) { vec![0; orgs.areas(leaf).len() + 1] } else { Vec::new() };
        let cells = usize::from(wanted) * scope.windows.len();
        let sized = |measure, size| if scope.has(measure) { size } else { 0 };
        let mut sweep = Sweep {
            at,
            starts: scope.windows.iter().map(|window| window.start(at, &figures.days)).collect(),
            four_hour: vec![Default::default(); sized(Measure::AeFourHour, cells)],
            arrivals: vec![Default::default(); sized(Measure::AeArrivals, cells)],
            treatments: vec![Default::default(); sized(Measure::AeTreatment, cells)],
            admissions: vec![Default::default(); sized(Measure::AeAdmission, cells)],
            handovers: vec![Default::default(); sized(Measure::AmbHandover, cells)],
            responses: vec![Default::default(); sized(Measure::AmbResponse, cells)],
            stays: vec![Vec::new(); orgs.len()],
            area_stays: vec![Vec::new(); orgs.len()],
            waits: vec![Vec::new(); orgs.len()],
            beds: vec![None; orgs.len()],
            areas: orgs.iter().map(|(leaf, _)| areas(leaf)).collect(),
            bed_sums: vec![BedSum::default(); sized(Measure::BedState, usize::from(wanted))],
            department: vec![Default::default(); sized(Measure::AeDepartment, usize::from(wanted))],
            queue: vec![Default::default(); sized(Measure::AmbQueue, usize::from(wanted))],
            levels_current: false,
            filling: true,
            paths: positions(Organisations::adds_to),
            response_paths: positions(Organisations::responses_to),
            position,
            orgs: figures.orgs.clone(),
            scope,
        };
        sweep.fill(figures);
        sweep
    }

    /// The minute at which it stands.
    pub fn at(&self) -> Minute {
        self.at
    }

    fn fill(&mut self, figures: &Figures) {
        let earliest = self.starts.iter().copied().min().unwrap_or(self.at);
        for (index, leaf) in figures.leaves.iter().enumerate() {
            self.fill_windows::<Closing>(index, leaf, earliest);
            self.fill_windows::<Arrival>(index, leaf, earliest);
            self.fill_windows::<Treatment>(index, leaf, earliest);
            self.fill_windows::<Admission>(index, leaf, earliest);
            self.fill_windows::<Handover>(index, leaf, earliest);
            self.fill_windows::<Response>(index, leaf, earliest);
            if self.looks_at(index, Measure::AeDepartment) {
                self.stays[index] = leaf.stays.covering(self.at).collect();
            }
            if !self.areas[index].is_empty() {
                self.area_stays[index] = leaf.areas.covering(self.at).collect();
            }
            if self.looks_at(index, Measure::AmbQueue) {
                self.waits[index] = leaf.waits.covering(self.at).collect();
            }
            if self.looks_at(index, Measure::BedState) {
                self.beds[index] = leaf.beds.at(self.at);
            }
        }
        self.handovers.iter_mut().for_each(|one| one.delays.settle());
        self.responses.iter_mut().flatten().for_each(|one| one.delays.settle());
        self.filling = false;
    }

    /// Whether what happens at a leaf counts for anybody wanted.
    fn looks_at(&self, leaf: usize, measure: Measure) -> bool {
        !self.paths[leaf].is_empty() && self.scope.has(measure)
    }

    fn fill_windows<T: Observed>(&mut self, leaf_index: usize, leaf: &Leaf, earliest: Minute) {
        if !self.scope.has(T::MEASURE) || T::positions(self, leaf_index).is_empty() {
            return;
        }
        for observation in T::line(leaf).within(earliest, self.at) {
            self.fold_covering(leaf_index, observation, 1);
        }
    }

    /// Adds an observation to every window that covers it now.
    fn fold_covering<T: Observed>(&mut self, leaf: usize, observation: &T, sign: i64) {
        for window in 0..self.starts.len() {
            if observation.at() >= self.starts[window] {
                self.fold(leaf, window, observation, sign);
            }
        }
    }

    fn fold<T: Observed>(&mut self, leaf: usize, window: usize, observation: &T, sign: i64) {
        let windows = self.starts.len();
        for step in 0..T::positions(self, leaf).len() {
            let cell = usize::from(T::positions(self, leaf)[step]) * windows + window;
            observation.fold(self, cell, sign);
        }
    }

    /// An observation came (`sign` 1) or went (−1) in the past of this sweep.
    pub(crate) fn observe<T: Observed>(&mut self, leaf: OrgId, observation: &T, sign: i64) {
        if observation.at() < self.at && self.scope.has(T::MEASURE) {
            self.fold_covering(leaf.index(), observation, sign);
        }
    }

    /// A span was replaced.
    pub(crate) fn cover<T: Covering>(&mut self, leaf: OrgId, old: Option<T>, new: Option<T>) {
        if !self.scope.has(T::MEASURE) {
            return;
        }
        let at = self.at;
        let covers = |span: &T| span.begin() <= at && at < span.end();
        let active = T::active(self, leaf);
        if let Some(old) = old.filter(covers)
            && let Some(index) = active.iter().position(|one| *one == old)
        {
            active.swap_remove(index);
        }
        if let Some(new) = new.filter(covers) {
            active.push(new);
        }
        self.levels_current = false;
    }

    /// The bed state of a site that holds where it stands was replaced.
    pub(crate) fn set_beds(&mut self, leaf: OrgId, beds: Option<Beds>) {
        self.beds[leaf.index()] = beds;
        self.levels_current = false;
    }

    /// Moves on to `m`, which is not before where it stands.
    pub fn advance(&mut self, figures: &Figures, m: Minute) {
        if m <= self.at {
            return;
        }
        let starts: Vec<Minute> = self.scope.windows.iter().map(|one| one.start(m, &figures.days)).collect();
        for (index, leaf) in figures.leaves.iter().enumerate() {
            self.slide::<Closing>(index, leaf, &starts, m);
            self.slide::<Arrival>(index, leaf, &starts, m);
            self.slide::<Treatment>(index, leaf, &starts, m);
            self.slide::<Admission>(index, leaf, &starts, m);
            self.slide::<Handover>(index, leaf, &starts, m);
            self.slide::<Response>(index, leaf, &starts, m);
            let (from, until) = (self.at.plus(1), m.plus(1));
            if self.looks_at(index, Measure::AeDepartment) {
                let active = &mut self.stays[index];
                active.extend(leaf.stays.beginning(from, until));
                active.retain(|stay| stay.end() > m);
            }
            if !self.areas[index].is_empty() {
                let active = &mut self.area_stays[index];
                active.extend(leaf.areas.beginning(from, until));
                active.retain(|stay| stay.end() > m);
            }
            if self.looks_at(index, Measure::AmbQueue) {
                let active = &mut self.waits[index];
                active.extend(leaf.waits.beginning(from, until));
                active.retain(|wait| wait.end() > m);
            }
            if self.looks_at(index, Measure::BedState) {
                self.beds[index] = leaf.beds.at(m);
            }
        }
        self.starts = starts;
        self.at = m;
        self.levels_current = false;
    }

    /// Moves the windows of a leaf: what is covered at `m` and was not comes in, what was covered and is not goes.
    fn slide<T: Observed>(&mut self, leaf_index: usize, leaf: &Leaf, starts: &[Minute], m: Minute) {
        if !self.scope.has(T::MEASURE) || T::positions(self, leaf_index).is_empty() {
            return;
        }
        let line = T::line(leaf);
        for (window, start) in starts.iter().enumerate() {
            let old_start = self.starts[window];
            let gone = line.within(old_start, (*start).min(self.at)).map(|one| (one, -1));
            let come = line.within(self.at.max(*start), m).map(|one| (one, 1));
            for (observation, sign) in gone.chain(come) {
                self.fold(leaf_index, window, observation, sign);
            }
        }
    }

    /// Counts who is in the departments, areas and queues, and the beds, where the sweep stands.
    pub(crate) fn count_levels(&mut self) {
        if self.levels_current {
            return;
        }
        self.levels_current = true;
        self.department.fill(Default::default());
        self.queue.fill(Default::default());
        self.bed_sums.fill(BedSum::default());
        for leaf in 0..self.paths.len() {
            if !self.areas[leaf].is_empty() {
                self.areas[leaf].fill(0);
                areas(&self.area_stays[leaf], &mut self.areas[leaf]);
            }
            if !self.stays[leaf].is_empty() {
                let by_type = department(&self.stays[leaf], self.at);
                for org in &self.paths[leaf] {
                    for (sum, own) in self.department[usize::from(*org)].iter_mut().zip(&by_type) {
                        add_levels(sum, own, LONGEST_IN_DEPARTMENT);
                    }
                }
            }
            if !self.waits[leaf].is_empty() {
                let own = queue(&self.waits[leaf], self.at);
                for org in &self.paths[leaf] {
                    add_levels(&mut self.queue[usize::from(*org)], &own, LONGEST_IN_QUEUE);
                }
            }
            if let Some(beds) = &self.beds[leaf] {
                self.paths[leaf].iter().for_each(|org| self.bed_sums[usize::from(*org)].add(beds));
            }
        }
    }

    /// Whether every bed state that holds under an organisation stated each of the fields, and there is one: what a rate
    /// of them needs (spec 2.5). In the order of the fields of `bed_state`; `Sweep::count_levels` must have been called.
    pub fn beds_known(&self, org: OrgId) -> [bool; 4] {
        let sum = self.position[org.index()].and_then(|position| self.bed_sums.get(usize::from(position)));
        sum.map_or([false; 4], |sum| sum.stated.map(|stated| sum.states > 0 && stated == sum.states))
    }

    /// Where a window stands among those of the scope; the outer `None`: it is not looked at.
    pub(crate) fn window(&self, window: Option<Window>) -> Option<Option<usize>> {
        match window {
            None => Some(None),
            Some(window) => self.scope.windows.iter().position(|one| *one == window).map(Some),
        }
    }

    /// Hands each series of an organisation in these slots to `each`; `window` is a position in the scope's windows.
    /// [`Sweep::count_levels`] must have been called where it stands.
    pub(crate) fn series(
        &self,
        org: OrgId,
        measure: Measure,
        window: Option<usize>,
        each: &mut impl FnMut(SeriesKey, Values),
    ) {
        let Some(position) = self.position[org.index()].map(usize::from) else {
            return;
        };
        let tag = window.map(|window| self.scope.windows[window]);
        let cell = position * self.scope.windows.len() + window.unwrap_or(0);
        let mut give = |one: Tag, fields: &[i64]| {
            let mut values = [0; MAX_FIELDS];
            values[..fields.len()].copy_from_slice(fields);
            each(SeriesKey { measure, tag: one, window: tag }, values);
        };
        match measure {
            Measure::AeFourHour => {
                for (tag, fields) in TYPES_OF_FOUR.iter().zip(&self.four_hour[cell]) {
                    give(Tag::Type(*tag), fields);
                }
            }
            Measure::AeArrivals => {
                for (tag, fields) in TYPES_OF_FIVE.iter().zip(&self.arrivals[cell]) {
                    give(Tag::Type(*tag), fields);
                }
            }
            Measure::AeDepartment => {
                for (tag, fields) in TYPES_OF_FIVE.iter().zip(&self.department[position]) {
                    give(Tag::Type(*tag), fields);
                }
            }
            Measure::AmbHandover => {
                let handovers = &self.handovers[cell];
                let [completed, o15, o30, o45, o60, total, lost15, lost30] = handovers.sums;
                let p90 = i64::from(handovers.delays.p90());
                give(Tag::None, &[completed, o15, o30, o45, o60, total, p90, lost15, lost30]);
            }
            Measure::AmbQueue => give(Tag::None, &self.queue[position]),
            Measure::AeArea => {
                for (place, present) in self.areas[org.index()].iter().enumerate() {
                    let (tag, capacity) = self.orgs.area_tag(org, place);
                    give(tag, &[*present, capacity]);
                }
            }
            Measure::AeTreatment => {
                for (tag, bag) in TYPES_OF_FOUR.iter().zip(&self.treatments[cell]) {
                    give(Tag::Type(*tag), &[bag.len() as i64, bag.median_twice(), bag.p90()]);
                }
            }
            Measure::AeAdmission => {
                for (tag, fields) in TYPES_OF_FOUR.iter().zip(&self.admissions[cell]) {
                    give(Tag::Type(*tag), fields);
                }
            }
            Measure::AmbResponse => {
                for (category, responses) in Category::ALL.iter().zip(&self.responses[cell]) {
                    let [count, total] = responses.sums;
                    give(Tag::Category(*category), &[count, total, i64::from(responses.delays.p90())]);
                }
            }
            Measure::BedState => give(Tag::None, &self.bed_sums[position].sums),
            Measure::Standard
            | Measure::Escalation
            | Measure::Opel
            | Measure::OpelParameter
            | Measure::FirstKnown
            | Measure::Feed => {}
        }
    }
}

const TYPES_OF_FOUR: [TypeTag; 4] = [TypeTag::One, TypeTag::Two, TypeTag::Three, TypeTag::All];
const TYPES_OF_FIVE: [TypeTag; 5] = [TypeTag::One, TypeTag::Two, TypeTag::Three, TypeTag::Five, TypeTag::All];

/// What the scope of everything is.
pub(crate) fn everything(figures: &Figures) -> Scope {
    Scope {
        orgs: vec![true; figures.orgs.len()],
        measures: Measure::swept().collect(),
        windows: figures.slots.windows().to_vec(),
    }
}
