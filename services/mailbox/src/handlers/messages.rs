//! `/v1/messages`: send, fetch, ack.

use std::time::Duration;

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, post, put};
use common::models::{AccountId, Problem};
use tokio::time::{Instant, timeout_at};
use web::{DeviceCaller, Failure, Json, Shutdown};

use super::bodies::{AckRequest, FetchAnswer, FetchQuery, SendAnswer, SendRequest};
use super::sending::{self, SEND_LIMIT, Terms, own_mailbox};
use crate::app::State;
use crate::delivery::hints::{self, Hint};
use crate::domain::MailboxError;
use crate::domain::receive::{self, Ack};
use crate::store::envelopes::PageRequest;

/// Most envelopes of one page, seconds of one wait, and ids of one ack.
const MAX_PAGE: usize = 100;
const MAX_WAIT: u64 = 30;
const MAX_GUIDS: usize = 1000;

/// Sends one message to all devices of an account. 200 means that every copy is on disk; for one with `online`, that it
/// was passed on to those devices that are connected, and the key is not used.
#[utoipa::path(tag = "messages", request_body = SendRequest,
    params(
        ("account" = AccountId, Path, description = "the recipient"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters; the same \
            request again within a day gets the first answer, with `Idempotent-Replay: true`"),
    ),
    responses(
        (status = 200, body = SendAnswer),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`device-required`"),
        (status = 404, body = Problem, description = "`mailbox-not-found`: the account has no device"),
        (status = 409, body = Problem, description = "`device-set-mismatch`, with missingDevices, extraDevices, staleDevices"),
        (status = 410, body = Problem, description = "`stale-devices`, with the same three lists"),
        (status = 413, body = Problem, description = "a content or the body is too large"),
        (status = 422, body = Problem, description = "`duplicate-device`, `empty-content`, `envelope-type-refused`, \
            `idempotency-key-reused`"),
        (status = 503, body = Problem),
        (status = 507, body = Problem, description = "`mailbox-full`, with fullDevices; nothing was stored"),
    ), security(("session" = [])))]
#[put("/v1/messages/{account}")]
pub(crate) async fn put_message(
    state: Data<State>,
    caller: DeviceCaller,
    account: Path<AccountId>,
    request: HttpRequest,
    body: Json<SendRequest, SEND_LIMIT>,
) -> Result<HttpResponse, Failure> {
    let key = sending::idempotency_key(&request)?;
    let SendRequest { messages, online, urgent, timestamp } = body.into_inner();
    let terms = Terms::read(caller, online, urgent, timestamp)?;
    let done = sending::carry_out(&state, &terms, *account, messages, key).await?;
    let mut answer = HttpResponse::Ok();
    if done.replayed {
        answer.insert_header(("Idempotent-Replay", "true"));
    }
    Ok(answer.json(done.answer))
}

/// Fetches the envelopes of the caller's device, oldest first, and leaves them where they are until they are acked.
#[utoipa::path(tag = "messages", params(FetchQuery), responses(
    (status = 200, body = FetchAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 404, body = Problem, description = "`mailbox-not-found`: the device is gone"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[get("/v1/messages")]
pub(crate) async fn get_messages(
    state: Data<State>,
    caller: DeviceCaller,
    query: Query<FetchQuery>,
    shutdown: Shutdown,
) -> Result<Json<FetchAnswer>, Failure> {
    let query = query.into_inner();
    if query.after_seq < 0 {
        return Err(Failure::invalid("afterSeq", "expected 0 or more"));
    }
    if !(1..=MAX_PAGE).contains(&query.limit) {
        return Err(Failure::invalid("limit", format!("expected 1 to {MAX_PAGE}")));
    }
    if query.timeout > MAX_WAIT {
        return Err(Failure::invalid("timeout", format!("expected 0 to {MAX_WAIT} seconds")));
    }
    let id = own_mailbox(caller);
    let until = Instant::now() + Duration::from_secs(query.timeout);
    let request =
        PageRequest { after: query.after_seq, limit: query.limit, bytes: state.settings.window_bytes };
    // Heard from before the first look, so that nothing falls between the two.
    let mut live = state.live.subscribe(&id.live_key());
    let mut watch = state.gate.watch(&caller.caller);
    loop {
        let page = receive::page(&state, id, request).await?;
        if !page.envelopes.is_empty() || Instant::now() >= until {
            let way = &state.metrics.envelopes_delivered_total;
            way.with_label_values(&["poll"]).inc_by(page.envelopes.len() as u64);
            return Ok(Json(page.into()));
        }
        let stored = async {
            // Only these two change what there is to see.
            while !matches!(hints::read(&live.recv().await), Some(Hint::Stored | Hint::Closed(_))) {}
        };
        // Hints of other processes do not come while the broker is away.
        let look = if state.live.is_connected() {
            until
        } else {
            until.min(Instant::now() + state.settings.recheck_away)
        };
        tokio::select! {
            // Told or not, one more look decides.
            _ = timeout_at(look, stored) => {}
            () = watch.revoked() => return Err(MailboxError::Revoked.into()),
            () = shutdown.wait() => return Ok(Json(page.into())),
        }
    }
}

/// Removes envelopes that the caller's device has stored on its side. The same ack again changes nothing.
#[utoipa::path(tag = "messages", request_body = AckRequest, responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 404, body = Problem, description = "`mailbox-not-found`: the device is gone"),
    (status = 422, body = Problem, description = "`ack-beyond-last`, with lastSeq"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[post("/v1/messages/ack")]
pub(crate) async fn ack(
    state: Data<State>,
    caller: DeviceCaller,
    body: Json<AckRequest>,
) -> Result<HttpResponse, Failure> {
    let ack = match body.into_inner() {
        AckRequest { ack_seq: Some(seq), guids: None } if seq >= 0 => Ack::Through(seq),
        AckRequest { ack_seq: Some(_), guids: None } => {
            return Err(Failure::invalid("/ackSeq", "expected 0 or more"));
        }
        AckRequest { ack_seq: None, guids: Some(guids) } if guids.len() <= MAX_GUIDS => Ack::Guids(guids),
        AckRequest { ack_seq: None, guids: Some(_) } => {
            return Err(Failure::invalid("/guids", format!("expected {MAX_GUIDS} at most")));
        }
        _ => return Err(Failure::invalid("", "expected either ackSeq or guids")),
    };
    receive::ack(&state, own_mailbox(caller), ack).await?;
    Ok(HttpResponse::NoContent().finish())
}
