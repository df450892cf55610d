//! Published monthly A&E tables as attendances. Two forms are read, told apart by their header: NHS England's MSitAE
//! table (one row a provider, a column for each type, booked appointments apart) and the older long form (one row a
//! month, provider and type). Out come the places that a table names ([`organisations`]) and attendances that
//! reproduce its attendances and those over four hours exactly ([`Table::events`]).
//!
//! Not reproduced: emergency admissions and waits from the decision to admit; the report says how many there are.
//! Reading files, choosing where events go and printing are the caller's.

mod attendances;
mod cells;
mod error;
mod month;
mod monthly;
mod msitae;
mod places;
mod report;
#[cfg(test)]
mod tests;

use domain::event::DepartmentType;

pub use error::ImportError;
pub use month::Month;
pub use places::organisations;
pub use report::{FileReport, ImportReport, Silent, report};

/// Which of the published forms a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// NHS England's monthly A&E table.
    Msitae,
    /// `period,org_code,type,attendances,breaches,admissions`.
    Monthly,
}

impl Form {
    /// The name in sources and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Msitae => "msitae",
            Form::Monthly => "ae-monthly",
        }
    }
}

/// A provider that a table names.
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
}

/// Sums that a table holds beside attendances; not imported yet, but said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotPlaced {
    /// Emergency admissions via A&E.
    pub admissions: u64,
    /// Other emergency admissions: they never came through A&E.
    pub other_admissions: u64,
    /// Waited 4–12 hours from the decision to admit.
    pub waited_4_to_12_hours: u64,
    /// Waited 12 hours or more from the decision to admit.
    pub waited_over_12_hours: u64,
}

/// A published table, checked: numbers are numbers, nobody stands twice, no more are over four hours than attended, and
/// the columns add up to the total where the table has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its form.
    pub form: Form,
    /// The providers in the order of the table.
    pub providers: Vec<Provider>,
    /// One for each row and type, zeros included.
    pub cells: Vec<Cell>,
    /// Whether there was a row of totals, with which everything agreed.
    pub has_total: bool,
    /// What is in the table and not in the attendances.
    pub not_placed: NotPlaced,
}

/// Reads a table of either form. The error names line and column, and what would be right.
pub fn read(bytes: &[u8]) -> Result<Table, ImportError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = cells::Lines::new(bytes);
    let Some(header) = lines.next()? else { return Err(ImportError::Empty) };
    let names = header.texts()?;
    if names.contains(&"Org Code") {
        msitae::read(&cells::Header::new(&names, msitae::COLUMNS)?, lines)
    } else if names.contains(&"org_code") {
        monthly::read(&cells::Header::new(&names, monthly::COLUMNS)?, lines)
    } else {
        Err(ImportError::Form { found: names.join(",").chars().take(80).collect() })
    }
}

impl Table {
    /// The places that this table names; see [`organisations`].
    pub fn organisations(&self) -> Vec<domain::organisations::Row> {
        organisations(std::slice::from_ref(self))
    }

    /// The months that it covers, in order.
    pub fn months(&self) -> Vec<Month> {
        let mut months: Vec<Month> = self.cells.iter().map(|cell| cell.month).collect();
        months.sort_unstable();
        months.dedup();
        months
    }
}

/// The code of the site that stands for a provider's departments of one type.
pub fn site_code(provider: &str, kind: DepartmentType) -> String {
    format!("{provider}-T{}", kind.number())
}
