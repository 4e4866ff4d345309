//! A connection outside of the pool, for the one thread or task that owns it.

use crate::transaction::{self, Mode};
use crate::{Db, DbConn, DbError};

/// A connection of its own: what lives as long as a session (an advisory lock) stays with
/// its owner. All its calls block: use it on a thread of its own or in `spawn_blocking`.
pub struct Session {
    db: Db,
    conn: DbConn,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] with the true cause.
    pub fn open(db: &Db) -> Result<Self, DbError> {
        Ok(Self { db: db.clone(), conn: db.connector().open()? })
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
        transaction::finish(&mut self.conn, Mode::Write, work)
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

    /// Tells whether the connection is gone; a lost session never comes back.
    pub fn is_lost(&mut self) -> bool {
        transaction::is_lost(&mut self.conn)
    }
}
