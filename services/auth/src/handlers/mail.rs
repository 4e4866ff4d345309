//! Addresses confirmed, and passwords reset, by mail.

use actix_web::web::Data;
use actix_web::{HttpResponse, post, put};
use common::models::Problem;
use web::{Caller, ClientAddr, Failure, Json, Rule};

use super::bodies::{MailToken, NewEmail, RequestReset, ResetPassword};
use crate::app::State;
use crate::domain::mail;

/// Sends a mail to a new address, which becomes the account's once it is confirmed. A new password makes the mail void.
#[utoipa::path(tag = "e-mail", request_body = NewEmail, responses(
    (status = 202, description = "the mail will be sent"),
    (status = 204, description = "the address was taken away"),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, or a wrong password"),
    (status = 422, body = Problem, description = "`mail-not-configured`"),
    (status = 429, body = Problem, description = "`rate-limited`: too many mails, or too many wrong passwords"),
), security(("session" = [])))]
#[put("/v1/accounts/current/email")]
pub(crate) async fn set_email(
    state: Data<State>,
    client: ClientAddr,
    caller: Caller,
    body: Json<NewEmail>,
) -> Result<HttpResponse, Failure> {
    let NewEmail { email, password } = body.into_inner();
    let Some(email) = email else {
        mail::forget_email(&state, caller.account, password).await?;
        return Ok(HttpResponse::NoContent().finish());
    };
    state.limits.take(Rule::MailAddress, client.network())?;
    state.limits.take(Rule::MailTarget, email.as_str())?;
    mail::request_verification(&state, caller.account, password, &email).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Confirms an address by what was mailed there, at a registration or later.
#[utoipa::path(tag = "e-mail", request_body = MailToken, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 409, body = Problem, description = "`email-taken`"),
    (status = 422, body = Problem, description = "`invalid-mail-token`: unknown, used, expired, or older than the password"),
))]
#[post("/v1/accounts/email/verify")]
pub(crate) async fn verify(state: Data<State>, body: Json<MailToken>) -> Result<HttpResponse, Failure> {
    mail::verify(&state, body.token.expose()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Asks for a mail to reset a password. The answer is the same for every address.
#[utoipa::path(tag = "e-mail", request_body = RequestReset, responses(
    (status = 202, description = "if it is the verified address of an account, a mail will be sent"),
    (status = 400, body = Problem),
    (status = 422, body = Problem, description = "`mail-not-configured`"),
    (status = 429, body = Problem, description = "`rate-limited`"),
))]
#[post("/v1/accounts/password/reset")]
pub(crate) async fn request_reset(
    state: Data<State>,
    client: ClientAddr,
    body: Json<RequestReset>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::MailAddress, client.network())?;
    state.limits.take(Rule::MailTarget, body.email.as_str())?;
    mail::request_reset(&state, &body.email).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Sets a new password by what was mailed, and ends all sessions.
#[utoipa::path(tag = "e-mail", request_body = ResetPassword, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 422, body = Problem, description = "`invalid-mail-token`: unknown, used or expired"),
    (status = 503, body = Problem),
))]
#[post("/v1/accounts/password/reset/confirm")]
pub(crate) async fn reset(state: Data<State>, body: Json<ResetPassword>) -> Result<HttpResponse, Failure> {
    let ResetPassword { token, new_password } = body.into_inner();
    mail::reset(&state, token.expose(), new_password).await?;
    Ok(HttpResponse::NoContent().finish())
}
