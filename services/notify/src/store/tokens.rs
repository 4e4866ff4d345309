//! Tokens of channels, by their hash.

use std::time::Duration;

use common::crypto::token::HashedToken;
use common::models::{ChannelTokenId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::schema::tokens;
use crate::domain::ChannelName;

/// A token as it is stored.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = tokens)]
pub(crate) struct TokenRow {
    pub(crate) channel: String,
    pub(crate) token_id: ChannelTokenId,
    pub(crate) token_hash: HashedToken,
    /// Of a token of ChannelAPI: what it is derived from beside the key.
    pub(crate) generation: Option<Vec<u8>>,
    pub(crate) label: Option<String>,
    pub(crate) member: Option<String>,
    pub(crate) issued_by: String,
    pub(crate) created_at: UnixMillis,
    pub(crate) lifetime_ms: i64,
    pub(crate) expires_at: UnixMillis,
    pub(crate) used_at: Option<UnixMillis>,
}

impl TokenRow {
    /// What each join sets the rest of its life back to.
    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.lifetime_ms).unwrap_or(0))
    }
}

/// Which token of which channel.
pub(crate) type TokenKey = (String, ChannelTokenId);

enum Share {}

impl BatchSql for Share {
    const SQL: &'static str = "INSERT INTO tokens AS t ({n.*}) SELECT * FROM {n} ORDER BY channel \
        ON CONFLICT (channel, token_id) DO UPDATE SET token_hash = excluded.token_hash, \
        generation = excluded.generation, issued_by = excluded.issued_by, created_at = excluded.created_at, \
        lifetime_ms = excluded.lifetime_ms, expires_at = excluded.expires_at, used_at = NULL \
        WHERE t.expires_at <= {now}";
    type Row = ();
}

/// Stores the tokens that clients share, each of another channel, in place of those that have expired; one that lives
/// stays.
pub(crate) fn share(conn: &mut DbConn, rows: &[TokenRow], now: UnixMillis) -> Result<(), DbError> {
    match conn {
        _ if rows.is_empty() => {}
        DbConn::Pg(c) => {
            let columns = Rows::of(rows)
                .column::<Text, _>("channel", |row| row.channel.as_str())
                .column::<Text, _>("token_id", |row| row.token_id.as_str())
                .column::<Binary, _>("token_hash", |row| row.token_hash.as_slice())
                .column::<Nullable<Binary>, _>("generation", |row| row.generation.as_deref())
                .column::<Text, _>("issued_by", |row| row.issued_by.as_str())
                .column::<BigInt, _>("created_at", |row| row.created_at.as_i64())
                .column::<BigInt, _>("lifetime_ms", |row| row.lifetime_ms)
                .column::<BigInt, _>("expires_at", |row| row.expires_at.as_i64());
            let share = BatchQuery::<Share>::new().rows("n", columns);
            share.value::<BigInt, _>("now", now.as_i64()).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for row in rows {
                let dead =
                    tokens::table.find((&row.channel, row.token_id)).filter(tokens::expires_at.le(now));
                diesel::delete(dead).execute(c)?;
                diesel::insert_into(tokens::table).values(row).on_conflict_do_nothing().execute(c)?;
            }
        }
    }
    Ok(())
}

/// Stores a token that was made just now.
pub(crate) fn insert(conn: &mut DbConn, row: &TokenRow) -> Result<(), DbError> {
    on_backend!(conn, |c| diesel::insert_into(tokens::table).values(row).execute(c))?;
    Ok(())
}

enum Find {}

impl BatchSql for Find {
    const SQL: &'static str = "SELECT {row} FROM {k} JOIN tokens ON tokens.channel = k.channel \
        AND tokens.token_id = k.token_id";
    type Row = TokenColumns;
}

type TokenColumns = (
    Text,
    Text,
    Binary,
    Nullable<Binary>,
    Nullable<Text>,
    Nullable<Text>,
    Text,
    BigInt,
    BigInt,
    BigInt,
    Nullable<BigInt>,
);

/// Reads tokens by their ids.
pub(crate) fn find(conn: &mut DbConn, keys: &[TokenKey]) -> Result<Vec<TokenRow>, DbError> {
    match conn {
        _ if keys.is_empty() => Ok(Vec::new()),
        DbConn::Pg(c) => {
            let rows = Rows::of(keys)
                .column::<Text, _>("channel", |(channel, _)| channel.as_str())
                .column::<Text, _>("token_id", |(_, id)| id.as_str());
            Ok(BatchQuery::<Find>::new().columns_of::<TokenRow>("row").rows("k", rows).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for (channel, id) in keys {
                let found = tokens::table.find((channel, id)).select(TokenRow::as_select());
                rows.extend(found.first(c).optional()?);
            }
            Ok(rows)
        }
    }
}

/// Keeps a token from being removed until the transaction ends; tells whether there is one.
pub(crate) fn hold(conn: &mut DbConn, channel: &str, id: ChannelTokenId) -> Result<bool, DbError> {
    let token = tokens::table.find((channel, id)).select(tokens::token_id);
    let found: Option<ChannelTokenId> = match conn {
        DbConn::Pg(c) => token.for_key_share().first(c).optional()?,
        DbConn::Sqlite(c) => token.first(c).optional()?,
    };
    Ok(found.is_some())
}

enum Resolve {}

impl BatchSql for Resolve {
    const SQL: &'static str = "SELECT {row} FROM {h} JOIN tokens ON tokens.token_hash = h.token_hash WHERE tokens.expires_at > {now}";
    type Row = TokenColumns;
}

/// Finds the tokens with these hashes that live.
pub(crate) fn resolve(
    conn: &mut DbConn,
    hashes: &[HashedToken],
    now: UnixMillis,
) -> Result<Vec<TokenRow>, DbError> {
    match conn {
        _ if hashes.is_empty() => Ok(Vec::new()),
        DbConn::Pg(c) => {
            let rows = Rows::of(hashes).column::<Binary, _>("token_hash", HashedToken::as_slice);
            let query = BatchQuery::<Resolve>::new().columns_of::<TokenRow>("row").rows("h", rows);
            Ok(query.value::<BigInt, _>("now", now.as_i64()).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for hash in hashes {
                let found = tokens::table
                    .filter(tokens::token_hash.eq(hash))
                    .filter(tokens::expires_at.gt(now))
                    .select(TokenRow::as_select());
                rows.extend(found.first(c).optional()?);
            }
            Ok(rows)
        }
    }
}

enum Renew {}

impl BatchSql for Renew {
    const SQL: &'static str = "WITH held AS MATERIALIZED (SELECT t.channel, t.token_id, r.expires_at FROM {r} \
        JOIN tokens AS t ON t.channel = r.channel AND t.token_id = r.token_id AND t.token_hash = r.token_hash \
        ORDER BY t.channel, t.token_id FOR UPDATE OF t) \
        UPDATE tokens AS t SET used_at = {now}, expires_at = held.expires_at FROM held \
        WHERE t.channel = held.channel AND t.token_id = held.token_id";
    type Row = ();
}

/// Notes that tokens were used now, and until when they live now.
pub(crate) fn renew(conn: &mut DbConn, used: &[&TokenRow], now: UnixMillis) -> Result<(), DbError> {
    match conn {
        _ if used.is_empty() => {}
        DbConn::Pg(c) => {
            let rows = Rows::of(used)
                .column::<Text, _>("channel", |row| row.channel.as_str())
                .column::<Text, _>("token_id", |row| row.token_id.as_str())
                .column::<Binary, _>("token_hash", |row| row.token_hash.as_slice())
                .column::<BigInt, _>("expires_at", |row| row.expires_at.as_i64());
            let renew = BatchQuery::<Renew>::new().rows("r", rows);
            renew.value::<BigInt, _>("now", now.as_i64()).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for row in used {
                diesel::update(tokens::table.find((&row.channel, row.token_id)))
                    .filter(tokens::token_hash.eq(row.token_hash))
                    .set((tokens::used_at.eq(now), tokens::expires_at.eq(row.expires_at)))
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

/// The tokens of a channel that live, in the order in which they were made.
pub(crate) fn of_channel(
    conn: &mut DbConn,
    channel: &ChannelName,
    now: UnixMillis,
) -> Result<Vec<TokenRow>, DbError> {
    let of_channel = tokens::table.filter(tokens::channel.eq(channel.as_str()));
    let living = of_channel.filter(tokens::expires_at.gt(now));
    Ok(living.order((tokens::created_at, tokens::token_id)).select(TokenRow::as_select()).load(conn)?)
}

/// Counts the tokens of a channel, those that have expired lately included.
pub(crate) fn count(conn: &mut DbConn, channel: &str) -> Result<i64, DbError> {
    Ok(tokens::table.filter(tokens::channel.eq(channel)).count().get_result(conn)?)
}

/// Removes a token, or all of a channel; returns how many.
pub(crate) fn remove(
    conn: &mut DbConn,
    channel: &ChannelName,
    id: Option<ChannelTokenId>,
) -> Result<usize, DbError> {
    let of_channel = tokens::table.filter(tokens::channel.eq(channel.as_str()));
    Ok(match id {
        Some(id) => diesel::delete(of_channel.filter(tokens::token_id.eq(id))).execute(conn)?,
        None => diesel::delete(of_channel).execute(conn)?,
    })
}

/// Removes up to `limit` tokens that have expired; returns how many.
pub(crate) fn prune(conn: &mut DbConn, now: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let prune = diesel::sql_query(
        "DELETE FROM tokens WHERE (channel, token_id) IN (SELECT channel, token_id FROM tokens \
         WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) AND expires_at <= $1",
    );
    let prune = prune.bind::<BigInt, _>(now).bind::<BigInt, _>(limit);
    Ok(on_backend!(conn, |c| prune.execute(c))?)
}
