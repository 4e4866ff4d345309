//! `/v1/blocks`: whom the caller's account does not want to hear from.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, put};
use common::models::{AccountId, Problem};
use web::{Caller, Failure, Json};

use super::bodies::BlockList;
use crate::app::State;
use crate::domain::blocks;

/// Lists whom the caller's account blocks.
#[utoipa::path(tag = "messages", responses(
    (status = 200, body = BlockList),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[get("/v1/blocks")]
pub(crate) async fn get_blocks(state: Data<State>, caller: Caller) -> Result<Json<BlockList>, Failure> {
    Ok(Json(BlockList { accounts: blocks::list(&state, caller.account).await? }))
}

/// Blocks an account, whether it exists or not: what it sends is answered as ever, and reaches no device of the caller's
/// account. What it has sent before stays.
#[utoipa::path(tag = "messages", responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 409, body = Problem, description = "`account-deleted`"),
    (status = 422, body = Problem, description = "`block-list-full`, `own-account`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[put("/v1/blocks/{account}")]
pub(crate) async fn put_block(
    state: Data<State>,
    caller: Caller,
    blocked: Path<AccountId>,
) -> Result<HttpResponse, Failure> {
    blocks::block(&state, caller.account, *blocked).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Blocks an account no more.
#[utoipa::path(tag = "messages", responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[delete("/v1/blocks/{account}")]
pub(crate) async fn delete_block(
    state: Data<State>,
    caller: Caller,
    blocked: Path<AccountId>,
) -> Result<HttpResponse, Failure> {
    blocks::unblock(&state, caller.account, *blocked).await?;
    Ok(HttpResponse::NoContent().finish())
}
