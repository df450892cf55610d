//! Small tables of organisations for tests.

use std::fmt::Write as _;

use domain::ids::Ref;
use domain::organisations::{Organisations, OrganisationsError, Row};

/// The little England of the scenarios: one trust with a major department, a minor injury unit, a walk-in centre and
/// same-day emergency care, a second trust in the same system, a site without a trust, two ambulance services.
pub const LITTLE_ENGLAND: &str = "
    General      site     Trust         1
    Minors       site     Trust         3
    Walk-in      site     Trust         4
    Same-day     site     Trust         5
    Royal        site     Other-Trust   1
    Lone         site     ENG           2
    Trust        trust    System
    Other-Trust  trust    System
    System       system   Region
    Region       region   ENG
    ENG          nation
    Ambulances   service  ENG
    Air          service  ENG
";

/// Reads a table of `code level [parent] [department_type]`, one organisation a line, in columns of blanks.
pub fn organisations(table: &str) -> Result<Organisations, OrganisationsError> {
    let rows: Vec<Row> = table.lines().filter(|line| !line.trim().is_empty()).map(row).collect();
    Organisations::new(&rows)
}

fn row(line: &str) -> Row {
    let mut cells = line.split_whitespace().map(str::to_owned);
    let mut next = || cells.next().unwrap_or_default();
    let (code, level, parent, department_type) = (next(), next(), next(), next());
    Row { name: code.clone(), code, level, parent, department_type }
}

/// The organisations as the text of an `organisations.csv`.
pub fn csv(orgs: &Organisations) -> String {
    let mut text = "code,name,level,parent,department_type\n".to_owned();
    for (_, org) in orgs.iter() {
        let (code, name, level) = (&org.code, &org.name, org.level.as_str());
        let parent = org.parent.map_or("", |parent| &orgs.get(parent).code);
        let kind = org.department_type.map(|kind| kind.number().to_string()).unwrap_or_default();
        writeln!(text, "{code},{name},{level},{parent},{kind}").expect("a string takes all text");
    }
    text
}

/// A reference whose bytes are those of a short name, so that a test can say which is which.
pub fn reference(name: &str) -> Ref {
    let mut bytes = [0; 16];
    for (byte, letter) in bytes.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    Ref(bytes)
}
