//! The live engine: events in, org-minutes out. It is told the time and returns what to publish; reading the log, writing
//! topics and saving checkpoints is the shell's part (crate `aggregator`).
//!
//! Its life (spec 2.6, "Start"): [`Engine::restore`] from a checkpoint; [`Engine::take`] every event up to the end that
//! the log had; [`Engine::published_before`] for what a predecessor published since; [`Engine::begin`]; from then on
//! [`Engine::take`], [`Engine::tick`], [`Engine::publish_newest`] and [`Engine::publish_older`].

mod checkpoint;
mod computed;
pub(crate) mod periodic;
mod publication;

pub use checkpoint::Change;

use computed::{Computed, FirstKnown};
use periodic::{Periodic, Waiting};

use std::sync::Arc;

use crate::admission::{admit, in_time};
use crate::area::AreaStay;
use crate::attendance;
use crate::dirty::Dirty;
use crate::event::{Disposal, Event, Fact, Outcome, Statement};
use crate::figures::{Figures, Marks};
use crate::freshness::{FeedState, Feeds, Patience};
use crate::ids::OrgId;
use crate::journey;
use crate::ledger::{Entity, EntityKey, Ledger, Watch};
use crate::measures::{Freshness, Measure, OrgMinute, Window};
use crate::opel::Framework;
use crate::organisations::Organisations;
use crate::standard::Standards;
use crate::sweep::{Sweep, everything};
use crate::time::{DAY, LondonDays, Millis, Minute};

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The organisations.
    pub orgs: Arc<Organisations>,
    /// What returns and declarations may name.
    pub standards: Standards,
    /// The escalation frameworks that are computed.
    pub frameworks: Arc<Vec<Framework>>,
    /// The windows that are published.
    pub windows: Vec<Window>,
    /// `measures.exclude_disposals`.
    pub exclude_disposals: Vec<Disposal>,
    /// `ledger.horizon` in minutes: older minutes are final.
    pub horizon_minutes: u32,
    /// When a silence is stale.
    pub patience: Patience,
}

/// The default of `ledger.horizon`: 14 days.
pub const HORIZON_MINUTES: u32 = 14 * DAY;
/// An entity is held this much longer than the horizon (spec 1.8).
const HELD_BEYOND_HORIZON: u32 = 14 * DAY;

/// The figures as they stand at a minute: after a restore that of the checkpoint, from [`Engine::begin`] on the newest.
#[derive(Debug)]
struct Live {
    sweep: Sweep,
    freshness: Vec<Freshness>,
    /// For each organisation how often each of the newest minutes was written in this epoch.
    writings: Vec<Vec<u32>>,
}

/// The live engine.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    epoch: u64,
    ledger: Ledger,
    figures: Figures,
    feeds: Feeds,
    dirty: Dirty,
    periodic: Periodic,
    waiting: Waiting,
    escalations: Computed,
    first_known: FirstKnown,
    live: Option<Live>,
    /// While a checkpoint is read: up to which minute it had published.
    restored_until: Option<Minute>,
    forgotten: Vec<EntityKey>,
    saved_sources: usize,
    saved_areas: usize,
    held: Held,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(settings: Settings, epoch: u64) -> Engine {
        let days = Arc::new(LondonDays::new());
        Engine {
            ledger: Ledger::new(settings.orgs.clone(), settings.exclude_disposals.clone()),
            figures: Figures::new(settings.orgs.clone(), days.clone(), &settings.windows),
            periodic: Periodic::new(&settings, days),
            waiting: Waiting::default(),
            escalations: Computed::default(),
            first_known: FirstKnown::default(),
            feeds: Feeds::default(),
            dirty: Dirty::default(),
            live: None,
            restored_until: None,
            forgotten: Vec::new(),
            saved_sources: 0,
            saved_areas: 0,
            held: Held::default(),
            settings,
            epoch,
        }
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes an event that the log took at `log_time`; returns its one outcome (spec 1.7) and, for a refusal, which
    /// field it is about.
    pub fn take(&mut self, event: &Event<'_>, log_time: Millis) -> (Outcome, &'static str) {
        if let Err(refusal) = admit(event, &self.settings.orgs, &self.settings.standards) {
            return refusal;
        }
        if let Err(refusal) = in_time(event, log_time, self.settings.horizon_minutes) {
            return refusal;
        }
        if !self.ledger.can_hear(&event.source) {
            return (Outcome::Malformed, "source: 65,000 sources are known, and no more can be");
        }
        let news = self.apply(event);
        if news {
            self.told(&event.statement);
        }
        let places = if news { self.places(&event.statement) } else { [None, None] };
        self.feeds.heard(&event.source, event.recorded_at, places);
        (if news { Outcome::Accepted } else { Outcome::Duplicate }, "")
    }

    /// Of which place the statement states facts, and for which site besides: a journey's destination.
    fn places(&self, statement: &Statement<'_>) -> [Option<OrgId>; 2] {
        let orgs = &self.settings.orgs;
        match statement {
            Statement::Attendance(one) => [orgs.find(&one.site), None],
            Statement::Ambulance(one) => {
                let destination = match &one.destination {
                    Fact::Stated(code) => orgs.find(code),
                    Fact::Absent | Fact::Retracted => None,
                };
                [orgs.find(&one.service), destination]
            }
            Statement::Beds(one) => [orgs.find(&one.site), None],
            Statement::Standard(_) | Statement::Escalation(_) | Statement::Heartbeat => [None, None],
        }
    }

    fn apply(&mut self, event: &Event<'_>) -> bool {
        let Some(live) = &mut self.live else {
            return self.ledger.apply(event, &mut crate::ledger::Unwatched);
        };
        let newest = live.sweep.at();
        let marks =
            Marks { dirty: &mut self.dirty, floor: newest.minus(self.settings.horizon_minutes), newest };
        let mut watcher = Watcher {
            figures: &mut self.figures,
            sweep: &mut live.sweep,
            marks,
            held: &mut self.held,
            after: (0, 0),
        };
        let news = self.ledger.apply(event, &mut watcher);
        self.held.clear();
        news
    }

    /// A predecessor published this org-minute after the checkpoint: its points are written again.
    pub fn published_before(&mut self, published: &OrgMinute) {
        let Some(org) = self.settings.orgs.find(&published.org) else { return };
        let minute = published.minute;
        for series in &published.series {
            let measure = series.key.measure;
            if measure == Measure::Standard {
                self.standard_published(org, series, minute);
            } else if measure == Measure::FirstKnown {
                self.first_known.seen(minute, org);
            }
            let position = match series.key.window {
                Some(window) => match self.figures.slots.windows().iter().position(|one| *one == window) {
                    Some(position) => position,
                    None => continue,
                },
                None => 0,
            };
            let Some(slot) = self.figures.slots.of(measure, position) else { continue };
            // Of another configuration, such as an area that is gone, nothing can be written again.
            if measure.definition().swept && !self.figures.seen(org, measure, series.key.tag, minute) {
                continue;
            }
            self.dirty.mark(&[org], slot, minute, minute.plus(1), 1);
        }
    }

    /// The log was read to the end that it had at the start: from now on the engine is live. Every minute that was not
    /// published yet is marked.
    pub fn begin(&mut self, now: Millis) {
        let unpublished = match self.live.as_ref().map(|live| live.sweep.at()) {
            Some(until) => until.plus(1),
            None => now.closed_minute().minus(self.settings.horizon_minutes),
        };
        self.stand_at(now.closed_minute());
        // What a predecessor published for minutes that are still to come is written when they come.
        self.dirty.keep_until(self.newest().unwrap_or(now.closed_minute()));
        self.close(unpublished);
        let newest = now.closed_minute();
        self.dirty.mark_whole(newest, newest.plus(1));
    }

    /// Makes the figures of the ledger, if they are not there yet, and stands at `newest` with them. What the events
    /// after a checkpoint change is marked from here on.
    fn stand_at(&mut self, newest: Minute) {
        let Some(live) = &mut self.live else {
            let floor = newest.minus(self.settings.horizon_minutes);
            self.figures.trim(floor.minus(HELD_BEYOND_HORIZON + DAY));
            for entity in self.ledger.entities() {
                self.figures.enter(&self.ledger, entity);
            }
            let orgs = self.settings.orgs.len();
            self.live = Some(Live {
                sweep: Sweep::new(&self.figures, everything(&self.figures), newest),
                freshness: vec![Freshness::default(); orgs],
                writings: vec![Vec::new(); orgs],
            });
            return;
        };
        live.sweep.advance(&self.figures, newest);
    }

    /// Every minute from `first` to the one where the sweep stands is new. Feeds are as old as they are at that minute
    /// (spec 3.1), whenever it is closed.
    fn close(&mut self, first: Minute) {
        let Some(live) = &mut self.live else { return };
        let newest = live.sweep.at();
        let begun = Engine::first(&self.figures, &self.periodic.declarations);
        self.dirty.mark_whole(first.max(begun), newest.plus(1));
        self.first_known.trim(newest.minus(self.settings.horizon_minutes));
        let at = Millis::from(newest.start());
        live.freshness = self.feeds.freshness(&self.settings.orgs, at, &self.settings.patience);
        self.dirty.trim(newest.minus(self.settings.horizon_minutes));
    }

    /// The time is now: closes every minute that is over. Returns whether one was closed.
    pub fn tick(&mut self, now: Millis) -> bool {
        let newest = now.closed_minute();
        let Some(live) = &mut self.live else { return false };
        let before = live.sweep.at();
        if newest <= before {
            return false;
        }
        for minute in before.0 + 1..=newest.0 {
            let slot = minute as usize % (self.settings.horizon_minutes as usize + 1);
            for writings in live.writings.iter_mut().filter(|writings| !writings.is_empty()) {
                writings[slot] = 0;
            }
        }
        self.stand_at(newest);
        self.close(before.plus(1));
        if newest.0 / 60 != before.0 / 60 {
            self.forget(newest.minus(self.settings.horizon_minutes + HELD_BEYOND_HORIZON));
        }
        true
    }

    fn forget(&mut self, before: Minute) {
        self.figures.trim(before.minus(DAY));
        let forgotten = &mut self.forgotten;
        self.ledger.forget(before.start(), &mut |key| forgotten.push(key));
    }

    /// The sources at a time.
    pub fn feeds(&self, now: Millis) -> Vec<FeedState> {
        self.feeds.states(now, &self.settings.patience)
    }
}

/// What an event is about to change, as it was: held by the engine, so that no event allocates.
#[derive(Debug, Default)]
struct Held {
    before: Vec<Contribution>,
    /// The times in areas of the attendances among them, one after the other; then those of one as they are now.
    areas: Vec<AreaStay>,
}

impl Held {
    fn clear(&mut self) {
        self.before.clear();
        self.areas.clear();
    }
}

/// Carries the difference that an event makes from the ledger to the figures.
struct Watcher<'a> {
    figures: &'a mut Figures,
    sweep: &'a mut Sweep,
    marks: Marks<'a>,
    held: &'a mut Held,
    /// How many of the contributions, and of the times in areas, were compared.
    after: (usize, usize),
}

#[derive(Clone, Copy, Debug)]
enum Contribution {
    /// With how many times in areas.
    Attendance(Option<attendance::Contribution>, usize),
    Journey(Option<journey::Contribution>),
    Beds,
}

/// What the entity adds now; times in areas are appended to `areas`.
fn contribution(ledger: &Ledger, entity: Entity, areas: &mut Vec<AreaStay>) -> Contribution {
    match entity {
        Entity::Attendance(index) => {
            let (one, held) = (ledger.attendance(index), areas.len());
            if let Some(one) = &one {
                ledger.area_stays(index, &one.stay, areas);
            }
            Contribution::Attendance(one, areas.len() - held)
        }
        Entity::Journey(index) => Contribution::Journey(ledger.journey(index)),
        Entity::Beds(..) => Contribution::Beds,
    }
}

impl Watch for Watcher<'_> {
    const WATCHES: bool = true;

    fn before(&mut self, ledger: &Ledger, entity: Entity) {
        let one = contribution(ledger, entity, &mut self.held.areas);
        self.held.before.push(one);
    }

    fn after(&mut self, ledger: &Ledger, entity: Entity) {
        let (index, first) = self.after;
        let old = self.held.before[index];
        self.after.0 += 1;
        let held = self.held.areas.len();
        let live = &mut Some((&mut *self.sweep, &mut self.marks));
        match (old, contribution(ledger, entity, &mut self.held.areas), entity) {
            (Contribution::Attendance(old, count), Contribution::Attendance(new, _), _) => {
                self.figures.attendance(old, new, live);
                let (before, now) = self.held.areas.split_at(held);
                if let Some(site) = new.or(old).map(|one| one.site) {
                    self.figures.areas(site, &before[first..first + count], now, live);
                }
                self.held.areas.truncate(held);
                self.after.1 += count;
            }
            (Contribution::Journey(old), Contribution::Journey(new), _) => {
                self.figures.journey(old, new, live);
            }
            (Contribution::Beds, Contribution::Beds, Entity::Beds(site, as_of)) => {
                self.figures.beds(site, as_of, ledger.beds(site, as_of), live);
            }
            (Contribution::Attendance(..) | Contribution::Journey(_) | Contribution::Beds, _, _) => {
                debug_assert!(false, "the same entities in the same order");
            }
        }
    }
}
