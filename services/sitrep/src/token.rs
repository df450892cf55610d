//! `sitrep token new`: a token for a sender, and the row that lets it in. The token itself is kept nowhere.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, Result};
use rand::TryRngCore;
use rand::rngs::OsRng;
use runtime::access::{Scope, digest_hex, is_pattern};

use crate::cli::{TokenArgs, TokenCommand};
use crate::usage;

/// Random bytes of a token: nobody guesses 32.
const BYTES: usize = 32;

/// Makes a token.
pub(crate) fn run(command: &TokenCommand) -> Result<()> {
    let TokenCommand::New(args) = command;
    for scope in &args.scopes {
        if !Scope::ALL.iter().any(|known| known.as_str() == scope) {
            let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            return Err(usage(format!("--scope {scope}: write {}", known.join(" or "))));
        }
    }
    let sends = args.scopes.iter().any(|scope| scope == Scope::Events.as_str());
    if sends && (args.sources.is_empty() || args.orgs.is_empty()) {
        return Err(usage("a token that sends events needs --source and --org (\"*\" is every one)"));
    }
    if let Some(source) = args.sources.iter().find(|source| !is_pattern(source)) {
        let right = "write a source (a-z 0-9 . _ -), or its beginning and *";
        return Err(usage(format!("--source {source:?}: {right}")));
    }
    let mut bytes = [0; BYTES];
    OsRng.try_fill_bytes(&mut bytes).context("the system gives no random bytes")?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let token = format!("sitrep_{token}");
    let row = row(args, &token);
    match &args.file {
        None => print(&format!("{token}\n\n{row}")),
        Some(path) => {
            let failed = || format!("{} cannot be written", path.display());
            let mut file =
                std::fs::OpenOptions::new().append(true).create(true).open(path).with_context(failed)?;
            file.write_all(format!("\n{row}").as_bytes()).with_context(failed)?;
            print(&format!("{token}\n"));
        }
    }
    Ok(())
}

fn row(args: &TokenArgs, token: &str) -> String {
    let list = |texts: &[String]| toml::Value::from(texts.to_vec()).to_string();
    let mut row = String::from("[[token]]\n");
    let name = toml::Value::from(args.name.as_str());
    let lines = [
        ("name", name.to_string()),
        ("sha256", format!("\"{}\"", digest_hex(token))),
        ("sources", list(&args.sources)),
        ("orgs", list(&args.orgs)),
        ("scopes", list(&args.scopes)),
    ];
    for (key, value) in lines {
        writeln!(row, "{key} = {value}").expect("a text takes all");
    }
    row
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn print(text: &str) {
    print!("{text}");
}
