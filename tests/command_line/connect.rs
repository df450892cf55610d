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

/// Runs a block in the folder; what it printed.
fn run(world: &World, block: &Block, address: &str) -> String {
    let program = if block.words[0] == "python" { "python3" } else { "bash" };
    let text = block.text.replace("127.0.0.1:8080", address);
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
    said
}

#[test]
fn the_page_takes_a_newcomer_to_a_first_figure() {
    let world = World::new();
    let page = include_str!("../../docs/connect.md");
    let blocks = blocks(page);
    // Feeds are read at start, and the page says so: files first.
    std::fs::create_dir_all(world.path("feeds")).expect("a folder of ours");
    for block in &blocks {
        for name in block.words.iter().filter_map(|word| word.strip_prefix("file=")) {
            world.write(name, block.text.as_bytes());
        }
    }
    let (mut up, mut ran): (Option<Running>, usize) = (None, 0);
    for (at, block) in blocks.iter().enumerate() {
        let expected: Vec<&str> = blocks[at + 1..]
            .iter()
            .take_while(|next| next.words == ["text", "output"])
            .map(|next| next.text.trim_end())
            .collect();
        let address = up.as_ref().map_or(String::new(), |up| up.address().to_string());
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
                let said = run(&world, block, &address);
                for text in expected {
                    assert!(said.contains(text), "docs/connect.md:{}: {said}", block.line);
                }
                ran += 1;
            }
            Some("eventually") => {
                eventually(&format!("docs/connect.md:{}", block.line), SOON, || {
                    let said = run(&world, block, &address);
                    if expected.iter().all(|text| said.contains(text)) { Ok(()) } else { Err(said) }
                });
                ran += 1;
            }
            _ => {}
        }
    }
    assert!(ran >= 9, "{ran} examples were run");
    let up = up.expect("the page starts it");
    // Those who came some time ago are counted at once; who has just come is, from the next minute on.
    eventually("the patients are there", SOON, || {
        let answer = up.json("/v1/measures?measure=ae_department&org=RXF-T1&type=1");
        let newest = answer["series"][0]["points"].as_array().and_then(|points| points.last().cloned());
        let present = newest.as_ref().and_then(|point| point[1].as_i64()).unwrap_or_default();
        if present >= 2 { Ok(()) } else { Err(format!("{newest:?}")) }
    });
    up.stop();
}

/// The key's file by its whole path: the process runs in another folder.
fn key_file(world: &World) -> String {
    format!("pseudonyms.key={{ file = \"{}\" }}", world.path("pseudonym.key"))
}
