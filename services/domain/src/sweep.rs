//! A sweep moves over the minutes and holds what every window and every department is at the minute where it stands.
//! The live figures are a sweep that stands at the newest closed minute; a restatement is a short sweep over a few
//! organisations; a replay is a sweep over everything. One mechanism, so that they cannot differ.

use crate::attendance::{Arrival, Arrived, Closed, Closing, CountedType, FOUR_HOURS, Stay, TWELVE_HOURS};
use crate::figures::{Figures, Leaf, Span, published_at};
use crate::ids::OrgId;
use crate::journey::{DAY_SECONDS, Handover, Wait};
use crate::measures::{MAX_FIELDS, Measure, SeriesKey, Tag, TypeTag, Values, Window};
use crate::percentile::Bag;
use crate::time::Minute;
use crate::timeline::{Timed, Timeline};

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

/// Sums over a window of `amb_handover`.
#[derive(Clone, Debug, Default)]
struct Handovers {
    /// completed, over 15, 30, 45, 60 min, total, lost beyond 15 and 30 min.
    sums: [i64; 8],
    delays: Bag,
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
    /// For each leaf the positions of the wanted organisations that it adds to; empty: not looked at.
    paths: Vec<Vec<u16>>,
    four_hour: Vec<FourHour>,
    arrivals: Vec<Arrivals>,
    handovers: Vec<Handovers>,
    stays: Vec<Vec<Stay>>,
    waits: Vec<Vec<Wait>>,
    /// By organisation and type (1, 2, 3, 5, all).
    department: Vec<[[i64; MAX_FIELDS]; 5]>,
    queue: Vec<[i64; MAX_FIELDS]>,
    /// Whether `department` and `queue` are those of the stays and waits.
    levels_current: bool,
    /// Whether the windows are being filled for the first time: delays are sorted once, at the end.
    filling: bool,
}

/// An observation of a windowed measure.
pub(crate) trait Observed: Timed {
    fn timeline(leaf: &Leaf) -> &Timeline<Self>;
    /// Adds it (`sign` 1) to a window of an organisation or takes it away (−1).
    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64);
    fn measure() -> Measure;
    /// The type under which it counts, where the measure has types.
    fn department_type(&self) -> Option<CountedType>;
}

impl Observed for Closing {
    fn department_type(&self) -> Option<CountedType> {
        Some(self.department_type)
    }

    fn timeline(leaf: &Leaf) -> &Timeline<Closing> {
        &leaf.closings
    }

    fn measure() -> Measure {
        Measure::AeFourHour
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        // departed, within, over_12h, implausible
        let fields: [i64; 4] = match self.closed {
            Closed::Within => [1, 1, 0, 0],
            Closed::OverFour => [1, 0, 0, 0],
            Closed::OverTwelve => [1, 0, 1, 0],
            Closed::Implausible => [0, 0, 0, 1],
        };
        for by_type in [self.department_type as usize, ALL_OF_FOUR] {
            for (sum, field) in sweep.four_hour[cell][by_type].iter_mut().zip(fields) {
                *sum += sign * field;
            }
        }
    }
}

impl Observed for Arrival {
    fn department_type(&self) -> Option<CountedType> {
        Some(self.department_type)
    }

    fn timeline(leaf: &Leaf) -> &Timeline<Arrival> {
        &leaf.arrivals
    }

    fn measure() -> Measure {
        Measure::AeArrivals
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        // arrived, by_ambulance, planned
        let fields: [i64; 3] = match self.arrived {
            Arrived::Otherwise => [1, 0, 0],
            Arrived::ByAmbulance => [1, 1, 0],
            Arrived::Planned => [0, 0, 1],
        };
        let all = (self.department_type != CountedType::Five).then_some(ALL_OF_FIVE);
        for by_type in [Some(self.department_type as usize), all].into_iter().flatten() {
            for (sum, field) in sweep.arrivals[cell][by_type].iter_mut().zip(fields) {
                *sum += sign * field;
            }
        }
    }
}

impl Observed for Handover {
    fn department_type(&self) -> Option<CountedType> {
        None
    }

    fn timeline(leaf: &Leaf) -> &Timeline<Handover> {
        &leaf.handovers
    }

    fn measure() -> Measure {
        Measure::AmbHandover
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        let delay = i64::from(self.delay_seconds);
        let over = |minutes: i64| i64::from(delay > minutes * 60);
        let lost = |minutes: i64| (delay - minutes * 60).max(0);
        let fields = [1, over(15), over(30), over(45), over(60), delay, lost(15), lost(30)];
        let filling = sweep.filling;
        let handovers = &mut sweep.handovers[cell];
        for (sum, field) in handovers.sums.iter_mut().zip(fields) {
            *sum += sign * field;
        }
        if filling {
            handovers.delays.add_unsettled(self.delay_seconds);
        } else if sign > 0 {
            handovers.delays.add(self.delay_seconds);
        } else {
            handovers.delays.remove(self.delay_seconds);
        }
    }
}

/// A span of a measure at a minute.
pub(crate) trait Covering: Span {
    fn active(sweep: &mut Sweep, leaf: OrgId) -> &mut Vec<Self>;
    fn measure() -> Measure;
    /// The type under which it counts, where the measure has types.
    fn department_type(&self) -> Option<CountedType>;
}

impl Covering for Stay {
    fn department_type(&self) -> Option<CountedType> {
        Some(self.department_type)
    }

    fn active(sweep: &mut Sweep, leaf: OrgId) -> &mut Vec<Stay> {
        &mut sweep.stays[leaf.index()]
    }
    fn measure() -> Measure {
        Measure::AeDepartment
    }
}

impl Covering for Wait {
    fn department_type(&self) -> Option<CountedType> {
        None
    }

    fn active(sweep: &mut Sweep, leaf: OrgId) -> &mut Vec<Wait> {
        &mut sweep.waits[leaf.index()]
    }
    fn measure() -> Measure {
        Measure::AmbQueue
    }
}

impl Sweep {
    /// A sweep that stands at `at`.
    pub fn new(figures: &Figures, scope: Scope, at: Minute) -> Sweep {
        let orgs = &figures.orgs;
        let mut position = vec![None; orgs.len()];
        let mut wanted = 0u16;
        for (org, _) in orgs.iter().filter(|(org, _)| scope.orgs[org.index()]) {
            position[org.index()] = Some(wanted);
            wanted += 1;
        }
        let paths = orgs
            .iter()
            .map(|(leaf, _)| {
                published_at(orgs, leaf).iter().filter_map(|org| position[org.index()]).collect::<Vec<u16>>()
            })
            .zip(orgs.iter())
            .map(|(path, (_, org))| if org.level.is_leaf() { path } else { Vec::new() })
            .collect();
        let cells = usize::from(wanted) * scope.windows.len();
        let sized = |measure, size| if scope.has(measure) { size } else { 0 };
        let mut sweep = Sweep {
            at,
            starts: scope.windows.iter().map(|window| window.start(at, &figures.days)).collect(),
            four_hour: vec![Default::default(); sized(Measure::AeFourHour, cells)],
            arrivals: vec![Default::default(); sized(Measure::AeArrivals, cells)],
            handovers: vec![Default::default(); sized(Measure::AmbHandover, cells)],
            stays: vec![Vec::new(); orgs.len()],
            waits: vec![Vec::new(); orgs.len()],
            department: vec![Default::default(); sized(Measure::AeDepartment, usize::from(wanted))],
            queue: vec![Default::default(); sized(Measure::AmbQueue, usize::from(wanted))],
            levels_current: false,
            filling: true,
            position,
            paths,
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
        for index in 0..figures.leaves.len() {
            if self.paths[index].is_empty() {
                continue;
            }
            let leaf = &figures.leaves[index];
            self.fill_windows::<Closing>(index, leaf, earliest);
            self.fill_windows::<Arrival>(index, leaf, earliest);
            self.fill_windows::<Handover>(index, leaf, earliest);
            if self.scope.has(Measure::AeDepartment) {
                self.stays[index] = leaf.stays.covering(self.at).collect();
            }
            if self.scope.has(Measure::AmbQueue) {
                self.waits[index] = leaf.waits.covering(self.at).collect();
            }
        }
        for handovers in &mut self.handovers {
            handovers.delays.settle();
        }
        self.filling = false;
    }

    fn fill_windows<T: Observed>(&mut self, leaf_index: usize, leaf: &Leaf, earliest: Minute) {
        if !self.scope.has(T::measure()) {
            return;
        }
        for observation in T::timeline(leaf).within(earliest, self.at) {
            self.fold_covering(leaf_index, observation, 1);
        }
    }

    /// Adds an observation to every window that covers it now.
    fn fold_covering<T: Observed>(&mut self, leaf: usize, observation: &T, sign: i64) {
        let windows = self.scope.windows.len();
        for window in 0..windows {
            if observation.at() < self.starts[window] {
                continue;
            }
            for step in 0..self.paths[leaf].len() {
                let cell = usize::from(self.paths[leaf][step]) * windows + window;
                observation.fold(self, cell, sign);
            }
        }
    }

    /// An observation came (`sign` 1) or went (−1) in the past of this sweep.
    pub(crate) fn observe<T: Observed>(&mut self, leaf: OrgId, observation: &T, sign: i64) {
        if observation.at() < self.at && self.scope.has(T::measure()) {
            self.fold_covering(leaf.index(), observation, sign);
        }
    }

    /// A span was replaced.
    pub(crate) fn cover<T: Covering>(&mut self, leaf: OrgId, old: Option<T>, new: Option<T>) {
        if !self.scope.has(T::measure()) {
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

    /// Moves on to `m`, which is not before where it stands.
    pub fn advance(&mut self, figures: &Figures, m: Minute) {
        if m <= self.at {
            return;
        }
        let starts: Vec<Minute> = self.scope.windows.iter().map(|one| one.start(m, &figures.days)).collect();
        for index in 0..figures.leaves.len() {
            if self.paths[index].is_empty() {
                continue;
            }
            let leaf = &figures.leaves[index];
            self.slide::<Closing>(index, leaf, &starts, m);
            self.slide::<Arrival>(index, leaf, &starts, m);
            self.slide::<Handover>(index, leaf, &starts, m);
            if self.scope.has(Measure::AeDepartment) {
                let active = &mut self.stays[index];
                active.extend(leaf.stays.beginning(self.at.plus(1), m.plus(1)));
                active.retain(|stay| stay.end() > m);
            }
            if self.scope.has(Measure::AmbQueue) {
                let active = &mut self.waits[index];
                active.extend(leaf.waits.beginning(self.at.plus(1), m.plus(1)));
                active.retain(|wait| wait.end() > m);
            }
        }
        self.starts = starts;
        self.at = m;
        self.levels_current = false;
    }

    /// Moves the windows of a leaf: what is covered at `m` and was not comes in, what was covered and is not goes.
    fn slide<T: Observed>(&mut self, leaf_index: usize, leaf: &Leaf, starts: &[Minute], m: Minute) {
        if !self.scope.has(T::measure()) {
            return;
        }
        let line = T::timeline(leaf);
        let windows = starts.len();
        for (window, start) in starts.iter().enumerate() {
            let old_start = self.starts[window];
            let gone = line.within(old_start, (*start).min(self.at)).map(|one| (one, -1));
            let come = line.within(self.at.max(*start), m).map(|one| (one, 1));
            for (observation, sign) in gone.chain(come) {
                for step in 0..self.paths[leaf_index].len() {
                    let cell = usize::from(self.paths[leaf_index][step]) * windows + window;
                    observation.fold(self, cell, sign);
                }
            }
        }
    }

    /// Counts who is in the departments and in the queues where the sweep stands.
    pub(crate) fn count_levels(&mut self) {
        if self.levels_current {
            return;
        }
        self.levels_current = true;
        self.department.fill(Default::default());
        self.queue.fill(Default::default());
        for leaf in 0..self.paths.len() {
            if self.paths[leaf].is_empty() {
                continue;
            }
            if self.scope.has(Measure::AeDepartment) && !self.stays[leaf].is_empty() {
                let by_type = department(&self.stays[leaf], self.at);
                for org in &self.paths[leaf] {
                    for (sum, own) in self.department[usize::from(*org)].iter_mut().zip(&by_type) {
                        add_levels(sum, own, LONGEST_IN_DEPARTMENT);
                    }
                }
            }
            if self.scope.has(Measure::AmbQueue) && !self.waits[leaf].is_empty() {
                let own = queue(&self.waits[leaf], self.at);
                for org in &self.paths[leaf] {
                    add_levels(&mut self.queue[usize::from(*org)], &own, LONGEST_IN_QUEUE);
                }
            }
        }
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
        let mut give = |department_type: Option<TypeTag>, fields: &[i64]| {
            let mut values = [0; MAX_FIELDS];
            values[..fields.len()].copy_from_slice(fields);
            each(SeriesKey { measure, tag: Tag::from(department_type), window: tag }, values);
        };
        match measure {
            Measure::AeFourHour => {
                for (tag, fields) in TYPES_OF_FOUR.iter().zip(&self.four_hour[cell]) {
                    give(Some(*tag), fields);
                }
            }
            Measure::AeArrivals => {
                for (tag, fields) in TYPES_OF_FIVE.iter().zip(&self.arrivals[cell]) {
                    give(Some(*tag), fields);
                }
            }
            Measure::AeDepartment => {
                for (tag, fields) in TYPES_OF_FIVE.iter().zip(&self.department[position]) {
                    give(Some(*tag), fields);
                }
            }
            Measure::AmbHandover => {
                let handovers = &self.handovers[cell];
                let [completed, o15, o30, o45, o60, total, lost15, lost30] = handovers.sums;
                let p90 = i64::from(handovers.delays.p90());
                give(None, &[completed, o15, o30, o45, o60, total, p90, lost15, lost30]);
            }
            Measure::AmbQueue => give(None, &self.queue[position]),
            Measure::AeArea
            | Measure::AeTreatment
            | Measure::AeAdmission
            | Measure::AmbResponse
            | Measure::BedState
            | Measure::Standard
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

/// Where `longest_minutes` stands in `ae_department`, and `longest_s` in `amb_queue`.
const LONGEST_IN_DEPARTMENT: usize = 8;
const LONGEST_IN_QUEUE: usize = 5;

/// Counts add up; the longest is the longest.
fn add_levels(sum: &mut [i64; MAX_FIELDS], own: &[i64; MAX_FIELDS], longest: usize) {
    let longest_yet = sum[longest].max(own[longest]);
    for (sum, own) in sum.iter_mut().zip(own) {
        *sum += own;
    }
    sum[longest] = longest_yet;
}

/// `ae_department` of one site at `m`, by type.
fn department(stays: &[Stay], m: Minute) -> [[i64; MAX_FIELDS]; 5] {
    let mut by_type = [[0i64; MAX_FIELDS]; 5];
    for stay in stays {
        let fields = &mut by_type[stay.department_type as usize];
        if stay.is_present(m) {
            fields[0] += 1;
            if stay.decided < m {
                fields[1] += 1;
                fields[2] += i64::from(m.0 - stay.decided.0 > TWELVE_HOURS);
            }
        }
        if let Some(elapsed) = stay.on_clock(m) {
            fields[3] += 1;
            fields[4] += i64::from(elapsed > FOUR_HOURS);
            fields[5] += i64::from(elapsed > TWELVE_HOURS);
            fields[6] += i64::from(elapsed <= FOUR_HOURS && FOUR_HOURS < elapsed + 30);
            fields[7] += i64::from(elapsed <= FOUR_HOURS && FOUR_HOURS < elapsed + 60);
            fields[LONGEST_IN_DEPARTMENT] = fields[LONGEST_IN_DEPARTMENT].max(i64::from(elapsed));
        }
        fields[9] += i64::from(stay.is_unclosed(m));
    }
    let mut all = [0; MAX_FIELDS];
    for by_type in &by_type[..CountedType::Five as usize] {
        add_levels(&mut all, by_type, LONGEST_IN_DEPARTMENT);
    }
    by_type[ALL_OF_FIVE] = all;
    by_type
}

/// `amb_queue` of one site at `m`.
fn queue(waits: &[Wait], m: Minute) -> [i64; MAX_FIELDS] {
    let mut fields = [0i64; MAX_FIELDS];
    for seconds in waits.iter().filter_map(|wait| wait.seconds(m)) {
        if seconds > DAY_SECONDS {
            fields[6] += 1;
            continue;
        }
        fields[0] += 1;
        for (field, minutes) in [(1, 15), (2, 30), (3, 45), (4, 60)] {
            fields[field] += i64::from(seconds > minutes * 60);
        }
        fields[LONGEST_IN_QUEUE] = fields[LONGEST_IN_QUEUE].max(i64::from(seconds));
    }
    fields
}

/// What the scope of everything is.
pub(crate) fn everything(figures: &Figures) -> Scope {
    Scope {
        orgs: vec![true; figures.orgs.len()],
        measures: Measure::swept().collect(),
        windows: figures.slots.windows().to_vec(),
    }
}
