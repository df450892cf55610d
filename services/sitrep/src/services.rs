//! Starting each service, alone over Kafka or beside the others in `sitrep up`.

use std::collections::BTreeSet;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use aggregator::backfill::{self, Backfill};
use aggregator::config::AggregateConfig;
use aggregator::pipeline;
use anyhow::{Context, Result};
use axum::Router;
use contract::topics::{ALERTS, EVENTS, MEASURES};
use domain::organisations::Organisations;
use domain::replay::Replay;
use domain::standard::Standards;
use intake::pseudonym::{KeyChangeError, check_key};
use prometheus::Registry;
use recorder::victoria::{Store, Victoria};
use runtime::access::{Access, AccessError, AccessMetrics, Sources};
use runtime::config::Bytes;
use runtime::log::Log;

use crate::cli::{AggregateArgs, ConfigArgs};
use crate::plant::Plant;
use crate::progress::{Progress, thousands};
use crate::replay::{instant, scope, step_minutes};
use crate::{config, feeds, usage};

/// A service that runs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Intake,
    Record,
    Alert,
}

/// Runs one service over Kafka.
pub(crate) fn run(service: Service, args: &ConfigArgs) -> Result<()> {
    let config = config::load(args)?;
    let (organisations, _) = config.places()?;
    let standards = config.tables(&organisations, &config.windows()?)?.standards;
    let rules = match service {
        Service::Alert => Some(config.rules(&organisations, None)?),
        Service::Intake | Service::Record => None,
    };
    if service == Service::Intake {
        door(&config)?;
        feeds::all(&config, &organisations)?;
        feeds::listeners(&config, &organisations)?;
    }
    let mut plant = Plant::on_kafka(config)?;
    let access = match service {
        Service::Intake => Some(access(&plant.config, &organisations, &plant.registry)?),
        Service::Record | Service::Alert => None,
    };
    listen(&mut plant)?;
    if !plant.set_up_topics()? {
        return Ok(());
    }
    let router = match (service, access, rules) {
        (Service::Intake, Some(access), _) => intake(&mut plant, access, &organisations, standards)?,
        (Service::Record, ..) => record(&mut plant)?,
        (Service::Alert, _, Some(rules)) => alert(&mut plant, rules, organisations)?,
        (Service::Intake, None, _) | (Service::Alert, _, None) => Router::new(),
    };
    plant.serve(router, |_| ())
}

fn listen(plant: &mut Plant) -> Result<()> {
    let address = plant.listen()?;
    tracing::info!(%address, "listening");
    Ok(())
}

/// Runs the aggregator over Kafka, for ever or once.
pub(crate) fn aggregate(args: &AggregateArgs) -> Result<()> {
    let config = config::load(&args.config)?;
    if args.backfill {
        return backfill(args, config);
    }
    config.engine()?; // what is wrong is said before Kafka is waited for
    let mut plant = Plant::on_kafka(config)?;
    listen(&mut plant)?;
    if !plant.set_up_topics()? {
        return Ok(());
    }
    spawn_aggregator(&mut plant)?;
    plant.serve(Router::new(), |_| ())
}

/// Starts the aggregator on its thread.
pub(crate) fn spawn_aggregator(plant: &mut Plant) -> Result<()> {
    let (settings, config_hash) = plant.config.engine()?;
    let config = AggregateConfig {
        checkpoint: plant.config.file("aggregator.checkpoint"),
        checkpoint_every: plant.config.checkpoint.every.get(),
        restate_delay: plant.config.restate.delay.get(),
        restate_budget: plant.config.restate.budget.get(),
        pseudonyms_required: plant.config.pseudonyms.required,
    };
    let parts = pipeline::Parts {
        log: plant.log.clone(),
        clock: plant.clock.clone(),
        shutdown: plant.shutdown.clone(),
        ready: plant.condition("aggregator"),
        in_time: plant.condition("clock"),
        metrics: Arc::new(aggregator::metrics::Metrics::new(&plant.registry)?),
        config_hash,
        sealer: plant.config.refusals.sealer()?,
    };
    plant.spawn("aggregator", move || pipeline::run(settings, config, parts))
}

/// What the door needs of the configuration; what is wrong is a fault of usage.
pub(crate) struct Door {
    pub(crate) pseudonyms: intake::pseudonym::Pseudonyms,
    sealer: Option<runtime::seal::Sealer>,
    alarm: intake::Alarm,
}

pub(crate) fn door(config: &config::Config) -> Result<Door> {
    let (sealer, alarm) = (config.refusals.sealer()?, config.refusals.alarm()?);
    Ok(Door { pseudonyms: pseudonyms(config)?, sealer, alarm })
}

/// How references become pseudonyms. An error is one of usage.
pub(crate) fn pseudonyms(config: &config::Config) -> Result<intake::pseudonym::Pseudonyms> {
    let key = config.pseudonyms.key.0.as_ref().map(|key| key.expose().as_bytes());
    intake::pseudonym::Pseudonyms::new(key, config.pseudonyms.required)
        .map_err(|error| usage(format!("pseudonyms.key: {error}")))
}

/// Who may ask the web server to do something.
pub(crate) fn access(
    config: &config::Config,
    organisations: &Organisations,
    registry: &Registry,
) -> Result<Access> {
    let single = config.http.token.0.as_ref().map(|token| token.expose());
    let sources = Sources { single, file: &config.http.tokens, address: config.http.listen.ip() };
    let codes: BTreeSet<String> = organisations.iter().map(|(_, org)| org.code.clone()).collect();
    let metrics = AccessMetrics::new(registry)?;
    Access::new(sources, move |code| codes.contains(code), metrics).map_err(|error| match error {
        AccessError::NoToken(_) => usage(format!("http.token: {error}")),
        AccessError::Unreadable { .. } | AccessError::Wrong { .. } => usage(format!("http.tokens: {error}")),
    })
}

/// Whether the key of pseudonyms is the log's, for a command that ends by itself: a log that is away is an error.
pub(crate) fn key_of_log(
    log: &dyn Log,
    pseudonyms: &intake::pseudonym::Pseudonyms,
    config: &config::Config,
) -> Result<()> {
    check_key(log, pseudonyms, &config.pseudonyms.accept_new_key).map_err(|error| match error {
        KeyChangeError::Changed { .. } => usage(format!("pseudonyms.key: {error}")),
        KeyChangeError::Log(error) => error.into(),
    })
}

/// Whether the key of pseudonyms is the log's; waits while the log is away. `false`: the shutdown began meanwhile.
fn same_key(plant: &Plant, pseudonyms: &intake::pseudonym::Pseudonyms) -> Result<bool> {
    let condition = plant.condition("pseudonyms");
    loop {
        match check_key(&*plant.log, pseudonyms, &plant.config.pseudonyms.accept_new_key) {
            Ok(()) => {
                condition.holds();
                return Ok(true);
            }
            Err(error @ KeyChangeError::Changed { .. }) => {
                return Err(usage(format!("pseudonyms.key: {error}")));
            }
            Err(KeyChangeError::Log(error)) => condition.waits(error.to_string()),
        }
        if plant.shutdown.wait_timeout(std::time::Duration::from_secs(1)) {
            return Ok(false);
        }
    }
}

/// The intake's routes, and its MLLP listeners; none where the shutdown began meanwhile.
pub(crate) fn intake(
    plant: &mut Plant,
    access: Access,
    organisations: &Organisations,
    standards: Standards,
) -> Result<Router> {
    let Door { pseudonyms, sealer, alarm } = door(&plant.config)?;
    if !same_key(plant, &pseudonyms)? {
        return Ok(Router::new());
    }
    let bytes = |size: Bytes| usize::try_from(size.get()).unwrap_or(usize::MAX);
    let http = &plant.config.http;
    let limits = intake::Limits {
        body_bytes: bytes(http.max_body),
        buffer_bytes: bytes(http.buffer),
        events: http.post_events.get() as usize,
        writes: http.writes.get() as usize,
        turn: http.turn.get(),
        body_time: http.body_time.get(),
    };
    let metrics = intake::metrics::Metrics::new(&plant.registry)?;
    let (condition, shares) = (plant.condition("intake"), intake::Shares::new(alarm, &metrics));
    let common = feeds::Common {
        organisations,
        standards: &standards,
        pseudonyms: &pseudonyms,
        sealer: &sealer,
        shares: &shares,
        metrics: &metrics,
        condition: &condition,
    };
    feeds::start(plant, common)?;
    let state = intake::IntakeState::new(intake::Intake {
        log: plant.log.clone(),
        organisations: organisations.clone(),
        standards,
        pseudonyms,
        access: access.clone(),
        feeds: feeds::all(&plant.config, organisations)?,
        listened: feeds::listened(&plant.config),
        limits,
        sealer,
        shares,
        metrics,
        condition,
        clock: plant.clock.clone(),
    });
    plant.runtime.spawn(access.watch(plant.shutdown.clone()));
    plant.runtime.spawn(intake::watch_log(state.clone(), plant.shutdown.clone()));
    Ok(intake::router(state))
}

/// Starts the recorder on its thread.
fn record(plant: &mut Plant) -> Result<Router> {
    let influx = &plant.config.influx;
    let token = influx.token.0.as_ref().map_or("", |token| token.expose());
    let settings = recorder::influx::Settings::new(&influx.url, &influx.org, &influx.bucket, token);
    let sink = recorder::influx::Influx::new(&settings).map_err(usage)?;
    let is_victoria = influx.victoriametrics;
    let sink = if is_victoria {
        let kept = runtime::checkpoint::Checkpoint::open(&plant.config.file("victoria.checkpoint"))?;
        Store::Victoria(Box::new(Victoria::new(sink, kept, plant.clock.clone())?))
    } else {
        Store::Overwrites(sink)
    };
    let checkpoint = runtime::checkpoint::Checkpoint::open(&plant.config.file("recorder.checkpoint"))?;
    let recorder = recorder::service::Recorder {
        log: plant.log.clone(),
        topic: influx.topic.clone(),
        sink,
        checkpoint,
        limits: recorder::batch::Limits::default(),
        drain: plant.config.shutdown.timeout.get() / 2,
        metrics: recorder::metrics::Metrics::new(&plant.registry)?,
        health: plant.health.clone(),
        clock: plant.clock.clone(),
        shutdown: plant.shutdown.clone(),
    };
    let (handle, shutdown) = (plant.runtime.handle().clone(), plant.shutdown.clone());
    // Several recorders that wait for one store do not all ask at once.
    let seed = plant.clock.now_ms().unsigned_abs();
    let bucket = plant.condition("bucket");
    plant.spawn("record", move || {
        handle.block_on(async move {
            if is_victoria {
                bucket.holds(); // it has no buckets
                return recorder::service::run(recorder).await;
            }
            match recorder::setup::prepare(&settings, &shutdown, &bucket, seed).await {
                Some(_) => recorder::service::run(recorder).await,
                None => Ok(()),
            }
        })
    })?;
    Ok(Router::new())
}

/// Starts the alerter on its thread.
pub(crate) fn alert(
    plant: &mut Plant,
    rules: alerter::rules::RuleSet,
    organisations: Arc<Organisations>,
) -> Result<Router> {
    let setup = alerter::run::Setup {
        log: plant.log.clone(),
        measures_topic: MEASURES.to_owned(),
        alerts_topic: ALERTS.to_owned(),
        checkpoint: plant.config.file("alerter.checkpoint"),
        config: plant.config.alert.clone(),
        rules: Arc::new(rules),
        organisations,
        clock: plant.clock.clone(),
        shutdown: plant.shutdown.clone(),
        condition: plant.condition("alerter"),
        receivers: plant.condition("receivers"),
        metrics: alerter::metrics::AlertMetrics::new(&plant.registry)?,
        runtime: plant.runtime.handle().clone(),
    };
    plant.spawn("alert", move || alerter::run::run(setup))?;
    Ok(Router::new())
}

/// `sitrep aggregate --backfill`
fn backfill(args: &AggregateArgs, config: config::Config) -> Result<()> {
    let (settings, _) = config.engine()?;
    let required = |value: &Option<String>, name| {
        value
            .as_deref()
            .ok_or_else(|| usage(format!("--backfill needs {name}")))
            .and_then(|text| instant(text, name))
    };
    let backfill = Backfill {
        from: required(&args.from, "--from")?,
        until: required(&args.until, "--until")?,
        step: step_minutes(&args.points.step)?,
        scope: scope(&settings.orgs, &args.points, &settings.windows)?,
        topic: args.to.clone(),
        pseudonyms_required: config.pseudonyms.required,
    };
    if backfill.until < backfill.from {
        return Err(usage("--until is before --from"));
    }
    let plant = Plant::on_kafka(config)?;
    if !plant.set_up_topics()? {
        return Ok(());
    }
    // Before everything is read: what cannot be written is said at once.
    plant.log.ends(&backfill.topic).map_err(|error| usage(format!("--to {}: {error}", backfill.topic)))?;
    if !args.partial {
        reaches_back(&plant, &backfill)?;
    }
    // It ends with the process: giving its memory back record by record would take a third of a second.
    let mut replay = ManuallyDrop::new(Replay::new(settings));
    let mut progress = Progress::new(&*plant.clock, "backfill");
    let report = backfill::run(&*plant.log, &mut replay, &backfill, &plant.shutdown, &mut |report| {
        progress.at(|| {
            let (read, written) = (thousands(report.read), thousands(report.org_minutes));
            format!("{read} events read, {written} org-minutes published")
        });
    })
    .context("backfill")?;
    progress.done(&format!(
        "{} events read ({} refused), {} points in {} org-minutes published to {}",
        thousands(report.read),
        thousands(report.refused),
        thousands(report.points),
        thousands(report.org_minutes),
        backfill.topic
    ));
    Ok(())
}

/// The log must hold what the first point depends on.
fn reaches_back(plant: &Plant, backfill: &Backfill) -> Result<()> {
    let before_ms = plant.config.events_kept_days() as i64 * 86_400_000;
    let needed = i64::from(backfill.from.0) * 1000 - before_ms;
    let (starts, first) = (plant.log.starts(EVENTS)?, plant.log.offsets_at(EVENTS, needed)?);
    let gone = starts.iter().zip(&first).any(|(start, first)| *start > 0 && start >= first);
    if gone {
        let days = plant.config.events_kept_days();
        return Err(usage(format!(
            "the events topic no longer reaches back {days} days before --from; --partial goes on with what there is"
        )));
    }
    Ok(())
}
