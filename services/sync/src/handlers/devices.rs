//! `/v1/sync/devices`: the devices that have synchronized, for the user whose they are.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get};
use common::models::{Problem, UnixMillis};
use serde::Serialize;
use utoipa::ToSchema;
use web::{Caller, Failure, Json};

use crate::app::State;
use crate::domain::{SyncError, UserId, shared_keys};

/// The devices of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Devices {
    /// The newest first.
    devices: Vec<Device>,
}

/// A device that has synchronized.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Device {
    /// The session in which it did.
    session_id: String,
    /// When it did.
    synchronized_at: UnixMillis,
}

/// Lists the devices of the caller that have a shared key.
#[utoipa::path(tag = "sync", responses(
    (status = 200, body = Devices),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[get("/v1/sync/devices")]
pub(crate) async fn list(state: Data<State>, caller: Caller) -> Result<Json<Devices>, Failure> {
    let rows = shared_keys::of_user(&state, user(&caller)?).await?;
    let devices =
        rows.into_iter().map(|(id, at)| Device { session_id: id.as_str().to_owned(), synchronized_at: at });
    Ok(Json(Devices { devices: devices.collect() }))
}

/// Forgets a device of the caller: its key opens no SMS any more.
#[utoipa::path(tag = "sync", params(("session" = String, Path, description = "`sessionId` of the device")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`device-not-found`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[delete("/v1/sync/devices/{session}")]
pub(crate) async fn forget(
    state: Data<State>,
    caller: Caller,
    session: Path<String>,
) -> Result<HttpResponse, Failure> {
    let session = session.parse().map_err(|_| SyncError::NoDevice)?;
    shared_keys::forget(&state, user(&caller)?, session).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// An account, as sync calls it.
fn user(caller: &Caller) -> Result<UserId, SyncError> {
    caller.account.as_str().parse().map_err(|_| SyncError::NoDevice)
}
