//! Encryption of what is pushed, for the device alone (RFC 8291): no push service reads it.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The longest plaintext. A push service takes a body of 4096 octets (RFC 8030 §7.2), of which the header has 86, the
/// tag 16, and the plaintext is padded to a multiple of 128 with one octet at least.
pub(crate) const MAX_PLAINTEXT: usize = 3967;

/// Octets of the key of a device: a point of P-256, uncompressed (RFC 8291 §3.1).
const KEY_OCTETS: usize = 65;

/// Octets of the secret that goes with it (RFC 8291 §3.2).
const AUTH_OCTETS: usize = 16;

/// Browsers write no padding; some clients do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why something cannot be encrypted for a device. None of it tells what or for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncryptionFault {
    /// Its `p256dh` is not a point of P-256.
    #[error("p256dh is not a public key of P-256 in base64url")]
    Key,
    /// Its `auth` is not 16 octets.
    #[error("auth is not 16 bytes in base64url")]
    Auth,
    /// The plaintext does not fit.
    #[error("more than a push service takes")]
    TooLarge,
}

/// The keys of a device, out of its PushSubscription (W3C Push API §8.1). No `Debug`: they are secret.
pub(crate) struct Recipient {
    key: [u8; KEY_OCTETS],
    auth: [u8; AUTH_OCTETS],
}

impl Recipient {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`EncryptionFault::Key`], [`EncryptionFault::Auth`].
    pub(crate) fn parse(p256dh: &str, auth: &str) -> Result<Self, EncryptionFault> {
        let key = octets(p256dh).ok_or(EncryptionFault::Key)?;
        let auth = octets(auth).ok_or(EncryptionFault::Auth)?;
        let recipient = Self { key, auth };
        // Octets that are no point are told here, not when the first push is due.
        recipient.encrypt(b" ").map(|_| recipient)
    }

    /// Encrypts a message, which is not empty, into the body of a push, with the content coding `aes128gcm` (RFC 8188).
    ///
    /// # Errors
    /// [`EncryptionFault::TooLarge`]; [`EncryptionFault::Key`] for what is no point.
    pub(crate) fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, EncryptionFault> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(EncryptionFault::TooLarge);
        }
        ece::encrypt(&self.key, &self.auth, plaintext).map_err(|_| EncryptionFault::Key)
    }
}

fn octets<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ece::EcKeyComponents;
    use proptest::prelude::*;

    use super::*;

    /// RFC 8291 §5 and appendix A.
    const P256DH: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
    const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";

    fn open(body: &[u8]) -> Vec<u8> {
        let decode = |text| URL_SAFE_NO_PAD.decode(text).unwrap();
        ece::decrypt(&EcKeyComponents::new(decode(PRIVATE), decode(P256DH)), &decode(AUTH), body).unwrap()
    }

    #[test]
    fn the_library_opens_the_example_of_the_standard() {
        let plain = open(&URL_SAFE_NO_PAD.decode(BODY).unwrap());

        assert_eq!(plain, b"When I grow up, I want to be a watermelon");
    }

    #[test]
    fn the_longest_message_fits_a_push_service_and_a_longer_one_is_refused() {
        let recipient = Recipient::parse(P256DH, AUTH).unwrap();

        let body = recipient.encrypt(&[7; MAX_PLAINTEXT]).unwrap();
        let longer = recipient.encrypt(&[7; MAX_PLAINTEXT + 1]);

        assert!(body.len() <= 4096, "{}", body.len());
        assert_eq!(open(&body), [7; MAX_PLAINTEXT]);
        assert_eq!(longer.err(), Some(EncryptionFault::TooLarge));
    }

    #[test]
    fn keys_that_are_none_are_told_from_each_other() {
        let parse = |p256dh: &str, auth: &str| Recipient::parse(p256dh, auth).err();
        let off_the_curve = URL_SAFE_NO_PAD.encode([[4_u8; 1].as_slice(), &[1; 64]].concat());

        assert_eq!(parse(P256DH, AUTH), None);
        assert_eq!(parse(P256DH, &format!("{AUTH}==")), None);
        for key in ["", "!", AUTH, &off_the_curve] {
            assert_eq!(parse(key, AUTH), Some(EncryptionFault::Key), "{key}");
        }
        for auth in ["", P256DH, "BTBZMqHH6r4Tts7J_aSI"] {
            assert_eq!(parse(P256DH, auth), Some(EncryptionFault::Auth), "{auth}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_device_reads_what_was_encrypted(plain in proptest::collection::vec(any::<u8>(), 1..MAX_PLAINTEXT)) {
            let recipient = Recipient::parse(P256DH, AUTH).unwrap();

            prop_assert_eq!(open(&recipient.encrypt(&plain).unwrap()), plain);
        }
    }
}
