//! Accounts as operators look for them: in the order of their names, octet by octet.

use common::models::operators::{AccountKind, AccountSummary};
use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::accounts::storable;

/// Behind every text that begins as the one before it: no character comes after this one.
const LAST: char = char::MAX;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    account_id: AccountId,
    #[diesel(sql_type = Text)]
    username: String,
    #[diesel(sql_type = Text)]
    folded: String,
    #[diesel(sql_type = BigInt)]
    created_at: UnixMillis,
    #[diesel(sql_type = Nullable<BigInt>)]
    blocked_at: Option<UnixMillis>,
    #[diesel(sql_type = Bool)]
    is_woosh: bool,
    #[diesel(sql_type = Bool)]
    is_signal_server: bool,
}

/// An account, and where it is in the order.
pub(crate) struct Found {
    pub(crate) summary: AccountSummary,
    pub(crate) place: Place,
}

impl From<Row> for Found {
    fn from(row: Row) -> Self {
        let kind = match (row.is_woosh, row.is_signal_server) {
            (true, _) => AccountKind::Woosh,
            (_, true) => AccountKind::SignalServer,
            _ => AccountKind::Native,
        };
        let Row { account_id, username, folded, created_at, blocked_at, .. } = row;
        let place = Place { name: folded, account: account_id };
        Self { summary: AccountSummary { account_id, username, kind, created_at, blocked_at }, place }
    }
}

/// Where a page begins: behind this name, in lower case, and this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) account: AccountId,
}

/// What is looked for by its beginning.
pub(crate) struct Wanted<'a> {
    /// How the name begins, in lower case.
    pub(crate) name: &'a str,
    pub(crate) after: Option<&'a Place>,
    /// Blocked accounts alone.
    pub(crate) blocked: bool,
    pub(crate) limit: i64,
}

/// Lists accounts whose name begins in a way.
pub(crate) fn by_name(conn: &mut DbConn, wanted: &Wanted<'_>) -> Result<Vec<Found>, DbError> {
    let Wanted { name, after, blocked, limit } = wanted;
    if !storable(name) || after.is_some_and(|place| !storable(&place.name)) {
        return Ok(Vec::new());
    }
    let (from, behind) = after.map_or_else(
        || ((*name).to_owned(), String::new()),
        |place| (place.name.clone(), place.account.to_string()),
    );
    let which = "(lower(username){c}, accounts.account_id{c}) > ($1, $2) AND lower(username){c} >= $3 \
        AND lower(username){c} < $4 ORDER BY lower(username){c}, accounts.account_id{c} LIMIT $5";
    let select = diesel::sql_query(select(conn, which, *blocked))
        .bind::<Text, _>(from)
        .bind::<Text, _>(behind)
        .bind::<Text, _>(*name)
        .bind::<Text, _>(format!("{name}{LAST}"))
        .bind::<BigInt, _>(*limit);
    let rows: Vec<Row> = on_backend!(conn, |c| select.load(c))?;
    Ok(rows.into_iter().map(Found::from).collect())
}

/// Lists accounts whose id begins in a way; a whole one finds one.
pub(crate) fn by_id(
    conn: &mut DbConn,
    start: &str,
    blocked: bool,
    limit: i64,
) -> Result<Vec<Found>, DbError> {
    if !storable(start) {
        return Ok(Vec::new());
    }
    let which = "accounts.account_id{c} >= $1 AND accounts.account_id{c} < $2 \
        ORDER BY accounts.account_id{c} LIMIT $3";
    let select = diesel::sql_query(select(conn, which, blocked))
        .bind::<Text, _>(start)
        .bind::<Text, _>(format!("{start}{LAST}"))
        .bind::<BigInt, _>(limit);
    let rows: Vec<Row> = on_backend!(conn, |c| select.load(c))?;
    Ok(rows.into_iter().map(Found::from).collect())
}

/// SQLite compares octets anyway.
fn select(conn: &DbConn, which: &str, blocked: bool) -> String {
    let collation = match conn {
        DbConn::Pg(_) => " COLLATE \"C\"",
        DbConn::Sqlite(_) => "",
    };
    let join = if blocked { "JOIN" } else { "LEFT JOIN" };
    let which = which.replace("{c}", collation);
    format!(
        "SELECT accounts.account_id, username, lower(username) AS folded, created_at, blocked_at, \
         EXISTS (SELECT 1 FROM woosh_accounts w WHERE w.account_id = accounts.account_id) AS is_woosh, \
         EXISTS (SELECT 1 FROM signal_server_accounts s WHERE s.account_id = accounts.account_id) AS is_signal_server \
         FROM accounts {join} blocked_accounts ON blocked_accounts.account_id = accounts.account_id WHERE {which}"
    )
}
