//! Stories as text, that a newcomer can read: who arrived, who left, and what the figures then say. Held against
//! anything that can show [`Figures`].
//!
//! ```text
//! # A2 leaves 4 h 01 after arrival: one of two within the standard.
//! date 2026-11-21
//! 09:00  arrive  A1 type1        12:55  depart  A1 discharged
//! 09:05  arrive  A2 type1        13:06  depart  A2 admitted
//! 13:07  expect  four_hour type1 4h = 1/2
//! ```
//!
//! The places are those of [`crate::places::LITTLE_ENGLAND`]; where none is said it is site `General`, service
//! `Ambulances`. Times are those of the clocks in London: `13:07` or `13:07:30`, in the hour that exists twice
//! `01:30BST` or `01:30GMT`, and `13:07Z` for UTC. An expectation is about the minute at its left and everything that
//! was said above it, so the same minute can be asked again after a correction.
//!
//! | line or item | meaning |
//! |---|---|
//! | `date D` | the day of the times that follow |
//! | `place CODE LEVEL [PARENT] [TYPE]` | one more organisation |
//! | `area SITE AREA`, `group CODE MEMBER…` | a row of `areas.csv`; the rows of a group in `groups.csv` |
//! | `exclude DISPOSAL…` | `measures.exclude_disposals` |
//! | `live` | events have a log time: that of their `recorded_at` unless they say `logged=T` |
//! | `T arrive A [typeN] [planned] [child] [by J]` | `arrived_at`, and what else is said |
//! | `T assess\|treat\|refer\|decide\|stop A` | `assessed_at` … `decided_to_admit_at`, `clock_stopped_at` |
//! | `T depart A [DISPOSAL]`, `T move A AREA` | `departed_at` and `disposal`; a `location` |
//! | `T call\|start\|respond\|handover\|clear J` | `call_at`, `clock_started_at`, `responded_at`, … |
//! | `T send J SITE`, `T reach J [SITE]` | `destination`; `arrived_at` and `destination` |
//! | `T void X`, `T unvoid X`, `T state X` | `void`; nothing but what follows as `fact=value` |
//! | `standard ID PERIOD LEVEL\|CODE,… [FIRST..LAST]` | a row of `standards.toml`, and when it was paused |
//! | `T beds open=N …`, `T declare ORG LEVEL`, `T heartbeat` | other kinds of event |
//! | `T return ORG STANDARD START met=N …` | a return for the period that begins on that date |
//! | `T again ID` | the event of that id once more |
//! | `T expect MEASURE [at=PLACE] [TAG] [WINDOW] FIELD=N …` | what a point says; `= W/D` is within/departed |
//!
//! TAG is `typeN` or `all`, a category (`C2`), or `area=Waiting_room` (`_` stands for a blank), `standard=…`, `scale=…`.
//!
//! Attendances are named `A…`, journeys `J…`. Every item about an entity may say more facts as `name=value` (names of
//! spec 1.2 and 1.3, `null` retracts), and `site=`, `service=`, `id=` (else 1, 2, 3 …), `source=`, `recorded=T` (else
//! the time of the item), `logged=T`, `outcome=` (else it must be `accepted`).

mod engine;
mod hold;
mod read;
mod statement;

use std::fmt;
use std::path::Path;

use domain::event::{Event, Outcome};
use domain::organisations::Organisations;
use domain::time::{Millis, Minute};

use crate::model::{Fields, Model, Series, Settings};

pub use engine::Live;
pub use hold::{check, check_all};

/// Whatever takes events and can say what a point shows, given what it has heard: the model, the engine.
pub trait Figures {
    /// Takes an event; `log_time` is when the log took it, `None` for a file.
    fn take(&mut self, event: Event<'static>, log_time: Option<Millis>) -> Outcome;

    /// The fields of a point that are not 0; `None` of a minute that is final, which may show what was known when it
    /// became so (spec 1.8).
    fn fields(&mut self, place: &str, series: &Series, m: Minute) -> Option<Fields>;
}

impl Figures for Model {
    fn take(&mut self, event: Event<'static>, log_time: Option<Millis>) -> Outcome {
        Model::take(self, event, log_time)
    }

    fn fields(&mut self, place: &str, series: &Series, m: Minute) -> Option<Fields> {
        Some(self.points(m).remove(&(place.into(), series.clone())).unwrap_or_default())
    }
}

/// The stories of `scenarios/`, by file name and in its order: name and text.
pub fn stories() -> std::io::Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut stories = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        stories.push((name, std::fs::read_to_string(&path)?));
    }
    stories.sort();
    Ok(stories)
}

/// A story, read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it plays.
    pub orgs: Organisations,
    /// Under which configuration.
    pub settings: Settings,
    /// What happens, in the order of the text.
    pub steps: Vec<Step>,
}

/// One item of a story.
#[derive(Clone, Debug)]
pub struct Step {
    /// The line of the text, from 1.
    pub line: usize,
    /// What is said or expected there.
    pub action: Action,
}

/// What an item does.
#[derive(Clone, Debug)]
pub enum Action {
    /// A source says something.
    Say {
        /// What it says.
        event: Box<Event<'static>>,
        /// When the log took it.
        log_time: Option<Millis>,
        /// What must become of it.
        outcome: Outcome,
    },
    /// A point must show something.
    Expect(Expectation),
}

/// What a point must show.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The code of the organisation or group of which it is.
    pub place: String,
    /// Of which series.
    pub series: Series,
    /// At which minute.
    pub minute: Minute,
    /// Fields by name, and their values.
    pub fields: Vec<(&'static str, f64)>,
}

/// Why a text is no story.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Where what happened is not what the story expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The line, from 1.
    pub line: usize,
    /// What differs.
    pub what: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl Scenario {
    /// Reads a story.
    pub fn read(text: &str) -> Result<Scenario, ScenarioError> {
        read::scenario(text)
    }

    /// Tells the story to `figures` and holds it against what is expected: every difference, none if all is well.
    pub fn differences(&self, figures: &mut dyn Figures) -> Vec<Mismatch> {
        let mut differences = Vec::new();
        for step in &self.steps {
            match &step.action {
                Action::Say { event, log_time, outcome } => {
                    let became = figures.take(event.as_ref().clone(), *log_time);
                    if became != *outcome {
                        let what = format!("the event is {}, not {}", became.as_str(), outcome.as_str());
                        differences.push(Mismatch { line: step.line, what });
                    }
                }
                Action::Expect(expectation) => {
                    let what = expectation.differences(figures);
                    differences.extend(what.into_iter().map(|what| Mismatch { line: step.line, what }));
                }
            }
        }
        differences
    }
}

impl Expectation {
    fn differences(&self, figures: &mut dyn Figures) -> Vec<String> {
        let Some(shown) = figures.fields(&self.place, &self.series, self.minute) else { return Vec::new() };
        let (name, place, minute) = (self.series.measure, &self.place, self.minute);
        let mut differences = Vec::new();
        for (field, expected) in &self.fields {
            let value = shown.get(field).copied().unwrap_or_default();
            if value != *expected {
                differences
                    .push(format!("{name} of {place} at {minute}: {field} is {value}, not {expected}"));
            }
        }
        differences
    }
}
