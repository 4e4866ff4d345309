//! What can go wrong on the bus, by what the caller can do about it.

use std::{path::PathBuf, time::Duration};

use common::models::problem::{AsProblem, ProblemKind};

/// A failure of the bus. No variant carries record contents.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The settings cannot work; nothing will change until they do.
    #[error("bus settings: {0}")]
    Settings(String),
    /// Another process has the embedded log open.
    #[error(
        "{path} is in use by another process; configure Kafka ([bus] kind = \"kafka\") to share a bus between processes"
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The record is larger than the log takes; it was not written, and perhaps no other record of its call.
    #[error("a record of {size} bytes for topic {topic} exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Its topic.
        topic: String,
        /// Bytes of key, value and headers.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The broker or the disk did not do it; trying again later may help.
    #[error("the bus is unavailable: {reason}")]
    Unavailable {
        /// What was being done and what was seen.
        reason: String,
    },
    /// No confirmation in time. The records may or may not have been written.
    #[error("the bus did not confirm in time")]
    Timeout,
    /// The bus was closed in this process.
    #[error("the bus is closed")]
    Closed,
}

impl BusError {
    /// Makes an [`BusError::Unavailable`] of an action and its error.
    pub fn unavailable(action: &str, error: impl std::fmt::Display) -> Self {
        Self::Unavailable { reason: format!("{action}: {error}") }
    }

    /// Tells whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout)
    }
}

impl AsProblem for BusError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::Unavailable { .. } | Self::Closed => ProblemKind::Unavailable,
            Self::Timeout => ProblemKind::Timeout,
            Self::TooLarge { .. } => ProblemKind::TooLarge,
            Self::Settings(_) | Self::Locked { .. } => ProblemKind::Internal,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        self.is_transient().then_some(Duration::from_secs(2))
    }
}
