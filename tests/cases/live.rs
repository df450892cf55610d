//! When the events of a case reach the log.

use domain::event::Event;
use domain::time::Millis;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Case;
use crate::model::{HORIZON_MILLIS, stated_instants};

/// An event as the log has it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When the log took it.
    pub log_time: Millis,
    /// What it took.
    pub event: Event<'static>,
}

const HOUR: i64 = 3_600_000;

pub(super) fn deliveries(case: &Case) -> Vec<Delivery> {
    let mut rng = ChaCha8Rng::seed_from_u64(case.seed ^ 0x11fe);
    let mut deliveries: Vec<Delivery> = case
        .events
        .iter()
        .map(|event| Delivery { log_time: log_time(&mut rng, case, event), event: event.clone() })
        .collect();
    deliveries.sort_by_key(|delivery| delivery.log_time);
    deliveries
}

fn log_time(rng: &mut ChaCha8Rng, case: &Case, event: &Event<'static>) -> Millis {
    let from = Millis::from(case.from.start()).0;
    let last = Millis::from(case.until.start()).0 + 2 * HOUR;
    let recorded = event.recorded_at.0;
    let newest = stated_instants(&event.statement).into_iter().map(|at| at.0).fold(recorded, i64::max);
    let on_the_horizon = newest + HORIZON_MILLIS;
    let wanted = if (from..last).contains(&on_the_horizon) && rng.random_bool(0.7) {
        on_the_horizon + *[0, 1, 1_000, 60_000].choose(rng).expect("not empty")
    } else {
        match rng.random_range(0..40) {
            0..27 => recorded + rng.random_range(0..60_000),
            27..33 => recorded + rng.random_range(0..12 * HOUR),
            33..38 => rng.random_range(recorded.clamp(from, last - HOUR)..last),
            38 => recorded - *[180_000, 600_000].choose(rng).expect("not empty"),
            _ => recorded - *[600_001, HOUR].choose(rng).expect("not empty"),
        }
    };
    Millis(wanted.min(last))
}
