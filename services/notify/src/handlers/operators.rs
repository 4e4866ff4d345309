//! `/internal/notify/v1/api-keys`: which back-ends have a key, for operators.

use actix_web::get;
use actix_web::web::Data;
use common::models::Problem;
use common::models::operators::ApiKeyHolders;
use service::operators::Operator;
use web::{Failure, Json};

use crate::app::State;

/// Lists who has an API key, and for which channels. The keys themselves are told to nobody.
#[utoipa::path(tag = "operators", responses(
    (status = 200, body = ApiKeyHolders),
    (status = 401, body = Problem),
))]
#[get("/internal/notify/v1/api-keys")]
pub(crate) async fn api_keys(_: Operator, state: Data<State>) -> Result<Json<ApiKeyHolders>, Failure> {
    Ok(Json(ApiKeyHolders { api_keys: state.settings.auth_keys.holders() }))
}
