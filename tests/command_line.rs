//! The real binary on the command line, without any server: what it says to wrong input and configuration, files in
//! and figures out, and `sitrep up` with its front door, restarts and kills.
//!
//! Cargo is asked for the binary first; `SITREP_BIN` names another.

#[path = "command_line/bad_input.rs"]
mod bad_input;
#[path = "command_line/connect.rs"]
mod connect;
#[path = "command_line/demo.rs"]
mod demo;
#[path = "command_line/door.rs"]
mod door;
#[path = "command_line/feeds.rs"]
mod feeds;
#[path = "command_line/files.rs"]
mod files;
#[path = "command_line/http.rs"]
mod http;
#[path = "command_line/identifiers.rs"]
mod identifiers;
#[path = "command_line/kills.rs"]
mod kills;
#[path = "command_line/mllp.rs"]
mod mllp;
#[path = "command_line/planted.rs"]
mod planted;
#[path = "command_line/published.rs"]
mod published;
#[path = "command_line/refusals.rs"]
mod refusals;
#[path = "command_line/report.rs"]
mod report;
#[path = "command_line/rules.rs"]
mod rules;
#[path = "command_line/run.rs"]
mod run;
#[path = "command_line/running.rs"]
mod running;
#[path = "command_line/slow.rs"]
mod slow;
#[path = "command_line/up.rs"]
mod up;
#[path = "command_line/world.rs"]
mod world;
#[path = "command_line/wrong.rs"]
mod wrong;

#[path = "../services/intake/tests/mllp/certificates.rs"]
mod certificates;
#[expect(dead_code, reason = "the stack test, whose file it is, uses more of it")]
#[path = "stack/patience.rs"]
mod patience;
#[path = "stack/process.rs"]
mod process;
