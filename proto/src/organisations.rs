//! `organisations.csv`: columns `code,name,level,parent,department_type`, found by their header in any order (spec
//! 2.3). What the rows must be is checked by [`domain::organisations`].

use domain::organisations::{Organisations, OrganisationsError, Row};

/// Why a file of organisations cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not CSV in UTF-8, or a row of another length than the header.
    #[error("not a table of organisations: {0}")]
    Csv(#[from] csv::Error),
    /// A column is missing or stands twice.
    #[error(
        "the header must hold the column {0} once; the columns are code, name, level, parent, department_type"
    )]
    Column(&'static str),
    /// A column that we do not know: a misspelt one must not vanish.
    #[error(
        "column {0} of the header is unknown; the columns are code, name, level, parent, department_type"
    )]
    UnknownColumn(usize),
    /// The rows do not fit together.
    #[error(transparent)]
    Rows(#[from] OrganisationsError),
}

const COLUMNS: [&str; 5] = ["code", "name", "level", "parent", "department_type"];

/// Reads a table of organisations. White space around cells is dropped, a byte order mark is skipped.
pub fn read_csv(bytes: &[u8]) -> Result<Organisations, ReadError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let places = places(reader.headers()?)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let [code, name, level, parent, department_type] =
            places.map(|place| record.get(place).unwrap_or_default().to_owned());
        rows.push(Row { code, name, level, parent, department_type });
    }
    Ok(Organisations::new(&rows)?)
}

fn places(header: &csv::StringRecord) -> Result<[usize; 5], ReadError> {
    if let Some(unknown) = header.iter().position(|column| !COLUMNS.contains(&column)) {
        return Err(ReadError::UnknownColumn(unknown + 1));
    }
    let mut places = [0; 5];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let mut found = header.iter().enumerate().filter(|(_, column)| *column == name);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => *place = index,
            _ => return Err(ReadError::Column(name)),
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
