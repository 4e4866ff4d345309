//! Bodies of the calls that compare what a client holds with what is stored.

use common::models::{AccountId, Base64Bytes};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::domain::consistency::HeldIdentity;

/// Octets of a fixed number, in base64.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Octets<const N: usize>(pub(crate) [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Octets<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let octets = Base64Bytes::deserialize(deserializer)?;
        let exact = octets.0.try_into().map(Self);
        exact.map_err(|_| serde::de::Error::custom(format!("expected {N} octets")))
    }
}

/// Body of a comparison of the caller's own keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KeyCheck {
    /// SHA-256 over the identity key, the id of the signed prekey (8 octets, big endian), the signed prekey, the id of the
    /// last-resort key (likewise) and the last-resort key; keys of 33, 33 and 1569 octets.
    #[schema(value_type = Base64Bytes)]
    pub(crate) digest: Octets<32>,
}

/// Body of a comparison of identities.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityCheck {
    /// What the caller holds, 1000 at most.
    pub(crate) elements: Vec<IdentityFingerprint>,
}

/// An identity that the caller holds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityFingerprint {
    /// Whose it is.
    pub(crate) account_id: AccountId,
    /// The first 4 octets of SHA-256 over the identity key.
    #[schema(value_type = Base64Bytes)]
    pub(crate) fingerprint: Octets<4>,
}

impl From<IdentityCheck> for Vec<HeldIdentity> {
    fn from(body: IdentityCheck) -> Self {
        let held = |element: IdentityFingerprint| HeldIdentity {
            account: element.account_id,
            fingerprint: element.fingerprint.0,
        };
        body.elements.into_iter().map(held).collect()
    }
}

/// Identities that are others than the caller holds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedIdentities {
    /// One for each; what is not here has not changed, or has no identity at present.
    pub(crate) elements: Vec<ChangedIdentity>,
}

/// An identity as it is now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedIdentity {
    /// Whose it is.
    pub(crate) account_id: AccountId,
    /// The identity key, 33 octets.
    pub(crate) identity_key: Base64Bytes,
}

impl From<Vec<(AccountId, Base64Bytes)>> for ChangedIdentities {
    fn from(changed: Vec<(AccountId, Base64Bytes)>) -> Self {
        let element = |(account_id, identity_key)| ChangedIdentity { account_id, identity_key };
        Self { elements: changed.into_iter().map(element).collect() }
    }
}
