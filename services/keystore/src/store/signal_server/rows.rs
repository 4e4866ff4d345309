//! Rows as they are stored.

use common::models::{AccountId, Generation, SignalServerId, UnixMillis};
use diesel::prelude::*;

use crate::store::rows::DeviceState;
use crate::store::schema::{signal_server_devices, signal_server_prekeys};

/// One life of an account's device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub(crate) struct Life {
    pub(crate) account: AccountId,
    pub(crate) generation: Generation,
}

/// A device in one of its lives.
#[derive(Clone, Insertable, Queryable)]
#[diesel(table_name = signal_server_devices)]
pub(crate) struct DeviceRow {
    pub(crate) account_id: AccountId,
    pub(crate) generation: Generation,
    pub(crate) state: DeviceState,
    pub(crate) changed_at: UnixMillis,
    pub(crate) registration_id: SignalServerId,
    pub(crate) address: String,
    pub(crate) identity_key: String,
    pub(crate) signed_key_id: SignalServerId,
    pub(crate) signed_key: String,
    pub(crate) signed_signature: String,
    pub(crate) next_position: i64,
    pub(crate) created_at: UnixMillis,
}

impl DeviceRow {
    /// Which device, in which of its lives.
    pub(crate) fn life(&self) -> Life {
        Life { account: self.account_id, generation: self.generation }
    }
}

/// A prekey that nobody has fetched.
#[derive(Debug, Clone, Insertable, Queryable)]
#[diesel(table_name = signal_server_prekeys)]
pub(crate) struct PrekeyRow {
    pub(crate) account_id: AccountId,
    pub(crate) position: i64,
    pub(crate) key_id: SignalServerId,
    pub(crate) public_key: String,
    pub(crate) key_hash: Vec<u8>,
}
