//! The program in the model's words: the configuration of a case as the program takes it, and its points as the model
//! would give them.

use std::borrow::Cow;
use std::sync::Arc;

use domain::date::{Date, Period};
use domain::engine::{HORIZON_MINUTES, Settings};
use domain::freshness::Patience;
use domain::measures::{self, Field, Measure, Number, SeriesKey, Tag};
use domain::organisations::Organisations;
use domain::organisations::areas::AreaRow;
use domain::organisations::groups::GroupRow;
use domain::standard::{Kind, Pause, Reports, Standard, Standards};

use crate::model::{self, Points, Series, put};

/// The configuration of a story or a case as the program takes it.
pub fn settings(orgs: &Organisations, settings: &model::Settings) -> Settings {
    Settings {
        orgs: Arc::new(organisations(orgs, settings)),
        standards: Standards {
            standards: settings.standards.iter().map(standard).collect(),
            scales: settings.scales.clone(),
        },
        windows: settings.windows.clone(),
        exclude_disposals: settings.exclude_disposals.clone(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
        frameworks: Default::default(),
    }
}

/// The organisations with the groups and areas of the settings.
pub fn organisations(orgs: &Organisations, settings: &model::Settings) -> Organisations {
    let group = |group: &model::Group| -> Vec<GroupRow> {
        let row = |member: &String| GroupRow {
            group: group.code.clone(),
            name: format!("The group {}", group.code),
            member: member.clone(),
        };
        group.members.iter().map(row).collect()
    };
    let groups: Vec<GroupRow> = settings.groups.iter().flat_map(group).collect();
    let area = |area: &model::Area| AreaRow {
        site: area.site.clone(),
        area: area.area.clone(),
        capacity: "10".to_owned(),
    };
    let areas: Vec<AreaRow> = settings.areas.iter().map(area).collect();
    let orgs = orgs.clone().with_groups(&groups).expect("right groups");
    orgs.with_areas(&areas).expect("right areas")
}

/// The measures that are a function of the events (spec 2.6).
pub fn measures() -> Vec<Measure> {
    model::MEASURES.iter().map(|row| Measure::parse(row.name).expect("the program has it")).collect()
}

fn standard(of: &model::Standard) -> Standard {
    let period = match of.period {
        model::Period::Week => Period::Week,
        model::Period::Month => Period::Month,
        model::Period::Quarter => Period::Quarter,
    };
    let reports = match &of.reports {
        model::Reports::Level(level) => Reports::Level(*level),
        model::Reports::Orgs(codes) => Reports::Orgs(codes.clone()),
    };
    let paused = of.paused.iter().map(|(from, to)| Pause { from: Date(*from), to: Date(*to) }).collect();
    Standard { reports, paused, ..Standard::new(&of.id, Kind::Share, period) }
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

/// Puts what a series of the program shows among the points of its minute; what is outside the model is left out.
pub fn put_series(points: &mut Points, code: &str, shown: &measures::Series) {
    let is_compared = model::MEASURES.iter().any(|row| row.name == shown.key.measure.as_str());
    // Who had to report is configuration: `expected` alone is no point, whether it was written or not.
    let is_news = |(field, value): (Field, i64)| {
        value != 0 && (shown.key.measure != Measure::Standard || field.name != "expected")
    };
    if !is_compared || !shown.fields().any(is_news) {
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
