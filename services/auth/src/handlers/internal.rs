//! Calls of the other services.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use common::models::internal::{AccountInfo, BindDevice, Revocations, SeenDevices};
use common::models::{AccountId, Problem, SessionId};
use web::{Failure, InternalCaller, Json};

use super::bodies::Session;
use crate::app::State;
use crate::domain::{accounts, housekeeping, sessions};

/// Lists what has ended before its access tokens did.
#[utoipa::path(tag = "internal", responses((status = 200, body = Revocations), (status = 401, body = Problem)))]
#[get("/internal/auth/v1/revocations")]
pub(crate) async fn revocations(state: Data<State>, _: InternalCaller) -> Result<Json<Revocations>, Failure> {
    Ok(Json(housekeeping::revoked(&state).await?))
}

/// Ties a session to a device.
#[utoipa::path(tag = "internal", request_body = BindDevice, responses(
    (status = 200, body = Session),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`session-not-found`"),
    (status = 409, body = Problem, description = "`session-bound` to another device"),
))]
#[post("/internal/auth/v1/sessions/{session}/device")]
pub(crate) async fn bind(
    state: Data<State>,
    _: InternalCaller,
    session: Path<SessionId>,
    body: Json<BindDevice>,
) -> Result<Json<Session>, Failure> {
    let BindDevice { account_id, device_id } = body.into_inner();
    Ok(Json(sessions::bind(&state, account_id, *session, device_id).await?.into()))
}

/// Tells whether an account exists.
#[utoipa::path(tag = "internal", responses(
    (status = 200, body = AccountInfo),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`account-not-found`"),
))]
#[get("/internal/auth/v1/accounts/{account}")]
pub(crate) async fn account(
    state: Data<State>,
    _: InternalCaller,
    account: Path<AccountId>,
) -> Result<Json<AccountInfo>, Failure> {
    accounts::must_exist(&state, *account).await?;
    Ok(Json(AccountInfo { account_id: *account }))
}

/// Tells on which day each device of an account last asked for tokens.
#[utoipa::path(tag = "internal", params(("account" = AccountId, Path)), responses((status = 200, body = SeenDevices), (status = 401, body = Problem)))]
#[get("/internal/auth/v1/accounts/{account}/devices")]
pub(crate) async fn devices(
    state: Data<State>,
    _: InternalCaller,
    of: Path<AccountId>,
) -> Result<Json<SeenDevices>, Failure> {
    Ok(Json(sessions::seen_devices(&state, *of).await?))
}
