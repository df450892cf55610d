//! What a report says: every sentence, title and label of it is here and nowhere else.
//!
//! The type of department is in every title and label (a minor injuries unit at 99 % hides a bad A&E), and the two
//! twelve-hour figures always bear their full name.

use domain::measures::TypeTag;
use domain::organisations::Level;

use super::document::{Document, Section};
use super::figures::{Figures, FourHour, Source};
use super::number::{self, Better, NONE, Share, count};
use super::period::{self, Period, Span};
use super::{Below, BelowOne, Report};

mod returns;
mod tables;

/// What must stand where figures of published tables are shown.
const LICENCE: &str =
    "Contains public sector information licensed under the Open Government Licence v3.0 (NHS England).";
/// Of how many organisations below the floor a document names.
const NAMED: usize = 25;
/// Of how many the summary names.
const NAMED_IN_SUMMARY: usize = 3;

/// The report in sentences and tables.
pub(super) fn document(report: &Report) -> Document {
    let mut sections = vec![four_hour(report)];
    sections.extend(below(&report.below));
    sections.extend(tables::of(report));
    sections.extend(returns::escalation(report));
    sections.extend(returns::standards(report));
    sections.push(completeness(report));
    Document {
        title: format!("Situation report: {}", report.place.label()),
        subtitle: days(&report.now),
        labels: labels(report),
        summary: summary(report),
        sections,
        notes: notes(report),
    }
}

/// `October 2017 (1 October 2017 to 31 October 2017)`.
fn days(figures: &Figures) -> String {
    let period = figures.period;
    let date = |day: jiff::civil::Date| day.strftime("%A %-d %B %Y").to_string();
    match period.span {
        Span::Day => date(period.last),
        Span::Week => format!("Week from {} to {}", date(period.first), date(period.last)),
        Span::Month => format!("{}, from {} to {}", period.title(), date(period.first), date(period.last)),
    }
}

fn labels(report: &Report) -> Vec<String> {
    let as_at = period::local(report.as_at);
    let kind = match report.now.source {
        Source::Returns => format!("Totals as they were returned, as at {as_at}."),
        Source::Days | Source::NotHeld if report.is_made_up() => format!(
            "Made from published monthly tables, as at {as_at}: the attendances of a month and those over four hours \
             are as published, by provider and type. When within the month and how long within the bounds is made up, \
             and so is what follows from it: single days and weeks, arrivals, 12 hours since arrival, who was present."
        ),
        Source::Days | Source::NotHeld => format!("Live, unvalidated, as at {as_at}."),
    };
    let mut labels = vec![kind];
    if report.now.period.end() > report.as_at {
        labels.push(match (report.now.so_far, report.now.source) {
            (Some(at), _) => {
                format!("The period is not over: what follows goes up to {}.", period::local(at))
            }
            (None, Source::NotHeld) => "The period is not over, and nothing is held of it yet.".to_owned(),
            (None, Source::Days | Source::Returns) => {
                "The period is not over: what follows is what there is of it so far.".to_owned()
            }
        });
    }
    let Period { first, last, .. } = report.now.period;
    let begins = report.now.source == Source::Days && (first..=last).contains(&report.first_day);
    if begins && !report.is_made_up() {
        let day = report.first_day.strftime("%-d %B %Y");
        labels.push(format!(
            "The store's figures begin in the course of {day}: that day may be held in part only."
        ));
    }
    let returned: Vec<String> = report
        .periods()
        .iter()
        .filter(|figures| figures.source == Source::Returns)
        .map(|figures| figures.period.title())
        .collect();
    if let Some(titles) = joined(&returned) {
        labels.push(format!(
            "The four-hour figures of {titles} are totals returned for the whole period, not counted from events."
        ));
    }
    labels
}

fn summary(report: &Report) -> Vec<String> {
    let mut paragraphs = vec![compliance(report)];
    if let Some(all) = report.now.four_hour(TypeTag::All) {
        paragraphs.push(attendances(report, all));
    }
    paragraphs.extend(lowest(&report.below));
    paragraphs.push(format!(
        "{}: {}.",
        number::capital(just_before(report.now.period.span)),
        shares(report, &report.before)
    ));
    paragraphs
}

/// `89.9 % of patients (all types) within four hours against 95 %; 84.8 % in major departments (type 1); …`
fn compliance(report: &Report) -> String {
    let (now, span) = (&report.now, report.now.period.span);
    if now.four_hour(TypeTag::All).is_none() {
        return format!("No four-hour figures are held for {}.", now.period.title());
    }
    let mut text = format!("{} of patients (all types) within four hours", share(now, TypeTag::All));
    match &now.target {
        Some(target) => {
            let doubt = if target.verified { "" } else { " (a target that is not verified)" };
            text.push_str(&format!(" against {}{doubt}", number::threshold(target.value)));
        }
        None => text.push_str(", no target being in force"),
    }
    if report.has_major() {
        text.push_str(&format!("; {} in major departments (type 1)", share(now, TypeTag::One)));
    }
    text.push_str(&format!("; {} {}", a_year_before(span), shares(report, &report.year_before)));
    if let Some(below) = below_sentence(&report.below) {
        text.push_str(&format!("; {below}"));
    }
    text.push('.');
    text
}

/// The shares of a period, all types and type 1, or that it is not held.
fn shares(report: &Report, figures: &Figures) -> String {
    match figures.four_hour(TypeTag::All) {
        None => "not held".to_owned(),
        Some(_) => {
            let part = if figures.is_whole() || figures.source == Source::Returns {
                String::new()
            } else {
                format!(" (of {} of its {} days)", figures.held, figures.days)
            };
            let all = share(figures, TypeTag::All);
            if report.has_major() {
                format!("{all} and {}{part}", share(figures, TypeTag::One))
            } else {
                format!("{all}{part}")
            }
        }
    }
}

fn share(figures: &Figures, tag: TypeTag) -> String {
    figures.share(tag).one_decimal(Better::Higher)
}

fn a_year_before(span: Span) -> &'static str {
    match span {
        Span::Day => "the same weekday a year before",
        Span::Week => "the same week last year",
        Span::Month => "the same month last year",
    }
}

fn just_before(span: Span) -> &'static str {
    match span {
        Span::Day => "the day before",
        Span::Week => "the week before",
        Span::Month => "the month before",
    }
}

/// `eight trusts below 80 %, one a year ago`.
fn below_sentence(below: &Below) -> Option<String> {
    let now = below.now?;
    let (one, more) = plural(below.level);
    let earlier = match below.year_before {
        Some(earlier) => number::how_many(earlier.below),
        None => "not held".to_owned(),
    };
    let floor = number::threshold(below.floor);
    Some(format!("{} below {floor}, {earlier} a year ago", number::counted(now.below, one, more)))
}

fn plural(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::Site => ("site", "sites"),
        Level::Service => ("ambulance service", "ambulance services"),
        Level::Trust => ("trust", "trusts"),
        Level::System => ("system", "systems"),
        Level::Region => ("region", "regions"),
        Level::Nation => ("nation", "nations"),
        Level::Group => ("group", "groups"),
    }
}

fn attendances(report: &Report, all: FourHour) -> String {
    let mut text = format!(
        "{} attendances (all types) ended, {} of them after more than four hours",
        count(all.departed),
        count(all.over())
    );
    if let Some(over_12h) = all.over_12h.filter(|_| !report.is_made_up()) {
        text.push_str(&format!(" and {} after more than 12 hours since arrival", count(over_12h)));
    }
    let (held, days) = (report.now.held, report.now.days);
    match (report.now.source, report.now.so_far) {
        (Source::Days, Some(_)) => text.push_str(&format!("; {held} of {days} days are over and held")),
        (Source::Days, None) if held < days => text.push_str(&format!("; {held} of {days} days are held")),
        (Source::Days | Source::Returns | Source::NotHeld, _) => {}
    }
    text.push('.');
    text
}

fn lowest(below: &Below) -> Option<String> {
    let named = below.organisations.iter().take(NAMED_IN_SUMMARY);
    let names: Vec<String> = named
        .map(|one| {
            let share = one.now.one_decimal(Better::Higher);
            format!("{} ({share} of {})", one.place.name, count(one.now.whole))
        })
        .collect();
    Some(format!("The lowest, all types: {}.", joined(&names)?))
}

/// `a, b and c`; `None` of nothing.
fn joined(texts: &[String]) -> Option<String> {
    match texts {
        [] => None,
        [one] => Some(one.clone()),
        [first @ .., last] => Some(format!("{} and {last}", first.join(", "))),
    }
}

fn heads(report: &Report, first: &str) -> Vec<String> {
    let mut heads = vec![first.to_owned()];
    heads.extend(report.periods().map(|figures| figures.period.short()));
    heads
}

fn four_hour(report: &Report) -> Section {
    let mut section = Section {
        title: "Within four hours of arrival, by type of department".to_owned(),
        head: heads(report, "Attendances that ended"),
        ..Section::default()
    };
    for (tag, name) in [
        (TypeTag::All, "All types"),
        (TypeTag::One, "Type 1 (major)"),
        (TypeTag::Two, "Type 2 (single specialty)"),
        (TypeTag::Three, "Types 3 and 4 (other)"),
    ] {
        if report.periods().iter().all(|figures| figures.four_hour(tag).is_none()) {
            continue;
        }
        four_hour_rows(report, &mut section, tag, name);
    }
    let targets = report.periods().map(|figures| match &figures.target {
        Some(target) => number::threshold(target.value),
        None => NONE.to_owned(),
    });
    section.row("Target in force, all types", targets);
    if report.periods().iter().any(|figures| figures.target.as_ref().is_some_and(|target| !target.verified)) {
        section.notes.push("A target in force was not verified against its source.".to_owned());
    }
    section
}

fn four_hour_rows(report: &Report, section: &mut Section, tag: TypeTag, name: &str) {
    let of = |each: &dyn Fn(FourHour) -> String| {
        report.periods().map(|figures| figures.four_hour(tag).map_or_else(|| "not held".to_owned(), each))
    };
    section.row(&format!("{name}: attendances"), of(&|figures| count(figures.departed)));
    section.row(&format!("{name}: over four hours"), of(&|figures| count(figures.over())));
    let within = report.periods().map(|figures| match figures.four_hour(tag) {
        None => "not held".to_owned(),
        Some(found) => found.share().two_decimals(Better::Higher, &thresholds(report, figures)),
    });
    section.row(&format!("{name}: within four hours"), within).strong = true;
    let change = |earlier: &Figures| report.now.share(tag).points_since(earlier.share(tag));
    let changes = [String::new(), change(&report.before), change(&report.year_before)];
    section.row(&format!("{name}: change since then, points"), changes);
    let knows_12h = |figures: &&Figures| figures.four_hour(tag).is_some_and(|one| one.over_12h.is_some());
    if !report.is_made_up() && report.periods().iter().any(knows_12h) {
        let over = of(&|figures| figures.over_12h.map_or_else(|| NONE.to_owned(), count));
        section.row(&format!("{name}: over 12 h since arrival"), over);
    }
}

/// What no printed share may seem to meet that it misses.
fn thresholds(report: &Report, figures: &Figures) -> Vec<f64> {
    let target = figures.target.as_ref().map(|target| target.value);
    target.into_iter().chain([report.below.floor]).collect()
}

fn below(below: &Below) -> Option<Section> {
    let now = below.now?;
    let (one, more) = plural(below.level);
    let floor = number::threshold(below.floor);
    let title = format!("{} below {floor} within four hours, all types", number::capital(more));
    let head = [&number::capital(one), "Within", "Attendances", "Over four hours", "A year before"];
    let mut section = Section::new(&title, &head);
    for found in below.organisations.iter().take(NAMED) {
        section.row(&found.place.label(), below_cells(found, below.floor));
    }
    let earlier = match below.year_before {
        Some(earlier) => format!("{} of {}", count(earlier.below as i64), count(earlier.of as i64)),
        None => "not held".to_owned(),
    };
    let mut note = format!(
        "{} of {} with attendances; a year before {earlier}.",
        number::capital(&number::counted(now.below, one, more)),
        count(now.of as i64)
    );
    if below.organisations.len() > NAMED {
        note.push_str(&format!(" The {NAMED} lowest are named; --format json has all."));
    }
    section.notes.push(note);
    Some(section)
}

fn below_cells(found: &BelowOne, floor: f64) -> [String; 4] {
    let percent = |share: Share| share.two_decimals(Better::Higher, &[floor]);
    [
        percent(found.now),
        count(found.now.whole),
        count(found.now.whole - found.now.part),
        found.year_before.map_or_else(|| NONE.to_owned(), percent),
    ]
}

fn completeness(report: &Report) -> Section {
    let mut section = Section {
        title: "How complete the figures are".to_owned(),
        head: heads(report, "Days and feeds"),
        ..Section::default()
    };
    let periods = report.periods();
    section.row(
        "Days held, of the period's days",
        periods.map(|figures| match figures.so_far {
            None => format!("{} of {}", figures.held, figures.days),
            Some(_) => format!("{} of {} and a part", figures.held, figures.days),
        }),
    );
    section.row(
        "Days of sites with figures",
        periods.map(
            |figures| if figures.held == 0 { NONE.to_owned() } else { count(figures.feeds.site_days as i64) },
        ),
    );
    section.row(
        "of these, with a silent feed at the end of the day",
        periods.map(
            |figures| if figures.held == 0 { NONE.to_owned() } else { count(figures.feeds.stale as i64) },
        ),
    );
    section.row(
        "Four-hour figures come from",
        periods.map(|figures| {
            let source = match figures.source {
                Source::Days => "events",
                Source::Returns => "returns",
                Source::NotHeld => "not held",
            };
            source.to_owned()
        }),
    );
    section
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = [
        "All types are types 1, 2, 3 and 4. Exactly four hours is within. An attendance counts on the local day on \
         which its clock stopped.",
        "Sentences give shares with one decimal, rounded towards the bad side; tables give two, to the nearest, but \
         never so that a target or floor seems met that is missed. Shares are made from the sums, never as means of \
         shares.",
        "A dash: nothing to make the figure of. Not held: the store has no such days.",
        "Published figures are validated and revised; live ones will differ from them.",
    ]
    .map(str::to_owned)
    .to_vec();
    if !report.published.is_empty() {
        notes.push(LICENCE.to_owned());
    }
    notes
}
