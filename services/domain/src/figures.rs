//! What the entities add up to: for each site the observations and spans, by minute. It changes only by taking the old
//! contribution of an entity away and adding the new one (a correction is no special case), and it says which points
//! that touches. The windows themselves are made by a [`crate::sweep::Sweep`].

use std::sync::Arc;

use crate::attendance::{self, Arrival, Closing, CountedType, OPEN_AT_MOST, Stay, TWELVE_HOURS};
use crate::dirty::{Dirty, Slot};
use crate::ids::OrgId;
use crate::journey::{self, Handover, Wait};
use crate::measures::{Measure, Tag, TypeTag, Window};
use crate::organisations::{Level, Organisations};
use crate::sweep::Sweep;
use crate::time::{DAY, LondonDays, Minute};
use crate::timeline::{Timed, Timeline};

impl Timed for Arrival {
    fn at(&self) -> Minute {
        self.minute
    }
}

impl Timed for Closing {
    fn at(&self) -> Minute {
        self.minute
    }
}

impl Timed for Handover {
    fn at(&self) -> Minute {
        self.minute
    }
}

/// A value that counts at every minute of [begin, end).
pub(crate) trait Span: Copy + PartialEq {
    /// A span longer than this many minutes is kept apart, so that few hours must be looked through.
    const SHORT: u32;
    fn begin(&self) -> Minute;
    fn end(&self) -> Minute;
}

impl Span for Stay {
    const SHORT: u32 = OPEN_AT_MOST + 60;
    fn begin(&self) -> Minute {
        Stay::begin(self)
    }
    fn end(&self) -> Minute {
        Stay::end(self)
    }
}

impl Span for Wait {
    const SHORT: u32 = DAY;
    fn begin(&self) -> Minute {
        Wait::begin(self)
    }
    fn end(&self) -> Minute {
        Wait::end(self)
    }
}

/// A span is kept by the minute at which it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ByBegin<T>(T);

impl<T: Span> Timed for ByBegin<T> {
    fn at(&self) -> Minute {
        self.0.begin()
    }
}

/// Spans by their beginning.
#[derive(Clone, Debug)]
pub(crate) struct Spans<T> {
    short: Timeline<ByBegin<T>>,
    long: Timeline<ByBegin<T>>,
    /// What ends by this minute is not kept.
    floor: Minute,
}

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Spans { short: Timeline::default(), long: Timeline::default(), floor: Minute(0) }
    }
}

impl<T: Span> Spans<T> {
    fn line(&mut self, span: &T) -> &mut Timeline<ByBegin<T>> {
        let short = span.end().0.saturating_sub(span.begin().0) <= T::SHORT;
        if short { &mut self.short } else { &mut self.long }
    }

    fn add(&mut self, span: T) {
        if span.end() > self.floor {
            self.line(&span).add(ByBegin(span));
        }
    }

    fn remove(&mut self, span: T) {
        if span.end() > self.floor {
            self.line(&span).remove(ByBegin(span));
        }
    }

    /// Those that cover `m`.
    pub(crate) fn covering(&self, m: Minute) -> impl Iterator<Item = T> + '_ {
        self.short
            .within(m.minus(T::SHORT), m.plus(1))
            .chain(self.long.within(Minute(0), m.plus(1)))
            .map(|one| one.0)
            .filter(move |span| span.end() > m)
    }

    /// Those that begin in [from, until).
    pub(crate) fn beginning(&self, from: Minute, until: Minute) -> impl Iterator<Item = T> + '_ {
        self.short.within(from, until).chain(self.long.within(from, until)).map(|one| one.0)
    }

    fn trim(&mut self, minute: Minute) {
        self.floor = self.floor.max(minute);
        self.short.trim(minute.minus(T::SHORT + 60));
        let floor = self.floor;
        self.long.retain(|one| one.0.end() > floor);
    }
}

/// What one site (or, for handovers only, one ambulance service) adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaf {
    pub(crate) arrivals: Timeline<Arrival>,
    pub(crate) closings: Timeline<Closing>,
    pub(crate) handovers: Timeline<Handover>,
    pub(crate) stays: Spans<Stay>,
    pub(crate) waits: Spans<Wait>,
}

/// How many swept measures have windows.
const WINDOWED: usize = 6;

/// Measures with their windows, numbered: what is marked and read together.
#[derive(Clone, Debug)]
pub struct Slots {
    windows: Vec<Window>,
}

impl Slots {
    /// The slots of these windows; at most 40 are used.
    pub fn new(windows: &[Window]) -> Slots {
        Slots { windows: windows.iter().copied().take(40).collect() }
    }

    /// The windows.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The slot of a measure, and of its window (by position) if it has windows; `None` if it is not swept.
    pub(crate) fn of(&self, measure: Measure, window: usize) -> Option<Slot> {
        let windowed = |position: usize| position * self.windows.len() + window;
        let at_a_minute = |position: usize| WINDOWED * self.windows.len() + position;
        let number = match measure {
            Measure::AeFourHour => windowed(0),
            Measure::AeArrivals => windowed(1),
            Measure::AmbHandover => windowed(2),
            Measure::AeTreatment => windowed(3),
            Measure::AeAdmission => windowed(4),
            Measure::AmbResponse => windowed(5),
            Measure::AeDepartment => at_a_minute(0),
            Measure::AmbQueue => at_a_minute(1),
            Measure::AeArea => at_a_minute(2),
            Measure::BedState => at_a_minute(3),
            Measure::Escalation => at_a_minute(4),
            Measure::Standard
            | Measure::Opel
            | Measure::OpelParameter
            | Measure::FirstKnown
            | Measure::Feed => return None,
        };
        Some(number as Slot)
    }

    /// Every slot: its measure and the position of its window.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Slot, Measure, Option<usize>)> + '_ {
        Measure::swept().flat_map(move |measure| {
            let by_window = measure.definition().by_window;
            let windows = if by_window { self.windows.len() } else { 1 };
            (0..windows).filter_map(move |window| {
                Some((self.of(measure, window)?, measure, by_window.then_some(window)))
            })
        })
    }

    /// The step of a slot in minutes.
    pub(crate) fn step(&self, window: Option<usize>) -> u32 {
        window.map_or(1, |window| self.windows[window].step())
    }
}

/// Everything that is added up, by site.
#[derive(Debug)]
pub struct Figures {
    pub(crate) orgs: Arc<Organisations>,
    pub(crate) days: Arc<LondonDays>,
    pub(crate) slots: Slots,
    pub(crate) leaves: Vec<Leaf>,
    /// For each organisation, measure and type the first minute at which anything was ever added.
    since: Vec<[[Minute; TYPES]; Measure::ALL.len()]>,
    /// Whether `since` changed after it was last saved.
    pub(crate) since_changed: bool,
}

/// How many values tag `type` has; a measure without types uses the first.
const TYPES: usize = TypeTag::ALL_TAGS.len();

fn type_index(tag: Tag) -> usize {
    match tag {
        Tag::None | Tag::Text(_) => 0,
        Tag::Type(tag) => TypeTag::ALL_TAGS.iter().position(|one| *one == tag).unwrap_or(0),
        Tag::Category(category) => category as usize,
    }
}

/// The types under which an observation of a department type counts.
fn tags_of(department_type: Option<CountedType>) -> &'static [Tag] {
    match department_type {
        None => &[Tag::None],
        Some(CountedType::One) => &[Tag::Type(TypeTag::One), Tag::Type(TypeTag::All)],
        Some(CountedType::Two) => &[Tag::Type(TypeTag::Two), Tag::Type(TypeTag::All)],
        Some(CountedType::Three) => &[Tag::Type(TypeTag::Three), Tag::Type(TypeTag::All)],
        Some(CountedType::Five) => &[Tag::Type(TypeTag::Five)],
    }
}

/// Where the points that a change touches are marked: between the floor (older minutes are final) and the newest closed
/// minute, both included; what comes later is made anew anyhow.
pub(crate) struct Marks<'a> {
    pub(crate) dirty: &'a mut Dirty,
    pub(crate) floor: Minute,
    pub(crate) newest: Minute,
}

impl Figures {
    /// Nothing yet.
    pub fn new(orgs: Arc<Organisations>, days: Arc<LondonDays>, windows: &[Window]) -> Figures {
        Figures {
            leaves: vec![Leaf::default(); orgs.len()],
            since: vec![[[attendance::NEVER; TYPES]; Measure::ALL.len()]; orgs.len()],
            since_changed: false,
            slots: Slots::new(windows),
            orgs,
            days,
        }
    }

    /// The first minute at which the series can be other than zero there.
    pub(crate) fn since(&self, org: OrgId, measure: Measure, tag: Tag) -> Minute {
        self.since[org.index()][measure as usize - 1][type_index(tag)]
    }

    /// The first minute at which anything anywhere can be other than zero.
    pub(crate) fn first(&self) -> Minute {
        self.since.iter().flatten().flatten().copied().min().unwrap_or(attendance::NEVER)
    }

    /// The series is published there at that minute: from then on its zeros are written.
    pub(crate) fn seen(&mut self, org: OrgId, measure: Measure, tag: Tag, minute: Minute) {
        let since = &mut self.since[org.index()][measure as usize - 1][type_index(tag)];
        if minute < *since {
            *since = minute;
            self.since_changed = true;
        }
    }

    fn seen_above(
        &mut self,
        leaf: OrgId,
        measure: Measure,
        department_type: Option<CountedType>,
        minute: Minute,
    ) {
        let orgs = self.orgs.clone();
        for org in published_at(&orgs, leaf) {
            for tag in tags_of(department_type) {
                self.seen(*org, measure, *tag, minute);
            }
        }
    }

    /// For the checkpoint: the first minutes of every series that has one.
    pub(crate) fn encode_since(&self, out: &mut Vec<u8>) {
        for minute in self.since.iter().flatten().flatten() {
            out.extend_from_slice(&minute.0.to_le_bytes());
        }
    }

    /// Puts back [`Figures::encode_since`]; `false` if the bytes are none.
    pub(crate) fn restore_since(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() != self.since.len() * Measure::ALL.len() * TYPES * 4 {
            return false;
        }
        let minutes = self.since.iter_mut().flatten().flatten();
        for (minute, bytes) in minutes.zip(bytes.chunks_exact(4)) {
            *minute = Minute(u32::from_le_bytes(bytes.try_into().expect("chunks of four")));
            if !minute.is_in_range() && *minute != attendance::NEVER {
                return false;
            }
        }
        true
    }

    /// An attendance changed from `old` to `new`.
    pub(crate) fn attendance(
        &mut self,
        old: Option<attendance::Contribution>,
        new: Option<attendance::Contribution>,
        live: Option<(&mut Sweep, &mut Marks<'_>)>,
    ) {
        if old == new {
            return;
        }
        let Some(site) = new.or(old).map(|one| one.site) else {
            return;
        };
        let mut live = live;
        let (arrival, closing, stay) =
            (new.map(|one| one.arrival), new.and_then(|one| one.closing), new.map(|one| one.stay));
        let (old_arrival, old_closing, old_stay) =
            (old.map(|one| one.arrival), old.and_then(|one| one.closing), old.map(|one| one.stay));
        if arrival != old_arrival {
            self.observation(
                site,
                Measure::AeArrivals,
                old_arrival,
                arrival,
                |leaf| &mut leaf.arrivals,
                &mut live,
            );
        }
        if closing != old_closing {
            self.observation(
                site,
                Measure::AeFourHour,
                old_closing,
                closing,
                |leaf| &mut leaf.closings,
                &mut live,
            );
        }
        if stay != old_stay {
            let touched = changed_stay(old_stay, stay);
            self.span(
                site,
                Measure::AeDepartment,
                old_stay,
                stay,
                |leaf| &mut leaf.stays,
                touched,
                &mut live,
            );
        }
    }

    /// A journey changed from `old` to `new`.
    pub(crate) fn journey(
        &mut self,
        old: Option<journey::Contribution>,
        new: Option<journey::Contribution>,
        live: Option<(&mut Sweep, &mut Marks<'_>)>,
    ) {
        if old == new {
            return;
        }
        let mut live = live;
        let handover = |one: Option<journey::Contribution>| one.and_then(|one| one.handover);
        let service = new.or(old).map(|one| one.service);
        if let Some(service) = service.filter(|_| handover(old) != handover(new)) {
            let (old, new) = (handover(old), handover(new));
            self.observation(service, Measure::AmbHandover, old, new, |leaf| &mut leaf.handovers, &mut live);
        }
        let at = |one: Option<journey::Contribution>| one.and_then(|one| one.destination);
        // A changed destination moves the journey: the old site forgets it.
        let moves = if at(old) == at(new) {
            vec![(at(new), old, new)]
        } else {
            vec![(at(old), old, None), (at(new), None, new)]
        };
        for (site, old, new) in moves {
            let Some(site) = site else { continue };
            let (gone, come) = (handover(old), handover(new));
            if gone != come {
                self.observation(
                    site,
                    Measure::AmbHandover,
                    gone,
                    come,
                    |leaf| &mut leaf.handovers,
                    &mut live,
                );
            }
            let (gone, come) = (old.and_then(|one| one.wait), new.and_then(|one| one.wait));
            if gone != come {
                let touched = changed_wait(gone, come);
                self.span(site, Measure::AmbQueue, gone, come, |leaf| &mut leaf.waits, touched, &mut live);
            }
        }
    }

    /// Replaces an observation of a windowed measure.
    fn observation<T: Timed + crate::sweep::Observed>(
        &mut self,
        leaf: OrgId,
        measure: Measure,
        old: Option<T>,
        new: Option<T>,
        line: impl Fn(&mut Leaf) -> &mut Timeline<T>,
        live: &mut Option<(&mut Sweep, &mut Marks<'_>)>,
    ) {
        if let Some(old) = old {
            line(&mut self.leaves[leaf.index()]).remove(old);
        }
        if let Some(new) = new {
            line(&mut self.leaves[leaf.index()]).add(new);
            self.seen_above(leaf, measure, new.department_type(), new.at().plus(1));
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
                marks.dirty.mark(published_at(&self.orgs, leaf), slot, from, until, window.step());
            }
        }
    }

    /// Replaces a span of a measure at a minute; `touched` are the minutes at which that makes a difference.
    #[expect(clippy::too_many_arguments, reason = "one place for every measure at a minute")]
    fn span<T: Span + crate::sweep::Covering>(
        &mut self,
        leaf: OrgId,
        measure: Measure,
        old: Option<T>,
        new: Option<T>,
        spans: impl Fn(&mut Leaf) -> &mut Spans<T>,
        touched: Vec<(Minute, Minute)>,
        live: &mut Option<(&mut Sweep, &mut Marks<'_>)>,
    ) {
        if let Some(old) = old {
            spans(&mut self.leaves[leaf.index()]).remove(old);
        }
        if let Some(new) = new {
            spans(&mut self.leaves[leaf.index()]).add(new);
            self.seen_above(leaf, measure, new.department_type(), new.begin());
        }
        let Some((sweep, marks)) = live else { return };
        sweep.cover(leaf, old, new);
        let Some(slot) = self.slots.of(measure, 0) else { return };
        for (from, until) in touched {
            let (from, until) = (from.max(marks.floor), until.min(marks.newest.plus(1)));
            marks.dirty.mark(self.orgs.path(leaf), slot, from, until, 1);
        }
    }

    /// Forgets what is before the hour of `minute`.
    pub(crate) fn trim(&mut self, minute: Minute) {
        for leaf in &mut self.leaves {
            leaf.arrivals.trim(minute);
            leaf.closings.trim(minute);
            leaf.handovers.trim(minute);
            leaf.stays.trim(minute);
            leaf.waits.trim(minute);
        }
    }
}

/// The organisations to which a leaf's figures belong: a site's to everything above it, a service's to itself alone
/// (England's handovers are counted by destination, spec 2.4).
pub(crate) fn published_at(orgs: &Organisations, leaf: OrgId) -> &[OrgId] {
    match orgs.get(leaf).level {
        Level::Service => &orgs.path(leaf)[..1],
        Level::Site | Level::Trust | Level::System | Level::Region | Level::Nation | Level::Group => {
            orgs.path(leaf)
        }
    }
}

/// The minutes at which two stays differ, as ranges [from, until).
fn changed_stay(old: Option<Stay>, new: Option<Stay>) -> Vec<(Minute, Minute)> {
    let (Some(old), Some(new)) = (old, new) else {
        return old.or(new).map(|one| (one.begin(), one.end())).into_iter().collect();
    };
    let (begin, end) = (old.begin().min(new.begin()), old.end().max(new.end()));
    let same_beginning = Stay { stop: new.stop, departed: new.departed, decided: new.decided, ..old } == new;
    if !same_beginning {
        return vec![(begin, end)];
    }
    // Something has happened at m if its minute is before m: a shift from a to b is seen at (a, b]. A decision is seen
    // again when twelve hours have passed since.
    let twelve_hours_on = |decided: Minute| decided.plus(TWELVE_HOURS);
    [
        (old.stop, new.stop),
        (old.departed, new.departed),
        (old.decided, new.decided),
        (twelve_hours_on(old.decided), twelve_hours_on(new.decided)),
    ]
    .into_iter()
    .filter(|(a, b)| a != b)
    .map(|(a, b)| (a.min(b).plus(1).max(begin), a.max(b).plus(1).min(end)))
    .filter(|(from, until)| from < until)
    .collect()
}

/// The minutes at which two waits differ.
fn changed_wait(old: Option<Wait>, new: Option<Wait>) -> Vec<(Minute, Minute)> {
    match (old, new) {
        (Some(old), Some(new)) if old.arrived == new.arrived => {
            vec![(old.end().min(new.end()), old.end().max(new.end()))]
        }
        (old, new) => [old, new].into_iter().flatten().map(|one| (one.begin(), one.end())).collect(),
    }
}
