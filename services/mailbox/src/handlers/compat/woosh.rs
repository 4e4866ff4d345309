//! `/messages`: send, poll, delete, as clients of Woosh do.

use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self as actix, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use clients::WooshCaller;
use common::models::woosh::WooshCredentials;
use common::models::{AccountId, UnixMillis};
use serde::Serialize;
use service::woosh::{self as wire, Body, Credentials, Fields, Refusal, answer, query, text};
use web::{ClientAddr, Rule};

use crate::app::State;
use crate::domain::MailboxError;
use crate::domain::woosh::{self, Message};

const NO_UNTIL: &str = "missing field \"until\" in querystring: timestamp of the last query time";
const BAD_UNTIL: &str = "invalid field \"until\": valid unix timestamp expected";

/// What a sender is called who does not exist any more: no name can be registered with a space in it.
const DELETED: &str = "deleted user";

/// From an error to this wire: the only table.
fn refusal(error: MailboxError) -> Refusal {
    match error {
        MailboxError::NotFound => Refusal::not_found("user not found"),
        MailboxError::Full { .. } => Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "inbox is full"),
        other => Refusal::of(&other),
    }
}

/// A message as both ends see it.
#[derive(Debug, Serialize)]
struct View {
    id: i64,
    from_user: String,
    to_user: String,
    contents: String,
    /// Unix seconds.
    sent_at: i64,
}

impl View {
    fn new(message: Message, from_user: String, to_user: String) -> Self {
        let Message { id, contents, sent_at, .. } = message;
        Self { id, from_user, to_user, contents, sent_at: sent_at.as_secs() }
    }
}

/// Sends a message. 201 means that it is on disk.
#[utoipa::path(tag = "woosh", responses(
    (status = 201, description = "id, from_user, to_user, contents, sent_at"),
    (status = 400), (status = 401), (status = 404), (status = 413), (status = 429), (status = 503),
    (status = 507, description = "the inbox is full; nothing was stored"),
))]
#[post("/messages")]
pub(crate) async fn send(
    state: Data<State>,
    client: ClientAddr,
    request: HttpRequest,
    body: Body,
) -> HttpResponse {
    answer(StatusCode::CREATED, store(&state, client, &request, body).await)
}

async fn store(
    state: &State,
    client: ClientAddr,
    request: &HttpRequest,
    body: Body,
) -> Result<View, Refusal> {
    let caller = caller(state, client, request).await?;
    let fields = Fields::read(body)?;
    let recipient = fields.required("recipient", "username of the recipient")?;
    let contents = fields.required("contents", "contents of the message")?;
    let recipient = match text("recipient", recipient, 0) {
        // Longer than any name, so as unknown as the empty one.
        Err(_) if recipient.is_string() => String::new(),
        name => name?,
    };
    let contents = text("contents", contents, 0)?;
    let found = state.auth.woosh_account(&recipient).await.map_err(|error| Refusal::of(&error))?;
    let Some(to) = found else {
        // Whoever tries names is counted; whoever writes to people is not.
        state.limits.take(Rule::SearchAccount, caller.account).map_err(|limited| Refusal::of(&limited))?;
        return Err(Refusal::not_found("user not found"));
    };
    if to == caller.account {
        return Err(Refusal::invalid("cannot send a message "));
    }
    let stored = woosh::send(state, caller.account, to, contents).await.map_err(refusal)?;
    Ok(View::new(stored, caller.username, recipient))
}

/// The answer to a poll.
#[derive(Debug, Serialize)]
struct Polled {
    /// Unix seconds, before anything was looked at.
    query_time: i64,
    messages: Vec<View>,
}

/// Shows the oldest 100 messages that wait for the caller, the newest of them first, and leaves them where they are.
#[utoipa::path(tag = "woosh", responses(
    (status = 200, description = "query_time, and messages with id, from_user, to_user, contents, sent_at"),
    (status = 401), (status = 429), (status = 503),
))]
#[get("/messages")]
pub(crate) async fn poll(state: Data<State>, client: ClientAddr, request: HttpRequest) -> HttpResponse {
    show(state, client, request).await
}

async fn show(state: Data<State>, client: ClientAddr, request: HttpRequest) -> HttpResponse {
    answer(StatusCode::OK, read(&state, client, &request).await)
}

async fn read(state: &State, client: ClientAddr, request: &HttpRequest) -> Result<Polled, Refusal> {
    let caller = caller(state, client, request).await?;
    let query_time = state.clock.now().as_secs();
    let page = woosh::page(state, caller.account).await.map_err(refusal)?;
    if page.messages.is_empty() {
        return Ok(Polled { query_time, messages: Vec::new() });
    }
    let named = state.auth.woosh_names(page.senders()).await.map_err(|error| Refusal::of(&error))?;
    // The answer to HEAD has no body: nobody has seen anything, and nothing may be deleted for it.
    if request.method() != Method::HEAD {
        page.note_shown(state).await.map_err(refusal)?;
    }
    let view = |message: Message| {
        let sender = named.names.iter().find(|named| named.account_id == message.from);
        let from_user = sender.map_or(DELETED, |named| &named.username).to_owned();
        View::new(message, from_user, caller.username.clone())
    };
    let mut messages: Vec<View> = page.messages.into_iter().map(view).collect();
    messages.sort_by_key(|message| std::cmp::Reverse((message.sent_at, message.id)));
    Ok(Polled { query_time, messages })
}

/// The answer to a deletion.
#[derive(Debug, Serialize)]
struct Deleted {
    result: &'static str,
    deleted: i64,
}

/// Removes messages of the caller that were sent before `until` and that a poll has shown.
#[utoipa::path(tag = "woosh", params(("until" = i64, Query, description = "Unix seconds; the query_time of a poll")),
    responses(
        (status = 200, description = "result: success; deleted: how many"),
        (status = 400), (status = 401), (status = 429), (status = 503),
    ))]
#[delete("/messages")]
pub(crate) async fn remove(state: Data<State>, client: ClientAddr, request: HttpRequest) -> HttpResponse {
    answer(StatusCode::OK, take_out(&state, client, &request).await)
}

async fn take_out(state: &State, client: ClientAddr, request: &HttpRequest) -> Result<Deleted, Refusal> {
    let caller = caller(state, client, request).await?;
    let until = query(request, "until").ok_or_else(|| Refusal::invalid(NO_UNTIL))?;
    let until: i64 = until.trim().parse().map_err(|_| Refusal::invalid(BAD_UNTIL))?;
    // A second begins with its first millisecond: what was sent within it is not before it.
    let before = UnixMillis(until.saturating_mul(1000));
    let deleted = woosh::remove(state, caller.account, before).await.map_err(refusal)?;
    Ok(Deleted { result: "success", deleted })
}

/// Who asks.
struct Caller {
    account: AccountId,
    username: String,
}

/// Has auth check the credentials in the headers. It remembers them, and here they are not: what ends there ends here.
async fn caller(state: &State, client: ClientAddr, request: &HttpRequest) -> Result<Caller, Refusal> {
    let Credentials { username, token } = Credentials::of(request).ok_or_else(Refusal::unauthorized)?;
    let credentials = WooshCredentials { username, token, network: client.network() };
    match state.auth.woosh_caller(&credentials).await {
        Ok(WooshCaller::Known(account)) => Ok(Caller { account, username: credentials.username }),
        Ok(WooshCaller::Unknown) => Err(Refusal::unauthorized()),
        Ok(WooshCaller::Limited(wait)) => {
            Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many requests").retry_after(Some(wait)))
        }
        Err(error) => Err(Refusal::of(&error)),
    }
}

/// What the routes above leave of this path.
pub(crate) fn rest(config: &mut ServiceConfig) -> &mut ServiceConfig {
    config.service(wire::rest("/messages", "DELETE, GET, HEAD, OPTIONS, POST").route(actix::head().to(show)))
}

/// What is below this path where signal_server has the rest: it ends its paths with a slash, and redirects its own
/// where that is missing.
pub(crate) fn nothing_without_slash(config: &mut ServiceConfig) -> &mut ServiceConfig {
    let is_ours = |request: &GuardContext<'_>| {
        let below = request.head().uri.path().trim_start_matches("/messages/");
        !below.ends_with('/') && !below.bytes().all(|octet| octet.is_ascii_digit())
    };
    config.service(wire::nothing_below("/messages").guard(fn_guard(is_ours)))
}

/// What is below this path, where nobody else has anything there.
pub(crate) fn nothing_below(config: &mut ServiceConfig) -> &mut ServiceConfig {
    config.service(wire::nothing_below("/messages"))
}
