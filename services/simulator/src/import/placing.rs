//! Which attendances of a table were admitted, and which of these waited long from the decision to admit. A table has
//! admissions by department type and waits by provider; here both find attendances that they fit on, and what does not
//! fit is named. Not when anything happened: that is `attendances`.

use std::collections::BTreeMap;

use domain::event::DepartmentType;

use super::{Cell, Month, Table};

/// Of an attendance of more than four hours it is so much likelier that it ended with an admission.
const ODDS_OVER: u64 = 3;
const ODDS_WITHIN: u64 = 2;

/// How many attendances of a [`Cell`] were admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Of those over four hours.
    pub admitted_over: u32,
    /// Of those within four hours.
    pub admitted_within: u32,
    /// Of `admitted_over`: left 241 to 720 minutes after the decision to admit.
    pub waited_4_to_12_hours: u32,
    /// Of `admitted_over`: left more than 720 minutes after the decision to admit.
    pub waited_over_12_hours: u32,
}

/// What a count of a table is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Emergency admissions via A&E.
    Admissions,
    /// Waited 4–12 hours from the decision to admit.
    Waits4To12Hours,
    /// Waited 12 hours or more from the decision to admit.
    WaitsOver12Hours,
}

impl Counted {
    /// In words, for a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Counted::Admissions => "emergency admissions via A&E",
            Counted::Waits4To12Hours => "waits of 4-12 h from the decision to admit",
            Counted::WaitsOver12Hours => "waits of 12 h and more from the decision to admit",
        }
    }
}

/// A part of a count for which a provider has no attendance that fits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unplaced {
    /// The month.
    pub month: Month,
    /// The provider.
    pub code: String,
    /// What is left over.
    pub what: Counted,
    /// The department type of admissions; waits have none.
    pub kind: Option<DepartmentType>,
    /// How many.
    pub count: u64,
}

/// Where the admissions and waits of a table go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    /// One for each of [`Table::cells`].
    pub cells: Vec<Placed>,
    /// What fits nowhere, by month and provider.
    pub unplaced: Vec<Unplaced>,
}

impl Placing {
    /// How many of a count were placed.
    pub fn placed(&self, what: Counted) -> u64 {
        let of = |cell: &Placed| match what {
            Counted::Admissions => cell.admitted_over + cell.admitted_within,
            Counted::Waits4To12Hours => cell.waited_4_to_12_hours,
            Counted::WaitsOver12Hours => cell.waited_over_12_hours,
        };
        self.cells.iter().map(|cell| u64::from(of(cell))).sum()
    }
}

impl Table {
    /// Places admissions on attendances of the same provider and type, and waits on admitted attendances over four
    /// hours of the same provider, major departments first.
    pub fn placing(&self) -> Placing {
        let mut placing = Placing { cells: vec![Placed::default(); self.cells.len()], unplaced: Vec::new() };
        let mut of_provider: BTreeMap<(Month, usize), Vec<usize>> = BTreeMap::new();
        for (index, cell) in self.cells.iter().enumerate() {
            of_provider.entry((cell.month, cell.provider)).or_default().push(index);
        }
        for indices in of_provider.values_mut() {
            indices.sort_by_key(|index| self.cells[*index].kind);
        }
        for waits in &self.waits {
            let indices = of_provider.get(&(waits.month, waits.provider)).map_or(&[][..], Vec::as_slice);
            for (what, count) in [
                (Counted::WaitsOver12Hours, waits.over_12_hours),
                (Counted::Waits4To12Hours, waits.from_4_to_12_hours),
            ] {
                let left = self.place_waits(indices, what, count, &mut placing.cells);
                let unplaced = self.unplaced(waits.month, waits.provider, what, None, left);
                placing.unplaced.extend(unplaced);
            }
        }
        for (cell, placed) in self.cells.iter().zip(&mut placing.cells) {
            place_admissions(cell, placed);
            let left = cell.admissions - placed.admitted_over - placed.admitted_within;
            let unplaced =
                self.unplaced(cell.month, cell.provider, Counted::Admissions, Some(cell.kind), left);
            placing.unplaced.extend(unplaced);
        }
        placing.unplaced.sort();
        placing
    }

    /// How many are left.
    fn place_waits(&self, indices: &[usize], what: Counted, count: u32, cells: &mut [Placed]) -> u32 {
        let mut left = count;
        for index in indices {
            let placed = &mut cells[*index];
            let taken = placed.waited_4_to_12_hours + placed.waited_over_12_hours;
            let take = left.min(room_for_waits(&self.cells[*index]) - taken);
            match what {
                Counted::WaitsOver12Hours => placed.waited_over_12_hours += take,
                Counted::Waits4To12Hours => placed.waited_4_to_12_hours += take,
                Counted::Admissions => {}
            }
            left -= take;
        }
        left
    }

    fn unplaced(
        &self,
        month: Month,
        provider: usize,
        what: Counted,
        kind: Option<DepartmentType>,
        count: u32,
    ) -> Option<Unplaced> {
        let code = || self.providers[provider].code.clone();
        (count > 0).then(|| Unplaced { month, code: code(), what, kind, count: u64::from(count) })
    }
}

/// Attendances of a cell that can be both admitted and over four hours.
fn room_for_waits(cell: &Cell) -> u32 {
    cell.admissions.min(cell.over_four_hours)
}

/// Divides the admissions of a cell between those over four hours, who hold all waits, and the others.
fn place_admissions(cell: &Cell, placed: &mut Placed) {
    let (over, within) = (cell.over_four_hours, cell.attendances - cell.over_four_hours);
    let fits = cell.admissions.min(cell.attendances);
    let waits = placed.waited_4_to_12_hours + placed.waited_over_12_hours;
    let weight_over = ODDS_OVER * u64::from(over);
    let weights = weight_over + ODDS_WITHIN * u64::from(within);
    let likely = (u64::from(fits) * weight_over).checked_div(weights).unwrap_or(0);
    let likely = u32::try_from(likely).expect("a part of a u32");
    placed.admitted_over = likely.clamp(waits.max(fits.saturating_sub(within)), fits.min(over));
    placed.admitted_within = fits - placed.admitted_over;
}
