//! What clients have used of their quotas: a row for each client and period, always the sum of what attempts hold.
//!
//! The rows are locked after the last job of a transaction and before the numbers of statuses, in the order of their keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::models::UnixMillis;
use common::models::sms::ClientId;
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::upsert::excluded;

use super::attempts::Loaded;
use super::schema::sms_quota_use;
use super::{Rules, StoreError};
use crate::domain::quota::{Limits, Period, Periods, Span, is_nearly_used, used_up};

/// Which row.
type Key = (ClientId, Period);

/// What a row tells.
#[derive(Debug, Clone, Queryable)]
pub(crate) struct Use {
    /// The client.
    pub(crate) client_id: ClientId,
    /// Name of the day or month.
    pub(crate) period: String,
    /// Segments.
    pub(crate) used: i64,
    warned: bool,
}

enum Add {}

impl BatchSql for Add {
    // In the order of the keys, in which every transaction locks them.
    const SQL: &'static str = "INSERT INTO sms_quota_use AS u ({n.*}, warned) SELECT n.*, FALSE FROM {n} \
        ORDER BY n.client_id, n.period \
        ON CONFLICT (client_id, period) DO UPDATE SET used = u.used + excluded.used \
        RETURNING client_id, period, used, warned";
    type Row = (Text, Text, BigInt, Bool);
}

/// Adds to rows, and gives them as they are then, locked until the end of the transaction.
fn add(conn: &mut DbConn, changes: &BTreeMap<Key, i64>) -> Result<Vec<Use>, StoreError> {
    use sms_quota_use::{client_id, ends_at, period, table, used, warned};
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    Ok(match conn {
        DbConn::Pg(c) => {
            let changes: Vec<(&Key, &i64)> = changes.iter().collect();
            let rows = Rows::of(&changes)
                .column::<Text, _>("client_id", |((client, _), _)| client.as_str())
                .column::<Text, _>("period", |((_, of), _)| of.name.as_str())
                .column::<BigInt, _>("ends_at", |((_, of), _)| of.ends_at.as_i64())
                .column::<BigInt, _>("used", |(_, more)| **more);
            BatchQuery::<Add>::new().rows("n", rows).load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::with_capacity(changes.len());
            for ((client, of), more) in changes {
                let row = (
                    client_id.eq(client),
                    period.eq(&of.name),
                    ends_at.eq(of.ends_at),
                    used.eq(more),
                    warned.eq(false),
                );
                let upsert = diesel::insert_into(table)
                    .values(row)
                    .on_conflict((client_id, period))
                    .do_update()
                    .set(used.eq(used + excluded(used)));
                rows.push(upsert.returning((client_id, period, used, warned)).get_result(c)?);
            }
            rows
        }
    })
}

/// What attempts hold more or less than before.
#[derive(Default)]
pub(crate) struct Changes(BTreeMap<Key, i64>);

impl Changes {
    /// Notes that an attempt of `client` which held `before`, of the periods of the time with it, holds `after`.
    pub(crate) fn note(&mut self, client: &ClientId, before: Held, after: Held) {
        if before == after {
            return;
        }
        for ((segments, left_at), sign) in [(before, -1), (after, 1)] {
            let Some(at) = left_at.filter(|_| segments > 0) else { continue };
            for period in Periods::of(at).both() {
                *self.0.entry((client.clone(), period)).or_default() += sign * i64::from(segments);
            }
        }
    }

    /// Writes it.
    pub(crate) fn save(mut self, conn: &mut DbConn) -> Result<(), StoreError> {
        self.0.retain(|_, more| *more != 0);
        add(conn, &self.0)?;
        Ok(())
    }
}

/// Segments, and when the message left that holds them.
pub(crate) type Held = (i32, Option<UnixMillis>);

/// What is left of the quotas of those who are about to send.
pub(super) struct Room {
    now: UnixMillis,
    periods: Periods,
    clients: HashMap<ClientId, Vec<Left>>,
    news: News,
}

/// One limit of one client.
struct Left {
    span: Span,
    limit: i64,
    used: i64,
    warned: bool,
}

/// What is to be told of quotas.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Of whom a message was refused.
    pub(crate) refused: Vec<ClientId>,
    /// Who has used most of a quota: client, span, used, limit. Each is told once in a period.
    pub(crate) warned: Vec<(ClientId, Span, i64, i64)>,
}

impl Room {
    /// Reads and locks what is left for the clients of these attempts. Without a quota it asks for nothing.
    pub(super) fn of(
        conn: &mut DbConn,
        rules: &Rules,
        loaded: &[Loaded],
        now: UnixMillis,
    ) -> Result<Self, StoreError> {
        let periods = Periods::of(now);
        let mut room = Self { now, periods: periods.clone(), clients: HashMap::new(), news: News::default() };
        if !rules.quotas.any() {
            return Ok(room);
        }
        let clients: BTreeSet<&ClientId> = loaded.iter().map(|one| &one.attempt.key.client_id).collect();
        let limited: Vec<(&ClientId, Limits)> =
            clients.into_iter().filter_map(|client| Some((client, rules.quotas.limits(client)?))).collect();
        let current = limited
            .iter()
            .flat_map(|(client, _)| periods.clone().both().map(|period| ((*client).clone(), period)));
        // What may be given back is of earlier periods, and is locked in order with the others.
        let held = loaded.iter().filter(|one| one.attempt.charged > 0).filter_map(|one| {
            Some(Periods::of(one.left_at?).both().map(|period| (one.attempt.key.client_id.clone(), period)))
        });
        let rows = add(conn, &current.chain(held.flatten()).map(|key| (key, 0)).collect())?;
        for (client, limits) in limited {
            let left = limits.all().map(|(span, limit)| {
                let name = &periods.get(span).name;
                let row = rows.iter().find(|row| row.client_id == *client && row.period == *name);
                let (used, warned) = row.map_or((0, false), |row| (row.used, row.warned));
                Left { span, limit, used, warned }
            });
            room.clients.insert(client.clone(), left.collect());
        }
        Ok(room)
    }

    /// Takes what an attempt needs to leave in so many segments; or says why it cannot have it. What it held of earlier
    /// periods moves to these.
    pub(super) fn take(&mut self, one: &mut Loaded, segments: i32) -> Result<(), String> {
        let Some(limits) = self.clients.get_mut(&one.attempt.key.client_id) else { return Ok(()) };
        let needed = one.attempt.needs(segments);
        if needed == 0 {
            return Ok(());
        }
        let held = one.left_at.filter(|_| one.attempt.charged > 0).map(Periods::of);
        let more = |span| {
            let is_here = held.as_ref().is_some_and(|held| held.get(span) == self.periods.get(span));
            i64::from(if is_here { needed } else { needed + one.attempt.charged })
        };
        if let Some(full) = limits.iter().find(|left| left.used + more(left.span) > left.limit) {
            self.news.refused.push(one.attempt.key.client_id.clone());
            return Err(used_up(full.limit, self.periods.get(full.span).ends_at));
        }
        limits.iter_mut().for_each(|left| left.used += more(left.span));
        if held.is_none_or(|held| held.get(Span::Day) != self.periods.get(Span::Day)) {
            one.left_at = Some(self.now);
        }
        one.attempt.charged += needed;
        Ok(())
    }

    /// Notes who has used most of a quota, and tells that and who was refused.
    pub(super) fn close(mut self, conn: &mut DbConn) -> Result<News, StoreError> {
        use sms_quota_use::{table, warned};
        for (client, limits) in &self.clients {
            for left in limits.iter().filter(|left| !left.warned && is_nearly_used(left.used, left.limit)) {
                let row = table.find((client, &self.periods.get(left.span).name));
                diesel::update(row).set(warned.eq(true)).execute(conn)?;
                self.news.warned.push((client.clone(), left.span, left.used, left.limit));
            }
        }
        Ok(self.news)
    }
}

/// Reads what all clients have used in the periods of `now`.
pub(crate) fn used(conn: &mut DbConn, now: UnixMillis) -> Result<Vec<Use>, StoreError> {
    use sms_quota_use::{client_id, ends_at, period, table, used, warned};
    let names = Periods::of(now).both().map(|of| of.name);
    let rows = table.filter(ends_at.gt(now).and(period.eq_any(names))).order((client_id, period));
    Ok(rows.select((client_id, period, used, warned)).load(conn)?)
}

/// Forgets periods that ended before `before`; gives their number. What is given back to one of them afterwards makes a
/// row that is forgotten as well.
pub(super) fn prune(conn: &mut DbConn, before: UnixMillis) -> Result<usize, StoreError> {
    Ok(diesel::delete(sms_quota_use::table.filter(sms_quota_use::ends_at.lt(before))).execute(conn)?)
}

#[cfg(test)]
mod tests;
