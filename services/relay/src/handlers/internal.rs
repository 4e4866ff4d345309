//! Calls of the other services.

use actix_web::get;
use actix_web::web::Data;
use common::models::Problem;
use common::models::gateway::Seed;
use web::{Failure, InternalCaller, Json};

use super::compat::seeds::view;
use crate::app::State;
use crate::domain::pings;

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
