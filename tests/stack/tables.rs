//! The configuration of a case as the files that the services read.

use acceptance::cases::Case;
use acceptance::model::{Period, Reports, Settings, Standard};
use domain::date::Date;

/// The keys of the configuration and the names of their files.
pub(crate) const NAMES: [(&str, &str); 5] = [
    ("organisations", "organisations.csv"),
    ("groups", "groups.csv"),
    ("areas", "areas.csv"),
    ("standards", "standards.toml"),
    ("targets", "targets.toml"),
];

/// For each file of [`NAMES`] its text.
pub(crate) fn of(case: &Case) -> [(&'static str, String); 5] {
    let settings = &case.settings;
    // The targets as shipped are of standards that a case does not have.
    let texts =
        [case.organisations_csv(), groups(settings), areas(settings), standards(settings), String::new()];
    let mut texts = texts.into_iter();
    NAMES.map(|(_, file)| (file, texts.next().expect("as many texts as names")))
}

fn groups(settings: &Settings) -> String {
    let rows = settings.groups.iter().flat_map(|group| {
        group.members.iter().map(|member| format!("{},{},{member}\n", group.code, group.code))
    });
    std::iter::once("group,name,member\n".to_owned()).chain(rows).collect()
}

fn areas(settings: &Settings) -> String {
    let rows = settings.areas.iter().map(|area| format!("{},{},9\n", area.site, area.area));
    std::iter::once("site,area,capacity\n".to_owned()).chain(rows).collect()
}

fn standards(settings: &Settings) -> String {
    let standards = settings.standards.iter().map(standard);
    std::iter::once(format!("scales = {:?}\n", settings.scales)).chain(standards).collect()
}

/// What the model does not know of a standard has no part in its points.
fn standard(of: &Standard) -> String {
    let period = match of.period {
        Period::Week => "week",
        Period::Month => "month",
        Period::Quarter => "quarter",
    };
    let reports = match &of.reports {
        Reports::Level(level) => format!("\"{}\"", level.as_str()),
        Reports::Orgs(codes) => format!("{codes:?}"),
    };
    let paused =
        of.paused.iter().map(|(from, to)| format!("{{ from = {}, to = {} }}", Date(*from), Date(*to)));
    let paused: Vec<String> = paused.collect();
    format!(
        "[[standard]]\nid = \"{}\"\ntitle = \"Of a case\"\nkind = \"share\"\nbetter = \"higher\"\n\
         period = \"{period}\"\nreports = {reports}\ndue = 14\npaused = [{}]\nsource = \"made up\"\nverified = false\n",
        of.id,
        paused.join(", ")
    )
}
