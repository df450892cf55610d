//! `organisations.csv`: columns `code,name,level,parent,department_type`; `groups.csv`: `group,name,member`; `areas.csv`:
//! `site,area,capacity` (spec 2.3, 2.4). Columns are found by their header in any order. What the rows must be is checked
//! by [`domain::organisations`].

use domain::organisations::areas::{AreaRow, AreasError};
use domain::organisations::groups::{GroupRow, GroupsError};
use domain::organisations::{Organisations, OrganisationsError, Row};

/// Why a file of organisations, groups or areas cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not CSV in UTF-8, or a row of another length than the header.
    #[error("not a table of {what}: {source}")]
    Csv {
        /// What the file should hold.
        what: &'static str,
        /// Where it is wrong.
        source: csv::Error,
    },
    /// A column is missing or stands twice.
    #[error("the header must hold the column {column} once; the columns are {columns}")]
    Column {
        /// Which.
        column: &'static str,
        /// Every column.
        columns: String,
    },
    /// A column that we do not know: a misspelt one must not vanish.
    #[error("column {column} of the header is unknown; the columns are {columns}")]
    UnknownColumn {
        /// Which, from 1.
        column: usize,
        /// Every column.
        columns: String,
    },
    /// The rows of organisations do not fit together.
    #[error(transparent)]
    Rows(#[from] OrganisationsError),
    /// The rows of groups are wrong.
    #[error(transparent)]
    Groups(#[from] GroupsError),
    /// The rows of areas are wrong.
    #[error(transparent)]
    Areas(#[from] AreasError),
}

/// Reads a table of organisations. White space around cells is dropped, a byte order mark is skipped.
pub fn read_csv(bytes: &[u8]) -> Result<Organisations, ReadError> {
    let columns = ["code", "name", "level", "parent", "department_type"];
    let row = |[code, name, level, parent, department_type]: [String; 5]| Row {
        code,
        name,
        level,
        parent,
        department_type,
    };
    let rows: Vec<Row> = table("organisations", bytes, columns)?.into_iter().map(row).collect();
    Ok(Organisations::new(&rows)?)
}

/// Reads a table of groups and adds them.
pub fn read_groups(organisations: Organisations, bytes: &[u8]) -> Result<Organisations, ReadError> {
    let row = |[group, name, member]: [String; 3]| GroupRow { group, name, member };
    let rows: Vec<GroupRow> =
        table("groups", bytes, ["group", "name", "member"])?.into_iter().map(row).collect();
    Ok(organisations.with_groups(&rows)?)
}

/// Reads a table of areas and adds them.
pub fn read_areas(organisations: Organisations, bytes: &[u8]) -> Result<Organisations, ReadError> {
    let row = |[site, area, capacity]: [String; 3]| AreaRow { site, area, capacity };
    let rows: Vec<AreaRow> =
        table("areas", bytes, ["site", "area", "capacity"])?.into_iter().map(row).collect();
    Ok(organisations.with_areas(&rows)?)
}

/// The cells of a table in the order of `columns`.
fn table<const N: usize>(
    what: &'static str,
    bytes: &[u8],
    columns: [&'static str; N],
) -> Result<Vec<[String; N]>, ReadError> {
    let wrong = |source| ReadError::Csv { what, source };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let places = places(reader.headers().map_err(wrong)?, columns)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        rows.push(places.map(|place| record.get(place).unwrap_or_default().to_owned()));
    }
    Ok(rows)
}

fn places<const N: usize>(
    header: &csv::StringRecord,
    columns: [&'static str; N],
) -> Result<[usize; N], ReadError> {
    let all = || columns.join(", ");
    if let Some(unknown) = header.iter().position(|column| !columns.contains(&column)) {
        return Err(ReadError::UnknownColumn { column: unknown + 1, columns: all() });
    }
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let mut found = header.iter().enumerate().filter(|(_, held)| *held == column);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => *place = index,
            _ => return Err(ReadError::Column { column, columns: all() }),
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_their_header() {
        let text = "\u{feff}level,code,parent,name,department_type\r\nnation,ENG,,England,\r\n\
                    site, S1 ,ENG,\"Saint Mary's, London\",1\r\n";
        let orgs = read_csv(text.as_bytes()).unwrap();
        assert_eq!(orgs.len(), 2);
        let site = orgs.get(orgs.find("S1").unwrap());
        assert_eq!(site.name, "Saint Mary's, London");
        assert_eq!(site.parent, orgs.find("ENG"));
    }

    #[test]
    fn groups_and_areas_are_added() {
        let text = "code,name,level,parent,department_type\nENG,England,nation,,\nS1,One,site,ENG,1\n";
        let orgs = read_csv(text.as_bytes()).unwrap();
        let orgs = read_groups(orgs, b"name,group,member\nGee,G,S1\n").unwrap();
        let orgs = read_areas(orgs, b"site,area,capacity\nS1,Resus 1,4\n").unwrap();
        assert_eq!(orgs.sites_below(orgs.find("G").unwrap()), [orgs.find("S1").unwrap()]);
        assert_eq!(orgs.areas(orgs.find("S1").unwrap())[0].capacity, 4);
        let wrong = |result: Result<Organisations, ReadError>| result.unwrap_err().to_string();
        assert_eq!(
            wrong(read_groups(orgs.clone(), b"group,name\n")),
            "the header must hold the column member once; the columns are group, name, member"
        );
        assert_eq!(
            wrong(read_areas(orgs, b"site,area,beds\n")),
            "column 3 of the header is unknown; the columns are site, area, capacity"
        );
    }

    #[test]
    fn a_wrong_file_says_what_would_be_right() {
        let columns = "the columns are code, name, level, parent, department_type";
        for (bytes, message) in [
            (&b""[..], format!("the header must hold the column code once; {columns}")),
            (b"code,name,level,parent\n", format!("the header must hold the column department_type once; {columns}")),
            (b"code,name,level,parent,type\n", format!("column 5 of the header is unknown; {columns}")),
            (b"code,code,name,level,parent,department_type\n", format!("the header must hold the column code once; {columns}")),
            (b"code,name,level,parent,department_type\nENG,England,nation,,,\n",
             "not a table of organisations: CSV error: record 1 (line: 2, byte: 39): found record with 6 fields, but the previous record has 5 fields".into()),
            (b"code,name,level,parent,department_type\nENG,\xff,nation,,\n",
             "not a table of organisations: CSV parse error: record 1 (line 2, field: 1, byte: 39): invalid utf-8: invalid UTF-8 in field 1 near byte index 0".into()),
            (b"code,name,level,parent,department_type\nT,t,trust,Q,\n", "row 1 (T): parent \"Q\" is not in the table".into()),
        ] {
            assert_eq!(read_csv(bytes).unwrap_err().to_string(), message);
        }
    }
}
