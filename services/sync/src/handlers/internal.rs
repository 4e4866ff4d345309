//! Calls of the other services.

use actix_web::post;
use actix_web::web::Data;
use common::models::Problem;
use common::models::sync::{SharedKey, SharedKeys, SharedKeysOf};
use web::{Failure, InternalCaller, Json};

use crate::app::State;
use crate::domain::shared_keys;

/// Gives the keys that an SMS from a number may be encrypted with.
#[utoipa::path(tag = "internal", request_body = SharedKeysOf, responses(
    (status = 200, body = SharedKeys),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`user-not-found`"),
    (status = 503, body = Problem),
))]
#[post("/internal/sync/v1/shared-keys")]
pub(crate) async fn keys_of_phone(
    state: Data<State>,
    _: InternalCaller,
    body: Json<SharedKeysOf>,
) -> Result<Json<SharedKeys>, Failure> {
    let (user, devices) = shared_keys::of_phone(&state, &body.phone).await?;
    let keys = devices
        .into_iter()
        .map(|device| SharedKey { session_id: device.id.as_str().to_owned(), key: device.key });
    Ok(Json(SharedKeys { user_id: user.as_str().to_owned(), keys: keys.collect() }))
}
