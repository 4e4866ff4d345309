//! Secrets, and the signatures that are made with them (Standard Webhooks, "Signature scheme", symmetric).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::crypto::Secret;
use ring::hmac;
use serde::{Deserialize, Deserializer};

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// How many bytes a secret has (Standard Webhooks, "Secrets").
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that a receiver shares with us. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

/// Text that is no secret. Nothing of it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is whsec_ and 24 to 64 random bytes in base64")]
pub struct InvalidSecret;

impl SigningSecret {
    fn sign(&self, content: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, content)))
    }
}

impl FromStr for SigningSecret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = Secret::new(STANDARD.decode(encoded).map_err(|_| InvalidSecret)?);
        if !BYTES.contains(&bytes.expose().len()) {
            return Err(InvalidSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose())))
    }
}

impl<'de> Deserialize<'de> for SigningSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Secret::new(String::deserialize(deserializer)?);
        text.expose().parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Signs `id.timestamp.body` under each secret: the value of `webhook-signature`. While a secret is replaced, the receiver
/// finds that of the one it knows.
pub fn signatures(secrets: &[SigningSecret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut content = format!("{id}.{timestamp}.").into_bytes();
    content.extend_from_slice(body);
    let all: Vec<String> = secrets.iter().map(|secret| secret.sign(&content)).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(text: &str) -> SigningSecret {
        text.parse().unwrap()
    }

    #[test]
    fn the_vector_of_the_reference_libraries_is_signed_alike() {
        let known = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;

        let signed = signatures(&[known], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);

        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_for_itself() {
        let (old, new) =
            (secret(&format!("whsec_{}", "A".repeat(32))), secret(&format!("whsec_{}", "B".repeat(32))));
        let alone = [&old, &new].map(|one| signatures(std::slice::from_ref(one), "id", 1, b"x"));

        assert_ne!(alone[0], alone[1]);
        assert_eq!(signatures(&[old, new], "id", 1, b"x"), alone.join(" "));
    }

    #[test]
    fn secrets_have_a_form_and_are_not_shown() {
        for text in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%%"] {
            assert_eq!(text.parse::<SigningSecret>().unwrap_err(), InvalidSecret, "{text}");
        }
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        assert!(long.parse::<SigningSecret>().is_err());
        let json = serde_json::from_str::<SigningSecret>(r#""whsec_c2hvcnQ=""#).unwrap_err();
        assert!(!json.to_string().contains("c2hv"), "{json}");
        assert_eq!(format!("{:?}", secret(&format!("whsec_{}", "A".repeat(32)))), "[redacted]");
    }

    proptest! {
        #[test]
        fn another_id_time_or_body_has_another_signature(
            id in "[a-z0-9]{1,8}", time in 0..i64::MAX - 1, body: Vec<u8>,
        ) {
            let secrets = [secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
            let signed = signatures(&secrets, &id, time, &body);

            prop_assert_eq!(&signed, &signatures(&secrets, &id, time, &body));
            prop_assert_ne!(&signed, &signatures(&secrets, &format!("{id}x"), time, &body));
            prop_assert_ne!(&signed, &signatures(&secrets, &id, time + 1, &body));
            prop_assert_ne!(&signed, &signatures(&secrets, &id, time, &[&body[..], b"x"].concat()));
        }
    }
}
