//! A connection outside of the pool, for the one thread or task that owns it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;

use crate::transaction::{self, Mode};
use crate::{Db, DbConn, DbError, migrations};

/// After that long a connection may have gone unnoticed: an empty BEGIN finds out before anything depends on it.
const FRESH: Duration = Duration::from_secs(1);

/// A connection of its own: what lives as long as a session (an advisory lock) stays with
/// its owner. All its calls block: use it on a thread of its own or in `spawn_blocking`.
pub struct Session {
    db: Db,
    conn: DbConn,
    used: Instant,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] with the true cause.
    pub fn open(db: &Db) -> Result<Self, DbError> {
        Ok(Self { db: db.clone(), conn: db.connector().open()?, used: Instant::now() })
    }

    /// Keeps migrations of the schemas of `dbs` from running while this session lives, and waits for those that run; on
    /// SQLite the file is enough. Call it outside of a transaction.
    ///
    /// # Errors
    /// [`DbError`] of the lock.
    pub fn hold_migrations<'a>(&mut self, dbs: impl IntoIterator<Item = &'a Db>) -> Result<(), DbError> {
        if let DbConn::Pg(c) = &mut self.conn {
            for db in dbs {
                c.batch_execute(&migrations::hold(db.schema()))?;
            }
        }
        Ok(())
    }

    /// Runs `work` as one transaction, as [`Db::write`] does.
    ///
    /// # Errors
    /// As [`Db::write`]; ask [`Session::is_lost`] whether to open another session.
    pub fn write<T, E: From<DbError>>(
        &mut self,
        work: impl FnOnce(&mut DbConn) -> Result<T, E>,
    ) -> Result<T, E> {
        let _writer = self.db.blocking_writer();
        transaction::begin(&mut self.conn, Mode::Write).map_err(DbError::from)?;
        let done = transaction::finish(&mut self.conn, Mode::Write, work);
        self.used = Instant::now();
        done
    }

    /// Runs `work`, which is one statement on PostgreSQL and so a transaction by itself: BEGIN and COMMIT would be two
    /// more round trips. SQLite, where they cost nothing, has its transaction, and so has a connection that has rested.
    ///
    /// # Errors
    /// As [`Session::write`]; [`DbError::CommitUnknown`] when the connection went, whenever that was.
    pub fn write_single<T, E: From<DbError>>(
        &mut self,
        work: impl FnOnce(&mut DbConn) -> Result<T, E>,
    ) -> Result<T, E> {
        if matches!(self.conn, DbConn::Sqlite(_)) || self.used.elapsed() > FRESH {
            return self.write(work);
        }
        let done = work(&mut self.conn);
        self.used = Instant::now();
        match done {
            Err(_) if self.is_lost() => Err(DbError::CommitUnknown(Arc::new(Gone)).into()),
            done => done,
        }
    }

    /// Runs `work` on one snapshot, as [`Db::read`] does.
    ///
    /// # Errors
    /// As [`Db::read`]; ask [`Session::is_lost`] whether to open another session.
    pub fn read<T, E: From<DbError>>(
        &mut self,
        work: impl FnOnce(&mut DbConn) -> Result<T, E>,
    ) -> Result<T, E> {
        transaction::begin(&mut self.conn, Mode::Read).map_err(DbError::from)?;
        transaction::finish(&mut self.conn, Mode::Read, work)
    }

    /// Runs `work`, which reads with one statement on PostgreSQL: that has its snapshot without BEGIN and ROLLBACK.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn read_single<T, E: From<DbError>>(
        &mut self,
        work: impl FnOnce(&mut DbConn) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.conn {
            DbConn::Pg(_) => work(&mut self.conn),
            DbConn::Sqlite(_) => self.read(work),
        }
    }

    /// Tells whether the connection is gone; a lost session never comes back.
    pub fn is_lost(&mut self) -> bool {
        transaction::is_lost(&mut self.conn)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection went during a statement")]
struct Gone;
