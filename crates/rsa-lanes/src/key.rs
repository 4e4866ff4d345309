//! A key as the lanes want it: in limbs, with the constants of Montgomery's multiplication.

use std::fmt;

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::RsaRef;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::limbs::{BITS, HALF, WHOLE, negative_inverse, of_octets};

const MODULUS_BITS: i32 = 2048;
const PRIME_BITS: i32 = 1024;
const PUBLIC_EXPONENT: u32 = 65_537;
/// 64-bit words of an exponent, least first.
pub(crate) const EXPONENT_WORDS: usize = 16;

/// A private key of 2048 bits; wiped when dropped, and its `Debug` shows nothing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PrivateKey {
    pub(crate) n: Modulus<WHOLE>,
    pub(crate) p: Prime,
    pub(crate) q: Prime,
    /// q⁻¹ · R modulo p.
    pub(crate) q_inverse: [u64; HALF],
}

/// A modulus; R is 2 to the bits of its limbs.
#[derive(Zeroize)]
pub(crate) struct Modulus<const L: usize> {
    pub(crate) limbs: [u64; L],
    /// −`limbs`⁻¹ modulo 2⁵².
    pub(crate) k: u64,
    /// R² modulo `limbs`.
    pub(crate) r2: [u64; L],
}

/// One of the two primes.
#[derive(Zeroize)]
pub(crate) struct Prime {
    pub(crate) modulus: Modulus<HALF>,
    /// The private exponent modulo the prime less one.
    pub(crate) exponent: [u64; EXPONENT_WORDS],
}

impl PrivateKey {
    /// Takes a key of the one kind that the lanes can use: 2048 bits, two primes of 1024 bits each, public exponent
    /// 65537. `None` for others. A key whose parts do not belong together is taken, and gives nothing that is wrong.
    pub fn new(key: &RsaRef<Private>) -> Option<Self> {
        let (p, q) = (key.p()?, key.q()?);
        let fits = key.n().num_bits() == MODULUS_BITS
            && [p, q].iter().all(|prime| prime.num_bits() == PRIME_BITS && prime.is_bit_set(0))
            && *key.e() == BigNum::from_u32(PUBLIC_EXPONENT).ok()?;
        if !fits || !key.n().is_bit_set(0) {
            return None;
        }
        Self::of_parts(key.n(), (p, key.dmp1()?), (q, key.dmq1()?), key.iqmp()?).ok()
    }

    fn of_parts(
        n: &BigNumRef,
        (p, dp): (&BigNumRef, &BigNumRef),
        (q, dq): (&BigNumRef, &BigNumRef),
        q_inverse: &BigNumRef,
    ) -> Result<Self, ErrorStack> {
        Ok(Self {
            n: Modulus::new(n)?,
            p: Prime::new(p, dp)?,
            q: Prime::new(q, dq)?,
            q_inverse: shifted(q_inverse, HALF, p)?,
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey([redacted])")
    }
}

impl<const L: usize> Modulus<L> {
    fn new(modulus: &BigNumRef) -> Result<Self, ErrorStack> {
        let limbs: [u64; L] = limbs(modulus)?;
        let r2 = shifted(&*BigNum::from_u32(1)?, 2 * L, modulus)?;
        Ok(Self { k: negative_inverse(limbs[0]), limbs, r2 })
    }
}

impl Prime {
    fn new(prime: &BigNumRef, exponent: &BigNumRef) -> Result<Self, ErrorStack> {
        let octets = octets(exponent, EXPONENT_WORDS * 8)?;
        let mut words = [0; EXPONENT_WORDS];
        for (word, octets) in words.iter_mut().zip(octets.rchunks_exact(8)) {
            *word = octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet));
        }
        Ok(Self { modulus: Modulus::new(prime)?, exponent: words })
    }
}

/// Gives `number` shifted by some limbs, modulo `modulus`.
fn shifted<const L: usize>(
    number: &BigNumRef,
    by: usize,
    modulus: &BigNumRef,
) -> Result<[u64; L], ErrorStack> {
    let (mut whole, mut rest) = (BigNum::new_secure()?, BigNum::new_secure()?);
    whole.lshift(number, int(by * BITS))?;
    rest.nnmod(&whole, modulus, &mut *BigNumContext::new_secure()?)?;
    limbs(&rest)
}

fn limbs<const L: usize>(number: &BigNumRef) -> Result<[u64; L], ErrorStack> {
    Ok(of_octets(&octets(number, L * BITS / 8)?))
}

/// Gives the octets of a number, filled up in front; an error when there are more.
fn octets(number: &BigNumRef, count: usize) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    number.to_vec_padded(int(count)).map(Zeroizing::new)
}

/// Of a few thousand at most.
fn int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
