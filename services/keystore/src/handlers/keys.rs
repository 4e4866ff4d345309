//! `/v1/keys`.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post, put};
use common::models::{AccountId, Problem};
use web::{Caller, DeviceCaller, Failure, Json, Rule};

use super::bodies::{KeyCounts, KeyUpload, MAX_BODY, Target, Uploaded};
use super::checks::{ChangedIdentities, IdentityCheck, KeyCheck};
use crate::app::State;
use crate::domain;
use crate::domain::consistency;
use crate::domain::fetch::{Bundle, Fetch};
use crate::domain::upload::Owner;

/// Adds one-time keys to the caller's device, or puts them in the place of those that wait, and replaces signed ones: all that the body has, or nothing.
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

/// Drops the one-time keys that wait at the caller's device, for a client that has lost their private halves.
#[utoipa::path(tag = "keys", responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 404, body = Problem, description = "`device-not-found`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[delete("/v1/keys/onetime")]
pub(crate) async fn reset(state: Data<State>, caller: DeviceCaller) -> Result<HttpResponse, Failure> {
    domain::upload::reset(&state, owner(&caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Compares the keys of the caller's device that stay (identity, signed, last resort) with those that the caller holds.
#[utoipa::path(tag = "keys", request_body = KeyCheck, responses(
    (status = 200, description = "they are the same"),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 404, body = Problem, description = "`device-not-found`"),
    (status = 409, body = Problem, description = "`keys-differ`: upload the signed keys again"),
    (status = 413, body = Problem),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[post("/v1/keys/check")]
pub(crate) async fn check(
    state: Data<State>,
    caller: DeviceCaller,
    body: Json<KeyCheck>,
) -> Result<HttpResponse, Failure> {
    consistency::check(&state, owner(&caller), body.digest.0).await?;
    Ok(HttpResponse::Ok().finish())
}

/// Compares the identities of accounts with those that the caller holds, and tells which have changed.
#[utoipa::path(tag = "keys", request_body = IdentityCheck, responses(
    (status = 200, body = ChangedIdentities),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 413, body = Problem),
    (status = 422, body = Problem, description = "`too-many-identities`: more than 1000"),
    (status = 429, body = Problem),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[post("/v1/keys/identity-check")]
pub(crate) async fn check_identities(
    state: Data<State>,
    caller: Caller,
    body: Json<IdentityCheck>,
) -> Result<Json<ChangedIdentities>, Failure> {
    state.limits.take(Rule::IdentityCheckCaller, caller.account)?;
    let changed = consistency::changed_identities(&state, body.into_inner().into()).await?;
    Ok(Json(changed.into()))
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
        (status = 429, body = Problem, description = "fetched too often, by this caller or altogether"),
        (status = 503, body = Problem),
    ), security(("session" = [])))]
#[get("/v1/keys/{account}/{device}")]
pub(crate) async fn fetch(
    state: Data<State>,
    caller: Caller,
    path: Path<(AccountId, Target)>,
) -> Result<Json<Bundle>, Failure> {
    let (account, Target(device)) = path.into_inner();
    Ok(Json(domain::fetch::fetch(&state, &caller, Fetch { account, device }).await?))
}

fn owner(caller: &DeviceCaller) -> Owner {
    Owner { account: caller.caller.account, device: caller.device, session: caller.caller.session }
}
