//! Self-metrics: how families are made on a registry, with labels from closed lists, and how they are shown.
//!
//! What is counted is decided by each service, in its own `metrics.rs`.

use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// The content type of [`encode`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why a metric could not be made: a name that is taken or is not allowed. A fault of the program, found at start.
#[derive(Debug, thiserror::Error)]
#[error("metric {name} cannot be registered")]
pub struct MetricsError {
    name: String,
    source: prometheus::Error,
}

/// A label whose values are a closed list, so that a family has a bounded number of series.
pub trait Label: Copy + PartialEq + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// How it is written.
    fn as_str(self) -> &'static str;
}

/// Counters of one family, one for each value of a label; all are shown from the start, as 0.
#[derive(Clone, Debug)]
pub struct Counters<L>(Vec<IntCounter>, PhantomData<fn(L)>);

impl<L: Label> Counters<L> {
    /// Makes and registers the family.
    pub fn new(
        registry: &Registry,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<Counters<L>, MetricsError> {
        let family = made(name, IntCounterVec::new(Opts::new(name, help), &[label]))?;
        let family = register(registry, name, family)?;
        Ok(Counters(
            L::ALL.iter().map(|value| family.with_label_values(&[value.as_str()])).collect(),
            PhantomData,
        ))
    }

    /// The counter of one value.
    pub fn of(&self, value: L) -> &IntCounter {
        &self.0[position(value)]
    }
}

/// Gauges of one family, one for each value of a label.
#[derive(Clone, Debug)]
pub struct Gauges<L>(Vec<IntGauge>, PhantomData<fn(L)>);

impl<L: Label> Gauges<L> {
    /// Makes and registers the family.
    pub fn new(registry: &Registry, name: &str, help: &str, label: &str) -> Result<Gauges<L>, MetricsError> {
        let family = made(name, IntGaugeVec::new(Opts::new(name, help), &[label]))?;
        let family = register(registry, name, family)?;
        Ok(Gauges(
            L::ALL.iter().map(|value| family.with_label_values(&[value.as_str()])).collect(),
            PhantomData,
        ))
    }

    /// The gauge of one value.
    pub fn of(&self, value: L) -> &IntGauge {
        &self.0[position(value)]
    }
}

fn position<L: Label>(value: L) -> usize {
    L::ALL.iter().position(|each| *each == value).expect("Label::ALL lists every value")
}

/// Makes and registers a counter.
pub fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
    register(registry, name, made(name, IntCounter::new(name, help))?)
}

/// Makes and registers a gauge.
pub fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
    register(registry, name, made(name, IntGauge::new(name, help))?)
}

/// Makes and registers a histogram with these upper bounds.
pub fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    bounds: &[f64],
) -> Result<prometheus::Histogram, MetricsError> {
    let opts = prometheus::HistogramOpts::new(name, help).buckets(bounds.to_vec());
    register(registry, name, made(name, prometheus::Histogram::with_opts(opts))?)
}

/// Registers a metric that was made elsewhere; gives it back.
pub fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    name: &str,
    metric: C,
) -> Result<C, MetricsError> {
    registry
        .register(Box::new(metric.clone()))
        .map_err(|source| MetricsError { name: name.to_owned(), source })?;
    Ok(metric)
}

fn made<T>(name: &str, metric: prometheus::Result<T>) -> Result<T, MetricsError> {
    metric.map_err(|source| MetricsError { name: name.to_owned(), source })
}

/// Everything on the registry in Prometheus' text format, sorted by name.
pub fn encode(registry: &Registry) -> String {
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&registry.gather(), &mut text) {
        tracing::error!(%error, "self-metrics could not be written");
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq)]
    enum Meal {
        Breakfast,
        Supper,
    }

    impl Label for Meal {
        const ALL: &'static [Meal] = &[Meal::Breakfast, Meal::Supper];
        fn as_str(self) -> &'static str {
            match self {
                Meal::Breakfast => "breakfast",
                Meal::Supper => "supper",
            }
        }
    }

    #[test]
    fn the_text_is_as_prometheus_reads_it() {
        let registry = Registry::new();
        let meals = Counters::<Meal>::new(&registry, "sitrep_meals_total", "Meals.", "meal").unwrap();
        gauge(&registry, "sitrep_guests", "Guests.").unwrap().set(-3);
        meals.of(Meal::Supper).inc_by(2);
        assert_eq!(
            encode(&registry),
            "# HELP sitrep_guests Guests.\n# TYPE sitrep_guests gauge\nsitrep_guests -3\n\
             # HELP sitrep_meals_total Meals.\n# TYPE sitrep_meals_total counter\n\
             sitrep_meals_total{meal=\"breakfast\"} 0\nsitrep_meals_total{meal=\"supper\"} 2\n"
        );
    }

    #[test]
    fn a_name_that_is_taken_or_not_allowed_is_an_error() {
        let registry = Registry::new();
        counter(&registry, "sitrep_a_total", "A.").unwrap();
        let taken = counter(&registry, "sitrep_a_total", "A.").unwrap_err();
        assert_eq!(taken.to_string(), "metric sitrep_a_total cannot be registered");
        assert!(counter(&registry, "not allowed", "B.").is_err());
    }
}
