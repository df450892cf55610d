//! The process's own log as a receiver: it takes everything.

use domain::alert::Severity;
use domain::alert::outbox::Outcome;

use crate::service::Delivery;

pub(super) fn send(delivery: &Delivery) -> Outcome {
    let notice = &delivery.notice;
    let (kind, level) = (notice.kind.as_str(), notice.level.as_str());
    macro_rules! say {
        ($at:ident) => {
            tracing::$at!(
                target: "sitrep::alert",
                kind,
                episode = notice.episode,
                rule = notice.rule,
                level,
                org = notice.org,
                value = notice.value,
                threshold = notice.threshold,
                stale = notice.stale,
                summary = notice.summary,
                "alert notice"
            )
        };
    }
    match notice.severity {
        Severity::Info => say!(info),
        Severity::Warning => say!(warn),
        Severity::Page => say!(error),
    }
    Outcome::Taken
}
