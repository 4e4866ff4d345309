//! The handle a service holds: a pool, and transactions as closures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use common::models::UnixMillis;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::r2d2::{Pool, PooledConnection};
use diesel::sql_types::{BigInt, Integer};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::connector::Connector;
use crate::transaction::{self, Mode};
use crate::{Backend, DbConn, DbError, DbSettings};

/// One service's database. Clones share the pool.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    connector: Connector,
    pool: Pool<Connector>,
    /// One permit per connection, so that callers wait as futures and not as blocked threads.
    permits: Arc<Semaphore>,
    /// SQLite has one writer at a time and lets the others poll; this queue is fair and wakes them.
    writer: Arc<Mutex<()>>,
    checkout_timeout: Duration,
}

/// What a transaction holds while it runs. The connection goes back before this is dropped.
struct Turn {
    _permit: OwnedSemaphorePermit,
    _writer: Option<OwnedMutexGuard<()>>,
}

impl Db {
    /// Makes the handle without connecting: a database that is down shows in the first call, not here.
    /// `schema` names the service (lower case, digits, `_`): on PostgreSQL its schema, on SQLite nothing but
    /// a name in logs.
    ///
    /// # Errors
    /// [`DbError::Settings`] for an unusable URL, schema name, pool size or timeout.
    pub fn new(settings: &DbSettings, schema: &str) -> Result<Self, DbError> {
        let connector = Connector::new(settings, schema)?;
        if settings.pool_size == 0 || settings.checkout_timeout.is_zero() {
            return Err(DbError::Settings(
                "database.pool_size and database.checkout_timeout must be above 0".into(),
            ));
        }
        let pool = Pool::builder()
            .max_size(settings.pool_size)
            .min_idle(Some(0))
            // The BEGIN of each transaction is the test, see `checkout`.
            .test_on_check_out(false)
            .connection_timeout(settings.checkout_timeout)
            .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
            .build_unchecked(connector.clone());
        Ok(Self(Arc::new(Inner {
            connector,
            pool,
            permits: Arc::new(Semaphore::new(settings.pool_size as usize)),
            writer: Arc::new(Mutex::new(())),
            checkout_timeout: settings.checkout_timeout,
        })))
    }

    /// Tells which backend the URL chose.
    pub fn backend(&self) -> Backend {
        self.0.connector.backend()
    }

    /// The name given to [`Db::new`].
    pub fn schema(&self) -> &str {
        self.0.connector.schema()
    }

    /// Runs `work` on one snapshot of the data, in a blocking thread. It must not write: PostgreSQL refuses
    /// it, on SQLite it would not wait its turn.
    ///
    /// # Errors
    /// What `work` returns, or [`DbError::Unavailable`] / [`DbError::Overloaded`] when it got no connection.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut DbConn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run(Mode::Read, work).await
    }

    /// Runs `work` as one transaction in a blocking thread: committed when it returns `Ok`, rolled back when
    /// it returns `Err`. A transaction inside it is a savepoint. Dropping the future does not stop work that
    /// has begun: it may commit after its caller has gone, so make it idempotent.
    ///
    /// # Errors
    /// What `work` returns; [`DbError::Unavailable`] or [`DbError::Overloaded`] when nothing was stored;
    /// [`DbError::CommitUnknown`] when the connection went while committing; [`DbError::Other`] when `work`
    /// returned `Ok` although a statement outside of a savepoint had failed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut DbConn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run(Mode::Write, work).await
    }

    /// Checks that a transaction can be begun, for readiness.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] with the true cause, or [`DbError::Overloaded`].
    pub async fn ping(&self) -> Result<(), DbError> {
        self.read(|_| Ok(())).await
    }

    /// Reads the database's clock; none for SQLite, which has the one of this process.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn clock(&self) -> Result<Option<UnixMillis>, DbError> {
        self.read(|conn| match conn {
            DbConn::Pg(c) => {
                let now = sql::<BigInt>("(extract(epoch FROM clock_timestamp()) * 1000)::bigint");
                Ok(Some(UnixMillis(diesel::select(now).get_result(c)?)))
            }
            DbConn::Sqlite(_) => Ok(None),
        })
        .await
    }

    /// Reads the version of PostgreSQL as a number, `150020` for 15.20; none for SQLite, which comes with us.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn server_version(&self) -> Result<Option<i32>, DbError> {
        self.read(|conn| match conn {
            DbConn::Pg(c) => {
                let version = sql::<Integer>("current_setting('server_version_num')::int");
                Ok(Some(diesel::select(version).get_result(c)?))
            }
            DbConn::Sqlite(_) => Ok(None),
        })
        .await
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// The write lock of SQLite for a thread of its own; PostgreSQL needs none.
    pub(crate) fn blocking_writer(&self) -> Option<OwnedMutexGuard<()>> {
        match self.backend() {
            Backend::Sqlite => Some(self.0.writer.clone().blocking_lock_owned()),
            Backend::Postgres => None,
        }
    }

    async fn run<T, E, F>(&self, mode: Mode, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut DbConn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let turn = self.turn(mode).await?;
        let db = self.clone();
        let running = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut conn = db.checkout(mode)?;
            transaction::finish(&mut conn, mode, work)
        });
        match running.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(stopping) => Err(DbError::unavailable(stopping).into()),
            },
        }
    }

    /// Waits for the right to run. The writer's lock comes first: waiting writers must not hold the
    /// connections that readers could use.
    async fn turn(&self, mode: Mode) -> Result<Turn, DbError> {
        let inner = &self.0;
        let both = async {
            let writer = match (mode, self.backend()) {
                (Mode::Write, Backend::Sqlite) => Some(inner.writer.clone().lock_owned().await),
                _ => None,
            };
            let permit = inner.permits.clone().acquire_owned().await.map_err(DbError::other)?;
            Ok(Turn { _permit: permit, _writer: writer })
        };
        tokio::time::timeout(inner.checkout_timeout, both)
            .await
            .unwrap_or(Err(DbError::Overloaded("no connection free")))
    }

    fn connection(&self) -> Result<PooledConnection<Connector>, DbError> {
        let Inner { pool, connector, checkout_timeout, .. } = &*self.0;
        if let Some(conn) = pool.try_get() {
            return Ok(conn);
        }
        if pool.state().connections == 0
            && let Some(error) = connector.long_outage(*checkout_timeout)
        {
            return Err(error);
        }
        pool.get().map_err(|_| connector.unavailable())
    }

    /// Takes a connection and begins the transaction on it. A connection that died while idle (a restarted
    /// server) shows here, before any work was done, so the next one is tried.
    fn checkout(&self, mode: Mode) -> Result<PooledConnection<Connector>, DbError> {
        let mut tries = self.0.pool.max_size();
        loop {
            let mut conn = self.connection()?;
            match transaction::begin(&mut conn, mode) {
                Ok(()) => return Ok(conn),
                Err(_) if tries > 0 && transaction::is_lost(&mut conn) => tries -= 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("backend", &self.backend())
            .field("schema", &self.schema())
            .finish_non_exhaustive()
    }
}
