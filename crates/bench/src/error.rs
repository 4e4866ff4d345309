//! Why a measurement ended without a result.

use std::io;

use bus::BusError;
use testkit::process::InfraError;

/// A bench failed. Nobody can act on it but the person who reads it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A server or a service did not start.
    #[error(transparent)]
    Infra(#[from] InfraError),
    /// Kafka failed.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The system failed.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    /// What was measured did something else than its work.
    #[error("{0}")]
    Unexpected(String),
}

impl BenchError {
    /// Says what went wrong.
    pub(crate) fn unexpected(what: impl Into<String>) -> Self {
        Self::Unexpected(what.into())
    }

    /// Puts `doing` before the text of any error.
    pub(crate) fn of(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Unexpected(format!("{doing}: {error}"))
    }
}
