//! Keys as clients send them, and what makes two of them the same.

use common::crypto::keys::check_ec;
use common::crypto::xeddsa;
use common::models::{Base64Bytes, Generation, SignalServerId};
use diesel::Queryable;
use ring::digest::{Context, SHA256};

/// Characters of a public key: base64 of 33 octets.
pub(crate) const KEY_CHARACTERS: usize = 44;

/// Characters of a signature: base64 of 64 octets.
pub(crate) const SIGNATURE_CHARACTERS: usize = 88;

/// A one-time prekey.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub(crate) struct Prekey {
    /// Chosen by the owner.
    pub(crate) key_id: SignalServerId,
    /// As it was sent.
    pub(crate) public_key: String,
}

/// The prekey that the identity has signed.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub(crate) struct SignedPrekey {
    /// Chosen by the owner.
    pub(crate) key_id: SignalServerId,
    /// As it was sent.
    pub(crate) public_key: String,
    /// As it was sent.
    pub(crate) signature: String,
}

/// What is asked of keys: that they are keys, or that they are as long as keys (`compat.signal_server.strict_keys`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyRules {
    /// Keys and signatures are verified; a key is the same whatever its id, for the life of the account.
    Strict,
    /// Anything of the right length goes, so a key is the same only with its id, and in one life of the device.
    Lenient,
}

impl KeyRules {
    /// Reads the setting.
    pub(crate) fn of(strict: bool) -> Self {
        if strict { Self::Strict } else { Self::Lenient }
    }

    /// Tells whether a text, which has the length of a key, is one.
    pub(crate) fn accept_key(self, text: &str) -> bool {
        self == Self::Lenient || Base64Bytes::parse(text).is_ok_and(|key| check_ec(&key.0).is_ok())
    }

    /// Tells whether a prekey was signed by the identity; both are keys.
    pub(crate) fn accept_signature(self, identity: &str, key: &SignedPrekey) -> bool {
        let octets = [identity, &key.public_key, &key.signature].map(Base64Bytes::parse);
        match octets {
            _ if self == Self::Lenient => true,
            [Ok(identity), Ok(public_key), Ok(signature)] => {
                xeddsa::verify(&identity.0, &public_key.0, &signature.0).is_ok()
            }
            _ => false,
        }
    }

    /// What must not be given out twice.
    pub(super) fn hash(self, generation: Generation, key: &Prekey) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        match self {
            // Both alphabets spell the same key.
            Self::Strict => match Base64Bytes::parse(&key.public_key) {
                Ok(octets) => context.update(&octets.0),
                Err(_) => context.update(key.public_key.as_bytes()),
            },
            Self::Lenient => {
                context.update(&generation.to_bytes());
                context.update(&key.key_id.as_i32().to_be_bytes());
                context.update(key.public_key.as_bytes());
            }
        }
        context.finish().as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use testkit::signal::Identity;

    use super::*;

    fn signed(identity: &Identity) -> SignedPrekey {
        let key = identity.signed_pre_key(7);
        SignedPrekey {
            key_id: SignalServerId::new(7).unwrap(),
            public_key: key.public_key.to_string(),
            signature: key.signature.to_string(),
        }
    }

    #[test]
    fn strict_rules_take_real_keys_signed_by_their_identity_only() {
        let (identity, other) = (Identity::new(), Identity::new());
        let (own, foreign) = (identity.public_key().to_string(), other.public_key().to_string());
        let key = signed(&identity);

        assert_eq!((key.public_key.len(), key.signature.len()), (KEY_CHARACTERS, SIGNATURE_CHARACTERS));
        assert!(KeyRules::Strict.accept_key(&own) && KeyRules::Strict.accept_signature(&own, &key));
        assert!(!KeyRules::Strict.accept_signature(&foreign, &key));
        for text in ["abcd".repeat(11), "!".repeat(44), own.replacen('B', "C", 1)] {
            assert!(!KeyRules::Strict.accept_key(&text) && KeyRules::Lenient.accept_key(&text), "{text}");
        }
        assert!(KeyRules::Lenient.accept_signature(&foreign, &key));
    }

    #[test]
    fn strictly_a_key_is_the_same_under_any_id_and_in_any_life() {
        let key = |id: i64, text: &str| Prekey {
            key_id: SignalServerId::new(id).unwrap(),
            public_key: text.to_owned(),
        };
        let (first, second) = (Generation::new(), Generation::new());
        let of = |rules: KeyRules, generation, id, text| rules.hash(generation, &key(id, text));

        let strict = of(KeyRules::Strict, first, 1, "+/+/");
        assert_eq!(strict, of(KeyRules::Strict, second, 2, "-_-_"));
        assert_ne!(strict, of(KeyRules::Strict, first, 1, "+/+A"));
        let lenient = of(KeyRules::Lenient, first, 1, "+/+/");
        assert_eq!(lenient, of(KeyRules::Lenient, first, 1, "+/+/"));
        for other in [of(KeyRules::Lenient, second, 1, "+/+/"), of(KeyRules::Lenient, first, 2, "+/+/")] {
            assert_ne!(lenient, other);
        }
    }
}
