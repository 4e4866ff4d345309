//! Invites, for operators on the internal listener.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use common::models::internal::{CreateInvite, CreatedInvite, Invite, Invites};
use common::models::{InviteId, Problem};
use service::operators::Operator;
use web::{Failure, Json};

use crate::app::State;
use crate::domain::invites;
use crate::store::rows::InviteRow;

/// Makes an invite; its code is in this answer and nowhere else.
#[utoipa::path(tag = "invites", request_body = CreateInvite, responses(
    (status = 201, body = CreatedInvite),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
#[post("/internal/auth/v1/invites")]
pub(crate) async fn create(
    operator: Operator,
    state: Data<State>,
    body: Json<CreateInvite>,
) -> Result<HttpResponse, Failure> {
    let CreateInvite { count, expires_in } = body.into_inner();
    let act = operator.act("invites.create", format!("count={count}"));
    let made = invites::create(&state, count.get(), Duration::from_secs(expires_in.get()), act).await?;
    Ok(HttpResponse::Created().json(CreatedInvite {
        invite_id: made.invite,
        code: made.code.expose().to_owned(),
        expires_at: made.expires_at,
    }))
}

/// Lists the invites that can still be used, without their codes.
#[utoipa::path(tag = "invites", responses((status = 200, body = Invites), (status = 401, body = Problem)))]
#[get("/internal/auth/v1/invites")]
pub(crate) async fn list(_: Operator, state: Data<State>) -> Result<Json<Invites>, Failure> {
    let invite = |row: InviteRow| Invite {
        invite_id: row.invite_id,
        uses_left: row.uses_left,
        created_at: row.created_at,
        expires_at: row.expires_at,
    };
    Ok(Json(Invites { invites: invites::list(&state).await?.into_iter().map(invite).collect() }))
}

/// Withdraws an invite. Accounts that were made with it stay.
#[utoipa::path(tag = "invites", responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`invite-not-found`"),
))]
#[delete("/internal/auth/v1/invites/{invite}")]
pub(crate) async fn withdraw(
    operator: Operator,
    state: Data<State>,
    invite: Path<InviteId>,
) -> Result<HttpResponse, Failure> {
    let act = operator.act("invites.withdraw", format!("invite={invite}"));
    invites::withdraw(&state, *invite, act).await?;
    Ok(HttpResponse::NoContent().finish())
}
