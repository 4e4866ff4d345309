//! Calls of keystore and mailbox, which have keys and messages of signal_server and know no names.

use actix_web::post;
use actix_web::web::Data;
use common::models::Problem;
use common::models::signal_server::{SignalServerFound, SignalServerName, SignalServerUser};
use web::{Failure, InternalCaller, Json};

use crate::app::State;
use crate::domain::signal_server;

/// Finds the user that has a name, exactly.
#[utoipa::path(tag = "internal", request_body = SignalServerName, responses(
    (status = 200, body = SignalServerFound),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/auth/v1/signal-server/accounts")]
pub(crate) async fn account(
    state: Data<State>,
    _: InternalCaller,
    body: Json<SignalServerName>,
) -> Result<Json<SignalServerFound>, Failure> {
    let found = signal_server::find(&state, &body.username).await?;
    let user = found.map(|user| SignalServerUser { account_id: user.account_id, user_id: user.user_id });
    Ok(Json(SignalServerFound { user }))
}
