//! `/internal/sms-gateway/v1/quotas`: how much clients may send, and have sent.

use actix_web::get;
use actix_web::web::Data;
use common::models::{Problem, UnixMillis};
use serde::Serialize;
use utoipa::ToSchema;
use web::{Failure, Json};

use super::Operator;
use crate::pipeline::Gateway;
use crate::pipeline::quota::{self, Used};

/// A quota of a client, and what is used of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuotaView {
    /// The client.
    client: String,
    /// `day` or `month`, of UTC.
    period: &'static str,
    /// Segments that it may send in it.
    limit: i64,
    /// Segments that an SMSC has, or may have, or that must follow for a message to be whole.
    used: i64,
    /// When the next period begins.
    #[schema(value_type = i64)]
    until: UnixMillis,
}

impl From<Used> for QuotaView {
    fn from(used: Used) -> Self {
        let Used { client, span, used, limit, until } = used;
        Self { client: client.to_string(), period: span.as_str(), limit, used, until }
    }
}

/// Shows the quotas of the clients that have one. All instances use them together.
#[utoipa::path(tag = "operators", responses(
    (status = 200, body = Vec<QuotaView>),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/sms-gateway/v1/quotas")]
pub(crate) async fn list(_: Operator, gateway: Data<Gateway>) -> Result<Json<Vec<QuotaView>>, Failure> {
    Ok(Json(quota::uses(&gateway).await?.into_iter().map(QuotaView::from).collect()))
}
