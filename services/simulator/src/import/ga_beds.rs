//! General and acute and critical care beds: a row for each month of each trust, monthly means of daily counts. Read are
//! all general and acute beds, those for adults, and adult critical care; children's and neonatal beds are only checked
//! to be numbers. What bites: `NA` is missing, not zero; trusts have their codes of 2022; there is no row of England.

use std::collections::HashMap;

use domain::organisations::Level;

use super::cells::{Header, Lines, Missing, Row};
use super::returns::{self, Why};
use super::{Form, ImportError, Month, Place, Returns, Sheet};

/// The columns, as their publisher writes them.
pub(super) const COLUMNS: &[&str] = &[
    "nhs_trust22_code",
    "date",
    "general_acute_beds_available",
    "general_acute_beds_occupied",
    "general_acute_beds_occupancy_rate",
    "adult_general_acute_beds_available",
    "adult_general_acute_beds_occupied",
    "adult_general_acute_beds_occupancy_rate",
    "adult_critical_care_beds_available",
    "adult_critical_care_beds_occupied",
    "adult_critical_care_occupancy_rate",
    "paediatric_general_acute_beds_available",
    "paediatric_general_acute_beds_occupied",
    "paediatric_general_acute_beds_occupancy_rate",
    "paediatric_intensive_cared_beds_available",
    "paediatric_intensive_cared_beds_occupied",
    "paediatric_intensive_cared_occupancy_rate",
    "neonatal_intensive_care_bed_available",
    "neonatal_intensive_care_bed_occupied",
    "neonatal_intensive_care_occupancy_rate",
];
const CODE: usize = 0;
const DATE: usize = 1;
const FIRST_COUNT: usize = 2;

/// Thousandths, beside what rounding to whole beds does.
const RATE_TOLERANCE: u64 = 5;

/// The standards of the first groups of three columns: available, occupied, rate.
const STANDARDS: [&str; 3] = ["ga-beds-occupied", "ga-beds-adult-occupied", "critical-care-beds-occupied"];

pub(super) fn read(header: &Header, mut lines: Lines<'_>) -> Result<Sheet, ImportError> {
    let mut sheet = Sheet { form: Form::GaBeds, places: Vec::new(), returns: Returns::default() };
    let mut seen = HashMap::new();
    while let Some(line) = lines.next()? {
        let row = header.row(&line)?;
        let month =
            Month::from_words(row.text(DATE)).ok_or_else(|| row.wrong(DATE, "a month such as April 2022"))?;
        let code = row.code(CODE)?;
        if let Some(first) = seen.insert((month, code.to_owned()), row.line) {
            return Err(ImportError::Twice { line: row.line, first, code: code.to_owned(), month });
        }
        state(&row, returns::Row { returns: &mut sheet.returns, org: code, month })?;
        if !sheet.places.iter().any(|known| known.code == code) {
            let (code, name) = (code.to_owned(), code.to_owned());
            sheet.places.push(Place { code, name, level: Level::Trust });
        }
    }
    if seen.is_empty() { Err(ImportError::NoRows) } else { Ok(sheet) }
}

fn state(row: &Row<'_>, mut says: returns::Row<'_>) -> Result<(), ImportError> {
    for (group, first) in (FIRST_COUNT..COLUMNS.len()).step_by(3).enumerate() {
        let (open, occupied) = (row.maybe(first, Missing::Na)?, row.maybe(first + 1, Missing::Na)?);
        let rate = row.share(first + 2, Missing::Na)?;
        let Some(standard) = STANDARDS.get(group) else { continue };
        says.share(standard, occupied, open);
        if let (Some(open), Some(occupied), Some(rate)) = (open, occupied, rate)
            && occupied <= open
            && let Some(computed) = (occupied * 1_000).checked_div(open)
            && let published = (rate * 1_000.0).round() as u64
            // A mean of daily rates is not quite the rate of the means; another column would be further away.
            && computed.abs_diff(published) > RATE_TOLERANCE + 1_000 / open
        {
            says.remark(standard, Why::Disagrees { published, computed });
        }
    }
    Ok(())
}
