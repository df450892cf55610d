//! `sitrep replay`: the same engine over a file.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::mem::ManuallyDrop;
use std::path::Path;

use aggregator::replay::{ReadReport, read_events};
use anyhow::{Context, Result, bail};
use board::history::Published;
use board::store::{Options, Store};
use domain::event::Outcome;
use domain::ids::OrgId;
use domain::measures::{Freshness, OrgMinute, Revision, Window};
use domain::organisations::{Level, Organisations};
use domain::replay::Replay;
use domain::sweep::Scope;
use domain::time::{Minute, Second, rfc3339};
use runtime::clock::SystemClock;
use simulator::import::Form;

use crate::cli::{PointsArgs, ReplayArgs};
use crate::progress::{Progress, say, thousands};
use crate::{config, usage};

/// Refused lines that are told one by one.
const TOLD: u64 = 10;
/// Org-minutes in one transaction of the store.
const BATCH: usize = 20_000;

/// Reads the events, makes the points.
pub(crate) fn run(args: &ReplayArgs) -> Result<()> {
    let mut config = config::load(&args.config)?;
    for (given, key) in [
        (&args.organisations, &mut config.organisations),
        (&args.areas, &mut config.areas),
        (&args.groups, &mut config.groups),
    ] {
        if let Some(path) = given {
            key.clone_from(path);
        }
    }
    let (from, until) = (instant(&args.from, "--from")?, instant(&args.until, "--until")?);
    if until < from {
        return Err(usage("--until is before --from"));
    }
    let step = step_minutes(&args.points.step)?;
    let (settings, _) = config.engine()?;
    let orgs = settings.orgs.clone();
    let scope = scope(&orgs, &args.points, &settings.windows)?;
    let clock = SystemClock::new();
    // It ends with the process: giving its memory back record by record would take a third of a second.
    let mut replay = ManuallyDrop::new(Replay::new(settings));
    // Before everything is read: what cannot be written is said at once.
    let out = args.out.as_deref().filter(|path| *path != Path::new("-")).map(begin).transpose()?;
    let report = read(&args.events, args.threads, &mut replay, &clock)?;
    let mut progress = Progress::new(&clock, "figures");
    let mut done = |minute: Minute| progress.at(|| format!("at {minute}"));
    let points = match (&args.store, out) {
        (Some(dir), _) => fill(&replay, &orgs, scope, (from, until, step), dir, &mut done)?,
        (None, Some(file)) => {
            file.set_len(0).context("the points cannot be written")?;
            write(&replay, &orgs, scope, (from, until, step), file, &mut done)?
        }
        (None, None) if args.count => {
            let mut points = 0u64;
            replay.points(scope, from, until, step, &mut |_, _, _| points += 1, &mut done);
            points
        }
        (None, None) => {
            write(&replay, &orgs, scope, (from, until, step), std::io::stdout().lock(), &mut done)?
        }
    };
    progress.done(&format!("{} points", thousands(points)));
    if report.read == 0 {
        say("there was no event in the file");
    }
    Ok(())
}

/// Opens what the points will be written to; what is in it stays until then, since it may be what is read.
fn begin(path: &Path) -> Result<File> {
    let file = File::options().write(true).create(true).truncate(false).open(path);
    file.with_context(|| format!("{} cannot be made", path.display()))
}

/// Reads the events and says what became of them.
fn read(path: &Path, threads: usize, replay: &mut Replay, clock: &SystemClock) -> Result<ReadReport> {
    let mut input: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(
            File::open(path).map_err(|error| usage(format!("{} cannot be read: {error}", path.display())))?,
        )
    };
    let mut progress = Progress::new(clock, "events");
    let mut told = 0;
    let report = read_events(
        &mut *input,
        threads,
        replay,
        &mut |line| {
            told += 1;
            if told <= TOLD {
                say(&format!("line {}: {}: {}", line.line, line.outcome.as_str(), line.detail));
            }
        },
        &mut |bytes| progress.at(|| format!("{} MiB read", thousands(bytes >> 20))),
    )
    .context("the events cannot be read")?;
    if told > TOLD {
        say(&format!("… and {} more refused lines", thousands(told - TOLD)));
    }
    let ledger = replay.ledger();
    let mut refused = String::new();
    for outcome in Outcome::ALL.iter().filter(|outcome| outcome.is_refused() && report.of(**outcome) > 0) {
        refused.push_str(&format!(", {} {}", thousands(report.of(*outcome)), outcome.as_str()));
    }
    progress.done(&format!(
        "{} read: {} accepted, {} duplicate, {} refused{refused}; {} attendances, {} journeys",
        thousands(report.read),
        thousands(report.of(Outcome::Accepted)),
        thousands(report.of(Outcome::Duplicate)),
        thousands(report.refused()),
        thousands(ledger.attendances() as u64),
        thousands(ledger.journeys() as u64),
    ));
    Ok(report)
}

type Range = (Second, Second, u32);

/// Line protocol; a failed write ends it.
fn write(
    replay: &Replay,
    orgs: &Organisations,
    scope: Scope,
    (from, until, step): Range,
    out: impl Write,
    done: &mut impl FnMut(Minute),
) -> Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let (mut line, mut points, mut failed) = (Vec::new(), 0u64, None);
    replay.points(
        scope,
        from,
        until,
        step,
        &mut |org, minute, series| {
            let organisation = orgs.get(org);
            line.clear();
            recorder::line::write_series(organisation.level, &organisation.code, minute, series, &mut line);
            if failed.is_none() {
                failed = out.write_all(&line).err();
            }
            points += 1;
        },
        done,
    );
    match failed {
        Some(error) => Err(error).context("the points cannot be written"),
        None => out.flush().map(|()| points).context("the points cannot be written"),
    }
}

/// Fills a store for the board.
fn fill(
    replay: &Replay,
    orgs: &Organisations,
    scope: Scope,
    (from, until, step): Range,
    dir: &Path,
    done: &mut impl FnMut(Minute),
) -> Result<u64> {
    let mut store = Store::open(dir, Options::bulk())?;
    if store.newest_minute().is_some() {
        bail!("{} holds figures already; choose a folder of its own", dir.display());
    }
    store.save_organisations(orgs)?;
    for source in replay.ledger().sources() {
        if let Some(published) = published(source) {
            store.save_published(published)?;
        }
    }
    let (mut batch, mut points, mut failed) = (Vec::<OrgMinute>::new(), 0u64, None);
    let mut last: Option<OrgId> = None;
    replay.points(
        scope,
        from,
        until,
        step,
        &mut |org, minute, series| {
            points += 1;
            match batch.last_mut().filter(|one| last == Some(org) && one.minute == minute) {
                Some(one) => one.series.push(*series),
                None => {
                    if batch.len() >= BATCH && failed.is_none() {
                        failed = store.apply(&batch).err();
                        batch.clear();
                    }
                    let organisation = orgs.get(org);
                    batch.push(OrgMinute {
                        level: organisation.level,
                        org: organisation.code.clone(),
                        minute,
                        revision: Revision { epoch: 0, n: 1 },
                        freshness: Freshness::default(),
                        restated: false,
                        series: vec![*series],
                    });
                    last = Some(org);
                }
            }
        },
        done,
    );
    if let Some(error) = failed {
        return Err(error).context("the store cannot be filled");
    }
    store.apply(&batch)?;
    store.finish()?;
    Ok(points)
}

/// Whether a source is an import of published tables, and as what (see `sitrep import`).
fn published(source: &str) -> Option<Published> {
    let (who, form) = source.rsplit_once('.')?;
    let is_form = [Form::Msitae, Form::Monthly].iter().any(|known| known.as_str() == form);
    match who {
        "nhs-england" => Some(Published::Returns),
        _ => is_form.then_some(Published::Attendances),
    }
}

/// An instant of the command line.
pub(crate) fn instant(text: &str, name: &str) -> Result<Second> {
    rfc3339(text.as_bytes()).map(|millis| millis.second()).ok_or_else(|| {
        usage(format!("{name} {text}: write an instant with its offset, such as 2025-10-01T00:00:00Z"))
    })
}

/// `--step` in minutes.
pub(crate) fn step_minutes(text: &str) -> Result<u32> {
    let wrong = || usage(format!("--step {text}: write minutes that divide 24 h, such as 1m, 15m or 1h"));
    let duration: runtime::config::Duration = text.parse().map_err(|_| wrong())?;
    let minutes = u32::try_from(duration.as_ms() / 60_000).unwrap_or(u32::MAX);
    let fits = minutes > 0 && 1_440u32.is_multiple_of(minutes) && duration.as_ms() % 60_000 == 0;
    if fits { Ok(minutes) } else { Err(wrong()) }
}

/// What `--only`, `--levels` and `--windows` leave; without them everything.
pub(crate) fn scope(orgs: &Organisations, args: &PointsArgs, windows: &[Window]) -> Result<Scope> {
    let mut measures = Vec::new();
    for name in &args.only {
        measures.push(Replay::measures().find(|one| one.as_str() == name).ok_or_else(|| {
            let all: Vec<&str> = Replay::measures().map(|measure| measure.as_str()).collect();
            usage(format!("--only {name}: a replay makes no such measure; it makes {}", all.join(", ")))
        })?);
    }
    let mut levels = Vec::new();
    for name in &args.levels {
        levels.push(Level::parse(name).ok_or_else(|| {
            let all: Vec<&str> = Level::ALL.iter().map(|level| level.as_str()).collect();
            usage(format!("--levels {name}: no such level; there are {}", all.join(", ")))
        })?);
    }
    Ok(Scope {
        orgs: orgs.iter().map(|(_, org)| levels.is_empty() || levels.contains(&org.level)).collect(),
        measures: if measures.is_empty() { Replay::measures().collect() } else { measures },
        windows: if args.windows.is_empty() {
            windows.to_vec()
        } else {
            config::windows(&args.windows, "--windows")?
        },
    })
}
