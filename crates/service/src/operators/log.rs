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
//! ```

use common::models::UnixMillis;
use db::{Db, DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::Failure;

use super::Act;
use super::chain::Link;

/// Makes those who add to a log take turns.
const TURN: i64 = 0x5345_414c_5f41_5544;

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

impl Row {
    fn follows(&self, before: &str) -> bool {
        let Self { id, at, actor, action, target, hash } = self;
        Link { id: *id, at: *at, actor, action, target }.hash(before) == *hash
    }
}

/// The name of a service's table.
#[derive(Clone, Copy, Debug)]
pub struct AuditTable(&'static str);

impl AuditTable {
    /// The table that a service has for this alone.
    pub const ADMIN: Self = Self("admin_audit");

    /// A table of the same shape under another name.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// Adds an entry, in the transaction of what it tells of.
    ///
    /// # Errors
    /// Those of the database.
    pub fn add(self, conn: &mut DbConn, act: &Act, now: UnixMillis) -> Result<(), DbError> {
        if let DbConn::Pg(c) = conn {
            diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(TURN).execute(c)?;
        }
        let last = self.rows(conn, "ORDER BY id DESC LIMIT $1 OFFSET $2", [1, 0])?.pop();
        let (last, before) = last.map_or_else(Default::default, |row| (row.id, row.hash));
        let Act { actor, action, target } = act;
        let id = last.saturating_add(1);
        let hash = Link { id, at: now, actor, action, target }.hash(&before);
        let insert = format!(
            "INSERT INTO {} (id, at, actor, action, target, hash) VALUES ($1, $2, $3, $4, $5, $6)",
            self.0
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
        let rows = db.read(move |conn| self.rows(conn, "WHERE id > $1 ORDER BY id LIMIT $2", from)).await?;
        Ok(entries(rows, after, limit))
    }

    fn rows(self, conn: &mut DbConn, which: &str, numbers: [i64; 2]) -> Result<Vec<Row>, DbError> {
        let [first, second] = numbers;
        let select = format!("SELECT id, at, actor, action, target, hash FROM {} {which}", self.0);
        let select = diesel::sql_query(select).bind::<BigInt, _>(first).bind::<BigInt, _>(second);
        Ok(on_backend!(conn, |c| select.load(c))?)
    }
}

fn entries(rows: Vec<Row>, after: i64, limit: i64) -> Vec<AuditEntry> {
    let mut entries = Vec::with_capacity(rows.len());
    let mut before: Option<(i64, String)> = Some((0, String::new()));
    for row in rows {
        let intact = before.is_some_and(|(id, hash)| id + 1 == row.id && row.follows(&hash));
        before = Some((row.id, row.hash.clone()));
        if row.id > after && i64::try_from(entries.len()).is_ok_and(|count| count < limit) {
            let Row { id, at, actor, action, target, hash } = row;
            entries.push(AuditEntry { id, at, actor, action, target, hash, intact });
        }
    }
    entries
}
