//! `sitrep check`: parses everything, says what would run, binds nothing.

use std::fmt::Write as _;

use anyhow::Result;
use domain::measures::MEASURES;
use domain::organisations::Level;

use crate::cli::ConfigArgs;
use crate::{config, tables, usage};

/// Prints what would run.
pub(crate) fn run(args: &ConfigArgs) -> Result<()> {
    let config = config::load(args)?;
    let (settings, hash) = config.engine()?;
    let rules = config.rules(&settings.orgs, None)?;
    runtime::telemetry::check(&config.log).map_err(|error| usage(format!("log: {error}")))?;
    let influx = &config.influx;
    recorder::influx::Influx::new(&recorder::influx::Settings::new(
        &influx.url,
        &influx.org,
        &influx.bucket,
        "",
    ))
    .map_err(|error| usage(format!("influx.url: {error}")))?;
    crate::services::door(&config)?;
    config.kafka.client().check().map_err(usage)?;
    let feeds = crate::feeds::all(&config, &settings.orgs)?;
    let listeners = crate::feeds::listeners(&config, &settings.orgs)?;
    let mut text = String::new();
    let count = |level| settings.orgs.iter().filter(|(_, org)| org.level == level).count();
    let levels: Vec<String> =
        Level::ALL.iter().rev().map(|level| format!("{} {}", count(*level), level.as_str())).collect();
    writeln!(text, "organisations   {}: {}", settings.orgs.len(), levels.join(", "))?;
    for (id, group) in settings.orgs.iter().filter(|(_, org)| org.level == Level::Group) {
        let (members, sites) = (settings.orgs.members(id).len(), settings.orgs.sites_below(id).len());
        writeln!(text, "group           {}: {}: {members} members, {sites} sites", group.code, group.name)?;
    }
    let areas: Vec<usize> = settings.orgs.iter().map(|(id, _)| settings.orgs.areas(id).len()).collect();
    let divided = areas.iter().filter(|areas| **areas > 0).count();
    writeln!(text, "areas           {} of {divided} sites", areas.iter().sum::<usize>())?;
    let windows: Vec<String> = settings.windows.iter().map(ToString::to_string).collect();
    writeln!(text, "windows         {}", windows.join(", "))?;
    for definition in &MEASURES {
        let (name, fields) = (definition.name, definition.field_names());
        writeln!(text, "measure         {name}: {fields}: {}", definition.defined)?;
    }
    for standard in &settings.standards.standards {
        writeln!(text, "standard        {}", tables::describe(standard))?;
    }
    writeln!(text, "scales          {}", settings.standards.scales.join(", "))?;
    let beside = config.tables(&settings.orgs, &settings.windows)?;
    for line in beside.targets.targets.iter().flat_map(tables::target_steps) {
        writeln!(text, "target          {line}")?;
    }
    for line in settings.frameworks.iter().flat_map(tables::framework_lines) {
        writeln!(text, "framework       {line}")?;
    }
    for (id, _) in tables::FRAMEWORKS {
        if settings.frameworks.iter().all(|framework| framework.id != id) {
            writeln!(text, "framework       {id}: not computed (opel in default.toml does not name it)")?;
        }
    }
    for rule in &rules.rules {
        writeln!(text, "rule            {}", rule.id)?;
    }
    writeln!(text, "channels        {}", rules.channels.keys().cloned().collect::<Vec<_>>().join(", "))?;
    let hours = config.ledger.horizon.as_ms() / 3_600_000;
    let horizon = if hours % 24 == 0 { format!("{} days", hours / 24) } else { format!("{hours} h") };
    let kept = config.events_kept_days();
    writeln!(text, "horizon         {horizon}; the events topic must reach back {kept} days")?;
    writeln!(text, "data            {}", config.data.display())?;
    let access = crate::services::access(&config, &settings.orgs, &prometheus::Registry::new())?;
    let tls = if config.tls()?.is_some() { "TLS" } else { "plain" };
    writeln!(text, "http            {}, {tls}; {}", config.http.listen, access.describe())?;
    for feed in &feeds {
        writeln!(text, "feed            {}: source {}", feed.name, feed.source)?;
    }
    for listener in &listeners {
        let tls = if listener.tls.is_some() { "TLS" } else { "plain" };
        writeln!(text, "mllp            {}, {tls}: feed {}", listener.listen, listener.feed.name)?;
    }
    writeln!(
        text,
        "pseudonyms      required {}; key {}",
        config.pseudonyms.required,
        held(config.pseudonyms.key.0.is_some())
    )?;
    let sealed = if config.refusals.sealer()?.is_some() { "sealed" } else { "kept as they came" };
    let alarm = config.refusals.alarm()?;
    writeln!(text, "refusals        {sealed}; alarm above {} of at least {}", alarm.share, alarm.at_least)?;
    writeln!(
        text,
        "store           {} at {}, bucket {}; token {}",
        if influx.victoriametrics { "VictoriaMetrics" } else { "InfluxDB 2" },
        influx.url,
        influx.bucket,
        held(influx.token.0.is_some())
    )?;
    writeln!(text, "configuration   {hash:016x}")?;
    print(&text);
    Ok(())
}

fn held(is: bool) -> &'static str {
    if is { "set" } else { "not set" }
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn print(text: &str) {
    print!("{text}");
}
