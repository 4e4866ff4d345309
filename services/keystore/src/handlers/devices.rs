//! `/v1/devices`.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post, put};
use common::models::{DeviceId, Problem};
use web::{Caller, Failure, Json};

use super::bodies::{Device, MAX_BODY, NewDevice, NewName, RegisteredDevice};
use crate::app::State;
use crate::domain::keys::Upload;
use crate::domain::{listing, registration, removal};

/// Registers a device, and binds the caller's session to it. May be repeated in the same session.
#[utoipa::path(tag = "devices", request_body = NewDevice, responses(
    (status = 201, body = RegisteredDevice),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`account-not-found`, or `device-not-found`: none to replace"),
    (status = 409, body = Problem,
        description = "`identity-mismatch`, `key-conflict`, `too-many-devices`, `session-bound`, `device-superseded`"),
    (status = 413, body = Problem),
    (status = 422, body = Problem,
        description = "`bad-key`, `bad-signature`, `duplicate-keys`, `too-many-keys`; with `kind` and `keyId`"),
    (status = 503, body = Problem, description = "auth or mailbox cannot be asked: repeat the request"),
    (status = 504, body = Problem, description = "the same"),
), security(("session" = [])))]
#[post("/v1/devices")]
pub(crate) async fn register(
    state: Data<State>,
    caller: Caller,
    body: Json<NewDevice, MAX_BODY>,
) -> Result<HttpResponse, Failure> {
    let body = body.into_inner();
    let new = registration::NewDevice {
        account: caller.account,
        session: caller.session,
        registration_id: body.registration_id,
        name: body.name.map(|name| name.0),
        identity_key: body.identity_key,
        signed_pre_key: body.signed_pre_key,
        pq_last_resort: body.pq_last_resort_pre_key,
        one_time: Upload { pre_keys: body.pre_keys, pq_pre_keys: body.pq_pre_keys, ..Upload::default() },
        replaces: body.replace_device_id,
    };
    let registered = state.counting_refusals(registration::register(&state, new).await)?;
    Ok(HttpResponse::Created().json(RegisteredDevice {
        device_id: registered.device,
        account_id: caller.account,
        session_id: caller.session,
        access_token: registered.tokens.access_token.expose().clone(),
        refresh_token: registered.tokens.refresh_token.expose().clone(),
        expires_in: registered.tokens.expires_in,
    }))
}

/// Lists the devices of the caller's account.
#[utoipa::path(tag = "devices", responses(
    (status = 200, body = Vec<Device>),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[get("/v1/devices")]
pub(crate) async fn list(state: Data<State>, caller: Caller) -> Result<Json<Vec<Device>>, Failure> {
    let devices = listing::list(&state, caller.account).await?;
    Ok(Json(devices.into_iter().map(Device::from).collect()))
}

/// Names a device of the caller's account.
#[utoipa::path(tag = "devices", params(("device" = DeviceId, Path)), request_body = NewName, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`device-not-found`"),
    (status = 413, body = Problem),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[put("/v1/devices/{device}/name")]
pub(crate) async fn rename(
    state: Data<State>,
    caller: Caller,
    device: Path<DeviceId>,
    body: Json<NewName>,
) -> Result<HttpResponse, Failure> {
    let name = body.into_inner().name.map(|name| name.0);
    listing::rename(&state, caller.account, *device, name).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes a device of the caller's account, with its keys and messages. Its tokens are refused from now on.
#[utoipa::path(tag = "devices", params(("device" = DeviceId, Path)), responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`device-not-found`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[delete("/v1/devices/{device}")]
pub(crate) async fn remove(
    state: Data<State>,
    caller: Caller,
    device: Path<DeviceId>,
) -> Result<HttpResponse, Failure> {
    removal::remove(&state, caller.account, *device, None).await?;
    Ok(HttpResponse::NoContent().finish())
}
