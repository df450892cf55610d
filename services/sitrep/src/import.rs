//! `sitrep import`: published monthly A&E tables as events that reproduce them.

use std::io::Write;

use anyhow::{Context, Result};
use runtime::clock::SystemClock;
use simulator::import;

use crate::cli::ImportArgs;
use crate::progress::{Progress, say, thousands};
use crate::simulate::output;
use crate::{config, usage};

/// Reads the tables, writes the events, reports what was left out.
pub(crate) fn run(args: &ImportArgs) -> Result<()> {
    match args.kind.as_str() {
        "attendances" => {}
        "returns" => return Err(usage("--as returns: not built yet; attendances is")),
        other => return Err(usage(format!("--as {other}: write attendances or returns"))),
    }
    let mut tables = Vec::new();
    for path in &args.files {
        let bytes = config::read(path)?;
        tables.push(import::read(&bytes).map_err(|error| usage(format!("{}: {error}", path.display())))?);
    }
    if let Some(path) = &args.organisations_out {
        let mut file = csv::Writer::from_writer(output(Some(path))?);
        file.write_record(["code", "name", "level", "parent", "department_type"])?;
        for row in import::organisations(&tables) {
            file.write_record([row.code, row.name, row.level, row.parent, row.department_type])?;
        }
        file.flush().context("the organisations cannot be written")?;
    }
    let clock = SystemClock::new();
    let mut progress = Progress::new(&clock, "import");
    let mut out = output(args.out.as_deref())?;
    let (mut line, mut count, mut failed) = (Vec::new(), 0u64, None);
    for table in &tables {
        table.events(args.seed, &mut |event| {
            line.clear();
            contract::write_json(&event, &mut line);
            line.push(b'\n');
            if failed.is_none() {
                failed = out.write_all(&line).err();
            }
            count += 1;
            progress.at(|| format!("{} events", thousands(count)));
        });
    }
    if let Some(error) = failed {
        return Err(error).context("the events cannot be written");
    }
    out.flush().context("the events cannot be written")?;
    progress.done(&format!("{} events", thousands(count)));
    say(import::report(&tables).to_string().trim_end());
    Ok(())
}
