//! What an import did and did not do, for a person: counts, what was left out, what looks like a missing return.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Counted, Form, LeftOut, Month, Placing, Published, Returns, Table, Why};

/// The report of one import of attendances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// One for each table, in the order given.
    pub files: Vec<FileReport>,
    /// Providers that report in other months of this import, and nothing here: missing returns, not quiet months.
    pub silent: Vec<Silent>,
}

/// What one table held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Its form.
    pub form: Form,
    /// Its months, in order.
    pub months: Vec<Month>,
    /// Providers with attendances.
    pub providers: usize,
    /// Attendances of types 1, 2 and 3, booked ones included.
    pub attendances: [u64; 3],
    /// Of these over four hours.
    pub over_four_hours: [u64; 3],
    /// Codes of providers without any attendance in this table: nothing is imported of them.
    pub without_attendances: Vec<String>,
    /// Whether every column agreed with a row of totals.
    pub total_agreed: bool,
    /// Where admissions and waits from the decision to admit went.
    pub placing: Placing,
    /// Emergency admissions that never came through A&E.
    pub other_admissions: u64,
}

/// A regular reporter without attendances in a month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Silent {
    /// The month.
    pub month: Month,
    /// The provider.
    pub code: String,
    /// Attendances of this provider in the other months of this import that are at most a year away; with none, a
    /// provider of which the table says nothing at all, but that it is there.
    pub attendances_elsewhere: u64,
}

/// Reports on tables that are imported together, those that were silent among [`silent`] of the whole tables.
pub fn report(tables: &[Table], silent: Vec<Silent>) -> ImportReport {
    ImportReport { files: tables.iter().map(file).collect(), silent }
}

fn file(table: &Table) -> FileReport {
    let (mut attendances, mut over_four_hours) = ([0; 3], [0; 3]);
    // Of the providers that have a row in the months that were selected.
    let mut by_provider = BTreeMap::new();
    for cell in &table.cells {
        let index = usize::from(cell.kind.number() - 1).min(2);
        attendances[index] += u64::from(cell.attendances);
        over_four_hours[index] += u64::from(cell.over_four_hours);
        *by_provider.entry(cell.provider).or_insert(0u64) += u64::from(cell.attendances);
    }
    let zero = by_provider.iter().filter(|(_, count)| **count == 0);
    let without_attendances: Vec<String> =
        zero.map(|(provider, _)| table.providers[*provider].code.clone()).collect();
    FileReport {
        form: table.form,
        months: table.months(),
        providers: by_provider.len() - without_attendances.len(),
        attendances,
        over_four_hours,
        without_attendances,
        total_agreed: table.has_total,
        placing: table.placing(),
        other_admissions: table.other_admissions,
    }
}

/// Providers whose month looks like a missing return (a zero in these tables says both): zero attendances, stated or by a
/// row that is not there, between or beside months with attendances that are at most a year away; or a row in which
/// every count is zero. Providers that only come later or stop earlier are not silent where rows are left out for
/// departments that do not exist (the long form). To be asked before months are selected: it needs those beside them.
pub fn silent(tables: &[Published]) -> Vec<Silent> {
    let mut counts: BTreeMap<&str, BTreeMap<Month, Said>> = BTreeMap::new();
    let mut months = BTreeSet::new();
    for table in tables {
        let Published::Attendances(table) = table else { continue };
        let code = |provider: usize| table.providers[provider].code.as_str();
        for cell in &table.cells {
            months.insert(cell.month);
            let said = counts.entry(code(cell.provider)).or_default().entry(cell.month).or_default();
            said.attendances += u64::from(cell.attendances);
            said.is_something |= cell.attendances > 0 || cell.admissions > 0;
        }
        for (month, provider) in &table.with_other_admissions {
            counts.entry(code(*provider)).or_default().entry(*month).or_default().is_something = true;
        }
    }
    let mut found = Vec::new();
    for (code, of_provider) in counts {
        for month in &months {
            let reported = of_provider
                .iter()
                .filter(|(other, said)| said.attendances > 0 && month.distance(**other) <= REGULAR_MONTHS);
            let attendances_elsewhere: u64 = reported.clone().map(|(_, said)| said.attendances).sum();
            let between = reported.clone().any(|(other, _)| other < month)
                && reported.clone().any(|(other, _)| other > month);
            let is_silent = match of_provider.get(month) {
                Some(said) if said.attendances > 0 => false,
                Some(said) => attendances_elsewhere > 0 || !said.is_something,
                None => between,
            };
            if is_silent {
                found.push(Silent { month: *month, code: code.to_owned(), attendances_elsewhere });
            }
        }
    }
    found.sort();
    found
}

/// So far away a month with attendances makes a provider a regular reporter.
const REGULAR_MONTHS: u16 = 12;

/// What a table says of a provider's month.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    attendances: u64,
    /// Whether any count is not 0, admissions that did not come through A&E among them.
    is_something: bool,
}

/// What to say of organisations that are not known; empty for none.
pub fn left_out(what: &str, left_out: &[LeftOut]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    let count: u64 = left_out.iter().map(|one| one.count).sum();
    let codes: Vec<String> = left_out.iter().map(|one| format!("{} ({})", one.code, one.count)).collect();
    let number = codes.len();
    format!("  left out: {count} {what} of {number} organisations that are not known: {}\n", codes.join(", "))
}

/// What whoever shows these figures must say.
pub const LICENCE: &str =
    "Contains public sector information licensed under the Open Government Licence v3.0.";

impl fmt::Display for ImportReport {
    /// Plain text, several lines, for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            write!(f, "{file}")?;
        }
        for one in &self.silent {
            writeln!(f, "{one}")?;
        }
        writeln!(f, "{LICENCE}")
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Silent { month, code, attendances_elsewhere } = self;
        let why = match attendances_elsewhere {
            0 => "every count of it is 0".to_owned(),
            elsewhere => format!("and {elsewhere} in the other months"),
        };
        write!(f, "warning: {code} has no attendances in {month}, {why}: a missing return, not a quiet month")
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = period(&self.months);
        let (all, over): (u64, u64) = (self.attendances.iter().sum(), self.over_four_hours.iter().sum());
        writeln!(
            f,
            "{} {period}: {} providers, {all} attendances, {over} over four hours",
            self.form.as_str(),
            self.providers
        )?;
        for (index, kind) in ["1", "2", "3 and 4"].iter().enumerate() {
            let (count, late) = (self.attendances[index], self.over_four_hours[index]);
            writeln!(f, "  type {kind}: {count} attendances, {late} over four hours")?;
        }
        let total =
            if self.total_agreed { "agrees in every column, not imported" } else { "none to check against" };
        writeln!(f, "  row of totals: {total}")?;
        if !self.without_attendances.is_empty() {
            writeln!(f, "  without attendances, left out: {}", self.without_attendances.join(" "))?;
        }
        for what in [Counted::Admissions, Counted::Waits4To12Hours, Counted::WaitsOver12Hours] {
            if what == Counted::Admissions || self.form == Form::Msitae {
                writeln!(f, "  {}: {} placed", what.as_str(), self.placing.placed(what))?;
            }
        }
        for one in &self.placing.unplaced {
            let kind = one.kind.map_or(String::new(), |kind| format!(", type {}", kind.number()));
            let (what, count) = (one.what.as_str(), one.count);
            writeln!(f, "  {}{kind}, {}: {count} {what} fit on no attendance", one.code, one.month)?;
        }
        let others = self.other_admissions;
        writeln!(f, "  not reproduced: {others} admissions that did not come through A&E; times are made up")
    }
}

/// What an import of returns says for a person: plain text, several lines, for a terminal.
pub fn returns_report(form: Form, months: &[Month], returns: &Returns) -> String {
    use std::fmt::Write;

    let mut text = String::new();
    let mut standards: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    let mut orgs = BTreeSet::new();
    for one in &returns.stated {
        standards.entry(one.standard).or_default()[0] += 1;
        orgs.insert(one.org.as_str());
    }
    let mut doubts = String::new();
    for one in &returns.remarks {
        let (standard, org, month) = (one.standard, &one.org, one.month);
        let counts = standards.entry(standard).or_default();
        let doubt = match one.why {
            Why::Missing => {
                counts[1] += 1;
                continue;
            }
            Why::Partial => {
                counts[2] += 1;
                continue;
            }
            Why::MoreThanAll { met, total } => format!("{met} of {total} cannot be: not stated"),
            Why::Disagrees { published, computed } => format!(
                "published as {}, its numbers give {}: stated by its numbers",
                thousandths(published),
                thousandths(computed)
            ),
        };
        writeln!(doubts, "  warning: {org}, {month}, {standard}: {doubt}").expect("a String takes all");
    }
    let (form, period, count) = (form.as_str(), period(months), returns.stated.len());
    writeln!(text, "{form} {period}: {count} returns of {} organisations", orgs.len())
        .expect("a String takes all");
    for (standard, [stated, missing, partial]) in standards {
        let mut line = format!("  {standard}: {stated} stated");
        for (count, what) in [(missing, "missing"), (partial, "with half of their numbers, not stated")] {
            if count > 0 {
                write!(line, ", {count} {what}").expect("a String takes all");
            }
        }
        writeln!(text, "{line}").expect("a String takes all");
    }
    text + &doubts
}

/// `472`, `0.928`
fn thousandths(number: u64) -> String {
    match (number / 1_000, number % 1_000) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part:03}"),
    }
}

fn period(months: &[Month]) -> String {
    match months {
        [] => String::new(),
        [only] => only.to_string(),
        [first, .., last] => format!("{first} to {last}"),
    }
}
