//! `/v1/notify/tokens`: tokens for single devices.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, delete, get, post};
use common::models::{ChannelTokenId, Problem};
use web::{Failure, Json, Rule};

use super::bodies::{TokenAnswer, TokenRequestBody, TokenView, TokensAnswer, TokensQuery};
use super::channels::covered;
use super::key::KeyCaller;
use crate::app::State;
use crate::domain::NotifyError;
use crate::domain::tokens::{self, TokenRequest};

/// Longest label and name of a member, in characters.
const MAX_TEXT: usize = 128;

/// Makes a token that opens a channel, for one device.
#[utoipa::path(tag = "tokens", request_body = TokenRequestBody, responses(
    (status = 201, body = TokenAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`channel-forbidden`: the key is for other channels"),
    (status = 422, body = Problem, description = "`too-many-tokens`"),
    (status = 429, body = Problem),
    (status = 503, body = Problem),
), security(("apiKey" = [])))]
#[post("/v1/notify/tokens")]
pub(crate) async fn issue(
    state: Data<State>,
    caller: KeyCaller,
    body: Json<TokenRequestBody>,
) -> Result<HttpResponse, Failure> {
    let TokenRequestBody { channel, label, member, expires_in } = body.into_inner();
    let channel = covered(&state, &caller.0, &channel)?;
    for (place, text) in [("/label", &label), ("/member", &member)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > MAX_TEXT || text.contains('\0')) {
            return Err(Failure::invalid(place, "expected up to 128 characters, none of them NUL"));
        }
    }
    if member.as_deref() == Some("") {
        return Err(Failure::invalid("/member", "expected a name, or nothing"));
    }
    state.limits.take(Rule::NotifyTokenKey, &caller.0.name)?;
    let request = TokenRequest { channel, label, member, life: expires_in.map(Duration::from_secs) };
    let (token, row) = tokens::issue(&state, &caller.0, request).await?;
    let answer =
        TokenAnswer { id: row.token_id, token: token.expose().to_owned(), expires_at: row.expires_at };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

/// Lists the tokens of a channel that live, the one that ChannelAPI hands out included.
#[utoipa::path(tag = "tokens", params(TokensQuery), responses(
    (status = 200, body = TokensAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`channel-forbidden`"),
    (status = 503, body = Problem),
), security(("apiKey" = [])))]
#[get("/v1/notify/tokens")]
pub(crate) async fn list(
    state: Data<State>,
    caller: KeyCaller,
    query: Query<TokensQuery>,
) -> Result<Json<TokensAnswer>, Failure> {
    let channel = covered(&state, &caller.0, &query.channel)?;
    let rows = tokens::list(&state, channel).await?;
    Ok(Json(TokensAnswer { tokens: rows.into_iter().map(TokenView::from).collect() }))
}

/// Revokes a token: it opens nothing any more, and clients that came in by it are put out.
#[utoipa::path(tag = "tokens",
    params(("id" = ChannelTokenId, Path, description = "the id of the token"), TokensQuery),
    responses(
        (status = 204),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`channel-forbidden`"),
        (status = 404, body = Problem, description = "`token-not-found`"),
        (status = 503, body = Problem),
    ), security(("apiKey" = [])))]
#[delete("/v1/notify/tokens/{id}")]
pub(crate) async fn revoke(
    state: Data<State>,
    caller: KeyCaller,
    id: Path<ChannelTokenId>,
    query: Query<TokensQuery>,
) -> Result<HttpResponse, Failure> {
    let channel = covered(&state, &caller.0, &query.channel)?;
    if tokens::revoke(&state, &channel, Some(*id)).await? == 0 {
        return Err(NotifyError::NoToken.into());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Revokes all tokens of a channel, and puts all clients out that came in by one.
#[utoipa::path(tag = "tokens", params(TokensQuery), responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`channel-forbidden`"),
    (status = 503, body = Problem),
), security(("apiKey" = [])))]
#[delete("/v1/notify/tokens")]
pub(crate) async fn revoke_all(
    state: Data<State>,
    caller: KeyCaller,
    query: Query<TokensQuery>,
) -> Result<HttpResponse, Failure> {
    let channel = covered(&state, &caller.0, &query.channel)?;
    tokens::revoke(&state, &channel, None).await?;
    Ok(HttpResponse::NoContent().finish())
}
