//! What an attendance takes. The events come through a pipe from another process, so that nothing but the ledger (and,
//! if asked for, the figures) grows in this one.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use contract::{Hashed, parse_json, write_json};
use domain::engine::{Engine, HORIZON_MINUTES, Settings};
use domain::event::DepartmentType;
use domain::freshness::Patience;
use domain::measures::Window;
use domain::organisations::Organisations;
use domain::replay::Replay;
use domain::standard::Standards;
use domain::time::{DAY, Millis, Second};
use simulator::settings::BedStates;
use simulator::{Simulation, SimulationSettings};

use crate::Outcome;
use crate::parse::each_line;
use crate::process::resident_bytes;

/// 2026-10-01T00:00:00Z.
pub(crate) const FROM: Second = Second(1_790_812_800);
/// Older org-minutes that are written every hour: all that wait. (The aggregator writes them within seconds.)
const BUDGET: u64 = 1_000_000;

fn england() -> Result<Arc<Organisations>, contract::organisations::ReadError> {
    let bytes = include_bytes!("../../../config/organisations.csv");
    contract::organisations::read_csv(bytes).map(Arc::new)
}

/// England at its real size, types 1 to 3; but for `everything` ten statements an attendance.
pub(crate) fn events(kind: &str, days: &str) -> Outcome {
    let days: u32 = days.parse()?;
    let mut settings = SimulationSettings::new(1, FROM, Second(FROM.0 + days * DAY * 60));
    settings.types = vec![DepartmentType::Major, DepartmentType::SingleSpecialty, DepartmentType::Other];
    if kind != "everything" {
        settings.statements = Some(10);
        settings.beds = BedStates::None;
        settings.calls = false;
        settings.ambulances = match kind {
            "plain" => false,
            "journeys" => true,
            _ => return Err("plain, journeys or everything".into()),
        };
    }
    let mut simulation = Simulation::new(settings, &*england()?)?;
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    let mut line = Vec::new();
    while let Some(delivered) = simulation.next_event() {
        line.clear();
        write_json(&delivered.event, &mut line);
        line.push(b'\n');
        out.write_all(&line)?;
    }
    out.flush()?;
    Ok(())
}

pub(crate) fn settings() -> Result<Settings, Box<dyn std::error::Error>> {
    let windows = ["1h", "4h", "8h", "24h", "today", "7d"];
    Ok(Settings {
        orgs: england()?,
        standards: Standards::default(),
        frameworks: Default::default(),
        windows: windows.iter().filter_map(|name| Window::parse(name)).collect(),
        exclude_disposals: Vec::new(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
    })
}

/// Takes what comes by standard input and prints the growth an attendance.
///
/// `ledger`: as `replay` does, the ledger alone. `engine`: the ledger, and at the end the figures made of it. `live`: as
/// the aggregator does, the figures kept with every event and everything published, minute by minute.
pub(crate) fn run(what: &str) -> Outcome {
    match what {
        "ledger" => {
            let mut replay = Replay::new(settings()?);
            measure(
                &mut replay,
                |replay, line| {
                    replay.take(&parse_json(line, &Hashed).map_err(|refused| refused.detail)?);
                    Ok(())
                },
                |_, _| {},
                |replay| (replay.ledger().attendances(), replay.ledger().journeys()),
            )
        }
        "engine" => {
            let mut engine = Engine::new(settings()?, 1);
            let counts = |engine: &Engine| (engine.ledger().attendances(), engine.ledger().journeys());
            measure(
                &mut engine,
                |engine, line| {
                    let event = parse_json(line, &Hashed).map_err(|refused| refused.detail)?;
                    engine.take(&event, event.recorded_at);
                    Ok(())
                },
                |engine, now| {
                    engine.begin(now);
                    engine.save(&mut |_| ());
                },
                counts,
            )
        }
        "live" => {
            let mut engine = Engine::new(settings()?, 1);
            engine.begin(Millis::from(FROM));
            let counts = |engine: &Engine| (engine.ledger().attendances(), engine.ledger().journeys());
            let mut now = Millis::from(FROM);
            measure(
                &mut engine,
                |engine, line| {
                    let event = parse_json(line, &Hashed).map_err(|refused| refused.detail)?;
                    now = now.max(event.recorded_at);
                    if engine.tick(now) {
                        engine.publish_newest(&mut drop);
                        if now.closed_minute().0.is_multiple_of(60) {
                            engine.publish_older(BUDGET, &mut drop);
                        }
                        engine.save(&mut |_| ());
                    }
                    engine.take(&event, now);
                    Ok(())
                },
                |_, _| {},
                counts,
            )
        }
        _ => Err("ledger, engine or live".into()),
    }
}

fn measure<T>(
    held: &mut T,
    mut take: impl FnMut(&mut T, &[u8]) -> Outcome,
    finish: impl FnOnce(&mut T, Millis),
    counts: impl Fn(&T) -> (usize, usize),
) -> Outcome {
    let (mut before, mut events) = (0, 0u64);
    each_line(&mut std::io::stdin().lock(), &mut |line| {
        if events == 0 {
            before = resident_bytes(); // with the buffers of reading in place
        }
        events += 1;
        take(held, line)
    })?;
    finish(held, Millis::from(Second(FROM.0 + HORIZON_MINUTES * 60)));
    let grown = resident_bytes().saturating_sub(before);
    let (attendances, journeys) = counts(held);
    println!(
        "memory events={events} attendances={attendances} journeys={journeys} grown={grown} per_attendance={:.0}",
        grown as f64 / attendances.max(1) as f64
    );
    Ok(())
}
