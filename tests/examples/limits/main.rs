//! The bare limits beside which sitrep's speed is told, and the measurements that need a program of their own: how much
//! memory an attendance takes, and how soon after a POST the store shows the new figure. `tests/bench/run` calls it;
//! nothing here judges, and no test is timed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod door;
mod kafka;
mod latency;
mod memory;
mod minute;
mod parse;
mod process;

use std::process::ExitCode;

const USAGE: &str = "usage: limits parse FILE
       limits produce BROKERS TOPIC FILE     fills the topic with the lines of FILE, keyed by site
       limits drain BROKERS TOPIC            counts the bytes of the topic
       limits events KIND DAYS               events of whole days of England to standard output; KIND is plain or journeys
                                             (ten statements an attendance), or everything (calls and bed states too)
       limits memory ledger|engine|live      takes events from standard input, prints what an attendance takes
       limits minute DAYS DIR                takes so many days of events from standard input, times the minutes at the end;
                                             the log goes to DIR
       limits door DIR                       HTTP NDJSON into the embedded log, beside a bare server
       limits latency ADDRESS STORE_DIR      posts to a running `sitrep up`, watches its store";

/// What a part of the program may end with.
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["parse", file] => parse::run(file),
        ["produce", brokers, topic, file] => kafka::produce(brokers, topic, file),
        ["drain", brokers, topic] => kafka::drain(brokers, topic),
        ["events", kind, days] => memory::events(kind, days),
        ["memory", what] => memory::run(what),
        ["minute", days, dir] => minute::run(days, dir),
        ["door", dir] => door::run(dir),
        ["latency", address, dir] => latency::run(address, dir),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("limits: {error}");
            ExitCode::FAILURE
        }
    }
}
