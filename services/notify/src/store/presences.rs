//! Who is present, as each process says of its own sockets.

use std::collections::BTreeSet;

use common::models::UnixMillis;
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows};
use diesel::dsl::{count, sum};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use super::schema::presences;
use crate::domain::ChannelName;

/// How many sockets a member has in a channel, at one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) channel: ChannelName,
    pub(crate) member: String,
    /// 0: no more.
    pub(crate) connections: i32,
}

/// One who is present.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub(crate) struct MemberRow {
    pub(crate) member: String,
    pub(crate) connections: Option<i64>,
    pub(crate) since: Option<UnixMillis>,
}

enum Put {}

impl BatchSql for Put {
    const SQL: &'static str = "INSERT INTO presences AS p (channel, member, process, connections, since, expires_at) \
        SELECT channel, member, {process}, connections, {now}, {until} FROM {c} ORDER BY channel, member \
        ON CONFLICT (channel, member, process) DO UPDATE SET connections = excluded.connections, \
        expires_at = excluded.expires_at";
    type Row = ();
}

enum Remove {}

impl BatchSql for Remove {
    const SQL: &'static str = "DELETE FROM presences AS p USING {c} WHERE p.channel = c.channel \
        AND p.member = c.member AND p.process = {process}";
    type Row = ();
}

/// Writes down how many sockets members have at a process.
pub(crate) fn put(
    conn: &mut DbConn,
    counts: &[Count],
    process: &str,
    now: UnixMillis,
    until: UnixMillis,
) -> Result<(), DbError> {
    let (there, gone): (Vec<&Count>, Vec<&Count>) = counts.iter().partition(|count| count.connections > 0);
    match conn {
        DbConn::Pg(c) => {
            if !there.is_empty() {
                let rows = names(&there).column::<Integer, _>("connections", |count| count.connections);
                BatchQuery::<Put>::new()
                    .rows("c", rows)
                    .value::<Text, _>("process", process)
                    .value::<BigInt, _>("now", now.as_i64())
                    .value::<BigInt, _>("until", until.as_i64())
                    .execute(c)?;
            }
            if !gone.is_empty() {
                let remove = BatchQuery::<Remove>::new().rows("c", names(&gone));
                remove.value::<Text, _>("process", process).execute(c)?;
            }
        }
        DbConn::Sqlite(c) => {
            for count in there {
                diesel::insert_into(presences::table)
                    .values((
                        presences::channel.eq(count.channel.as_str()),
                        presences::member.eq(&count.member),
                        presences::process.eq(process),
                        presences::connections.eq(count.connections),
                        presences::since.eq(now),
                        presences::expires_at.eq(until),
                    ))
                    .on_conflict((presences::channel, presences::member, presences::process))
                    .do_update()
                    .set((presences::connections.eq(count.connections), presences::expires_at.eq(until)))
                    .execute(c)?;
            }
            for count in gone {
                diesel::delete(presences::table.find((count.channel.as_str(), &count.member, process)))
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

fn names<'a>(counts: &'a [&'a Count]) -> Rows<'a, &'a Count> {
    Rows::of(counts)
        .column::<Text, _>("channel", |count| count.channel.as_str())
        .column::<Text, _>("member", |count| count.member.as_str())
}

/// Lets everything that a process has said be believed until `until`; returns how much that is.
pub(crate) fn renew(conn: &mut DbConn, process: &str, until: UnixMillis) -> Result<usize, DbError> {
    let own = presences::table.filter(presences::process.eq(process));
    Ok(diesel::update(own).set(presences::expires_at.eq(until)).execute(conn)?)
}

/// Gives of whom a process has said something.
pub(crate) fn said(conn: &mut DbConn, process: &str) -> Result<Vec<(String, String)>, DbError> {
    let own = presences::table.filter(presences::process.eq(process));
    Ok(own.select((presences::channel, presences::member)).load(conn)?)
}

/// Takes back everything that a process has said.
pub(crate) fn withdraw(conn: &mut DbConn, process: &str) -> Result<(), DbError> {
    diesel::delete(presences::table.filter(presences::process.eq(process))).execute(conn)?;
    Ok(())
}

enum Known {}

impl BatchSql for Known {
    const SQL: &'static str = "SELECT DISTINCT p.channel, p.member FROM {n} JOIN presences AS p \
        ON p.channel = n.channel AND p.member = n.member";
    type Row = (Text, Text);
}

/// Finds of which of these members there is something written, be it believed still or not.
pub(crate) fn known(
    conn: &mut DbConn,
    members: &[&(ChannelName, String)],
) -> Result<BTreeSet<(String, String)>, DbError> {
    let mut found = BTreeSet::new();
    match conn {
        DbConn::Pg(c) => {
            let names = Rows::of(members)
                .column::<Text, _>("channel", |(channel, _)| channel.as_str())
                .column::<Text, _>("member", |(_, member)| member.as_str());
            let rows: Vec<(String, String)> = BatchQuery::<Known>::new().rows("n", names).load(c)?;
            found.extend(rows);
        }
        DbConn::Sqlite(c) => {
            for (channel, member) in members {
                let of_member = presences::table
                    .filter(presences::channel.eq(channel.as_str()))
                    .filter(presences::member.eq(member));
                if diesel::select(diesel::dsl::exists(of_member)).get_result(c)? {
                    found.insert((channel.as_str().to_owned(), member.clone()));
                }
            }
        }
    }
    Ok(found)
}

/// Who is present in a channel, in the order of their names: `limit` at most, those after `after`.
pub(crate) fn members(
    conn: &mut DbConn,
    channel: &ChannelName,
    after: &str,
    limit: i64,
    now: UnixMillis,
) -> Result<Vec<MemberRow>, DbError> {
    Ok(presences::table
        .filter(presences::channel.eq(channel.as_str()))
        .filter(presences::member.gt(after))
        .filter(presences::expires_at.gt(now))
        .group_by(presences::member)
        .order(presences::member)
        .limit(limit)
        .select((presences::member, sum(presences::connections), diesel::dsl::min(presences::since)))
        .load(conn)?)
}

/// Who is present in a channel, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roster {
    /// How many members are.
    pub(crate) count: u64,
    /// Their names; none when there are too many.
    pub(crate) members: Option<BTreeSet<String>>,
}

/// Counts who is present in a channel, and names them if there are no more than `most`.
pub(crate) fn roster(
    conn: &mut DbConn,
    channel: &ChannelName,
    most: u32,
    now: UnixMillis,
) -> Result<Roster, DbError> {
    let present = || {
        presences::table.filter(presences::channel.eq(channel.as_str())).filter(presences::expires_at.gt(now))
    };
    let names = present().select(presences::member).distinct().limit(i64::from(most) + 1);
    let members: BTreeSet<String> = names.load(conn)?.into_iter().collect();
    if members.len() <= most as usize {
        return Ok(Roster { count: members.len() as u64, members: (most > 0).then_some(members) });
    }
    let count: i64 = present().select(count(presences::member).aggregate_distinct()).get_result(conn)?;
    Ok(Roster { count: count.unsigned_abs(), members: None })
}

/// Finds up to `limit` rows that are not believed any more: channel, member, process.
pub(crate) fn expired(
    conn: &mut DbConn,
    now: UnixMillis,
    limit: i64,
) -> Result<Vec<(String, String, String)>, DbError> {
    Ok(presences::table
        .filter(presences::expires_at.le(now))
        .limit(limit)
        .select((presences::channel, presences::member, presences::process))
        .load(conn)?)
}

/// Removes those of them that are not believed still: their process may have renewed them meanwhile.
pub(crate) fn remove_expired(
    conn: &mut DbConn,
    expired: &[(String, String, String)],
    now: UnixMillis,
) -> Result<(), DbError> {
    for (channel, member, process) in expired {
        let row = presences::table.find((channel, member, process)).filter(presences::expires_at.le(now));
        diesel::delete(row).execute(conn)?;
    }
    Ok(())
}
