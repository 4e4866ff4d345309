//! `/v1/notify/messages`: publishing.

use actix_web::http::header::HeaderMap;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use common::models::Problem;
use web::{Failure, Json};

use super::bodies::{
    BatchRequest, BroadcastRequest, PublishAnswer, PublishAnswers, PublishRequest, PublishResult,
};
use super::key::KeyCaller;
use crate::app::State;
use crate::domain::publish::{Publish, Receipt, publish};
use crate::domain::{ChannelName, NotifyError};
use crate::settings::Scope;

/// Bytes of the body of one publication: the largest notification that settings can allow, and its channel.
const PUBLISH_LIMIT: usize = 1024 * 1024 + 16 * 1024;

/// Bytes of the body of many publications.
const BATCH_LIMIT: usize = 16 * 1024 * 1024;

/// Longest idempotency key; what tells the parts of a batch from each other is put behind it.
const MAX_KEY: usize = 128;

/// Publishes a notification. 200 means that it is on disk, and that every client of the channel gets it; of a volatile
/// one, that it was passed on to those that are connected.
#[utoipa::path(tag = "publishing", request_body = PublishRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters; the same \
        publication again within a day gets the first answer, with `Idempotent-Replay: true`")),
    responses(
        (status = 200, body = PublishAnswer),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`channel-forbidden`: the key is for other channels"),
        (status = 413, body = Problem),
        (status = 422, body = Problem, description = "`idempotency-key-reused`"),
        (status = 429, body = Problem),
        (status = 503, body = Problem),
    ), security(("apiKey" = [])))]
#[post("/v1/notify/messages")]
pub(crate) async fn post_message(
    state: Data<State>,
    caller: KeyCaller,
    request: HttpRequest,
    body: Json<PublishRequest, PUBLISH_LIMIT>,
) -> Result<HttpResponse, Failure> {
    let PublishRequest { channel, data, volatile, push } = body.into_inner();
    let channel =
        ChannelName::parse(&channel, state.settings.max_channel_bytes).map_err(NotifyError::from)?;
    let key = idempotency_key(request.headers())?;
    let wanted = Publish { channel: channel.clone(), data, volatile, push, key };
    let receipt = one(&state, &caller.0, wanted).await?;
    let mut answer = HttpResponse::Ok();
    if receipt.replayed {
        answer.insert_header(("Idempotent-Replay", "true"));
    }
    Ok(answer.json(PublishAnswer::new(&receipt, state.hub.clients(&channel))))
}

/// Publishes several notifications. Each has its own result, and those of one channel keep their order; with
/// `Idempotency-Key` a repetition publishes only what was not published yet.
#[utoipa::path(tag = "publishing", request_body = BatchRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "as for a single publication")),
    responses(
        (status = 200, body = PublishAnswers, description = "what became of each: the answer of a single publication, or a problem"),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 413, body = Problem),
    ), security(("apiKey" = [])))]
#[post("/v1/notify/messages/batch")]
pub(crate) async fn post_batch(
    state: Data<State>,
    caller: KeyCaller,
    request: HttpRequest,
    body: Json<BatchRequest, BATCH_LIMIT>,
) -> Result<HttpResponse, Failure> {
    let key = idempotency_key(request.headers())?;
    let parts = body.into_inner().messages;
    many(&state, &caller.0, parts, key).await
}

/// Publishes one notification in many channels. Each has its own result, as in a batch.
#[utoipa::path(tag = "publishing", request_body = BroadcastRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "as for a single publication")),
    responses(
        (status = 200, body = PublishAnswers, description = "what became of it in each channel"),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 413, body = Problem),
    ), security(("apiKey" = [])))]
#[post("/v1/notify/messages/broadcast")]
pub(crate) async fn post_broadcast(
    state: Data<State>,
    caller: KeyCaller,
    request: HttpRequest,
    body: Json<BroadcastRequest, PUBLISH_LIMIT>,
) -> Result<HttpResponse, Failure> {
    let key = idempotency_key(request.headers())?;
    let BroadcastRequest { channels, data, volatile, push } = body.into_inner();
    let part = |channel| PublishRequest { channel, data: data.clone(), volatile, push: push.clone() };
    many(&state, &caller.0, channels.into_iter().map(part).collect(), key).await
}

async fn many(
    state: &State,
    scope: &Scope,
    parts: Vec<PublishRequest>,
    key: Option<String>,
) -> Result<HttpResponse, Failure> {
    let limit = state.settings.batch_messages;
    if !(1..=limit).contains(&parts.len()) {
        return Err(NotifyError::BatchSize { limit }.into());
    }
    let mut names = Vec::with_capacity(parts.len());
    let mut wanted = Vec::with_capacity(parts.len());
    for (number, PublishRequest { channel, data, volatile, push }) in parts.into_iter().enumerate() {
        let name = ChannelName::parse(&channel, state.settings.max_channel_bytes);
        if let Ok(channel) = &name {
            let key = key.as_ref().map(|key| format!("{key}#{number}"));
            wanted.push(Publish { channel: channel.clone(), data, volatile, push, key });
        }
        names.push(name);
    }
    let mut published = publish(state, scope, wanted).await.into_iter();
    let results = names.into_iter().map(|name| {
        let result = match name {
            Ok(channel) => published.next().map(|result| result.map(|receipt| (channel, receipt))),
            Err(error) => Some(Err(error.into())),
        };
        match result {
            Some(Ok((channel, receipt))) => {
                PublishResult::Published(PublishAnswer::new(&receipt, state.hub.clients(&channel)))
            }
            Some(Err(error)) => PublishResult::refused(&error),
            None => PublishResult::refused(&db::DbError::other("a publication got no answer").into()),
        }
    });
    Ok(HttpResponse::Ok().json(PublishAnswers { results: results.collect() }))
}

/// Publishes one.
pub(super) async fn one(state: &State, scope: &Scope, wanted: Publish) -> Result<Receipt, NotifyError> {
    let mut results = publish(state, scope, vec![wanted]).await;
    results.pop().unwrap_or_else(|| Err(db::DbError::other("a publication got no answer").into()))
}

/// Reads the header `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Failure::invalid("Idempotency-Key", "expected 1 to 128 visible ASCII characters")),
    }
}
