//! `/v1/messages/batch`: one message to many accounts.

use std::collections::HashSet;

use actix_web::web::Data;
use actix_web::{HttpRequest, post};
use common::models::Problem;
use futures_util::future::join_all;
use web::{DeviceCaller, Failure, Json};

use super::bodies::{BatchAnswer, BatchRequest, BatchResult};
use super::sending::{self, SEND_LIMIT, Terms};
use crate::app::State;

/// Sends to several accounts. Each send is one of its own, with an outcome of its own: some may be stored and others
/// refused. 200 says nothing but that there is an outcome for each.
#[utoipa::path(tag = "messages", request_body = BatchRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters; the same \
        request again within a day sends to those accounts alone for which it was not stored before")),
    responses(
        (status = 200, body = BatchAnswer),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`device-required`"),
        (status = 413, body = Problem, description = "the body is too large"),
    ), security(("session" = [])))]
#[post("/v1/messages/batch")]
pub(crate) async fn post_batch(
    state: Data<State>,
    caller: DeviceCaller,
    request: HttpRequest,
    body: Json<BatchRequest, SEND_LIMIT>,
) -> Result<Json<BatchAnswer>, Failure> {
    let key = sending::idempotency_key(&request)?;
    let BatchRequest { sends, online, urgent, timestamp } = body.into_inner();
    let terms = Terms::read(caller, online, urgent, timestamp)?;
    let most = state.settings.batch_recipients;
    if !(1..=most).contains(&sends.len()) {
        return Err(Failure::invalid("/sends", format!("expected 1 to {most} recipients")));
    }
    let mut accounts = HashSet::new();
    if let Some(place) = sends.iter().position(|send| !accounts.insert(send.account)) {
        return Err(Failure::invalid(format!("/sends/{place}/account"), "this recipient occurs twice"));
    }
    // At once, so that they share transactions.
    let results = join_all(sends.into_iter().map(async |send| {
        // A key is for one request to one account.
        let key = key.as_ref().map(|key| format!("{key}/{}", send.account));
        let sent = sending::carry_out(&state, &terms, send.account, send.messages, key).await;
        BatchResult::of(send.account, sent)
    }));
    Ok(Json(BatchAnswer { results: results.await }))
}
