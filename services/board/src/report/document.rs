//! A report as sentences and tables, before anybody decides whether they are printed as text or as a page.

/// A report as it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// `Situation report: England (ENG)`.
    pub title: String,
    /// The period, in full.
    pub subtitle: String,
    /// What kind of figures these are, and of when.
    pub labels: Vec<String>,
    /// What a person must know, in sentences.
    pub summary: Vec<String>,
    /// The tables.
    pub sections: Vec<Section>,
    /// How figures are made and rounded, and whose they are.
    pub notes: Vec<String>,
}

/// A table with its title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// The heads of the columns; the first is that of the rows' labels.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What must be known to read it.
    pub notes: Vec<String>,
}

/// A row of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub label: String,
    /// One for each further column.
    pub cells: Vec<String>,
    /// Whether it is the figure that the table is there for.
    pub strong: bool,
}

impl Section {
    /// A section of these columns.
    pub fn new(title: &str, head: &[&str]) -> Section {
        Section {
            title: title.to_owned(),
            head: head.iter().map(|text| (*text).to_owned()).collect(),
            ..Section::default()
        }
    }

    /// Adds a row.
    pub fn row(&mut self, label: &str, cells: impl IntoIterator<Item = String>) -> &mut Row {
        self.rows.push(Row { label: label.to_owned(), cells: cells.into_iter().collect(), strong: false });
        self.rows.last_mut().expect("it was pushed just now")
    }
}
