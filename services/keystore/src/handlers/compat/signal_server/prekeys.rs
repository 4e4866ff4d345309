//! `/prekeys/{registration id}/` and `/signedprekey/{registration id}/`: keys that the caller adds or replaces.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde_json::Value;
use service::signal_server::{Access, Call, Code, Refusal, Route, Slash, answer};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Word, keys, refusal};
use crate::app::State;
use crate::domain::signal_server as domain;

/// Every path below `/prekeys`.
pub(crate) const ROUTES: &[Route] = &[route("/prekeys/{registration_id:[0-9]+}/")];

/// Every path below `/signedprekey`.
pub(crate) const SIGNED_ROUTES: &[Route] = &[route("/signedprekey/{registration_id:[0-9]+}/")];

const fn route(path: &'static str) -> Route {
    Route { path, methods: "OPTIONS, POST", access: Access::Caller, slash: Slash::Needed }
}

/// The handlers, by their paths below `/prekeys`.
pub(crate) fn handlers(config: &mut ServiceConfig<'_>) {
    config.service(add);
}

/// The handlers, by their paths below `/signedprekey`.
pub(crate) fn signed_handlers(config: &mut ServiceConfig<'_>) {
    config.service(replace);
}

/// Adds prekeys to the caller's device, all or none.
#[utoipa::path(tag = "signal_server", params(("registration_id" = i32, Path, description = "the caller's own")), responses(
    (status = 200, description = "code: prekeys_stored; message"),
    (status = 400, description = "`no_device`, `invalid_data`, `reached_max_prekeys`, `prekey_id_exists`"),
    (status = 401), (status = 403, description = "`incorrect_arguments`, `device_changed`"),
    (status = 415), (status = 429), (status = 503),
))]
#[post("/{registration_id:[0-9]+}/")]
pub(crate) async fn add(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, store(&state, call).await)
}

async fn store(state: &State, call: Call) -> Result<Word, Refusal> {
    let caller = call.caller()?;
    let own = call.registration_id();
    let items = match call.body().await? {
        Some(Value::Array(items)) if !items.is_empty() => items,
        Some(Value::Array(_) | Value::Object(_)) | None => {
            return Err(Refusal::coded(Code::IncorrectArguments));
        }
        Some(_) => return Err(Refusal::non_field("Invalid data. Expected a list.")),
    };
    domain::own(state, caller.account, own).await.map_err(refusal)?;
    let read: Result<Vec<_>, _> = items.into_iter().map(|item| keys::prekey(item, state.key_rules)).collect();
    // Of the first that is wrong, as in the original.
    let prekeys = read.map_err(Refusal::invalid_data)?;
    domain::upload(state, caller.account, own, prekeys).await.map_err(refusal)?;
    Ok(Word { code: "prekeys_stored", message: "Prekeys successfully stored" })
}

/// Puts a signed prekey in the place of that of the caller's device.
#[utoipa::path(tag = "signal_server", params(("registration_id" = i32, Path, description = "the caller's own")), responses(
    (status = 200, description = "code: signed_prekey_stored; message"),
    (status = 400, description = "`no_device`, `invalid_data`"),
    (status = 401), (status = 403, description = "`device_changed`"), (status = 415), (status = 429), (status = 503),
))]
#[post("/{registration_id:[0-9]+}/")]
pub(crate) async fn replace(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, store_signed(&state, call).await)
}

async fn store_signed(state: &State, call: Call) -> Result<Word, Refusal> {
    let caller = call.caller()?;
    let own = call.registration_id();
    let body = call.body().await?;
    let device = domain::own(state, caller.account, own).await.map_err(refusal)?;
    let key = keys::signed_prekey(body, state.key_rules, Some(&device.identity_key))
        .map_err(Refusal::invalid_data)?;
    domain::set_signed(state, &device, key).await.map_err(refusal)?;
    Ok(Word { code: "signed_prekey_stored", message: "Signed prekey successfully stored" })
}
