//! `sitrep up`: every service in one process, on the embedded log and store.

use std::sync::Arc;

use anyhow::Result;
use runtime::log::embedded::EmbeddedLog;

use crate::cli::UpArgs;
use crate::plant::Plant;
use crate::progress::say;
use crate::{board, config, demo, feeds, services};

/// Runs everything.
pub(crate) fn run(args: &UpArgs) -> Result<()> {
    let config = config::load(&args.config)?;
    let (settings, _) = config.engine()?;
    let rules = config.rules(&settings.orgs, args.demo.then_some(config::DEMO_ALERTS))?;
    feeds::listeners(&config, &settings.orgs)?;
    let folder = config.file("log");
    let mut plant =
        Plant::new(config, |plantlet| Ok(Arc::new(EmbeddedLog::open(&folder, plantlet.clock.clone())?)))?;
    let access = services::access(&plant.config, &settings.orgs, &plant.registry)?;
    // An address that is taken ends it before any service has begun.
    plant.listen()?;
    if !plant.set_up_topics()? {
        return Ok(());
    }
    let mut router = board::live(&mut plant, settings.orgs.clone())?;
    router = router.merge(services::intake(&mut plant, access, &settings.orgs, settings.standards.clone())?);
    router = router.merge(services::alert(&mut plant, rules, settings.orgs.clone())?);
    if args.demo {
        demo::spawn(&mut plant, &settings.orgs, args.seed)?;
    } else {
        services::spawn_aggregator(&mut plant)?;
    }
    let data = plant.config.data.display().to_string();
    plant.serve(router, |address| {
        say(&format!("the board is at http://{address}/ (data in {data}, Ctrl-C stops)"))
    })
}
