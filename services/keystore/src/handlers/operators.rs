//! `/internal/keystore/v1/operators`: devices and how their keys do, as operators see them.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, delete, get};
use common::models::operators::DeviceKeys;
use common::models::{AccountId, DeviceId, Problem};
use service::operators::{AuditEntry, AuditPage, AuditTable, Operator};
use web::{Failure, Json};

use crate::app::State;
use crate::domain::{listing, removal};

/// Lists the devices of an account, with how many prekeys each has left and when its signed one was last replaced.
#[utoipa::path(tag = "operators", params(("account" = AccountId, Path)), responses(
    (status = 200, body = DeviceKeys, description = "empty for an account that is not known here"),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/keystore/v1/operators/accounts/{account}/devices")]
pub(crate) async fn devices(
    operator: Operator,
    state: Data<State>,
    account: Path<AccountId>,
) -> Result<Json<DeviceKeys>, Failure> {
    let act = operator.act("devices.list", format!("account={account}"));
    Ok(Json(listing::facts(&state, *account, act).await?))
}

/// Removes a device, with its keys and messages, as its owner can.
#[utoipa::path(tag = "operators", params(("account" = AccountId, Path), ("device" = DeviceId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`device-not-found`"),
    (status = 503, body = Problem),
))]
#[delete("/internal/keystore/v1/operators/accounts/{account}/devices/{device}")]
pub(crate) async fn remove(
    operator: Operator,
    state: Data<State>,
    path: Path<(AccountId, DeviceId)>,
) -> Result<HttpResponse, Failure> {
    let (account, device) = path.into_inner();
    let act = operator.act("devices.remove", format!("account={account} device={device}"));
    removal::remove(&state, account, device, Some(act)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Reads the audit log, in order, and says of each entry whether it is as it was written.
#[utoipa::path(tag = "operators", params(AuditPage), responses(
    (status = 200, body = Vec<AuditEntry>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/keystore/v1/audit")]
pub(crate) async fn audit(
    _: Operator,
    state: Data<State>,
    page: Query<AuditPage>,
) -> Result<Json<Vec<AuditEntry>>, Failure> {
    Ok(Json(AuditTable::ADMIN.read(&state.db, page.into_inner()).await?))
}
