//! How an episode moves: `inactive → pending → firing → recovering → inactive` (spec 3.0), for one rule, one
//! organisation and one series. A [`Track`] is told each publication of the newest closed minute and answers with what
//! changed; it knows neither the wall clock nor whom to tell.
//!
//! **A minute that is published again.** The newest minute m is published at once and again whenever late facts change
//! it. A track therefore keeps the phase as of the minute before m, and each publication of m is judged from there: the
//! newest replaces what the earlier ones made of m. Two things are not taken back, because somebody was told: once m has
//! fired, later publications of m are judged from firing; once m has resolved (or an episode was closed or withdrawn
//! at m), m is over for this track, and a new episode begins at m + 1 at the earliest. So an episode's start names it,
//! and no episode fires twice.

use super::rule::Judgement;
use crate::time::Minute;

/// So many minutes in a row without a judgement end what is pending (spec 3.0).
pub const IDLE_MINUTES_MAX: u32 = 5;

/// How long a rule waits, in event minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// In breach before it fires.
    pub hold: u32,
    /// Clear before it resolves.
    pub keep: u32,
}

/// One publication of a minute, as a rule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The minute.
    pub minute: Minute,
    /// What the figures say.
    pub judgement: Judgement,
    /// Whether a feed behind the figures is silent: the figures then move nothing.
    pub stale: bool,
}

/// Where an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Inactive,
    /// In breach, but not for long enough yet.
    Pending {
        /// The first minute in breach.
        start: Minute,
        /// The same, moved on by one for each minute that could not be judged.
        counted_from: Minute,
        /// Minutes in a row, up to now, that could not be judged.
        idle: u32,
    },
    /// Somebody was called.
    Firing {
        /// The first minute in breach.
        start: Minute,
    },
    /// Still open, but clear.
    Recovering {
        /// The first minute in breach.
        start: Minute,
        /// The first minute clear, moved on by one for each minute that could not be judged.
        clear_from: Minute,
    },
}

impl Phase {
    /// The first minute in breach, which names the episode.
    pub fn start(self) -> Option<Minute> {
        match self {
            Phase::Inactive => None,
            Phase::Pending { start, .. } | Phase::Firing { start } | Phase::Recovering { start, .. } => {
                Some(start)
            }
        }
    }

    /// Whether it has fired and not ended.
    pub fn is_open(self) -> bool {
        match self {
            Phase::Inactive | Phase::Pending { .. } => false,
            Phase::Firing { .. } | Phase::Recovering { .. } => true,
        }
    }

    /// The name in records and on the board.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Inactive => "inactive",
            Phase::Pending { .. } => "pending",
            Phase::Firing { .. } => "firing",
            Phase::Recovering { .. } => "recovering",
        }
    }

    /// After `minutes` that could not be judged.
    fn idled(self, minutes: u32) -> Phase {
        match self {
            Phase::Pending { idle, .. } if idle.saturating_add(minutes) > IDLE_MINUTES_MAX => Phase::Inactive,
            Phase::Pending { start, counted_from, idle } => {
                Phase::Pending { start, counted_from: counted_from.plus(minutes), idle: idle + minutes }
            }
            Phase::Recovering { start, clear_from } => {
                Phase::Recovering { start, clear_from: clear_from.plus(minutes) }
            }
            Phase::Inactive | Phase::Firing { .. } => self,
        }
    }

    fn judged(self, timing: Timing, m: Minute, judgement: Judgement) -> Phase {
        match judgement {
            Judgement::Breach => self.in_breach(timing, m),
            Judgement::Clear => self.clear(timing, m),
            Judgement::Between => match self {
                Phase::Inactive | Phase::Pending { .. } => Phase::Inactive,
                Phase::Firing { start } | Phase::Recovering { start, .. } => Phase::Firing { start },
            },
            Judgement::Unjudged => self.idled(1),
        }
    }

    fn in_breach(self, timing: Timing, m: Minute) -> Phase {
        let (start, counted_from) = match self {
            Phase::Inactive => (m, m),
            Phase::Pending { start, counted_from, .. } => (start, counted_from),
            Phase::Firing { start } | Phase::Recovering { start, .. } => return Phase::Firing { start },
        };
        if m.0 - counted_from.0 >= timing.hold {
            Phase::Firing { start }
        } else {
            Phase::Pending { start, counted_from, idle: 0 }
        }
    }

    fn clear(self, timing: Timing, m: Minute) -> Phase {
        let (start, clear_from) = match self {
            Phase::Inactive | Phase::Pending { .. } => return Phase::Inactive,
            Phase::Firing { start } => (start, m),
            Phase::Recovering { start, clear_from } => (start, clear_from),
        };
        if m.0 - clear_from.0 >= timing.keep {
            Phase::Inactive
        } else {
            Phase::Recovering { start, clear_from }
        }
    }
}

/// What happened to an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It began: in breach.
    Pending,
    /// It ended before it fired.
    Dropped,
    /// It fired.
    Fired,
    /// It is clear, but not for long enough yet.
    Recovering,
    /// It is not clear any more; nobody is called again.
    Relapsed,
    /// It ended.
    Resolved,
    /// Its figures are stale: it stands still.
    Frozen,
    /// Its figures are fresh again.
    Thawed,
    /// Its rule or its organisation is gone.
    Withdrawn,
    /// A person ended it.
    Closed,
}

impl Change {
    /// Every change.
    pub const ALL: [Change; 10] = [
        Change::Pending,
        Change::Dropped,
        Change::Fired,
        Change::Recovering,
        Change::Relapsed,
        Change::Resolved,
        Change::Frozen,
        Change::Thawed,
        Change::Withdrawn,
        Change::Closed,
    ];

    /// The name in records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Pending => "pending",
            Change::Dropped => "dropped",
            Change::Fired => "firing",
            Change::Recovering => "recovering",
            Change::Relapsed => "relapsed",
            Change::Resolved => "resolved",
            Change::Frozen => "frozen",
            Change::Thawed => "thawed",
            Change::Withdrawn => "withdrawn",
            Change::Closed => "closed",
        }
    }
}

/// A change of the episode that began at `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What happened.
    pub change: Change,
    /// The first minute in breach of the episode to which it happened.
    pub start: Minute,
}

/// The state of one rule for one organisation and one series. Its parts are public so that they can be kept on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    /// The newest minute that it was told; `None`: none yet.
    pub newest: Option<Minute>,
    /// The phase from which a publication of `newest` is judged.
    pub before: Phase,
    /// The phase as of `newest`.
    pub now: Phase,
    /// Whether an episode ended at `newest`: that minute opens no other.
    pub ended: bool,
    /// Whether `newest` was stale.
    pub stale: bool,
    /// Whether `newest` could not be judged, for whatever reason.
    pub idle: bool,
}

impl Default for Track {
    fn default() -> Self {
        Track {
            newest: None,
            before: Phase::Inactive,
            now: Phase::Inactive,
            ended: false,
            stale: false,
            idle: false,
        }
    }
}

impl Track {
    /// Tells it a publication of a minute. One before the newest changes nothing.
    pub fn step(&mut self, timing: Timing, point: Point) -> Vec<Transition> {
        match self.newest {
            Some(newest) if point.minute < newest => return Vec::new(),
            Some(newest) if point.minute == newest => {}
            Some(newest) => self.advance(point.minute.0 - newest.0 - 1),
            None => {}
        }
        let (was, was_stale) = (self.now, self.stale);
        self.newest = Some(point.minute);
        self.stale = point.stale;
        let judgement = if point.stale { Judgement::Unjudged } else { point.judgement };
        self.idle = judgement == Judgement::Unjudged;
        if !self.ended {
            self.now = self.before.judged(timing, point.minute, judgement);
        }
        let mut transitions = changes(was, self.now);
        self.keep_what_was_told(&transitions);
        transitions.extend(staleness(was, was_stale, self));
        transitions
    }

    fn advance(&mut self, missed: u32) {
        self.before = self.now.idled(missed);
        self.ended = false;
    }

    /// What somebody was told is not taken back by another publication of the same minute.
    fn keep_what_was_told(&mut self, transitions: &[Transition]) {
        for transition in transitions {
            match transition.change {
                Change::Fired => self.before = self.now,
                Change::Resolved => self.end(),
                Change::Pending
                | Change::Dropped
                | Change::Recovering
                | Change::Relapsed
                | Change::Frozen
                | Change::Thawed
                | Change::Withdrawn
                | Change::Closed => {}
            }
        }
    }

    fn end(&mut self) {
        (self.before, self.now, self.ended) = (Phase::Inactive, Phase::Inactive, true);
    }

    /// Its rule or its organisation is gone.
    pub fn withdraw(&mut self) -> Option<Transition> {
        let start = self.now.start()?;
        let change = if self.now.is_open() { Change::Withdrawn } else { Change::Dropped };
        self.end();
        Some(Transition { change, start })
    }

    /// A person ends it. Only an open episode whose newest minute could not be judged, or that hears nothing any more
    /// (`silent`), can be closed: one that is judged ends by itself, or would open again at once.
    pub fn close(&mut self, silent: bool) -> Option<Transition> {
        let start = self.now.start().filter(|_| self.now.is_open() && (self.idle || silent))?;
        self.end();
        Some(Transition { change: Change::Closed, start })
    }
}

/// What lies between two phases of one track.
fn changes(was: Phase, now: Phase) -> Vec<Transition> {
    let transition = |change, start| Transition { change, start };
    if now.start().is_some() && was.start() == now.start() {
        return moved(was, now).into_iter().collect();
    }
    let over = was
        .start()
        .map(|start| transition(if was.is_open() { Change::Resolved } else { Change::Dropped }, start));
    let begun = now
        .start()
        .map(|start| transition(if now.is_open() { Change::Fired } else { Change::Pending }, start));
    over.into_iter().chain(begun).collect()
}

/// What happened to an episode that goes on.
fn moved(was: Phase, now: Phase) -> Option<Transition> {
    let (start, change) = match now {
        Phase::Firing { start } if !was.is_open() => (start, Change::Fired),
        Phase::Firing { start } => (start, Change::Relapsed),
        Phase::Recovering { start, .. } => (start, Change::Recovering),
        Phase::Inactive | Phase::Pending { .. } => return None,
    };
    (was.as_str() != now.as_str()).then_some(Transition { change, start })
}

/// An episode that goes on is marked while its figures are stale.
fn staleness(was: Phase, was_stale: bool, track: &Track) -> Option<Transition> {
    let start = was.start().filter(|start| track.now.start() == Some(*start) && was_stale != track.stale)?;
    Some(Transition { change: if track.stale { Change::Frozen } else { Change::Thawed }, start })
}

#[cfg(test)]
mod tests;
