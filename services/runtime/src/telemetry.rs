//! Logs: human on a terminal, JSON lines elsewhere; always on standard error, so that standard output carries results.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The environment variable that outranks the configured filter, such as `info,runtime=debug`.
pub const FILTER_VARIABLE: &str = "SITREP_LOG";

/// Why the logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter {0:?} is not one, such as info or info,runtime=debug")]
    Filter(String),
    /// Something else set up the logs before.
    #[error("the logs are set up already")]
    Twice,
}

/// Sets up the logs of this process with a filter, unless [`FILTER_VARIABLE`] holds another.
pub fn init(filter: &str) -> Result<(), TelemetryError> {
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_else(|_| filter.to_owned());
    let parsed = parse(&filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr);
    let done = if std::io::stderr().is_terminal() { builder.try_init() } else { builder.json().try_init() };
    done.map_err(|_| TelemetryError::Twice)
}

/// Whether a text is a filter.
pub fn check(filter: &str) -> Result<(), TelemetryError> {
    parse(filter).map(|_| ())
}

/// `EnvFilter` takes any word for the name of a module that logs at all levels, a misspelt level too: each part must
/// say a level.
fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let says_a_level = |part: &str| {
        let level = part.rsplit('=').next().unwrap_or_default().trim();
        levels.iter().any(|name| level.eq_ignore_ascii_case(name))
    };
    let wrong = || TelemetryError::Filter(filter.to_owned());
    if !filter.split(',').all(says_a_level) {
        return Err(wrong());
    }
    EnvFilter::try_new(filter).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_named_and_a_second_set_up_refused() {
        let wrong = init("runtime=loud=very").unwrap_err();
        assert!(matches!(&wrong, TelemetryError::Filter(filter) if filter == "runtime=loud=very"), "{wrong}");
        for wrong in ["", "lowd", "info,", "info,runtime", "runtime=lowd"] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
        for right in ["info", "OFF", "info,runtime=debug", "warn,aggregator::pipeline=trace"] {
            assert!(check(right).is_ok(), "{right:?}");
        }
        init("info").unwrap();
        assert!(matches!(init("info"), Err(TelemetryError::Twice)));
    }
}
