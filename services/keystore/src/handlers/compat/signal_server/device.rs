//! `/device/`: the caller's one device. Whatever follows in the path is not looked at.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, delete, post};
use service::signal_server::{Access, Call, Refusal, Route, Slash, answer, done};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Word, keys, refusal};
use crate::app::State;
use crate::domain::signal_server as domain;

/// Every path, and who may call it at all.
pub(crate) const ROUTES: &[Route] = &[Route {
    path: "/device/{rest:.*}",
    methods: "DELETE, OPTIONS, POST",
    access: Access::Caller,
    slash: Slash::Needed,
}];

/// The handlers, by their paths below `/device`.
pub(crate) fn handlers(config: &mut ServiceConfig<'_>) {
    config.service(create).service(remove);
}

/// Registers the caller's device with its keys.
#[utoipa::path(tag = "signal_server", params(("rest" = String, Path, description = "not looked at")), responses(
    (status = 201, description = "code: device_created; message"),
    (status = 400, description = "`invalid_data` with errors by field, `reached_max_prekeys`, `prekey_id_exists`"),
    (status = 401), (status = 403, description = "`device_exists`"), (status = 415), (status = 429), (status = 503),
))]
#[post("/{rest:.*}")]
pub(crate) async fn create(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::CREATED, register(&state, call).await)
}

async fn register(state: &State, call: Call) -> Result<Word, Refusal> {
    let caller = call.caller()?;
    let body = call.body().await?;
    // Before the body is looked at, as in the original.
    domain::refuse_second(state, caller.account).await.map_err(refusal)?;
    let new = keys::device(body, state.key_rules).map_err(Refusal::invalid_data)?;
    domain::register(state, caller.account, new).await.map_err(refusal)?;
    Ok(Word { code: "device_created", message: "Device successfully created" })
}

/// Removes the caller's device with its keys and the messages that wait for it.
#[utoipa::path(tag = "signal_server", params(("rest" = String, Path, description = "not looked at")), responses(
    (status = 204), (status = 400, description = "`no_device`"), (status = 401), (status = 429), (status = 503),
))]
#[delete("/{rest:.*}")]
pub(crate) async fn remove(state: Data<State>, call: Call) -> HttpResponse {
    done(take_away(&state, &call).await)
}

async fn take_away(state: &State, call: &Call) -> Result<(), Refusal> {
    let caller = call.caller()?;
    domain::remove(state, caller.account).await.map_err(refusal)
}
