//! `sitrep refusals`: what was refused, and sending it again after a repair.
//!
//! What is sent again is judged as at the door and by the aggregator, by the present configuration. What was good before or was sent twice
//! changes nothing (the merge law), so nothing is remembered of a retry.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use contract::refusal::{Origin, Refusal};
use contract::topics::{EVENTS, REFUSALS};
use domain::event::Outcome;
use domain::time::Millis;
use intake::retry::Retry;
use runtime::clock::SystemClock;
use runtime::log::embedded::EmbeddedLog;
use runtime::log::kafka::KafkaLog;
use runtime::log::{Log, NewRecord};
use runtime::seal::Identity;

use crate::cli::{RefusalsArgs, RefusalsCommand, RefusalsRetryArgs, RefusalsShowArgs};
use crate::progress::say;
use crate::replay::instant;
use crate::{config, usage};

/// Records that are sent at a time.
const BATCH: usize = 1_000;

/// Runs one of the commands.
pub(crate) fn run(command: &RefusalsCommand) -> Result<()> {
    match command {
        RefusalsCommand::List(args) => list(args),
        RefusalsCommand::Show(args) => show(args),
        RefusalsCommand::Retry(args) => retry(args),
    }
}

/// Where refusals are, and which are meant.
struct Place {
    config: config::Config,
    log: Arc<dyn Log>,
    reasons: Vec<Outcome>,
    sources: Vec<String>,
    since: Millis,
    until: Millis,
}

impl Place {
    fn open(args: &RefusalsArgs) -> Result<Place> {
        let config = config::load(&args.config)?;
        let refused = || Outcome::ALL.iter().copied().filter(|outcome| outcome.is_refused());
        let reason = |text: &String| {
            refused().find(|outcome| outcome.as_str() == text).ok_or_else(|| {
                let known: Vec<&str> = refused().map(|outcome| outcome.as_str()).collect();
                usage(format!("--reason {text}: write one of {}", known.join(", ")))
            })
        };
        let reasons = args.reasons.iter().map(reason).collect::<Result<Vec<Outcome>>>()?;
        let at = |text: &Option<String>, name, default| match text {
            Some(text) => instant(text, name).map(Millis::from),
            None => Ok(Millis(default)),
        };
        let since = at(&args.since, "--since", i64::MIN)?;
        let until = at(&args.until, "--until", i64::MAX)?;
        let clock = SystemClock::shared();
        let log: Arc<dyn Log> = if args.embedded {
            let folder = config.file("log");
            if !folder.is_dir() {
                return Err(usage(format!("data: there is no log in {}", folder.display())));
            }
            Arc::new(EmbeddedLog::open(&folder, clock)?)
        } else {
            Arc::new(KafkaLog::connect(&config.kafka.client(), clock).map_err(usage)?)
        };
        let sources = args.sources.clone();
        Ok(Place { config, log, reasons, sources, since, until })
    }

    fn is_meant(&self, refusal: &Refusal) -> bool {
        (self.reasons.is_empty() || self.reasons.contains(&refusal.reason))
            && (self.sources.is_empty() || self.sources.contains(&refusal.source))
            && (self.since..self.until).contains(&refusal.at)
    }

    /// Hands every refusal that is meant to `each`, with its number.
    fn each(&self, each: &mut dyn FnMut(u64, Refusal) -> Result<()>) -> Result<()> {
        let (starts, ends) = (self.log.starts(REFUSALS)?, self.log.ends(REFUSALS)?);
        let mut left: u64 = ends.iter().zip(&starts).map(|(end, start)| end - start).sum();
        let partitions = starts.len() as u64;
        let mut reader = self.log.reader(&[(REFUSALS, starts)])?;
        while left > 0 {
            let mut read = Vec::new();
            let mut take = |record: runtime::log::RecordView<'_>| {
                // One number for partition and offset: with one partition, as we make it, it is the offset.
                let number = record.offset * partitions + u64::from(record.partition);
                read.push((number, contract::refusal::decode(record.value)));
            };
            let count = reader.poll(BATCH, Duration::from_secs(10), &mut take)?;
            if count == 0 {
                bail!("{REFUSALS} could not be read to its end");
            }
            left = left.saturating_sub(count as u64);
            for (number, refusal) in read {
                match refusal {
                    Ok(refusal) if self.is_meant(&refusal) => each(number, refusal)?,
                    Ok(_) => {}
                    Err(error) => say(&format!("{number}: not a refusal of ours: {error}")),
                }
            }
        }
        Ok(())
    }
}

fn line(number: u64, refusal: &Refusal) -> String {
    let origin = match &refusal.origin {
        Origin::Log { topic, partition, offset } => format!("{topic}/{partition}/{offset}"),
        Origin::Http => "http".to_owned(),
        Origin::Mllp => "mllp".to_owned(),
        Origin::Fhir => "fhir".to_owned(),
    };
    let source = if refusal.source.is_empty() { "?" } else { &refusal.source };
    let sealed = if refusal.sealed { " sealed" } else { "" };
    format!(
        "{number} {} {} {source} {origin} {} bytes{sealed}: {}",
        refusal.at.second(),
        refusal.reason.as_str(),
        refusal.length,
        refusal.detail
    )
}

fn list(args: &RefusalsArgs) -> Result<()> {
    let place = Place::open(args)?;
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    place.each(&mut |number, refusal| {
        *counts.entry(refusal.reason.as_str()).or_default() += 1;
        Ok(writeln!(out, "{}", line(number, &refusal))?)
    })?;
    out.flush()?;
    let total: u64 = counts.values().sum();
    let each: String = counts.iter().map(|(reason, count)| format!(", {count} {reason}")).collect();
    say(&format!("{total} refused{each}"));
    Ok(())
}

fn identity(path: Option<&std::path::Path>) -> Result<Option<Identity>> {
    path.map(|path| Identity::read(path).map_err(|error| usage(format!("--identity: {error}")))).transpose()
}

/// The refused bytes, opened where they are sealed.
fn opened(refusal: &Refusal, identity: Option<&Identity>) -> Result<Vec<u8>, String> {
    match (refusal.sealed, identity) {
        (false, _) => Ok(refusal.bytes.clone()),
        (true, None) => Err("sealed: --identity FILE opens it".to_owned()),
        (true, Some(identity)) => identity.open(&refusal.bytes).map_err(|error| error.to_string()),
    }
}

fn show(args: &RefusalsShowArgs) -> Result<()> {
    let identity = identity(args.identity.as_deref())?;
    let place = Place::open(&args.which)?;
    let mut found = None;
    place.each(&mut |number, refusal| {
        if number == args.number {
            found = Some(refusal);
        }
        Ok(())
    })?;
    let refusal = found.ok_or_else(|| usage(format!("{}: there is no such refusal", args.number)))?;
    say(&line(args.number, &refusal));
    let bytes = opened(&refusal, identity.as_ref()).map_err(usage)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&bytes)?;
    Ok(out.flush()?)
}

fn retry(args: &RefusalsRetryArgs) -> Result<()> {
    let identity = identity(args.identity.as_deref())?;
    let place = Place::open(&args.which)?;
    let config = &place.config;
    let (organisations, _) = config::organisations(&config.organisations)?;
    let pseudonyms = crate::services::pseudonyms(config)?;
    crate::services::key_of_log(&*place.log, &pseudonyms, config)?;
    let standards = config.tables(&organisations, &config.windows()?)?.standards;
    let (required, horizon) = (config.pseudonyms.required, config.horizon_minutes()?);
    let clock = SystemClock::shared();
    let feeds = crate::feeds::all(config, &organisations)?;
    let retry = Retry::new((*organisations).clone(), standards, pseudonyms, required, horizon, feeds);
    // A refusal for want of a right is let in only where that is asked for by name.
    let lets_in = place.reasons.contains(&Outcome::NotAllowed);
    let mut sending =
        Sending { log: place.log.clone(), dry: args.dry_run, events: Vec::new(), returns: Vec::new() };
    let (mut good, mut bad, mut records) = (0_u64, 0_u64, 0_u64);
    place.each(&mut |number, refusal| {
        let judged = if refusal.reason == Outcome::NotAllowed && !lets_in {
            Err("not_allowed: give --reason not_allowed to let it in".to_owned())
        } else {
            opened(&refusal, identity.as_ref()).and_then(|bytes| {
                let judged = retry.judge(&refusal, &bytes, Millis(clock.now_ms()));
                judged.map_err(|(outcome, detail)| format!("{}: {detail}", outcome.as_str()))
            })
        };
        match judged {
            Ok(new) => {
                good += 1;
                records += new.len() as u64;
                sending.add(new)?;
            }
            Err(why) => {
                bad += 1;
                say(&format!("{number} is still refused: {why}"));
            }
        }
        Ok(())
    })?;
    sending.send()?;
    let what = if args.dry_run { "would be sent" } else { "sent" };
    say(&format!("{good} refusals are good now: {records} events {what}; {bad} are still refused"));
    Ok(())
}

/// Records on their way to the log.
struct Sending {
    log: Arc<dyn Log>,
    dry: bool,
    events: Vec<NewRecord>,
    returns: Vec<NewRecord>,
}

impl Sending {
    fn add(&mut self, records: intake::Records) -> Result<()> {
        for (topic, record) in records {
            if topic == EVENTS { self.events.push(record) } else { self.returns.push(record) }
        }
        if self.events.len() + self.returns.len() >= BATCH { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<()> {
        let (events, returns) = (std::mem::take(&mut self.events), std::mem::take(&mut self.returns));
        if self.dry {
            return Ok(());
        }
        let failed = "the log did not take it: run it again, what was sent twice changes nothing";
        self.log.append(EVENTS, &events).context(failed)?;
        self.log.append(contract::topics::RETURNS, &returns).context(failed)?;
        Ok(())
    }
}
