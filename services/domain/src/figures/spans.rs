//! Values that count for a while, by the minute at which they begin.

use crate::area::AreaStay;
use crate::attendance::{OPEN_AT_MOST, Stay};
use crate::journey::Wait;
use crate::time::{DAY, Minute};
use crate::timeline::{Timed, Timeline};

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

impl Span for AreaStay {
    const SHORT: u32 = OPEN_AT_MOST + 60;
    fn begin(&self) -> Minute {
        self.begin
    }
    fn end(&self) -> Minute {
        self.end
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

    pub(crate) fn add(&mut self, span: T) {
        if span.end() > self.floor {
            self.line(&span).add(ByBegin(span));
        }
    }

    pub(crate) fn remove(&mut self, span: T) {
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

    pub(crate) fn trim(&mut self, minute: Minute) {
        self.floor = self.floor.max(minute);
        self.short.trim(minute.minus(T::SHORT + 60));
        let floor = self.floor;
        self.long.retain(|one| one.0.end() > floor);
    }
}
