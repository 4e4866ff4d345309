//! `/messages/{registration id}/`: send, read, delete, as clients of signal_server do. Errors are JSON objects of three
//! forms; see [`service::signal_server`].

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, post};
use common::models::SignalServerId;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use service::signal_server::{Access, Call, Code, Errors, Refusal, Route, Slash, answer, integer};
use utoipa_actix_web::service_config::ServiceConfig;
use web::Rule;

use crate::app::State;
use crate::domain::MailboxError;
use crate::domain::signal_server::{self as domain, Outgoing, Removal, SignalServerError};
use crate::store::signal_server::messages::MessageRow;
use crate::store::signal_server::sends::StoredRow;

/// Every path, and who may call it at all.
pub(crate) const ROUTES: &[Route] = &[Route {
    path: "/messages/{registration_id:[0-9]+}/",
    methods: "DELETE, GET, HEAD, OPTIONS, POST",
    access: Access::Caller,
    slash: Slash::Needed,
}];

/// Characters of the whole `message` string at most, by the contract.
const MAX_CHARACTERS: usize = 1000;

/// The handlers, by their paths below `/messages`.
pub(crate) fn handlers(config: &mut ServiceConfig<'_>) {
    config.service(send).service(list).service(remove);
}

/// From an error to this wire: the only table.
fn refusal(error: SignalServerError) -> Refusal {
    let code = match error {
        SignalServerError::NoDevice => Code::NoDevice,
        SignalServerError::DeviceChanged => Code::DeviceChanged,
        SignalServerError::NoRecipientDevice => Code::NoRecipientDevice,
        SignalServerError::RecipientChanged => Code::RecipientIdentityChanged,
        SignalServerError::Other(MailboxError::Full { .. }) => {
            return Refusal::detail(
                StatusCode::INSUFFICIENT_STORAGE,
                "The mailbox of the recipient is full.",
            );
        }
        SignalServerError::Other(other) => return Refusal::of(&other),
    };
    Refusal::coded(code)
}

/// A message as both ends see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    id: i64,
    sender_address: String,
    #[serde(rename = "senderRegistrationID")]
    sender_registration_id: SignalServerId,
    content: String,
    recipient_address: String,
}

impl View {
    fn sent(stored: StoredRow, content: String) -> Self {
        Self {
            id: stored.message_id,
            sender_address: stored.sender_address,
            sender_registration_id: stored.sender_registration_id,
            content,
            recipient_address: stored.recipient_address,
        }
    }

    fn waiting(row: MessageRow, recipient_address: String) -> Self {
        Self {
            id: row.message_id,
            sender_address: row.sender_address,
            sender_registration_id: row.sender_registration_id,
            content: row.content,
            recipient_address,
        }
    }
}

/// Sends a message to the device of a user. 201 means that it is on disk.
#[utoipa::path(tag = "signal_server", params(("registration_id" = i32, Path, description = "the caller's own")), responses(
    (status = 201, description = "id, senderAddress, senderRegistrationID, content, recipientAddress"),
    (status = 400, description = "`no_device` of the caller or of the recipient, `no_recipient`; `content` too long"),
    (status = 401),
    (status = 403, description = "`incorrect_arguments`, `device_changed`, `recipient_identity_changed`"),
    (status = 415), (status = 429), (status = 503),
    (status = 507, description = "the queue is full; nothing was stored"),
))]
#[post("/{registration_id:[0-9]+}/")]
pub(crate) async fn send(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::CREATED, store(&state, call).await)
}

async fn store(state: &State, call: Call) -> Result<View, Refusal> {
    let caller = call.caller()?;
    let own = call.registration_id();
    let Addressed { recipient, message, registration_id } = addressed(call.body().await?)?;
    let found = state.auth.signal_server_user(&recipient).await.map_err(|error| Refusal::of(&error))?;
    let Some(user) = found else {
        domain::check_own(state, caller.account, own).await.map_err(refusal)?;
        // Whoever tries names is counted; whoever writes to people is not.
        state.limits.take(Rule::SearchAccount, caller.account).map_err(|limited| Refusal::of(&limited))?;
        return Err(Refusal::coded(Code::NoRecipient));
    };
    let outgoing = Outgoing {
        sender: caller.account,
        sender_registration_id: own,
        recipient: user.account_id,
        recipient_registration_id: registration_id,
        content: message.clone(),
    };
    if message.chars().count() > MAX_CHARACTERS {
        // The last of the faults that a message can have.
        domain::check(state, outgoing).await.map_err(refusal)?;
        let text = format!("Ensure this field has no more than {MAX_CHARACTERS} characters.");
        return Err(Refusal::field("content", &text));
    }
    let stored = domain::send(state, outgoing).await.map_err(refusal)?;
    Ok(View::sent(stored, message))
}

/// What a body says.
struct Addressed {
    recipient: String,
    /// Trimmed, else as it was sent.
    message: String,
    /// That of the device that it is encrypted to; none for a number that no device can have.
    registration_id: Option<SignalServerId>,
}

/// Reads the body of a send: who is meant, and a text that is a JSON object itself.
fn addressed(body: Option<Value>) -> Result<Addressed, Refusal> {
    let mut fields = match body {
        Some(Value::Object(fields)) => fields,
        Some(Value::Array(items)) if !items.is_empty() => {
            return Err(Refusal::coded(Code::IncorrectArguments));
        }
        _ => return Err(Refusal::non_field("Invalid data. Expected a dictionary.")),
    };
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Refusal::coded(Code::IncorrectArguments)),
    };
    let (recipient, message) = (text("recipient")?, text("message")?);
    let registration_id = registration_id_within(&message)?;
    Ok(Addressed { recipient, message: message.trim().to_owned(), registration_id })
}

fn registration_id_within(message: &str) -> Result<Option<SignalServerId>, Refusal> {
    // The rest of it is the clients' own, however deep or large.
    let inner: HashMap<String, &RawValue> =
        serde_json::from_str(message).map_err(|_| Refusal::coded(Code::IncorrectArguments))?;
    let given = inner.get("registrationId").ok_or_else(|| Refusal::coded(Code::IncorrectArguments))?.get();
    // More digits than any device's, but no fraction.
    if given.len() > 18 && given.bytes().all(|digit| digit.is_ascii_digit()) {
        return Ok(None);
    }
    let given = serde_json::from_str(given).unwrap_or(Value::Null);
    match integer(&given) {
        Some(number) => Ok(SignalServerId::new(number).ok()),
        None if given.is_number() => {
            let mut errors = Errors::default();
            errors.add("registrationId", "A valid integer is required.");
            Err(Refusal::invalid_data(errors))
        }
        None => Err(Refusal::coded(Code::IncorrectArguments)),
    }
}

/// Shows all that waits for the caller's device, the oldest first, and leaves it where it is.
#[utoipa::path(tag = "signal_server", params(("registration_id" = i32, Path, description = "the caller's own")), responses(
    (status = 200, description = "a list of id, senderAddress, senderRegistrationID, content, recipientAddress"),
    (status = 400, description = "`no_device`"), (status = 401), (status = 403, description = "`device_changed`"),
    (status = 429), (status = 503),
))]
#[get("/{registration_id:[0-9]+}/")]
pub(crate) async fn list(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, read(&state, &call).await)
}

async fn read(state: &State, call: &Call) -> Result<Vec<View>, Refusal> {
    let caller = call.caller()?;
    let queue = domain::list(state, caller.account, call.registration_id()).await.map_err(refusal)?;
    let view = |row| View::waiting(row, queue.address.clone());
    Ok(queue.messages.into_iter().map(view).collect())
}

/// Deletes messages of the caller's device by their numbers, and tells of each what became of it.
#[utoipa::path(tag = "signal_server", params(("registration_id" = i32, Path, description = "the caller's own")), responses(
    (status = 200, description = "a list of `success`, `not_message_owner`, `non-existant_message`"),
    (status = 400, description = "`no_device`"), (status = 401),
    (status = 403, description = "`incorrect_arguments`, `device_changed`"), (status = 415), (status = 429), (status = 503),
))]
#[delete("/{registration_id:[0-9]+}/")]
pub(crate) async fn remove(state: Data<State>, call: Call) -> HttpResponse {
    answer(StatusCode::OK, take_out(&state, call).await)
}

async fn take_out(state: &State, call: Call) -> Result<Vec<&'static str>, Refusal> {
    let caller = call.caller()?;
    let own = call.registration_id();
    let ids = match call.body().await? {
        Some(Value::Array(items)) if !items.is_empty() => items.iter().map(integer).collect(),
        Some(Value::Array(_) | Value::Object(_)) | None => {
            return Err(Refusal::coded(Code::IncorrectArguments));
        }
        Some(_) => return Err(Refusal::non_field("Invalid data. Expected a list.")),
    };
    let fates = domain::remove(state, caller.account, own, ids).await.map_err(refusal)?;
    let word = |fate| match fate {
        Removal::Removed => "success",
        Removal::Foreign => "not_message_owner",
        // Spelt as in the original.
        Removal::Unknown => "non-existant_message",
    };
    Ok(fates.into_iter().map(word).collect())
}
