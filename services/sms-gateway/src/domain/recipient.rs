//! Recipients as tables know them: keyed hashes, which tell that two numbers are the same and nothing else.

use common::crypto::Secret;
use ring::hmac;

/// Keeps these hashes apart from whatever else the same secret makes.
const PURPOSE: &[u8] = b"sealpost sms-gateway recipients 1";
/// Octets of a hash.
const LENGTH: usize = 16;

/// Makes the hashes. All instances have the same key; after it has changed, what was stored before matches nothing.
#[derive(Clone)]
pub(crate) struct RecipientKey(hmac::Key);

impl RecipientKey {
    /// Derives the key from a secret that all instances share.
    pub(crate) fn derive(secret: &Secret<String>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, PURPOSE).as_ref()))
    }

    /// Hashes a number in whatever form an SMSC writes it: with or without `+`, zeros or blanks before the digits.
    /// `None` for what is no number.
    pub(crate) fn hash(&self, number: &str) -> Option<String> {
        let digits = number.trim().trim_start_matches('+').trim_start_matches('0');
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let tag = hmac::sign(&self.0, digits.as_bytes());
        tag.as_ref().first_chunk::<LENGTH>().map(hex::encode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_number_has_one_hash_under_one_key() {
        let key = RecipientKey::derive(&"a secret".to_owned().into());
        let other = RecipientKey::derive(&"another secret".to_owned().into());
        let hash = key.hash("+255123456789");

        assert_eq!(hash.as_deref().map(str::len), Some(2 * LENGTH));
        for form in ["255123456789", "00255123456789", " 255123456789"] {
            assert_eq!(key.hash(form), hash, "{form}");
        }
        assert_ne!(key.hash("+255123456788"), hash);
        assert_ne!(other.hash("+255123456789"), hash);
    }

    #[test]
    fn what_is_no_number_has_none() {
        let key = RecipientKey::derive(&"a secret".to_owned().into());

        for text in ["", "+", "000", "CLINIC", "25512x"] {
            assert_eq!(key.hash(text), None, "{text:?}");
        }
    }
}
