//! `/internal/sms-gateway/v1/reload`.

use std::collections::BTreeMap;

use actix_web::post;
use actix_web::web::Data;
use common::models::Problem;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Failure, Json};

use super::Operator;
use crate::pipeline::Gateway;
use crate::pipeline::links::Links;
use crate::store::AUDIT;

const OK: &str = "ok";

/// What was read again. What cannot be used is left as it was read before.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reloaded {
    /// `ok`, or why the vault cannot be used.
    vault: String,
    /// By SMSC or provider that has files for TLS: `ok`, or why they cannot be used. Connections that stand keep what they
    /// began with.
    certificates: BTreeMap<String, String>,
    /// What only a restart reads.
    needs_restart: &'static str,
}

/// Reads anew what files hold beside the settings: the vault, without waiting until its change is noticed, and the
/// certificates. The settings themselves are read at a start: instances can be restarted one by one, and nothing is lost.
#[utoipa::path(tag = "operators", responses(
    (status = 200, body = Reloaded),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/sms-gateway/v1/reload")]
pub(crate) async fn reload(
    operator: Operator,
    gateway: Data<Gateway>,
    links: Data<Links>,
) -> Result<Json<Reloaded>, Failure> {
    let (act, now) = (operator.act("reload", "vault, certificates".to_owned()), gateway.now());
    gateway.db.write(move |conn| AUDIT.add(conn, &act, now)).await?;
    let vault = gateway.vault.clone();
    let read = tokio::task::spawn_blocking(move || Reloaded {
        vault: vault.reload().map_or_else(|failure| failure.to_string(), |()| OK.to_owned()),
        certificates: links
            .all()
            .iter()
            .filter_map(|link| {
                let read = link.reload()?;
                let told = read.map_or_else(|error| error.to_string(), |()| OK.to_owned());
                Some((link.name.to_string(), told))
            })
            .collect(),
        needs_restart: "the settings, with the API keys and other secrets in them",
    });
    Ok(Json(read.await.map_err(Failure::internal)?))
}
