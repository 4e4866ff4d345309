//! What sending to one account and to many have in common.

use actix_web::HttpRequest;
use common::models::{AccountId, UnixMillis};
use telemetry::RequestContext;
use web::{DeviceCaller, Failure};

use super::bodies::{OutgoingEnvelope, SendAnswer};
use crate::app::State;
use crate::domain::{Copy, EnvelopeKind, Fate, MailboxError, MailboxId, Send, online, send};

/// Bytes of the body of a send: a few contents of the largest size.
pub(super) const SEND_LIMIT: usize = 4 * 1024 * 1024;

/// The last millisecond that ECMAScript's dates have.
const MAX_TIMESTAMP: i64 = 8_640_000_000_000_000;

/// Longest idempotency key.
const MAX_KEY: usize = 128;

/// What is the same for all recipients.
pub(super) struct Terms {
    sender: MailboxId,
    online: bool,
    urgent: bool,
    timestamp: UnixMillis,
}

impl Terms {
    pub(super) fn read(
        caller: DeviceCaller,
        online: bool,
        urgent: bool,
        timestamp: i64,
    ) -> Result<Self, Failure> {
        if !(0..=MAX_TIMESTAMP).contains(&timestamp) {
            return Err(Failure::invalid("/timestamp", format!("expected 0 to {MAX_TIMESTAMP}")));
        }
        Ok(Self { sender: own_mailbox(caller), online, urgent, timestamp: UnixMillis(timestamp) })
    }

    fn send(&self, recipient: AccountId, envelopes: Vec<OutgoingEnvelope>) -> Result<Send, MailboxError> {
        Ok(Send {
            sender: self.sender,
            recipient,
            copies: envelopes.into_iter().map(copy).collect::<Result<_, _>>()?,
            timestamp: self.timestamp,
            urgent: self.urgent,
            key: None,
            trace: RequestContext::current().map(|context| context.trace),
        })
    }
}

fn copy(envelope: OutgoingEnvelope) -> Result<Copy, MailboxError> {
    let number = envelope.kind;
    Ok(Copy {
        device: envelope.destination_device_id,
        registration: envelope.destination_registration_id,
        kind: EnvelopeKind::from_number(number).ok_or(MailboxError::KindRefused { number })?,
        content: envelope.content,
    })
}

/// A send that is done.
pub(super) struct Done {
    pub(super) answer: SendAnswer,
    /// The same request was stored before; nothing was stored now.
    pub(super) replayed: bool,
}

/// Sends to one account, and counts what came of it. Of a message that is not stored the key is not used.
pub(super) async fn carry_out(
    state: &State,
    terms: &Terms,
    recipient: AccountId,
    envelopes: Vec<OutgoingEnvelope>,
    key: Option<String>,
) -> Result<Done, MailboxError> {
    let count = |outcome: &str| state.metrics.sends_total.with_label_values(&[outcome]).inc();
    let sent = async {
        let sending = terms.send(recipient, envelopes)?;
        if terms.online {
            let receipt = online::pass_on(state, sending).await?;
            return Ok((Done { answer: SendAnswer::Online(receipt), replayed: false }, "online"));
        }
        let sending = match key {
            Some(key) => sending.with_key(key),
            None => sending,
        };
        let sent = send(state, sending).await?;
        let replayed = sent.fate == Fate::Replayed;
        Ok((Done { answer: SendAnswer::Stored(sent.receipt), replayed }, sent.fate.as_str()))
    };
    match sent.await {
        Ok((done, outcome)) => {
            count(outcome);
            if let Some(context) = RequestContext::current() {
                telemetry::follow!(context.trace, outcome, "a message was sent");
            }
            Ok(done)
        }
        Err(error) => {
            count(MailboxError::outcome(&error));
            Err(error)
        }
    }
}

/// Reads the header `Idempotency-Key`.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Failure> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    let fits = (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|octet| octet.is_ascii_graphic());
    if !fits || values.next().is_some() {
        let rule = format!("expected one key of 1 to {MAX_KEY} visible ASCII characters");
        return Err(Failure::invalid("Idempotency-Key", rule));
    }
    Ok(Some(key.to_owned()))
}

/// The mailbox of the caller's device.
pub(super) fn own_mailbox(caller: DeviceCaller) -> MailboxId {
    MailboxId { account: caller.caller.account, device: caller.device }
}
