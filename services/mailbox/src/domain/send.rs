//! Sending to all devices of an account.

use std::sync::Arc;

use common::models::{AccountId, Base64Bytes, DeviceId, EnvelopeId, RegistrationId, UnixMillis};
use db::DbError;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use telemetry::TraceContext;

use super::error::MailboxError;
use super::ids::{EnvelopeKind, MailboxId};
use crate::app::State;
use crate::delivery::hints;

/// One send.
#[derive(Debug)]
pub(crate) struct Send {
    pub(crate) sender: MailboxId,
    pub(crate) recipient: AccountId,
    /// One for each device of the recipient.
    pub(crate) copies: Vec<Copy>,
    /// When the sender says it was sent.
    pub(crate) timestamp: UnixMillis,
    pub(crate) urgent: bool,
    pub(crate) key: Option<IdempotencyKey>,
    /// Of the request, for what is told because of it.
    pub(crate) trace: Option<TraceContext>,
}

/// What one device gets.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) device: DeviceId,
    pub(crate) registration: RegistrationId,
    pub(crate) kind: EnvelopeKind,
    pub(crate) content: Base64Bytes,
}

/// The sender's name for a request, and what tells the request from another.
#[derive(Debug)]
pub(crate) struct IdempotencyKey {
    pub(crate) text: String,
    hash: Vec<u8>,
}

impl IdempotencyKey {
    /// The hash of the request that the key stands for.
    pub(crate) fn hash(&self) -> &[u8] {
        &self.hash
    }
}

impl Send {
    /// Names the request.
    #[must_use]
    pub(crate) fn with_key(mut self, text: String) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&self.recipient.to_bytes());
        context.update(&self.timestamp.as_i64().to_be_bytes());
        context.update(&[u8::from(self.urgent)]);
        for copy in &self.copies {
            for number in [copy.device.as_i32(), copy.registration.as_i32(), copy.kind.number()] {
                context.update(&number.to_be_bytes());
            }
            // Lengths keep two contents from being read as another two.
            context.update(&copy.content.as_slice().len().to_be_bytes());
            context.update(copy.content.as_slice());
        }
        self.key = Some(IdempotencyKey { text, hash: context.finish().as_ref().to_vec() });
        self
    }

    /// Tells whether a copy is for the device that sends.
    pub(super) fn names_sender(&self) -> bool {
        self.is_to_own() && self.copies.iter().any(|copy| copy.device == self.sender.device)
    }

    /// How many devices the recipient must have for them: the one that sends needs none.
    pub(crate) fn devices_expected(&self) -> i32 {
        let copies = i32::try_from(self.copies.len()).unwrap_or(i32::MAX);
        copies.saturating_add(i32::from(self.is_to_own()))
    }

    /// Tells whether it goes to the other devices of its sender.
    pub(super) fn is_to_own(&self) -> bool {
        self.sender.account == self.recipient
    }

    /// Checks what needs no look at the recipient.
    pub(super) fn check(&self, limit: usize) -> Result<(), MailboxError> {
        for (place, copy) in self.copies.iter().enumerate() {
            let device = copy.device;
            if self.copies.iter().take(place).any(|other| other.device == device) {
                return Err(MailboxError::DuplicateDevice { device });
            }
            if copy.content.as_slice().is_empty() {
                return Err(MailboxError::EmptyContent { device });
            }
            if copy.content.as_slice().len() > limit {
                return Err(MailboxError::ContentTooLarge { device, limit });
            }
        }
        Ok(())
    }
}

/// The answer to a send: every copy is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendReceipt {
    /// When the server stored it.
    pub(crate) server_timestamp: UnixMillis,
    /// What each device gets.
    pub(crate) devices: Vec<CopyReceipt>,
}

impl SendReceipt {
    /// Promises each device an envelope.
    pub(super) fn new(send: &Send, now: UnixMillis) -> Self {
        let promise = |copy: &Copy| CopyReceipt { device_id: copy.device, guid: EnvelopeId::new() };
        Self { server_timestamp: now, devices: send.copies.iter().map(promise).collect() }
    }

    /// The answer as it is kept under an idempotency key.
    pub(super) fn to_json(&self) -> Result<String, DbError> {
        serde_json::to_string(self).map_err(DbError::other)
    }
}

/// What one device gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopyReceipt {
    /// The device.
    pub(crate) device_id: DeviceId,
    /// The id of its envelope.
    pub(crate) guid: EnvelopeId,
}

/// A send that is done.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) receipt: SendReceipt,
    /// What became of it.
    pub(crate) fate: Fate,
}

/// What became of a send that is answered with 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Every copy is on disk.
    Stored {
        /// An event of it waits for publication.
        is_told: bool,
    },
    /// The same request was answered before; nothing was stored now.
    Replayed,
    /// The recipient blocks the sender, who is not to know; nothing was stored.
    Blocked,
}

impl Fate {
    /// Its name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stored { .. } => "stored",
            Self::Replayed => "replayed",
            Self::Blocked => "blocked",
        }
    }
}

/// Stores one envelope for each device, then tells whoever is connected.
///
/// # Errors
/// Those of [`MailboxError`] that are about sends; none of the copies is stored then, unless it is
/// [`DbError::CommitUnknown`](db::DbError::CommitUnknown).
pub(crate) async fn send(state: &State, send: Send) -> Result<Sent, MailboxError> {
    send.check(state.settings.max_content_bytes)?;
    let devices: Vec<MailboxId> =
        send.copies.iter().map(|copy| MailboxId { account: send.recipient, device: copy.device }).collect();
    let state = state.clone();
    // A task of its own: a sender that hangs up must not keep a stored envelope from being told of.
    let storing = tokio::spawn(async move {
        let stored = state.writer.send(Arc::new(send)).await;
        let (is_new, is_told) = match &stored {
            Ok(Sent { receipt, fate: Fate::Stored { is_told } }) => {
                state.metrics.envelopes_stored_total.inc_by(receipt.devices.len() as u64);
                (true, *is_told)
            }
            Ok(Sent { fate: Fate::Replayed | Fate::Blocked, .. }) => (false, false),
            // Perhaps it was stored all the same; and of a full mailbox its owner is told.
            Err(_) => (true, true),
        };
        if is_new {
            devices.into_iter().for_each(|device| hints::stored(&state.live, device));
        }
        if is_told {
            state.relay.wake();
        }
        stored
    });
    match storing.await {
        Ok(stored) => stored,
        Err(error) => Err(DbError::other(error).into()),
    }
}
