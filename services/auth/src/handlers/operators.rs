//! `/internal/auth/v1/operators`: accounts as operators find, see, block and unblock them.

use actix_web::web::{Data, Path, Query};
use actix_web::{delete, get, post, put};
use common::models::operators::{AccountFacts, BlockAccount, BlockChanged, FoundAccounts, SearchAccounts};
use common::models::{AccountId, Problem};
use service::operators::{AuditEntry, AuditPage, AuditTable, Operator, masked};
use web::{Failure, Json};

use crate::app::State;
use crate::domain::{blocks, lookup};

/// Accounts of one page at most.
const MOST: u16 = 500;
/// Longest text that is looked for, in bytes: no address or name is longer.
const LONGEST: usize = 320;

/// Finds accounts: by account id, name, verified e-mail address or phone number, or by how a name or an id begins.
#[utoipa::path(tag = "operators", request_body = SearchAccounts, responses(
    (status = 200, body = FoundAccounts),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/auth/v1/operators/accounts/search")]
pub(crate) async fn search(
    operator: Operator,
    state: Data<State>,
    body: Json<SearchAccounts>,
) -> Result<Json<FoundAccounts>, Failure> {
    let wanted = body.into_inner();
    if wanted.query.len() > LONGEST {
        return Err(Failure::invalid("/query", "expected up to 320 bytes"));
    }
    if wanted.limit.is_some_and(|limit| !(1..=MOST).contains(&limit)) {
        return Err(Failure::invalid("/limit", "expected 1 to 500"));
    }
    let act = match (wanted.prefix, wanted.query.as_str()) {
        (true, "") => operator.act("accounts.list", "all".to_owned()),
        (true, start) => operator.act("accounts.find", format!("beginning={}", masked(start))),
        (false, whole) => operator.act("accounts.find", format!("query={}", masked(whole))),
    };
    Ok(Json(lookup::search(&state, wanted, act).await?))
}

/// Tells of an account: when it was made and by which interface, sessions, days, whether it is blocked and why.
#[utoipa::path(tag = "operators", params(("account" = AccountId, Path)), responses(
    (status = 200, body = AccountFacts),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`account-not-found`"),
    (status = 503, body = Problem),
))]
#[get("/internal/auth/v1/operators/accounts/{account}")]
pub(crate) async fn show(
    operator: Operator,
    state: Data<State>,
    account: Path<AccountId>,
) -> Result<Json<AccountFacts>, Failure> {
    let act = operator.act("accounts.show", format!("account={account}"));
    Ok(Json(lookup::facts(&state, *account, act).await?))
}

/// Locks an account out: its sessions end, and none begins. What waits for it, and what is sent to it, stays.
#[utoipa::path(tag = "operators", params(("account" = AccountId, Path)), request_body = BlockAccount, responses(
    (status = 200, body = BlockChanged),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`account-not-found`"),
    (status = 503, body = Problem),
))]
#[put("/internal/auth/v1/operators/accounts/{account}/block")]
pub(crate) async fn block(
    operator: Operator,
    state: Data<State>,
    account: Path<AccountId>,
    body: Json<BlockAccount>,
) -> Result<Json<BlockChanged>, Failure> {
    let act = operator.act("accounts.block", format!("account={account}"));
    Ok(Json(blocks::block(&state, *account, body.into_inner().reason, act).await?))
}

/// Lets an account in again; its owner logs in anew.
#[utoipa::path(tag = "operators", params(("account" = AccountId, Path)), responses(
    (status = 200, body = BlockChanged),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`account-not-found`"),
    (status = 503, body = Problem),
))]
#[delete("/internal/auth/v1/operators/accounts/{account}/block")]
pub(crate) async fn unblock(
    operator: Operator,
    state: Data<State>,
    account: Path<AccountId>,
) -> Result<Json<BlockChanged>, Failure> {
    let act = operator.act("accounts.unblock", format!("account={account}"));
    Ok(Json(blocks::unblock(&state, *account, act).await?))
}

/// Reads the audit log, in order, and says of each entry whether it is as it was written.
#[utoipa::path(tag = "operators", params(AuditPage), responses(
    (status = 200, body = Vec<AuditEntry>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/auth/v1/audit")]
pub(crate) async fn audit(
    _: Operator,
    state: Data<State>,
    page: Query<AuditPage>,
) -> Result<Json<Vec<AuditEntry>>, Failure> {
    Ok(Json(AuditTable::ADMIN.read(&state.db, page.into_inner()).await?))
}
