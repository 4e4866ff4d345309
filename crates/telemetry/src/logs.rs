//! Where log lines go and which of them.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// The section `[telemetry]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// What is logged: a level (`info`) or directives (`info,mailbox=debug`); with `info,follow=debug` also how far each
    /// request has come.
    pub level: String,
    /// How a log line looks.
    pub format: LogFormat,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person at a terminal.
    Text,
    /// One JSON object a line, for a log store.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `telemetry.level` is neither a level nor a list of directives.
    #[error("telemetry.level: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
}

/// Sends the events of this process to stderr. Only the first call in a process has an effect: programs call it once,
/// and tests that start several services in one process may each call it.
///
/// # Errors
/// [`TelemetryError::Level`] when the level cannot be understood.
pub fn init(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.level)?;
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    // That stderr is gone, as with its terminal, would be told on stderr, by a panic.
    let builder = builder.log_internal_errors(false);
    // An error means that a subscriber is there already, which the contract allows.
    let _ = match settings.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_accepted_and_nonsense_is_refused() {
        let with = |level: &str| TelemetrySettings { level: level.to_owned(), ..Default::default() };

        assert!(init(&with("warn,mailbox=debug")).is_ok());
        assert!(init(&with("debug")).is_ok(), "a second call is allowed");
        assert!(init(&with("mailbox=loud")).is_err());
    }
}
