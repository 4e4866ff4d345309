//! Calls of sync, which has the keys of synchronized devices and knows no passwords.

use actix_web::post;
use actix_web::web::Data;
use common::models::Problem;
use common::models::sync::{SyncPassword, SyncPhone, SyncUser, SyncVerdict};
use web::{Failure, InternalCaller, Json};

use crate::app::State;
use crate::domain::{AuthError, sync};

/// Tells whether a password is an account's.
#[utoipa::path(tag = "internal", request_body = SyncPassword, responses(
    (status = 200, body = SyncVerdict),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/auth/v1/sync/password")]
pub(crate) async fn password(
    state: Data<State>,
    _: InternalCaller,
    body: Json<SyncPassword>,
) -> Result<Json<SyncVerdict>, Failure> {
    let SyncPassword { account_id, password, second_factor_shown, network } = body.into_inner();
    let claim = sync::Claim { account: account_id, password, second_factor_shown, network };
    // Refusals are answers here: a 401 or a 429 would be about the service that calls.
    let verdict = match sync::is_right(&state, claim).await {
        Ok(right) => SyncVerdict { right, retry_after: None },
        Err(AuthError::TooManyAttempts { retry_after }) => {
            SyncVerdict { right: false, retry_after: Some(super::whole_seconds(retry_after)) }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Json(verdict))
}

/// Finds the account that has verified a number.
#[utoipa::path(tag = "internal", request_body = SyncPhone, responses(
    (status = 200, body = SyncUser),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/auth/v1/sync/phone")]
pub(crate) async fn phone(
    state: Data<State>,
    _: InternalCaller,
    body: Json<SyncPhone>,
) -> Result<Json<SyncUser>, Failure> {
    Ok(Json(SyncUser { account_id: sync::with_phone(&state, body.into_inner().phone).await? }))
}
