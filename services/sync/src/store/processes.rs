//! Which processes live: on PostgreSQL each holds an advisory lock for as long as it does. A SQLite file belongs to one
//! process: all others are gone.

use db::{DbConn, DbError};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

/// Lets the server find out within half a minute that the host at the other end of this connection is gone, and with it
/// the locks it held. A process that is killed is noticed at once.
pub(crate) fn notice_a_lost_host(conn: &mut DbConn) -> Result<(), DbError> {
    if let DbConn::Pg(c) = conn {
        c.batch_execute(
            "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3",
        )?;
    }
    Ok(())
}

/// Takes the lock that tells that `process` lives, if nobody has it; it ends with the connection.
pub(crate) fn hold(conn: &mut DbConn, process: &str) -> Result<bool, DbError> {
    ask(
        conn,
        "SELECT pg_try_advisory_lock(hashtextextended('sealpost.sync.process.' || $1, 0)) AS free",
        process,
    )
}

/// Tells whether `process`, which is another one, is gone. Its lock is this transaction's then, so that of two who ask at
/// once one may be told that it lives.
pub(crate) fn is_gone(conn: &mut DbConn, process: &str) -> Result<bool, DbError> {
    ask(
        conn,
        "SELECT pg_try_advisory_xact_lock(hashtextextended('sealpost.sync.process.' || $1, 0)) AS free",
        process,
    )
}

fn ask(conn: &mut DbConn, sql: &str, process: &str) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = Bool)]
        free: bool,
    }

    match conn {
        DbConn::Pg(c) => Ok(diesel::sql_query(sql).bind::<Text, _>(process).get_result::<Answer>(c)?.free),
        DbConn::Sqlite(_) => Ok(true),
    }
}
