//! The tables of a report beside the four-hour ones: arrivals, waits, admissions, ambulances, beds. A table of which
//! nothing is held in any of the three periods is left out.

use domain::event::Category;
use domain::measures::{Measure, Tag, TypeTag};

use super::super::Report;
use super::super::document::Section;
use super::super::figures::{Figures, Highest, Tally};
use super::super::number::{self, Better, NONE, Share, count};
use super::super::period::{self, Span};
use super::heads;

/// Every table of which something is held.
pub(super) fn of(report: &Report) -> Vec<Section> {
    let tables = [arrivals, treatment, department, admission, handovers, responses, beds, first_known]
        .map(|table| table(report));
    tables.into_iter().flatten().collect()
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

    /// A row of what a series gives in each period; left out where no period has it.
    fn row(
        &mut self,
        label: &str,
        measure: Measure,
        tag: impl Into<Tag>,
        cell: impl Fn(&Tally, &Figures) -> String,
    ) {
        let tag = tag.into();
        let cells = self.report.periods().map(|figures| match figures.tally(measure, tag) {
            Some(tally) => cell(tally, figures),
            None => NONE.to_owned(),
        });
        if cells.iter().any(|cell| cell != NONE) {
            self.section.row(label, cells);
        }
    }

    fn total(&mut self, label: &str, measure: Measure, tag: impl Into<Tag>, field: &str) {
        self.row(label, measure, tag, |tally, _| count(tally.total(field)));
    }

    /// Some of all, where less is better: `1,234 (5.6 %)`.
    fn share(&mut self, label: &str, measure: Measure, tag: impl Into<Tag>, fields: [&str; 2]) {
        self.row(label, measure, tag, |tally, _| {
            let share = Share::of(tally.total(fields[0]), tally.total(fields[1]));
            format!("{} ({})", count(share.part), share.one_decimal(Better::Lower))
        });
    }

    /// The made-up parts of imported tables are said to be so; beds and returns are never made up.
    fn done(self, notes: &[&str]) -> Option<Section> {
        let notes = notes.iter().map(|note| (*note).to_owned()).collect();
        (!self.section.rows.is_empty()).then_some(Section { notes, ..self.section })
    }

    fn made_up_by_import(self, notes: &[&str]) -> Option<Section> {
        let made_up = self.report.is_made_up();
        let mut section = self.done(notes)?;
        if made_up {
            section.notes.insert(0, "Made up by the import of published tables: see above.".to_owned());
        }
        Some(section)
    }
}

fn arrivals(report: &Report) -> Option<Section> {
    let mut table = Table::new(report, "Arrivals, by type of department", "Arrived");
    for (tag, name) in [
        (TypeTag::All, "All types"),
        (TypeTag::One, "Type 1 (major)"),
        (TypeTag::Five, "Type 5 (same-day emergency care)"),
    ] {
        let measure = Measure::AeArrivals;
        table.total(&format!("{name}: arrived"), measure, tag, "arrived");
        table.total(&format!("{name}: of these by ambulance"), measure, tag, "by_ambulance");
        table.row(&format!("{name}: a day"), measure, tag, |tally, figures| match figures.so_far {
            // A part of a day is none.
            Some(_) => NONE.to_owned(),
            None => number::mean_count(tally.total("arrived"), figures.held as i64),
        });
    }
    table.made_up_by_import(&["Without planned attendances. Type 5 is in no other figure of all types."])
}

fn treatment(report: &Report) -> Option<Section> {
    let mut table =
        Table::new(report, "Time to treatment, by type of department", "Clock start to treatment");
    for (tag, name) in [(TypeTag::All, "All types"), (TypeTag::One, "Type 1 (major)")] {
        let measure = Measure::AeTreatment;
        table.total(&format!("{name}: treated"), measure, tag, "treated");
        table.row(&format!("{name}: {}", of_days(report, "median")), measure, tag, |tally, _| {
            // Medians are held in half minutes: rounded up.
            let halves = tally.highest("median_minutes");
            on_day(Highest { value: (halves.value + 1).div_euclid(2), ..halves }, number::minutes)
        });
        table.row(&format!("{name}: {}", of_days(report, "90th percentile")), measure, tag, |tally, _| {
            on_day(tally.highest("p90_minutes"), number::minutes)
        });
    }
    table.made_up_by_import(&[PERCENTILES])
}

const PERCENTILES: &str =
    "Medians and percentiles of days are not averaged: the worst day's is shown, with its date.";

/// What a figure that is not summed is called: that of a day, or of the worst of several.
fn of_days(report: &Report, figure: &str) -> String {
    match report.now.period.span {
        Span::Day => figure.to_owned(),
        Span::Week | Span::Month => format!("worst day's {figure}"),
    }
}

fn on_day(highest: Highest, write: impl Fn(i64) -> String) -> String {
    format!("{}, {}", write(highest.value), period::day_of(highest.at).strftime("%-d %b"))
}

fn department(report: &Report) -> Option<Section> {
    let mut table = Table::new(report, "In the departments at midnight, all types", "At 00:00 local time");
    let (measure, tag) = (Measure::AeDepartment, TypeTag::All);
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
    table.row("Present, the most at a midnight", measure, tag, |tally, _| {
        on_day(tally.highest("present"), count)
    });
    table.row("Longest on the clock since arrival", measure, tag, |tally, _| {
        on_day(tally.highest("longest_minutes"), number::minutes)
    });
    table.made_up_by_import(&[])
}

fn admission(report: &Report) -> Option<Section> {
    let mut table = Table::new(report, "Waits from decision to admit, all types", "Admitted through A&E");
    let (measure, tag) = (Measure::AeAdmission, TypeTag::All);
    table.total("Admitted", measure, tag, "admitted");
    table.share("over 4 h since decision to admit", measure, tag, ["over_4h_decision", "admitted"]);
    table.share("over 12 h since decision to admit", measure, tag, ["over_12h_decision", "admitted"]);
    let imported =
        "As published, where the import could place them on attendances; it said how many it could not.";
    let apart = "Not to be confused with 12 h since arrival, which are far more.";
    if report.is_made_up() { table.done(&[apart, imported]) } else { table.done(&[apart]) }
}

fn handovers(report: &Report) -> Option<Section> {
    let mut table = Table::new(report, "Ambulance handovers", "Arrived to handed over");
    let (measure, tag) = (Measure::AmbHandover, Tag::None);
    table.total("Handovers", measure, tag, "completed");
    table.row("Mean (h:mm:ss)", measure, tag, |tally, _| {
        number::mean_clock(tally.total("total_s"), tally.total("completed"))
    });
    for (field, label) in [
        ("over_15m", "Over 15 minutes"),
        ("over_30m", "Over 30 minutes"),
        ("over_45m", "Over 45 minutes"),
        ("over_60m", "Over 60 minutes"),
    ] {
        table.share(label, measure, tag, [field, "completed"]);
    }
    table.row("Time lost beyond 15 minutes", measure, tag, |tally, _| {
        number::hours(tally.total("lost_15m_s"))
    });
    table.row("Time lost beyond 30 minutes", measure, tag, |tally, _| {
        number::hours(tally.total("lost_30m_s"))
    });
    table.row(&number::capital(&of_days(report, "90th percentile")), measure, tag, |tally, _| {
        on_day(tally.highest("p90_s"), number::clock)
    });
    table.done(&[PERCENTILES])
}

fn responses(report: &Report) -> Option<Section> {
    let mut table =
        Table::new(report, "Ambulance responses, by category", "Clock start to response (h:mm:ss)");
    for category in Category::ALL.iter().copied() {
        let (measure, name) = (Measure::AmbResponse, category.as_str());
        table.total(&format!("{name}: responses"), measure, category, "responses");
        table.row(&format!("{name}: mean"), measure, category, |tally, _| {
            number::mean_clock(tally.total("total_s"), tally.total("responses"))
        });
        table.row(
            &format!("{name}: {}", of_days(report, "90th percentile")),
            measure,
            category,
            |tally, _| on_day(tally.highest("p90_s"), number::clock),
        );
    }
    table.done(&[PERCENTILES])
}

fn beds(report: &Report) -> Option<Section> {
    let mut table =
        Table::new(report, "General and acute beds, adult", "At 08:00 local time, means of the mornings");
    let (measure, tag) = (Measure::BedState, Tag::None);
    for (field, label) in [
        ("open", "Open"),
        ("escalation_open", "of these escalation beds"),
        ("occupied", "Occupied"),
        ("no_criteria_to_reside", "Patients without criteria to reside"),
    ] {
        table.row(label, measure, tag, |tally, _| number::mean_count(tally.total(field), tally.points));
    }
    table.row("Occupancy (occupied of open)", measure, tag, |tally, _| {
        Share::of(tally.total("occupied"), tally.total("open")).two_decimals(Better::Lower, &[0.85, 0.92])
    });
    table.row("Mornings with figures", measure, tag, |tally, figures| {
        format!("{} of {}", tally.points, figures.days)
    });
    if let Some(row) = table.section.rows.iter_mut().find(|row| row.label.starts_with("Occupancy")) {
        row.strong = true;
    }
    table.done(&["Patients without criteria to reside are counted with critical care: they can be more than the occupied."])
}

/// What was first said of the days beside what is said of them now, where they differ. Both must be there for the same
/// days.
fn first_known(report: &Report) -> Option<Section> {
    let mut table = Table::new(report, "As first known and now", "Within four hours");
    for (tag, name) in [(TypeTag::All, "All types"), (TypeTag::One, "Type 1 (major)")] {
        if !report.periods().iter().any(|figures| has_changed(figures, tag)) {
            continue;
        }
        for (measure, when) in [(Measure::FirstKnown, "as first known"), (Measure::AeFourHour, "now")] {
            table.row(&format!("{name}, {when}"), measure, tag, |tally, figures| {
                if !has_both(figures, tag) {
                    return NONE.to_owned();
                }
                let share = Share::of(tally.total("within"), tally.total("departed"));
                format!("{} of {}", share.two_decimals(Better::Higher, &[]), count(share.whole))
            });
        }
    }
    table.done(&["First known is what was said of each day in the minute after its end; what came later is in the figures now."])
}

fn has_both(figures: &Figures, tag: TypeTag) -> bool {
    let points = |measure| figures.tally(measure, tag).map(|tally| tally.points);
    points(Measure::FirstKnown).is_some() && points(Measure::FirstKnown) == points(Measure::AeFourHour)
}

fn has_changed(figures: &Figures, tag: TypeTag) -> bool {
    let total = |measure, field| figures.tally(measure, tag).map(|tally| tally.total(field));
    let differs = |field| total(Measure::FirstKnown, field) != total(Measure::AeFourHour, field);
    has_both(figures, tag) && ["departed", "within"].into_iter().any(differs)
}
