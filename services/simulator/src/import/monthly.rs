//! The older long form: one row for each month, provider and type that it runs. It has no regions, no names, no booked
//! appointments, no waits from the decision to admit, and no total.

use std::collections::HashMap;

use domain::event::DepartmentType;

use super::cells::{Header, Lines, Row};
use super::{Cell, Form, ImportError, Month, Provider, Table};

/// The columns.
pub(super) const COLUMNS: &[&str] = &["period", "org_code", "type", "attendances", "breaches", "admissions"];

pub(super) fn read(header: &Header, mut lines: Lines<'_>) -> Result<Table, ImportError> {
    let mut known = HashMap::new();
    let mut seen = HashMap::new();
    let mut table = Table {
        form: Form::Monthly,
        providers: Vec::new(),
        cells: Vec::new(),
        has_total: false,
        waits: Vec::new(),
        other_admissions: 0,
        with_other_admissions: Vec::new(),
    };
    while let Some(line) = lines.next()? {
        let row = header.row(&line)?;
        let code = row.code(1)?;
        let provider = *known.entry(code.to_owned()).or_insert(table.providers.len());
        if provider == table.providers.len() {
            let (code, name) = (code.to_owned(), code.to_owned());
            table.providers.push(Provider { code, name, region: None });
        }
        let cell = cell(&row, provider)?;
        if let Some(first) = seen.insert((cell.month, provider, cell.kind), row.line) {
            let (code, month) = (format!("{code}, type {}", row.text(2)), cell.month);
            return Err(ImportError::Twice { line: row.line, first, code, month });
        }
        if cell.over_four_hours > cell.attendances {
            return Err(ImportError::OverFourHours {
                line: row.line,
                code: code.to_owned(),
                kind: cell.kind.number(),
                over_four_hours: cell.over_four_hours,
                attendances: cell.attendances,
            });
        }
        table.cells.push(cell);
    }
    if table.cells.is_empty() { Err(ImportError::NoRows) } else { Ok(table) }
}

fn cell(row: &Row<'_>, provider: usize) -> Result<Cell, ImportError> {
    let month = Month::from_first_day(row.text(0));
    let kind = match row.text(2) {
        "1" => DepartmentType::Major,
        "2" => DepartmentType::SingleSpecialty,
        "other" => DepartmentType::Other,
        _ => return Err(row.wrong(2, "1, 2 or other")),
    };
    Ok(Cell {
        month: month.ok_or_else(|| row.wrong(0, "the first day of a month such as 2017-03-01"))?,
        provider,
        kind,
        attendances: row.number(3)?,
        over_four_hours: row.number(4)?,
        admissions: row.number(5)?,
    })
}
