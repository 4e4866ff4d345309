//! `/v1/sessions` and the public keys.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, http::header, post};
use common::crypto::jws::JwkSet;
use common::models::{Problem, SessionId};
use web::{Caller, ClientAddr, Failure, Json, Rule};

use super::bodies::{CompleteLogin, Login, Refresh, Session, SessionInfo, Sessions};
use crate::app::State;
use crate::domain::sessions::Issued;
use crate::domain::{AuthError, login, sessions};

/// Opens a session.
#[utoipa::path(tag = "sessions", responses(
    (status = 201, body = Session),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "wrong username or password: which is not told; or `totp-required`, with \
        the `challenge` to complete"),
    (status = 429, body = Problem, description = "`rate-limited`: by address, or too many wrong passwords for this name"),
    (status = 503, body = Problem, description = "too many logins at once"),
))]
#[post("/v1/sessions")]
pub(crate) async fn log_in(
    state: Data<State>,
    client: ClientAddr,
    body: Json<Login>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::LoginAddress, client.network())?;
    let Login { username, password } = body.into_inner();
    let issued = login::log_in(&state, &username, password).await;
    state.metrics.logins_total.with_label_values(&[outcome(&issued)]).inc();
    Ok(HttpResponse::Created().json(Session::from(issued?)))
}

/// Completes a login that needs a second factor.
#[utoipa::path(tag = "sessions", request_body = CompleteLogin, responses(
    (status = 201, body = Session),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "`wrong-code`; or the challenge is unknown, used or expired"),
    (status = 429, body = Problem, description = "`rate-limited`: by address, or too many wrong codes"),
))]
#[post("/v1/sessions/challenge")]
pub(crate) async fn complete(
    state: Data<State>,
    client: ClientAddr,
    body: Json<CompleteLogin>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::LoginAddress, client.network())?;
    let issued = login::complete(&state, body.challenge.expose(), body.code.expose()).await;
    state.metrics.logins_total.with_label_values(&[outcome(&issued)]).inc();
    Ok(HttpResponse::Created().json(Session::from(issued?)))
}

fn outcome(issued: &Result<Issued, AuthError>) -> &'static str {
    match issued {
        Ok(_) => "ok",
        Err(AuthError::TotpRequired { .. }) => "challenged",
        Err(_) => "refused",
    }
}

/// Exchanges a refresh token for a new pair. A token that was used before ends its session.
#[utoipa::path(tag = "sessions", responses(
    (status = 200, body = Session),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
#[post("/v1/sessions/refresh")]
pub(crate) async fn refresh(state: Data<State>, body: Json<Refresh>) -> Result<Json<Session>, Failure> {
    Ok(Json(sessions::refresh(&state, body.refresh_token.expose()).await?.into()))
}

/// Lists the sessions of the caller's account.
#[utoipa::path(tag = "sessions", responses(
    (status = 200, body = Sessions),
    (status = 401, body = Problem),
), security(("session" = [])))]
#[get("/v1/sessions")]
pub(crate) async fn list(state: Data<State>, caller: Caller) -> Result<Json<Sessions>, Failure> {
    let rows = sessions::list(&state, caller.account).await?;
    let sessions = rows.iter().map(|row| SessionInfo::new(row, caller.session)).collect();
    Ok(Json(Sessions { sessions }))
}

/// Ends the caller's session.
#[utoipa::path(tag = "sessions", responses((status = 204), (status = 401, body = Problem)), security(("session" = [])))]
#[delete("/v1/sessions/current")]
pub(crate) async fn log_out(state: Data<State>, caller: Caller) -> Result<HttpResponse, Failure> {
    match sessions::log_out(&state, caller.account, caller.session).await {
        // Somebody else was quicker: it has ended all the same.
        Ok(()) | Err(AuthError::NoSession) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(error.into()),
    }
}

/// Ends another session of the caller's account.
#[utoipa::path(tag = "sessions", responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`session-not-found`"),
), security(("session" = [])))]
#[delete("/v1/sessions/{session}")]
pub(crate) async fn end(
    state: Data<State>,
    caller: Caller,
    session: Path<SessionId>,
) -> Result<HttpResponse, Failure> {
    sessions::log_out(&state, caller.account, *session).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends all sessions of the caller's account.
#[utoipa::path(tag = "sessions", responses((status = 204), (status = 401, body = Problem)), security(("session" = [])))]
#[delete("/v1/sessions")]
pub(crate) async fn log_out_everywhere(state: Data<State>, caller: Caller) -> Result<HttpResponse, Failure> {
    sessions::log_out_everywhere(&state, caller.account).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lists the keys that verify access tokens (RFC 7517, RFC 8037).
#[utoipa::path(tag = "sessions", responses((status = 200, body = JwkSet)))]
#[get("/.well-known/jwks.json")]
pub(crate) async fn jwks(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(&*state.jwks)
}
