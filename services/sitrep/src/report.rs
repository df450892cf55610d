//! `sitrep report`: the situation report of a day, week or month, from the board's store.

use std::io::Write;

use anyhow::{Context, Result};
use board::read::Reader;
use board::report::period::{Period, Span};
use board::report::{self, Request, Rules, html, json, text};

use crate::cli::ReportArgs;
use crate::simulate::output;
use crate::{config, fault, usage};

/// Writes the report.
pub(crate) fn run(args: &ReportArgs) -> Result<()> {
    let config = config::load(&args.config)?;
    let request = request(args)?;
    let write = match args.format.as_str() {
        "text" => |report: &report::Report| text::write(&report.document()),
        "html" => |report: &report::Report| html::write(&report.document()),
        "json" => json::write,
        other => return Err(usage(format!("--format {other}: write text, html or json"))),
    };
    let (organisations, _) = config::organisations(&config.organisations)?;
    let tables = config.tables(&organisations, &config.windows()?)?;
    let rules = Rules { targets: &tables.targets, standards: &tables.standards };
    let dir = args.store.clone().unwrap_or_else(|| config.file("board"));
    let mut reader = Reader::open(&dir).map_err(fault)?;
    let made = report::make(&mut reader, &request, rules);
    let made = made.map_err(|error| if error.is_usage() { fault(error) } else { error.into() })?;
    let mut out = output(args.out.as_deref())?;
    out.write_all(write(&made).as_bytes()).and_then(|()| out.flush()).context("the report cannot be written")
}

fn request(args: &ReportArgs) -> Result<Request> {
    let span = Span::parse(&args.period)
        .ok_or_else(|| usage(format!("--period {}: write day, week or month", args.period)))?;
    let period = Period::ending(span, &args.ending).map_err(|error| usage(format!("--ending: {error}")))?;
    if !(0.0..=1.0).contains(&args.floor) {
        return Err(usage(format!("--floor {}: write a share from 0 to 1, such as 0.8", args.floor)));
    }
    Ok(Request { org: args.org.clone(), period, floor: args.floor })
}
