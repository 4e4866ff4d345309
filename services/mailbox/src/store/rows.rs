//! Rows as they are read and written.

use common::models::{AccountId, DeviceId, EnvelopeId, Generation, RegistrationId, UnixMillis};
use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;

use super::schema::{envelopes, mailboxes};
use crate::domain::MailboxId;

/// A mailbox, as it is locked for sends and acks.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = mailboxes)]
pub(crate) struct MailboxRow {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) generation: Generation,
    pub(crate) registration_id: RegistrationId,
    pub(crate) next_seq: i64,
    pub(crate) envelope_count: i64,
    pub(crate) byte_count: i64,
    pub(crate) full_told: bool,
    pub(crate) urgent_waits: bool,
    pub(crate) has_blocks: bool,
    /// The process that has its device's websocket.
    pub(crate) socket_process: Option<String>,
}

/// The columns of [`MailboxRow`].
pub(crate) type MailboxColumns = SqlTypeOf<<MailboxRow as Selectable<Pg>>::SelectExpression>;

impl MailboxRow {
    pub(crate) fn id(&self) -> MailboxId {
        MailboxId { account: self.account_id, device: self.device_id }
    }
}

/// A mailbox, as far as its device's websocket is concerned.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = mailboxes)]
pub(crate) struct SocketRow {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) generation: Generation,
    pub(crate) next_seq: i64,
    pub(crate) envelope_count: i64,
    pub(crate) urgent_waits: bool,
    pub(crate) socket_claim: i64,
    pub(crate) socket_process: Option<String>,
    /// How many prekeys of each kind its device has; `None` while there are enough.
    pub(crate) ec_keys_left: Option<i32>,
    pub(crate) pq_keys_left: Option<i32>,
}

impl SocketRow {
    pub(crate) fn id(&self) -> MailboxId {
        MailboxId { account: self.account_id, device: self.device_id }
    }
}

/// Whose a mailbox is, and who has its socket.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = mailboxes)]
pub(crate) struct HolderRow {
    pub(crate) generation: Generation,
    pub(crate) socket_claim: i64,
    pub(crate) socket_process: Option<String>,
}

/// An envelope on its way out.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = envelopes)]
pub(crate) struct EnvelopeRow {
    pub(crate) seq: i64,
    pub(crate) guid: EnvelopeId,
    pub(crate) kind: i32,
    pub(crate) source_account: AccountId,
    pub(crate) source_device: DeviceId,
    pub(crate) client_timestamp: UnixMillis,
    pub(crate) server_timestamp: UnixMillis,
    pub(crate) content: Vec<u8>,
    pub(crate) urgent: bool,
}

/// An envelope on its way in.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = envelopes)]
pub(crate) struct NewEnvelope<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) seq: i64,
    pub(crate) guid: EnvelopeId,
    pub(crate) kind: i32,
    pub(crate) source_account: AccountId,
    pub(crate) source_device: DeviceId,
    pub(crate) client_timestamp: UnixMillis,
    pub(crate) server_timestamp: UnixMillis,
    pub(crate) content: &'a [u8],
    pub(crate) content_bytes: i32,
    pub(crate) urgent: bool,
    pub(crate) expires_at: UnixMillis,
}

/// Names one envelope; the id too, as a later life of the device counts its `seq` anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EnvelopeKey {
    pub(crate) mailbox: MailboxId,
    pub(crate) seq: i64,
    pub(crate) guid: EnvelopeId,
}

/// An envelope that was removed: whose, and how many bytes it had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RemovedRow {
    pub(crate) mailbox: MailboxId,
    pub(crate) bytes: i64,
}
