//! Name and password of the caller, changed.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use service::signal_server::{Call, Fields, Refusal, Text, done};

use super::{PASSWORD, chosen, current_password, given, name_taken, own, refusal};
use crate::app::State;
use crate::domain::signal_server::{self as domain, MAX_NAME, SignalServerName};
use crate::domain::{AuthError, passwords};

/// Replaces the caller's name; takes `new_username` and `current_password`. Tokens with the old name end.
#[utoipa::path(tag = "signal_server", responses(
    (status = 204), (status = 400, description = "texts by field"), (status = 401), (status = 415), (status = 429), (status = 503),
))]
#[post("/username/")]
pub(crate) async fn set_username(state: Data<State>, call: Call) -> HttpResponse {
    done(rename(&state, call).await)
}

/// Replaces the caller's name; the same as `POST /auth/username/`.
#[utoipa::path(tag = "signal_server", responses(
    (status = 204), (status = 400, description = "texts by field"), (status = 401), (status = 415), (status = 429), (status = 503),
))]
#[post("/users/change_username/")]
pub(crate) async fn set_username_too(state: Data<State>, call: Call) -> HttpResponse {
    done(rename(&state, call).await)
}

async fn rename(state: &State, call: Call) -> Result<(), Refusal> {
    let caller = call.caller()?;
    own(state, caller).await?;
    let mut fields = Fields::of(call.body().await?)?;
    let name = fields.parsed::<SignalServerName>("new_username", Text::up_to(MAX_NAME));
    let password = current_password(&mut fields);
    let (name, password) = fields.complete(name.zip(password))?;
    let renamed = domain::rename(state, caller.account, given(password)?, name).await;
    renamed.map_err(|error| match error {
        AuthError::UsernameTaken => name_taken("new_username"),
        error => refusal(error),
    })
}

/// Replaces the caller's password; takes `new_password` and `current_password`. All other sessions end.
#[utoipa::path(tag = "signal_server", responses(
    (status = 204), (status = 400, description = "texts by field"), (status = 401), (status = 415), (status = 429), (status = 503),
))]
#[post("/password/")]
pub(crate) async fn set_password(state: Data<State>, call: Call) -> HttpResponse {
    done(change(&state, call).await)
}

async fn change(state: &State, call: Call) -> Result<(), Refusal> {
    let caller = call.caller()?;
    let user = own(state, caller).await?;
    let mut fields = Fields::of(call.body().await?)?;
    let (new, current) = (fields.text("new_password", PASSWORD), current_password(&mut fields));
    let (new, current) = fields.complete(new.zip(current))?;
    let new = chosen("new_password", new, &user.username, &user.email)?;
    passwords::change(state, caller.account, caller.session, given(current)?, new).await.map_err(refusal)
}
