//! Fetching and acking.

use common::models::{AccountId, Base64Bytes, DeviceId, EnvelopeId, UnixMillis};
use serde::Serialize;

use super::batch::Job;
use super::error::MailboxError;
use super::ids::MailboxId;
use crate::app::State;
use crate::store::envelopes::{self, PageRequest};
use crate::store::rows::{EnvelopeKey, EnvelopeRow, HolderRow};
use crate::store::sockets;

/// An encrypted message, as its device gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope {
    /// Its id; the same each time it comes.
    pub(crate) guid: EnvelopeId,
    /// Its place in the mailbox: 1, 2, 3, ...
    pub(crate) seq: i64,
    /// 1 ciphertext, 3 prekey message, 6 sealed sender, 8 plaintext error.
    #[serde(rename = "type")]
    pub(crate) kind: i32,
    /// Who sent it.
    pub(crate) source_account: AccountId,
    /// From which device.
    pub(crate) source_device: DeviceId,
    /// When the sender says it was sent.
    pub(crate) timestamp: UnixMillis,
    /// When the server stored it.
    pub(crate) server_timestamp: UnixMillis,
    /// The ciphertext.
    pub(crate) content: Base64Bytes,
    /// Whether the sender wants its recipient to be woken for it.
    pub(crate) urgent: bool,
}

impl From<EnvelopeRow> for Envelope {
    fn from(row: EnvelopeRow) -> Self {
        Self {
            guid: row.guid,
            seq: row.seq,
            kind: row.kind,
            source_account: row.source_account,
            source_device: row.source_device,
            timestamp: row.client_timestamp,
            server_timestamp: row.server_timestamp,
            content: Base64Bytes(row.content),
            urgent: row.urgent,
        }
    }
}

/// A part of a mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// The life of the device whose envelopes these are, and who has its socket.
    pub(crate) holder: HolderRow,
    /// In order, without gaps but for what is gone.
    pub(crate) envelopes: Vec<Envelope>,
    /// More follow.
    pub(crate) more: bool,
}

/// Reads a page.
///
/// # Errors
/// [`MailboxError::NotFound`], those of the database.
pub(crate) async fn page(state: &State, id: MailboxId, request: PageRequest) -> Result<Page, MailboxError> {
    let (holder, (rows, more)) = state
        .db
        .read(move |conn| {
            let holder = sockets::holder(conn, id)?.ok_or(MailboxError::NotFound)?;
            Ok::<_, MailboxError>((holder, envelopes::page(conn, id, request)?))
        })
        .await?;
    let envelopes = rows.into_iter().map(Envelope::from).collect();
    Ok(Page { holder, envelopes, more })
}

/// What a device has stored on its side.
#[derive(Debug, Clone)]
pub(crate) enum Ack {
    /// Everything up to a `seq`.
    Through(i64),
    /// Single envelopes, by their ids; unknown ones are passed over.
    Guids(Vec<EnvelopeId>),
    /// Single envelopes that this process has handed out.
    Delivered(Vec<EnvelopeKey>),
}

/// Removes what a device has acked. The same ack again changes nothing.
///
/// # Errors
/// [`MailboxError::NotFound`], [`MailboxError::AckBeyondLast`], those of the database.
pub(crate) async fn ack(state: &State, id: MailboxId, ack: Ack) -> Result<(), MailboxError> {
    let job = match ack {
        Ack::Through(seq) => Job::AckThrough(id, seq),
        Ack::Delivered(keys) => Job::Remove(keys),
        Ack::Guids(guids) => {
            let found = state
                .db
                .read(move |conn| {
                    sockets::holder(conn, id)?.ok_or(MailboxError::NotFound)?;
                    Ok::<_, MailboxError>(envelopes::locate(conn, id, &guids)?)
                })
                .await?;
            Job::Remove(found)
        }
    };
    let removed = state.writer.remove(job).await?;
    state.metrics.envelopes_acked_total.inc_by(removed);
    Ok(())
}
