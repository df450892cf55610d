//! NHS England's monthly A&E table. What bites: the plain columns exclude booked appointments, the last row is the
//! total, region names have trailing blanks, and "4-12 hs" is how the header spells it.

use std::collections::HashMap;

use domain::event::DepartmentType;

use super::cells::{Header, Lines, Row};
use super::{Cell, Form, ImportError, Month, Provider, Table, Waits};

/// The columns, as their publisher writes them.
pub(super) const COLUMNS: &[&str] = &[
    "Period",
    "Org Code",
    "Parent Org",
    "Org name",
    "A&E attendances Type 1",
    "A&E attendances Type 2",
    "A&E attendances Other A&E Department",
    "A&E attendances Booked Appointments Type 1",
    "A&E attendances Booked Appointments Type 2",
    "A&E attendances Booked Appointments Other Department",
    "Attendances over 4hrs Type 1",
    "Attendances over 4hrs Type 2",
    "Attendances over 4hrs Other Department",
    "Attendances over 4hrs Booked Appointments Type 1",
    "Attendances over 4hrs Booked Appointments Type 2",
    "Attendances over 4hrs Booked Appointments Other Department",
    "Patients who have waited 4-12 hs from DTA to admission",
    "Patients who have waited 12+ hrs from DTA to admission",
    "Emergency admissions via A&E - Type 1",
    "Emergency admissions via A&E - Type 2",
    "Emergency admissions via A&E - Other A&E department",
    "Other emergency admissions",
];
const PERIOD: usize = 0;
const ORG_CODE: usize = 1;
const PARENT_ORG: usize = 2;
const ORG_NAME: usize = 3;
const FIRST_COUNT: usize = 4;
const COUNTS: usize = 18;
const BOOKED: usize = 3;
const OVER: usize = 6;
const WAITS_4_TO_12_HOURS: usize = 12;
const WAITS_OVER_12_HOURS: usize = 13;
const ADMISSIONS: usize = 14;
const OTHER_ADMISSIONS: usize = 17;

const KINDS: [DepartmentType; 3] =
    [DepartmentType::Major, DepartmentType::SingleSpecialty, DepartmentType::Other];

/// Names in `Parent Org`, the code of each region and its name among the organisations.
pub(super) const REGIONS: [(&str, &str, &str); 7] = [
    ("NHS ENGLAND LONDON", "Y56", "London"),
    ("NHS ENGLAND SOUTH WEST", "Y58", "South West"),
    ("NHS ENGLAND SOUTH EAST", "Y59", "South East"),
    ("NHS ENGLAND MIDLANDS", "Y60", "Midlands"),
    ("NHS ENGLAND EAST OF ENGLAND", "Y61", "East of England"),
    ("NHS ENGLAND NORTH WEST", "Y62", "North West"),
    ("NHS ENGLAND NORTH EAST AND YORKSHIRE", "Y63", "North East and Yorkshire"),
];

pub(super) fn read(header: &Header, mut lines: Lines<'_>) -> Result<Table, ImportError> {
    let mut reading = Reading::default();
    while let Some(line) = lines.next()? {
        let row = header.row(&line)?;
        if reading.total_line.is_some() {
            return Err(ImportError::AfterTotal { line: row.line });
        }
        if row.text(ORG_CODE) == "TOTAL" {
            reading.check_total(&row)?;
        } else {
            reading.take(&row)?;
        }
    }
    if reading.providers.is_empty() {
        return Err(ImportError::NoRows);
    }
    let has_total = reading.total_line.is_some();
    Ok(Table {
        form: Form::Msitae,
        providers: reading.providers,
        cells: reading.cells,
        waits: reading.waits,
        other_admissions: reading.sums[OTHER_ADMISSIONS],
        with_other_admissions: reading.with_other_admissions,
        has_total,
    })
}

#[derive(Default)]
struct Reading {
    providers: Vec<Provider>,
    cells: Vec<Cell>,
    waits: Vec<Waits>,
    with_other_admissions: Vec<(Month, usize)>,
    /// Position of a provider by its code.
    known: HashMap<String, usize>,
    lines: HashMap<(Month, String), u64>,
    sums: [u64; COUNTS],
    total_line: Option<u64>,
}

impl Reading {
    fn take(&mut self, row: &Row<'_>) -> Result<(), ImportError> {
        let month = month(row)?;
        let code = row.code(ORG_CODE)?;
        if let Some(first) = self.lines.insert((month, code.to_owned()), row.line) {
            return Err(ImportError::Twice { line: row.line, first, code: code.to_owned(), month });
        }
        let provider = self.provider(row, code)?;
        let mut counts = [0u32; COUNTS];
        for (index, count) in counts.iter_mut().enumerate() {
            *count = row.number(FIRST_COUNT + index)?;
            self.sums[index] += u64::from(*count);
        }
        for (index, kind) in KINDS.into_iter().enumerate() {
            for (attendances, over) in [
                (counts[index], counts[OVER + index]),
                (counts[BOOKED + index], counts[OVER + BOOKED + index]),
            ] {
                if over > attendances {
                    let (line, code, kind) = (row.line, code.to_owned(), kind.number());
                    let over_four_hours = over;
                    return Err(ImportError::OverFourHours {
                        line,
                        code,
                        kind,
                        over_four_hours,
                        attendances,
                    });
                }
            }
            self.cells.push(Cell {
                month,
                provider,
                kind,
                attendances: counts[index] + counts[BOOKED + index],
                over_four_hours: counts[OVER + index] + counts[OVER + BOOKED + index],
                admissions: counts[ADMISSIONS + index],
            });
        }
        if counts[OTHER_ADMISSIONS] > 0 {
            self.with_other_admissions.push((month, provider));
        }
        let (from_4_to_12_hours, over_12_hours) = (counts[WAITS_4_TO_12_HOURS], counts[WAITS_OVER_12_HOURS]);
        self.waits.push(Waits { month, provider, from_4_to_12_hours, over_12_hours });
        Ok(())
    }

    fn provider(&mut self, row: &Row<'_>, code: &str) -> Result<usize, ImportError> {
        let parent = row.text(PARENT_ORG);
        let region = REGIONS
            .iter()
            .find(|(name, _, _)| name.eq_ignore_ascii_case(parent))
            .map(|(_, code, _)| *code)
            .ok_or_else(|| row.wrong(PARENT_ORG, "one of the seven regions, such as NHS ENGLAND LONDON"))?;
        let name = row.name(ORG_NAME)?;
        let position = *self.known.entry(code.to_owned()).or_insert(self.providers.len());
        if position == self.providers.len() {
            let (code, name) = (code.to_owned(), name.to_owned());
            self.providers.push(Provider { code, name, region: Some(region) });
        }
        Ok(position)
    }

    fn check_total(&mut self, row: &Row<'_>) -> Result<(), ImportError> {
        self.total_line = Some(row.line);
        for (index, sum) in self.sums.into_iter().enumerate() {
            let stated = u64::from(row.number(FIRST_COUNT + index)?);
            if stated != sum {
                let column = COLUMNS[FIRST_COUNT + index];
                return Err(ImportError::Total { line: row.line, column, stated, sum });
            }
        }
        Ok(())
    }
}

fn month(row: &Row<'_>) -> Result<Month, ImportError> {
    let text = row.text(PERIOD);
    let name = text.strip_prefix("MSitAE-").unwrap_or_default();
    Month::from_name(name).ok_or_else(|| row.wrong(PERIOD, "a month such as MSitAE-OCTOBER-2025"))
}
