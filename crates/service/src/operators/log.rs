//! The table of the log. Each service has its own, of this shape:
//!
//! ```sql
//! CREATE TABLE admin_audit (
//!     id BIGINT NOT NULL PRIMARY KEY,
//!     at BIGINT NOT NULL,
//!     actor TEXT NOT NULL,
//!     action TEXT NOT NULL,
//!     target TEXT NOT NULL,
//!     hash TEXT NOT NULL
//! );
//! -- The last entry that was removed for its age, to whose hash the first one that is left is chained.
//! CREATE TABLE admin_audit_start (
//!     id BIGINT NOT NULL PRIMARY KEY,
//!     hash TEXT NOT NULL
//! );
//! ```

use std::time::Duration;

use common::models::UnixMillis;
use db::{Db, DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Failure, Service, Task};

use super::Act;
use super::chain::Link;
use crate::platform::Platform;
use crate::sweeper::sweep_every;

/// Makes those who add to a log take turns.
const TURN: i64 = 0x5345_414c_5f41_5544;

/// How often old entries are looked for, and how many go in one transaction.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
const ROUND: i64 = 500;

/// Entries of one page at most, and if nothing is said.
const MOST: i64 = 1000;
const USUAL: i64 = 100;

/// Which page of the log.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditPage {
    /// The id of the last entry that is known; 0 for none.
    #[serde(default)]
    #[param(minimum = 0)]
    after: i64,
    /// Entries of one page: 1 to 1000, 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// Something that an operator did.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Counts from 1 without gaps.
    id: i64,
    #[schema(value_type = i64)]
    at: UnixMillis,
    /// Who, as far as the request told.
    actor: String,
    /// What.
    action: String,
    /// To what.
    target: String,
    /// Covers this entry and all before it.
    hash: String,
    /// Whether the hash is right behind the entry before.
    intact: bool,
}

/// An entry as stored.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    at: UnixMillis,
    #[diesel(sql_type = Text)]
    actor: String,
    #[diesel(sql_type = Text)]
    action: String,
    #[diesel(sql_type = Text)]
    target: String,
    #[diesel(sql_type = Text)]
    hash: String,
}

/// An entry that is gone.
#[derive(QueryableByName)]
struct Start {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    hash: String,
}

impl Row {
    fn follows(&self, before: &str) -> bool {
        let Self { id, at, actor, action, target, hash } = self;
        Link { id: *id, at: *at, actor, action, target }.hash(before) == *hash
    }
}

/// What comes right before an entry: number and hash of the one before it, or nothing.
type Before = (i64, String);

/// The names of a service's tables.
#[derive(Clone, Copy, Debug)]
pub struct AuditTable {
    entries: &'static str,
    start: &'static str,
}

impl AuditTable {
    /// The tables that a service has for this alone.
    pub const ADMIN: Self = Self::named("admin_audit", "admin_audit_start");

    /// Tables of the same shape under other names.
    #[must_use]
    pub const fn named(entries: &'static str, start: &'static str) -> Self {
        Self { entries, start }
    }

    /// Has a service remove entries of a log in `db` once they are older than `[internal] audit_retention`.
    pub fn forget(self, service: &mut Service, platform: &Platform, db: &Db) {
        let retention = platform.settings.internal.audit_retention;
        if retention.age().is_none() {
            return;
        }
        let (db, clock) = (db.clone(), platform.clock.clone());
        service.tasks.push(Task::new("audit-retention", move |cancel| async move {
            let sweep = || async {
                let Some(before) = retention.before(clock.now()) else { return Ok(()) };
                while db.write(move |conn| self.prune(conn, before, ROUND)).await? == ROUND {}
                Ok::<_, DbError>(())
            };
            sweep_every(LOOK_EVERY, cancel, sweep).await;
            Ok::<_, DbError>(())
        }));
    }

    /// Adds an entry, in the transaction of what it tells of.
    ///
    /// # Errors
    /// Those of the database.
    pub fn add(self, conn: &mut DbConn, act: &Act, now: UnixMillis) -> Result<(), DbError> {
        take_turn(conn)?;
        let newest = self.rows(conn, "ORDER BY id DESC LIMIT $1 OFFSET $2", [1, 0])?.pop();
        let (last, before) = match newest {
            Some(newest) => (newest.id, newest.hash),
            None => self.start(conn)?,
        };
        let Act { actor, action, target } = act;
        let id = last.saturating_add(1);
        let hash = Link { id, at: now, actor, action, target }.hash(&before);
        let insert = format!(
            "INSERT INTO {} (id, at, actor, action, target, hash) VALUES ($1, $2, $3, $4, $5, $6)",
            self.entries
        );
        let insert = diesel::sql_query(insert)
            .bind::<BigInt, _>(id)
            .bind::<BigInt, _>(now)
            .bind::<Text, _>(actor)
            .bind::<Text, _>(*action)
            .bind::<Text, _>(target)
            .bind::<Text, _>(hash);
        on_backend!(conn, |c| insert.execute(c))?;
        Ok(())
    }

    /// Reads a page, in order, and says of each entry whether it is as it was written.
    ///
    /// # Errors
    /// 400 for a page that cannot be, those of the database.
    pub async fn read(self, db: &Db, page: AuditPage) -> Result<Vec<AuditEntry>, Failure> {
        let AuditPage { after, limit } = page;
        let limit = limit.unwrap_or(USUAL);
        if after < 0 || !(1..=MOST).contains(&limit) {
            return Err(Failure::invalid("", "expected after from 0, and limit from 1 to 1000"));
        }
        // With the one before, to whose hash the first one is chained.
        let from = [after.saturating_sub(1), limit + 1];
        let reading = db.read(move |conn| {
            let rows = self.rows(conn, "WHERE id > $1 ORDER BY id LIMIT $2", from)?;
            Ok::<_, DbError>((self.start(conn)?, rows))
        });
        let (start, rows) = reading.await?;
        Ok(entries(start, rows, after, limit))
    }

    /// Removes up to `limit` entries from before `before`, the first ones first and none behind a younger one: what is left
    /// stays a chain. Gives how many.
    ///
    /// # Errors
    /// Those of the database.
    pub fn prune(self, conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<i64, DbError> {
        take_turn(conn)?;
        let first = self.rows(conn, "ORDER BY id LIMIT $1 OFFSET $2", [limit, 0])?;
        let mut old = 0;
        let Some(last) = first.into_iter().take_while(|row| row.at < before).inspect(|_| old += 1).last()
        else {
            return Ok(0);
        };
        let Self { entries, start } = self;
        let forget = diesel::sql_query(format!("DELETE FROM {start}"));
        let note = diesel::sql_query(format!("INSERT INTO {start} (id, hash) VALUES ($1, $2)"));
        let note = note.bind::<BigInt, _>(last.id).bind::<Text, _>(last.hash);
        let remove =
            diesel::sql_query(format!("DELETE FROM {entries} WHERE id <= $1")).bind::<BigInt, _>(last.id);
        on_backend!(conn, |c| {
            forget.execute(c)?;
            note.execute(c)?;
            remove.execute(c)
        })?;
        Ok(old)
    }

    /// Gives what comes right before the first entry.
    fn start(self, conn: &mut DbConn) -> Result<Before, DbError> {
        let start = diesel::sql_query(format!("SELECT id, hash FROM {}", self.start));
        let start: Option<Start> = on_backend!(conn, |c| start.get_result(c).optional())?;
        Ok(start.map(|start| (start.id, start.hash)).unwrap_or_default())
    }

    fn rows(self, conn: &mut DbConn, which: &str, numbers: [i64; 2]) -> Result<Vec<Row>, DbError> {
        let [first, second] = numbers;
        let select = format!("SELECT id, at, actor, action, target, hash FROM {} {which}", self.entries);
        let select = diesel::sql_query(select).bind::<BigInt, _>(first).bind::<BigInt, _>(second);
        Ok(on_backend!(conn, |c| select.load(c))?)
    }
}

/// Waits until nobody else adds to a log or removes from it, until the transaction ends.
fn take_turn(conn: &mut DbConn) -> Result<(), DbError> {
    if let DbConn::Pg(c) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(TURN).execute(c)?;
    }
    Ok(())
}

fn entries(start: Before, rows: Vec<Row>, after: i64, limit: i64) -> Vec<AuditEntry> {
    let mut entries = Vec::with_capacity(rows.len());
    let mut before = start;
    for row in rows {
        let (id, hash) = before;
        let intact = id + 1 == row.id && row.follows(&hash);
        before = (row.id, row.hash.clone());
        if row.id > after && i64::try_from(entries.len()).is_ok_and(|count| count < limit) {
            let Row { id, at, actor, action, target, hash } = row;
            entries.push(AuditEntry { id, at, actor, action, target, hash, intact });
        }
    }
    entries
}
