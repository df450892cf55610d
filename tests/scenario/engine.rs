//! The program as something that can show figures: the replay of a file, and the live engine on a virtual clock.

use std::collections::BTreeMap;

use domain::engine::{Engine, HORIZON_MINUTES, Settings};
use domain::event::{Event, Outcome};
use domain::ids::OrgId;
use domain::measures::{self, OrgMinute, Revision};
use domain::replay::Replay;
use domain::sweep::Scope;
use domain::time::{Millis, Minute};

use super::Figures;
use crate::model::{Fields, Points, Series};
use crate::program;

impl Figures for Replay {
    /// A file has no log time.
    fn take(&mut self, event: Event<'static>, _log_time: Option<Millis>) -> Outcome {
        Replay::take(self, &event).0
    }

    fn fields(&mut self, place: &str, series: &Series, m: Minute) -> Option<Fields> {
        let orgs = self.ledger().organisations();
        let scope = Scope {
            orgs: orgs.iter().map(|(_, org)| org.code == place).collect(),
            measures: program::measures(),
            windows: series.window.into_iter().collect(),
        };
        let mut points = Points::new();
        let mut each = |_: OrgId, _: Minute, one: &measures::Series| {
            program::put_series(&mut points, place, one);
        };
        self.points(scope, m.start(), m.start(), 1, &mut each, &mut |_| {});
        Some(points.remove(&(place.into(), series.clone())).unwrap_or_default())
    }
}

/// The live engine, and what it has published. Its clock is moved by the story: to each event's log time, and to each
/// minute that is asked for.
pub struct Live {
    engine: Engine,
    now: Option<Millis>,
    published: BTreeMap<(Minute, String, Series), (Revision, measures::Series)>,
}

impl Live {
    /// An engine that has heard nothing.
    pub fn new(settings: Settings) -> Live {
        Live { engine: Engine::new(settings, 1), now: None, published: BTreeMap::new() }
    }

    /// It is that late, or later.
    fn at(&mut self, time: Millis) {
        match self.now {
            None => self.engine.begin(time),
            Some(now) if now < time => {
                self.engine.tick(time);
            }
            Some(_) => return,
        }
        self.now = Some(time);
        self.publish();
    }

    fn publish(&mut self) {
        let published = &mut self.published;
        let mut each = |one: OrgMinute| {
            for series in &one.series {
                let key = (one.minute, one.org.clone(), program::series(series.key));
                let held = published.entry(key).or_insert((one.revision, *series));
                if held.0 <= one.revision {
                    *held = (one.revision, *series);
                }
            }
        };
        self.engine.publish_newest(&mut each);
        while self.engine.publish_older(10_000, &mut each) > 0 {}
    }
}

impl Figures for Live {
    /// What has no log time is taken as it is recorded.
    fn take(&mut self, event: Event<'static>, log_time: Option<Millis>) -> Outcome {
        let log_time = log_time.unwrap_or(event.recorded_at);
        self.at(log_time);
        self.engine.take(&event, log_time).0
    }

    fn fields(&mut self, place: &str, series: &Series, m: Minute) -> Option<Fields> {
        self.at(Millis::from(m.start()));
        self.publish();
        let newest = self.now.expect("the clock was moved").closed_minute();
        // A return is written again however old its period is.
        if m < newest.minus(HORIZON_MINUTES) && series.measure != "standard" {
            return None;
        }
        let mut points = Points::new();
        if let Some((_, shown)) = self.published.get(&(m, place.to_owned(), series.clone())) {
            program::put_series(&mut points, place, shown);
        }
        Some(points.remove(&(place.into(), series.clone())).unwrap_or_default())
    }
}
