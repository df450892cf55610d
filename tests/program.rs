//! The program in the model's words: the configuration of a case as the program takes it, and its points as the model
//! would give them.

use std::borrow::Cow;
use std::sync::Arc;

use domain::date::{Date, Period};
use domain::engine::{HORIZON_MINUTES, Settings};
use domain::freshness::Patience;
use domain::measures::{self, Number, SeriesKey, Tag};
use domain::organisations::Organisations;
use domain::organisations::areas::AreaRow;
use domain::organisations::groups::GroupRow;
use domain::standard::{Kind, Pause, Reports, Standard, Standards};

use crate::model::{self, Points, Series, put};

/// The configuration of a story or a case as the program takes it.
pub fn settings(orgs: &Organisations, settings: &model::Settings) -> Settings {
    Settings {
        orgs: Arc::new(divided(orgs, settings)),
        standards: Standards {
            standards: settings.standards.iter().map(standard).collect(),
            scales: settings.scales.clone(),
        },
        frameworks: Default::default(),
        windows: settings.windows.clone(),
        exclude_disposals: settings.exclude_disposals.clone(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
    }
}

/// The organisations with the groups and the areas of a case.
fn divided(orgs: &Organisations, settings: &model::Settings) -> Organisations {
    let area = |area: &model::Area| AreaRow {
        site: area.site.clone(),
        area: area.area.clone(),
        capacity: "7".to_owned(),
    };
    let group = |group: &model::Group| {
        let row = |member: &String| GroupRow {
            group: group.code.clone(),
            name: group.code.clone(),
            member: member.clone(),
        };
        group.members.iter().map(row).collect::<Vec<_>>()
    };
    let areas: Vec<AreaRow> = settings.areas.iter().map(area).collect();
    let groups: Vec<GroupRow> = settings.groups.iter().flat_map(group).collect();
    let orgs = orgs.clone().with_areas(&areas).expect("the areas of a case are right");
    orgs.with_groups(&groups).expect("the groups of a case are right")
}

fn standard(one: &model::Standard) -> Standard {
    let period = match one.period {
        model::Period::Week => Period::Week,
        model::Period::Month => Period::Month,
        model::Period::Quarter => Period::Quarter,
    };
    Standard {
        reports: match &one.reports {
            model::Reports::Level(level) => Reports::Level(*level),
            model::Reports::Orgs(codes) => Reports::Orgs(codes.clone()),
        },
        paused: one.paused.iter().map(|(from, to)| Pause { from: Date(*from), to: Date(*to) }).collect(),
        ..Standard::new(&one.id, Kind::Share, period)
    }
}

/// What the model calls a series of the program.
pub fn series(key: SeriesKey) -> Series {
    let tag = match key.tag {
        Tag::None => Cow::Borrowed(""),
        Tag::Type(tag) => Cow::Borrowed(tag.as_str()),
        Tag::Category(category) => Cow::Borrowed(category.as_str()),
        Tag::Text(text) => Cow::Owned(text.as_str().to_owned()),
    };
    Series { measure: key.measure.as_str(), tag, window: key.window }
}

/// Puts what a series of the program shows among the points of its minute. What depends on when things were known is
/// outside the equality (spec 2.6): the model has no such measure.
pub fn put_series(points: &mut Points, code: &str, shown: &measures::Series) {
    let is_modelled = model::MEASURES.iter().any(|row| row.name == shown.key.measure.as_str());
    if !is_modelled || shown.values.iter().all(|value| *value == 0) {
        return;
    }
    let series = series(shown.key);
    for (field, value) in shown.fields() {
        let number = match field.number(value) {
            Number::Integer(value) => value as f64,
            Number::Float(value) => value,
        };
        put(points, code, &series, field.name, number);
    }
}
