//! The dated targets beside the figures that they are for (spec 2.5): each with the points at which it counts.

use domain::measures::SeriesKey;
use domain::organisations::Level;
use domain::target::{Step, Target};
use domain::time::Minute;
use serde::Serialize;

use super::Board;
use crate::read::Range;

/// A target for a value of a series, in force at the points from one minute to another, both included.
#[derive(Debug, Serialize)]
pub(super) struct TargetView {
    /// What is held against it: `ae_four_hour.within / ae_four_hour.departed`.
    value: String,
    /// Unix seconds of the first point of the answer at which it can count.
    from: i64,
    /// Unix seconds of the last.
    until: i64,
    target: f64,
    source: String,
    verified: bool,
}

/// The targets of a series that are in force somewhere in a range.
pub(super) fn in_force(board: &Board, level: Level, key: &SeriesKey, range: Range) -> Vec<TargetView> {
    let targets = &board.tables.targets;
    let window = key.window.map(|window| ("window", window.to_string()));
    let tags: Vec<(&str, String)> =
        key.tags().map(|(name, text)| (name, text.to_owned())).chain(window).collect();
    let mut views = Vec::new();
    let mut seen = Vec::new();
    for one in &targets.targets {
        let value = one.value;
        if !value.fields().all(|field| field.measure == key.measure) || seen.contains(&value) {
            continue;
        }
        seen.push(value);
        if let Some(target) = targets.find(value, level, &tags) {
            views.extend(steps(board, target, range));
        }
    }
    views
}

fn steps<'a>(board: &'a Board, target: &'a Target, range: Range) -> impl Iterator<Item = TargetView> + 'a {
    let days = &board.days;
    target.steps.iter().enumerate().filter_map(move |(index, step)| {
        let next = target.steps.get(index + 1).map(|next| next.from);
        let end = [step.to.map(|to| to.plus(1)), next].into_iter().flatten().min();
        // The point of midnight belongs to the day that ends there.
        let from = days.start_of(step.from).plus(1).max(range.from);
        let until = end.map_or(range.until, |end| days.start_of(end).min(range.until));
        (from <= until).then(|| view(target, step, from, until))
    })
}

fn view(target: &Target, step: &Step, from: Minute, until: Minute) -> TargetView {
    TargetView {
        value: target.value.to_string(),
        from: i64::from(from.start().0),
        until: i64::from(until.start().0),
        target: step.value.to_string().parse().expect("a decimal reads as a number"),
        source: step.source.clone(),
        verified: step.verified,
    }
}
