//! Sessions that are under way.

use common::models::UnixMillis;
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::sync_sessions;
use crate::domain::session::{Session, Stage};
use crate::domain::{Holder, SyncId, UserId};

/// A session as stored.
#[derive(Debug, Clone, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = sync_sessions, primary_key(user_id, session_id), treat_none_as_null = true)]
struct SessionRow {
    user_id: UserId,
    session_id: SyncId,
    shown_id: SyncId,
    state: Stage,
    turn: i32,
    turn_until: UnixMillis,
    expires_at: UnixMillis,
    public_key: Option<Vec<u8>>,
    process: Option<String>,
    connection: Option<String>,
}

/// A session, whose it is, and who shows it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) user: UserId,
    pub(crate) id: SyncId,
    pub(crate) session: Session,
    pub(crate) holder: Option<Holder>,
}

impl From<SessionRow> for Stored {
    fn from(row: SessionRow) -> Self {
        Self {
            user: row.user_id,
            id: row.session_id,
            session: Session {
                shown: row.shown_id,
                stage: row.state,
                // Only what fits goes in.
                turn: u16::try_from(row.turn).unwrap_or(u16::MAX),
                turn_until: row.turn_until,
                expires_at: row.expires_at,
                public_key: row.public_key,
            },
            holder: row
                .process
                .zip(row.connection)
                .map(|(process, connection)| Holder { process, connection }),
        }
    }
}

impl From<&Stored> for SessionRow {
    fn from(stored: &Stored) -> Self {
        let Stored { user, id, session, holder } = stored.clone();
        let (process, connection) = holder.map(|holder| (holder.process, holder.connection)).unzip();
        Self {
            user_id: user,
            session_id: id,
            shown_id: session.shown,
            state: session.stage,
            turn: session.turn.into(),
            turn_until: session.turn_until,
            expires_at: session.expires_at,
            public_key: session.public_key,
            process,
            connection,
        }
    }
}

/// Stores a new session.
pub(crate) fn insert(conn: &mut DbConn, new: &Stored) -> Result<(), DbError> {
    diesel::insert_into(sync_sessions::table).values(SessionRow::from(new)).execute(conn)?;
    Ok(())
}

/// Reads a session by its own id.
pub(crate) fn find(conn: &mut DbConn, user: &UserId, id: &SyncId) -> Result<Option<Stored>, DbError> {
    let row = sync_sessions::table.find((user, id)).first::<SessionRow>(conn).optional()?;
    Ok(row.map(Stored::from))
}

/// Reads a session by its own id, and keeps others from it until the transaction ends.
pub(crate) fn lock(conn: &mut DbConn, user: &UserId, id: &SyncId) -> Result<Option<Stored>, DbError> {
    let row = sync_sessions::table.find((user, id));
    let found: Option<SessionRow> = match conn {
        DbConn::Pg(c) => row.for_update().first(c).optional()?,
        DbConn::Sqlite(c) => row.first(c).optional()?,
    };
    Ok(found.map(Stored::from))
}

/// Reads a session by the id in the URL that counts.
pub(crate) fn find_shown(
    conn: &mut DbConn,
    user: &UserId,
    shown: &SyncId,
) -> Result<Option<Stored>, DbError> {
    let rows = sync_sessions::table.filter(sync_sessions::user_id.eq(user));
    let row = rows.filter(sync_sessions::shown_id.eq(shown)).first::<SessionRow>(conn).optional()?;
    Ok(row.map(Stored::from))
}

/// Reads a session by the id in the URL that counts, and keeps others from it until the transaction ends.
pub(crate) fn lock_shown(
    conn: &mut DbConn,
    user: &UserId,
    shown: &SyncId,
) -> Result<Option<Stored>, DbError> {
    let rows = sync_sessions::table.filter(sync_sessions::user_id.eq(user));
    let row = rows.filter(sync_sessions::shown_id.eq(shown));
    let found: Option<SessionRow> = match conn {
        // A turn that was waited for has put another id in its place: PostgreSQL looks at the condition again.
        DbConn::Pg(c) => row.for_update().first(c).optional()?,
        DbConn::Sqlite(c) => row.first(c).optional()?,
    };
    Ok(found.map(Stored::from))
}

/// Replaces a session that was locked.
pub(crate) fn update(conn: &mut DbConn, stored: &Stored) -> Result<(), DbError> {
    let row = sync_sessions::table.find((&stored.user, &stored.id));
    diesel::update(row).set(SessionRow::from(stored)).execute(conn)?;
    Ok(())
}

/// Notes that a connection shows its session no more.
pub(crate) fn leave(conn: &mut DbConn, user: &UserId, id: &SyncId, connection: &str) -> Result<(), DbError> {
    let held = sync_sessions::table.find((user, id)).filter(sync_sessions::connection.eq(connection));
    let nobody = (sync_sessions::process.eq(None::<String>), sync_sessions::connection.eq(None::<String>));
    diesel::update(held).set(nobody).execute(conn)?;
    Ok(())
}

/// Removes a session.
pub(crate) fn delete(conn: &mut DbConn, user: &UserId, id: &SyncId) -> Result<(), DbError> {
    diesel::delete(sync_sessions::table.find((user, id))).execute(conn)?;
    Ok(())
}

/// Removes all sessions of a user.
pub(crate) fn delete_of(conn: &mut DbConn, user: &UserId) -> Result<(), DbError> {
    diesel::delete(sync_sessions::table.filter(sync_sessions::user_id.eq(user))).execute(conn)?;
    Ok(())
}

/// Removes up to `limit` sessions that have expired; returns how many.
pub(crate) fn prune(conn: &mut DbConn, now: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let prune = diesel::sql_query(
        "DELETE FROM sync_sessions WHERE (user_id, session_id) IN (SELECT user_id, session_id FROM sync_sessions \
         WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) AND expires_at <= $1",
    );
    let prune = prune.bind::<BigInt, _>(now).bind::<BigInt, _>(limit);
    Ok(on_backend!(conn, |c| prune.execute(c))?)
}
