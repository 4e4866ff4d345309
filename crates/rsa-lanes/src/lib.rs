//! RSA-2048 private-key operations, eight at a time: one in each 64-bit lane of AVX-512 (multi-buffer RSA).
//!
//! In: blocks as long as the modulus, each with the key that it is for; keys may differ. Out: the blocks raised to the
//! private exponent (RSADP, RFC 8017 §5.1.2), padding and all. OpenSSL works on one at a time and, on the same
//! processor, takes three times as long for each.
//!
//! What must hold:
//! - Nothing is returned that has not been checked: each result, raised to the public exponent, gives its block again.
//!   Whoever gets `None` asks OpenSSL, which is also right where the processor cannot do this.
//! - No branch and no address of an operation depends on its key or block: a table is read whole for each window of an
//!   exponent. So there is no blinding. What only the processor's power or clock shows is not hidden.
//!
//! Results and keys are wiped when dropped; what is left of numbers on the stack is not, as the process that works with
//! them holds the keys anyway.
//!
//! Numbers are in radix 2⁵², least limb first, as the instructions for it (AVX-512 IFMA) multiply 52 bits.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "other processors have no such lanes"))]

#[cfg(target_arch = "x86_64")]
mod eight;
mod key;
mod limbs;

use zeroize::Zeroizing;

pub use key::PrivateKey;

/// How many operations are done at a time.
pub const LANES: usize = 8;

/// Operations from which on all lanes together, idle ones included, take less time than OpenSSL for each.
const WORTHWHILE: usize = 3;

/// As many octets as a modulus of 2048 bits has, the first one the most significant.
pub type Block = [u8; 256];

/// Tells whether this processor can do it.
pub fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Applies to each block its private key. `None` where that is not done: the processor cannot, too few are left over
/// for the lanes to be worth it, or the block is no number below the modulus.
pub fn decrypt_all(jobs: &[(&PrivateKey, &Block)]) -> Vec<Option<Zeroizing<Block>>> {
    let mut results = Vec::with_capacity(jobs.len());
    if is_available() {
        for group in jobs.chunks(LANES).filter(|group| group.len() >= WORTHWHILE) {
            results.extend(decrypt_group(group));
        }
    }
    results.resize_with(jobs.len(), || None);
    results
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the compiler cannot know on what the code will run")]
fn decrypt_group(group: &[(&PrivateKey, &Block)]) -> Vec<Option<Zeroizing<Block>>> {
    // Lanes beyond the group repeat its first job.
    let mut lanes = [group[0]; LANES];
    lanes[..group.len()].copy_from_slice(group);
    let (keys, blocks) = (lanes.map(|(key, _)| key), lanes.map(|(_, block)| limbs::of_octets(block)));
    // SAFETY: `decrypt_all` has asked the processor for AVX-512 F and IFMA, and that is all that is needed.
    let (results, raised) = unsafe { eight::decrypt(&keys, &blocks) };
    let checked = results.iter().zip(&raised).zip(&blocks).take(group.len());
    checked.map(|((result, raised), block)| (raised == block).then(|| limbs::to_octets(result))).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn decrypt_group(group: &[(&PrivateKey, &Block)]) -> Vec<Option<Zeroizing<Block>>> {
    vec![None; group.len()]
}

#[cfg(test)]
mod tests;
