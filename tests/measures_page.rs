//! `docs/measures.md` is made of the table of measures and the files of `config/`: this test fails if it is stale, and
//! `SITREP_WRITE_PAGES=1 cargo test -p acceptance --test measures_page` writes it.

use std::fmt::Write as _;
use std::path::Path;

use contract::configuration::{Places, read_framework, read_standards, read_targets};
use domain::measures::{DEFAULT_WINDOWS, Definition, MEASURES};
use domain::opel::Framework;
use domain::organisations::{Organisations, Row};
use domain::standard::{Kind, Reports, Standards};
use domain::target::Targets;

/// Of each measure by its name: where its rule stands, what is counted, and each field.
type Meaning = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const MEANINGS: &[Meaning] = &[
    (
        "ae_four_hour",
        "spec 2.2, 2.4",
        "Attendances, not planned, whose clock stopped in the window.",
        &[
            ("departed", "how many, the implausible left out"),
            ("within", "of these at most 240 minutes, exactly four hours included"),
            ("over_12h", "of these over 720 minutes since arrival"),
            ("implausible", "clock stopped before it started, or ran for over 14 days: in no other field"),
        ],
    ),
    (
        "ae_arrivals",
        "spec 2.4",
        "Attendances whose clock started in the window.",
        &[
            ("arrived", "not planned"),
            ("by_ambulance", "of these brought by ambulance"),
            ("planned", "planned follow-ups"),
        ],
    ),
    (
        "ae_department",
        "spec 2.2, 2.4",
        "Patients at the minute.",
        &[
            ("present", "in the department"),
            ("awaiting_admission", "of these with a decision to admit"),
            ("awaiting_over_12h", "of these over 12 hours since the decision to admit"),
            ("on_clock", "whose four-hour clock runs, ambulances outside included"),
            ("over_4h", "of those on the clock over 240 minutes"),
            ("over_12h", "of those on the clock over 720 minutes since arrival"),
            ("due_30m", "of those on the clock that reach four hours within 30 minutes"),
            ("due_60m", "the same within 60 minutes"),
            ("longest_minutes", "the longest time on the clock, minutes"),
            ("unclosed", "records open for over 72 hours and at most 14 days"),
        ],
    ),
    (
        "amb_handover",
        "spec 2.4",
        "Journeys handed over in the window; delay from arrival to handover.",
        &[
            ("completed", "how many, with both times known"),
            ("over_15m", "over 15 minutes"),
            ("over_30m", "over 30 minutes"),
            ("over_45m", "over 45 minutes"),
            ("over_60m", "over 60 minutes"),
            ("total_s", "sum of the delays, seconds"),
            ("p90_s", "90th percentile, nearest rank, seconds"),
            ("lost_15m_s", "time lost beyond 15 minutes, seconds"),
            ("lost_30m_s", "time lost beyond 30 minutes, seconds"),
        ],
    ),
    (
        "amb_queue",
        "spec 2.4",
        "Ambulances that have arrived and not handed over, at the minute.",
        &[
            ("waiting", "how many"),
            ("over_15m", "over 15 minutes"),
            ("over_30m", "over 30 minutes"),
            ("over_45m", "over 45 minutes"),
            ("over_60m", "over 60 minutes"),
            ("longest_s", "the longest wait, seconds"),
            ("unclosed", "over 24 hours and at most 14 days: nobody closed the record"),
        ],
    ),
    (
        "ae_area",
        "spec 2.4; areas.csv",
        "Patients in an area of a department at the minute.",
        &[("present", "how many"), ("capacity", "designated spaces, from areas.csv")],
    ),
    (
        "ae_treatment",
        "spec 2.4",
        "Attendances, not planned, first treated in the window; minutes from the start of the clock.",
        &[
            ("treated", "how many"),
            ("median_minutes", "median; of an even count the mean of the middle two"),
            ("p90_minutes", "90th percentile, nearest rank"),
        ],
    ),
    (
        "ae_admission",
        "spec 2.4",
        "Admitted patients that departed in the window; time since the decision to admit.",
        &[
            ("admitted", "how many"),
            ("over_4h_decision", "over 240 minutes since the decision to admit"),
            ("over_12h_decision", "over 720 minutes since the decision to admit"),
        ],
    ),
    (
        "amb_response",
        "spec 2.4",
        "Ambulance responses in the window, by category.",
        &[
            ("responses", "how many"),
            ("total_s", "sum of the response times, seconds"),
            (
                "p90_s",
                "90th percentile of all responses, nearest rank, seconds; the published one of England is a weighted mean",
            ),
        ],
    ),
    (
        "bed_state",
        "spec 1.4, 2.4",
        "The newest bed states, at most 48 hours old, added up.",
        &[
            ("open", "general and acute beds open, adult"),
            ("occupied", "of these occupied"),
            ("escalation_open", "of the open ones those opened for pressure"),
            ("no_criteria_to_reside", "patients who no longer need an acute bed; critical care included"),
        ],
    ),
    (
        "standard",
        "spec 1.5, 2.5",
        "A periodic standard, stamped with the end of its period.",
        &[
            ("met", "how many met it"),
            ("total", "of how many"),
            ("count", "a plain count"),
            ("total_s", "sum of seconds"),
            ("p90_s", "90th percentile as published, only where it was reported"),
            ("reporting", "how many of those who had to report have, at or below the organisation"),
            ("expected", "how many had to"),
        ],
    ),
    ("escalation", "spec 1.6, 2.5", "The declared level at the minute.", &[("declared", "1 to 4; 0: none")]),
    (
        "opel",
        "spec 2.5",
        "The computed level at the minute.",
        &[
            ("score", "the points of what is known, added up; of a system the weighted mean"),
            ("opel", "1 to 4; 0: too little is known"),
            ("missing", "parameters that could not be known"),
        ],
    ),
    (
        "opel_parameter",
        "spec 2.5",
        "A parameter of the computed level.",
        &[
            ("value", "its value; 0 where it is not known"),
            ("points", "what it is worth; 0 where it is not known"),
            ("known", "1: it is known"),
        ],
    ),
    (
        "first_known",
        "spec 2.5",
        "What ae_four_hour, window today, said when that midnight was first published; written once.",
        &[("departed", "as there"), ("within", "as there"), ("over_12h", "as there")],
    ),
    (
        "feed",
        "spec 3.1",
        "A source of events.",
        &[
            ("age_s", "seconds since its newest recorded_at"),
            ("events_1h", "events of the last hour"),
            ("stale", "1: silent for too long"),
        ],
    ),
];

/// The smallest table of organisations.
fn nation() -> Row {
    let (code, level) = ("ENG".to_owned(), "nation".to_owned());
    Row { code, level, name: "England".to_owned(), parent: String::new(), department_type: String::new() }
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the tree").join(name);
    std::fs::read_to_string(&path).unwrap_or_default()
}

fn verified(verified: bool) -> &'static str {
    if verified { "verified" } else { "**unverified**" }
}

fn measure(page: &mut String, definition: &Definition) {
    let found = MEANINGS.iter().find(|(name, ..)| *name == definition.name);
    let (name, rule, about, fields) = found.expect("every measure has a meaning");
    let mut tags: Vec<&str> = definition.tag.names().to_vec();
    tags.extend(definition.by_window.then_some("window"));
    let levels: Vec<&str> = definition.levels.iter().map(|level| level.as_str()).collect();
    writeln!(
        page,
        "### {name}\n\n{about} Tags: level, org{}{}. Levels: {}. Rule: {rule}; {}.\n",
        if tags.is_empty() { "" } else { ", " },
        tags.join(", "),
        levels.join(", "),
        definition.defined.to_string().replace("UNVERIFIED", "**unverified**")
    )
    .expect("a text takes all");
    writeln!(page, "| field | |\n|---|---|").expect("a text takes all");
    let ours: Vec<&str> = definition.fields.iter().map(|field| field.name).collect();
    let told: Vec<&str> = fields.iter().map(|(field, _)| *field).collect();
    assert_eq!(ours, told, "every field of {name} has a meaning");
    for (field, meaning) in *fields {
        writeln!(page, "| `{field}` | {meaning} |").expect("a text takes all");
    }
    page.push('\n');
}

fn standards(page: &mut String, standards: &Standards) {
    page.push_str(
        "| standard | | figure | better | period | from | source | |\n|---|---|---|---|---|---|---|---|\n",
    );
    for one in &standards.standards {
        let figure = match one.kind {
            Kind::Share => "met / total",
            Kind::Count => "count",
            Kind::Mean => "total_s / total",
        };
        let reports = match &one.reports {
            Reports::Level(level) => level.as_str().to_owned(),
            Reports::Orgs(codes) => codes.join(", "),
        };
        let state = verified(one.verified);
        let (id, title, better, period) = (&one.id, &one.title, one.better.as_str(), one.period.as_str());
        writeln!(
            page,
            "| `{id}` | {title} | {figure} | {better} | {period} | {reports} | {} | {state} |",
            one.source
        )
        .expect("a text takes all");
    }
    page.push('\n');
}

fn targets(page: &mut String, targets: &Targets) {
    page.push_str("| figure | of | from | to | target | source | |\n|---|---|---|---|---|---|---|\n");
    for one in &targets.targets {
        let mut of: Vec<String> = one.series.iter().map(|(name, text)| format!("{name} {text}")).collect();
        of.extend(one.level.map(|level| format!("level {}", level.as_str())));
        for step in &one.steps {
            let to = step.to.map_or(String::new(), |to| to.to_string());
            let (of, state) = (of.join(", "), verified(step.verified));
            writeln!(
                page,
                "| `{}` | {of} | {} | {to} | {} | {} | {state} |",
                one.value, step.from, step.value, step.source
            )
            .expect("a text takes all");
        }
    }
    page.push('\n');
}

fn framework(page: &mut String, framework: &Framework) {
    let state = verified(framework.is_verified());
    writeln!(page, "### {}\n\n{}: {state}.\n", framework.id, framework.title).expect("a text takes all");
    page.push_str(
        "| parameter | | value | source | | points | source | |\n|---|---|---|---|---|---|---|---|\n",
    );
    for one in &framework.parameters {
        let value = one.value.as_ref().map_or("no measure yet".to_owned(), |value| {
            format!("`{}`", value.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
        });
        let bands: Vec<String> = one
            .bands
            .iter()
            .map(|band| match (band.from, band.to) {
                (None, Some(to)) => format!("below {to}: {}", band.points),
                (Some(from), _) => format!("from {from}: {}", band.points),
                (None, None) => format!("always: {}", band.points),
            })
            .collect();
        let (what, points) = (&one.provenance, &one.bands_provenance);
        writeln!(
            page,
            "| `{}` | {} | {value} | {} | {} | {} | {} | {} |",
            one.id,
            one.title,
            what.source,
            verified(what.verified),
            bands.join("; "),
            points.source,
            verified(points.verified)
        )
        .expect("a text takes all");
    }
    page.push('\n');
    match &framework.total {
        None => page.push_str("What the total means is not known: there is no score and no level.\n\n"),
        Some(total) => {
            let levels: Vec<String> = total
                .levels
                .iter()
                .map(|band| format!("{}–{}: level {}", band.from, band.to, band.level))
                .collect();
            let (source, state) = (&total.provenance.source, verified(total.provenance.verified));
            writeln!(
                page,
                "Score {}; needs {} known parameters. Source: {source} ({state}).\n",
                levels.join(", "),
                total.needs
            )
            .expect("a text takes all");
        }
    }
}

fn page() -> String {
    let mut page = String::from(
        "<!-- Made by tests/measures_page.rs from services/domain/src/measures and config/: do not edit. -->\n\
         # Measures, standards, targets\n\nEvery figure with the rule that it follows. What is unverified was not found in a public source that we \
         could read: a number is then configuration, never code, and a measure is a definition of ours. The rules are in [spec/2-measures.md](spec/2-measures.md), what the words mean in \
         [domain.md](domain.md).\n\n## Measures\n\n",
    );
    MEASURES.iter().for_each(|definition| measure(&mut page, definition));
    let known = read_standards(&file("config/standards.toml")).expect("as shipped");
    page.push_str("## Periodic standards\n\nReturns, as `config/standards.toml` has them. When they are due is ours.\n\n");
    standards(&mut page, &known);
    page.push_str(
        "## Targets\n\n`config/targets.toml`: the one in force on the day of the point counts.\n\n",
    );
    targets(&mut page, &read_targets(&file("config/targets.toml"), &known).expect("as shipped"));
    page.push_str("## Escalation frameworks\n\n`config/opel/`: computed beside what is declared.\n\n");
    let organisations = Organisations::new(&[nation()]).expect("a nation");
    let places = Places { organisations: &organisations, windows: &DEFAULT_WINDOWS };
    for name in ["acute-2023-24", "acute-2024-26"] {
        let text = file(&format!("config/opel/{name}.toml"));
        framework(&mut page, &read_framework(&text, places).expect("as shipped"));
    }
    page.trim_end().to_owned() + "\n"
}

#[test]
fn the_page_of_measures_is_up_to_date() {
    let (name, page) = ("docs/measures.md", page());
    if std::env::var_os("SITREP_WRITE_PAGES").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the tree").join(name);
        std::fs::write(path, &page).expect("the page can be written");
    }
    let held = file(name);
    let stale = page.lines().zip(held.lines()).find(|(new, old)| new != old);
    assert!(
        page == held,
        "{name} is stale: run this test with SITREP_WRITE_PAGES=1. First difference: {stale:?}"
    );
}
