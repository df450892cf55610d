//! A folder with a small England in it, and what its feeds say.

use std::path::PathBuf;

use acceptance::model::{Model, Settings};
use acceptance::places;
use contract::Hashed;
use domain::event::Outcome;
use domain::organisations::Organisations;
use domain::time::{Millis, Second};
use runtime::clock::{Clock, SystemClock};
use tempfile::TempDir;

/// The folder of a test; it goes when the test is over.
pub(crate) struct World {
    pub(crate) orgs: Organisations,
    folder: TempDir,
}

impl World {
    /// The little England of the scenarios, as `organisations.csv`.
    pub(crate) fn new() -> World {
        let orgs = places::organisations(places::LITTLE_ENGLAND).expect("the little England");
        let folder = TempDir::with_prefix("sitrep-command-line-").expect("a temporary folder");
        let world = World { orgs, folder };
        world.write("organisations.csv", places::csv(&world.orgs).as_bytes());
        world
    }

    /// The path of a file of the folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a path of ours is text").to_owned()
    }

    /// Writes a file; its path.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a folder of ours");
        path
    }

    /// `sitrep up` with its data in the folder.
    pub(crate) fn up(&self, more: &[&str]) -> Vec<String> {
        let set = |text: String| ["--set".to_owned(), text];
        let mut arguments = vec!["up".to_owned()];
        arguments.extend(set(format!("data={}", self.path("data"))));
        arguments.extend(set(format!("organisations={}", self.path("organisations.csv"))));
        arguments.extend(set("restate.delay=1s".to_owned()));
        arguments.extend(more.iter().map(|text| (*text).to_owned()));
        arguments
    }

    /// Every file below a folder of the folder.
    pub(crate) fn files(&self, name: &str) -> Vec<PathBuf> {
        let (mut folders, mut files) = (vec![PathBuf::from(self.path(name))], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder of ours").map_while(Result::ok) {
                let path = entry.path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// A model that has heard nothing.
    pub(crate) fn model(&self) -> Model {
        Model::new(&self.orgs, Settings::default())
    }
}

/// Now, in whole seconds.
pub(crate) fn now() -> Millis {
    Millis::from(Millis(SystemClock::new().now_ms()).second())
}

/// The instant so many minutes before another, as RFC 3339.
pub(crate) fn ago(now: Millis, minutes: i64) -> String {
    Millis(now.0 - minutes * 60_000).second().to_string()
}

/// An event of an attendance: what else it states as JSON text, recorded now.
pub(crate) fn attendance(id: &str, site: &str, reference: &str, now: Millis, facts: &str) -> String {
    let now = now.second();
    format!(
        r#"{{"id":"{id}","source":"epr","recorded_at":"{now}","attendance":{{"site":"{site}","ref":"{reference}",{facts}}}}}"#
    )
}

/// Tells the model what was told to the program.
pub(crate) fn tell(model: &mut Model, lines: &[String], log_time: Option<Millis>) -> Vec<Outcome> {
    // The model keeps what it is told: a test may keep the text of it too.
    let kept = |line: &String| -> &'static [u8] { line.clone().into_bytes().leak() };
    let read = |line: &String| contract::parse_json(kept(line), &Hashed).expect("an event");
    lines.iter().map(|line| model.take(read(line), log_time)).collect()
}

/// An instant of a command line.
pub(crate) fn second(text: &str) -> Second {
    domain::time::rfc3339(text.as_bytes()).expect("an instant").second()
}
