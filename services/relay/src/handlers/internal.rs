//! Calls of the other services, and of operators.

use actix_web::web::{Data, Query};
use actix_web::{get, post};
use common::models::Problem;
use common::models::gateway::Seed;
use serde::Serialize;
use service::operators::{AuditEntry, AuditPage, AuditTable};
use utoipa::ToSchema;
use web::{Failure, InternalCaller, Json};

use super::compat::seeds::view;
use super::operator::Operator;
use crate::app::State;
use crate::domain::{intake, pings};

/// Lists the modems that are there, as everybody may see them.
#[utoipa::path(tag = "internal", responses(
    (status = 200, body = Vec<Seed>),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/relay/v1/seeds")]
pub(crate) async fn seeds(state: Data<State>, _: InternalCaller) -> Result<Json<Vec<Seed>>, Failure> {
    let rows = pings::active(&state, None).await?;
    Ok(Json(rows.into_iter().map(|row| view(row, state.settings.public_imsi)).collect()))
}

/// How many SMS are tried again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revived {
    revived: u64,
}

/// Has the SMS that were given up handed to the publisher again (`sealpost_relay_incoming_dead` counts them).
#[utoipa::path(tag = "internal", responses(
    (status = 200, body = Revived),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
), security(("apiKey" = [])))]
#[post("/internal/relay/v1/incoming/revive")]
pub(crate) async fn revive(state: Data<State>, operator: Operator) -> Result<Json<Revived>, Failure> {
    let act = operator.act("incoming.revive", "all that were given up".to_owned());
    Ok(Json(Revived { revived: intake::revive(&state, act).await? }))
}

/// Reads the audit log, in order, and says of each entry whether it is as it was written.
#[utoipa::path(tag = "operators", params(AuditPage), responses(
    (status = 200, body = Vec<AuditEntry>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/relay/v1/audit")]
pub(crate) async fn audit(
    _: Operator,
    state: Data<State>,
    page: Query<AuditPage>,
) -> Result<Json<Vec<AuditEntry>>, Failure> {
    Ok(Json(AuditTable::ADMIN.read(&state.db, page.into_inner()).await?))
}
