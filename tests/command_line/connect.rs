//! `docs/connect.md` does what it says: its commands are run as they stand against a real `sitrep up`.

use std::process::Command;

use acceptance::binary;

use crate::patience::{SOON, eventually};
use crate::running::Running;
use crate::world::World;

/// A block of the page: the words behind its fence, and its text.
struct Block {
    line: usize,
    words: Vec<String>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(words), None) => {
                let words = words.split_whitespace().map(str::to_owned).collect();
                open = Some(Block { line: number + 1, words, text: String::new() });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    blocks
}

/// Runs a block in the folder; what it printed, and what of it on standard error.
fn run(world: &World, block: &Block, listening: &Listening) -> String {
    let program = if block.words[0] == "python" { "python3" } else { "bash" };
    let text = block.text.replace("127.0.0.1:8080", &listening.http);
    let text = text.replace("(\"127.0.0.1\", 2575)", &format!("(\"127.0.0.1\", {})", listening.hl7_port));
    let text = if program == "bash" { format!("set -euo pipefail\n{text}") } else { text };
    // Whatever the binary's file is called, the page calls it sitrep.
    let folder = world.path("bin");
    std::fs::create_dir_all(&folder).expect("a folder of ours");
    drop(std::os::unix::fs::symlink(binary::sitrep(), format!("{folder}/sitrep")));
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(["-c", &text]).current_dir(world.path("")).env("PATH", path);
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docs/connect.md:{}: {said}{why}", block.line);
    said + &why
}

/// Where the page's sitrep listens, as it is named in the place of what the page says.
#[derive(Default)]
struct Listening {
    http: String,
    hl7_port: String,
}

impl Listening {
    fn of(up: &Running) -> Listening {
        let hl7_port = eventually("it says where it listens for HL7", SOON, || {
            let lines = up.lines();
            let said =
                lines.iter().find_map(|line| line.strip_prefix("feed epr listens for HL7 v2 at 127.0.0.1:"));
            said.map(str::to_owned).ok_or_else(|| "it has not said so".to_owned())
        });
        Listening { http: up.address().to_string(), hl7_port }
    }
}

/// Feeds and listeners are read at start, and the page says so: its files come first.
fn write_files(world: &World, blocks: &[Block]) {
    std::fs::create_dir_all(world.path("feeds")).expect("a folder of ours");
    for block in blocks {
        for word in &block.words {
            if let Some(name) = word.strip_prefix("file=") {
                world.write(name, block.text.as_bytes());
            }
            if let Some(name) = word.strip_prefix("append=") {
                let before = std::fs::read_to_string(world.path(name)).expect("it was written before");
                // A free port in the place of the page's.
                world.write(name, (before + &block.text.replace(":2575", ":0")).as_bytes());
            }
        }
    }
}

#[test]
fn the_page_takes_a_newcomer_to_a_first_figure() {
    let world = World::new();
    let page = include_str!("../../docs/connect.md");
    let blocks = blocks(page);
    write_files(&world, &blocks);
    let (mut up, mut ran): (Option<Running>, usize) = (None, 0);
    for (at, block) in blocks.iter().enumerate() {
        let expected: Vec<&str> = blocks[at + 1..]
            .iter()
            .take_while(|next| next.words == ["text", "output"])
            .map(|next| next.text.trim_end())
            .collect();
        let listening = up.as_ref().map_or(Listening::default(), Listening::of);
        match block.words.get(1).map(String::as_str) {
            Some("background") => {
                let set =
                    |key: &str, name: &str| [String::from("--set"), format!("{key}={}", world.path(name))];
                let mut arguments = vec!["up".to_owned(), "--config".to_owned(), world.path("connect.toml")];
                arguments.extend(set("data", "data"));
                arguments.extend(set("http.tokens", "tokens.toml"));
                arguments.extend(set("intake.feeds", "feeds"));
                arguments.extend(["--set".to_owned(), key_file(&world)]);
                let started = Running::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
                started.ready();
                up = Some(started);
            }
            Some("run") => {
                let said = run(&world, block, &listening);
                for text in expected {
                    assert!(said.contains(text), "docs/connect.md:{}: {said}", block.line);
                }
                ran += 1;
            }
            Some("eventually") => {
                eventually(&format!("docs/connect.md:{}", block.line), SOON, || {
                    let said = run(&world, block, &listening);
                    if expected.iter().all(|text| said.contains(text)) { Ok(()) } else { Err(said) }
                });
                ran += 1;
            }
            _ => {}
        }
    }
    assert!(ran >= 12, "{ran} examples were run");
    let up = up.expect("the page starts it");
    // By HTTP, FHIR and HL7: those who came some time ago are counted at once; who has just come is, from the next minute on.
    eventually("the patients are there", SOON, || {
        let answer = up.json("/v1/measures?measure=ae_department&org=RXF-T1&type=1");
        let newest = answer["series"][0]["points"].as_array().and_then(|points| points.last().cloned());
        let present = newest.as_ref().and_then(|point| point[1].as_i64()).unwrap_or_default();
        if present >= 5 { Ok(()) } else { Err(format!("{newest:?}")) }
    });
    up.stop();
    for block in blocks.iter().filter(|block| block.words.get(1).is_some_and(|word| word == "stopped")) {
        let said = run(&world, block, &Listening::default());
        assert!(said.contains(" malformed rxf.epr http "), "docs/connect.md:{}: {said}", block.line);
    }
}

/// The key's file by its whole path: the process runs in another folder.
fn key_file(world: &World) -> String {
    format!("pseudonyms.key={{ file = \"{}\" }}", world.path("pseudonym.key"))
}
