//! The rules of the house that no lint knows, over the text of the tree. Each test says a rule; what it finds is said
//! with file and line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use domain::measures::MEASURES;

/// A text file of the tree.
struct File {
    /// From the root on.
    path: String,
    text: String,
}

impl File {
    fn is(&self, extension: &str) -> bool {
        self.path.ends_with(&format!(".{extension}"))
    }

    fn is_below(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// Whether it is only there for tests.
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Lines that are no comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let comment = if self.is("toml") { "#" } else { "//" };
        self.lines().filter(move |(_, line)| !line.trim_start().starts_with(comment))
    }

    /// Lines that are no comments, before the tests at the end of the file.
    fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().take_while(|(_, line)| line.trim() != "#[cfg(test)]")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the tree").to_owned()
}

/// Every text file that people write, but this one, which must name what it looks for.
fn files() -> Vec<File> {
    let (root, mut folders, mut files) = (root(), vec![root()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the tree").map_while(Result::ok) {
            let path = entry.path();
            let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
            let ours = !matches!(
                name.as_str(),
                "target" | "fuzz/target" | ".git" | "sitrep-data" | "proto/src/gen" | "tests/tidy.rs"
            );
            if ours && path.is_dir() {
                folders.push(path);
            } else if ours && let Ok(text) = std::fs::read_to_string(&path) {
                files.push(File { path: name, text });
            }
        }
    }
    assert!(files.len() > 100, "the tree is not where it was looked for");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// What breaks a rule.
#[derive(Default)]
struct Found(String);

impl Found {
    fn at(&mut self, file: &File, line: usize, what: &str) {
        writeln!(self.0, "{}:{line}: {what}", file.path).expect("a text takes all");
    }

    fn nothing(self, rule: &str) {
        assert!(self.0.is_empty(), "{rule}\n{}", self.0);
    }
}

/// Looks for words in the code of files.
fn words(chosen: impl Fn(&File) -> bool, words: &[&str], rule: &str) {
    let mut found = Found::default();
    for file in files().iter().filter(|file| chosen(file)) {
        for (number, line) in file.code() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.at(file, number, word);
            }
        }
    }
    found.nothing(rule);
}

fn is_rust(file: &File) -> bool {
    file.is("rs")
}

/// Rust and manifests, but those of tests and of the workspace.
fn is_program(file: &File) -> bool {
    (file.is("rs") || file.path.ends_with("/Cargo.toml")) && !file.is_test()
}

#[test]
fn each_foreign_engine_is_named_in_one_place() {
    for (word, places) in [
        ("rdkafka", &["services/runtime/"][..]),
        ("rusqlite", &["services/runtime/", "services/board/"]),
        ("prost", &["proto/"]),
        ("influxdb2", &["services/recorder/"]),
    ] {
        let rule = format!("only {} may name {word}", places.join(" and "));
        words(|file| is_program(file) && !file.is_below(places), &[word], &rule);
    }
}

#[test]
fn kafka_s_transactions_are_not_used() {
    let all =
        ["set(\"transactional.id", "init_transactions", "begin_transaction", "send_offsets_to_transaction"];
    let chosen = |file: &File| is_rust(file) || file.is("toml");
    words(chosen, &all, "what was written is decided by revisions, not by transactions");
}

#[test]
fn nothing_is_left_open_ignored_slept_or_allowed() {
    words(
        is_rust,
        &["todo!", "unimplemented!", "#[ignore", "thread::sleep", "#[allow(", "#![allow("],
        "not here",
    );
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let mut found = Found::default();
    for file in files().iter().filter(|file| is_rust(file) || file.is("js") || file.is("css")) {
        let lines = file.lines().count();
        if lines > 600 {
            found.at(file, lines, "too long");
        }
    }
    found.nothing("a file has at most 600 lines");
}

#[test]
fn the_tree_names_no_machine_and_no_registry() {
    let all = [
        "/work/",
        "/root/",
        "/home/",
        "/Users/",
        "crates.io",
        "npmjs.",
        "pypi.",
        "repo1.maven",
        "repo.maven",
        "proxy.golang",
    ];
    let mut found = Found::default();
    for file in files().iter().filter(|file| !file.is("lock")) {
        for (number, line) in file.lines() {
            for word in all.iter().filter(|word| line.contains(**word)) {
                found.at(file, number, word);
            }
        }
    }
    found.nothing("the tree is the same on every machine, whatever mirrors it uses");
}

#[test]
fn each_dependency_says_why() {
    let files = files();
    let manifest = files.iter().find(|file| file.path == "Cargo.toml").expect("the workspace's manifest");
    let (mut found, mut seen, mut inside) = (Found::default(), 0, false);
    for (number, line) in manifest.code() {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        } else if inside && line.contains('=') && !line.contains("path =") {
            seen += 1;
            if line.split_once(" # ").is_none_or(|(_, why)| why.trim().len() < 4) {
                found.at(manifest, number, line);
            }
        }
    }
    assert!(seen > 20, "{seen} dependencies");
    found.nothing("a dependency without a reason");
    let mut found = Found::default();
    // The fuzz targets are a workspace of their own.
    let ours = |file: &&File| file.path.ends_with("/Cargo.toml") && !file.path.starts_with("fuzz/");
    for file in files.iter().filter(ours) {
        let mut inside = false;
        for (number, line) in file.code() {
            if line.starts_with('[') {
                inside = line.ends_with("dependencies]");
            } else if inside && line.contains('=') && !line.contains("workspace = true") {
                found.at(file, number, line);
            }
        }
    }
    found.nothing("a version is stated once, in the workspace");
}

#[test]
fn a_measure_is_named_in_one_place() {
    let mut found = Found::default();
    let chosen = |file: &&File| is_rust(file) && is_program(file) && !file.path.contains("/examples/");
    let table = "services/domain/src/measures/table.rs";
    // A name of one word ("standard", "feed") is also a word of the language.
    let names = || MEASURES.iter().filter(|measure| measure.name.contains('_'));
    for file in files().iter().filter(chosen).filter(|file| file.path != table) {
        for (number, line) in file.shipped() {
            // An example within a text is quoted twice.
            let line = line.replace("\\\"", "");
            let is_literal = |name: &str| line.contains(&format!("\"{name}"));
            for measure in names().filter(|measure| is_literal(measure.name)) {
                found.at(file, number, measure.name);
            }
        }
    }
    found.nothing(&format!("measures are named in {table}"));
}

/// The targets of the links of a line of Markdown.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// The pages of docs/ that a line names, as text or as a link.
fn pages(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("docs/").filter_map(|(at, _)| {
        let before = line[..at].chars().next_back();
        let whole = before.is_none_or(|c| !c.is_alphanumeric() && !"/._-".contains(c));
        let end = line[at..].find(|c: char| !c.is_alphanumeric() && !"/._-".contains(c));
        let page = line[at..end.map_or(line.len(), |end| at + end)].trim_end_matches(['.', '/', '-']);
        (whole && page.contains('.')).then_some(page)
    })
}

#[test]
fn links_lead_somewhere() {
    let (root, mut found, mut seen) = (root(), Found::default(), 0);
    for file in files().iter().filter(|file| file.is("md")) {
        let folder = root.join(&file.path).parent().expect("a folder").to_owned();
        for (number, line) in file.lines() {
            for link in links(line).filter(|link| !link.contains("://") && !link.starts_with(['#', '<'])) {
                seen += 1;
                let path = link.split('#').next().unwrap_or_default();
                if !folder.join(path).exists() {
                    found.at(file, number, link);
                }
            }
        }
    }
    assert!(seen > 10, "{seen} links");
    found.nothing("a link leads to a file that is there");
}

#[test]
fn pages_that_are_named_are_there() {
    let (root, mut found) = (root(), Found::default());
    for file in &files() {
        for (number, line) in file.lines() {
            for page in pages(line).filter(|page| !root.join(page).exists()) {
                found.at(file, number, page);
            }
        }
    }
    found.nothing("a page of docs/ that is named is there");
}

#[test]
fn metrics_that_alerts_name_are_there() {
    let files = files();
    let code: String = files
        .iter()
        .filter(|file| is_rust(file) && is_program(file))
        .map(|file| file.text.as_str())
        .collect();
    let (mut found, mut seen) = (Found::default(), 0);
    for file in files.iter().filter(|file| file.path.starts_with("config/prometheus/")) {
        for (number, line) in file.lines().filter(|(_, line)| line.trim_start().starts_with("expr:")) {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for name in words.filter(|word| word.starts_with("sitrep_")) {
                seen += 1;
                if !code.contains(&format!("\"{name}\"")) {
                    found.at(file, number, name);
                }
            }
        }
    }
    assert!(seen > 3, "{seen} names");
    found.nothing("an alert names a metric that is there");
}

#[test]
fn the_tree_has_what_a_newcomer_looks_for() {
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".ci/run"] {
        let length = std::fs::metadata(root().join(name)).map_or(0, |file| file.len());
        assert!(length > 200, "{name}");
    }
}

#[test]
fn links_and_pages_are_found_in_a_line() {
    let line = "See [this](docs/a.md#b), [that](https://docs/x.md) and docs/decisions/1-c.md. Not mydocs/d.md or docs/ itself";
    assert_eq!(links(line).collect::<Vec<_>>(), ["docs/a.md#b", "https://docs/x.md"]);
    assert_eq!(pages(line).collect::<Vec<_>>(), ["docs/a.md", "docs/decisions/1-c.md"]);
}
