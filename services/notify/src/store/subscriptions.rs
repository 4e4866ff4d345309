//! Where devices are reached that are not connected, and which of them are.

use common::models::{ChannelTokenId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use super::schema::{push_presences, push_subscriptions};
use crate::domain::ChannelName;

/// A subscription as it is stored. No `Debug`: what is sealed in it is a secret of the device.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = push_subscriptions)]
pub(crate) struct SubscriptionRow {
    pub(crate) channel: String,
    pub(crate) holder: String,
    pub(crate) token_id: Option<ChannelTokenId>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
    pub(crate) seen_at: UnixMillis,
    pub(crate) pushed_at: Option<UnixMillis>,
}

/// A device that is connected by a socket of this process, or is not any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Device {
    pub(crate) channel: ChannelName,
    pub(crate) holder: String,
}

/// Stores a subscription in place of an earlier one of the same device.
pub(crate) fn put(conn: &mut DbConn, row: &SubscriptionRow) -> Result<(), DbError> {
    on_backend!(conn, |c| diesel::insert_into(push_subscriptions::table)
        .values(row)
        .on_conflict((push_subscriptions::channel, push_subscriptions::holder))
        .do_update()
        .set((
            push_subscriptions::sealed.eq(&row.sealed),
            push_subscriptions::created_at.eq(row.created_at),
            push_subscriptions::expires_at.eq(row.expires_at),
            push_subscriptions::seen_at.eq(row.seen_at),
            push_subscriptions::pushed_at.eq(None::<UnixMillis>),
        ))
        .execute(c))?;
    Ok(())
}

/// Reads the subscription of a device.
pub(crate) fn find(
    conn: &mut DbConn,
    channel: &str,
    holder: &str,
    now: UnixMillis,
) -> Result<Option<SubscriptionRow>, DbError> {
    let found = push_subscriptions::table.find((channel, holder));
    let living = found.filter(push_subscriptions::expires_at.gt(now));
    Ok(living.select(SubscriptionRow::as_select()).first(conn).optional()?)
}

/// Counts the subscriptions of a channel but for that of one device.
pub(crate) fn count_others(conn: &mut DbConn, channel: &ChannelName, holder: &str) -> Result<i64, DbError> {
    let others = push_subscriptions::table
        .filter(push_subscriptions::channel.eq(channel.as_str()))
        .filter(push_subscriptions::holder.ne(holder));
    Ok(others.count().get_result(conn)?)
}

/// Removes the subscription of a device; returns whether there was one.
pub(crate) fn remove(conn: &mut DbConn, channel: &str, holder: &str) -> Result<bool, DbError> {
    Ok(diesel::delete(push_subscriptions::table.find((channel, holder))).execute(conn)? > 0)
}

/// Removes a subscription that leads nowhere any more, unless the device has another one by now.
pub(crate) fn remove_dead(conn: &mut DbConn, row: &SubscriptionRow) -> Result<(), DbError> {
    let dead = push_subscriptions::table.find((&row.channel, &row.holder));
    diesel::delete(dead.filter(push_subscriptions::sealed.eq(&row.sealed))).execute(conn)?;
    Ok(())
}

/// Removes all subscriptions of a channel.
pub(crate) fn erase(conn: &mut DbConn, channel: &str) -> Result<(), DbError> {
    let all = push_subscriptions::table.filter(push_subscriptions::channel.eq(channel));
    diesel::delete(all).execute(conn)?;
    Ok(())
}

/// Notes that a device was woken by what was sent at `at`.
pub(crate) fn woken(conn: &mut DbConn, channel: &str, holder: &str, at: UnixMillis) -> Result<(), DbError> {
    let row = push_subscriptions::table.find((channel, holder));
    diesel::update(row).set(push_subscriptions::pushed_at.eq(at)).execute(conn)?;
    Ok(())
}

/// Which of these devices have subscribed since `since`.
pub(crate) fn subscribed_since(conn: &mut DbConn, since: UnixMillis) -> Result<Vec<Device>, DbError> {
    let rows: Vec<(String, String)> = push_subscriptions::table
        .filter(push_subscriptions::created_at.ge(since))
        .select((push_subscriptions::channel, push_subscriptions::holder))
        .load(conn)?;
    let device = |(channel, holder): (String, String)| {
        ChannelName::parse(&channel, usize::MAX).ok().map(|channel| Device { channel, holder })
    };
    Ok(rows.into_iter().filter_map(device).collect())
}

enum Hold {}

impl BatchSql for Hold {
    const SQL: &'static str = "SELECT FROM (SELECT * FROM {come} UNION ALL SELECT * FROM {gone}) AS d \
        JOIN push_subscriptions AS s ON s.channel = d.channel AND s.holder = d.holder \
        ORDER BY s.channel, s.holder FOR NO KEY UPDATE OF s";
    type Row = ();
}

enum Come {}

impl BatchSql for Come {
    const SQL: &'static str = "WITH seen AS (UPDATE push_subscriptions AS s SET seen_at = {now} FROM {d} \
        WHERE s.channel = d.channel AND s.holder = d.holder RETURNING s.channel, s.holder) \
        INSERT INTO push_presences (channel, holder, process, expires_at) \
        SELECT channel, holder, {process}, {until} FROM seen \
        ON CONFLICT (channel, holder, process) DO UPDATE SET expires_at = excluded.expires_at";
    type Row = ();
}

enum Go {}

impl BatchSql for Go {
    const SQL: &'static str = "WITH seen AS (UPDATE push_subscriptions AS s SET seen_at = {now} FROM {d} \
        WHERE s.channel = d.channel AND s.holder = d.holder RETURNING s.channel, s.holder) \
        DELETE FROM push_presences AS p USING seen \
        WHERE p.channel = seen.channel AND p.holder = seen.holder AND p.process = {process}";
    type Row = ();
}

/// Writes down which devices have come to a process and which have gone; of those without a subscription nothing is
/// written.
pub(crate) fn see(
    conn: &mut DbConn,
    (come, gone): (&[Device], &[Device]),
    process: &str,
    now: UnixMillis,
    until: UnixMillis,
) -> Result<(), DbError> {
    match conn {
        _ if come.is_empty() && gone.is_empty() => {}
        DbConn::Pg(c) => {
            // All in one order: what comes here may go at another process.
            BatchQuery::<Hold>::new().rows("come", names(come)).rows("gone", names(gone)).execute(c)?;
            if !come.is_empty() {
                BatchQuery::<Come>::new()
                    .rows("d", names(come))
                    .value::<Text, _>("process", process)
                    .value::<BigInt, _>("now", now.as_i64())
                    .value::<BigInt, _>("until", until.as_i64())
                    .execute(c)?;
            }
            if !gone.is_empty() {
                let go = BatchQuery::<Go>::new().rows("d", names(gone)).value::<Text, _>("process", process);
                go.value::<BigInt, _>("now", now.as_i64()).execute(c)?;
            }
        }
        DbConn::Sqlite(c) => {
            for Device { channel, holder } in come {
                let row = push_subscriptions::table.find((channel.as_str(), holder));
                if diesel::update(row).set(push_subscriptions::seen_at.eq(now)).execute(c)? > 0 {
                    say_one(c, (channel, holder), process, until)?;
                }
            }
            // One that came and went between two writes has been here all the same.
            for Device { channel, holder } in gone {
                let row = push_subscriptions::table.find((channel.as_str(), holder));
                diesel::update(row).set(push_subscriptions::seen_at.eq(now)).execute(c)?;
                diesel::delete(push_presences::table.find((channel.as_str(), holder, process))).execute(c)?;
            }
        }
    }
    Ok(())
}

enum Say {}

impl BatchSql for Say {
    const SQL: &'static str = "WITH held AS MATERIALIZED (SELECT s.channel, s.holder FROM {d} \
        JOIN push_subscriptions AS s ON s.channel = d.channel AND s.holder = d.holder \
        ORDER BY s.channel, s.holder FOR KEY SHARE OF s) \
        INSERT INTO push_presences (channel, holder, process, expires_at) \
        SELECT channel, holder, {process}, {until} FROM held \
        ON CONFLICT (channel, holder, process) DO UPDATE SET expires_at = excluded.expires_at";
    type Row = ();
}

/// Writes down which devices are connected to a process that were so before: they were not seen just now.
pub(crate) fn say(
    conn: &mut DbConn,
    devices: &[Device],
    process: &str,
    until: UnixMillis,
) -> Result<(), DbError> {
    match conn {
        _ if devices.is_empty() => {}
        DbConn::Pg(c) => {
            let say = BatchQuery::<Say>::new().rows("d", names(devices)).value::<Text, _>("process", process);
            say.value::<BigInt, _>("until", until.as_i64()).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for Device { channel, holder } in devices {
                let row = push_subscriptions::table.find((channel.as_str(), holder));
                if diesel::select(diesel::dsl::exists(row)).get_result(c)? {
                    say_one(c, (channel, holder), process, until)?;
                }
            }
        }
    }
    Ok(())
}

fn say_one(
    conn: &mut SqliteConnection,
    (channel, holder): (&ChannelName, &str),
    process: &str,
    until: UnixMillis,
) -> QueryResult<()> {
    diesel::insert_into(push_presences::table)
        .values((
            push_presences::channel.eq(channel.as_str()),
            push_presences::holder.eq(holder),
            push_presences::process.eq(process),
            push_presences::expires_at.eq(until),
        ))
        .on_conflict((push_presences::channel, push_presences::holder, push_presences::process))
        .do_update()
        .set(push_presences::expires_at.eq(until))
        .execute(conn)?;
    Ok(())
}

fn names(devices: &[Device]) -> Rows<'_, Device> {
    Rows::of(devices)
        .column::<Text, _>("channel", |device| device.channel.as_str())
        .column::<Text, _>("holder", |device| device.holder.as_str())
}

/// Lets everything that a process has said be believed until `until`.
pub(crate) fn renew(conn: &mut DbConn, process: &str, until: UnixMillis) -> Result<(), DbError> {
    let own = push_presences::table.filter(push_presences::process.eq(process));
    diesel::update(own).set(push_presences::expires_at.eq(until)).execute(conn)?;
    Ok(())
}

/// Takes back everything that a process has said.
pub(crate) fn withdraw(conn: &mut DbConn, process: &str) -> Result<(), DbError> {
    diesel::delete(push_presences::table.filter(push_presences::process.eq(process))).execute(conn)?;
    Ok(())
}

/// Until when it is believed that a device is connected, if it was said.
pub(crate) fn connected_until(
    conn: &mut DbConn,
    channel: &str,
    holder: &str,
) -> Result<Option<UnixMillis>, DbError> {
    let of_device = push_presences::table
        .filter(push_presences::channel.eq(channel))
        .filter(push_presences::holder.eq(holder));
    Ok(of_device.select(diesel::dsl::max(push_presences::expires_at)).first(conn)?)
}

/// Removes up to `limit` subscriptions, and as many presences, whose time has passed; returns how many.
pub(crate) fn prune(conn: &mut DbConn, now: UnixMillis, limit: i64) -> Result<usize, DbError> {
    const SUBSCRIPTIONS: &str = "DELETE FROM push_subscriptions WHERE (channel, holder) IN (SELECT channel, holder \
        FROM push_subscriptions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) AND expires_at <= $1";
    const PRESENCES: &str = "DELETE FROM push_presences WHERE (channel, holder, process) IN (SELECT channel, holder, \
        process FROM push_presences WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) AND expires_at <= $1";
    let mut removed = 0;
    for sql in [SUBSCRIPTIONS, PRESENCES] {
        let prune = diesel::sql_query(sql).bind::<BigInt, _>(now).bind::<BigInt, _>(limit);
        removed = removed.max(on_backend!(conn, |c| prune.execute(c))?);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use testkit::database::TestDb;
    use testkit::obstacle::Obstacle;

    use super::*;
    use crate::store::MIGRATIONS;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn devices_that_change_places_between_two_processes_are_no_deadlock() {
        let test = TestDb::postgres().await;
        let db = test.open();
        db.migrate(&MIGRATIONS).await.unwrap();
        let [one, two] = ["one", "two"].map(|channel| Device {
            channel: ChannelName::parse(channel, usize::MAX).unwrap(),
            holder: "a phone".to_owned(),
        });
        for device in [&one, &two] {
            let row = SubscriptionRow {
                channel: device.channel.as_str().to_owned(),
                holder: device.holder.clone(),
                token_id: None,
                sealed: Vec::new(),
                created_at: UnixMillis(0),
                expires_at: UnixMillis(i64::MAX),
                seen_at: UnixMillis(0),
                pushed_at: None,
            };
            db.write(move |conn| put(conn, &row)).await.unwrap();
        }
        // Each process waits here between what comes and what goes.
        let presences = "INSERT INTO test.push_presences VALUES \
            ('one', 'a phone', 'here', 0), ('two', 'a phone', 'there', 0)";
        let changed = |process: &'static str, come: &Device, gone: &Device| {
            let (come, gone) = ([come.clone()], [gone.clone()]);
            db.write(move |conn| see(conn, (&come, &gone), process, UnixMillis(1), UnixMillis(2)))
        };

        let both = async { tokio::join!(changed("here", &one, &two), changed("there", &two, &one)) };
        let (here, there) = Obstacle::new(&test, presences).clear_for(2, both).await;

        here.unwrap();
        there.unwrap();
    }
}
