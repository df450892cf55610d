//! The simulated England of `sitrep up --demo`: a day of history at once, then live, and a department that goes wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use contract::topics::EVENTS;
use domain::event::Statement;
use domain::organisations::Organisations;
use domain::time::{Millis, Second};
use runtime::clock::Clock;
use runtime::log::{Log, LogError, NewRecord};
use runtime::shutdown::Shutdown;
use simulator::organisations::largest_major;
use simulator::{Drill, Simulation, SimulationSettings};

use crate::plant::Plant;
use crate::progress::{Progress, say, thousands};
use crate::services;

/// How much history a new demo gets.
const HISTORY_SECONDS: u32 = 86_400;
/// How long before its first start the department began to go wrong.
const DRILL_LEAD_SECONDS: u32 = 4 * 3600;
/// Events appended at once.
const BATCH: usize = 20_000;

/// Why the demo ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The log.
    #[error("the log failed")]
    Log(#[from] LogError),
    /// The note of where it stopped.
    #[error("{path} cannot be written")]
    Note {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Writes the history, starts the aggregator when it is there, and goes on live on a thread.
pub(crate) fn spawn(plant: &mut Plant, organisations: &Arc<Organisations>, seed: u64) -> Result<()> {
    let note = plant.config.file("demo");
    let now = Millis(plant.clock.now_ms()).second();
    let begun = begun(&note, now);
    let mut settings = SimulationSettings::demo(seed, begun);
    settings.drill = largest_major(organisations).map(|site| Drill {
        site: organisations.get(site).code.clone(),
        from: Second(begun.0 + HISTORY_SECONDS - DRILL_LEAD_SECONDS),
    });
    // What the log has already is not said again: the log time of its newest event is when the demo last spoke.
    let after = match newest_log_time(&*plant.log, plant.clock.now_ms())? {
        Some(last) => last,
        None => Millis(Millis::from(begun).0 - 1),
    };
    let simulation = Simulation::resume(settings, organisations, after)?;
    std::fs::write(&note, begun.0.to_string()).map_err(|source| DemoError::Note { path: note, source })?;
    let mut demo = Demo {
        simulation,
        log: plant.log.clone(),
        clock: plant.clock.clone(),
        shutdown: plant.shutdown.clone(),
        records: Vec::new(),
    };
    demo.catch_up()?;
    services::spawn_aggregator(plant)?;
    plant.spawn("demo", move || demo.live())
}

/// When this demo began: noted in its data folder, a day ago if it is new.
fn begun(note: &Path, now: Second) -> Second {
    let noted = std::fs::read_to_string(note).ok().and_then(|text| text.trim().parse().ok()).map(Second);
    noted.filter(|begun| *begun < now).unwrap_or(Second((now.0 - HISTORY_SECONDS) / 3600 * 3600))
}

/// The log time of the newest event, if there is one.
fn newest_log_time(log: &dyn Log, now_ms: i64) -> Result<Option<Millis>, LogError> {
    let ends = log.ends(EVENTS)?;
    if ends.iter().all(|end| *end == 0) {
        return Ok(None);
    }
    let last: Vec<u64> = ends.iter().map(|end| end.saturating_sub(1)).collect();
    let mut newest = None;
    let mut reader = log.reader(&[(EVENTS, last)])?;
    reader.poll(ends.len(), Duration::from_secs(1), &mut |record| {
        newest = newest.max(Some(record.timestamp_ms));
    })?;
    Ok(newest.map(|newest| Millis(newest.min(now_ms))))
}

struct Demo {
    simulation: Simulation,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    records: Vec<NewRecord>,
}

impl Demo {
    /// Everything up to now, at once.
    fn catch_up(&mut self) -> Result<(), DemoError> {
        let clock = self.clock.clone();
        let mut progress = Progress::new(&*clock, "simulated England");
        while self.say(clock.now_ms())? && !self.shutdown.is_begun() {
            let said = self.simulation.handed_out();
            progress.at(|| format!("{} events", thousands(said)));
        }
        progress.done(&format!("{} events", thousands(self.simulation.handed_out())));
        if self.simulation.handed_out() == 0 {
            say("the demo goes on where it stopped");
        }
        Ok(())
    }

    /// Goes on as time does.
    fn live(mut self) -> Result<(), DemoError> {
        while !self.shutdown.wait_timeout(Duration::from_millis(500)) {
            let now = self.clock.now_ms();
            while self.say(now)? {}
        }
        Ok(())
    }

    /// Says what is received before a time, a batch at most; whether there may be more.
    fn say(&mut self, before_ms: i64) -> Result<bool, DemoError> {
        while self.records.len() < BATCH {
            let Some(delivered) = self.simulation.next_before(Millis(before_ms)) else { break };
            let key = match &delivered.event.statement {
                Statement::Attendance(one) => one.site.as_bytes(),
                Statement::Ambulance(one) => one.service.as_bytes(),
                Statement::Beds(one) => one.site.as_bytes(),
                Statement::Standard(one) => one.org.as_bytes(),
                Statement::Escalation(one) => one.org.as_bytes(),
                Statement::Heartbeat => delivered.event.source.as_bytes(),
            };
            let mut record =
                NewRecord { key: key.to_vec(), value: Vec::new(), protobuf: true, partition: None };
            contract::write_protobuf(&delivered.event, &mut record.value);
            self.records.push(record);
        }
        let more = self.records.len() == BATCH;
        if !self.records.is_empty() {
            self.log.append(EVENTS, &self.records)?;
            self.records.clear();
        }
        Ok(more)
    }
}
