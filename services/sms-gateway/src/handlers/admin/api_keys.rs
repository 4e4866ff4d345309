//! `/internal/sms-gateway/v1/api-keys`: which clients have a key.

use actix_web::get;
use actix_web::web::Data;
use common::models::Problem;
use common::models::operators::ApiKeyHolders;
use web::{Failure, Json};

use super::Operator;
use crate::pipeline::Gateway;

/// Lists which clients have an API key, once for each key. The keys themselves are told to nobody.
#[utoipa::path(tag = "operators", responses(
    (status = 200, body = ApiKeyHolders),
    (status = 401, body = Problem),
))]
#[get("/internal/sms-gateway/v1/api-keys")]
pub(crate) async fn list(_: Operator, gateway: Data<Gateway>) -> Result<Json<ApiKeyHolders>, Failure> {
    Ok(Json(ApiKeyHolders { api_keys: gateway.settings.http_keys.holders() }))
}
