//! `sitrep simulate`: events of a simulated country, one JSON object a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use domain::time::{Millis, Second};
use runtime::clock::SystemClock;
use simulator::{Fault, Simulation, SimulationSettings};

use crate::cli::SimulateArgs;
use crate::progress::{Progress, thousands};
use crate::replay::instant;
use crate::{config, usage};

/// Writes the events in the order in which a log would receive them.
pub(crate) fn run(args: &SimulateArgs) -> Result<()> {
    let from = instant(&args.from, "--from")?;
    let until = match &args.until {
        Some(text) => instant(text, "--until")?,
        None => Second(from.0.saturating_add(86_400)),
    };
    let (organisations, _) = config::organisations(args.organisations.as_deref().unwrap_or(Path::new("")))?;
    let mut settings = match args.benchmark {
        Some(events) => SimulationSettings::benchmark(args.seed, from, events),
        None => SimulationSettings::new(args.seed, from, until),
    };
    if args.benchmark.is_none() {
        settings.size = args.size;
        settings.faults = faults(&args.faults)?;
    }
    let mut simulation = Simulation::new(settings, &organisations).map_err(usage)?;
    let clock = SystemClock::new();
    let mut progress = Progress::new(&clock, "events");
    let mut out = output(args.out.as_deref())?;
    let mut line = Vec::new();
    while let Some(delivered) = simulation.next_event() {
        line.clear();
        contract::write_json(&delivered.event, &mut line);
        line.push(b'\n');
        out.write_all(&line).context("the events cannot be written")?;
        progress.at(|| format!("up to {}", Millis::second(delivered.at)));
    }
    out.flush().context("the events cannot be written")?;
    progress.done(&format!("{} written", thousands(simulation.handed_out())));
    Ok(())
}

fn faults(names: &[String]) -> Result<Vec<Fault>> {
    names
        .iter()
        .map(|name| {
            Fault::parse(name).ok_or_else(|| {
                let all: Vec<&str> = Fault::ALL.iter().map(|fault| fault.as_str()).collect();
                usage(format!("--faults {name}: no such fault; there are {}", all.join(", ")))
            })
        })
        .collect()
}

/// A file, or standard output without one or for `-`.
pub(crate) fn output(path: Option<&Path>) -> Result<Box<dyn Write>> {
    Ok(match path {
        Some(path) if path != Path::new("-") => {
            let file = File::create(path).with_context(|| format!("{} cannot be made", path.display()))?;
            Box::new(BufWriter::with_capacity(1 << 20, file))
        }
        Some(_) | None => Box::new(BufWriter::with_capacity(1 << 20, std::io::stdout().lock())),
    })
}
