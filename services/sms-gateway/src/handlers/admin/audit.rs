//! `/internal/sms-gateway/v1/audit`: what operators did.

use actix_web::get;
use actix_web::web::{Data, Query};
use common::models::Problem;
use service::operators::{AuditEntry, AuditPage};
use web::{Failure, Json};

use super::Operator;
use crate::pipeline::Gateway;
use crate::store::AUDIT;

/// Reads the audit log, in order, and says of each entry whether it is as it was written.
#[utoipa::path(tag = "operators", params(AuditPage), responses(
    (status = 200, body = Vec<AuditEntry>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/sms-gateway/v1/audit")]
pub(crate) async fn read(
    _: Operator,
    gateway: Data<Gateway>,
    page: Query<AuditPage>,
) -> Result<Json<Vec<AuditEntry>>, Failure> {
    Ok(Json(AUDIT.read(&gateway.db, page.into_inner()).await?))
}
