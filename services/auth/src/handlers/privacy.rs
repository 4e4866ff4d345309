//! Erasure of an account, for operators on the internal listener.

use actix_web::delete;
use actix_web::web::{Data, Path};
use common::models::privacy::Erased;
use common::models::{AccountId, Problem};
use service::operators::Operator;
use web::{Failure, Json};

use crate::app::State;
use crate::domain::accounts::{self, By};

/// Deletes an account, and has all services told, also of one that is deleted already.
#[utoipa::path(tag = "privacy", params(("account" = AccountId, Path)), responses(
    (status = 200, body = Erased),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[delete("/internal/auth/v1/privacy/accounts/{account}")]
pub(crate) async fn erase(
    state: Data<State>,
    operator: Operator,
    account: Path<AccountId>,
) -> Result<Json<Erased>, Failure> {
    let act = operator.act("accounts.erase", format!("account={}", *account));
    let erased = accounts::erase(&state, *account, By::Operator(act)).await?;
    tracing::info!(account.id = %*account, existed = erased.existed, "an operator erased an account");
    Ok(Json(erased))
}
