//! Passwords reset by mail, and activation, which no account needs.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use service::signal_server::{Call, Errors, Fields, Refusal, Text, done};
use web::Rule;

use super::{PASSWORD, faulty, refusal};
use crate::app::State;
use crate::domain::AuthError;
use crate::domain::signal_server::{self as domain, ContactAddress, MAX_ADDRESS, ResetKey, UsedKey};

/// What is in a link; nothing of it is known before it is looked up.
const PART: Text = Text { least: 1, most: 200, trimmed: true };

/// Asks for a mail to whoever has the `email`. The answer is the same for every address.
#[utoipa::path(tag = "signal_server", responses(
    (status = 204), (status = 400, description = "texts by field"), (status = 401), (status = 415),
    (status = 422, description = "this server sends no mail"), (status = 429), (status = 503),
))]
#[post("/password/reset/")]
pub(crate) async fn request(state: Data<State>, call: Call) -> HttpResponse {
    done(ask(&state, call).await)
}

async fn ask(state: &State, call: Call) -> Result<(), Refusal> {
    call.anybody()?;
    let network = call.network();
    let mut fields = Fields::of(call.body().await?)?;
    let email = fields.parsed::<ContactAddress>("email", Text::up_to(MAX_ADDRESS));
    let email = fields.complete(email)?;
    let limits = &state.limits;
    limits.take(Rule::MailAddress, network).map_err(|limited| Refusal::of(&limited))?;
    limits.take(Rule::MailTarget, email.folded().as_str()).map_err(|limited| Refusal::of(&limited))?;
    domain::request_reset(state, &email).await.map_err(|error| match error {
        AuthError::NoMail => Refusal::detail(StatusCode::UNPROCESSABLE_ENTITY, "This server sends no mail."),
        error => refusal(error),
    })
}

/// Sets a `new_password` by the `uid` and `token` of a mail, and ends all sessions.
#[utoipa::path(tag = "signal_server", responses(
    (status = 204), (status = 400, description = "texts by field"), (status = 401), (status = 415), (status = 429), (status = 503),
))]
#[post("/password/reset/confirm/")]
pub(crate) async fn confirm(state: Data<State>, call: Call) -> HttpResponse {
    done(set(&state, call).await)
}

async fn set(state: &State, call: Call) -> Result<(), Refusal> {
    call.anybody()?;
    let mut fields = Fields::of(call.body().await?)?;
    let [uid, token] = ["uid", "token"].map(|name| fields.text(name, PART));
    let new = fields.text("new_password", PASSWORD);
    let ((uid, token), new) = fields.complete(uid.zip(token).zip(new))?;
    let key = ResetKey { uid: &uid, token: &token };
    match domain::reset(state, key, &new).await.map_err(refusal)? {
        UsedKey::Reset => Ok(()),
        UsedKey::UnknownUser => Err(unknown_user()),
        UsedKey::BadToken => Err(bad_token()),
        UsedKey::Faults(faults) => Err(faulty("new_password", &faults)),
    }
}

fn unknown_user() -> Refusal {
    Refusal::field("uid", "Invalid user id or user doesn't exist.")
}

/// Of a token that does nothing. Some clients look at the field, some at what is about no field.
fn bad_token() -> Refusal {
    let mut errors = Errors::default();
    for name in ["token", "non_field_errors"] {
        errors.add(name, "Invalid token for given user.");
    }
    Refusal::fields(errors)
}

/// Refuses to activate an account: every one is active from the start.
#[utoipa::path(tag = "signal_server", responses((status = 400, description = "texts by field"), (status = 401), (status = 415), (status = 429), (status = 503)))]
#[post("/users/activate/")]
pub(crate) async fn activate(state: Data<State>, call: Call) -> HttpResponse {
    done(refuse(&state, call).await)
}

/// Refuses to activate an account; the same as `POST /auth/users/activate/`.
#[utoipa::path(tag = "signal_server", responses((status = 400, description = "texts by field"), (status = 401), (status = 415), (status = 429), (status = 503)))]
#[post("/users/confirm/")]
pub(crate) async fn activate_too(state: Data<State>, call: Call) -> HttpResponse {
    done(refuse(&state, call).await)
}

async fn refuse(state: &State, call: Call) -> Result<(), Refusal> {
    call.anybody()?;
    let mut fields = Fields::of(call.body().await?)?;
    let [uid, token] = ["uid", "token"].map(|name| fields.text(name, PART));
    let (uid, _) = fields.complete(uid.zip(token))?;
    match domain::is_user(state, &uid).await.map_err(refusal)? {
        true => Err(bad_token()),
        false => Err(unknown_user()),
    }
}
