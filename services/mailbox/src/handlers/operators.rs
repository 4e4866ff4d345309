//! `/internal/mailbox/v1/operators`: how much waits for whom, as operators see it.

use actix_web::get;
use actix_web::web::{Data, Path, Query};
use common::models::operators::Queues;
use common::models::{AccountId, Problem};
use service::operators::{AuditEntry, AuditPage, AuditTable, Operator};
use web::{Failure, Json};

use crate::app::State;
use crate::domain::queues;

/// Tells how much waits for each device of an account, and for how long.
#[utoipa::path(tag = "operators", params(("account" = AccountId, Path)), responses(
    (status = 200, body = Queues, description = "empty for an account that has no mailbox"),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/mailbox/v1/operators/accounts/{account}/queues")]
pub(crate) async fn show(
    operator: Operator,
    state: Data<State>,
    account: Path<AccountId>,
) -> Result<Json<Queues>, Failure> {
    let act = operator.act("queues.show", format!("account={account}"));
    Ok(Json(queues::of_account(&state, *account, act).await?))
}

/// Reads the audit log, in order, and says of each entry whether it is as it was written.
#[utoipa::path(tag = "operators", params(AuditPage), responses(
    (status = 200, body = Vec<AuditEntry>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/mailbox/v1/audit")]
pub(crate) async fn audit(
    _: Operator,
    state: Data<State>,
    page: Query<AuditPage>,
) -> Result<Json<Vec<AuditEntry>>, Failure> {
    Ok(Json(AuditTable::ADMIN.read(&state.db, page.into_inner()).await?))
}
