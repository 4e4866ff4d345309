//! Gateway clients and the operators that they serve.

use common::crypto::token::HashedToken;
use common::models::gateway::{OperatorKey, SeedKind};
use common::models::{E164, GatewayClientId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::schema::{gateway_client_operators, gateway_clients, seeds};

/// A gateway client as it is stored.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = gateway_clients)]
pub(crate) struct ClientRow {
    pub(crate) client_id: GatewayClientId,
    pub(crate) secret_hash: HashedToken,
    pub(crate) previous_hash: Option<HashedToken>,
    pub(crate) previous_until: Option<UnixMillis>,
    pub(crate) label: Option<String>,
    pub(crate) kind: SeedKind,
    pub(crate) msisdn: Option<E164>,
    pub(crate) country: Option<String>,
    pub(crate) operator: Option<String>,
    pub(crate) operator_code: Option<String>,
    pub(crate) protocols: String,
    pub(crate) created_at: UnixMillis,
    pub(crate) last_published_at: Option<UnixMillis>,
    pub(crate) revoked_at: Option<UnixMillis>,
}

impl ClientRow {
    /// Tells whether a secret is this client's: the present one, or the one before while it is still taken.
    pub(crate) fn accepts(&self, secret: &str, now: UnixMillis) -> bool {
        let given = HashedToken::of(secret);
        let earlier = self.previous_hash.filter(|_| self.previous_until.is_some_and(|until| until > now));
        // Both are compared whatever the first says.
        (self.secret_hash == given) | earlier.is_some_and(|earlier| earlier == given)
    }
}

/// Stores a client that was made just now.
pub(crate) fn insert(conn: &mut DbConn, row: &ClientRow, operators: &[OperatorKey]) -> Result<(), DbError> {
    on_backend!(conn, |c| diesel::insert_into(gateway_clients::table).values(row).execute(c))?;
    for operator in operators {
        let row = (
            gateway_client_operators::client_id.eq(row.client_id),
            gateway_client_operators::operator.eq(operator),
        );
        on_backend!(conn, |c| diesel::insert_into(gateway_client_operators::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    Ok(())
}

/// Finds a client that is not revoked.
pub(crate) fn find(conn: &mut DbConn, id: GatewayClientId) -> Result<Option<ClientRow>, DbError> {
    let living = gateway_clients::table.find(id).filter(gateway_clients::revoked_at.is_null());
    Ok(living.select(ClientRow::as_select()).first(conn).optional()?)
}

/// Counts the clients that are not revoked.
pub(crate) fn count(conn: &mut DbConn) -> Result<i64, DbError> {
    Ok(gateway_clients::table.filter(gateway_clients::revoked_at.is_null()).count().get_result(conn)?)
}

/// Reads up to `limit` clients behind `after`, in the order in which they were made.
pub(crate) fn page(
    conn: &mut DbConn,
    after: Option<GatewayClientId>,
    limit: i64,
) -> Result<Vec<ClientRow>, DbError> {
    let after = after.map_or_else(String::new, |id| id.to_string());
    let living = gateway_clients::table
        .filter(gateway_clients::revoked_at.is_null())
        .filter(gateway_clients::client_id.gt(after));
    let page = living.order(gateway_clients::client_id).limit(limit);
    Ok(page.select(ClientRow::as_select()).load(conn)?)
}

/// The operators of clients, in order.
pub(crate) fn operators(
    conn: &mut DbConn,
    of: &[GatewayClientId],
) -> Result<Vec<(GatewayClientId, OperatorKey)>, DbError> {
    let theirs = gateway_client_operators::table.filter(gateway_client_operators::client_id.eq_any(of));
    let ordered = theirs.order((gateway_client_operators::client_id, gateway_client_operators::operator));
    Ok(ordered.load(conn)?)
}

/// Gives a client another secret; the one it has is taken until `until`. Tells whether there is such a client.
pub(crate) fn rotate(
    conn: &mut DbConn,
    id: GatewayClientId,
    secret: HashedToken,
    until: UnixMillis,
) -> Result<bool, DbError> {
    let living = gateway_clients::table.find(id).filter(gateway_clients::revoked_at.is_null());
    let rotated = diesel::update(living)
        .set((
            gateway_clients::previous_hash.eq(gateway_clients::secret_hash.nullable()),
            gateway_clients::previous_until.eq(until),
            gateway_clients::secret_hash.eq(secret),
        ))
        .execute(conn)?;
    Ok(rotated > 0)
}

/// Revokes a client, and takes its modems out of the lists. Tells whether there was one.
pub(crate) fn revoke(conn: &mut DbConn, id: GatewayClientId, now: UnixMillis) -> Result<bool, DbError> {
    let living = gateway_clients::table.find(id).filter(gateway_clients::revoked_at.is_null());
    let revoked = diesel::update(living).set(gateway_clients::revoked_at.eq(now)).execute(conn)?;
    diesel::delete(seeds::table.filter(seeds::client_id.eq(id))).execute(conn)?;
    Ok(revoked > 0)
}

/// Reads up to `limit` clients that were revoked before `before`, whose queues may still be there.
pub(crate) fn revoked(
    conn: &mut DbConn,
    before: UnixMillis,
    limit: i64,
) -> Result<Vec<GatewayClientId>, DbError> {
    let revoked = gateway_clients::table.filter(gateway_clients::revoked_at.lt(before));
    let oldest = revoked.order(gateway_clients::revoked_at).limit(limit);
    Ok(oldest.select(gateway_clients::client_id).load(conn)?)
}

/// Removes the last of a revoked client.
pub(crate) fn forget(conn: &mut DbConn, id: GatewayClientId) -> Result<(), DbError> {
    let operators = gateway_client_operators::table.filter(gateway_client_operators::client_id.eq(id));
    diesel::delete(operators).execute(conn)?;
    let revoked = gateway_clients::table.find(id).filter(gateway_clients::revoked_at.is_not_null());
    diesel::delete(revoked).execute(conn)?;
    Ok(())
}

/// Notes that clients have handed in an SMS now.
pub(crate) fn published(conn: &mut DbConn, ids: &[GatewayClientId], now: UnixMillis) -> Result<(), DbError> {
    if !ids.is_empty() {
        diesel::update(gateway_clients::table.filter(gateway_clients::client_id.eq_any(ids)))
            .set(gateway_clients::last_published_at.eq(now))
            .execute(conn)?;
    }
    Ok(())
}
