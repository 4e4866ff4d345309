//! `/v1/accounts/current/totp`: the second factor.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, post};
use common::models::Problem;
use web::{Caller, Failure, Json};

use super::bodies::{ChangeTotp, ConfirmTotp, EnrolTotp, RecoveryCodes, TotpSecret};
use crate::app::State;
use crate::domain::totp;

/// Makes a secret; it counts once it is confirmed.
#[utoipa::path(tag = "second factor", request_body = EnrolTotp, responses(
    (status = 201, body = TotpSecret),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, or a wrong password"),
    (status = 409, body = Problem, description = "`totp-active`"),
    (status = 429, body = Problem, description = "`rate-limited`: too many wrong passwords"),
), security(("session" = [])))]
#[post("/v1/accounts/current/totp")]
pub(crate) async fn enrol(
    state: Data<State>,
    caller: Caller,
    body: Json<EnrolTotp>,
) -> Result<HttpResponse, Failure> {
    let enrolment = totp::enrol(&state, caller.account, body.into_inner().password).await?;
    Ok(HttpResponse::Created().json(TotpSecret::from(enrolment)))
}

/// Turns the second factor on, and gives the recovery codes.
#[utoipa::path(tag = "second factor", request_body = ConfirmTotp, responses(
    (status = 200, body = RecoveryCodes),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, or `wrong-code`"),
    (status = 404, body = Problem, description = "`totp-not-found`: no enrolment was begun"),
    (status = 409, body = Problem, description = "`totp-active`"),
    (status = 429, body = Problem, description = "`rate-limited`: too many wrong codes"),
), security(("session" = [])))]
#[post("/v1/accounts/current/totp/confirm")]
pub(crate) async fn confirm(
    state: Data<State>,
    caller: Caller,
    body: Json<ConfirmTotp>,
) -> Result<Json<RecoveryCodes>, Failure> {
    let recovery_codes = totp::confirm(&state, caller.account, body.code.expose()).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// Replaces the recovery codes.
#[utoipa::path(tag = "second factor", request_body = ChangeTotp, responses(
    (status = 200, body = RecoveryCodes),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, a wrong password, or `wrong-code`"),
    (status = 404, body = Problem, description = "`totp-not-found`"),
    (status = 429, body = Problem, description = "`rate-limited`: too many wrong passwords or codes"),
), security(("session" = [])))]
#[post("/v1/accounts/current/totp/recovery-codes")]
pub(crate) async fn renew_recovery_codes(
    state: Data<State>,
    caller: Caller,
    body: Json<ChangeTotp>,
) -> Result<Json<RecoveryCodes>, Failure> {
    let ChangeTotp { password, code } = body.into_inner();
    let recovery_codes = totp::renew_recovery_codes(&state, caller.account, password, code.expose()).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// Turns the second factor off.
#[utoipa::path(tag = "second factor", request_body = ChangeTotp, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, a wrong password, or `wrong-code`"),
    (status = 404, body = Problem, description = "`totp-not-found`"),
    (status = 429, body = Problem, description = "`rate-limited`: too many wrong passwords or codes"),
), security(("session" = [])))]
#[delete("/v1/accounts/current/totp")]
pub(crate) async fn disable(
    state: Data<State>,
    caller: Caller,
    body: Json<ChangeTotp>,
) -> Result<HttpResponse, Failure> {
    let ChangeTotp { password, code } = body.into_inner();
    totp::disable(&state, caller.account, password, code.expose()).await?;
    Ok(HttpResponse::NoContent().finish())
}
