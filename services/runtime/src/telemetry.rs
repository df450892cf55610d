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
    let parsed = EnvFilter::try_new(&filter).map_err(|_| TelemetryError::Filter(filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr);
    let done = if std::io::stderr().is_terminal() { builder.try_init() } else { builder.json().try_init() };
    done.map_err(|_| TelemetryError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_named_and_a_second_set_up_refused() {
        let wrong = init("runtime=loud=very").unwrap_err();
        assert!(matches!(&wrong, TelemetryError::Filter(filter) if filter == "runtime=loud=very"), "{wrong}");
        init("info").unwrap();
        assert!(matches!(init("info"), Err(TelemetryError::Twice)));
    }
}
