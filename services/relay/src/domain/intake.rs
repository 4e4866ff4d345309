//! SMS that come in: read with the sender's keys, stored, answered.
//!
//! What must hold: an answer that says yes means that the SMS is on disk; the same text of the same sender within the
//! window is one SMS, and is looked at once.

use std::sync::atomic::Ordering;

use common::crypto::Secret;
use common::models::{E164, GatewayClientId};
use service::operators::{Act, AuditTable};
use telemetry::RequestContext;

use super::sealed::Payload;
use super::writer::{Job, Stored};
use super::{MessageId, RelayError, sms_text};
use crate::app::State;
use crate::store::incoming::{self, NewIncoming};

/// An SMS as it was handed in.
pub(crate) struct Sms {
    /// Who has sent it.
    pub(crate) sender: E164,
    /// What it says, encrypted.
    pub(crate) text: String,
    /// The client that brought it; none: Twilio.
    pub(crate) client: Option<GatewayClientId>,
}

/// Takes an SMS in.
///
/// # Errors
/// [`RelayError::TooLong`], [`RelayError::Undecodable`], [`RelayError::NotTheSenders`]; [`RelayError::Full`],
/// [`RelayError::Keys`] and [`RelayError::Db`] when it is to be handed in again.
pub(crate) async fn take(state: &State, sms: Sms) -> Result<Stored, RelayError> {
    let taken = admit(state, sms).await;
    let outcome = match &taken {
        Ok(stored) => stored.as_str(),
        Err(RelayError::TooLong { .. } | RelayError::Undecodable) => "undecodable",
        Err(RelayError::NotTheSenders) => "not_the_senders",
        Err(_) => "failed",
    };
    state.metrics.incoming_total.with_label_values(&[outcome]).inc();
    if matches!(taken, Ok(Stored::New)) {
        state.wake.notify_one();
    }
    taken
}

/// Has all SMS that were given up tried again, as if they had come now; tells how many there were.
///
/// # Errors
/// [`RelayError::Db`]; what was changed by then stays so.
pub(crate) async fn revive(state: &State, act: Act) -> Result<u64, RelayError> {
    let batch = state.settings.sweep_batch;
    let begun_at = state.clock.now();
    // Before the batches, of which a later one may fail: those before it are as they were ordered.
    state.db.write(move |conn| AuditTable::ADMIN.add(conn, &act, begun_at)).await?;
    let mut revived = 0;
    loop {
        let now = state.clock.now();
        let some = state.db.write(move |conn| incoming::revive(conn, i64::from(batch), now)).await?;
        revived += some as u64;
        if some < batch as usize {
            break;
        }
    }
    state.wake.notify_one();
    Ok(revived)
}

async fn admit(state: &State, sms: Sms) -> Result<Stored, RelayError> {
    let Sms { sender, text, client } = sms;
    let (text, limit) = (text.trim(), state.settings.max_text_bytes);
    if text.len() > limit {
        return Err(RelayError::TooLong { limit });
    }
    let encrypted = sms_text::split(text).ok_or(RelayError::Undecodable)?;
    let id = state.seal.id(&sender, text);
    if is_known(state, id.clone()).await? {
        return Ok(Stored::Duplicate);
    }
    if state.waiting.load(Ordering::Relaxed) >= i64::from(state.settings.max_waiting) {
        return Err(RelayError::Full);
    }
    let keys = keys_of(state, &sender).await?;
    let read = encrypted.read(&keys, &state.settings.platforms).ok_or(RelayError::NotTheSenders)?;
    let payload = Payload::new(&sender, &read.platform, &read.message);
    let sealed = state.seal.seal(&id, &payload)?;
    let trace = RequestContext::current().map(|context| context.trace);
    let incoming = NewIncoming { message_id: id.clone(), sealed, trace };
    let stored = state.writer.store(Job { incoming, client }).await?;
    if let Some(trace) = trace {
        telemetry::follow!(trace, sms.id = %id, outcome = stored.as_str(), "an SMS has come in");
    }
    Ok(stored)
}

async fn is_known(state: &State, id: MessageId) -> Result<bool, RelayError> {
    let since = state.clock.now() - state.settings.dedupe_window;
    Ok(state.db.read(move |conn| incoming::is_known(conn, &id, since)).await?)
}

/// The keys of whoever has this number, the newest first.
async fn keys_of(state: &State, sender: &E164) -> Result<Vec<Secret<String>>, RelayError> {
    let found = state.sync.shared_keys(sender).await.map_err(RelayError::Keys)?;
    let keys = found.ok_or(RelayError::NotTheSenders)?.keys;
    Ok(keys.into_iter().map(|key| key.key).collect())
}
