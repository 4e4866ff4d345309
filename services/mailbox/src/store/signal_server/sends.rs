//! Storing messages: those of a batch that nothing speaks against by one statement of PostgreSQL; any message, judged
//! step by step, on either database.

use common::models::{AccountId, SignalServerId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};

use super::devices::{self, DeviceRow};
use crate::domain::signal_server::{Outgoing, Terms};
use crate::store::schema::signal_server_messages as messages;

/// What became of a message that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub(crate) struct StoredRow {
    pub(crate) message_id: i64,
    pub(crate) sender_registration_id: SignalServerId,
    pub(crate) sender_address: String,
    pub(crate) recipient_address: String,
}

enum Store {}

impl BatchSql for Store {
    // The lock comes first: numbers of messages are drawn under it. They are drawn in the order of the requests, so that
    // the first of them is the first one's. What does not fit is passed over, whose sender is to be told why.
    const SQL: &'static str = "WITH boxes AS MATERIALIZED ( \
            SELECT account_id, registration_id, address, message_count, byte_count FROM signal_server_devices \
            WHERE account_id = ANY({accounts}) ORDER BY account_id FOR UPDATE), \
        chosen AS MATERIALIZED (SELECT * FROM ( \
            SELECT r.request, r.content, octet_length(r.content) AS bytes, b.account_id, \
                b.address AS recipient_address, s.registration_id AS sender_registration_id, \
                s.address AS sender_address, b.message_count + row_number() OVER queue AS messages_then, \
                b.byte_count + sum(octet_length(r.content)) OVER queue AS bytes_then \
            FROM {r} JOIN boxes b \
                ON b.account_id = r.recipient AND b.registration_id = r.recipient_registration_id \
            JOIN signal_server_devices s \
                ON s.account_id = r.sender AND s.registration_id = r.sender_registration_id \
            WINDOW queue AS (PARTITION BY b.account_id ORDER BY r.request)) AS fitting \
            WHERE messages_then <= {most} AND bytes_then <= {most_bytes}), \
        counted AS (UPDATE signal_server_devices d SET message_count = d.message_count + n.messages, \
            byte_count = d.byte_count + n.bytes \
            FROM (SELECT account_id, count(*) AS messages, sum(bytes) AS bytes FROM chosen GROUP BY account_id) n \
            WHERE d.account_id = n.account_id), \
        stored AS (INSERT INTO signal_server_messages (account_id, sender_registration_id, sender_address, content, \
            content_bytes, sent_at) \
            SELECT account_id, sender_registration_id, sender_address, content, bytes, {now} FROM chosen \
            ORDER BY request RETURNING message_id) \
        SELECT c.request, i.message_id, c.sender_registration_id, c.sender_address, c.recipient_address \
        FROM (SELECT *, row_number() OVER (ORDER BY request) AS place FROM chosen) c \
        JOIN (SELECT message_id, row_number() OVER (ORDER BY message_id) AS place FROM stored) i USING (place)";
    type Row = (Integer, (BigInt, Integer, Text, Text));
}

/// Stores those messages of a batch that nothing speaks against, and gives their places in it.
pub(crate) fn store(
    conn: &mut PgConnection,
    batch: &[Outgoing],
    terms: &Terms,
    now: UnixMillis,
) -> QueryResult<Vec<(i32, StoredRow)>> {
    let mut accounts: Vec<&str> = batch.iter().map(|one| one.recipient.as_str()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let id = |id: Option<SignalServerId>| id.map(SignalServerId::as_i32);
    let rows = Rows::of(batch)
        .numbered("request")
        .column::<Text, _>("sender", |one| one.sender.as_str())
        .column::<Nullable<Integer>, _>("sender_registration_id", |one| id(one.sender_registration_id))
        .column::<Text, _>("recipient", |one| one.recipient.as_str())
        .column::<Nullable<Integer>, _>("recipient_registration_id", |one| id(one.recipient_registration_id))
        .column::<Text, _>("content", |one| one.content.as_str());
    BatchQuery::<Store>::new()
        .rows("r", rows)
        .value::<Array<Text>, _>("accounts", accounts)
        .value::<BigInt, _>("most", terms.most)
        .value::<BigInt, _>("most_bytes", terms.most_bytes)
        .value::<BigInt, _>("now", now.as_i64())
        .load(conn)
}

/// Stores a message for a device that is locked.
pub(crate) fn insert(
    conn: &mut DbConn,
    (account, device): (AccountId, DeviceRow),
    sender: DeviceRow,
    content: &str,
    now: UnixMillis,
) -> Result<StoredRow, DbError> {
    let bytes = i32::try_from(content.len()).map_err(DbError::other)?;
    devices::count(conn, account, 1, bytes.into())?;
    let row = (
        messages::account_id.eq(account),
        messages::sender_registration_id.eq(sender.registration_id),
        messages::sender_address.eq(&sender.address),
        messages::content.eq(content),
        messages::content_bytes.eq(bytes),
        messages::sent_at.eq(now),
    );
    let message_id = on_backend!(conn, |c| diesel::insert_into(messages::table)
        .values(row)
        .returning(messages::message_id)
        .get_result(c))?;
    Ok(StoredRow {
        message_id,
        sender_registration_id: sender.registration_id,
        sender_address: sender.address,
        recipient_address: device.address,
    })
}
