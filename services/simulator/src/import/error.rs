//! What can be wrong with a published table, with line and column.

/// Why a table cannot be imported. Lines count from 1, the header included; columns are named as in the header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No header.
    #[error("the file is empty: a header and rows were expected")]
    Empty,
    /// A header and nothing else.
    #[error("the table has no rows")]
    NoRows,
    /// A table of something else where attendances were asked for.
    #[error("a table of form {form} holds no attendances; it can be imported as returns")]
    NoAttendances {
        /// The name of its form.
        form: &'static str,
    },
    /// None of the forms.
    #[error(
        "line 1: this header is of no table that is known: \"{found}\"; a header of one of these was expected: \
         \"Period,Org Code,Parent Org,…\" (MSitAE), \"period,org_code,type,attendances,breaches,admissions\", \
         \"Year,Month,Region,Org Code,Org Name,A0,…\" (AmbSYS), \"nhs_trust22_code,date,…\" (beds)"
    )]
    Form {
        /// The first 80 characters of the header.
        found: String,
    },
    /// A column that is needed is not there.
    #[error("line 1: column \"{column}\" is missing")]
    MissingColumn {
        /// Its name.
        column: &'static str,
    },
    /// A column that is not known: it could hold attendances.
    #[error("line 1: column \"{column}\" is not known, or stands twice; counts in it would be lost")]
    UnknownColumn {
        /// Its name.
        column: String,
    },
    /// Too few or too many cells.
    #[error("line {line}: {found} cells, {expected} were expected")]
    Cells {
        /// Where.
        line: u64,
        /// How many.
        found: usize,
        /// As many as the header has.
        expected: usize,
    },
    /// Bytes that are no text.
    #[error("line {line}: not valid UTF-8")]
    Encoding {
        /// Where.
        line: u64,
    },
    /// A cell that cannot be what it should.
    #[error("line {line}, column \"{column}\": \"{found}\" is not {expected}")]
    Cell {
        /// Where.
        line: u64,
        /// Where.
        column: &'static str,
        /// What stood there.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// More over four hours than attended.
    #[error(
        "line {line} ({code}, type {kind}): {over_four_hours} over four hours is more than {attendances} attendances"
    )]
    OverFourHours {
        /// Where.
        line: u64,
        /// The provider.
        code: String,
        /// 1, 2 or 3.
        kind: u8,
        /// As stated.
        over_four_hours: u32,
        /// As stated.
        attendances: u32,
    },
    /// A provider's month stands twice.
    #[error("line {line}: {code} stands twice for {month}, first in line {first}")]
    Twice {
        /// The second line.
        line: u64,
        /// The first line.
        first: u64,
        /// The provider, with the type where rows have one.
        code: String,
        /// The month.
        month: super::Month,
    },
    /// A total that is not the sum.
    #[error("line {line}, column \"{column}\": the total says {stated}, the rows add up to {sum}")]
    Total {
        /// The line of the total.
        line: u64,
        /// Where.
        column: &'static str,
        /// As stated.
        stated: u64,
        /// As added up.
        sum: u64,
    },
    /// Something after the total, a second one perhaps.
    #[error("line {line}: a row after the total")]
    AfterTotal {
        /// Where.
        line: u64,
    },
}
