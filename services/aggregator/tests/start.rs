//! A start that is refused.

use std::sync::Arc;
use std::time::Duration;

use aggregator::config::AggregateConfig;
use aggregator::metrics::Metrics;
use aggregator::pipeline::{self, AggregateError, Parts};
use contract::topics::{CONTROL, EVENTS, MEASURES, REFUSALS, RETURNS};
use domain::engine::{HORIZON_MINUTES, Settings};
use domain::freshness::Patience;
use domain::organisations::{Organisations, Row};
use domain::standard::Standards;
use prometheus::Registry;
use runtime::checkpoint::Checkpoint;
use runtime::clock::{Clock, ManualClock};
use runtime::health::Health;
use runtime::log::embedded::EmbeddedLog;
use runtime::log::{Log, TopicSetup};
use runtime::shutdown::Shutdown;

fn settings() -> Settings {
    let england = Row {
        code: "ENG".into(),
        name: "England".into(),
        level: "nation".into(),
        parent: String::new(),
        department_type: String::new(),
    };
    Settings {
        orgs: Arc::new(Organisations::new(&[england]).expect("a nation")),
        standards: Standards { standards: Vec::new(), scales: Vec::new() },
        windows: Vec::new(),
        exclude_disposals: Vec::new(),
        horizon_minutes: HORIZON_MINUTES,
        patience: Patience::default(),
        frameworks: Default::default(),
    }
}

/// Its epoch and its marks would silence the one that runs, with every reader and for good.
#[test]
fn a_second_aggregator_on_the_same_checkpoint_is_refused_before_it_takes_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_795_270_020_000));
    let log = Arc::new(EmbeddedLog::open(&folder.path().join("log"), clock.clone()).unwrap());
    let topics = [EVENTS, RETURNS, MEASURES, REFUSALS, CONTROL].map(|name| TopicSetup {
        name,
        partitions: 1,
        retention: None,
        append_time: name == EVENTS,
    });
    log.set_up(&topics, true).unwrap();
    let checkpoint = folder.path().join("aggregator.checkpoint");
    let running = Checkpoint::open(&checkpoint).unwrap();
    let config = AggregateConfig {
        checkpoint,
        checkpoint_every: Duration::from_secs(5),
        restate_delay: Duration::from_secs(10),
        restate_budget: 2_000,
        pseudonyms_required: false,
    };
    let parts = Parts {
        log: log.clone(),
        clock: clock.clone(),
        shutdown: Shutdown::new(),
        ready: Health::new(clock.clone()).condition("aggregator"),
        in_time: Health::new(clock).condition("clock"),
        metrics: Arc::new(Metrics::new(&Registry::new()).unwrap()),
        config_hash: 0,
        sealer: None,
    };
    let refused = pipeline::run(settings(), config, parts);
    assert!(matches!(refused, Err(AggregateError::Checkpoint(_))), "{refused:?}");
    assert_eq!((log.ends(CONTROL).unwrap(), log.ends(MEASURES).unwrap()), (vec![0], vec![0]));
    drop(running);
}
