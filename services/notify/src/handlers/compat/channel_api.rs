//! `/channel/<id>` and `/message/<id>`, as back-ends of ChannelAPI call them. What differs is in
//! `docs/compat/channel-api.md`.

use std::collections::HashMap;
use std::convert::Infallible;

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self as actix, Bytes, BytesMut, Data, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse, post};
use common::models::AsProblem;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use percent_encoding::percent_decode_str;
use serde_json::json;
use serde_json::value::RawValue;
use web::Rule;

use super::super::key::count_guess;
use super::super::messages::{idempotency_key, one};
use crate::app::State;
use crate::domain::publish::Publish;
use crate::domain::{BadName, ChannelName, NotifyError, read_object, tokens};
use crate::push::Wish;
use crate::settings::Scope;

const NO_CHANNEL: &str = "No Channel Supplied";
const NO_MESSAGE: &str = "Body is in incorrect format. Key 'message' not found.";

/// The methods of both paths.
const ALLOWED: &str = "OPTIONS, POST";

/// An error as its back-ends get it.
struct Refusal {
    status: StatusCode,
    message: String,
    retry_after: Option<std::time::Duration>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// Writes the response. Not by way of an actix error, whose form is a problem document.
    fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(wait) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string()));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.insert_header((header::ALLOW, ALLOWED));
        }
        response.json(json!({"success": false, "message": self.message}))
    }
}

/// From an error to this wire: the only table.
impl From<NotifyError> for Refusal {
    fn from(error: NotifyError) -> Self {
        let kind = error.kind();
        let (status, message) = match &error {
            NotifyError::BadChannel(BadName::Empty) => (StatusCode::BAD_REQUEST, NO_CHANNEL.to_owned()),
            NotifyError::BadKey => (StatusCode::FORBIDDEN, error.to_string()),
            _ => {
                let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                if kind.is_fault() {
                    tracing::warn!(%error, "request failed");
                    (status, kind.title().to_owned())
                } else {
                    (status, error.to_string())
                }
            }
        };
        Self { status, message, retry_after: error.retry_after() }
    }
}

impl From<web::RateLimited> for Refusal {
    fn from(limited: web::RateLimited) -> Self {
        NotifyError::from(limited).into()
    }
}

/// Gives the token of a channel, and makes it when there is none: the same at each call while it lives.
#[utoipa::path(tag = "channelapi", params(("id" = String, Path, description = "the channel, slashes included")),
    responses(
        (status = 200, description = "success, token"),
        (status = 400), (status = 403), (status = 413), (status = 429), (status = 503),
    ))]
#[post("/channel/{id:.*}")]
pub(crate) async fn post_channel(state: Data<State>, request: HttpRequest) -> HttpResponse {
    match give_token(&state, &request).await {
        Ok(token) => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(json!({"success": true, "token": token})),
        Err(refusal) => refusal.into_response(),
    }
}

async fn give_token(state: &State, request: &HttpRequest) -> Result<String, Refusal> {
    let scope = caller(state, request)?;
    let channel = channel(state, request, "/channel/")?;
    if !scope.covers(&channel) {
        return Err(NotifyError::ChannelForbidden.into());
    }
    state.limits.take(Rule::NotifyTokenKey, &scope.name)?;
    Ok(tokens::shared(state, scope, channel).await?.expose().to_owned())
}

/// Publishes a message in a channel.
#[utoipa::path(tag = "channelapi", params(("id" = String, Path, description = "the channel, slashes included")),
    responses(
        (status = 200, description = "success"),
        (status = 400), (status = 403), (status = 413), (status = 422), (status = 429), (status = 503),
    ))]
#[post("/message/{id:.*}")]
pub(crate) async fn post_message(state: Data<State>, request: HttpRequest, body: Body) -> HttpResponse {
    match publish(&state, &request, body).await {
        Ok(()) => HttpResponse::Ok().json(json!({"success": true})),
        Err(refusal) => refusal.into_response(),
    }
}

async fn publish(state: &State, request: &HttpRequest, Body(body): Body) -> Result<(), Refusal> {
    let scope = caller(state, request)?;
    let channel = channel(state, request, "/message/")?;
    let Some(body) = body else {
        return Err(NotifyError::TooLarge { limit: state.settings.max_data_bytes }.into());
    };
    // Other keys are ignored; of one that is there twice, the last counts.
    let fields: Option<HashMap<String, &RawValue>> = read_object(&body);
    let message = fields.and_then(|fields| fields.get("message").map(|message| (*message).to_owned()));
    let message = message.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, NO_MESSAGE))?;
    let key = idempotency_key(request.headers())
        .map_err(|failure| Refusal::new(StatusCode::BAD_REQUEST, failure.to_string()))?;
    one(state, scope, Publish { channel, data: message, volatile: false, push: Wish::default(), key })
        .await?;
    Ok(())
}

/// Whose key is in `Authorization`: the bare key, without a scheme.
fn caller<'a>(state: &'a State, request: &HttpRequest) -> Result<&'a Scope, Refusal> {
    let key = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match key.and_then(|key| state.settings.auth_keys.scope(key)) {
        Some(scope) => Ok(scope),
        None => {
            if key.is_some() {
                count_guess(state, request)?;
            }
            Err(NotifyError::BadKey.into())
        }
    }
}

/// The channel: everything behind `prefix`, percent-decoded.
fn channel(state: &State, request: &HttpRequest, prefix: &str) -> Result<ChannelName, Refusal> {
    let raw = request.uri().path().strip_prefix(prefix).unwrap_or_default();
    let Ok(name) = percent_decode_str(raw).decode_utf8() else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the name of a channel is UTF-8"));
    };
    let name = ChannelName::parse(&name, state.settings.max_channel_bytes);
    Ok(name.map_err(NotifyError::from)?)
}

/// Extractor: a body of whatever content type; none if it is larger than any notification. It is looked at after the
/// key.
pub(crate) struct Body(Option<Bytes>);

/// What surrounds the message in its body.
const ENVELOPE: usize = 4096;

impl FromRequest for Body {
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<State>>();
        let limit = state.map_or(0, |state| state.settings.max_data_bytes) + ENVELOPE;
        let mut payload = payload.take();
        Box::pin(async move {
            let mut body = BytesMut::new();
            while let Some(chunk) = payload.next().await {
                // A body that breaks off is no JSON, and its sender hears nothing of it anyway.
                let Ok(chunk) = chunk else { return Ok(Self(Some(Bytes::new()))) };
                if body.len() + chunk.len() > limit {
                    return Ok(Self(None));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Self(Some(body.freeze())))
        })
    }
}

/// Takes what the routes above leave of these paths: other methods, and paths without the slash.
pub(crate) fn rest(config: &mut ServiceConfig) -> &mut ServiceConfig {
    let other_method = |request: HttpRequest| async move {
        if request.method() == Method::OPTIONS {
            return HttpResponse::NoContent().insert_header((header::ALLOW, ALLOWED)).finish();
        }
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed").into_response()
    };
    let nothing = || async { Refusal::new(StatusCode::NOT_FOUND, "not found").into_response() };
    config
        .service(actix::resource("/channel/{id:.*}").to(other_method))
        .service(actix::resource("/message/{id:.*}").to(other_method))
        .service(actix::resource("/channel").to(nothing))
        .service(actix::resource("/message").to(nothing))
}
