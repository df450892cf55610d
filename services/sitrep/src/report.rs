//! `sitrep report`: the situation report of a day, week or month, from the board's store.

use std::io::Write;

use anyhow::{Context, Result};
use board::read::Reader;
use board::report::period::{Period, Span};
use board::report::{self, Request, html, json, text};
use domain::alert::value::{FieldRef, Value};
use domain::measures::Measure;
use domain::organisations::Level;
use domain::target::Targets;
use domain::time::{LondonDays, Minute};

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
    let dir = args.store.clone().unwrap_or_else(|| config.file("board"));
    let mut reader = Reader::open(&dir).map_err(fault)?;
    let organisations = reader.organisations().map_err(fault)?.unwrap_or_default();
    let targets = config.tables(&organisations, &config.windows()?)?.targets;
    let days = LondonDays::new();
    let made = report::make(&mut reader, &request, &|place, m| in_force(&targets, &days, place.level, m));
    let made = made.map_err(|error| if error.is_usage() { fault(error) } else { error.into() })?;
    let mut out = output(args.out.as_deref())?;
    out.write_all(write(&made).as_bytes()).and_then(|()| out.flush()).context("the report cannot be written")
}

/// The target for attendances of all types within four hours that was in force at the point of a minute.
fn in_force(targets: &Targets, days: &LondonDays, level: Level, m: Minute) -> Option<report::Target> {
    let share = |field: &str| Some(FieldRef { measure: FOUR_HOURS, index: FOUR_HOURS.field(field)? });
    let value = Value::Ratio(share("within")?, share("departed")?);
    let tags = [("type", "all".to_owned()), ("window", "today".to_owned())];
    let step = targets.find(value, level, &tags)?.on(days.date(m.minus(1)))?;
    Some(report::Target { value: step.value.to_string().parse().ok()?, verified: step.verified })
}

const FOUR_HOURS: Measure = Measure::AeFourHour;

fn request(args: &ReportArgs) -> Result<Request> {
    let span = Span::parse(&args.period)
        .ok_or_else(|| usage(format!("--period {}: write day, week or month", args.period)))?;
    let period = Period::ending(span, &args.ending).map_err(|error| usage(format!("--ending: {error}")))?;
    if !(0.0..=1.0).contains(&args.floor) {
        return Err(usage(format!("--floor {}: write a share from 0 to 1, such as 0.8", args.floor)));
    }
    Ok(Request { org: args.org.clone(), period, floor: args.floor })
}
