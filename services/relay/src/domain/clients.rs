//! Gateway clients: who they are, and how they are made, rotated and revoked.

use common::crypto::token::PlainToken;
use common::models::GatewayClientId;
use common::models::gateway::{GatewayCredentials, NewGatewayClient, OperatorKey};
use service::operators::{Act, AuditTable};

use super::{RelayError, numbering};
use crate::app::State;
use crate::store::clients::{self, ClientRow};

/// Finds the client whose credentials these are.
///
/// # Errors
/// [`RelayError::BadCredentials`].
pub(crate) async fn authenticate(state: &State, id: &str, secret: &str) -> Result<ClientRow, RelayError> {
    let id: GatewayClientId = id.parse().map_err(|_| RelayError::BadCredentials)?;
    let row = state.db.read(move |conn| clients::find(conn, id)).await?;
    let now = state.clock.now();
    row.filter(|row| row.accepts(secret, now)).ok_or(RelayError::BadCredentials)
}

/// Makes a client; `act` says of it, by its id, who has made it.
///
/// # Errors
/// [`RelayError::TooManyClients`].
pub(crate) async fn register(
    state: &State,
    wanted: NewGatewayClient,
    act: impl FnOnce(GatewayClientId) -> Act,
) -> Result<GatewayCredentials, RelayError> {
    let secret = PlainToken::generate()?;
    let origin = wanted.msisdn.as_ref().and_then(numbering::origin);
    let operator = origin.and_then(|origin| origin.operator);
    let operators = wanted.operators.unwrap_or_else(|| {
        let own = operator.and_then(OperatorKey::of_name);
        own.into_iter().collect()
    });
    let row = ClientRow {
        client_id: GatewayClientId::new(),
        secret_hash: secret.hashed(),
        previous_hash: None,
        previous_until: None,
        label: wanted.label,
        kind: wanted.kind,
        msisdn: wanted.msisdn,
        country: origin.map(|origin| origin.country.to_owned()),
        operator: operator.map(str::to_owned),
        operator_code: origin.and_then(|origin| origin.operator_code).map(str::to_owned),
        protocols: wanted.protocols.map_or_else(|| "https".to_owned(), |protocols| protocols.join(",")),
        created_at: state.clock.now(),
        last_published_at: None,
        revoked_at: None,
    };
    let (id, limit, queues) = (row.client_id, state.settings.max_clients, operators.clone());
    let (act, now) = (act(id), row.created_at);
    state
        .db
        .write(move |conn| {
            if clients::count(conn)? >= i64::from(limit) {
                return Err(RelayError::TooManyClients { limit });
            }
            clients::insert(conn, &row, &operators)?;
            Ok(AuditTable::ADMIN.add(conn, &act, now)?)
        })
        .await?;
    tracing::info!(client.id = %id, "a gateway client was registered");
    declare(state, id, &queues).await;
    Ok(GatewayCredentials { client_id: id, secret: secret.expose().to_owned(), previous_until: None })
}

/// Declares the queues of a new client. What cannot be done now is done at the next connection to the broker, or by the first
/// SMS that finds no queue.
async fn declare(state: &State, id: GatewayClientId, operators: &[OperatorKey]) {
    let Some(broker) = &state.broker else { return };
    if let Err(error) = broker.declare(id, operators).await {
        tracing::warn!(client.id = %id, %error, "queues of a new gateway client could not be declared yet");
    }
}

/// Gives a client another secret. The one before is taken for as long as the settings say.
///
/// # Errors
/// [`RelayError::NoClient`].
pub(crate) async fn rotate(
    state: &State,
    id: GatewayClientId,
    act: Act,
) -> Result<GatewayCredentials, RelayError> {
    let secret = PlainToken::generate()?;
    let (hash, grace) = (secret.hashed(), state.settings.rotation_grace);
    let now = state.clock.now();
    let until = now + grace;
    let rotating = state.db.write(move |conn| {
        if !clients::rotate(conn, id, hash, until)? {
            return Err(RelayError::NoClient);
        }
        Ok(AuditTable::ADMIN.add(conn, &act, now)?)
    });
    rotating.await?;
    tracing::info!(client.id = %id, "a gateway client has another secret");
    let previous_until = (!grace.is_zero()).then_some(until);
    Ok(GatewayCredentials { client_id: id, secret: secret.expose().to_owned(), previous_until })
}

/// Revokes a client: its credentials, its place in the lists, its queues.
///
/// # Errors
/// [`RelayError::NoClient`].
pub(crate) async fn revoke(state: &State, id: GatewayClientId, act: Act) -> Result<(), RelayError> {
    let now = state.clock.now();
    let revoking = state.db.write(move |conn| {
        if !clients::revoke(conn, id, now)? {
            return Err(RelayError::NoClient);
        }
        Ok(AuditTable::ADMIN.add(conn, &act, now)?)
    });
    revoking.await?;
    tracing::info!(client.id = %id, "a gateway client was revoked");
    if let Some(broker) = &state.broker
        && let Err(error) = broker.retire().await
    {
        tracing::warn!(client.id = %id, %error, "queues of a revoked gateway client are still there");
    }
    Ok(())
}
