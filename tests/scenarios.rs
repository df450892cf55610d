//! The stories of `scenarios/`, each held against the model, the replay of a file and the live engine. What a line may
//! say is in `scenario.rs`.

use acceptance::model::Model;
use acceptance::program::settings;
use acceptance::scenario::{Action, Figures, Live, Scenario, stories};
use domain::replay::Replay;

/// Tells every story that `plays` to the figures that `make` makes; some must.
fn tell<F: Figures>(plays: impl Fn(&Scenario) -> bool, make: impl Fn(&Scenario) -> F) {
    let (mut told, mut wrong) = (0, Vec::new());
    for (name, text) in stories().expect("the folder of stories") {
        match Scenario::read(&text) {
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(story) if plays(&story) => {
                told += 1;
                let differences = story.differences(&mut make(&story));
                wrong.extend(differences.iter().map(|difference| format!("{name}: {difference}")));
            }
            Ok(_) => {}
        }
    }
    assert!(told > 0, "there is no such story");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_story_is_true_of_the_model() {
    tell(|_| true, |story| Model::new(&story.orgs, story.settings.clone()));
}

#[test]
fn every_story_is_true_of_the_live_engine() {
    tell(|_| true, |story| Live::new(settings(&story.orgs, &story.settings)));
}

#[test]
fn every_story_of_a_file_is_true_of_replay() {
    tell(Scenario::is_of_a_file, |story| Replay::new(settings(&story.orgs, &story.settings)));
}

#[test]
fn every_story_says_and_expects_something() {
    let stories = stories().unwrap();
    assert!(!stories.is_empty());
    for (name, text) in stories {
        let story = Scenario::read(&text).unwrap();
        let expects = |step: &acceptance::scenario::Step| matches!(step.action, Action::Expect(_));
        assert!(story.steps.iter().any(expects), "{name} expects nothing");
        assert!(!story.steps.iter().all(expects), "in {name} nothing happens");
        assert!(text.starts_with("# "), "{name} does not say what it is about");
    }
}

#[test]
fn a_story_that_is_not_true_is_found_out() {
    let text = "date 2026-11-21\n09:00 arrive A1 type1 outcome=duplicate\n09:01 expect department type1 present=2 on_clock=1";
    let story = Scenario::read(text).unwrap();
    let differences = story.differences(&mut Model::new(&story.orgs, story.settings.clone()));
    let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "line 2: the event is accepted, not duplicate",
            "line 3: ae_department of General at 2026-11-21T09:01:00Z: present is 1, not 2",
        ]
    );
}
