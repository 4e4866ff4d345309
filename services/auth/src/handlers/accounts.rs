//! `/v1/accounts`.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, post};
use common::models::Problem;
use web::{Caller, Failure, Json};

use super::bodies::{Account, DeleteAccount, NewAccount};
use crate::app::State;
use crate::domain::accounts;

/// Makes an account.
#[utoipa::path(tag = "accounts", responses(
    (status = 201, body = Account),
    (status = 400, body = Problem, description = "a field breaks its rule"),
    (status = 403, body = Problem, description = "`registration-closed`"),
    (status = 409, body = Problem, description = "`username-taken`"),
    (status = 413, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/v1/accounts")]
pub(crate) async fn register(state: Data<State>, body: Json<NewAccount>) -> Result<HttpResponse, Failure> {
    let NewAccount { username, password, email, phone } = body.into_inner();
    let name = username.as_str().to_owned();
    let new = accounts::NewAccount { username, password, email, phone };
    let account_id = accounts::register(&state, new).await?;
    state.metrics.registrations_total.inc();
    Ok(HttpResponse::Created().json(Account { account_id, username: name, device_id: None }))
}

/// Reads the caller's account.
#[utoipa::path(tag = "accounts", responses(
    (status = 200, body = Account),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`account-not-found`"),
), security(("session" = [])))]
#[get("/v1/accounts/current")]
pub(crate) async fn current(state: Data<State>, caller: Caller) -> Result<Json<Account>, Failure> {
    let username = accounts::username(&state, caller.account).await?;
    Ok(Json(Account { account_id: caller.account, username, device_id: caller.device }))
}

/// Deletes the caller's account, with everything that any service holds of it.
#[utoipa::path(tag = "accounts", request_body = DeleteAccount, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, or a wrong password"),
    (status = 404, body = Problem, description = "`account-not-found`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[delete("/v1/accounts/current")]
pub(crate) async fn delete(
    state: Data<State>,
    caller: Caller,
    body: Json<DeleteAccount>,
) -> Result<HttpResponse, Failure> {
    accounts::delete(&state, caller.account, body.into_inner().password).await?;
    Ok(HttpResponse::NoContent().finish())
}
