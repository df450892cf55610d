//! The tables beside the configuration: periodic standards, targets, escalation frameworks. As shipped where the
//! configuration names no file.

use std::path::Path;

use anyhow::Result;
use contract::configuration::{Places, read_framework, read_standards, read_targets};
use domain::measures::Window;
use domain::opel::Framework;
use domain::organisations::Organisations;
use domain::standard::{Reports, Standard, Standards};
use domain::target::{Target, Targets};

use crate::config::{Config, read};
use crate::usage;

const STANDARDS: &str = include_str!("../../../config/standards.toml");
const TARGETS: &str = include_str!("../../../config/targets.toml");
/// The frameworks as shipped, by their ids.
pub(crate) const FRAMEWORKS: [(&str, &str); 2] = [
    ("acute-2023-24", include_str!("../../../config/opel/acute-2023-24.toml")),
    ("acute-2024-26", include_str!("../../../config/opel/acute-2024-26.toml")),
];

/// What the tables say.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) standards: Standards,
    pub(crate) targets: Targets,
    /// Those that are computed.
    pub(crate) frameworks: Vec<Framework>,
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
    pub(crate) fn tables(&self, orgs: &Organisations, windows: &[Window]) -> Result<Tables> {
        let (name, mut hashed) = text(&self.standards, ("standards.toml", STANDARDS))?;
        let standards = read_standards(&hashed).map_err(|error| usage(format!("{name}: {error}")))?;
        known_reporters(&standards, orgs).map_err(|what| usage(format!("{name}: {what}")))?;
        let (name, targets) = text(&self.targets, ("targets.toml", TARGETS))?;
        let targets =
            read_targets(&targets, &standards).map_err(|error| usage(format!("{name}: {error}")))?;
        let mut frameworks: Vec<Framework> = Vec::new();
        for one in &self.opel {
            let (name, text) = framework_text(one)?;
            let framework = read_framework(&text, Places { organisations: orgs, windows })
                .map_err(|error| usage(format!("{name}: {error}")))?;
            if frameworks.iter().any(|other| other.id == framework.id) {
                return Err(usage(format!("opel: the framework \"{}\" stands twice", framework.id)));
            }
            frameworks.push(framework);
            hashed.push_str(&text);
        }
        Ok(Tables { standards, targets, frameworks, text: hashed })
    }
}

/// The name of a framework's file in messages, and its text.
fn framework_text(name: &str) -> Result<(String, String)> {
    if let Some(shipped) = FRAMEWORKS.iter().find(|(id, _)| *id == name) {
        return text(Path::new(""), (&format!("opel/{name}.toml"), shipped.1));
    }
    if !name.ends_with(".toml") {
        let known = FRAMEWORKS.map(|(id, _)| id).join(", ");
        return Err(usage(format!(
            "opel: \"{name}\" is neither a shipped framework ({known}) nor the path of a .toml file"
        )));
    }
    text(Path::new(name), ("", ""))
}

/// Whoever is named as a reporter must exist.
fn known_reporters(standards: &Standards, orgs: &Organisations) -> Result<(), String> {
    for standard in &standards.standards {
        if let Reports::Orgs(codes) = &standard.reports
            && let Some(code) = codes.iter().find(|code| orgs.find(code).is_none())
        {
            let (id, code) = (&standard.id, code.escape_debug());
            return Err(format!(
                "reports of the standard \"{id}\": \"{code}\" is not a code in organisations.csv"
            ));
        }
    }
    Ok(())
}

/// A standard in a line for a person.
pub(crate) fn describe(standard: &Standard) -> String {
    let reports = match &standard.reports {
        Reports::Level(level) => format!("each {}", level.as_str()),
        Reports::Orgs(codes) => codes.join(", "),
    };
    let mut text = format!(
        "{}: {} ({}, {} is better; each {} from {reports}, due after {} days",
        standard.id,
        standard.title,
        standard.kind.as_str(),
        standard.better.as_str(),
        standard.period.as_str(),
        standard.due_days,
    );
    for pause in &standard.paused {
        text.push_str(&format!("; paused {} to {}", pause.from, pause.to));
    }
    if let Some(retired) = standard.retired {
        text.push_str(&format!("; retired {retired}"));
    }
    format!("{text}): {}", verified(standard.verified))
}

/// A target in lines for a person: one a step.
pub(crate) fn target_steps(target: &Target) -> Vec<String> {
    let mut tags: Vec<String> = target.series.iter().map(|(name, text)| format!("{name}={text}")).collect();
    tags.extend(target.level.map(|level| format!("level={}", level.as_str())));
    let tags = if tags.is_empty() { String::new() } else { format!(" {{{}}}", tags.join(", ")) };
    let step = |step: &domain::target::Step| {
        let to = step.to.map_or(String::new(), |to| format!(" to {to}"));
        let verified = verified(step.verified);
        format!("{}{tags}: {} from {}{to} ({}): {verified}", target.value, step.value, step.from, step.source)
    };
    target.steps.iter().map(step).collect()
}

/// A framework in lines for a person: itself, and what of it is not verified.
pub(crate) fn framework_lines(framework: &Framework) -> Vec<String> {
    let state = verified(framework.is_verified());
    let levels = framework.total.as_ref().map_or("no score known".to_owned(), |total| {
        let edges: Vec<String> = total.levels.iter().map(|band| band.to.to_string()).collect();
        format!("levels up to {} ({})", edges.join(", "), verified(total.provenance.verified))
    });
    let first = format!(
        "{}: {}, {} parameters, {levels}: {state}",
        framework.id,
        framework.title,
        framework.parameters.len()
    );
    let rest = framework.unverified().into_iter().map(|what| format!("{}: UNVERIFIED {what}", framework.id));
    std::iter::once(first).chain(rest).collect()
}

/// Whether something is verified, in a word.
pub(crate) fn verified(verified: bool) -> &'static str {
    if verified { "verified" } else { "UNVERIFIED" }
}
