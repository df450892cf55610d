//! The program as something that can show figures: the replay of a file, and the live engine on a virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::date::Period;
use domain::engine::{Engine, HORIZON_MINUTES, Settings};
use domain::event::{Event, Outcome};
use domain::freshness::Patience;
use domain::ids::OrgId;
use domain::measures::{Measure, OrgMinute, Revision, SeriesKey, Values};
use domain::organisations::Organisations;
use domain::replay::Replay;
use domain::standard::{Kind, Standard, Standards};
use domain::sweep::Scope;
use domain::time::{Millis, Minute};

use super::Figures;
use crate::model;

/// The configuration of a story as the program takes it.
pub fn settings(orgs: &Organisations, settings: &model::Settings) -> Settings {
    Settings {
        orgs: Arc::new(orgs.clone()),
        standards: Standards {
            standards: settings
                .standards
                .iter()
                .map(|id| Standard::new(id, Kind::Share, Period::Week))
                .collect(),
            scales: settings.scales.clone(),
        },
        frameworks: Default::default(),
        windows: settings.windows.clone(),
        exclude_disposals: settings.exclude_disposals.clone(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
    }
}

impl Figures for Replay {
    /// A file has no log time.
    fn take(&mut self, event: Event<'static>, _log_time: Option<Millis>) -> Outcome {
        Replay::take(self, &event).0
    }

    fn values(&mut self, org: OrgId, series: SeriesKey, m: Minute) -> Option<Values> {
        let orgs = self.ledger().organisations();
        let scope = Scope {
            orgs: orgs.iter().map(|(one, _)| one == org).collect(),
            measures: Measure::swept().collect(),
            windows: series.window.into_iter().collect(),
        };
        let mut found = Values::default();
        let mut each = |_: OrgId, _: Minute, one: &domain::measures::Series| {
            if one.key == series {
                found = one.values;
            }
        };
        self.points(scope, m.start(), m.start(), 1, &mut each, &mut |_| {});
        Some(found)
    }
}

/// The live engine, and what it has published. Its clock is moved by the story: to each event's log time, and to each
/// minute that is asked for.
pub struct Live {
    engine: Engine,
    now: Option<Millis>,
    published: BTreeMap<(Minute, String, SeriesKey), (Revision, Values)>,
    orgs: Arc<Organisations>,
}

impl Live {
    /// An engine that has heard nothing.
    pub fn new(settings: Settings) -> Live {
        let orgs = settings.orgs.clone();
        Live { engine: Engine::new(settings, 1), now: None, published: BTreeMap::new(), orgs }
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
                let held = published.entry((one.minute, one.org.clone(), series.key)).or_default();
                *held = (*held).max((one.revision, series.values));
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

    fn values(&mut self, org: OrgId, series: SeriesKey, m: Minute) -> Option<Values> {
        self.at(Millis::from(m.start()));
        self.publish();
        let newest = self.now.expect("the clock was moved").closed_minute();
        if m < newest.minus(HORIZON_MINUTES) {
            return None;
        }
        let key = (m, self.orgs.get(org).code.clone(), series);
        Some(self.published.get(&key).map(|(_, values)| *values).unwrap_or_default())
    }
}
