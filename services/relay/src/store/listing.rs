//! Gateway clients as the public lists show them: those with a number.

use common::models::{E164, UnixMillis};
use db::{DbConn, DbError, MultiBackend};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

use super::clients::ClientRow;
use super::schema::gateway_clients;

diesel::define_sql_function! {
    /// The text in lower case.
    fn lower(text: Nullable<Text>) -> Nullable<Text>;
}

/// Which clients are listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Of this country, in whatever case.
    pub(crate) country: Option<String>,
    /// Whose operator's name holds this.
    pub(crate) operator: Option<String>,
    /// Whose protocols hold this.
    pub(crate) protocols: Option<String>,
    /// That have published since then.
    pub(crate) published_since: Option<UnixMillis>,
}

type Listed<'a> = gateway_clients::BoxedQuery<'a, MultiBackend>;

fn listed(filter: &Filter) -> Listed<'static> {
    let mut listed = gateway_clients::table
        .filter(gateway_clients::revoked_at.is_null())
        .filter(gateway_clients::msisdn.is_not_null())
        .into_boxed();
    if let Some(country) = &filter.country {
        listed = listed.filter(lower(gateway_clients::country).eq(sought(country).to_lowercase()));
    }
    if let Some(operator) = &filter.operator {
        listed = listed.filter(lower(gateway_clients::operator).like(holding(operator)).escape('\\'));
    }
    if let Some(protocols) = &filter.protocols {
        let protocols = holding(protocols);
        listed = listed.filter(lower(gateway_clients::protocols.nullable()).like(protocols).escape('\\'));
    }
    if let Some(since) = filter.published_since {
        listed = listed.filter(gateway_clients::last_published_at.ge(since));
    }
    listed
}

/// What texts are compared with: PostgreSQL's have no NUL, and refuse to be asked for one.
pub(super) fn sought(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A pattern for texts that hold `part`.
fn holding(part: &str) -> String {
    let mut pattern = String::from("%");
    for letter in sought(part).to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern + "%"
}

/// Counts what a filter leaves.
pub(crate) fn count(conn: &mut DbConn, filter: &Filter) -> Result<i64, DbError> {
    Ok(listed(filter).count().get_result(conn)?)
}

/// Reads a part of what a filter leaves, in the order in which clients were made.
pub(crate) fn page(
    conn: &mut DbConn,
    filter: &Filter,
    offset: i64,
    limit: i64,
) -> Result<Vec<ClientRow>, DbError> {
    let page = listed(filter).order(gateway_clients::client_id).offset(offset).limit(limit);
    Ok(page.select(ClientRow::as_select()).load(conn)?)
}

/// Tells whether a number is that of a client.
pub(crate) fn has(conn: &mut DbConn, number: &E164) -> Result<bool, DbError> {
    let found = gateway_clients::table
        .filter(gateway_clients::revoked_at.is_null())
        .filter(gateway_clients::msisdn.eq(number));
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(conn)?)
}

/// The countries that clients are in.
pub(crate) fn countries(conn: &mut DbConn) -> Result<Vec<String>, DbError> {
    let countries: Vec<Option<String>> = gateway_clients::table
        .filter(gateway_clients::revoked_at.is_null())
        .filter(gateway_clients::country.is_not_null())
        .select(gateway_clients::country)
        .distinct()
        .order(gateway_clients::country)
        .load(conn)?;
    Ok(countries.into_iter().flatten().collect())
}

/// The operators of clients in a country.
pub(crate) fn operators(conn: &mut DbConn, country: &str) -> Result<Vec<String>, DbError> {
    let operators: Vec<Option<String>> = gateway_clients::table
        .filter(gateway_clients::revoked_at.is_null())
        .filter(lower(gateway_clients::country).eq(sought(country).to_lowercase()))
        .filter(gateway_clients::operator.is_not_null())
        .select(gateway_clients::operator)
        .distinct()
        .order(gateway_clients::operator)
        .load(conn)?;
    Ok(operators.into_iter().flatten().collect())
}
