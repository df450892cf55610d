//! The situation report (spec 4.1): one organisation, one period of whole local days, beside the period before and the
//! same period a year before.
//!
//! It reads the board's own store and nothing else, so it can be made while the board is at work. `gather` reads,
//! [`figures`] adds up, `words` says it in sentences and tables, and [`text`], [`html`] and [`json`] write that down.
//! Nothing is judged here but by the targets that are handed in, and percentiles are never averaged: of days only the
//! highest is shown, and named so.

pub mod document;
pub mod escalation;
pub mod figures;
mod gather;
pub mod html;
pub mod json;
pub mod number;
pub mod period;
pub mod standards;
pub mod text;
mod words;

use domain::measures::TypeTag;
use domain::organisations::Level;
use domain::standard::Standards;
use domain::target::Targets;
use domain::time::Minute;
use jiff::civil::Date;

use crate::history::Published;
use crate::read::Reader;
use crate::store::StoreError;
use document::Document;
use escalation::Escalation;
use figures::Figures;
use number::Share;
use period::Period;
use standards::StandardLine;

/// The floor below which organisations are named unless another is asked for.
pub const DEFAULT_FLOOR: f64 = 0.80;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The organisation's code; `None`: the nation.
    pub org: Option<String>,
    /// The period.
    pub period: Period,
    /// Organisations with a smaller share within four hours (all types) are named; from 0 to 1.
    pub floor: f64,
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its level.
    pub level: Level,
}

impl Place {
    /// Its name with its code: `York (RCB)`; the code alone where the table has no name.
    pub fn label(&self) -> String {
        if self.name == self.code { self.code.clone() } else { format!("{} ({})", self.name, self.code) }
    }
}

/// What figures are held against, and which returns there can be.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Dated targets.
    pub targets: &'a Targets,
    /// Periodic standards.
    pub standards: &'a Standards,
}

/// A target in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The number that should be reached, or not be passed.
    pub value: f64,
    /// Whether the number was checked against its source.
    pub verified: bool,
}

/// An organisation below the floor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BelowOne {
    /// Which.
    pub place: Place,
    /// Within four hours, all types, of those that departed.
    pub now: Share,
    /// The same a year before; `None`: not held.
    pub year_before: Option<Share>,
}

/// How many of how many are below the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BelowCount {
    /// Below the floor.
    pub below: usize,
    /// With any departure.
    pub of: usize,
}

/// The organisations below the floor, all types.
#[derive(Clone, Debug, PartialEq)]
pub struct Below {
    /// Their level: trusts, or the sites of a trust.
    pub level: Level,
    /// The floor.
    pub floor: f64,
    /// Now; `None`: no figures are held.
    pub now: Option<BelowCount>,
    /// A year before.
    pub year_before: Option<BelowCount>,
    /// By rate, the lowest first, ties by the larger denominator.
    pub organisations: Vec<BelowOne>,
}

/// Everything that a report says, as data.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of whom it is.
    pub place: Place,
    /// The newest minute that the store holds.
    pub as_at: Minute,
    /// The first day of which the store holds anything; of that maybe only a part.
    pub first_day: Date,
    /// From which published tables figures of the store were made.
    pub published: Vec<Published>,
    /// The period asked for.
    pub now: Figures,
    /// The one before.
    pub before: Figures,
    /// The same a year before.
    pub year_before: Figures,
    /// Who is below the floor.
    pub below: Below,
    /// The newest returns for each standard that has any.
    pub standards: Vec<StandardLine>,
    /// Escalation, declared and computed, of everybody who has any.
    pub escalations: Vec<Escalation>,
}

impl Report {
    /// The three periods in the order of the columns.
    pub fn periods(&self) -> [&Figures; 3] {
        [&self.now, &self.before, &self.year_before]
    }

    /// Whether attendances were made from a published table, so that only their sums are real.
    pub fn is_made_up(&self) -> bool {
        self.published.contains(&Published::Attendances)
    }

    /// Whether anything of type 1 is held: a minor injuries unit has nothing to say of major departments.
    pub fn has_major(&self) -> bool {
        self.periods().iter().any(|figures| figures.four_hour(TypeTag::One).is_some())
    }

    /// The report in sentences and tables.
    pub fn document(&self) -> Document {
        words::document(self)
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The store.
    #[error("the board's store cannot be read")]
    Store(#[from] StoreError),
    /// The store has no table of organisations.
    #[error("the store holds no table of organisations: a board or a replay that fills it keeps one there")]
    NoOrganisations,
    /// Nothing was ever written to it.
    #[error("the store holds no figures")]
    Empty,
    /// Nobody of that code.
    #[error("no organisation has the code \"{0}\" in the store's table")]
    UnknownOrg(String),
    /// The table has no nation to report on.
    #[error("the store's table of organisations has no nation: say which organisation with --org")]
    NoNation,
}

impl ReportError {
    /// Whether what was asked for cannot be: a fault of usage.
    pub fn is_usage(&self) -> bool {
        match self {
            ReportError::UnknownOrg(_) | ReportError::NoNation => true,
            ReportError::Store(_) | ReportError::NoOrganisations | ReportError::Empty => false,
        }
    }
}

/// Makes the report from the store.
pub fn make(reader: &mut Reader, request: &Request, rules: Rules<'_>) -> Result<Report, ReportError> {
    gather::gather(reader, request, rules)
}
