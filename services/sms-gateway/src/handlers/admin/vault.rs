//! `/internal/sms-gateway/v1/reload`.

use actix_web::post;
use actix_web::web::Data;
use common::models::Problem;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Failure, Json};

use super::Operator;
use crate::pipeline::Gateway;
use crate::store::audit;

/// What was read again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reloaded {
    /// `ok`, or why the vault cannot be used; the keys read before are used on.
    vault: String,
}

/// Reads the vault anew, without waiting until its change is noticed. Other settings are read at a start: instances can
/// be restarted one by one, and nothing is lost.
#[utoipa::path(tag = "operators", responses(
    (status = 200, body = Reloaded),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/sms-gateway/v1/reload")]
pub(crate) async fn reload(operator: Operator, gateway: Data<Gateway>) -> Result<Json<Reloaded>, Failure> {
    let (act, now) = (operator.act("vault.reload", "vault".to_owned()), gateway.now());
    gateway.db.write(move |conn| audit::add(conn, &act, now)).await?;
    let vault = gateway.vault.clone();
    let read = tokio::task::spawn_blocking(move || vault.reload()).await.map_err(Failure::internal)?;
    let vault = read.map_or_else(|failure| failure.to_string(), |()| "ok".to_owned());
    Ok(Json(Reloaded { vault }))
}
