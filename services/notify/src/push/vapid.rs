//! Who sends a push: the key of this server towards push services (VAPID, RFC 8292).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::crypto::Secret;
use common::models::UnixMillis;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint, PointConversionForm};
use openssl::nid::Nid;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde::Serialize;
use url::Url;

/// How long a token is valid; 24 hours at most (RFC 8292 §2).
const LIFE: Duration = Duration::from_secs(12 * 3600);

/// The header of each token.
const HEADER: &str = r#"{"typ":"JWT","alg":"ES256"}"#;

/// Text that is no private key of P-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a private key of P-256: 32 bytes in base64url")]
pub(crate) struct InvalidVapidKey;

/// The key. No `Debug`.
pub(crate) struct VapidKey {
    pair: EcdsaKeyPair,
    /// The point, uncompressed, in base64url: what browsers take as `applicationServerKey`.
    public: String,
    random: SystemRandom,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: String,
    exp: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    sub: &'a str,
}

impl VapidKey {
    /// Takes the 32 octets of a private key in base64url, the form in which `web-push generate-vapid-keys` and its kin
    /// print it.
    ///
    /// # Errors
    /// [`InvalidVapidKey`].
    pub(crate) fn from_text(text: &Secret<String>) -> Result<Self, InvalidVapidKey> {
        let private =
            Secret::from(URL_SAFE_NO_PAD.decode(text.expose().trim()).map_err(|_| InvalidVapidKey)?);
        let point = public_point(private.expose()).map_err(|_| InvalidVapidKey)?;
        let random = SystemRandom::new();
        // Checks the range of the private key, and that the two belong together.
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            private.expose(),
            &point,
            &random,
        );
        let pair = pair.map_err(|_| InvalidVapidKey)?;
        Ok(Self { pair, public: URL_SAFE_NO_PAD.encode(point), random })
    }

    /// Gives the public key, as browsers take it.
    pub(crate) fn public(&self) -> &str {
        &self.public
    }

    /// Makes the header `Authorization` of a push to `endpoint` (RFC 8292 §3). `subject` is how the operator of a push
    /// service reaches ours; may be empty.
    ///
    /// # Errors
    /// [`ring::error::Unspecified`] when the system gives no random numbers.
    pub(crate) fn authorization(
        &self,
        endpoint: &Url,
        subject: &str,
        now: UnixMillis,
    ) -> Result<String, ring::error::Unspecified> {
        let exp = (now + LIFE).as_i64() / 1000;
        let claims = Claims { aud: endpoint.origin().ascii_serialization(), exp, sub: subject };
        // Text and a number always have a form in JSON.
        let claims = serde_json::to_string(&claims).map_err(|_| ring::error::Unspecified)?;
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(&self.random, signed.as_bytes())?;
        Ok(format!("vapid t={signed}.{}, k={}", URL_SAFE_NO_PAD.encode(signature), self.public))
    }
}

/// The point that belongs to a private key: ring does not tell.
fn public_point(private: &[u8]) -> Result<Vec<u8>, openssl::error::ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let mut context = BigNumContext::new()?;
    let private = BigNum::from_slice(private)?;
    let mut point = EcPoint::new(&group)?;
    point.mul_generator2(&group, &private, &mut context)?;
    point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// The sender of RFC 8291 appendix A.
    const PRIVATE: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    const PUBLIC: &str =
        "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";

    /// RFC 8292 §2.4.
    const EXAMPLE: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA";
    const EXAMPLE_KEY: &str =
        "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";

    /// The claims of a token, once its signature holds.
    fn verify(token: &str, key: &str) -> serde_json::Value {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key))
            .verify(signed.as_bytes(), &decode(signature))
            .unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(decode(header), HEADER.as_bytes());
        serde_json::from_slice(&decode(claims)).unwrap()
    }

    #[test]
    fn the_public_key_follows_from_the_private_one() {
        let key = VapidKey::from_text(&Secret::from(PRIVATE)).unwrap();

        assert_eq!(key.public(), PUBLIC);
    }

    #[test]
    fn a_token_has_the_form_of_the_standards_example() {
        let key = VapidKey::from_text(&Secret::from(PRIVATE)).unwrap();
        let endpoint = Url::parse("https://push.example.net/p/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV").unwrap();
        let now = UnixMillis((1_453_523_768 - 12 * 3600) * 1000);

        let header = key.authorization(&endpoint, "mailto:push@example.com", now).unwrap();

        let (token, public) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(public, PUBLIC);
        assert_eq!(verify(token, public), verify(EXAMPLE, EXAMPLE_KEY));
        assert_eq!(token.rsplit_once('.').unwrap().0, EXAMPLE.rsplit_once('.').unwrap().0);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let order =
            URL_SAFE_NO_PAD.encode(hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"));

        for text in ["", "short", &URL_SAFE_NO_PAD.encode([0; 32]), &order, PUBLIC] {
            assert_eq!(VapidKey::from_text(&Secret::from(text)).err(), Some(InvalidVapidKey), "{text}");
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }
}
