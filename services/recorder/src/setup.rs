//! Set-up, checks and read-back of an InfluxDB 2 bucket, through the `influxdb2` crate where it is sound.
//!
//! The crate overwrites a path in the address, has no time-outs, and unwraps while it reads an answer. So it is not used
//! behind a path prefix, each call is bounded, and each runs in a task of its own, whose panic is an error here. It never
//! writes points: see [`crate::influx`].

use std::collections::BTreeMap;
use std::time::Duration;

use domain::time::Minute;
use influxdb2::Client;
use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::api::organization::ListOrganizationRequest;
use influxdb2::models::{PostBucketRequest, Query, RetentionRule, retention_rule};
use runtime::health::Condition;
use runtime::shutdown::Shutdown;

use crate::backoff::Backoff;
use crate::influx::{InfluxError, Settings};

/// Why the set-up or a read-back failed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] InfluxError),
    /// The store did not answer in time.
    #[error("the store did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The store said no, or could not be reached.
    #[error("the store could not be set up: {0}")]
    Store(String),
    /// The organisation is not there, or our token may not see it.
    #[error("organisation \"{0}\" is not in the store, or the token may not see it")]
    NoOrganisation(String),
    /// The store's answer could not be read.
    #[error("the store's answer could not be read: {0}")]
    Answer(String),
}

/// What the set-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// It was there, and keeps points that long; `None`: for ever.
    Found(Option<Duration>),
    /// It was made; it keeps points for ever.
    Created,
    /// The address has a path, which the crate would drop: not looked.
    NotChecked,
}

/// Makes the bucket unless it is there. Safe to repeat.
pub async fn ensure_bucket(settings: &Settings) -> Result<Bucket, SetupError> {
    if settings.base()?.path() != "/" {
        return Ok(Bucket::NotChecked);
    }
    if let Some(kept) = find_bucket(settings).await? {
        return Ok(Bucket::Found(kept));
    }
    let (client, org) = (client(settings)?, settings.org.clone());
    let organisations = bounded(settings, async move {
        let request = ListOrganizationRequest { org: Some(org), ..ListOrganizationRequest::default() };
        client.list_organizations(request).await
    })
    .await?;
    let found = organisations.orgs.into_iter().find(|one| one.name == settings.org).and_then(|one| one.id);
    let Some(org_id) = found else { return Err(SetupError::NoOrganisation(settings.org.clone())) };
    let request = PostBucketRequest::new(org_id, settings.bucket.clone());
    let client = self::client(settings)?;
    let created = bounded(settings, async move { client.create_bucket(Some(request)).await }).await;
    match created {
        Ok(()) => Ok(Bucket::Created),
        // Another recorder may have made it in between.
        Err(error) => find_bucket(settings).await?.map(Bucket::Found).ok_or(error),
    }
}

/// A store that keeps less than this loses corrections that are still to come (spec 1.8).
const LEAST_RETENTION: Duration = Duration::from_secs(15 * 86_400);

/// Makes the bucket unless it is there, for as long as it takes: a store that is away is waited for, as writing waits
/// for it. `None` if the shutdown began first. Says in the log what it found; the condition says why it waits.
pub async fn prepare(
    settings: &Settings,
    shutdown: &Shutdown,
    condition: &Condition,
    seed: u64,
) -> Option<Bucket> {
    let mut backoff = Backoff::new(seed);
    loop {
        let tried = tokio::select! {
            tried = ensure_bucket(settings) => tried,
            () = shutdown.begun() => return None,
        };
        match tried {
            Ok(bucket) => {
                tell(settings, bucket);
                condition.holds();
                return Some(bucket);
            }
            Err(error) => condition.waits(error.to_string()),
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next(None)) => {}
            () = shutdown.begun() => return None,
        }
    }
}

fn tell(settings: &Settings, bucket: Bucket) {
    let name = settings.bucket.as_str();
    match bucket {
        Bucket::Found(Some(kept)) if kept < LEAST_RETENTION => {
            let (kept_s, least_s) = (kept.as_secs(), LEAST_RETENTION.as_secs());
            tracing::warn!(
                bucket = name,
                kept_s,
                least_s,
                "the bucket keeps too little for late corrections"
            );
        }
        Bucket::Found(_) => tracing::info!(bucket = name, "the bucket is there"),
        Bucket::Created => tracing::info!(bucket = name, "the bucket was made; it keeps points for ever"),
        Bucket::NotChecked => {
            tracing::info!(bucket = name, "the bucket is not checked: the store's address has a path");
        }
    }
}

/// How long the bucket keeps points, if it is there.
async fn find_bucket(settings: &Settings) -> Result<Option<Option<Duration>>, SetupError> {
    let (client, org, bucket) = (client(settings)?, settings.org.clone(), settings.bucket.clone());
    let request = ListBucketsRequest { org: Some(org), name: Some(bucket), ..ListBucketsRequest::default() };
    let listed = bounded(settings, async move { client.list_buckets(Some(request)).await }).await;
    let buckets = match listed {
        Ok(listed) => listed.buckets,
        // InfluxDB answers 404 for a name that it does not have.
        Err(SetupError::Store(text)) if text.contains("404") => Vec::new(),
        Err(error) => return Err(error),
    };
    let found = buckets.into_iter().find(|one| one.name == settings.bucket);
    Ok(found.map(|one| one.retention_rules.iter().find_map(kept)))
}

fn kept(rule: &RetentionRule) -> Option<Duration> {
    match rule.r#type {
        retention_rule::Type::Expire => u64::try_from(rule.every_seconds).ok(),
    }
    .filter(|seconds| *seconds > 0)
    .map(Duration::from_secs)
}

/// A field of a point as the store holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredField {
    /// The measurement.
    pub measurement: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The minute with which it is stamped.
    pub minute: Minute,
    /// The field's name.
    pub field: String,
    /// Its value: whole, unless the field is a median or a 90th percentile of an even count.
    pub value: f64,
}

/// Reads back every field of a measurement that is a number with a stamp in [from, until). For checks and tests: what it reads
/// is held in memory.
pub async fn read_back(
    settings: &Settings,
    measurement: &str,
    from: Minute,
    until: Minute,
) -> Result<Vec<StoredField>, SetupError> {
    let text = format!(
        "from(bucket: {}) |> range(start: {from}, stop: {until}) |> filter(fn: (r) => r._measurement == {}) \
         |> map(fn: (r) => ({{r with stamp: int(v: r._time)}})) |> drop(columns: [\"_start\", \"_stop\", \"_time\"])",
        flux_text(&settings.bucket),
        flux_text(measurement),
    );
    let client = client(settings)?;
    let records = bounded(settings, async move { client.query_raw(Some(Query::new(text))).await }).await?;
    let mut fields = records.iter().map(stored_field).collect::<Result<Vec<_>, _>>()?;
    fields.sort_by(|a, b| place(a).cmp(&place(b)));
    Ok(fields)
}

fn place(field: &StoredField) -> impl Ord + '_ {
    (&field.measurement, &field.tags, field.minute, &field.field)
}

/// The crate names its values' type nowhere in its own names, so a record is taken apart here where it need not be named.
fn stored_field(record: &influxdb2::api::query::FluxRecord) -> Result<StoredField, SetupError> {
    let text = |name: &str| record.values.get(name).and_then(|value| value.string());
    let integer = |name: &str| record.values.get(name).and_then(|value| value.i64());
    let fraction = |name: &str| record.values.get(name).and_then(|value| value.f64());
    let number = |name: &str| integer(name).map(|whole| whole as f64).or_else(|| fraction(name));
    let minute = integer("stamp")
        .filter(|nanoseconds| nanoseconds % 60_000_000_000 == 0)
        .and_then(|nanoseconds| u32::try_from(nanoseconds / 60_000_000_000).ok())
        .map(Minute);
    let (Some(measurement), Some(field), Some(value), Some(minute)) =
        (text("_measurement"), text("_field"), number("_value"), minute)
    else {
        return Err(SetupError::Answer("a record is not a number at a whole minute".into()));
    };
    let is_tag = |name: &str| !matches!(name, "result" | "table" | "stamp") && !name.starts_with('_');
    let tags = record.values.iter().filter(|(name, _)| is_tag(name));
    let tags = tags.filter_map(|(name, value)| Some((name.clone(), value.string()?))).collect();
    Ok(StoredField { measurement, tags, minute, field, value })
}

fn flux_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn client(settings: &Settings) -> Result<Client, SetupError> {
    settings.base()?;
    let built = influxdb2::ClientBuilder::new(&settings.url, &settings.org, &settings.token).build();
    built.map_err(|error| SetupError::Store(error.to_string()))
}

/// Runs one call of the crate: bounded in time, and its panic is an error.
async fn bounded<T: Send + 'static>(
    settings: &Settings,
    call: impl Future<Output = Result<T, influxdb2::RequestError>> + Send + 'static,
) -> Result<T, SetupError> {
    let task = tokio::spawn(call);
    let abort = task.abort_handle();
    match tokio::time::timeout(settings.request_timeout, task).await {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(error))) => Err(SetupError::Store(error.to_string())),
        Ok(Err(panic)) => Err(SetupError::Answer(panic.to_string())),
        Err(_) => {
            abort.abort();
            Err(SetupError::TimedOut(settings.request_timeout))
        }
    }
}

#[cfg(test)]
mod tests;
