//! `sitrep`: the table of contents. One file a subcommand; what each does is in its file.

mod board;
mod check;
mod cli;
mod config;
mod demo;
mod feed;
mod feeds;
mod import;
mod plant;
mod progress;
mod refusals;
mod replay;
mod report;
mod rules;
mod services;
mod simulate;
mod tables;
mod token;
mod topics;
mod up;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// A fault of usage or configuration: exit code 2, and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

/// A fault of usage in words.
fn usage(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::Error::new(UsageError(error.to_string()))
}

/// An error that is a fault of usage, with its causes.
fn fault(error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    usage(causes(&anyhow::Error::new(error)))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Up(args) => up::run(args),
        Command::Intake(args) => services::run(services::Service::Intake, args),
        Command::Aggregate(args) => services::aggregate(args),
        Command::Record(args) => services::run(services::Service::Record, args),
        Command::Alert(args) => services::run(services::Service::Alert, args),
        Command::Board(args) => board::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Import(args) => import::run(args),
        Command::Report(args) => report::run(args),
        Command::Token(args) => token::run(args),
        Command::Refusals(args) => refusals::run(args),
        Command::Feed(args) => feed::run(args),
        Command::Rules(args) => rules::run(args),
        Command::Check(args) => check::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::say(&format!("sitrep: {}", causes(&error)));
            ExitCode::from(if error.downcast_ref::<UsageError>().is_some() { 2 } else { 1 })
        }
    }
}

/// The error and its causes on one line, a cause that repeats its effect left out.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}
