//! The tables of a report beside the four-hour ones: arrivals, ambulances, those who wait. A table of which nothing is
//! held in any of the three periods is left out.

use domain::measures::{Measure, TypeTag};

use super::super::Report;
use super::super::document::Section;
use super::super::figures::{Figures, Tally};
use super::super::number::{self, Better, NONE, Share, count};
use super::heads;

/// Every table of which something is held.
pub(super) fn of(report: &Report) -> Vec<Section> {
    [arrivals(report), handovers(report), department(report)].into_iter().flatten().collect()
}

/// A table of one or more series, each row a figure of a tally.
struct Table<'a> {
    report: &'a Report,
    section: Section,
}

impl<'a> Table<'a> {
    fn new(report: &'a Report, title: &str, first: &str) -> Table<'a> {
        let head = heads(report, first);
        Table { report, section: Section { title: title.to_owned(), head, ..Section::default() } }
    }

    /// A row of what a series gives in each period.
    fn row(
        &mut self,
        label: &str,
        measure: Measure,
        tag: Option<TypeTag>,
        cell: impl Fn(&Tally, &Figures) -> String,
    ) {
        let cells = self.report.periods().map(|figures| match figures.tally(measure, tag) {
            Some(tally) => cell(tally, figures),
            None => NONE.to_owned(),
        });
        if cells.iter().any(|cell| cell != NONE) {
            self.section.row(label, cells);
        }
    }

    fn total(&mut self, label: &str, measure: Measure, tag: Option<TypeTag>, field: &str) {
        self.row(label, measure, tag, |tally, _| count(tally.total(field)));
    }

    fn done(self, notes: &[&str]) -> Option<Section> {
        let made_up =
            self.report.is_made_up().then_some("Made up by the import of published tables: see above.");
        let notes = made_up.iter().chain(notes).map(|note| (*note).to_owned()).collect();
        (!self.section.rows.is_empty()).then_some(Section { notes, ..self.section })
    }
}

fn arrivals(report: &Report) -> Option<Section> {
    let mut table = Table::new(report, "Arrivals, by type of department", "Arrived");
    for (tag, name) in [
        (TypeTag::All, "All types"),
        (TypeTag::One, "Type 1 (major)"),
        (TypeTag::Five, "Type 5 (same-day emergency care)"),
    ] {
        let (measure, tag) = (Measure::AeArrivals, Some(tag));
        table.total(&format!("{name}: arrived"), measure, tag, "arrived");
        table.total(&format!("{name}: of these by ambulance"), measure, tag, "by_ambulance");
        table.row(&format!("{name}: a day"), measure, tag, |tally, figures| {
            number::mean_count(tally.total("arrived"), figures.held as i64)
        });
    }
    table.done(&["Without planned attendances. Type 5 is in no other figure of all types."])
}

fn handovers(report: &Report) -> Option<Section> {
    let mut table = Table::new(report, "Ambulance handovers", "Arrived to handed over");
    let measure = Measure::AmbHandover;
    table.total("Handovers", measure, None, "completed");
    table.row("Mean (h:mm:ss)", measure, None, |tally, _| {
        number::mean_clock(tally.total("total_s"), tally.total("completed"))
    });
    for (field, label) in [
        ("over_15m", "Over 15 minutes"),
        ("over_30m", "Over 30 minutes"),
        ("over_45m", "Over 45 minutes"),
        ("over_60m", "Over 60 minutes"),
    ] {
        table.row(label, measure, None, |tally, _| {
            let share = Share::of(tally.total(field), tally.total("completed"));
            format!("{} ({})", count(share.part), share.one_decimal(Better::Lower))
        });
    }
    table.row("Time lost beyond 15 minutes", measure, None, |tally, _| {
        number::hours(tally.total("lost_15m_s"))
    });
    table.row("Time lost beyond 30 minutes", measure, None, |tally, _| {
        number::hours(tally.total("lost_30m_s"))
    });
    table.row("Worst day's 90th percentile (h:mm:ss)", measure, None, |tally, _| {
        number::clock(tally.highest("p90_s").value)
    });
    table.done(&["Percentiles of days are not averaged: the worst day's is shown."])
}

fn department(report: &Report) -> Option<Section> {
    let mut table = Table::new(report, "In the departments at midnight, all types", "At 00:00 local time");
    let (measure, tag) = (Measure::AeDepartment, Some(TypeTag::All));
    for (field, label) in [
        ("present", "Present, mean of the midnights"),
        ("awaiting_admission", "of these waiting for admission, mean"),
        ("awaiting_over_12h", "over 12 h since decision to admit, mean"),
        ("over_12h", "On the clock over 12 h since arrival, mean"),
    ] {
        table.row(label, measure, tag, |tally, figures| {
            number::mean_count(tally.total(field), figures.held as i64)
        });
    }
    table.row("Present, the highest of a midnight", measure, tag, |tally, _| {
        count(tally.highest("present").value)
    });
    table.row("Longest on the clock since arrival at any midnight", measure, tag, |tally, _| {
        number::minutes(tally.highest("longest_minutes").value)
    });
    table.done(&[])
}
