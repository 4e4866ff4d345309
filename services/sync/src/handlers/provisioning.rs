//! `/v1/provisioning`: a new device waits for an envelope of a device that is logged in. The page that shows the code is in
//! [`page`](super::page).

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, put};
use common::models::{Base64Bytes, Problem};
use serde::Deserialize;
use utoipa::ToSchema;
use web::ws::{SocketLimits, upgrade};
use web::{ClientAddr, DeviceCaller, Failure, Json, Rule};

use crate::app::State;
use crate::domain::provisioning::{self, Address, ProvisioningError};
use crate::settings::ProvisioningSettings;

/// Nothing is to be said on the websocket; what is said all the same is not kept.
const MESSAGE_BYTES: usize = 1024;

/// An envelope for a new device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Envelope {
    /// Ciphertext: `proto/provisioning.md` has a form that apps of different makers share.
    pub(crate) body: Base64Bytes,
}

/// Connects a new device, which gets an address and then the envelope that is written there. Needs no login.
#[utoipa::path(tag = "linking", responses(
    (status = 101, description = "frames and close codes: `proto/provisioning.md`"),
    (status = 400, body = Problem, description = "not a websocket handshake"),
    (status = 429, body = Problem, description = "`rate-limited`: by address"),
    (status = 503, body = Problem, description = "as many devices wait already as this process has room for"),
))]
#[get("/v1/provisioning/websocket")]
pub(crate) async fn connect(
    state: Data<State>,
    client: ClientAddr,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::ProvisioningAddress, client.network())?;
    let seat = state.seats.take()?;
    let settings = &state.settings.provisioning;
    let limits = SocketLimits {
        message_bytes: MESSAGE_BYTES,
        // An envelope in base64, and what surrounds it.
        queue_bytes: settings.max_envelope_bytes / 3 * 4 + 1024,
        queue_frames: 16,
        ping: settings.idle / 3,
        idle: settings.idle,
    };
    let session = Data::clone(&state).into_inner();
    upgrade(&request, limits, move |socket| provisioning::serve(session, seat, socket))
}

/// Tells the new device that its QR code was read.
#[utoipa::path(tag = "linking", params(("address" = String, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 404, body = Problem, description = "`provisioning-address-not-found`: unknown, used, expired or left"),
    (status = 429, body = Problem, description = "`rate-limited`: by account"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[put("/v1/provisioning/{address}/scanned")]
pub(crate) async fn scanned(
    state: Data<State>,
    caller: DeviceCaller,
    address: Path<String>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::ProvisioningAccount, caller.caller.account)?;
    provisioning::scanned(&state, read(&address)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Hands an envelope over to the new device. 204 means that its websocket has taken it; an address works once.
#[utoipa::path(tag = "linking", params(("address" = String, Path)), request_body = Envelope, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 404, body = Problem,
        description = "`provisioning-address-not-found`: unknown, used, expired, left, or not taken in time"),
    (status = 413, body = Problem),
    (status = 422, body = Problem, description = "`empty-envelope`"),
    (status = 429, body = Problem, description = "`rate-limited`: by account"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[put("/v1/provisioning/{address}")]
pub(crate) async fn hand_over(
    state: Data<State>,
    caller: DeviceCaller,
    address: Path<String>,
    body: Json<Envelope, { ProvisioningSettings::MAX_BODY_BYTES }>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::ProvisioningAccount, caller.caller.account)?;
    provisioning::hand_over(&state, read(&address)?, body.into_inner().body).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn read(address: &str) -> Result<Address, ProvisioningError> {
    address.parse().map_err(|_| ProvisioningError::NobodyWaits)
}
