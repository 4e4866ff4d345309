//! The connection of whoever publishes. It holds a lock that only one process can have, and reads what is due: a process
//! that has lost the lock cannot go on by mistake.

use common::models::UnixMillis;
use db::{Db, DbConn, DbError, Session};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::store::incoming::{self, DueRow};

/// The right to publish, or the wish for it. Blocks: to be used where that is allowed.
pub(super) struct Seat {
    db: Db,
    session: Option<Session>,
    leads: bool,
}

impl Seat {
    pub(super) fn new(db: Db) -> Self {
        Self { db, session: None, leads: false }
    }

    /// Reads what is due; nothing while another process publishes.
    pub(super) fn due(&mut self, now: UnixMillis, limit: i64) -> Result<Vec<DueRow>, DbError> {
        let due = self.read(now, limit);
        if due.is_err() && self.session.as_mut().is_some_and(Session::is_lost) {
            self.session = None;
        }
        due
    }

    fn read(&mut self, now: UnixMillis, limit: i64) -> Result<Vec<DueRow>, DbError> {
        let session = match &mut self.session {
            Some(session) => session,
            None => {
                self.leads = false;
                self.session.insert(Session::open(&self.db)?)
            }
        };
        if !self.leads {
            self.leads = session.read(lead)?;
        }
        if self.leads { session.read(|conn| incoming::due(conn, now, limit)) } else { Ok(Vec::new()) }
    }
}

/// Takes the lock unless another process has it. It ends with the connection. A SQLite file belongs to one process.
fn lead(conn: &mut DbConn) -> Result<bool, DbError> {
    match conn {
        DbConn::Pg(c) => {
            let lock = "pg_try_advisory_lock(hashtextextended('sealpost.publisher.' || current_schema(), 0))";
            Ok(diesel::select(diesel::dsl::sql::<Bool>(lock)).get_result(c)?)
        }
        DbConn::Sqlite(_) => Ok(true),
    }
}
