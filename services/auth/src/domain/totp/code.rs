//! Time-based one-time passwords (RFC 6238 with SHA-1, six digits, steps of 30 seconds): the one form that every
//! authenticator knows.

use common::crypto::token::{NoRandomness, random};
use common::models::UnixMillis;
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use zeroize::Zeroizing;

/// Octets of a shared secret, as long as the hash (RFC 4226 §4, R6).
const SECRET: usize = 20;
/// Seconds of a step (RFC 6238 §4.1).
const STEP: i64 = 30;
/// Steps that a clock may be off, either way (RFC 6238 §5.2).
const DRIFT: i64 = 1;

/// A shared secret; wiped when dropped.
pub(super) struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    pub(super) fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(Zeroizing::new(random::<SECRET>()?.to_vec())))
    }

    pub(super) fn from_octets(octets: Zeroizing<Vec<u8>>) -> Self {
        Self(octets)
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The secret as a person types it into an authenticator.
    pub(super) fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(base32(&self.0))
    }

    /// The step within the drift around `now`, and after `last`, whose code this is.
    pub(super) fn step_of(&self, code: &str, now: UnixMillis, last: i64) -> Option<i64> {
        let current = now.as_secs().div_euclid(STEP);
        let steps = (current - DRIFT..=current + DRIFT).filter(|step| *step > last);
        steps.filter(|step| self.code(*step) == code).max()
    }

    /// The code of a step (RFC 4226 §5.3).
    fn code(&self, step: i64) -> String {
        let mac = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0), &step.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
        let cut = mac.get(offset..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
        format!("{:06}", (u32::from_be_bytes(cut) & 0x7fff_ffff) % 1_000_000)
    }
}

/// Writes octets in base32 without padding (RFC 4648 §6).
pub(super) fn base32(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(octets.len().div_ceil(5) * 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for octet in octets {
        bits = bits << 8 | u32::from(*octet);
        held += 8;
        while held >= 5 {
            held -= 5;
            push(&mut text, ALPHABET, bits >> held);
        }
    }
    if held > 0 {
        push(&mut text, ALPHABET, bits << (5 - held));
    }
    text
}

fn push(text: &mut String, alphabet: &[u8; 32], value: u32) {
    // Five bits index 32 letters.
    text.extend(alphabet.get((value & 31) as usize).copied().map(char::from));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1; its eight digits cut to the last six.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret().code(seconds / STEP), code, "{seconds}");
            assert_eq!(secret().step_of(code, UnixMillis(seconds * 1000), 0), Some(seconds / STEP));
        }
    }

    #[test]
    fn a_clock_may_be_a_step_off_and_no_step_counts_twice() {
        let (step, now) = (1_111_111_111 / STEP, UnixMillis(1_111_111_111_000));
        let code = |offset: i64| secret().code(step + offset);

        assert_eq!(secret().step_of(&code(-1), now, 0), Some(step - 1));
        assert_eq!(secret().step_of(&code(1), now, 0), Some(step + 1));
        assert_eq!(secret().step_of(&code(-2), now, 0), None);
        assert_eq!(secret().step_of(&code(2), now, 0), None);
        assert_eq!(secret().step_of(&code(0), now, step), None, "used");
        assert_eq!(secret().step_of(&code(-1), now, step), None, "older than one that was used");
        assert_eq!(secret().step_of(&code(1), now, step), Some(step + 1));
        for other in ["", "50471", " 050471", "0504710", "abcdef"] {
            assert_eq!(secret().step_of(other, now, 0), None, "{other:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_code_has_its_step_and_six_digits(octets in proptest::array::uniform20(0..=255_u8), step in 2_i64..10_000_000_000) {
            let secret = TotpSecret(Zeroizing::new(octets.to_vec()));
            let (code, now) = (secret.code(step), UnixMillis(step * STEP * 1000));

            proptest::prop_assert!(code.len() == 6 && code.bytes().all(|octet| octet.is_ascii_digit()));
            // Two steps beside each other have the same code once in a million times; then the later one counts.
            proptest::prop_assert!(secret.step_of(&code, now, 0).is_some_and(|found| found >= step));
            proptest::prop_assert_eq!(secret.step_of(&code, now, step + DRIFT), None);
        }
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        // §10, without the padding.
        for (octets, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(octets.as_bytes()), text);
        }
        assert_eq!(secret().to_base32().as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }
}
