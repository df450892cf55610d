//! `sitrep import`: published monthly tables as events that reproduce them, or as returns.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use domain::event::Event;
use domain::organisations::{Organisations, Row};
use domain::time::Second;
use runtime::clock::SystemClock;
use simulator::import::{self, Month, Published, Silent};

use crate::cli::{ImportArgs, ImportKind};
use crate::progress::{Progress, say, thousands};
use crate::replay::instant;
use crate::simulate::output;
use crate::{config, usage};

/// Reads the tables, writes the events, reports what was left out.
pub(crate) fn run(args: &ImportArgs) -> Result<()> {
    let recorded_at = recorded_at(args)?;
    let mut tables = read(args)?;
    let months = months(args, &tables)?;
    let mut silent = import::silent(&tables);
    silent.retain(|one| months.contains(&one.month));
    tables.iter_mut().for_each(|table| table.select(&months));
    if let Some(recorded_at) = recorded_at
        && let Some(month) = tables.iter().flat_map(Published::months).max()
        && recorded_at < month.end().start()
    {
        return Err(usage(format!("--recorded-at {recorded_at}: {month} was not over then")));
    }
    let places = places(args, &tables)?;
    match args.kind {
        ImportKind::Attendances => attendances(args, tables, &places, silent),
        ImportKind::Returns => returns(args, &tables, &places, &silent, recorded_at),
    }
}

fn recorded_at(args: &ImportArgs) -> Result<Option<Second>> {
    match (&args.recorded_at, args.kind) {
        (None, _) => Ok(None),
        (Some(text), ImportKind::Returns) => instant(text, "--recorded-at").map(Some),
        (Some(_), ImportKind::Attendances) => {
            Err(usage("--recorded-at is for --as returns: an attendance is recorded when it ends"))
        }
    }
}

/// Every table whole; none may have what another has.
fn read(args: &ImportArgs) -> Result<Vec<Published>> {
    let mut tables = Vec::new();
    for path in &args.files {
        let bytes = config::read(path)?;
        let wrong = |error| usage(format!("{}: {error}", path.display()));
        let table = Published::read(&bytes).map_err(wrong)?;
        if let (Published::Figures(sheet), ImportKind::Attendances) = (&table, args.kind) {
            let form = sheet.form.as_str();
            return Err(usage(format!(
                "{}: a table of form {form} holds no attendances; it can be imported with --as returns",
                path.display()
            )));
        }
        tables.push(table);
    }
    if let Some((first, second, code, month)) = import::overlap(&tables) {
        return Err(usage(format!(
            "{}: {code} has {month} in {} too; leave one of the two out",
            args.files[second].display(),
            args.files[first].display()
        )));
    }
    Ok(tables)
}

/// The months that are asked for, or all.
fn months(args: &ImportArgs, tables: &[Published]) -> Result<Vec<Month>> {
    let mut held: Vec<Month> = tables.iter().flat_map(Published::months).collect();
    held.sort_unstable();
    held.dedup();
    if args.month.is_empty() {
        return Ok(held);
    }
    let asked = |text: &String| {
        let month = Month::parse(text)
            .ok_or_else(|| usage(format!("--month {text}: write a month such as 2017-10")))?;
        if held.contains(&month) {
            return Ok(month);
        }
        let of = |month: Option<&Month>| month.map_or_else(String::new, Month::to_string);
        Err(usage(format!(
            "--month {month}: no table holds it; they hold {} to {}",
            of(held.first()),
            of(held.last())
        )))
    };
    args.month.iter().map(asked).collect()
}

/// Who is known; with `--organisations-out` whoever is named.
fn places(args: &ImportArgs, tables: &[Published]) -> Result<Arc<Organisations>> {
    let Some(path) = &args.organisations_out else {
        let path = args.organisations.as_deref().unwrap_or(Path::new(""));
        return Ok(config::organisations(path)?.0);
    };
    let rows = import::organisations(tables);
    let mut file = csv::Writer::from_writer(output(Some(path))?);
    file.write_record(["code", "name", "level", "parent", "department_type"])?;
    for Row { code, name, level, parent, department_type } in &rows {
        file.write_record([code, name, level, parent, department_type])?;
    }
    file.flush().context("the organisations cannot be written")?;
    let places = Organisations::new(&rows);
    places.map(Arc::new).map_err(|error| usage(format!("the places of the tables: {error}")))
}

fn attendances(
    args: &ImportArgs,
    tables: Vec<Published>,
    places: &Organisations,
    silent: Vec<Silent>,
) -> Result<()> {
    let (mut known, mut left_out) = (Vec::new(), Vec::new());
    for table in tables {
        // Tables of figures were refused when they were read.
        let Published::Attendances(mut table) = table else { continue };
        left_out.extend(table.retain_known(places));
        known.push(table);
    }
    let clock = SystemClock::new();
    let mut events = Events::new(args, &clock)?;
    for table in &known {
        table.events(args.seed, &mut |event| events.take(&event));
        events.check()?;
    }
    events.done()?;
    say(import::report(&known, silent).to_string().trim_end());
    told(&import::left_out("attendances", &left_out));
    Ok(())
}

fn returns(
    args: &ImportArgs,
    tables: &[Published],
    places: &Organisations,
    silent: &[Silent],
    recorded_at: Option<Second>,
) -> Result<()> {
    let clock = SystemClock::new();
    let mut events = Events::new(args, &clock)?;
    let mut report = String::new();
    for table in tables {
        let mut returns = table.returns();
        let left_out = returns.retain_known(places);
        for one in &returns.stated {
            events.take(&one.event(table.form(), recorded_at));
        }
        events.check()?;
        report += &import::returns_report(table.form(), &table.months(), &returns);
        report += &import::left_out("returns", &left_out);
    }
    events.done()?;
    told(&report);
    silent.iter().for_each(|one| say(&one.to_string()));
    say(import::LICENCE);
    Ok(())
}

fn told(text: &str) {
    if !text.is_empty() {
        say(text.trim_end());
    }
}

/// Where the events go, one JSON object a line.
struct Events<'a> {
    out: Box<dyn Write>,
    line: Vec<u8>,
    count: u64,
    failed: Option<std::io::Error>,
    progress: Progress<'a>,
}

impl<'a> Events<'a> {
    fn new(args: &ImportArgs, clock: &'a SystemClock) -> Result<Events<'a>> {
        let out = output(args.out.as_deref())?;
        let progress = Progress::new(clock, "import");
        Ok(Events { out, line: Vec::new(), count: 0, failed: None, progress })
    }

    /// Writes one; after the first that cannot be written none.
    fn take(&mut self, event: &Event<'_>) {
        if self.failed.is_some() {
            return;
        }
        self.line.clear();
        contract::write_json(event, &mut self.line);
        self.line.push(b'\n');
        self.failed = self.out.write_all(&self.line).err();
        self.count += 1;
        let count = self.count;
        self.progress.at(|| format!("{} events", thousands(count)));
    }

    fn check(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), |error| Err(error).context("the events cannot be written"))
    }

    fn done(mut self) -> Result<()> {
        self.out.flush().context("the events cannot be written")?;
        self.progress.done(&format!("{} events", thousands(self.count)));
        Ok(())
    }
}
