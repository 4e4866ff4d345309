//! Pings of modems, and who is there.
//!
//! What must hold: a modem belongs to the client that told of it first, and only that one changes what is known of it.

use common::models::gateway::{Imsi, SeedKind};
use common::models::{E164, UnixMillis};

use super::{RelayError, numbering};
use crate::app::State;
use crate::store::clients::ClientRow;
use crate::store::seeds::{self, SeedName, SeedRow};

/// What a modem says of itself.
pub(crate) struct Ping {
    pub(crate) imsi: Imsi,
    pub(crate) msisdn: E164,
    /// Nothing in the form of pings that does not tell it.
    pub(crate) kind: Option<SeedKind>,
}

/// Notes that a modem is there, and gives the time of the ping.
///
/// # Errors
/// [`RelayError::OtherClientsImsi`], [`RelayError::TooManySeeds`].
pub(crate) async fn ping(state: &State, client: &ClientRow, ping: Ping) -> Result<UnixMillis, RelayError> {
    let (origin, now) = (numbering::origin(&ping.msisdn), state.clock.now());
    let row = SeedRow {
        pseudonym: state.seal.pseudonym(ping.imsi.as_str()),
        imsi: ping.imsi.as_str().to_owned(),
        client_id: client.client_id,
        msisdn: ping.msisdn,
        seed_type: ping.kind.unwrap_or(SeedKind::Seed),
        country: origin.map(|origin| origin.country.to_owned()),
        operator_name: origin.and_then(|origin| origin.operator).map(str::to_owned),
        operator_id: origin.and_then(|origin| origin.operator_code).map(str::to_owned),
        pinged_at: now,
    };
    let limit = state.settings.client_seeds;
    state
        .db
        .write(move |conn| {
            if seeds::count_others(conn, row.client_id, &row.imsi)? >= i64::from(limit) {
                return Err(RelayError::TooManySeeds { limit });
            }
            let counts = seeds::ping(conn, &row, ping.kind.is_some())?;
            counts.then_some(()).ok_or(RelayError::OtherClientsImsi)
        })
        .await?;
    Ok(now)
}

/// The modems that are there, or those of one kind.
///
/// # Errors
/// [`RelayError::Db`].
pub(crate) async fn active(state: &State, kind: Option<SeedKind>) -> Result<Vec<SeedRow>, RelayError> {
    let since = state.clock.now() - state.settings.seed_ttl;
    let limit = i64::from(state.settings.max_seeds);
    Ok(state.db.read(move |conn| seeds::active(conn, since, kind, limit)).await?)
}

/// The number of a modem that is there.
///
/// # Errors
/// [`RelayError::Db`].
pub(crate) async fn number(state: &State, name: SeedName) -> Result<Option<E164>, RelayError> {
    let since = state.clock.now() - state.settings.seed_ttl;
    Ok(state.db.read(move |conn| seeds::number(conn, &name, since)).await?)
}
