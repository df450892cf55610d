//! What a published table says, as returns for periodic standards (spec 1.5), one for each standard, organisation and
//! month. A number that a table does not have is not stated: missing is not zero. What could not be stated, or does not
//! agree with itself, is remarked. Not which standards there are: that is configuration.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::event::{DepartmentType, Event, Fact, Return, Statement};
use domain::organisations::Organisations;
use domain::time::{Millis, Second};

use super::{Cell, Form, LeftOut, Month, Table};

/// Within four hours, all types; with `-type-1`, `-type-2` and `-type-3` for one type.
const FOUR_HOURS: &str = "ae-four-hours-monthly";
const ADMISSIONS: &str = "ae-admissions-monthly";
const OVER_4H_DECISION: &str = "ae-over-4h-decision-monthly";
const OVER_12H_DECISION: &str = "ae-over-12h-decision-monthly";

/// The numbers of one return, by the kind of its standard (spec 2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// So many of so many.
    Share {
        /// How many met it.
        met: u64,
        /// Of how many.
        total: u64,
    },
    /// So many.
    Count(u64),
    /// A mean of seconds.
    Mean {
        /// Of how many.
        total: u64,
        /// The sum of their seconds.
        total_s: u64,
        /// The 90th percentile as published, seconds.
        p90_s: Option<u64>,
    },
}

/// What one organisation returned for one standard and month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthlyReturn {
    /// The id of the standard.
    pub standard: &'static str,
    /// The organisation's code.
    pub org: String,
    /// The month.
    pub month: Month,
    /// Its numbers.
    pub figure: Figure,
}

impl MonthlyReturn {
    /// As an event. It is the same whenever a table of this form is imported; one with a later `recorded_at` (the month's
    /// [`Month::published`] by default) corrects it.
    pub fn event(&self, form: Form, recorded_at: Option<Second>) -> Event<'_> {
        let mut says = Return {
            standard: Cow::Borrowed(self.standard),
            org: Cow::Borrowed(&self.org),
            period_start: self.month.first_day(),
            met: Fact::Absent,
            total: Fact::Absent,
            count: Fact::Absent,
            total_s: Fact::Absent,
            p90_s: Fact::Absent,
        };
        match self.figure {
            Figure::Share { met, total } => {
                (says.met, says.total) = (Fact::Stated(met), Fact::Stated(total));
            }
            Figure::Count(count) => says.count = Fact::Stated(count),
            Figure::Mean { total, total_s, p90_s } => {
                (says.total, says.total_s) = (Fact::Stated(total), Fact::Stated(total_s));
                says.p90_s = p90_s.map_or(Fact::Absent, Fact::Stated);
            }
        }
        Event {
            id: format!("{}-{}-{}", self.standard, self.org, self.month).into(),
            source: format!("nhs-england.{}", form.as_str()).into(),
            recorded_at: Millis::from(recorded_at.unwrap_or_else(|| self.month.published())),
            statement: Statement::Standard(says),
        }
    }
}

/// Why a return was not stated, or is doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The table has no numbers: nothing is stated.
    Missing,
    /// The table has one number and not the other: nothing is stated.
    Partial,
    /// More met it than there were: nothing is stated.
    MoreThanAll {
        /// As published.
        met: u64,
        /// As published.
        total: u64,
    },
    /// The published mean or rate is not what sum and total give: stated as sum and total.
    Disagrees {
        /// The mean or rate as published, in thousandths.
        published: u64,
        /// As the sum and the total give it, in thousandths.
        computed: u64,
    },
}

/// Something that is to be known about one return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The id of the standard.
    pub standard: &'static str,
    /// The organisation's code.
    pub org: String,
    /// The month.
    pub month: Month,
    /// What.
    pub why: Why,
}

/// All that a table says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returns {
    /// In the order of the table.
    pub stated: Vec<MonthlyReturn>,
    /// In the order of the table.
    pub remarks: Vec<Remark>,
}

impl Returns {
    /// The months in it, in order.
    pub fn months(&self) -> Vec<Month> {
        let mut months: Vec<Month> = self.named().map(|(month, _)| month).collect();
        months.sort_unstable();
        months.dedup();
        months
    }

    /// Leaves only these months.
    pub fn select(&mut self, months: &[Month]) {
        self.stated.retain(|one| months.contains(&one.month));
        self.remarks.retain(|one| months.contains(&one.month));
    }

    /// Leaves out what organisations that are not known returned.
    pub fn retain_known(&mut self, places: &Organisations) -> Vec<LeftOut> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        self.stated.retain(|one| {
            let known = places.find(&one.org).is_some();
            if !known {
                *counts.entry(one.org.clone()).or_default() += 1;
            }
            known
        });
        self.remarks.retain(|one| places.find(&one.org).is_some());
        counts.into_iter().map(|(code, count)| LeftOut { code, count }).collect()
    }

    pub(super) fn named(&self) -> impl Iterator<Item = (Month, &str)> {
        let stated = self.stated.iter().map(|one| (one.month, one.org.as_str()));
        stated.chain(self.remarks.iter().map(|one| (one.month, one.org.as_str())))
    }
}

/// Adds returns of one organisation and month.
pub(super) struct Row<'a> {
    pub(super) returns: &'a mut Returns,
    pub(super) org: &'a str,
    pub(super) month: Month,
}

impl Row<'_> {
    pub(super) fn share(&mut self, standard: &'static str, met: Option<u64>, total: Option<u64>) {
        match (met, total) {
            (Some(met), Some(total)) if met > total => self.remark(standard, Why::MoreThanAll { met, total }),
            (Some(met), Some(total)) => self.state(standard, Figure::Share { met, total }),
            (None, None) => self.remark(standard, Why::Missing),
            (None, Some(_)) | (Some(_), None) => self.remark(standard, Why::Partial),
        }
    }

    pub(super) fn mean(
        &mut self,
        standard: &'static str,
        (total, total_s): (Option<u64>, Option<u64>),
        p90_s: Option<u64>,
    ) {
        match (total, total_s) {
            (Some(total), Some(total_s)) => self.state(standard, Figure::Mean { total, total_s, p90_s }),
            (None, None) if p90_s.is_none() => self.remark(standard, Why::Missing),
            (None, None) | (None, Some(_)) | (Some(_), None) => self.remark(standard, Why::Partial),
        }
    }

    fn count(&mut self, standard: &'static str, count: u64) {
        self.state(standard, Figure::Count(count));
    }

    pub(super) fn state(&mut self, standard: &'static str, figure: Figure) {
        let (org, month) = (self.org.to_owned(), self.month);
        self.returns.stated.push(MonthlyReturn { standard, org, month, figure });
    }

    pub(super) fn remark(&mut self, standard: &'static str, why: Why) {
        let (org, month) = (self.org.to_owned(), self.month);
        self.returns.remarks.push(Remark { standard, org, month, why });
    }
}

impl Table {
    /// What each provider returned. A type without attendances is not stated, and a provider without any is silent: a
    /// zero in these tables says that there is no such department, or that nothing was sent.
    pub fn returns(&self) -> Returns {
        let mut by_provider: BTreeMap<(Month, usize), Vec<&Cell>> = BTreeMap::new();
        for cell in &self.cells {
            by_provider.entry((cell.month, cell.provider)).or_default().push(cell);
        }
        let mut returns = Returns::default();
        for ((month, provider), cells) in by_provider {
            let org = self.providers[provider].code.as_str();
            let mut row = Row { returns: &mut returns, org, month };
            four_hours(&mut row, &cells);
            let attendances = cells.iter().any(|cell| cell.attendances > 0);
            let admissions = cells.iter().map(|cell| u64::from(cell.admissions)).sum();
            if attendances || admissions > 0 {
                row.count(ADMISSIONS, admissions);
            }
            let waits = self.waits.iter().find(|waits| (waits.month, waits.provider) == (month, provider));
            if let Some(waits) = waits
                && attendances
            {
                let over_12_hours = u64::from(waits.over_12_hours);
                // As `ae_admission.over_4h_decision`, which counts those of twelve hours too.
                row.count(OVER_4H_DECISION, u64::from(waits.from_4_to_12_hours) + over_12_hours);
                row.count(OVER_12H_DECISION, over_12_hours);
            }
        }
        returns
    }
}

fn four_hours(row: &mut Row<'_>, cells: &[&Cell]) {
    let within = |cell: &Cell| u64::from(cell.attendances - cell.over_four_hours);
    let total = cells.iter().map(|cell| u64::from(cell.attendances)).sum();
    if total > 0 {
        row.state(FOUR_HOURS, Figure::Share { met: cells.iter().map(|cell| within(cell)).sum(), total });
    }
    for cell in cells.iter().filter(|cell| cell.attendances > 0) {
        let standard = match cell.kind {
            DepartmentType::Major => "ae-four-hours-monthly-type-1",
            DepartmentType::SingleSpecialty => "ae-four-hours-monthly-type-2",
            DepartmentType::Other | DepartmentType::WalkInCentre | DepartmentType::SameDayEmergencyCare => {
                "ae-four-hours-monthly-type-3"
            }
        };
        row.state(standard, Figure::Share { met: within(cell), total: u64::from(cell.attendances) });
    }
}
