//! What an import did and did not do, for a person: counts, what was left out, what looks like a missing return.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Form, Month, NotPlaced, Table};

/// The report of one import.
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
    /// What is in the table and not in the attendances.
    pub not_placed: NotPlaced,
}

/// A regular reporter without attendances in a month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Silent {
    /// The month.
    pub month: Month,
    /// The provider.
    pub code: String,
    /// Attendances of this provider in the other months of this import.
    pub attendances_elsewhere: u64,
}

/// Reports on tables that are imported together.
pub fn report(tables: &[Table]) -> ImportReport {
    ImportReport { files: tables.iter().map(file).collect(), silent: silent(tables) }
}

fn file(table: &Table) -> FileReport {
    let (mut attendances, mut over_four_hours) = ([0; 3], [0; 3]);
    let mut by_provider = vec![0u64; table.providers.len()];
    for cell in &table.cells {
        let index = usize::from(cell.kind.number() - 1).min(2);
        attendances[index] += u64::from(cell.attendances);
        over_four_hours[index] += u64::from(cell.over_four_hours);
        by_provider[cell.provider] += u64::from(cell.attendances);
    }
    let zero = by_provider.iter().zip(&table.providers).filter(|(count, _)| **count == 0);
    let without_attendances: Vec<String> = zero.map(|(_, provider)| provider.code.clone()).collect();
    FileReport {
        form: table.form,
        months: table.months(),
        providers: table.providers.len() - without_attendances.len(),
        attendances,
        over_four_hours,
        without_attendances,
        total_agreed: table.has_total,
        not_placed: table.not_placed,
    }
}

/// Zero, stated or by a row that is not there, between or beside months with attendances. Providers that only come later
/// or stop earlier are not silent where rows are left out for departments that do not exist (the long form).
fn silent(tables: &[Table]) -> Vec<Silent> {
    let mut counts: BTreeMap<&str, BTreeMap<Month, u64>> = BTreeMap::new();
    let mut months = BTreeSet::new();
    for table in tables {
        for cell in &table.cells {
            months.insert(cell.month);
            let code = table.providers[cell.provider].code.as_str();
            *counts.entry(code).or_default().entry(cell.month).or_default() += u64::from(cell.attendances);
        }
    }
    let mut found = Vec::new();
    for (code, of_provider) in counts {
        let reported = || of_provider.iter().filter(|(_, count)| **count > 0).map(|(month, _)| *month);
        let (Some(first), Some(last)) = (reported().min(), reported().max()) else { continue };
        let attendances_elsewhere = of_provider.values().sum();
        let is_silent = |month: &Month| match of_provider.get(month) {
            Some(count) => *count == 0,
            None => (first..last).contains(month),
        };
        let silent = months.iter().copied().filter(is_silent);
        found.extend(silent.map(|month| Silent { month, code: code.to_owned(), attendances_elsewhere }));
    }
    found.sort();
    found
}

impl fmt::Display for ImportReport {
    /// Plain text, several lines, for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            write!(f, "{file}")?;
        }
        for Silent { month, code, attendances_elsewhere } in &self.silent {
            writeln!(
                f,
                "warning: {code} has no attendances in {month} and {attendances_elsewhere} in the other months: \
                 a missing return, not a quiet month"
            )?;
        }
        writeln!(f, "Contains public sector information licensed under the Open Government Licence v3.0.")
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let months: Vec<String> = self.months.iter().map(Month::to_string).collect();
        let period = match months.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first, .., last] => format!("{first} to {last}"),
        };
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
        let NotPlaced { admissions, other_admissions, waited_4_to_12_hours, waited_over_12_hours } =
            self.not_placed;
        writeln!(
            f,
            "  not reproduced: {admissions} emergency admissions via A&E, {other_admissions} others, \
             {waited_4_to_12_hours} waits of 4-12 h and {waited_over_12_hours} of 12 h and more from the decision to \
             admit; how each attendance ended is made up"
        )
    }
}
