//! Why a program does not start, or ends.

use std::process::ExitCode;

/// Anything that ends a program. What merely fails for a while (a database, a broker that is away) is not among it:
/// that makes the service not ready.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong; a person has to change them.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// Logging cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] telemetry::TelemetryError),
    /// The database settings cannot work, or migrations failed.
    #[error(transparent)]
    Db(#[from] db::DbError),
    /// The bus cannot be opened.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
    /// The clients of the other services cannot be made.
    #[error(transparent)]
    Client(#[from] clients::ClientError),
    /// The server cannot listen, or a task that must run until the end did not.
    #[error(transparent)]
    Server(#[from] web::ServerError),
    /// Two series have one name.
    #[error("metrics: {0}")]
    Metrics(#[from] telemetry::prometheus::Error),
    /// A service could not be put together for a reason of its own.
    #[error("{service}: {source}")]
    Service {
        /// Its name.
        service: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system takes no output on stdout, or gives no threads or signal handlers.
    #[error("the operating system refused: {0}")]
    Output(#[from] std::io::Error),
}

impl StartError {
    /// Makes the error of a service that could not be put together.
    pub fn service(
        service: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Service { service, source: source.into() }
    }

    /// 2 for what a person has to change first (as for wrong arguments), 1 for what may pass.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Telemetry(_) | Self::Db(db::DbError::Settings(_)) => ExitCode::from(2),
            Self::Bus(bus::BusError::Settings(_)) | Self::Client(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
