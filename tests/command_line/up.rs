//! `sitrep up` by itself: what the board shows is what the model says, whatever happens to the process.

use acceptance::model::Model;

use crate::door::up;
use crate::run::sitrep;
use crate::running::Running;
use crate::world::{World, ago, attendance, now, tell};

use domain::time::Millis;

/// A world that is told the same as the program.
struct Story {
    world: World,
    model: Model,
    now: Millis,
    ids: u32,
}

impl Story {
    fn new() -> Story {
        let world = World::new();
        let model = world.model();
        Story { world, model, now: now(), ids: 0 }
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        self.ids.to_string()
    }

    /// A statement about a patient of General; `@N` stands for N minutes ago. Later ones win by their id.
    fn patient(&mut self, reference: &str, facts: &str) -> String {
        let facts = self.instants(facts);
        let id = self.id();
        attendance(&id, "General", reference, self.now, &facts)
    }

    /// A statement about a journey to General.
    fn journey(&mut self, reference: &str, facts: &str) -> String {
        let facts = self.instants(facts);
        let (id, recorded) = (self.id(), self.now.second());
        format!(
            r#"{{"id":"{id}","source":"cad","recorded_at":"{recorded}","ambulance":{{"service":"Ambulances","ref":"{reference}","destination":"General",{facts}}}}}"#
        )
    }

    fn instants(&self, facts: &str) -> String {
        let mut parts = facts.split('@');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let minutes = part[..digits].parse().expect("minutes ago");
            text += &format!("\"{}\"{}", ago(self.now, minutes), &part[digits..]);
        }
        text
    }

    /// Tells both; the program must have it when this returns.
    fn tell(&mut self, up: &Running, lines: &[String]) {
        up.tell(lines);
        let outcomes = tell(&mut self.model, lines, Some(self.now));
        assert!(outcomes.iter().all(|outcome| !outcome.is_refused()), "{outcomes:?}");
    }

    fn equals(&self, up: &Running) {
        up.equals(&self.model.read(), &self.world.orgs);
    }

    /// A busy morning.
    fn morning(&mut self) -> Vec<String> {
        vec![
            self.patient("A1", r#""department_type":1,"arrived_at":@290"#),
            self.patient("A1", r#""departed_at":@60,"disposal":"discharged""#),
            self.patient(
                "A2",
                r#""department_type":1,"arrived_at":@300,"departed_at":@40,"disposal":"admitted""#,
            ),
            self.patient("A3", r#""department_type":1,"arrived_at":@225,"decided_to_admit_at":@30"#),
            self.patient("A4", r#""department_type":3,"arrived_at":@100"#),
            self.patient("A5", r#""department_type":5,"arrived_at":@90"#),
            self.patient("A6", r#""department_type":1,"planned":true,"arrived_at":@80"#),
            self.journey("J1", r#""arrived_at":@50,"handed_over_at":@18"#),
            self.patient("A7", r#""ambulance":{"service":"Ambulances","ref":"J1"},"arrived_at":@20"#),
            self.journey("J2", r#""arrived_at":@75"#),
        ]
    }
}

#[test]
fn figures_are_the_model_s_after_corrections_restarts_and_kills() {
    let mut story = Story::new();
    let first = up(&story.world, &[]);
    let morning = story.morning();
    story.tell(&first, &morning);
    story.equals(&first);

    // A wrong departure, a void attendance, an ambulance that went elsewhere after all, and what was said before.
    let mut corrections = vec![
        story.patient("A1", r#""departed_at":@45"#),
        story.patient("A4", r#""void":true"#),
        story.patient("A2", r#""departed_at":null,"disposal":null"#),
        story.journey("J2", r#""handed_over_at":@5"#),
    ];
    corrections.push(morning[0].clone());
    story.tell(&first, &corrections);
    story.equals(&first);
    first.stop();

    let second = up(&story.world, &[]);
    story.equals(&second);
    let more = [story.patient("A8", r#""department_type":1,"arrived_at":@200"#)];
    story.tell(&second, &more);
    // What was answered is durable, also when nothing of it has been read yet.
    second.kill();

    let third = up(&story.world, &[]);
    story.equals(&third);
    let more = [story.patient("A8", r#""departed_at":@10,"disposal":"left""#)];
    story.tell(&third, &more);
    story.equals(&third);
    third.kill();

    // A lost checkpoint is made again from the log.
    let files = story.world.files("data");
    let lost = files.iter().filter(|file| file.to_string_lossy().contains("aggregator.checkpoint"));
    assert!(lost.map(|file| std::fs::remove_file(file).expect("a file of ours")).count() > 0);
    let fourth = up(&story.world, &[]);
    story.equals(&fourth);
    fourth.stop();
}

#[test]
fn a_second_process_on_the_same_data_ends_at_once() {
    let world = World::new();
    let first = up(&world, &[]);
    let mut arguments = world.up(&[]);
    arguments.extend(["--set".to_owned(), "http.listen=127.0.0.1:0".to_owned()]);
    let second = sitrep(&arguments);
    assert_eq!(second.code, 1, "{}", second.err);
    let last = second.err.lines().last().expect("it says why");
    let (log, mends) = (world.path("data/log"), "stop it, or choose another directory");
    assert!(last.starts_with("sitrep: ") && last.contains(&log) && last.ends_with(mends), "{last}");
    first.ready();
    first.stop();
}

#[test]
fn an_address_that_is_taken_is_a_failure() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let mut arguments = world.up(&[]);
    arguments.extend(["--set".to_owned(), format!("http.listen={address}")]);
    let done = sitrep(&arguments);
    assert_eq!(done.code, 1, "{}", done.err);
    let last = done.err.lines().last().expect("it says why");
    assert!(last.contains(&format!("http.listen: {address} cannot be bound: ")), "{last}");
}

#[test]
fn the_data_folder_is_its_owner_s_alone_and_one_that_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let data = world.path("data");
    let mode = |folder: &str| {
        let folder = std::fs::metadata(format!("{data}{folder}")).expect("a folder");
        folder.permissions().mode() & 0o777
    };
    let told =
        |lines: Vec<String>| lines.iter().filter(|line| line.contains("may read the data folder")).count();
    assert_eq!(told(crate::door::up(&world, &[]).stop()), 0);
    assert_eq!(["", "/log", "/board"].map(mode), [0o700; 3]);
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).expect("ours");
    assert_eq!(told(crate::door::up(&world, &[]).stop()), 1);
    assert_eq!(mode(""), 0o755, "it is left");
}
