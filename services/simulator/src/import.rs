//! Published monthly tables as events. Four forms are read, told apart by their header: NHS England's monthly A&E table
//! (MSitAE: one row a provider, a column for each type, booked appointments apart), its older long form (one row a month,
//! provider and type), the ambulance systems indicators (AmbSYS), and general and acute beds by trust. An A&E table
//! becomes attendances that reproduce its counts ([`Table::events`]); any table becomes returns that state what it
//! says ([`Published::returns`]); and the places that tables name come out too ([`organisations`]).
//!
//! Reading files, choosing where events go and printing are the caller's.

mod ambsys;
mod attendances;
mod cells;
mod error;
mod ga_beds;
mod month;
mod monthly;
mod msitae;
mod places;
mod placing;
mod report;
mod returns;
#[cfg(test)]
mod tests;

use domain::event::DepartmentType;

pub use error::ImportError;
pub use month::Month;
pub use places::{LeftOut, organisations};
pub use placing::{Counted, Placed, Placing, Unplaced};
pub use report::{FileReport, ImportReport, LICENCE, Silent, left_out, report, returns_report, silent};
pub use returns::{Figure, MonthlyReturn, Remark, Returns, Why};

/// Which of the published forms a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// NHS England's monthly A&E table.
    Msitae,
    /// `period,org_code,type,attendances,breaches,admissions`.
    Monthly,
    /// Ambulance systems indicators.
    Ambsys,
    /// General and acute and critical care beds by trust.
    GaBeds,
}

impl Form {
    /// The name in sources and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Msitae => "msitae",
            Form::Monthly => "ae-monthly",
            Form::Ambsys => "ambsys",
            Form::GaBeds => "ga-beds",
        }
    }
}

/// A provider that an A&E table names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its ODS code.
    pub code: String,
    /// Its name as published; the code where the table has no names.
    pub name: String,
    /// Its region's code; `None` where the table has no regions.
    pub region: Option<&'static str>,
}

/// One month of one department type of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The month.
    pub month: Month,
    /// Position in [`Table::providers`].
    pub provider: usize,
    /// 1, 2 or 3 ("other": types 3 and 4).
    pub kind: DepartmentType,
    /// All attendances, booked ones included.
    pub attendances: u32,
    /// Of these over four hours, booked ones included.
    pub over_four_hours: u32,
    /// Emergency admissions via A&E; they may exceed the attendances.
    pub admissions: u32,
}

/// Waits from the decision to admit in one month of one provider, all its departments together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The month.
    pub month: Month,
    /// Position in [`Table::providers`].
    pub provider: usize,
    /// Waited 4–12 hours.
    pub from_4_to_12_hours: u32,
    /// Waited 12 hours or more.
    pub over_12_hours: u32,
}

/// A published A&E table, checked: numbers are numbers, nobody stands twice, no more are over four hours than attended,
/// and the columns add up to the total where the table has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its form.
    pub form: Form,
    /// The providers in the order of the table.
    pub providers: Vec<Provider>,
    /// One for each row and type, zeros included.
    pub cells: Vec<Cell>,
    /// One for each row of a form that has them.
    pub waits: Vec<Waits>,
    /// Emergency admissions that never came through A&E: imported as nothing.
    pub other_admissions: u64,
    /// Who has such admissions in which month, by position in `providers`.
    pub with_other_admissions: Vec<(Month, usize)>,
    /// Whether there was a row of totals, with which everything agreed.
    pub has_total: bool,
}

/// An organisation that a table of returns names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The code as sitrep knows it.
    pub code: String,
    /// Its name as published; the code where the table has no names.
    pub name: String,
    /// How high it stands.
    pub level: domain::organisations::Level,
}

/// A published table of figures that are not attendances, checked and turned into returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Its form.
    pub form: Form,
    /// Who is in it, once each.
    pub places: Vec<Place>,
    /// What it says.
    pub returns: Returns,
}

/// A published table of any form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// A&E attendances.
    Attendances(Table),
    /// Figures that can only be returns.
    Figures(Sheet),
}

/// Reads an A&E table of either form; another table is an error.
pub fn read(bytes: &[u8]) -> Result<Table, ImportError> {
    match Published::read(bytes)? {
        Published::Attendances(table) => Ok(table),
        Published::Figures(sheet) => Err(ImportError::NoAttendances { form: sheet.form.as_str() }),
    }
}

impl Published {
    /// Reads a table of any form. The error names line and column, and what would be right.
    pub fn read(bytes: &[u8]) -> Result<Published, ImportError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut lines = cells::Lines::new(bytes);
        let Some(header) = lines.next()? else { return Err(ImportError::Empty) };
        let names = header.texts()?;
        if names.contains(&"Org Code") && names.contains(&"Year") {
            let header = cells::Header::among(&names, ambsys::COLUMNS, ambsys::is_indicator)?;
            ambsys::read(&header, lines).map(Published::Figures)
        } else if names.contains(&"nhs_trust22_code") {
            ga_beds::read(&cells::Header::new(&names, ga_beds::COLUMNS)?, lines).map(Published::Figures)
        } else if names.contains(&"Org Code") {
            msitae::read(&cells::Header::new(&names, msitae::COLUMNS)?, lines).map(Published::Attendances)
        } else if names.contains(&"org_code") {
            monthly::read(&cells::Header::new(&names, monthly::COLUMNS)?, lines).map(Published::Attendances)
        } else {
            Err(ImportError::Form { found: names.join(",").chars().take(80).collect() })
        }
    }

    /// Its form.
    pub fn form(&self) -> Form {
        match self {
            Published::Attendances(table) => table.form,
            Published::Figures(sheet) => sheet.form,
        }
    }

    /// What it says, as returns.
    pub fn returns(&self) -> Returns {
        match self {
            Published::Attendances(table) => table.returns(),
            Published::Figures(sheet) => sheet.returns.clone(),
        }
    }

    /// The months that it covers, in order.
    pub fn months(&self) -> Vec<Month> {
        match self {
            Published::Attendances(table) => table.months(),
            Published::Figures(sheet) => sheet.returns.months(),
        }
    }

    /// Leaves only these months.
    pub fn select(&mut self, months: &[Month]) {
        match self {
            Published::Attendances(table) => table.select(months),
            Published::Figures(sheet) => sheet.returns.select(months),
        }
    }

    /// Whom it names in which month.
    fn named(&self) -> Vec<(Month, &str)> {
        match self {
            Published::Attendances(table) => table
                .cells
                .iter()
                .map(|cell| (cell.month, table.providers[cell.provider].code.as_str()))
                .collect(),
            Published::Figures(sheet) => sheet.returns.named().collect(),
        }
    }
}

/// Nobody's month may be in two tables of one kind: the one would be taken for a correction of the other. The positions of
/// the two, and who it is.
pub fn overlap(tables: &[Published]) -> Option<(usize, usize, String, Month)> {
    let mut first = std::collections::HashMap::new();
    for (index, table) in tables.iter().enumerate() {
        let kind = match table.form() {
            Form::Msitae | Form::Monthly => Form::Msitae.as_str(),
            form @ (Form::Ambsys | Form::GaBeds) => form.as_str(),
        };
        for (month, code) in table.named() {
            let other = *first.entry((kind, month, code)).or_insert(index);
            if other != index {
                return Some((other, index, code.to_owned(), month));
            }
        }
    }
    None
}

impl Table {
    /// The places that this table names; see [`organisations`].
    pub fn organisations(&self) -> Vec<domain::organisations::Row> {
        organisations(&[Published::Attendances(self.clone())])
    }

    /// The months that it covers, in order.
    pub fn months(&self) -> Vec<Month> {
        let mut months: Vec<Month> = self.cells.iter().map(|cell| cell.month).collect();
        months.sort_unstable();
        months.dedup();
        months
    }

    /// Leaves only these months.
    pub fn select(&mut self, months: &[Month]) {
        self.cells.retain(|cell| months.contains(&cell.month));
        self.waits.retain(|waits| months.contains(&waits.month));
    }
}

/// The code of the site that stands for a provider's departments of one type.
pub fn site_code(provider: &str, kind: DepartmentType) -> String {
    format!("{provider}-T{}", kind.number())
}
