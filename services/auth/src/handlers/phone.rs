//! `/v1/accounts/phone-verifications`: numbers verified by SMS.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post, put};
use common::models::{Problem, VerificationId};
use web::{Caller, ClientAddr, Failure, Json, Rule};

use super::bodies::{BeginVerification, CheckCode, NewPhone, Verification};
use crate::app::State;
use crate::domain::phone;

/// Begins the verification of a number. Needs no account: one may be made with it.
#[utoipa::path(tag = "phone", request_body = BeginVerification, responses(
    (status = 201, body = Verification),
    (status = 400, body = Problem),
    (status = 422, body = Problem, description = "`sms-not-configured`"),
    (status = 429, body = Problem, description = "`rate-limited`, by address"),
))]
#[post("/v1/accounts/phone-verifications")]
pub(crate) async fn begin(
    state: Data<State>,
    client: ClientAddr,
    body: Json<BeginVerification>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::PhoneAddress, client.network())?;
    let begun = phone::begin(&state, &body.phone).await?;
    Ok(HttpResponse::Created().json(Verification::from(begun)))
}

/// Reads a verification.
#[utoipa::path(tag = "phone", responses(
    (status = 200, body = Verification),
    (status = 404, body = Problem, description = "`verification-not-found`"),
))]
#[get("/v1/accounts/phone-verifications/{verification}")]
pub(crate) async fn read(
    state: Data<State>,
    verification: Path<VerificationId>,
) -> Result<Json<Verification>, Failure> {
    Ok(Json(phone::find(&state, *verification).await?.into()))
}

/// Sends a code by SMS; an earlier one is void.
#[utoipa::path(tag = "phone", responses(
    (status = 202, body = Verification),
    (status = 404, body = Problem, description = "`verification-not-found`"),
    (status = 409, body = Problem, description = "`already-verified`, or `verification-exhausted`"),
    (status = 422, body = Problem, description = "`sms-not-configured`"),
    (status = 429, body = Problem, description = "`rate-limited`: by address, before the pause is over, or too many SMS to \
        the number, or in all"),
))]
#[post("/v1/accounts/phone-verifications/{verification}/code")]
pub(crate) async fn send_code(
    state: Data<State>,
    client: ClientAddr,
    verification: Path<VerificationId>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::PhoneAddress, client.network())?;
    let sent = phone::send_code(&state, *verification).await?;
    Ok(HttpResponse::Accepted().json(Verification::from(sent)))
}

/// Shows a code. A wrong one is answered with `verified: false`.
#[utoipa::path(tag = "phone", request_body = CheckCode, responses(
    (status = 200, body = Verification),
    (status = 400, body = Problem),
    (status = 404, body = Problem, description = "`verification-not-found`"),
    (status = 409, body = Problem, description = "`verification-exhausted`: no check is left, or no code was sent"),
    (status = 429, body = Problem, description = "`rate-limited`: before the pause is over"),
))]
#[put("/v1/accounts/phone-verifications/{verification}/code")]
pub(crate) async fn check_code(
    state: Data<State>,
    verification: Path<VerificationId>,
    body: Json<CheckCode>,
) -> Result<Json<Verification>, Failure> {
    Ok(Json(phone::check_code(&state, *verification, &body.code).await?.into()))
}

/// Gives the caller's account a number that was verified, or takes it away.
#[utoipa::path(tag = "phone", request_body = NewPhone, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, or a wrong password"),
    (status = 403, body = Problem, description = "`phone-verification-needed`"),
    (status = 409, body = Problem, description = "`phone-taken`"),
    (status = 429, body = Problem, description = "`rate-limited`: too many wrong passwords"),
), security(("session" = [])))]
#[put("/v1/accounts/current/phone")]
pub(crate) async fn set(
    state: Data<State>,
    caller: Caller,
    body: Json<NewPhone>,
) -> Result<HttpResponse, Failure> {
    let NewPhone { phone_verification_id, password } = body.into_inner();
    phone::set(&state, caller.account, password, phone_verification_id).await?;
    Ok(HttpResponse::NoContent().finish())
}
