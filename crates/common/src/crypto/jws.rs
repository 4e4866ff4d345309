//! Access tokens: a compact JWS (RFC 7515) that knows one algorithm, EdDSA over Ed25519 (RFC 8037).
//!
//! In: claims and a signing key, or a token and the keys by `kid`. There is no algorithm to choose, no key inside the
//! token and no `none`, hence nothing to confuse. A token says of which kind it is, and is none of another
//! ([`TokenClaims`]).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::token::{NoRandomness, random};
use crate::models::{AccountId, DeviceId, SessionId, UnixMillis};

/// No token of ours comes near this length in bytes, whatever name and address it has in it.
const MAX_TOKEN: usize = 8192;

/// The claims of one kind of token.
pub trait TokenClaims: Serialize + DeserializeOwned {
    /// The header `typ`, another for each kind, so that a token that opens one interface opens no other (RFC 8725
    /// §3.11).
    const TYP: &'static str;

    /// Gives what tokens of every kind say.
    fn base(&self) -> Claims;
}

/// What an access token says; times are whole seconds since the epoch (RFC 7519 §2, NumericDate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The account.
    pub sub: AccountId,
    /// The session.
    pub sid: SessionId,
    /// The device, once the session is bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<DeviceId>,
    /// When it was issued.
    pub iat: i64,
    /// When it expires: valid before, not at, this second.
    pub exp: i64,
}

impl TokenClaims for Claims {
    const TYP: &'static str = "JWT";

    fn base(&self) -> Claims {
        *self
    }
}

/// What a token of the interface of signal_server says: the claims that its clients know, and ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalServerClaims {
    /// The number of the user.
    pub user_id: i64,
    /// The name that the user had when it was issued.
    pub username: String,
    /// The address that the user had then; empty for none.
    pub email: String,
    /// When it expires: valid before, not at, this second.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// The account.
    pub sub: AccountId,
    /// The session.
    pub sid: SessionId,
}

impl TokenClaims for SignalServerClaims {
    const TYP: &'static str = "signal-server+jwt";

    fn base(&self) -> Claims {
        Claims { sub: self.sub, sid: self.sid, did: None, iat: self.iat, exp: self.exp }
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not a token of ours, or of another kind: form, algorithm, or claims.
    #[error("malformed token")]
    Malformed,
    /// Its `kid` is not known (yet): the keys may have to be fetched again.
    #[error("token is signed by an unknown key")]
    UnknownKey,
    /// The signature is wrong.
    #[error("wrong signature")]
    BadSignature,
    /// Its time is over.
    #[error("token has expired")]
    Expired,
}

/// A key that is not an Ed25519 key in the form asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key")]
pub struct InvalidKey;

/// A public key as `/.well-known/jwks.json` shows it (RFC 7517, RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Jwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The key's id.
    pub kid: String,
    /// The 32 octets of the key, base64url.
    pub x: String,
    /// `EdDSA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

/// The body of `/.well-known/jwks.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct JwkSet {
    /// The keys that tokens may be signed with.
    pub keys: Vec<Jwk>,
}

/// A public key that tokens are verified with; cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    kid: Arc<str>,
    public: [u8; 32],
}

impl VerifyingKey {
    /// Takes the 32 octets of a public key; its id is the thumbprint of RFC 7638.
    pub fn from_octets(public: [u8; 32]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(public);
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()));
        Self { kid: kid.into(), public }
    }

    /// Reads the 32 octets as base64url, the member `x` of [`Jwk`]; blanks around it do not matter.
    ///
    /// # Errors
    /// [`InvalidKey`] for other text.
    pub fn from_text(text: &str) -> Result<Self, InvalidKey> {
        let octets = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| InvalidKey)?;
        octets.try_into().map(Self::from_octets).map_err(|_| InvalidKey)
    }

    /// Gives the key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Gives the form for `/.well-known/jwks.json`.
    pub fn to_jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: self.kid.as_ref().to_owned(),
            x: URL_SAFE_NO_PAD.encode(self.public),
            alg: Some("EdDSA".to_owned()),
            usage: Some("sig".to_owned()),
        }
    }
}

impl TryFrom<&Jwk> for VerifyingKey {
    type Error = InvalidKey;

    /// Takes a key of a set, under the id that the set gives it.
    fn try_from(jwk: &Jwk) -> Result<Self, InvalidKey> {
        let for_us = jwk.kty == "OKP"
            && jwk.crv == "Ed25519"
            && jwk.alg.as_deref().is_none_or(|alg| alg == "EdDSA")
            && jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
        let octets = URL_SAFE_NO_PAD.decode(&jwk.x).map_err(|_| InvalidKey)?;
        let public = octets.try_into().map_err(|_| InvalidKey)?;
        if for_us { Ok(Self { kid: jwk.kid.as_str().into(), public }) } else { Err(InvalidKey) }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.kid)
    }
}

/// The private key that tokens are signed with, kept as its 32-octet seed.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// Makes a fresh key.
    ///
    /// # Errors
    /// [`NoRandomness`] when the system has none.
    pub fn generate() -> Result<Self, NoRandomness> {
        Self::from_seed(&random::<32>()?).map_err(|_| NoRandomness)
    }

    /// Takes the 32 octets of a seed (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// [`InvalidKey`] for another length.
    pub fn from_seed(seed: &[u8]) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| InvalidKey)?;
        let seed = Zeroizing::new(seed.try_into().map_err(|_| InvalidKey)?);
        Ok(Self { seed, pair, public: VerifyingKey::from_octets(public) })
    }

    /// Reads the text of [`SigningKey::to_text`]; blanks around it do not matter.
    ///
    /// # Errors
    /// [`InvalidKey`] for other text.
    pub fn from_text(text: &str) -> Result<Self, InvalidKey> {
        let seed = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| InvalidKey)?);
        Self::from_seed(&seed)
    }

    /// Gives the seed as base64url, to be kept in a secret's file.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(URL_SAFE_NO_PAD.encode(self.seed.as_slice()))
    }

    /// Gives the public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.kid)
    }
}

/// Signs claims; gives the compact form `header.claims.signature`.
pub fn sign<T: TokenClaims>(key: &SigningKey, claims: &T) -> String {
    let header = format!(r#"{{"alg":"EdDSA","typ":"{}","kid":"{}"}}"#, T::TYP, key.public.kid);
    // Ids, numbers and text only: writing them cannot fail.
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.pair.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// Verifies a token of the kind `T` at the time `now`; `find` gives the key for a `kid`.
///
/// # Errors
/// [`JwsError`] by its variants; the signature is checked before the claims are believed, the time last.
pub fn verify<T: TokenClaims>(
    token: &str,
    now: UnixMillis,
    find: impl FnOnce(&str) -> Option<VerifyingKey>,
) -> Result<T, JwsError> {
    /// A header with `crit` asks for something that we do not know, so it is refused (RFC 7515 §4.1.11).
    #[derive(Deserialize)]
    struct Header {
        alg: String,
        kid: String,
        #[serde(default)]
        typ: Option<String>,
        #[serde(default)]
        crit: Option<serde::de::IgnoredAny>,
    }

    if token.len() > MAX_TOKEN {
        return Err(JwsError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(JwsError::Malformed)?;
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwsError::Malformed)?;
    let typ = header.typ.as_deref().unwrap_or(Claims::TYP);
    if header.alg != "EdDSA" || header.crit.is_some() || typ != T::TYP {
        return Err(JwsError::Malformed);
    }
    let (claims, signature) = (decode(claims)?, decode(signature)?);

    let key = find(&header.kid).ok_or(JwsError::UnknownKey)?;
    UnparsedPublicKey::new(&ED25519, key.public)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| JwsError::BadSignature)?;

    let claims: T = serde_json::from_slice(&claims).map_err(|_| JwsError::Malformed)?;
    if now.as_secs() >= claims.base().exp { Err(JwsError::Expired) } else { Ok(claims) }
}

fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Malformed)
}

#[cfg(test)]
mod tests;
