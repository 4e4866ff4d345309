//! The text of an SMS, from the app: base64( IV + base64( AES-256-CBC, PKCS#7 ) ), where the IV is the first 16 characters.
//!
//! In: text as a modem has read it, and a user's keys. Out: what the SMS says. What must hold: no text panics; what is
//! read with one key and is no message of any platform counts for nothing, since CBC without a MAC lets a wrong key
//! through once in 255.

use common::crypto::Secret;
use common::models::Base64Bytes;
use openssl::symm::{Cipher, decrypt};
use zeroize::Zeroizing;

use super::platforms::{Platforms, Spoken};

const BLOCK: usize = 16;

/// Octets of the text of a key: those themselves are the key (§6.2 of the interface).
const KEY: usize = 32;

/// An SMS that is still encrypted, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encrypted {
    iv: [u8; BLOCK],
    ciphertext: Vec<u8>,
}

/// Splits a text into IV and ciphertext; `None` for one that is no encrypted message.
pub(crate) fn split(text: &str) -> Option<Encrypted> {
    let outer = base64(text.as_bytes())?;
    let (iv, inner) = outer.split_first_chunk::<BLOCK>()?;
    let ciphertext = base64(inner)?;
    let whole = !ciphertext.is_empty() && ciphertext.len().is_multiple_of(BLOCK);
    whole.then_some(Encrypted { iv: *iv, ciphertext })
}

/// Decodes base64, whatever white space a modem has put into it.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let plain: Vec<u8> = text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    Base64Bytes::parse(std::str::from_utf8(&plain).ok()?).ok().map(Base64Bytes::into_vec)
}

/// What an SMS says, read.
#[derive(Clone)]
pub(crate) struct Read {
    /// The platform.
    pub(crate) platform: String,
    /// All of it.
    pub(crate) message: Zeroizing<String>,
}

impl Encrypted {
    /// Tries keys in their order; the first under which it is a message of a platform is the right one.
    pub(crate) fn read<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Secret<String>>,
        platforms: &Platforms,
    ) -> Option<Read> {
        keys.into_iter().find_map(|key| {
            let plain = self.decrypt(key)?;
            let Spoken { platform, message } = platforms.read(&plain)?;
            Some(Read { platform: platform.to_owned(), message: Zeroizing::new(message.to_owned()) })
        })
    }

    fn decrypt(&self, key: &Secret<String>) -> Option<Zeroizing<Vec<u8>>> {
        let key = key.expose().as_bytes();
        if key.len() != KEY {
            return None;
        }
        decrypt(Cipher::aes_256_cbc(), key, Some(&self.iv), &self.ciphertext).ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use openssl::symm::encrypt;
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    fn sms(key: &str, iv: &str, message: &str) -> String {
        let sealed =
            encrypt(Cipher::aes_256_cbc(), key.as_bytes(), Some(iv.as_bytes()), message.as_bytes()).unwrap();
        STANDARD.encode(format!("{iv}{}", STANDARD.encode(sealed)))
    }

    fn read(text: &str, keys: &[&str]) -> Option<String> {
        let keys: Vec<Secret<String>> = keys.iter().map(|key| Secret::from(*key)).collect();
        let read = split(text)?.read(&keys, &Platforms::default())?;
        assert!(!read.platform.is_empty());
        Some(read.message.to_string())
    }

    #[test]
    fn openssl_of_the_command_line_makes_what_is_read() {
        // printf 'g:a@b.c:::Hi:text' | openssl enc -aes-256-cbc -base64 -A -K <hex of ONE> -iv <hex of the IV>,
        // behind the IV, and base64 again.
        let text = "MTIzNDU2Nzg5MDEyMzQ1NnhyRFBEZWRyUnRjM29pbVYvQlVaZXBFbE8wYXVzKzZDaTFEbXRYVjRxek09";

        assert_eq!(sms(ONE, "1234567890123456", "g:a@b.c:::Hi:text"), text);
        assert_eq!(read(text, &[ONE]).as_deref(), Some("g:a@b.c:::Hi:text"));
    }

    #[test]
    fn the_first_key_that_fits_is_taken_and_no_other() {
        let text = sms(ONE, "1234567890123456", "g:a@b.c:::Hi:text");

        assert!(read(&text, &[OTHER, ONE]).is_some());
        assert_eq!(read(&text, &[OTHER, "short", ""]), None);
        assert_eq!(read(&text, &[]), None);
    }

    #[test]
    fn white_space_and_missing_padding_do_no_harm() {
        let text = sms(ONE, "1234567890123456", "g:a@b.c:::Hi:text");
        let (head, tail) = text.split_at(30);

        assert!(read(&format!(" {head}\r\n{}", tail.trim_end_matches('=')), &[ONE]).is_some());
    }

    #[test]
    fn what_is_not_of_a_platform_is_not_read() {
        for message in ["", "hello", "x:a@b.c:::Hi:text", "g:a@b.c"] {
            assert_eq!(read(&sms(ONE, "1234567890123456", message), &[ONE]), None, "{message}");
        }
    }

    #[test]
    fn texts_that_are_cut_short_are_no_messages() {
        for text in [
            "",
            "MTIzNA==",
            "not base64!",
            &STANDARD.encode("1234567890123456"),
            &STANDARD.encode("1234567890123456AAAA"),
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_split_or_refused(text: String) {
            let _ = split(&text);
        }

        #[test]
        fn any_parts_come_back(iv in "[0-9]{16}", blocks in 1_usize..20, octet: u8) {
            let ciphertext = vec![octet; BLOCK * blocks];
            let text = STANDARD.encode(format!("{iv}{}", STANDARD.encode(&ciphertext)));

            let parts = split(&text).unwrap();

            prop_assert_eq!(parts.iv.as_slice(), iv.as_bytes());
            prop_assert_eq!(parts.ciphertext, ciphertext);
        }

        #[test]
        fn a_wrong_key_reads_nothing(iv in "[0-9]{16}", key in "[0-9a-f]{32}", body in "[ -~]{0,80}") {
            prop_assume!(key != ONE);
            let text = sms(ONE, &iv, &format!("g:a@b.c:::Hi:{body}"));

            prop_assert!(read(&text, &[&key]).is_none());
            prop_assert!(read(&text, &[&key, ONE]).is_some());
        }
    }
}
