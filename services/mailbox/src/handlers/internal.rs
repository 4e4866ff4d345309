//! Calls of keystore: a mailbox opens before its device becomes visible, and closes when it goes.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, delete, put};
use common::models::internal::{CloseMailbox, OpenMailbox};
use common::models::{AccountId, DeviceId, Problem};
use web::{Failure, InternalCaller, Json};

use crate::app::State;
use crate::domain::{MailboxId, lives};

/// Opens the mailbox of a device. The same generation again changes nothing; another one takes its place.
#[utoipa::path(tag = "internal", request_body = OpenMailbox, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 409, body = Problem, description = "`generation-closed`, `account-deleted`"),
    (status = 503, body = Problem),
))]
#[put("/internal/mailbox/v1/mailboxes/{account}/{device}")]
pub(crate) async fn open(
    state: Data<State>,
    _: InternalCaller,
    path: Path<(AccountId, DeviceId)>,
    body: Json<OpenMailbox>,
) -> Result<HttpResponse, Failure> {
    lives::open(&state, mailbox(*path), body.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Closes the mailbox of one generation of a device, with all it holds.
#[utoipa::path(tag = "internal", params(CloseMailbox), responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[delete("/internal/mailbox/v1/mailboxes/{account}/{device}")]
pub(crate) async fn close(
    state: Data<State>,
    _: InternalCaller,
    path: Path<(AccountId, DeviceId)>,
    query: Query<CloseMailbox>,
) -> Result<HttpResponse, Failure> {
    lives::close(&state, mailbox(*path), query.generation).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn mailbox((account, device): (AccountId, DeviceId)) -> MailboxId {
    MailboxId { account, device }
}
