//! A report as one page that prints on A4: no script, nothing loaded from elsewhere, everything escaped.

use super::document::{Document, Section};

const STYLE: &str = include_str!("report.css");

/// The page.
pub fn write(document: &Document) -> String {
    let mut out = String::with_capacity(32 << 10);
    out.push_str("<!doctype html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n");
    let title = format!("{}, {}", document.title, document.subtitle);
    element(&mut out, "title", &title);
    out.push_str("<style>\n");
    out.push_str(STYLE);
    out.push_str("</style>\n</head>\n<body>\n<header>\n");
    element(&mut out, "h1", &document.title);
    element(&mut out, "p class=\"period\"", &document.subtitle);
    for label in &document.labels {
        element(&mut out, "p class=\"label\"", label);
    }
    out.push_str("</header>\n<main>\n<div class=\"summary\">\n");
    for summary in &document.summary {
        element(&mut out, "p", summary);
    }
    out.push_str("</div>\n");
    for section in &document.sections {
        write_section(&mut out, section);
    }
    out.push_str("</main>\n<footer>\n<ul>\n");
    for note in &document.notes {
        element(&mut out, "li", note);
    }
    out.push_str("</ul>\n</footer>\n</body>\n</html>\n");
    out
}

fn write_section(out: &mut String, section: &Section) {
    out.push_str("<section>\n");
    element(out, "h2", &section.title);
    if !section.rows.is_empty() {
        out.push_str("<table>\n<thead><tr>");
        for head in &section.head {
            cell(out, "th scope=\"col\"", head);
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for row in &section.rows {
            out.push_str(if row.strong { "<tr class=\"strong\">" } else { "<tr>" });
            cell(out, "th scope=\"row\"", &row.label);
            for text in &row.cells {
                cell(out, "td", text);
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody>\n</table>\n");
    }
    for note in &section.notes {
        element(out, "p class=\"note\"", note);
    }
    out.push_str("</section>\n");
}

fn element(out: &mut String, tag: &str, text: &str) {
    cell(out, tag, text);
    out.push('\n');
}

/// An element; `tag` is its name with its attributes, which are ours.
fn cell(out: &mut String, tag: &str, text: &str) {
    let name = tag.split(' ').next().unwrap_or(tag);
    out.push('<');
    out.push_str(tag);
    out.push('>');
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_nothing_is_loaded() {
        let mut section = Section::new("<b>", &["a & b", "c"]);
        section.row("<img src=x onerror='y'>", ["\"z\"".to_owned()]).strong = true;
        let page = write(&Document { sections: vec![section], ..Document::default() });
        assert!(
            page.contains("<h2>&lt;b&gt;</h2>")
                && page.contains("a &amp; b")
                && page.contains("&quot;z&quot;")
        );
        assert!(page.contains("&lt;img src=x onerror=&#39;y&#39;&gt;"));
        for word in ["<img", "<script", "http", "url(", "@import", "<link"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
