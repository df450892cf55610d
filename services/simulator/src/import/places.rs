//! The organisations that tables name: nation, regions, providers, and a site that we derive for each provider and
//! department type, because published tables have none.

use std::collections::{BTreeMap, BTreeSet};

use domain::organisations::{Level, Row};

use super::msitae::REGIONS;
use super::{Provider, Table, site_code};

/// Rows of an `organisations.csv` for all tables together, parents first: `ENG`, the regions that are named, each
/// provider that has attendances (level `trust`; under `ENG` where no table says its region), and its sites
/// `CODE-T1`, `CODE-T2`, `CODE-T3`. Providers without attendances are left out. Systems and ambulance services are not
/// in the tables.
pub fn organisations(tables: &[Table]) -> Vec<Row> {
    let (providers, kinds) = with_attendances(tables);
    let mut rows = vec![row("ENG", "England", Level::Nation, "", "")];
    let named: BTreeSet<&str> = providers.values().filter_map(|provider| provider.region).collect();
    for (_, code, name) in REGIONS.iter().filter(|(_, code, _)| named.contains(code)) {
        rows.push(row(code, name, Level::Region, "ENG", ""));
    }
    for provider in providers.values() {
        let parent = provider.region.unwrap_or("ENG");
        rows.push(row(&provider.code, &provider.name, Level::Trust, parent, ""));
    }
    for (code, kind) in kinds {
        let name = format!("{} (type {})", providers[code].name, kind.number());
        rows.push(row(&site_code(code, kind), &name, Level::Site, code, &kind.number().to_string()));
    }
    rows
}

type WithAttendances<'a> =
    (BTreeMap<&'a str, &'a Provider>, BTreeSet<(&'a str, domain::event::DepartmentType)>);

/// Of a provider in several tables the first row with a region counts: it has a name too.
fn with_attendances(tables: &[Table]) -> WithAttendances<'_> {
    let (mut providers, mut kinds) = (BTreeMap::new(), BTreeSet::new());
    for table in tables {
        for cell in table.cells.iter().filter(|cell| cell.attendances > 0) {
            let provider = &table.providers[cell.provider];
            let known: &mut &Provider = providers.entry(provider.code.as_str()).or_insert(provider);
            if known.region.is_none() {
                *known = provider;
            }
            kinds.insert((provider.code.as_str(), cell.kind));
        }
    }
    (providers, kinds)
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
