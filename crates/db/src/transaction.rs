//! Begin, commit and roll back on one connection, so that every path through the crate means the same by
//! them.

use std::sync::Arc;

use diesel::QueryResult;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};

use crate::{DbConn, DbError, on_backend};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One snapshot; PostgreSQL refuses writes.
    Read,
    /// SQLite takes its write lock at once: a transaction that reads first and wants to write later fails
    /// when another one has written meanwhile, whatever the busy timeout.
    Write,
}

pub(crate) fn begin(conn: &mut DbConn, mode: Mode) -> QueryResult<()> {
    let sql = match (&*conn, mode) {
        (DbConn::Pg(_), Mode::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (DbConn::Pg(_), Mode::Write) | (DbConn::Sqlite(_), Mode::Read) => "BEGIN",
        (DbConn::Sqlite(_), Mode::Write) => "BEGIN IMMEDIATE",
    };
    on_backend!(conn, |c| AnsiTransactionManager::begin_transaction_sql(c, sql))
}

/// Runs `work` in the transaction that [`begin`] opened and ends it.
pub(crate) fn finish<T, E: From<DbError>>(
    conn: &mut DbConn,
    mode: Mode,
    work: impl FnOnce(&mut DbConn) -> Result<T, E>,
) -> Result<T, E> {
    match work(conn) {
        Ok(value) if mode == Mode::Write => {
            commit(conn)?;
            Ok(value)
        }
        // What was read stays true even if the connection goes before the transaction is closed.
        done => {
            rollback(conn);
            done
        }
    }
}

fn commit(conn: &mut DbConn) -> Result<(), DbError> {
    let committed = match conn {
        // PostgreSQL answers COMMIT in a failed transaction with success and rolls back. A statement before
        // it, in the same message, fails in that case: an error that `work` swallowed cannot look stored.
        // libpq's transaction status then tells diesel that the transaction is over.
        DbConn::Pg(c) => c.batch_execute("SELECT; COMMIT"),
        DbConn::Sqlite(c) => AnsiTransactionManager::commit_transaction(c),
    };
    let Err(error) = committed else { return Ok(()) };
    if is_lost(conn) {
        return Err(DbError::CommitUnknown(Arc::new(error)));
    }
    rollback(conn);
    Err(error.into())
}

/// Rolls back what is open. A failure needs no answer: the connection then counts as broken and is dropped.
pub(crate) fn rollback(conn: &mut DbConn) {
    let _ = on_backend!(conn, |c| AnsiTransactionManager::rollback_transaction(c));
}

/// Tells whether the connection is gone, as opposed to merely being inside a transaction.
pub(crate) fn is_lost(conn: &mut DbConn) -> bool {
    on_backend!(conn, |c| AnsiTransactionManager::transaction_manager_status_mut(c)
        .transaction_depth()
        .is_err())
}
