//! What can go wrong with a database, by what the caller can do about it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use common::models::problem::{AsProblem, ProblemKind};
use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// The original error, shared because one failure can answer many callers of a batch.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// A failed database call. The text carries the cause but never a value of a row.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The settings cannot work; a person has to change them.
    #[error("{0}")]
    Settings(String),
    /// No connection could be made, or it was lost before the commit: nothing was stored, try again later.
    #[error("database unavailable: {0}")]
    Unavailable(#[source] Cause),
    /// The connection was lost while committing: the work is stored or it is not. Only an idempotent call
    /// may be repeated.
    #[error("database connection lost during commit, outcome unknown: {0}")]
    CommitUnknown(#[source] Cause),
    /// A queue, the pool or a lock was waited for in vain: nothing was stored, try again soon.
    #[error("database overloaded: {0}")]
    Overloaded(&'static str),
    /// A unique index or primary key refused the row; nothing was stored.
    #[error("the same entry exists already")]
    UniqueViolation {
        /// PostgreSQL: the name of the constraint. SQLite: `table.column`, comma-separated for several.
        constraint: String,
    },
    /// Anything else: a bug in a query or a schema that does not fit.
    #[error("database error: {0}")]
    Other(#[source] Cause),
}

impl DbError {
    pub(crate) fn unavailable(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(cause))
    }

    /// Wraps a failure that no caller can act on.
    pub fn other(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(Arc::from(cause.into()))
    }
}

impl AsProblem for DbError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::Unavailable(_) | Self::CommitUnknown(_) | Self::Overloaded(_) => ProblemKind::Unavailable,
            Self::UniqueViolation { .. } => ProblemKind::Conflict("already-exists"),
            Self::Settings(_) | Self::Other(_) => ProblemKind::Internal,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable(_) | Self::CommitUnknown(_) => Some(Duration::from_secs(2)),
            Self::Overloaded(_) => Some(Duration::from_secs(1)),
            Self::Settings(_) | Self::UniqueViolation { .. } | Self::Other(_) => None,
        }
    }
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                let constraint = info
                    .constraint_name()
                    .or_else(|| info.message().strip_prefix("UNIQUE constraint failed: "))
                    .unwrap_or_default();
                Self::UniqueViolation { constraint: constraint.to_owned() }
            }
            DieselError::DatabaseError(kind, info) => match failure(kind, info.message()) {
                Failure::Lost => Self::unavailable(error),
                Failure::Contention => Self::Overloaded("locks held by other transactions"),
                Failure::Other => Self::other(error),
            },
            DieselError::BrokenTransactionManager => Self::unavailable(error),
            _ => Self::other(error),
        }
    }
}

enum Failure {
    Lost,
    Contention,
    Other,
}

/// diesel has no kinds for a busy SQLite file, a full disk or a deadlock, and misses some lost connections
/// (the error of the last statement can arrive before libpq has noticed the end of the connection).
fn failure(kind: &DatabaseErrorKind, message: &str) -> Failure {
    const LOST: [&str; 6] = [
        "terminating connection",
        "server closed the connection",
        "no connection to the server",
        "SSL connection has been closed",
        "database or disk is full",
        "could not extend file",
    ];
    const CONTENTION: [&str; 3] = ["database is locked", "database table is locked", "deadlock detected"];
    match kind {
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => Failure::Lost,
        DatabaseErrorKind::SerializationFailure => Failure::Contention,
        _ if LOST.iter().any(|text| message.contains(text)) => Failure::Lost,
        _ if CONTENTION.iter().any(|text| message.contains(text)) => Failure::Contention,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_database(kind: DatabaseErrorKind, message: &str) -> DbError {
        DieselError::DatabaseError(kind, Box::new(message.to_owned())).into()
    }

    #[test]
    fn database_errors_become_what_a_caller_can_act_on() {
        use DatabaseErrorKind as Kind;
        let cases = [
            (Kind::ClosedConnection, "FATAL", 503, true),
            (Kind::UnableToSendCommand, "no connection", 503, true),
            (Kind::Unknown, "terminating connection due to administrator command", 503, true),
            (Kind::Unknown, "database or disk is full", 503, true),
            (Kind::Unknown, "database is locked", 503, true),
            (Kind::Unknown, "deadlock detected", 503, true),
            (Kind::SerializationFailure, "could not serialize access", 503, true),
            (Kind::UniqueViolation, "UNIQUE constraint failed: names.name", 409, false),
            (Kind::CheckViolation, "CHECK constraint failed: n >= 0", 500, false),
            (Kind::Unknown, "no such table: t", 500, false),
        ];
        for (kind, message, status, again) in cases {
            let error = from_database(kind, message);
            assert_eq!(error.kind().status(), status, "{message}");
            assert_eq!(error.retry_after().is_some(), again, "{message}");
        }
    }

    #[test]
    fn text_for_callers_names_no_constraint() {
        let error = from_database(DatabaseErrorKind::UniqueViolation, "UNIQUE constraint failed: names.name");

        assert_eq!(error.to_string(), "the same entry exists already");
        assert!(matches!(error, DbError::UniqueViolation { constraint } if constraint == "names.name"));
    }
}
