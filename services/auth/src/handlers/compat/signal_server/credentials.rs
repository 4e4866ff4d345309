//! Name and password of the caller, changed.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use common::models::AccountId;
use service::signal_server::{Call, Fields, Refusal, Text, done};

use super::{NAME_TAKEN, PASSWORD, WRONG_PASSWORD, chosen, current_password, name_taken, own, refusal};
use crate::app::State;
use crate::domain::signal_server::{self as domain, MAX_NAME, SignalServerName};
use crate::domain::{AuthError, Password, passwords};
use crate::store::rows::AccountRow;

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
    let password = shown(&mut fields);
    let name = match (name, &password) {
        // Not for nothing: a name that is asked for costs a guess, or the right password.
        (Some(name), Some(_)) if domain::is_taken(state, &name).await.map_err(refusal)? => {
            fields.wrong("new_username", NAME_TAKEN)
        }
        (name, _) => name,
    };
    let confirmed = confirmed(state, caller.account, password, &mut fields).await?;
    let (name, confirmed) = fields.complete(name.zip(confirmed))?;
    domain::rename(state, confirmed, name).await.map_err(|error| match error {
        AuthError::UsernameTaken => name_taken("new_username"),
        error => refusal(error),
    })
}

/// Reads the password that is shown once more; one that nobody can have is a wrong one.
fn shown(fields: &mut Fields) -> Option<Password> {
    let text = current_password(fields)?;
    Password::given(text.into()).map_or_else(|_| fields.wrong("current_password", WRONG_PASSWORD), Some)
}

/// Checks the password that is shown once more, as one guess. It is a field like the others: a wrong one is told together
/// with what is wrong with them, as in the original.
async fn confirmed(
    state: &State,
    account: AccountId,
    password: Option<Password>,
    fields: &mut Fields,
) -> Result<Option<AccountRow>, Refusal> {
    let Some(password) = password else { return Ok(None) };
    match passwords::confirm(state, account, password).await {
        Ok(account) => Ok(Some(account)),
        Err(AuthError::BadCredentials) => Ok(fields.wrong("current_password", WRONG_PASSWORD)),
        Err(error) => Err(refusal(error)),
    }
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
    let new = fields.text("new_password", PASSWORD);
    let password = shown(&mut fields);
    let confirmed = confirmed(state, caller.account, password, &mut fields).await?;
    let (new, confirmed) = fields.complete(new.zip(confirmed))?;
    // By the rules for passwords last, as in the original.
    let new = chosen("new_password", new, &user.username, &user.email)?;
    passwords::replace(state, confirmed, caller.session, new).await.map_err(refusal)
}
