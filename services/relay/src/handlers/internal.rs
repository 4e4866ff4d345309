//! Calls of the other services, and of operators.

use actix_web::web::Data;
use actix_web::{get, post};
use common::models::Problem;
use common::models::gateway::Seed;
use serde::Serialize;
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
pub(crate) async fn revive(state: Data<State>, _: Operator) -> Result<Json<Revived>, Failure> {
    Ok(Json(Revived { revived: intake::revive(&state).await? }))
}
