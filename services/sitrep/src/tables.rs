//! The tables beside the configuration: periodic standards, targets, escalation frameworks. As shipped where the
//! configuration names no file.

use std::path::Path;

use anyhow::Result;
use domain::organisations::Organisations;
use domain::standard::{Reports, Standard, Standards};

use crate::config::{Config, read};
use crate::usage;

const STANDARDS: &str = include_str!("../../../config/standards.toml");

/// What the tables say.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) standards: Standards,
    /// The texts on which figures depend, one after the other.
    pub(crate) text: String,
}

/// The name of a table in messages, and its text.
fn text(path: &Path, shipped: (&str, &str)) -> Result<(String, String)> {
    if path.as_os_str().is_empty() {
        return Ok((format!("{} as shipped", shipped.0), shipped.1.to_owned()));
    }
    let name = path.display().to_string();
    let text = String::from_utf8(read(path)?).map_err(|_| usage(format!("{name}: not UTF-8")))?;
    Ok((name, text))
}

impl Config {
    /// The tables; an error names the file, the row and the key.
    pub(crate) fn tables(&self, orgs: &Organisations) -> Result<Tables> {
        let (name, text) = text(&self.standards, ("standards.toml", STANDARDS))?;
        let standards = contract::configuration::read_standards(&text)
            .map_err(|error| usage(format!("{name}: {error}")))?;
        known_reporters(&standards, orgs).map_err(|what| usage(format!("{name}: {what}")))?;
        Ok(Tables { standards, text })
    }
}

/// Whoever is named as a reporter must exist.
fn known_reporters(standards: &Standards, orgs: &Organisations) -> Result<(), String> {
    for standard in &standards.standards {
        if let Reports::Orgs(codes) = &standard.reports
            && let Some(code) = codes.iter().find(|code| orgs.find(code).is_none())
        {
            return Err(format!(
                "standard \"{}\" reports: \"{}\" is not a code in organisations.csv",
                standard.id,
                code.escape_debug()
            ));
        }
    }
    Ok(())
}

/// A standard in a line for a person.
pub(crate) fn describe(standard: &Standard) -> String {
    let reports = match &standard.reports {
        Reports::Level(level) => level.as_str().to_owned(),
        Reports::Orgs(codes) => codes.join(", "),
    };
    format!(
        "{}: {} ({}, {} is better, each {}, from {reports}, {})",
        standard.id,
        standard.title,
        standard.kind.as_str(),
        standard.better.as_str(),
        standard.period.as_str(),
        verified(standard.verified)
    )
}

/// Whether something is verified, in a word.
pub(crate) fn verified(verified: bool) -> &'static str {
    if verified { "verified" } else { "UNVERIFIED" }
}
