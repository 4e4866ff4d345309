//! OAEP's padding (RFC 8017 §7.1.2) with SHA-256 in both places and no label, around an AES key: for what the lanes have
//! decrypted, as OpenSSL takes padding off only when it decrypts itself.

use ring::digest::{Context, SHA256};
use rsa_lanes::Block;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::AES_KEY;

const HASH: usize = 32;
/// Octets of the data block in front of the key: the label's hash, zeros, a one.
const FRAME: usize = size_of::<Block>() - 1 - HASH - AES_KEY;

/// SHA-256 of the empty label.
const LABEL: [u8; HASH] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Takes the padding off. `None` when it is wrong, or around anything but 32 octets. How long it takes does not depend
/// on what is wrong: whoever learnt that could decrypt by asking (Manger, CRYPTO 2001).
pub(super) fn unpad(block: &Block) -> Option<Zeroizing<[u8; AES_KEY]>> {
    let mut block = Zeroizing::new(*block);
    let (first, rest) = block.split_first_mut()?;
    let (seed, data) = rest.split_at_mut(HASH);
    mask(data, seed);
    mask(seed, data);
    let (frame, key) = data.split_at(FRAME);
    let right = first.ct_eq(&0) & frame.ct_eq(&expected_frame());
    bool::from(right).then(|| key.try_into().map(Zeroizing::new).ok()).flatten()
}

fn expected_frame() -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..HASH].copy_from_slice(&LABEL);
    frame[FRAME - 1] = 1;
    frame
}

/// Adds MGF1 of `seed` to `octets` (RFC 8017 §B.2.1).
fn mask(seed: &[u8], octets: &mut [u8]) {
    for (counter, piece) in (0_u32..).zip(octets.chunks_mut(HASH)) {
        let mut hash = Context::new(&SHA256);
        hash.update(seed);
        hash.update(&counter.to_be_bytes());
        piece.iter_mut().zip(hash.finish().as_ref()).for_each(|(octet, mask)| *octet ^= mask);
    }
}

#[cfg(test)]
mod tests {
    use openssl::pkey::{PKey, Private};
    use openssl::pkey_ctx::PkeyCtxRef;
    use openssl::rsa::{Padding, Rsa};
    use ring::digest::digest;

    use super::*;
    use crate::crypto::sms_envelope::v1::oaep_context;

    const KEY: [u8; AES_KEY] = *b"a key of thirty-two octets, here";

    /// Pads by OpenSSL, and gives the block that is under the encryption.
    fn padded(rsa: &Rsa<Private>, message: &[u8], alter: impl FnOnce(&mut Block)) -> Block {
        let key = PKey::from_rsa(rsa.clone()).unwrap();
        let mut encrypted = Vec::new();
        let mut context = oaep_context(&key, PkeyCtxRef::encrypt_init).unwrap();
        context.encrypt_to_vec(message, &mut encrypted).unwrap();
        let mut block = [0; size_of::<Block>()];
        rsa.private_decrypt(&encrypted, &mut block, Padding::NONE).unwrap();
        alter(&mut block);
        block
    }

    /// Opens a block as OpenSSL does.
    fn reference(rsa: &Rsa<Private>, block: &Block) -> Option<Vec<u8>> {
        let key = PKey::from_rsa(rsa.clone()).unwrap();
        let mut encrypted = [0; size_of::<Block>()];
        rsa.public_encrypt(block, &mut encrypted, Padding::NONE).ok()?;
        let mut message = Vec::new();
        let mut context = oaep_context(&key, PkeyCtxRef::decrypt_init).unwrap();
        context.decrypt_to_vec(&encrypted, &mut message).ok()?;
        Some(message)
    }

    #[test]
    fn the_label_is_empty() {
        assert_eq!(digest(&SHA256, b"").as_ref(), LABEL);
    }

    #[test]
    fn what_openssl_pads_comes_back() {
        let rsa = Rsa::generate(2048).unwrap();

        for _ in 0..20 {
            assert_eq!(*unpad(&padded(&rsa, &KEY, |_| {})).unwrap(), KEY);
        }
    }

    #[test]
    fn a_block_with_any_octet_altered_is_refused_as_by_openssl() {
        let rsa = Rsa::generate(2048).unwrap();

        for at in 0..size_of::<Block>() {
            // The first octet must leave a number below the modulus.
            let block = padded(&rsa, &KEY, |block| block[at] ^= 1);
            assert_eq!(unpad(&block), None, "octet {at}");
            assert_eq!(reference(&rsa, &block), None, "octet {at}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_though_its_padding_is_right() {
        let rsa = Rsa::generate(2048).unwrap();

        for length in [0, 1, 31, 33, 190] {
            let block = padded(&rsa, &vec![1; length], |_| {});
            assert_eq!(reference(&rsa, &block), Some(vec![1; length]));
            assert_eq!(unpad(&block), None, "{length}");
        }
    }
}
