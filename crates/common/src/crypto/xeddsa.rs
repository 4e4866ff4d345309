//! XEdDSA as libsignal makes it: signatures by Curve25519 identity keys.
//!
//! The paper forces the sign of the Edwards point to 0; libsignal keeps it, in the top bit of the signature's last
//! octet. So the bit is taken from there, the key is mapped with that sign, and what remains is plain Ed25519.

use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signature, VerifyingKey};

use super::keys::{KeyError, check_ec};

/// Octets of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signer's public key is not one.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signature is not by this key over this message.
    #[error("wrong signature")]
    Wrong,
}

/// Verifies `signature` (64 octets) of `message` by the serialized public key `signer` (33 octets).
///
/// A signed prekey's message is its whole serialization, the prefix included. Takes about 60 µs.
///
/// # Errors
/// [`SignatureError`] by its variants.
pub fn verify(signer: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let coordinate = check_ec(signer)?;
    let mut signature: [u8; SIGNATURE_LEN] = signature.try_into().map_err(|_| SignatureError::Wrong)?;
    let sign = signature[SIGNATURE_LEN - 1] >> 7;
    signature[SIGNATURE_LEN - 1] &= 0x7f;

    let point = MontgomeryPoint(coordinate).to_edwards(sign).ok_or(SignatureError::Wrong)?;
    VerifyingKey::from(point)
        .verify_strict(message, &Signature::from_bytes(&signature))
        .map_err(|_| SignatureError::Wrong)
}
