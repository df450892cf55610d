//! `sitrep rules`: alert rules tried on written figures.

use std::sync::Arc;

use alerter::trial;
use anyhow::Result;

use crate::cli::{RulesArgs, RulesCommand, RulesTestArgs};
use crate::progress::say;
use crate::{config, usage};

/// Tries the rules.
pub(crate) fn run(args: &RulesArgs) -> Result<()> {
    match &args.command {
        RulesCommand::Test(args) => test(args),
    }
}

/// Every file is read before a rule is tried, so that a fault of a file is told as one.
fn test(args: &RulesTestArgs) -> Result<()> {
    let mut config = config::load(&args.config)?;
    if let Some(path) = &args.rules {
        config.alert.rules.clone_from(path);
    }
    let organisations = config.engine()?.0.orgs;
    let rules = Arc::new(config.rules(&organisations, None)?);
    let mut files = Vec::new();
    for path in &args.files {
        let text = String::from_utf8(config::read(path)?)
            .map_err(|_| usage(format!("{}: not UTF-8", path.display())))?;
        let surroundings = trial::Surroundings { rules: &rules, organisations: &organisations };
        let trials = trial::read(&text, surroundings);
        files.push((path, trials.map_err(|error| usage(format!("{}: {error}", path.display())))?));
    }
    let (mut tried, mut failed) = (0, 0);
    for (path, trials) in files {
        for trial in trials {
            let faults = trial.faults(&rules, &organisations, &config.alert);
            tried += 1;
            failed += usize::from(!faults.is_empty());
            for fault in faults {
                say(&format!("{}: {}: {fault}", path.display(), trial.name));
            }
        }
    }
    if failed > 0 {
        anyhow::bail!("{failed} of {tried} tests failed");
    }
    say(&format!("{tried} tests, all as expected"));
    Ok(())
}
