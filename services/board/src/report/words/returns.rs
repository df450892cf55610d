//! The tables of what is returned and declared: periodic standards, escalation.

use domain::standard::{Better as Way, Kind};

use super::super::document::Section;
use super::super::escalation::{Escalation, Levels};
use super::super::number::{self, Better, NONE, count};
use super::super::standards::{Returned, StandardLine};
use super::super::{Report, period};
use super::NAMED;

/// Each standard with any return.
pub(super) fn standards(report: &Report) -> Option<Section> {
    if report.standards.is_empty() {
        return None;
    }
    let head = ["Standard", "Period to", "Figure", "Target", "A year before", "Reported by"];
    let mut section = Section::new("Periodic standards: the newest returns by the end of the period", &head);
    for line in &report.standards {
        let end = period::day_of(line.end).strftime("%-d %b %Y").to_string();
        let target =
            line.target.as_ref().map_or_else(|| NONE.to_owned(), |target| threshold(line, target.value));
        let year_before = line.year_before.map_or_else(|| NONE.to_owned(), |then| figure(line, then));
        let reported = format!("{} of {}", count(line.newest.reporting), count(line.newest.expected));
        let mark = if line.misses() { " *" } else { "" };
        let figure = format!("{}{mark}", figure(line, line.newest));
        section.row(&line.title, [end, figure, target, year_before, reported]);
    }
    for line in report.standards.iter().filter(|line| line.overdue.is_some()) {
        if let Some((end, missing)) = line.overdue {
            let end = period::day_of(end).strftime("%-d %B %Y").to_string();
            section.notes.push(format!(
                "Overdue from {} for the period to {end}: {}.",
                count(missing),
                line.title
            ));
        }
    }
    if report.standards.iter().any(|line| line.newest.p90_s > 0) {
        section.notes.push("90th: the percentile as it was returned; such are not rolled up.".to_owned());
    }
    if report.standards.iter().any(StandardLine::misses) {
        section.notes.push("*: misses its target.".to_owned());
    }
    Some(section)
}

fn figure(line: &StandardLine, returned: Returned) -> String {
    let thresholds: Vec<f64> = line.target.iter().map(|target| target.value).collect();
    let better = match line.better {
        Way::Higher => Better::Higher,
        Way::Lower => Better::Lower,
    };
    match line.kind {
        Kind::Share => returned.share().two_decimals(better, &thresholds),
        Kind::Count => count(returned.count),
        Kind::Mean if returned.p90_s > 0 => {
            let mean = number::mean_clock(returned.total_s, returned.total);
            format!("{mean}, 90th {}", number::clock(returned.p90_s))
        }
        Kind::Mean => number::mean_clock(returned.total_s, returned.total),
    }
}

fn threshold(line: &StandardLine, value: f64) -> String {
    match line.kind {
        Kind::Share => number::threshold(value),
        Kind::Count => count(value as i64),
        Kind::Mean => number::clock(value as i64),
    }
}

/// Everybody with a declared or computed level.
pub(super) fn escalation(report: &Report) -> Option<Section> {
    if report.escalations.is_empty() {
        return None;
    }
    let head = ["Organisation", "Declared", "Computed", "Score", "Not known"];
    let mut section = Section::new("Escalation at the end of the period, declared and computed", &head);
    for found in report.escalations.iter().take(NAMED) {
        section.row(&found.place.label(), escalation_cells(found));
    }
    for (level, name) in [(4, "four"), (3, "three")] {
        let declared = report.escalations.iter().filter(|one| declares(one, level)).count();
        let computed = report.escalations.iter().filter(|one| computes(one, level)).count();
        section.notes.push(format!(
            "Level {name} at the end: declared by {}, computed of {}.",
            number::how_many(declared),
            number::how_many(computed)
        ));
    }
    section.notes.push(
        "Declared is what people said, computed what the score gives; in brackets the highest of the period. Parameters \
         that are not known count nothing: such a score understates."
            .to_owned(),
    );
    if report.escalations.len() > NAMED {
        section.notes.push(format!("The {NAMED} highest are named; --format json has all."));
    }
    Some(section)
}

fn declares(found: &Escalation, level: i64) -> bool {
    found.declared.iter().any(|(_, levels)| levels.at_end == level)
}

fn computes(found: &Escalation, level: i64) -> bool {
    found.computed.iter().any(|one| one.levels.at_end == level)
}

fn escalation_cells(found: &Escalation) -> [String; 4] {
    let levels = |levels: Levels| match (levels.at_end, levels.highest) {
        (0, highest) => format!("{NONE} ({highest})"),
        (at_end, highest) => format!("{at_end} ({highest})"),
    };
    let joined = |texts: Vec<String>| if texts.is_empty() { NONE.to_owned() } else { texts.join("; ") };
    let several = found.declared.len() > 1;
    let declared = found
        .declared
        .iter()
        .map(|(scale, held)| if several { format!("{scale} {}", levels(*held)) } else { levels(*held) });
    let computed = |write: &dyn Fn(&super::super::escalation::Computed) -> String| {
        joined(found.computed.iter().map(write).collect())
    };
    [
        joined(declared.collect()),
        computed(&|one| levels(one.levels)),
        computed(&|one| count(one.score)),
        computed(&|one| count(one.missing)),
    ]
}
