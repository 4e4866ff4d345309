//! The relay's own connection: everything it does to the table, and the lock that makes it the only one.
//!
//! Reading and marking happen on the connection that holds the lock: a relay that has lost it cannot go on by mistake.

use std::collections::BTreeSet;

use common::models::UnixMillis;
use db::{Db, DbConn, DbError, Session};
use diesel::dsl::{max, min};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::super::{decode, outbox, postgres};
use crate::Record;

/// Rows that one pruning looks at, and at most deletes.
const PRUNE_BATCH: i64 = 1000;

pub(super) struct Seat {
    session: Session,
    leads: bool,
}

impl Seat {
    pub(super) fn open(db: &Db) -> Result<Self, DbError> {
        Ok(Self { session: Session::open(db)?, leads: false })
    }

    pub(super) fn is_lost(&mut self) -> bool {
        self.session.is_lost()
    }

    /// Tries to become the one relay of this service; tells whether it is. The lock ends with the connection. A
    /// SQLite file belongs to one process.
    pub(super) fn lead(&mut self) -> Result<bool, DbError> {
        if !self.leads {
            self.leads = self.session.read(|conn| match conn {
                DbConn::Pg(c) => {
                    let lock =
                        "pg_try_advisory_lock(hashtextextended('sealpost.outbox.' || current_schema(), 0))";
                    Ok::<_, DbError>(diesel::select(diesel::dsl::sql::<Bool>(lock)).get_result(c)?)
                }
                DbConn::Sqlite(_) => Ok(true),
            })?;
        }
        Ok(self.leads)
    }

    /// Reads which topics have rows that are not marked, the newest row and the time of the oldest one of each.
    pub(super) fn unmarked(&mut self) -> Result<Vec<Unmarked>, DbError> {
        self.session.read(|conn| {
            let topics: Vec<(String, Option<i64>, Option<i64>)> = outbox::table
                .filter(outbox::published_at.is_null())
                .group_by(outbox::topic)
                .select((outbox::topic, max(outbox::id), min(outbox::created_at)))
                .load(conn)?;
            let all = topics.into_iter().filter_map(|(topic, newest, oldest)| {
                Some(Unmarked { topic, newest: newest?, since: UnixMillis(oldest?) })
            });
            Ok::<_, DbError>(all.collect())
        })
    }

    /// Reads the next rows to publish, in order.
    pub(super) fn pending(&mut self, limit: usize, refused: &BTreeSet<i64>) -> Result<Vec<Row>, DbError> {
        self.session.read_single(|conn| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows: Vec<Columns> = match conn {
                DbConn::Pg(c) => postgres::pending(c, limit, refused.iter().copied().collect())?,
                DbConn::Sqlite(c) => outbox::table
                    .filter(outbox::published_at.is_null())
                    .filter(outbox::id.ne_all(refused))
                    .order(outbox::id)
                    .limit(limit)
                    .select((
                        outbox::id,
                        outbox::topic,
                        outbox::record_key,
                        outbox::record_value,
                        outbox::headers,
                    ))
                    .load(c)?,
            };
            rows.into_iter()
                .map(|(id, topic, key, value, headers)| {
                    Ok(Row { id, record: Record { topic, key, value, headers: decode(&headers)? } })
                })
                .collect()
        })
    }

    /// Notes that the bus has these rows. By id, not by range: a transaction may since have committed an id between.
    pub(super) fn mark(&mut self, ids: Vec<i64>, now: UnixMillis) -> Result<(), DbError> {
        self.session.write_single(|conn| {
            match conn {
                DbConn::Pg(c) => postgres::mark(c, ids, now)?,
                DbConn::Sqlite(c) => {
                    diesel::update(outbox::table.filter(outbox::id.eq_any(ids)))
                        .set(outbox::published_at.eq(now.as_i64()))
                        .execute(c)?;
                }
            }
            Ok(())
        })
    }

    /// Deletes rows that were published before `before`, among the oldest ones: a scan that does not grow with the
    /// table, and needs no index. Tells whether more of them may follow.
    pub(super) fn prune(&mut self, before: UnixMillis) -> Result<bool, DbError> {
        self.session.write(|conn| {
            let oldest: Vec<(i64, Option<i64>)> = outbox::table
                .select((outbox::id, outbox::published_at))
                .order(outbox::id)
                .limit(PRUNE_BATCH)
                .load(conn)?;
            let all = oldest.len();
            let expired: Vec<i64> = oldest
                .into_iter()
                .filter(|(_, published)| published.is_some_and(|published| published < before.as_i64()))
                .map(|(id, _)| id)
                .collect();
            if !expired.is_empty() {
                diesel::delete(outbox::table.filter(outbox::id.eq_any(&expired))).execute(conn)?;
            }
            Ok(expired.len() == all && i64::try_from(all) == Ok(PRUNE_BATCH))
        })
    }
}

/// Id, topic, key, value and headers.
pub(in super::super) type Columns = (i64, String, Option<Vec<u8>>, Option<Vec<u8>>, String);

/// The rows of one topic that are not marked.
pub(super) struct Unmarked {
    pub(super) topic: String,
    /// The highest id.
    pub(super) newest: i64,
    /// When the oldest was pushed.
    pub(super) since: UnixMillis,
}

/// A row as it is published.
pub(super) struct Row {
    id: i64,
    record: Record,
}

impl Row {
    pub(super) fn split(self) -> (i64, Record) {
        (self.id, self.record)
    }
}
