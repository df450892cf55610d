//! Ambulance systems indicators: a row for each month of England, of each region and of each service. Read are response
//! times and handovers; the other indicators are left aside. What bites: `.` is missing, not zero; times are in
//! seconds; two services are providers of A&E departments too, under the same code.

use std::collections::HashMap;

use domain::organisations::Level;

use super::cells::{Header, Lines, Missing, Row};
use super::msitae::REGIONS;
use super::returns::{self, Why};
use super::{Form, ImportError, Month, Place, Returns, Sheet};

/// The columns that are read.
pub(super) const COLUMNS: &[&str] = &[
    "Year", "Month", "Region", "Org Code", "Org Name", "A8", "A24", "A25", "A26", "A10", "A30", "A31", "A32",
    "A11", "A33", "A34", "A35", "A12", "A36", "A37", "A38", "A140", "A141", "A142", "A143", "A144", "A145",
    "A146",
];
const YEAR: usize = 0;
const MONTH: usize = 1;
const REGION: usize = 2;
const ORG_CODE: usize = 3;
const ORG_NAME: usize = 4;

/// Standards of a mean with their first column: how many, sum, mean, 90th percentile.
const MEANS: [(&str, usize); 5] = [
    ("amb-response-c1", 5),
    ("amb-response-c2", 9),
    ("amb-response-c3", 13),
    ("amb-response-c4", 17),
    (HANDOVER, HANDOVERS),
];
const HANDOVER: &str = "amb-handover";
const HANDOVERS: usize = 21;
/// Standards of handovers over so many minutes with their column.
const HANDOVERS_OVER: [(&str, usize); 3] =
    [("amb-handover-over-15m", 25), ("amb-handover-over-30m", 26), ("amb-handover-over-60m", 27)];

/// Codes that are those of an A&E provider, and what the service is called here: a code has one level.
const SERVICES_WITH_DEPARTMENTS: [(&str, &str); 2] = [("R1F", "R1F-AMB"), ("RYF", "RYF-AMB")];

/// Whether a column that is not read is an indicator.
pub(super) fn is_indicator(name: &str) -> bool {
    name.strip_prefix('A').is_some_and(|number| number.parse::<u16>().is_ok())
}

pub(super) fn read(header: &Header, mut lines: Lines<'_>) -> Result<Sheet, ImportError> {
    let mut sheet = Sheet { form: Form::Ambsys, places: Vec::new(), returns: Returns::default() };
    let mut seen = HashMap::new();
    while let Some(line) = lines.next()? {
        let row = header.row(&line)?;
        let month = Month::from_numbers(row.text(YEAR), row.text(MONTH))
            .ok_or_else(|| row.wrong(MONTH, "a month from 1 to 12 of a year from 2000 to 2099"))?;
        let place = place(&row)?;
        if let Some(first) = seen.insert((month, place.code.clone()), row.line) {
            return Err(ImportError::Twice { line: row.line, first, code: place.code, month });
        }
        state(&row, returns::Row { returns: &mut sheet.returns, org: &place.code, month })?;
        if !sheet.places.iter().any(|known| known.code == place.code) {
            sheet.places.push(place);
        }
    }
    if seen.is_empty() { Err(ImportError::NoRows) } else { Ok(sheet) }
}

/// In the row of a service `Region` holds the code of its region, in that of a region its name.
fn place(row: &Row<'_>) -> Result<Place, ImportError> {
    let (code, region) = (row.code(ORG_CODE)?, row.text(REGION));
    if code == "Eng" {
        return Ok(Place { code: "ENG".to_owned(), name: "England".to_owned(), level: Level::Nation });
    }
    if let Some((_, _, name)) = REGIONS.iter().find(|(_, known, _)| *known == code) {
        return Ok(Place { code: code.to_owned(), name: (*name).to_owned(), level: Level::Region });
    }
    if !REGIONS.iter().any(|(_, known, _)| *known == region) {
        return Err(row.wrong(REGION, "the code of one of the seven regions, such as Y56"));
    }
    let own = SERVICES_WITH_DEPARTMENTS.iter().find(|(provider, _)| *provider == code);
    Ok(Place {
        code: own.map_or(code, |(_, service)| service).to_owned(),
        name: row.name(ORG_NAME)?.to_owned(),
        level: Level::Service,
    })
}

fn state(row: &Row<'_>, mut says: returns::Row<'_>) -> Result<(), ImportError> {
    let number = |column| row.maybe(column, Missing::Dot);
    for (standard, first) in MEANS {
        let (total, total_s) = (number(first)?, number(first + 1)?);
        let (mean_s, p90_s) = (number(first + 2)?, number(first + 3)?);
        says.mean(standard, (total, total_s), p90_s);
        if let (Some(total), Some(total_s), Some(mean_s)) = (total, total_s, mean_s)
            && let Some(computed) = (total_s * 1_000).checked_div(total)
            // The mean is published in whole seconds.
            && computed.abs_diff(mean_s * 1_000) > 500
        {
            says.remark(standard, Why::Disagrees { published: mean_s * 1_000, computed });
        }
    }
    for (standard, column) in HANDOVERS_OVER {
        says.share(standard, number(column)?, number(HANDOVERS)?);
    }
    Ok(())
}
