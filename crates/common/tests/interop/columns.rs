//! The column mappings, through one connection type for both back ends, on a real SQLite.

use common::crypto::token::{HashedToken, PlainToken};
use common::models::sms::{ClientId, SmsState};
use common::models::{AccountId, Base64Bytes, DeviceId, E164, UnixMillis};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

#[derive(diesel::MultiConnection)]
enum AnyConn {
    Pg(PgConnection),
    Sqlite(SqliteConnection),
}

diesel::table! {
    rows (id) {
        id -> Text,
        device -> Integer,
        at -> BigInt,
        content -> Binary,
        token -> Binary,
        phone -> Nullable<Text>,
        client -> Text,
        state -> Text,
    }
}

#[derive(Debug, Clone, PartialEq, Insertable, Queryable, Selectable)]
#[diesel(table_name = rows)]
struct Row {
    id: AccountId,
    device: DeviceId,
    at: UnixMillis,
    content: Base64Bytes,
    token: HashedToken,
    phone: Option<E164>,
    client: ClientId,
    state: SmsState,
}

fn row() -> Row {
    Row {
        id: AccountId::new(),
        device: DeviceId::new(3).unwrap(),
        at: UnixMillis(-5),
        content: Base64Bytes(vec![0, 255]),
        token: PlainToken::generate().unwrap().hashed(),
        phone: Some("+255123456789".parse().unwrap()),
        client: "test".into(),
        state: SmsState::Delivered,
    }
}

fn store() -> AnyConn {
    let mut conn = AnyConn::Sqlite(SqliteConnection::establish(":memory:").unwrap());
    conn.batch_execute(
        "CREATE TABLE rows (id TEXT PRIMARY KEY, device INTEGER NOT NULL, at BIGINT NOT NULL, content BLOB NOT NULL,
         token BLOB NOT NULL, phone TEXT, client TEXT NOT NULL, state TEXT NOT NULL)",
    )
    .unwrap();
    conn
}

#[test]
fn values_come_back_as_they_were_stored() {
    let mut conn = store();
    let (one, other) = (row(), Row { phone: None, ..row() });

    diesel::insert_into(rows::table).values(&one).execute(&mut conn).unwrap();
    diesel::insert_into(rows::table).values(&other).execute(&mut conn).unwrap();

    let found: Row =
        rows::table.filter(rows::id.eq(one.id)).select(Row::as_select()).first(&mut conn).unwrap();
    assert_eq!(found, one);
    let ids = vec![one.id, other.id];
    let both: i64 = rows::table.filter(rows::id.eq_any(&ids)).count().get_result(&mut conn).unwrap();
    assert_eq!(both, 2);
    let by_token: AccountId =
        rows::table.filter(rows::token.eq(other.token)).select(rows::id).first(&mut conn).unwrap();
    assert_eq!(by_token, other.id);
}

#[test]
fn junk_in_a_column_is_an_error() {
    let mut conn = store();
    diesel::insert_into(rows::table).values(&row()).execute(&mut conn).unwrap();

    conn.batch_execute("UPDATE rows SET device = 128").unwrap();

    assert!(rows::table.select(rows::device).first::<DeviceId>(&mut conn).is_err());
    assert!(rows::table.select(rows::at).first::<UnixMillis>(&mut conn).is_ok());
}
