//! Messages for those devices of an account that are connected at the moment: passed on from process to process, and
//! never stored.
//!
//! The device set is checked as for any message, so that such a one tells a sender of a new device too. The answer does
//! not say who is connected: anybody may send, and nobody should be able to watch a person come and go.

use common::models::{AccountId, Base64Bytes, DeviceId, EnvelopeId, UnixMillis};
use serde::{Deserialize, Serialize};

use super::device_set;
use super::error::MailboxError;
use super::ids::MailboxId;
use super::send::{CopyReceipt, Send, SendReceipt};
use crate::app::State;
use crate::delivery::hints;
use crate::store::{blocks, sockets};

/// An envelope that is in no mailbox, as its device gets it: without a place there, and to be dropped by a client that
/// cannot use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OnlineEnvelope {
    /// Its id.
    pub(crate) guid: EnvelopeId,
    /// 1 ciphertext, 3 prekey message, 6 sealed sender, 8 plaintext error.
    #[serde(rename = "type")]
    pub(crate) kind: i32,
    /// Who sent it.
    pub(crate) source_account: AccountId,
    /// From which device.
    pub(crate) source_device: DeviceId,
    /// When the sender says it was sent.
    pub(crate) timestamp: UnixMillis,
    /// When the server got it.
    pub(crate) server_timestamp: UnixMillis,
    /// The ciphertext.
    pub(crate) content: Base64Bytes,
}

/// The answer to a send that is not stored.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OnlineReceipt {
    #[serde(flatten)]
    receipt: SendReceipt,
    /// True: the message was passed on to whoever is connected, and is kept nowhere.
    online: bool,
}

/// Passes a message on to the devices that are connected.
///
/// # Errors
/// Those of [`MailboxError`] that are about sends, but that a mailbox is full; nothing is passed on then.
pub(crate) async fn pass_on(state: &State, send: Send) -> Result<OnlineReceipt, MailboxError> {
    send.check(state.settings.max_content_bytes)?;
    let (recipient, sender) = (send.recipient, send.sender.account);
    let (open, is_blocked) = state
        .db
        .read(move |conn| {
            let is_blocked = blocks::contains(conn, recipient, sender)?;
            Ok::<_, MailboxError>((sockets::devices(conn, recipient)?, is_blocked))
        })
        .await?;
    if open.is_empty() {
        return Err(MailboxError::NotFound);
    }
    let named: Vec<_> = send.copies.iter().map(|copy| (copy.device, copy.registration)).collect();
    let own = (send.sender.account == recipient).then_some(send.sender.device);
    device_set::check(&open, &named, own)?;
    let server_timestamp = state.clock.now();
    let mut devices = Vec::with_capacity(send.copies.len());
    for copy in send.copies {
        let envelope = OnlineEnvelope {
            guid: EnvelopeId::new(),
            kind: copy.kind.number(),
            source_account: send.sender.account,
            source_device: send.sender.device,
            timestamp: send.timestamp,
            server_timestamp,
            content: copy.content,
        };
        if !is_blocked {
            hints::online(&state.live, MailboxId { account: recipient, device: copy.device }, &envelope);
        }
        devices.push(CopyReceipt { device_id: copy.device, guid: envelope.guid });
    }
    Ok(OnlineReceipt { receipt: SendReceipt { server_timestamp, devices }, online: true })
}
