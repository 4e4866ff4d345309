//! `/v1/sessions/link-tokens` and `/v1/sessions/link`: another device is let in by one that is.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::crypto::token::HashedToken;
use common::models::Problem;
use tokio::time::{Instant, timeout_at};
use web::{Caller, ClientAddr, DeviceCaller, Failure, Json, Rule, Shutdown};

use super::bodies::{LinkToken, LinkedDevice, Session, UseLinkToken, WaitQuery};
use crate::app::State;
use crate::bound;
use crate::domain::{AuthError, links};

/// Most seconds of one wait.
const MAX_WAIT: u64 = 60;

/// Between two looks at the table while somebody waits: what tells of a device may be lost with a process.
const RECHECK: Duration = Duration::from_secs(5);

/// Makes a token by which another device opens a session of this account, once. It voids an earlier one of this session.
#[utoipa::path(tag = "linking", responses(
    (status = 201, body = LinkToken),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 429, body = Problem, description = "`rate-limited`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[post("/v1/sessions/link-tokens")]
pub(crate) async fn issue(state: Data<State>, caller: DeviceCaller) -> Result<HttpResponse, Failure> {
    let caller = caller.caller;
    state.limits.take(Rule::LinkAccount, caller.account)?;
    let token = links::issue(&state, caller.account, caller.session).await?;
    let answer = LinkToken {
        token: token.to_text(),
        token_id: URL_SAFE_NO_PAD.encode(token.id().as_slice()),
        expires_in: state.settings.link_token_ttl.as_secs(),
    };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

/// Exchanges a token for a session, which has no device yet. May be repeated with the same `retryKey` until it has one.
#[utoipa::path(tag = "linking", request_body = UseLinkToken, responses(
    (status = 201, body = Session),
    (status = 400, body = Problem),
    (status = 403, body = Problem, description = "`invalid-link-token`: unknown, used, expired or void, which is not told"),
    (status = 429, body = Problem, description = "`rate-limited`: by address"),
    (status = 503, body = Problem),
))]
#[post("/v1/sessions/link")]
pub(crate) async fn exchange(
    state: Data<State>,
    client: ClientAddr,
    body: Json<UseLinkToken>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::LinkAddress, client.network())?;
    let UseLinkToken { token, retry_key } = body.into_inner();
    let retry_key = retry_key.map(|key| key.expose().parse()).transpose();
    let retry_key = retry_key.map_err(|_| Failure::invalid("retryKey", "expected 32 bytes in base64url"))?;
    let issued = links::exchange(&state, token.expose(), retry_key.as_ref()).await?;
    state.metrics.links_total.inc();
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(Session::from(issued)))
}

/// Waits until a token of this account has brought a device. The device is in `GET /v1/devices` a moment later.
#[utoipa::path(tag = "linking",
    params(("token_id" = String, Path, description = "`tokenId` of the token"), WaitQuery),
    responses(
        (status = 200, body = LinkedDevice),
        (status = 204, description = "not yet: ask again"),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 404, body = Problem, description = "`link-token-not-found`: unknown, expired or void"),
        (status = 503, body = Problem),
    ), security(("session" = [])))]
#[get("/v1/sessions/link-tokens/{token_id}")]
pub(crate) async fn wait(
    state: Data<State>,
    caller: Caller,
    token_id: Path<String>,
    query: Query<WaitQuery>,
    shutdown: Shutdown,
) -> Result<HttpResponse, Failure> {
    if query.timeout > MAX_WAIT {
        return Err(Failure::invalid("timeout", format!("expected 0 to {MAX_WAIT} seconds")));
    }
    let octets = URL_SAFE_NO_PAD.decode(token_id.as_str()).unwrap_or_default();
    let id = HashedToken::try_from(octets.as_slice()).map_err(|_| AuthError::NoLinkToken)?;
    let until = Instant::now() + Duration::from_secs(query.timeout);
    // Heard from before the first look, so that nothing falls between the two.
    let mut heard = bound::listen(&state.live, caller.account);
    let mut watch = state.gate.watch(&caller);
    loop {
        if let Some(linked) = links::linked(&state, caller.account, id).await? {
            let device = LinkedDevice { device_id: linked.device, session_id: linked.session };
            return Ok(HttpResponse::Ok().json(device));
        }
        if Instant::now() >= until {
            return Ok(HttpResponse::NoContent().finish());
        }
        tokio::select! {
            // Told or not, one more look decides.
            _ = timeout_at(until.min(Instant::now() + RECHECK), heard.recv()) => {}
            () = watch.revoked() => return Err(AuthError::BadCredentials.into()),
            () = shutdown.wait() => return Ok(HttpResponse::NoContent().finish()),
        }
    }
}
