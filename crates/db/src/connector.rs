//! Makes connections: picks the backend, keeps the true error of a failed attempt, prepares the session.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, R2D2Connection};

use crate::error::Cause;
use crate::settings::{Synchronous, Target};
use crate::{Backend, DbConn, DbError, DbSettings};

/// The factory behind the pool. Clones share the memory of the last failure.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Inner>);

struct Inner {
    target: Target,
    schema: String,
    synchronous: Synchronous,
    /// `None` after a success.
    outage: Mutex<Option<Outage>>,
    /// The first connections to a new SQLite file all want to switch it to WAL, which does not wait.
    opening: Mutex<()>,
}

/// Attempts that failed one after the other.
struct Outage {
    /// Why the latest one failed; r2d2 keeps only its text.
    cause: Cause,
    since: Instant,
    latest: Instant,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("{}", .0.to_string().trim())]
    Connect(#[from] diesel::ConnectionError),
    #[error(transparent)]
    Setup(#[from] diesel::result::Error),
    #[error("cannot create the database file: {0}")]
    File(#[from] io::Error),
    #[error("{0}")]
    Noted(Cause),
}

impl Connector {
    /// `schema` becomes part of statements that take no parameters, so it is held to a plain identifier.
    pub(crate) fn new(settings: &DbSettings, schema: &str) -> Result<Self, DbError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if schema.is_empty() || schema.len() > 63 || !schema.chars().all(plain) {
            return Err(DbError::Settings(format!("{schema:?} cannot name a database schema")));
        }
        Ok(Self(Arc::new(Inner {
            target: settings.target()?,
            schema: schema.to_owned(),
            synchronous: settings.sqlite_synchronous,
            outage: Mutex::new(None),
            opening: Mutex::new(()),
        })))
    }

    pub(crate) fn backend(&self) -> Backend {
        match self.0.target {
            Target::Postgres(_) => Backend::Postgres,
            Target::Sqlite(_) => Backend::Sqlite,
        }
    }

    pub(crate) fn schema(&self) -> &str {
        &self.0.schema
    }

    /// Opens one connection and prepares its session.
    pub(crate) fn open(&self) -> Result<DbConn, DbError> {
        self.try_open().map_err(DbError::unavailable)
    }

    /// What to tell a caller who waited for a connection in vain.
    pub(crate) fn unavailable(&self) -> DbError {
        match &*lock(&self.0.outage) {
            Some(outage) => DbError::Unavailable(outage.cause.clone()),
            None => DbError::unavailable(io::Error::from(io::ErrorKind::TimedOut)),
        }
    }

    /// The error of an outage that is older than `patience` and was seen again within it: a short one is worth
    /// waiting for, a long one is not. The second condition keeps the answer honest: the pool retries at least
    /// twice in that time while anybody asks it, and if nobody did, the next caller has to find out.
    pub(crate) fn long_outage(&self, patience: Duration) -> Option<DbError> {
        let outage = lock(&self.0.outage);
        let known =
            outage.as_ref().filter(|o| o.since.elapsed() > patience && o.latest.elapsed() < patience)?;
        Some(DbError::Unavailable(known.cause.clone()))
    }

    fn try_open(&self) -> Result<DbConn, ConnectError> {
        let opened = match &self.0.target {
            Target::Postgres(url) => open_postgres(url, &self.0.schema).map(DbConn::Pg),
            Target::Sqlite(path) => {
                let _one_at_a_time = lock(&self.0.opening);
                open_sqlite(path, self.0.synchronous).map(DbConn::Sqlite)
            }
        };
        match opened {
            Ok(conn) => {
                if lock(&self.0.outage).take().is_some() {
                    tracing::info!(db.schema = self.0.schema, "database reachable again");
                }
                Ok(conn)
            }
            Err(error) => Err(ConnectError::Noted(self.note(Arc::new(error)))),
        }
    }

    fn note(&self, cause: Cause) -> Cause {
        let now = Instant::now();
        let mut outage = lock(&self.0.outage);
        // Every connection of the pool retries about once a second: say it once, not each time.
        if outage.as_ref().is_none_or(|outage| outage.cause.to_string() != cause.to_string()) {
            tracing::warn!(db.schema = self.0.schema, error = %cause, "cannot connect to the database");
        }
        let since = outage.as_ref().map_or(now, |outage| outage.since);
        *outage = Some(Outage { cause: cause.clone(), since, latest: now });
        cause
    }
}

impl ManageConnection for Connector {
    type Connection = DbConn;
    type Error = ConnectError;

    fn connect(&self) -> Result<DbConn, ConnectError> {
        self.try_open()
    }

    fn is_valid(&self, conn: &mut DbConn) -> Result<(), ConnectError> {
        Ok(conn.ping()?)
    }

    fn has_broken(&self, conn: &mut DbConn) -> bool {
        std::thread::panicking() || conn.is_broken()
    }
}

fn open_postgres(url: &str, schema: &str) -> Result<PgConnection, ConnectError> {
    let mut conn = PgConnection::establish(url)?;
    // The planner settings keep PostgreSQL from caching a sequential scan that was right while the tables were empty (our
    // statements are prepared, and each is to be found by an index), and from compiling what runs for microseconds.
    conn.batch_execute(&format!(
        "SET search_path TO {schema}; SET application_name TO 'sealpost-{schema}'; \
         SET idle_in_transaction_session_timeout TO '60s'; \
         SET enable_seqscan TO off; SET enable_mergejoin TO off; SET jit TO off"
    ))?;
    Ok(conn)
}

fn open_sqlite(path: &Path, synchronous: Synchronous) -> Result<SqliteConnection, ConnectError> {
    create_private(path)?;
    // "./" keeps SQLite from reading anything in a relative path as a URI.
    let path = if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) };
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = {}; \
         PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864",
        synchronous.as_str()
    ))?;
    Ok(conn)
}

/// Creates a missing file readable by its owner alone; SQLite gives its `-wal` and `-shm` the same mode.
fn create_private(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The data under these locks is replaced whole, so a panic elsewhere cannot leave it half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
