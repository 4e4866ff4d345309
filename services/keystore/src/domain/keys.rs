//! Keys as owners upload them, and the checks that each must pass before anything is stored.

use std::collections::HashSet;

use common::crypto::keys::{check_ec, check_kyber};
use common::crypto::xeddsa;
use common::models::{Base64Bytes, KeyId};
use diesel::Queryable;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::KeystoreError;

/// One-time keys of a kind in one request at most.
const MAX_IN_REQUEST: usize = 100;

/// A Curve25519 one-time prekey.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PreKey {
    /// Chosen by the owner.
    pub(crate) key_id: KeyId,
    /// 33 octets: 0x05 and the u-coordinate.
    pub(crate) public_key: Base64Bytes,
}

/// A prekey that the identity has signed: Curve25519 (33 octets, 0x05) or Kyber-1024 (1569 octets, 0x08).
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignedPreKey {
    /// Chosen by the owner.
    pub(crate) key_id: KeyId,
    /// The serialized key.
    pub(crate) public_key: Base64Bytes,
    /// 64 octets: XEdDSA over the serialized key, its prefix included.
    pub(crate) signature: Base64Bytes,
}

/// What becomes of the one-time keys that wait when others of their kind are uploaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UploadMode {
    /// They are given first.
    #[default]
    Append,
    /// They are dropped.
    Replace,
}

/// What an owner uploads; each part may be missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Upload {
    pub(crate) mode: UploadMode,
    pub(crate) pre_keys: Vec<PreKey>,
    pub(crate) signed_pre_key: Option<SignedPreKey>,
    pub(crate) pq_pre_keys: Vec<SignedPreKey>,
    pub(crate) pq_last_resort: Option<SignedPreKey>,
}

/// Which key of a request is meant, by the name of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Identity,
    PreKey,
    SignedPreKey,
    PqPreKey,
    PqLastResort,
}

impl KeyKind {
    /// The word that is shown.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identityKey",
            Self::PreKey => "preKey",
            Self::SignedPreKey => "signedPreKey",
            Self::PqPreKey => "pqPreKey",
            Self::PqLastResort => "pqLastResortPreKey",
        }
    }
}

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFaultReason {
    /// Not a key of its kind.
    Form,
    /// Not signed by the identity.
    Signature,
    /// The same id or the same key twice in one request.
    Duplicate,
    /// More of its kind than a request may carry.
    Many,
}

impl KeyFaultReason {
    /// The case, as problems name it.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Form => "bad-key",
            Self::Signature => "bad-signature",
            Self::Duplicate => "duplicate-keys",
            Self::Many => "too-many-keys",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Form => "is not a public key of its kind",
            Self::Signature => "is not signed by the identity key",
            Self::Duplicate => "is twice in the request",
            Self::Many => "is one too many: a request carries 100 of a kind",
        }
    }
}

/// The first key of a request that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} {}", .kind.as_str(), .reason.text())]
pub(crate) struct KeyFault {
    pub(crate) reason: KeyFaultReason,
    pub(crate) kind: KeyKind,
    pub(crate) key_id: Option<KeyId>,
}

/// Checks all keys of an upload, on a thread that may take its time: 100 signatures need about 10 ms.
///
/// # Errors
/// [`KeystoreError::Key`] names the first key that fails.
pub(crate) async fn check(identity: Base64Bytes, upload: Upload) -> Result<Upload, KeystoreError> {
    let checked = tokio::task::spawn_blocking(move || judge(&identity, &upload).map(|()| upload)).await;
    Ok(checked.map_err(|error| KeystoreError::Internal(Box::new(error)))??)
}

/// Cheap checks first, so that nobody makes us verify what cannot be stored anyway.
fn judge(identity: &Base64Bytes, upload: &Upload) -> Result<(), KeyFault> {
    use KeyFaultReason::{Form, Many, Signature};
    use KeyKind::{Identity, PqLastResort, PqPreKey, PreKey, SignedPreKey};

    let fault = |reason, kind, key_id| KeyFault { reason, kind, key_id };
    let Upload { mode: _, pre_keys, signed_pre_key, pq_pre_keys, pq_last_resort } = upload;
    check_ec(&identity.0).map_err(|_| fault(Form, Identity, None))?;
    if let Some(key) = pre_keys.get(MAX_IN_REQUEST) {
        return Err(fault(Many, PreKey, Some(key.key_id)));
    }
    if let Some(key) = pq_pre_keys.get(MAX_IN_REQUEST) {
        return Err(fault(Many, PqPreKey, Some(key.key_id)));
    }
    distinct(PreKey, pre_keys.iter().map(|key| (key.key_id, &key.public_key)))?;
    // A client keeps Kyber keys of both sorts in one place, by id.
    let kyber = pq_pre_keys.iter().chain(pq_last_resort);
    distinct(PqPreKey, kyber.map(|key| (key.key_id, &key.public_key)))?;
    for key in pre_keys {
        check_ec(&key.public_key.0).map_err(|_| fault(Form, PreKey, Some(key.key_id)))?;
    }
    if let Some(key) = signed_pre_key {
        check_ec(&key.public_key.0).map_err(|_| fault(Form, SignedPreKey, Some(key.key_id)))?;
    }
    let last_resort = pq_last_resort.iter().map(|key| (PqLastResort, key));
    let kyber = || pq_pre_keys.iter().map(|key| (PqPreKey, key)).chain(last_resort.clone());
    for (kind, key) in kyber() {
        check_kyber(&key.public_key.0).map_err(|_| fault(Form, kind, Some(key.key_id)))?;
    }
    for (kind, key) in signed_pre_key.iter().map(|key| (SignedPreKey, key)).chain(kyber()) {
        xeddsa::verify(&identity.0, &key.public_key.0, &key.signature.0)
            .map_err(|_| fault(Signature, kind, Some(key.key_id)))?;
    }
    Ok(())
}

fn distinct<'a>(kind: KeyKind, keys: impl Iterator<Item = (KeyId, &'a Base64Bytes)>) -> Result<(), KeyFault> {
    let (mut ids, mut seen) = (HashSet::new(), HashSet::new());
    for (key_id, key) in keys {
        if !ids.insert(key_id) || !seen.insert(key) {
            return Err(KeyFault { reason: KeyFaultReason::Duplicate, kind, key_id: Some(key_id) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use common::crypto::keys::{EC_LEN, KYBER_LEN};
    use serde_json::Value;
    use testkit::signal::{self, Identity};

    use super::*;

    fn key(key_id: i64, public_key: Base64Bytes, signature: Base64Bytes) -> SignedPreKey {
        SignedPreKey { key_id: KeyId::new(key_id).unwrap(), public_key, signature }
    }

    fn made(key: signal::SignedPreKey) -> SignedPreKey {
        self::key(key.key_id, key.public_key, key.signature)
    }

    /// The keys among what libsignal-client has signed, each as the only key of an upload.
    fn uploads_of_the_real_client() -> Vec<(Base64Bytes, Upload)> {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../../../crates/common/tests/vectors/xeddsa.json"))
                .unwrap();
        let upload = |vector: &Value| {
            let octets = |field: &str| Base64Bytes(hex::decode(vector[field].as_str().unwrap()).unwrap());
            let key = key(7, octets("message"), octets("signature"));
            let upload = match key.public_key.0.len() {
                EC_LEN => Upload { signed_pre_key: Some(key), ..Upload::default() },
                KYBER_LEN => Upload { pq_pre_keys: vec![key], ..Upload::default() },
                _ => return None,
            };
            Some((octets("publicKey"), upload))
        };
        vectors.iter().filter_map(upload).collect()
    }

    #[test]
    fn keys_of_the_real_client_are_accepted_and_only_for_their_identity() {
        let all = uploads_of_the_real_client();
        assert!(all.iter().filter(|(_, upload)| upload.signed_pre_key.is_some()).count() >= 4);
        assert!(all.iter().filter(|(_, upload)| !upload.pq_pre_keys.is_empty()).count() >= 4);

        for ((identity, upload), (other, _)) in all.iter().zip(all.iter().cycle().skip(1)) {
            assert_eq!(judge(identity, upload), Ok(()));
            let refused = judge(other, upload).unwrap_err();
            assert_eq!((refused.reason, refused.key_id), (KeyFaultReason::Signature, KeyId::new(7).ok()));
        }
    }

    #[test]
    fn a_signature_covers_the_prefix_and_every_octet_of_the_key() {
        let identity = Identity::new();
        let good = made(identity.kyber_pre_key(1));
        for place in [1, 800, KYBER_LEN - 1] {
            let mut bad = good.clone();
            bad.public_key.0[place] ^= 1;

            let upload = Upload { pq_last_resort: Some(bad), ..Upload::default() };

            let fault = judge(&identity.public_key(), &upload).unwrap_err();
            assert_eq!((fault.reason, fault.kind), (KeyFaultReason::Signature, KeyKind::PqLastResort));
        }
        let upload = Upload { pq_last_resort: Some(good), ..Upload::default() };
        assert_eq!(judge(&identity.public_key(), &upload), Ok(()));
    }
}
