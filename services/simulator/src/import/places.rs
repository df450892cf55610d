//! The organisations that tables name: nation, regions, providers, ambulance services, and a site that we derive for each
//! provider and department type, because published tables have none. And who is not among those that are known.

use std::collections::{BTreeMap, BTreeSet};

use domain::event::DepartmentType;
use domain::organisations::{Level, Organisations, Row};

use super::msitae::REGIONS;
use super::{Provider, Published, Table, site_code};

/// What was not imported because the organisation is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The code of the provider or organisation.
    pub code: String,
    /// How many attendances or returns.
    pub count: u64,
}

/// Rows of an `organisations.csv` for all tables together, parents first: `ENG`, the regions that are named, each
/// provider that has attendances or is in a table of trusts (level `trust`; under `ENG` where no table says its region),
/// its sites `CODE-T1`, `CODE-T2`, `CODE-T3`, and the ambulance services (under `ENG`). Providers of an A&E table
/// without attendances are left out. Systems are not in the tables.
pub fn organisations(tables: &[Published]) -> Vec<Row> {
    let named = Named::new(tables);
    let mut rows = vec![row("ENG", "England", Level::Nation, "", "")];
    for (_, code, name) in REGIONS.iter().filter(|(_, code, _)| named.regions.contains(code)) {
        rows.push(row(code, name, Level::Region, "ENG", ""));
    }
    for (code, (name, region)) in &named.trusts {
        rows.push(row(code, name, Level::Trust, region.unwrap_or("ENG"), ""));
    }
    for (code, kind) in named.kinds {
        let name = format!("{} (type {})", named.trusts[code].0, kind.number());
        rows.push(row(&site_code(code, kind), &name, Level::Site, code, &kind.number().to_string()));
    }
    for (code, name) in named.services {
        rows.push(row(code, name, Level::Service, "ENG", ""));
    }
    rows
}

#[derive(Default)]
struct Named<'a> {
    regions: BTreeSet<&'a str>,
    /// Name and region by code.
    trusts: BTreeMap<&'a str, (&'a str, Option<&'static str>)>,
    kinds: BTreeSet<(&'a str, DepartmentType)>,
    services: BTreeMap<&'a str, &'a str>,
}

impl<'a> Named<'a> {
    fn new(tables: &'a [Published]) -> Named<'a> {
        let mut named = Named::default();
        for table in tables {
            match table {
                Published::Attendances(table) => named.take_providers(table),
                Published::Figures(sheet) => {
                    for place in &sheet.places {
                        named.take(place.level, &place.code, &place.name);
                    }
                }
            }
        }
        named
    }

    /// Of a provider in several tables the first row with a region counts: it has a name too.
    fn take_providers(&mut self, table: &'a Table) {
        for cell in table.cells.iter().filter(|cell| cell.attendances > 0) {
            let Provider { code, name, region } = &table.providers[cell.provider];
            let known = self.trusts.entry(code).or_insert((name, *region));
            if known.1.is_none() {
                *known = (name, *region);
            }
            self.regions.extend(*region);
            self.kinds.insert((code, cell.kind));
        }
    }

    fn take(&mut self, level: Level, code: &'a str, name: &'a str) {
        match level {
            Level::Region => {
                self.regions.insert(code);
            }
            Level::Trust => {
                self.trusts.entry(code).or_insert((name, None));
            }
            Level::Service => {
                self.services.entry(code).or_insert(name);
            }
            Level::Nation | Level::System | Level::Site | Level::Group => {}
        }
    }
}

impl Table {
    /// Leaves out departments whose site is not known.
    pub fn retain_known(&mut self, places: &Organisations) -> Vec<LeftOut> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let providers = &self.providers;
        self.cells.retain(|cell| {
            let code = providers[cell.provider].code.as_str();
            let known = places.find_at(&site_code(code, cell.kind), Level::Site).is_some();
            if !known && cell.attendances > 0 {
                *counts.entry(code).or_default() += u64::from(cell.attendances);
            }
            // What has no attendances may still have admissions, which are then said to fit nowhere.
            known || cell.attendances == 0
        });
        counts.into_iter().map(|(code, count)| LeftOut { code: code.to_owned(), count }).collect()
    }
}

fn row(code: &str, name: &str, level: Level, parent: &str, department_type: &str) -> Row {
    Row {
        code: code.to_owned(),
        name: name.to_owned(),
        level: level.as_str().to_owned(),
        parent: parent.to_owned(),
        department_type: department_type.to_owned(),
    }
}
