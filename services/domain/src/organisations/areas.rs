//! The areas of departments with their capacities (`areas.csv`, spec 2.4, `ae_area`). An area that is not in the table is
//! counted as [`OTHER`].

use super::{Level, Organisations};
use crate::ids::OrgId;
use crate::measures::{Tag, TagText};

/// The area of whoever is in none of the table; it has no capacity.
pub const OTHER: &str = "other";
/// The most areas of a site.
pub const AREAS_MAX: usize = 60;
/// The longest name of an area (spec 1.2).
const NAME_MAX: usize = 32;

/// An area of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its name.
    pub name: TagText,
    /// How many patients it is meant for.
    pub capacity: u32,
}

/// A row as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaRow {
    /// `site`
    pub site: String,
    /// `area`
    pub area: String,
    /// `capacity`
    pub capacity: String,
}

/// Why a table of areas cannot be used. `row` counts from 1, the header not counted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AreasError {
    /// The site is not one.
    #[error("row {row}: \"{site}\" is no site of organisations.csv")]
    Site {
        /// Which row.
        row: usize,
        /// What stood there, escaped.
        site: String,
    },
    /// The name is empty, too long, holds another character, or is the one that stands for all others.
    #[error(
        "row {row} ({site}): area \"{area}\" must be 1 to {NAME_MAX} of A–Z, a–z, 0–9, blank, . _ - and not \"{OTHER}\""
    )]
    Area {
        /// Which row.
        row: usize,
        /// Its site.
        site: String,
        /// What stood there, escaped.
        area: String,
    },
    /// The capacity is no count.
    #[error("row {row} ({site}, {area}): capacity \"{capacity}\" must be a whole number from 0 to 10000")]
    Capacity {
        /// Which row.
        row: usize,
        /// Its site.
        site: String,
        /// Its area.
        area: String,
        /// What stood there, escaped.
        capacity: String,
    },
    /// An area of a site stands twice.
    #[error("row {row} ({site}): area \"{area}\" stands twice")]
    Twice {
        /// The second row.
        row: usize,
        /// Its site.
        site: String,
        /// The area.
        area: String,
    },
    /// Too many areas of one site.
    #[error("row {row} ({site}): more than {AREAS_MAX} areas")]
    TooMany {
        /// The row that is too many.
        row: usize,
        /// Its site.
        site: String,
    },
}

impl Organisations {
    /// The same organisations with these areas.
    pub fn with_areas(mut self, rows: &[AreaRow]) -> Result<Organisations, AreasError> {
        for (index, cells) in rows.iter().enumerate() {
            let row = index + 1;
            let site = cells.site.clone();
            let Some(id) = self.find_at(&site, Level::Site) else {
                return Err(AreasError::Site { row, site: site.escape_debug().to_string() });
            };
            let area = area(row, cells)?;
            let areas = &mut self.areas[id.index()];
            if areas.iter().any(|one| one.name == area.name) {
                return Err(AreasError::Twice { row, site, area: cells.area.clone() });
            }
            if areas.len() == AREAS_MAX {
                return Err(AreasError::TooMany { row, site });
            }
            areas.push(area);
        }
        Ok(self)
    }

    /// Where an area stands among those of its site; behind them all for one that is not there.
    pub(crate) fn area(&self, site: OrgId, name: &str) -> usize {
        let areas = self.areas(site);
        areas.iter().position(|area| area.name.as_str() == name).unwrap_or(areas.len())
    }

    /// The tag and the capacity of an area by its position: of every one, `other` last.
    pub(crate) fn area_tag(&self, site: OrgId, position: usize) -> (Tag, i64) {
        match self.areas(site).get(position) {
            Some(area) => (Tag::Text(area.name), i64::from(area.capacity)),
            None => (Tag::text(OTHER).expect("a short word"), 0),
        }
    }
}

fn area(row: usize, cells: &AreaRow) -> Result<Area, AreasError> {
    let (site, area) = (cells.site.clone(), cells.area.escape_debug().to_string());
    let plain =
        cells.area.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'.' | b'_' | b'-'));
    let name = TagText::new(&cells.area).filter(|_| plain && cells.area.len() <= NAME_MAX && area != OTHER);
    let Some(name) = name else { return Err(AreasError::Area { row, site, area }) };
    let digits = cells.capacity.bytes().all(|b| b.is_ascii_digit());
    match cells.capacity.parse().ok().filter(|capacity| digits && *capacity <= 10_000) {
        Some(capacity) => Ok(Area { name, capacity }),
        None => {
            let capacity = cells.capacity.escape_debug().to_string();
            Err(AreasError::Capacity { row, site, area, capacity })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisations::Row;

    fn england() -> Organisations {
        let row = |code: &str, level: &str, parent: &str, kind: &str| {
            let [code, level, parent, department_type] = [code, level, parent, kind].map(str::to_owned);
            Row { name: code.clone(), code, level, parent, department_type }
        };
        Organisations::new(&[row("ENG", "nation", "", ""), row("S", "site", "ENG", "1")]).unwrap()
    }

    fn rows(text: &str) -> Vec<AreaRow> {
        let row = |line: &str| {
            let mut cells = line.split(',').map(str::to_owned);
            let mut next = || cells.next().unwrap_or_default();
            AreaRow { site: next(), area: next(), capacity: next() }
        };
        text.lines().map(row).collect()
    }

    #[test]
    fn what_is_not_in_the_table_is_other() {
        let orgs = england().with_areas(&rows("S,Resus 1,4\nS,Majors,24")).unwrap();
        let site = orgs.find("S").unwrap();
        assert_eq!((orgs.area(site, "Majors"), orgs.area(site, "majors")), (1, 2));
        assert_eq!(orgs.area_tag(site, 0), (Tag::text("Resus 1").unwrap(), 4));
        assert_eq!(orgs.area_tag(site, 2), (Tag::text("other").unwrap(), 0));
    }

    #[test]
    fn a_wrong_area_says_where_and_what_would_be_right() {
        let many: Vec<String> = (0..=AREAS_MAX).map(|n| format!("S,{n},1")).collect();
        let name = "must be 1 to 32 of A–Z, a–z, 0–9, blank, . _ - and not \"other\"";
        for (text, message) in [
            ("ENG,Resus,1", "row 1: \"ENG\" is no site of organisations.csv".to_owned()),
            ("S,,1", format!("row 1 (S): area \"\" {name}")),
            ("S,other,1", format!("row 1 (S): area \"other\" {name}")),
            ("S,a/b,1", format!("row 1 (S): area \"a/b\" {name}")),
            ("S,Resus,", "row 1 (S, Resus): capacity \"\" must be a whole number from 0 to 10000".to_owned()),
            (
                "S,Resus,-1",
                "row 1 (S, Resus): capacity \"-1\" must be a whole number from 0 to 10000".to_owned(),
            ),
            (
                "S,Resus,+1",
                "row 1 (S, Resus): capacity \"+1\" must be a whole number from 0 to 10000".to_owned(),
            ),
            ("S,A,1\nS,A,2", "row 2 (S): area \"A\" stands twice".to_owned()),
            (many.join("\n").as_str(), "row 61 (S): more than 60 areas".to_owned()),
        ] {
            assert_eq!(england().with_areas(&rows(text)).unwrap_err().to_string(), message, "{text}");
        }
    }
}
