//! `sitrep board`: over Kafka's measures, or over a store that a replay has filled.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use board::api::{self, Board, Limits};
use board::live::{Live, Mode};
use board::read::Reader;
use board::service::{self, Service};
use board::store::{Options, Store};
use domain::alert::value::Value;
use domain::measures::Measure;
use domain::organisations::{Level, Organisations};
use domain::target::Target;
use runtime::log::embedded::EmbeddedLog;

use crate::cli::BoardArgs;
use crate::plant::Plant;
use crate::progress::say;
use crate::replay::instant;
use crate::{config, fault};

/// Runs the board.
pub(crate) fn run(args: &BoardArgs) -> Result<()> {
    let config = config::load(&args.config)?;
    if let Some(dir) = &args.store {
        return still(args, config, dir);
    }
    let (organisations, _) = config.places()?;
    let mut plant = Plant::on_kafka(config)?;
    plant.listen()?;
    if !plant.set_up_topics()? {
        return Ok(());
    }
    let router = live(&mut plant, organisations)?;
    plant.serve(router, |address| say(&format!("the board is at http://{address}/")))
}

/// The board of a store as at a minute.
fn still(args: &BoardArgs, config: config::Config, dir: &Path) -> Result<()> {
    let at = args.at.as_deref().map(|text| instant(text, "--at")).transpose()?.map(|at| at.minute());
    let reader = Reader::open(dir).map_err(fault)?;
    let organisations = reader.organisations().map_err(fault)?.unwrap_or_default();
    // Which windows a kept store has was said when it was filled.
    let tables = api::Tables { windows: Vec::new(), ..shown(&config, &organisations)? };
    let live = service::still(dir, at, None, target(&tables)).map_err(fault)?;
    // A board that stands still reads no log; an empty one in a folder of its own stands for it.
    let folder = dir.join("no-log");
    let plant =
        Plant::new(config, |plantlet| Ok(Arc::new(EmbeddedLog::open(&folder, plantlet.clock.clone())?)))?;
    let metrics = board::metrics::Metrics::new(&plant.registry)?;
    let router = api::router(Board::new(live, dir, limits(&plant), plant.clock.clone(), metrics, tables));
    plant.serve(router, |address| say(&format!("the board is at http://{address}/")))
}

/// Starts the live board on its thread; its routes.
pub(crate) fn live(plant: &mut Plant, organisations: Arc<Organisations>) -> Result<Router> {
    let dir = plant.config.file("board");
    let minutes = u32::try_from(plant.config.store.minutes.as_ms() / 60_000).unwrap_or(u32::MAX);
    let mut store = Store::open(&dir, Options::live(minutes))?;
    store.save_organisations(&organisations)?;
    let tables = shown(&plant.config, &organisations)?;
    let live = Arc::new(Live::new(organisations, Mode::Live, target(&tables)));
    let metrics = board::metrics::Metrics::new(&plant.registry)?;
    let service = Service {
        log: plant.log.clone(),
        store,
        live: live.clone(),
        metrics: metrics.clone(),
        health: plant.health.clone(),
        clock: plant.clock.clone(),
        shutdown: plant.shutdown.clone(),
    };
    plant.spawn("board", move || service::run(service))?;
    Ok(api::router(Board::new(live, &dir, limits(plant), plant.clock.clone(), metrics, tables)))
}

fn limits(plant: &Plant) -> Limits {
    let board = &plant.config.board;
    Limits { streams: board.streams.get() as usize, answer_points: board.answer_points.get().into() }
}

/// The line on the page: the target of the country for all types within four hours.
fn target(tables: &api::Tables) -> Option<Target> {
    let value = Value::ratio(Measure::AeFourHour, "within", "departed")?;
    let tags = [("type", "all".to_owned()), ("window", "4h".to_owned())];
    tables.targets.find(value, Level::Nation, &tags).cloned()
}

/// What is shown beside the figures.
fn shown(config: &config::Config, organisations: &Organisations) -> Result<api::Tables> {
    let windows = config.windows()?;
    let tables = config.tables(organisations, &windows)?;
    Ok(api::Tables { targets: tables.targets, standards: tables.standards, windows })
}
