//! `/v1/accounts`.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post, put};
use common::models::Problem;
use web::{Caller, ClientAddr, Failure, Json, Rule};

use super::bodies::{Account, ChangePassword, DeleteAccount, FoundAccount, NewAccount};
use crate::app::State;
use crate::domain::{accounts, passwords};

/// Makes an account.
#[utoipa::path(tag = "accounts", responses(
    (status = 201, body = Account),
    (status = 400, body = Problem, description = "a field breaks its rule"),
    (status = 403, body = Problem, description = "`registration-closed`; `invite-needed` or `phone-verification-needed`: none, \
        or one that cannot be used"),
    (status = 409, body = Problem, description = "`username-taken`, `phone-taken`"),
    (status = 413, body = Problem),
    (status = 429, body = Problem, description = "`rate-limited`, by address, or by the one that a mail would go to"),
    (status = 503, body = Problem),
))]
#[post("/v1/accounts")]
pub(crate) async fn register(
    state: Data<State>,
    client: ClientAddr,
    body: Json<NewAccount>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::RegistrationAddress, client.network())?;
    let NewAccount { username, password, email, phone, invite_code, phone_verification_id } =
        body.into_inner();
    let phone_verification = phone_verification_id;
    let new = accounts::NewAccount { username, password, email, phone, invite_code, phone_verification };
    let (account_id, profile) = accounts::register(&state, new).await?;
    state.metrics.registrations_total.inc();
    Ok(HttpResponse::Created().json(Account::new(account_id, None, profile)))
}

/// Reads the caller's account.
#[utoipa::path(tag = "accounts", responses(
    (status = 200, body = Account),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`account-not-found`"),
), security(("session" = [])))]
#[get("/v1/accounts/current")]
pub(crate) async fn current(state: Data<State>, caller: Caller) -> Result<Json<Account>, Failure> {
    let profile = accounts::profile(&state, caller.account).await?;
    Ok(Json(Account::new(caller.account, caller.device, profile)))
}

/// Finds the account that has a name, exactly.
#[utoipa::path(tag = "accounts", responses(
    (status = 200, body = FoundAccount),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`account-not-found`"),
    (status = 429, body = Problem, description = "`rate-limited`, by account"),
), security(("session" = [])))]
#[get("/v1/accounts/by-username/{username}")]
pub(crate) async fn find(
    state: Data<State>,
    caller: Caller,
    username: Path<String>,
) -> Result<Json<FoundAccount>, Failure> {
    state.limits.take(Rule::SearchAccount, caller.account)?;
    let found = accounts::find(&state, &username).await?;
    Ok(Json(FoundAccount { account_id: found.account_id, username: found.username }))
}

/// Changes the caller's password, and ends all other sessions.
#[utoipa::path(tag = "accounts", request_body = ChangePassword, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, or a wrong password"),
    (status = 404, body = Problem, description = "`account-not-found`"),
    (status = 429, body = Problem, description = "`rate-limited`: too many wrong passwords"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[put("/v1/accounts/current/password")]
pub(crate) async fn change_password(
    state: Data<State>,
    caller: Caller,
    body: Json<ChangePassword>,
) -> Result<HttpResponse, Failure> {
    let ChangePassword { current_password, new_password } = body.into_inner();
    passwords::change(&state, caller.account, caller.session, current_password, new_password).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Deletes the caller's account, with everything that any service holds of it.
#[utoipa::path(tag = "accounts", request_body = DeleteAccount, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "no session, or a wrong password"),
    (status = 404, body = Problem, description = "`account-not-found`"),
    (status = 429, body = Problem, description = "`rate-limited`: too many wrong passwords"),
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
