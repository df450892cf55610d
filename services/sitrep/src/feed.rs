//! `sitrep feed`: what a feed makes of messages, and loading CSV extracts.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use contract::topics::EVENTS;
use domain::organisations::Organisations;
use intake::extract::{Row, read_rows};
use intake::feed::Feed;
use intake::hl7::adt::Surroundings;
use intake::pseudonym::Pseudonyms;
use intake::trial::try_messages;
use runtime::clock::SystemClock;
use runtime::log::embedded::EmbeddedLog;
use runtime::log::kafka::KafkaLog;
use runtime::log::{Log, LogError, NewRecord};

use crate::cli::{FeedArgs, FeedCommand, FeedFile, FeedLoadArgs};
use crate::config::Config;
use crate::progress::{Progress, say, thousands};
use crate::simulate::output;
use crate::{config, feeds, services, topics, usage};

/// Rows that are told one by one.
const TOLD: u64 = 20;
/// Records that go to the log together.
const BATCH: usize = 2_000;

/// What a translation needs.
struct World {
    config: Config,
    organisations: Arc<Organisations>,
    feed: Feed,
    pseudonyms: Pseudonyms,
}

/// Runs `feed test` or `feed load`.
pub(crate) fn run(args: &FeedArgs) -> Result<()> {
    match &args.command {
        FeedCommand::Test(args) => test(args),
        FeedCommand::Load(args) => load(args),
    }
}

fn world(args: &FeedFile) -> Result<World> {
    let config = config::load(&args.config)?;
    let (organisations, _) = config.places()?;
    let feed = feeds::read(&feed_file(&args.feed, &config), &organisations)?;
    let pseudonyms = services::door(&config)?.pseudonyms;
    Ok(World { config, organisations, feed, pseudonyms })
}

/// A file, or the name of a feed in the folder of feeds.
fn feed_file(name: &Path, config: &Config) -> PathBuf {
    let in_folder = config.intake.feeds.join(name).with_extension("toml");
    if !name.exists() && in_folder.exists() { in_folder } else { name.to_owned() }
}

fn input(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file =
        File::open(path).map_err(|error| usage(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Box::new(file))
}

/// Message by message what it becomes, and why something is left out.
fn test(args: &FeedFile) -> Result<()> {
    let world = world(args)?;
    let mut file = Vec::new();
    input(&args.file)?.read_to_end(&mut file).context("the messages cannot be read")?;
    let around = Surroundings {
        feed: &world.feed,
        organisations: &world.organisations,
        references: &world.pseudonyms,
        received: None,
    };
    let (mut out, mut failed) = (std::io::stdout().lock(), None);
    let totals = try_messages(&file, around, &mut |line| {
        if failed.is_none() {
            failed = writeln!(out, "{line}").err();
        }
    });
    if let Some(error) = failed {
        return Err(error).context("what the messages become cannot be written");
    }
    say(&format!(
        "{} messages: {} taken as {} events, {} refused",
        thousands(totals.messages),
        thousands(totals.taken),
        thousands(totals.events),
        thousands(totals.refused)
    ));
    if totals.messages == 0 {
        return Err(anyhow!("there is no HL7 v2 message in the file: none of its lines begins with MSH"));
    }
    Ok(())
}

/// Where the events of an extract go.
enum Destination {
    File(Box<dyn Write>),
    Log(Arc<dyn Log>, Vec<NewRecord>),
}

impl Destination {
    fn of(args: &FeedLoadArgs, world: &World) -> Result<Destination> {
        let config = &world.config;
        if let Some(path) = &args.out {
            return Ok(Destination::File(output(Some(path))?));
        }
        let clock = SystemClock::shared();
        let log: Arc<dyn Log> =
            if args.embedded {
                let folder = config.file("log");
                Arc::new(EmbeddedLog::open(&folder, clock).with_context(|| {
                    format!("the log of sitrep up in {} (stop it first)", folder.display())
                })?)
            } else {
                Arc::new(KafkaLog::connect(&config.kafka.client(), clock).map_err(usage)?)
            };
        let horizon_days = (config.ledger.horizon.as_ms() / 86_400_000).max(1) as u64;
        log.set_up(
            &topics::all(config.kafka.partitions, horizon_days),
            args.embedded || config.kafka.client().create_topics,
        )?;
        services::key_of_log(&*log, &world.pseudonyms, config)?;
        Ok(Destination::Log(log, Vec::with_capacity(BATCH)))
    }

    fn take(&mut self, event: &domain::event::Event<'_>) -> Result<()> {
        match self {
            Destination::File(out) => {
                let mut line = Vec::new();
                contract::write_json(event, &mut line);
                line.push(b'\n');
                out.write_all(&line).context("the events cannot be written")
            }
            Destination::Log(_, batch) => {
                batch.push(intake::record_of(event).1);
                if batch.len() >= BATCH { self.finish() } else { Ok(()) }
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        match self {
            Destination::File(out) => out.flush().context("the events cannot be written"),
            Destination::Log(log, batch) => {
                let records = std::mem::take(batch);
                match log.append(EVENTS, &records) {
                    Ok(_) => Ok(()),
                    Err(error @ LogError::Full) => {
                        Err(error).context("load the file again: rows that were taken change nothing")
                    }
                    Err(error) => Err(error).context("some rows may have been taken; load the file again"),
                }
            }
        }
    }
}

/// Every row of an extract.
fn load(args: &FeedLoadArgs) -> Result<()> {
    let world = world(&args.feed)?;
    let input = input(&args.feed.file)?;
    let mut destination = Destination::of(args, &world)?;
    let around = Surroundings {
        feed: &world.feed,
        organisations: &world.organisations,
        references: &world.pseudonyms,
        received: None,
    };
    let clock = SystemClock::new();
    let mut progress = Progress::new(&clock, "rows");
    let (mut taken, mut refused, mut left_out, mut failed) = (0u64, 0u64, 0u64, None);
    let mut each = |row: Row<'_>| {
        match &row.event {
            Ok(event) if failed.is_none() => {
                failed = destination.take(event).err();
                taken += 1;
            }
            Ok(_) => {}
            Err(why) => {
                refused += 1;
                if refused <= TOLD {
                    say(&format!("line {}: {why}", row.line));
                }
            }
        }
        for why in row.left_out {
            left_out += 1;
            if left_out <= TOLD {
                say(&format!("line {}: left out: {why}", row.line));
            }
        }
        progress.at(|| format!("{} taken, {} refused", thousands(taken), thousands(refused)));
    };
    let rows = read_rows(input, around, &mut each).map_err(crate::fault)?;
    if let Some(error) = failed {
        return Err(error);
    }
    destination.finish()?;
    for (what, count) in [("refused rows", refused), ("things left out", left_out)] {
        if count > TOLD {
            say(&format!("… and {} more {what}", thousands(count - TOLD)));
        }
    }
    progress.done(&format!(
        "{} read: {} taken, {} refused",
        thousands(rows),
        thousands(taken),
        thousands(refused)
    ));
    if rows == 0 {
        say("the file has a header and no row: nothing was loaded");
    }
    if taken == 0 && refused > 0 {
        return Err(anyhow!("no row could be taken"));
    }
    Ok(())
}
