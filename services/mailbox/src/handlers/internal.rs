//! Calls of keystore: a mailbox opens before its device becomes visible, and closes when it goes; so does the queue of a
//! device of signal_server.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, delete, put};
use common::models::internal::{CloseMailbox, OpenMailbox};
use common::models::signal_server::OpenSignalServerDevice;
use common::models::{AccountId, DeviceId, Problem};
use web::{Failure, InternalCaller, Json};

use crate::app::State;
use crate::domain::{MailboxId, lives, signal_server};

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

/// Opens the queue of an account's device of signal_server. The same generation again changes nothing; another one takes
/// its place.
#[utoipa::path(tag = "internal", request_body = OpenSignalServerDevice, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 409, body = Problem, description = "`generation-closed`, `account-deleted`"),
    (status = 503, body = Problem),
))]
#[put("/internal/mailbox/v1/signal-server/{account}")]
pub(crate) async fn open_signal_server(
    state: Data<State>,
    _: InternalCaller,
    account: Path<AccountId>,
    body: Json<OpenSignalServerDevice>,
) -> Result<HttpResponse, Failure> {
    signal_server::open(&state, *account, body.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Closes the queue of one generation of an account's device of signal_server, with all it holds.
#[utoipa::path(tag = "internal", params(CloseMailbox), responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[delete("/internal/mailbox/v1/signal-server/{account}")]
pub(crate) async fn close_signal_server(
    state: Data<State>,
    _: InternalCaller,
    account: Path<AccountId>,
    query: Query<CloseMailbox>,
) -> Result<HttpResponse, Failure> {
    signal_server::close(&state, *account, query.generation).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn mailbox((account, device): (AccountId, DeviceId)) -> MailboxId {
    MailboxId { account, device }
}
