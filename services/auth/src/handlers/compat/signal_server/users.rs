//! Users: made, read, changed, deleted.
//!
//! Several methods of one handler are `routes`, not `route`: that keeps them in a hash set, whose order differs from one
//! build to the next, and with it the bytes of a release.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, post, routes};
use serde::Serialize;
use service::signal_server::{Call, Caller, Fields, Refusal, Text, answer, done};
use web::Rule;

use super::{PASSWORD, chosen, current_password, given, own, refusal};
use crate::app::State;
use crate::domain::signal_server::{
    self as domain, ContactAddress, InvalidContact, MAX_ADDRESS, MAX_NAME, NewUser, SignalServerName,
};
use crate::domain::{AuthError, accounts};
use crate::store::signal_server::UserRow;

/// A user, as its owner sees it; nobody else does.
#[derive(Debug, Serialize)]
struct View {
    email: String,
    username: String,
    id: i64,
}

impl From<UserRow> for View {
    fn from(user: UserRow) -> Self {
        Self { email: user.email, username: user.username, id: user.user_id }
    }
}

/// Makes a user.
#[utoipa::path(tag = "signal_server", responses(
    (status = 201, description = "email, username, id"),
    (status = 400, description = "texts by field"),
    (status = 401), (status = 403, description = "registration is not open"), (status = 415), (status = 429), (status = 503),
))]
#[post("/users/")]
pub(crate) async fn create(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::CREATED, make(&state, call).await)
}

/// Makes a user; the same as `POST /auth/users/`.
#[utoipa::path(tag = "signal_server", responses(
    (status = 201, description = "email, username, id"),
    (status = 400, description = "texts by field"),
    (status = 401), (status = 403, description = "registration is not open"), (status = 415), (status = 429), (status = 503),
))]
#[post("/users/create/")]
pub(crate) async fn create_too(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::CREATED, make(&state, call).await)
}

async fn make(state: &State, call: Call) -> Result<View, Refusal> {
    call.anybody()?;
    let network = call.network();
    let mut fields = Fields::of(call.body().await?)?;
    let username = fields.parsed::<SignalServerName>("username", Text::up_to(MAX_NAME));
    let email = read_email(&mut fields).flatten();
    let password = fields.text("password", PASSWORD);
    let (username, password) = fields.complete(username.zip(password))?;
    let written = email.as_ref().map_or("", ContactAddress::as_str).to_owned();
    let password = chosen("password", password, username.as_str(), &written)?;
    state.limits.take(Rule::RegistrationAddress, network).map_err(|limited| Refusal::of(&limited))?;
    let shown = username.as_str().to_owned();
    let id = domain::register(state, NewUser { username, password, email }).await.map_err(refusal)?;
    state.metrics.registrations_total.inc();
    Ok(View { email: written, username: shown, id })
}

/// Reads the address; the outer `None` when it is not there or wrong, the inner for an empty one.
fn read_email(fields: &mut Fields) -> Option<Option<ContactAddress>> {
    if !fields.has("email") {
        return None;
    }
    let text = fields.text("email", Text { least: 0, ..Text::up_to(MAX_ADDRESS) })?;
    match text.parse() {
        _ if text.is_empty() => Some(None),
        Ok(address) => Some(Some(address)),
        Err(error) => fields.wrong("email", &InvalidContact::to_string(&error)),
    }
}

/// Refuses to list users: there is no staff here.
#[utoipa::path(tag = "signal_server", responses((status = 401), (status = 403), (status = 429)))]
#[get("/users/")]
pub(crate) async fn list(call: Call) -> HttpResponse {
    done(call.caller().and_then(|_| Err(Refusal::forbidden())))
}

/// Reads the caller's user.
#[utoipa::path(tag = "signal_server", responses(
    (status = 200, description = "email, username, id"), (status = 401), (status = 429), (status = 503),
))]
#[get("/me/")]
pub(crate) async fn read_me(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, read(&state, &call, None).await)
}

/// Replaces the caller's address, the one field that can be.
#[utoipa::path(method(put, patch), path = "/me/", tag = "signal_server", responses(
    (status = 200, description = "email, username, id"), (status = 400, description = "texts by field"), (status = 401),
    (status = 415), (status = 429), (status = 503),
))]
#[routes]
#[put("/me/")]
#[patch("/me/")]
pub(crate) async fn update_me(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, update(&state, call, None).await)
}

/// Reads the caller's user.
#[utoipa::path(tag = "signal_server", responses(
    (status = 200, description = "email, username, id"), (status = 401), (status = 429), (status = 503),
))]
#[get("/users/me/")]
pub(crate) async fn read_own(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, read(&state, &call, None).await)
}

/// Replaces the caller's address, the one field that can be.
#[utoipa::path(method(put, patch), path = "/users/me/", tag = "signal_server", responses(
    (status = 200, description = "email, username, id"), (status = 400, description = "texts by field"), (status = 401),
    (status = 415), (status = 429), (status = 503),
))]
#[routes]
#[put("/users/me/")]
#[patch("/users/me/")]
pub(crate) async fn update_own(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, update(&state, call, None).await)
}

/// Deletes the caller's user, with everything that any service holds of it; takes `current_password`.
#[utoipa::path(tag = "signal_server", responses(
    (status = 204), (status = 400, description = "texts by field"), (status = 401), (status = 415), (status = 429), (status = 503),
))]
#[delete("/users/me/")]
pub(crate) async fn delete_own(state: Data<State>, call: Call) -> HttpResponse {
    done(remove(&state, call, None).await)
}

/// Deletes the caller's user; the same as `DELETE /auth/users/me/`.
#[utoipa::path(tag = "signal_server", responses(
    (status = 204), (status = 400, description = "texts by field"), (status = 401), (status = 415), (status = 429), (status = 503),
))]
#[post("/users/delete/")]
pub(crate) async fn delete(state: Data<State>, call: Call) -> HttpResponse {
    done(remove(&state, call, None).await)
}

/// Reads a user by its number: the caller's own.
#[utoipa::path(tag = "signal_server", params(("id" = i64, Path, description = "the number of the user")), responses(
    (status = 200, description = "email, username, id"), (status = 401), (status = 403, description = "somebody else's"),
    (status = 404), (status = 429), (status = 503),
))]
#[get("/users/{id:[0-9]+}/")]
pub(crate) async fn read_by_id(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, read(&state, &call, Some(number(&call))).await)
}

/// Replaces the address of a user: the caller's own.
#[utoipa::path(method(put, patch), path = "/users/{id}/", tag = "signal_server", params(("id" = i64, Path, description = "the number of the user")), responses(
    (status = 200, description = "email, username, id"), (status = 400, description = "texts by field"), (status = 401),
    (status = 403, description = "somebody else's"), (status = 404), (status = 415), (status = 429), (status = 503),
))]
#[routes]
#[put("/users/{id:[0-9]+}/")]
#[patch("/users/{id:[0-9]+}/")]
pub(crate) async fn update_by_id(state: Data<State>, call: Call) -> HttpResponse {
    let id = number(&call);
    answer(StatusCode::OK, update(&state, call, Some(id)).await)
}

/// Deletes a user: the caller's own.
#[utoipa::path(tag = "signal_server", params(("id" = i64, Path, description = "the number of the user")), responses(
    (status = 204), (status = 400, description = "texts by field"), (status = 401), (status = 403, description = "somebody else's"),
    (status = 404), (status = 415), (status = 429), (status = 503),
))]
#[delete("/users/{id:[0-9]+}/")]
pub(crate) async fn delete_by_id(state: Data<State>, call: Call) -> HttpResponse {
    let id = number(&call);
    done(remove(&state, call, Some(id)).await)
}

/// The number in the path; none that is too long is anybody's.
fn number(call: &Call) -> i64 {
    call.request().match_info().get("id").and_then(|id| id.parse().ok()).unwrap_or_default()
}

async fn read(state: &State, call: &Call, id: Option<i64>) -> Result<View, Refusal> {
    let caller = call.caller()?;
    Ok(allowed(state, caller, id).await?.into())
}

/// Gives the caller's user, if the number is the caller's.
async fn allowed(state: &State, caller: Caller, id: Option<i64>) -> Result<UserRow, Refusal> {
    let user = own(state, caller).await?;
    match id {
        Some(id) if id != user.user_id => match domain::exists(state, id).await.map_err(refusal)? {
            true => Err(Refusal::forbidden()),
            false => Err(Refusal::not_found()),
        },
        _ => Ok(user),
    }
}

async fn update(state: &State, call: Call, id: Option<i64>) -> Result<View, Refusal> {
    let caller = call.caller()?;
    let user = allowed(state, caller, id).await?;
    let mut fields = Fields::of(call.body().await?)?;
    let email = read_email(&mut fields);
    fields.checked()?;
    let Some(email) = email else { return Ok(user.into()) };
    let written = email.as_ref().map_or("", ContactAddress::as_str).to_owned();
    domain::set_email(state, caller.account, email).await.map_err(refusal)?;
    Ok(View { email: written, ..user.into() })
}

async fn remove(state: &State, call: Call, id: Option<i64>) -> Result<(), Refusal> {
    let caller = call.caller()?;
    allowed(state, caller, id).await?;
    let mut fields = Fields::of(call.body().await?)?;
    let password = current_password(&mut fields);
    let password = given(fields.complete(password)?)?;
    match accounts::delete(state, caller.account, password).await {
        // Somebody else was quicker: it is gone all the same.
        Ok(()) | Err(AuthError::NoAccount) => Ok(()),
        Err(error) => Err(refusal(error)),
    }
}
