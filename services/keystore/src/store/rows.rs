//! Rows as they are stored.

use std::str::FromStr;

use common::models::events::PreKeyKind;
use common::models::{
    AccountId, Base64Bytes, DeviceId, Generation, KeyId, RegistrationId, SessionId, UnixMillis,
};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;

use super::schema::{accounts, devices, last_resort_keys, one_time_keys};

/// Where a device is in its life. Only an active one is in bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(crate) enum DeviceState {
    /// Stored; its mailbox may not be open yet, its session not bound.
    Opening,
    /// In use.
    Active,
    /// Removed; its mailbox may still be open.
    Closing,
}

impl DeviceState {
    /// The word that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Active => "active",
            Self::Closing => "closing",
        }
    }
}

impl FromStr for DeviceState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        match text {
            "opening" => Ok(Self::Opening),
            "active" => Ok(Self::Active),
            "closing" => Ok(Self::Closing),
            _ => Err(UnknownState),
        }
    }
}

/// A state that this release does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown device state")]
pub(crate) struct UnknownState;

impl<DB: Backend> ToSql<Text, DB> for DeviceState
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.as_str().to_sql(out)
    }
}

impl<DB: Backend> FromSql<Text, DB> for DeviceState
where
    String: FromSql<Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(String::from_sql(raw)?.parse()?)
    }
}

/// An account that has, or had, devices.
#[derive(Insertable, Queryable)]
#[diesel(table_name = accounts)]
pub(crate) struct AccountRow {
    pub(crate) account_id: AccountId,
    pub(crate) identity_key: Option<Base64Bytes>,
    pub(crate) last_device_id: i32,
    pub(crate) removed_at: Option<UnixMillis>,
}

/// A device in one of its lives.
#[derive(Clone, Insertable, Queryable)]
#[diesel(table_name = devices)]
pub(crate) struct DeviceRow {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) generation: Generation,
    pub(crate) state: DeviceState,
    pub(crate) changed_at: UnixMillis,
    pub(crate) registration_id: RegistrationId,
    pub(crate) name: Option<String>,
    pub(crate) session_id: SessionId,
    pub(crate) signed_key_id: KeyId,
    pub(crate) signed_key: Base64Bytes,
    pub(crate) signed_signature: Base64Bytes,
    pub(crate) last_resort_served: i64,
    /// Its owner has been told that Curve25519 keys run out.
    pub(crate) ec_low: bool,
    /// The same of Kyber keys.
    pub(crate) pq_low: bool,
    pub(crate) created_at: UnixMillis,
    /// The position of the next Curve25519 key. There are no gaps before it, so that the oldest key tells how many wait.
    pub(crate) next_ec_position: i64,
    /// The same of Kyber keys.
    pub(crate) next_pq_position: i64,
    /// When the signed prekey was last replaced.
    pub(crate) signed_at: UnixMillis,
}

impl DeviceRow {
    /// Which device, in which of its lives.
    pub(crate) fn life(&self) -> Life {
        Life { account: self.account_id, device: self.device_id, generation: self.generation }
    }
}

/// What an upload changes in a device. What fetches count there is left as it is, or set to what it is then.
#[derive(AsChangeset)]
#[diesel(table_name = devices, primary_key(account_id, device_id))]
pub(crate) struct KeyChanges {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) signed_key_id: Option<KeyId>,
    pub(crate) signed_key: Option<Base64Bytes>,
    pub(crate) signed_signature: Option<Base64Bytes>,
    pub(crate) signed_at: Option<UnixMillis>,
    pub(crate) last_resort_served: Option<i64>,
    ec_low: Option<bool>,
    pq_low: Option<bool>,
    next_ec_position: i64,
    next_pq_position: i64,
}

impl KeyChanges {
    /// Nothing yet.
    pub(crate) fn none(device: &DeviceRow) -> Self {
        Self {
            account_id: device.account_id,
            device_id: device.device_id,
            signed_key_id: None,
            signed_key: None,
            signed_signature: None,
            signed_at: None,
            last_resort_served: None,
            ec_low: None,
            pq_low: None,
            next_ec_position: device.next_ec_position,
            next_pq_position: device.next_pq_position,
        }
    }

    /// There are enough keys of a kind: when they run out, the owner is to be told.
    pub(crate) fn lift(&mut self, kind: PreKeyKind) {
        match kind {
            PreKeyKind::Ec => self.ec_low = Some(false),
            PreKeyKind::Pq => self.pq_low = Some(false),
        }
    }

    /// Tells whether there are enough keys of a kind.
    pub(crate) fn lifts(&self, kind: PreKeyKind) -> bool {
        let low = match kind {
            PreKeyKind::Ec => self.ec_low,
            PreKeyKind::Pq => self.pq_low,
        };
        low == Some(false)
    }

    /// The position that the next key of a kind will have.
    pub(crate) fn next_position(&self, kind: PreKeyKind) -> i64 {
        match kind {
            PreKeyKind::Ec => self.next_ec_position,
            PreKeyKind::Pq => self.next_pq_position,
        }
    }

    /// Gives a key its position.
    pub(crate) fn take_position(&mut self, kind: PreKeyKind) -> i64 {
        let next = match kind {
            PreKeyKind::Ec => &mut self.next_ec_position,
            PreKeyKind::Pq => &mut self.next_pq_position,
        };
        let position = *next;
        *next += 1;
        position
    }
}

/// One life of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Life {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) generation: Generation,
}

/// The Kyber key that a device's fetchers get when the one-time keys have run out.
#[derive(AsChangeset, Clone, Insertable, Queryable)]
#[diesel(table_name = last_resort_keys, primary_key(account_id, device_id))]
pub(crate) struct LastResortRow {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) key_id: KeyId,
    pub(crate) public_key: Base64Bytes,
    pub(crate) signature: Base64Bytes,
}

/// A one-time key that nobody has fetched.
#[derive(Insertable, Queryable)]
#[diesel(table_name = one_time_keys, treat_none_as_default_value = false)]
pub(crate) struct OneTimeKeyRow {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) kind: String,
    pub(crate) position: i64,
    pub(crate) key_id: KeyId,
    pub(crate) public_key: Base64Bytes,
    pub(crate) signature: Option<Base64Bytes>,
    pub(crate) key_hash: Vec<u8>,
}
