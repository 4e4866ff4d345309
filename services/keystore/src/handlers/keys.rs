//! `/v1/keys`.

use actix_web::web::{Data, Path};
use actix_web::{get, put};
use common::models::{AccountId, Problem};
use web::{Caller, DeviceCaller, Failure, Json};

use super::bodies::{KeyCounts, KeyUpload, MAX_BODY, Target, Uploaded};
use crate::app::State;
use crate::domain;
use crate::domain::fetch::{Bundle, Fetch};
use crate::domain::upload::Owner;

/// Adds one-time keys to the caller's device and replaces signed ones: all that the body has, or nothing.
#[utoipa::path(tag = "keys", request_body = KeyUpload, responses(
    (status = 200, body = Uploaded),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 404, body = Problem, description = "`device-not-found`"),
    (status = 409, body = Problem, description = "`key-conflict`, with `conflictingKeyIds`"),
    (status = 413, body = Problem),
    (status = 422, body = Problem,
        description = "`bad-key`, `bad-signature`, `duplicate-keys`, `too-many-keys`; with `kind` and `keyId`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[put("/v1/keys")]
pub(crate) async fn upload(
    state: Data<State>,
    caller: DeviceCaller,
    body: Json<KeyUpload, MAX_BODY>,
) -> Result<Json<Uploaded>, Failure> {
    let uploaded = domain::upload::upload(&state, owner(&caller), body.into_inner().into()).await;
    let uploaded = state.counting_refusals(uploaded)?;
    Ok(Json(Uploaded {
        count: uploaded.counts.ec,
        pq_count: uploaded.counts.pq,
        already_used: uploaded.already_used,
    }))
}

/// Counts what the caller's device has waiting.
#[utoipa::path(tag = "keys", responses(
    (status = 200, body = KeyCounts),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 404, body = Problem, description = "`device-not-found`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[get("/v1/keys")]
pub(crate) async fn counts(state: Data<State>, caller: DeviceCaller) -> Result<Json<KeyCounts>, Failure> {
    let counts = domain::upload::counts(&state, owner(&caller)).await?;
    Ok(Json(KeyCounts {
        count: counts.ec,
        pq_count: counts.pq,
        last_resort_served: counts.last_resort_served,
    }))
}

/// Fetches what is needed to begin a session with one device of an account, or with each (`*`). Takes their one-time
/// keys: each is given once, ever.
#[utoipa::path(tag = "keys",
    params(
        ("account" = AccountId, Path),
        ("device" = String, Path, description = "a device id, or `*` for all"),
    ),
    responses(
        (status = 200, body = Bundle),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 404, body = Problem, description = "`keys-not-found`: no such device"),
        (status = 503, body = Problem),
    ), security(("session" = [])))]
#[get("/v1/keys/{account}/{device}")]
pub(crate) async fn fetch(
    state: Data<State>,
    _: Caller,
    path: Path<(AccountId, Target)>,
) -> Result<Json<Bundle>, Failure> {
    let (account, Target(device)) = path.into_inner();
    Ok(Json(domain::fetch::fetch(&state, Fetch { account, device }).await?))
}

fn owner(caller: &DeviceCaller) -> Owner {
    Owner { account: caller.caller.account, device: caller.device, session: caller.caller.session }
}
