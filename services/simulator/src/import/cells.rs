//! Lines, columns and cells of a comma-separated table, with errors that say where. Not what they mean.

use csv::ByteRecord;

use super::ImportError;

/// The lines of a table, quoting understood.
pub(super) struct Lines<'a> {
    reader: csv::Reader<&'a [u8]>,
    bytes: &'a [u8],
    /// Up to where line ends were counted, and the line there.
    counted: (usize, u64),
}

/// One line.
pub(super) struct Line {
    pub(super) number: u64,
    record: ByteRecord,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Lines<'a> {
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        Lines { reader, bytes, counted: (0, 1) }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, ImportError> {
        let mut record = ByteRecord::new();
        let start = self.reader.position().byte();
        let more = self.reader.read_byte_record(&mut record);
        let number = self.line_at(usize::try_from(start).unwrap_or(usize::MAX));
        match more {
            Ok(true) => Ok(Some(Line { number, record })),
            Ok(false) => Ok(None),
            // Bytes in memory, of any length and encoding, have no error of their own but this one.
            Err(_) => Err(ImportError::Encoding { line: number }),
        }
    }

    /// The number of the line that begins at or after a byte. Not the reader's own count: that is one behind where
    /// lines end in CR LF, as published ones do.
    fn line_at(&mut self, start: usize) -> u64 {
        let (from, line) = self.counted;
        let start = start.clamp(from, self.bytes.len());
        let ends = self.bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = &self.bytes[from..start + ends];
        self.counted = (start + ends, line + passed.iter().filter(|byte| **byte == b'\n').count() as u64);
        self.counted.1
    }
}

impl Line {
    /// All cells as text, without the blanks around them.
    pub(super) fn texts(&self) -> Result<Vec<&str>, ImportError> {
        let text = |cell| std::str::from_utf8(cell).map(str::trim);
        self.record
            .iter()
            .map(|cell| text(cell).map_err(|_| ImportError::Encoding { line: self.number }))
            .collect()
    }
}

/// Where each column of `names` stands in a table.
pub(super) struct Header {
    names: &'static [&'static str],
    positions: Vec<usize>,
    width: usize,
}

impl Header {
    /// Columns may stand in any order; each must be there, once, and no other.
    pub(super) fn new(found: &[&str], names: &'static [&'static str]) -> Result<Header, ImportError> {
        let mut positions = Vec::with_capacity(names.len());
        for column in names {
            let position = found.iter().position(|name| name == column);
            positions.push(position.ok_or(ImportError::MissingColumn { column })?);
        }
        let surplus = (0..found.len()).find(|position| !positions.contains(position));
        match surplus {
            Some(position) => Err(ImportError::UnknownColumn { column: found[position].to_owned() }),
            None => Ok(Header { names, positions, width: found.len() }),
        }
    }

    /// As [`Header::new`], but other columns may be there too if `is_other` knows them; they are not read.
    pub(super) fn among(
        found: &[&str],
        names: &'static [&'static str],
        is_other: fn(&str) -> bool,
    ) -> Result<Header, ImportError> {
        let kept: Vec<&str> =
            found.iter().copied().filter(|name| names.contains(name) || !is_other(name)).collect();
        Header::new(&kept, names)?;
        let position = |name| found.iter().position(|found| found == name).expect("found just now");
        Ok(Header { names, positions: names.iter().map(position).collect(), width: found.len() })
    }

    /// The cells of a line in the order of `names`.
    pub(super) fn row<'a>(&self, line: &'a Line) -> Result<Row<'a>, ImportError> {
        let texts = line.texts()?;
        if texts.len() != self.width {
            let (found, expected) = (texts.len(), self.width);
            return Err(ImportError::Cells { line: line.number, found, expected });
        }
        let cells = self.positions.iter().map(|position| texts[*position]).collect();
        Ok(Row { line: line.number, names: self.names, cells })
    }
}

/// One row, its cells in the order of the columns that are known.
pub(super) struct Row<'a> {
    pub(super) line: u64,
    names: &'static [&'static str],
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// The text of a column.
    pub(super) fn text(&self, column: usize) -> &'a str {
        self.cells[column]
    }

    /// The whole number of a column: digits only, no sign, no thousands.
    pub(super) fn number(&self, column: usize) -> Result<u32, ImportError> {
        let text = self.cells[column];
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok().filter(|n| *n <= COUNT_MAX) } else { None };
        number.ok_or_else(|| self.wrong(column, "a whole number from 0 to 100000000"))
    }

    /// The whole number of a column, or `None` where it says that there is none.
    pub(super) fn maybe(&self, column: usize, missing: Missing) -> Result<Option<u64>, ImportError> {
        let text = self.cells[column];
        if text == missing.as_str() {
            return Ok(None);
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok().filter(|n| *n <= SECONDS_MAX) } else { None };
        number.map(Some).ok_or_else(|| self.wrong(column, missing.expected()))
    }

    /// The share of a column, from 0 on and with digits after the point, or `None` where it says that there is none.
    pub(super) fn share(&self, column: usize, missing: Missing) -> Result<Option<f64>, ImportError> {
        let text = self.cells[column];
        if text == missing.as_str() {
            return Ok(None);
        }
        let plain =
            !text.is_empty() && text.len() <= 24 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let share = if plain { text.parse().ok() } else { None };
        share.map(Some).ok_or_else(|| self.wrong(column, "a share such as 0.928, or NA where it is missing"))
    }

    /// The ODS code of a column.
    pub(super) fn code(&self, column: usize) -> Result<&'a str, ImportError> {
        let text = self.cells[column];
        // With the site's suffix "-T1" it must still fit an organisation's code.
        let fits = (1..=13).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if fits { Ok(text) } else { Err(self.wrong(column, "a code of 1 to 13 letters and digits")) }
    }

    /// The name in a column.
    pub(super) fn name(&self, column: usize) -> Result<&'a str, ImportError> {
        let text = self.cells[column];
        let is_name = !text.is_empty() && !text.chars().any(char::is_control);
        if is_name { Ok(text) } else { Err(self.wrong(column, "a name")) }
    }

    /// An error about a column.
    pub(super) fn wrong(&self, column: usize, expected: &'static str) -> ImportError {
        let found = self.cells[column].chars().take(80).collect();
        ImportError::Cell { line: self.line, column: self.names[column], found, expected }
    }
}

/// How a table writes that it has no number.
#[derive(Clone, Copy)]
pub(super) enum Missing {
    /// `.`
    Dot,
    /// `NA`
    Na,
}

impl Missing {
    fn as_str(self) -> &'static str {
        match self {
            Missing::Dot => ".",
            Missing::Na => "NA",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Missing::Dot => "a whole number from 0 to 1000000000000, or . where it is missing",
            Missing::Na => "a whole number from 0 to 1000000000000, or NA where it is missing",
        }
    }
}

/// No sum of seconds of a month is near it.
const SECONDS_MAX: u64 = 1_000_000_000_000;
/// No published count is near it; below it sums of a table fit.
const COUNT_MAX: u32 = 100_000_000;
