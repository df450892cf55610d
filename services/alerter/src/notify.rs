//! Sends one notice to one receiver and says what became of it. Order and patience are the outbox's.

pub mod alertmanager;
mod log;

use std::collections::BTreeMap;
use std::time::Duration;

use domain::alert::outbox::Outcome;

use crate::rules::{Channel, RuleSet};
use crate::service::Delivery;
use alertmanager::Alertmanager;

/// A receiver.
#[derive(Clone, Debug)]
enum Notifier {
    Alertmanager(Alertmanager),
    Log,
}

/// Every receiver, by the name of its channel.
#[derive(Clone, Debug)]
pub struct Notifiers {
    by_channel: BTreeMap<String, Notifier>,
}

/// The HTTP client could not be made: no usable certificates or the like.
#[derive(Debug, thiserror::Error)]
#[error("the client for the channels cannot be made")]
pub struct ClientError(#[source] reqwest::Error);

impl Notifiers {
    /// Makes the receivers of a rule set. `timeout`: for one notice, answer included.
    pub fn new(rules: &RuleSet, timeout: Duration) -> Result<Notifiers, ClientError> {
        // A redirect would turn the POST into a GET, and the alert into nothing; a proxy that the environment names is
        // not meant for receivers, which are the hospital's own.
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("sitrep/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError)?;
        let notifier = |channel: &Channel| match channel {
            Channel::Alertmanager { url, token } => {
                Notifier::Alertmanager(Alertmanager::new(client.clone(), url, token.clone()))
            }
            Channel::Log => Notifier::Log,
        };
        let by_channel = rules.channels.iter().map(|(name, channel)| (name.clone(), notifier(channel)));
        Ok(Notifiers { by_channel: by_channel.collect() })
    }

    /// Sends a delivery. `now_ms`: wall clock, for a `Retry-After` that names a date.
    pub async fn send(&self, delivery: &Delivery, now_ms: i64) -> Outcome {
        match self.by_channel.get(&delivery.channel) {
            Some(Notifier::Alertmanager(alertmanager)) => alertmanager.send(delivery, now_ms).await,
            Some(Notifier::Log) => log::send(delivery),
            None => Outcome::Refused { reason: "the channel is not configured any more".to_owned() },
        }
    }
}
