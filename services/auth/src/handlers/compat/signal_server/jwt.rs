//! Tokens: issued for a name and a password, judged, and never renewed.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use common::crypto::jws::SignalServerClaims;
use serde_json::{Value, json};
use service::signal_server::{Call, Fields, Refusal, Text, answer, done};
use web::{GateError, Rule};

use super::PASSWORD;
use crate::app::State;
use crate::domain::AuthError;
use crate::domain::signal_server as domain;

/// The name of an account that is asked for may be any text.
const ANY: Text = Text { least: 1, most: usize::MAX, trimmed: true };

/// Issues a token for `username` and `password`.
#[utoipa::path(tag = "signal_server", responses(
    (status = 200, description = "token"),
    (status = 400, description = "texts by field; `non_field_errors` for wrong credentials: which half was wrong is not told"),
    (status = 415), (status = 429), (status = 503),
))]
#[post("/jwt/create/")]
pub(crate) async fn create(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, log_in(&state, call).await)
}

async fn log_in(state: &State, call: Call) -> Result<Value, Refusal> {
    call.stranger()?;
    let network = call.network();
    let mut fields = Fields::of(call.body().await?)?;
    let (username, password) = (fields.text("username", ANY), fields.text("password", PASSWORD));
    let (username, password) = fields.complete(username.zip(password))?;
    state.limits.take(Rule::LoginAddress, network).map_err(|limited| Refusal::of(&limited))?;
    let issued = domain::log_in(state, &username, password.into()).await;
    let outcome = if issued.is_ok() { "ok" } else { "refused" };
    state.metrics.logins_total.with_label_values(&[outcome]).inc();
    match issued {
        Ok(token) => Ok(json!({"token": token.expose()})),
        Err(AuthError::BadCredentials) => {
            Err(Refusal::non_field("Unable to log in with provided credentials."))
        }
        Err(error) => Err(Refusal::of(&error)),
    }
}

/// Tells whether a `token` is good, by giving it back.
#[utoipa::path(tag = "signal_server", responses(
    (status = 200, description = "token"),
    (status = 400, description = "texts by field; `non_field_errors` for a token that opens nothing"),
    (status = 415), (status = 429), (status = 503),
))]
#[post("/jwt/verify/")]
pub(crate) async fn verify(state: Data<State>, call: Call) -> HttpResponse {
    let judged = read(&state, call).await;
    answer(StatusCode::OK, judged.map(|token| json!({"token": token})))
}

/// Refuses to renew a token, whichever it is: there is none that can be.
#[utoipa::path(tag = "signal_server", responses((status = 400, description = "texts by field"), (status = 415), (status = 429), (status = 503)))]
#[post("/jwt/refresh/")]
pub(crate) async fn refresh(state: Data<State>, call: Call) -> HttpResponse {
    let judged = read(&state, call).await;
    done(judged.and_then(|_| Err(Refusal::non_field("orig_iat field is required."))))
}

async fn read(state: &State, call: Call) -> Result<String, Refusal> {
    call.stranger()?;
    let mut fields = Fields::of(call.body().await?)?;
    let token = fields.text("token", ANY);
    let token = fields.complete(token)?;
    match state.gate.check_as::<SignalServerClaims>(&token) {
        Ok(_) => Ok(token),
        Err(GateError::Refused) => Err(Refusal::non_field("Error decoding signature.")),
        Err(error @ GateError::NotReady) => Err(Refusal::of(&error)),
    }
}
