//! Pings of modems, and who is there.
//!
//! What must hold: a modem belongs to the client that told of it first, and only that one changes what is known of it.

use common::models::E164;
use common::models::gateway::{Imsi, SeedKind};

use super::{RelayError, numbering};
use crate::app::State;
use crate::store::clients::ClientRow;
use crate::store::seeds::{self, SeedName, SeedRow};

/// What a modem says of itself.
pub(crate) struct Ping {
    pub(crate) imsi: Imsi,
    pub(crate) msisdn: E164,
    pub(crate) kind: SeedKind,
}

/// Notes that a modem is there.
///
/// # Errors
/// [`RelayError::OtherClientsImsi`], [`RelayError::TooManySeeds`].
pub(crate) async fn ping(state: &State, client: &ClientRow, ping: Ping) -> Result<SeedRow, RelayError> {
    let origin = numbering::origin(&ping.msisdn);
    let row = SeedRow {
        pseudonym: state.seal.pseudonym(ping.imsi.as_str()),
        imsi: ping.imsi.as_str().to_owned(),
        client_id: client.client_id,
        msisdn: ping.msisdn,
        seed_type: ping.kind,
        country: origin.map(|origin| origin.country.to_owned()),
        operator_name: origin.and_then(|origin| origin.operator).map(str::to_owned),
        operator_id: origin.and_then(|origin| origin.operator_code).map(str::to_owned),
        pinged_at: state.clock.now(),
    };
    let (limit, stored) = (state.settings.client_seeds, row.clone());
    state
        .db
        .write(move |conn| {
            if seeds::count_others(conn, stored.client_id, &stored.imsi)? >= i64::from(limit) {
                return Err(RelayError::TooManySeeds { limit });
            }
            let counts = seeds::ping(conn, &stored)?;
            counts.then_some(()).ok_or(RelayError::OtherClientsImsi)
        })
        .await?;
    Ok(row)
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
