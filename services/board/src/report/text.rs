//! A report as plain text of at most 100 columns: for a terminal, an e-mail, a diff.

use super::document::{Document, Section};

/// The widest line.
pub const COLUMNS: usize = 100;

/// Between two columns of a table.
const GAP: usize = 2;

/// The narrowest that the labels of a table become before a table is wider than the page.
const LABEL_LEAST: usize = 24;

/// The text, with a line end after every line.
pub fn write(document: &Document) -> String {
    let mut out = String::new();
    line(&mut out, &document.title.to_uppercase());
    paragraph(&mut out, "", &document.subtitle);
    for label in &document.labels {
        paragraph(&mut out, "", label);
    }
    for summary in &document.summary {
        out.push('\n');
        paragraph(&mut out, "", summary);
    }
    for section in &document.sections {
        out.push('\n');
        write_section(&mut out, section);
    }
    if !document.notes.is_empty() {
        out.push('\n');
        line(&mut out, "NOTES");
        for note in &document.notes {
            paragraph(&mut out, "- ", note);
        }
    }
    out
}

fn write_section(out: &mut String, section: &Section) {
    line(out, &section.title.to_uppercase());
    if !section.rows.is_empty() {
        write_table(out, section);
    }
    for note in &section.notes {
        paragraph(out, "", note);
    }
}

fn write_table(out: &mut String, section: &Section) {
    let columns = section.head.len();
    let widths: Vec<usize> = (1..columns)
        .map(|column| {
            let cells = section.rows.iter().filter_map(|row| row.cells.get(column - 1));
            cells.chain([&section.head[column]]).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let taken: usize = widths.iter().map(|width| width + GAP).sum();
    let labels = section.rows.iter().map(|row| &row.label).chain(section.head.first());
    let longest = labels.map(|label| width(label)).max().unwrap_or(0);
    let label = longest.min(COLUMNS.saturating_sub(taken).max(LABEL_LEAST));
    let none = String::new();
    table_row(
        out,
        label,
        section.head.first().unwrap_or(&none),
        section.head.get(1..).unwrap_or(&[]),
        &widths,
    );
    line(out, &"-".repeat(label + taken));
    for row in &section.rows {
        table_row(out, label, &row.label, &row.cells, &widths);
    }
}

/// A row; a label that is too long goes on in further lines, the cells stand in the last.
fn table_row(out: &mut String, label_width: usize, label: &str, cells: &[String], widths: &[usize]) {
    let mut lines = wrapped(label, label_width);
    let mut last = lines.pop().unwrap_or_default();
    for one in lines {
        line(out, &one);
    }
    last.push_str(&" ".repeat(label_width.saturating_sub(width(&last))));
    for (cell, wide) in cells.iter().zip(widths) {
        last.push_str(&" ".repeat(GAP + wide.saturating_sub(width(cell))));
        last.push_str(cell);
    }
    line(out, last.trim_end());
}

fn paragraph(out: &mut String, lead: &str, text: &str) {
    for (at, one) in wrapped(text, COLUMNS - width(lead)).iter().enumerate() {
        let lead = if at == 0 { lead.to_owned() } else { " ".repeat(width(lead)) };
        line(out, &format!("{lead}{one}"));
    }
}

/// The words of a text in lines; a number stays with its unit.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let glued = text.replace(" %", "\u{a0}%");
    for word in glued.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(last) if width(last) + 1 + width(word) <= columns => {
                last.push(' ');
                last.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|one| one.replace('\u{a0}', " ")).collect()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_labels_and_paragraphs_are_wrapped_and_numbers_stay_with_their_unit() {
        let mut section = Section::new("Trusts", &["Trust", "Within", "Of"]);
        let name =
            "A Very Long Name Of A Hospital Trust Which Is Longer Than Anything That A Line Can Hold NHS";
        section.row(name, ["79.9 %".to_owned(), "1,234".to_owned()]);
        section.row("Short", ["9.1 %".to_owned(), "7".to_owned()]);
        let document = Document {
            title: "Report".to_owned(),
            summary: vec![format!("{}ab 80 % and 90 %.", "word ".repeat(19))],
            sections: vec![section],
            notes: vec!["why ".repeat(40).trim().to_owned()],
            ..Document::default()
        };
        let text = write(&document);
        assert!(text.lines().all(|line| width(line) <= COLUMNS && line == line.trim_end()), "{text}");
        assert!(text.contains(" word ab\n80 % and 90 %.\n"), "{text}");
        assert!(text.contains("A Line Can\nHold NHS  "), "{text}");
        assert!(text.contains("\n  why why"), "{text}");
    }
}
