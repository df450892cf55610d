//! One story in a few lines, held against everything that shows figures: the model, which somebody reasoned out by
//! hand, and the program in both of its ways.

use domain::replay::Replay;

use super::{Action, Figures, Live, Scenario};
use crate::model::Model;
use crate::program::settings;

/// Tells the story, on an ordinary day unless it says `date`, to the model, to the live engine and, if it is of a
/// file, to the replay. Panics with every difference.
pub fn check(what: &str, story: &str) {
    let text = format!("date 2026-11-21\n{story}");
    let story = Scenario::read(&text).unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
    let mut wrong = Vec::new();
    let mut tell = |whose: &str, figures: &mut dyn Figures| {
        wrong.extend(story.differences(figures).iter().map(|one| format!("{whose}: {one}")));
    };
    tell("model", &mut Model::new(&story.orgs, story.settings.clone()));
    tell("live", &mut Live::new(settings(&story.orgs, &story.settings)));
    if story.is_of_a_file() {
        tell("replay", &mut Replay::new(settings(&story.orgs, &story.settings)));
    }
    assert!(wrong.is_empty(), "{what}:\n{}\n{text}", wrong.join("\n"));
}

/// Checks one story after the other, each with what it is about.
pub fn check_all(rows: &[(&str, &str)]) {
    for (what, story) in rows {
        check(what, story);
    }
}

impl Scenario {
    /// Whether no event of it says when the log took it: the story can be told from a file.
    pub fn is_of_a_file(&self) -> bool {
        let has_log_time = |action: &Action| matches!(action, Action::Say { log_time: Some(_), .. });
        !self.steps.iter().any(|step| has_log_time(&step.action))
    }
}
