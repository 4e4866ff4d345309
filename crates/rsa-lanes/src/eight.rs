//! The private-key operation in eight lanes (RFC 8017 §5.1.2, with the Chinese remainder theorem).
//!
//! A `[__m512i; L]` is eight numbers of `L` limbs: element `j` holds the limb `j` of each. Numbers between operations may
//! be larger than their modulus: R is at least 2¹⁶ times a prime, and 2³² times a whole modulus, so Montgomery's product
//! of two numbers below four times the modulus is below 1.001 times the modulus, and of one that is below the modulus
//! and one below R it is below twice the modulus. Nothing needs to be subtracted on the way.

mod arithmetic;

use core::arch::x86_64::{__m512i, _mm512_set1_epi64, _mm512_setzero_si512};

use zeroize::Zeroizing;

use self::arithmetic::{add, difference, into_lanes, multiply_add, out_of_lanes, power, product, reduce};
use crate::LANES;
use crate::key::{Modulus, Prime, PrivateKey};
use crate::limbs::{HALF, WHOLE};

/// Numbers of all lanes, lane by lane.
type Lanes<const L: usize> = [[u64; L]; LANES];

/// The eight moduli and their constants.
struct Moduli<const L: usize> {
    limbs: [__m512i; L],
    k: __m512i,
    r2: [__m512i; L],
}

/// Raises each block to its private exponent. Gives the results, and each of those raised to the public exponent
/// 65537, which must be its block.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn decrypt(
    keys: &[&PrivateKey; LANES],
    blocks: &Lanes<WHOLE>,
) -> (Zeroizing<Lanes<WHOLE>>, Lanes<WHOLE>) {
    let blocks = into_lanes(blocks.each_ref());
    let of_p = decrypt_modulo(keys.map(|key| &key.p), &blocks);
    let of_q = decrypt_modulo(keys.map(|key| &key.q), &blocks);

    // Garner: of_q + q · ((of_p − of_q) · q⁻¹ modulo p). A prime is more than half of any other of its length, so of_q
    // is below 2p.
    let p = moduli(keys.map(|key| &key.p.modulus));
    let q = into_lanes(keys.map(|key| &key.q.modulus.limbs));
    let q_inverse = into_lanes(keys.map(|key| &key.q_inverse));
    let above = add(&of_p, &add(&p.limbs, &p.limbs));
    let (apart, _) = difference(&above, &of_q);
    let factor = reduce(&product(&apart, &q_inverse, &p.limbs, p.k), &p.limbs);
    let result = multiply_add(&factor, &q, &of_q);

    let n = moduli(keys.map(|key| &key.n));
    let raised = reduce(&public_power(&result, &n), &n.limbs);
    (Zeroizing::new(out_of_lanes(&result)), out_of_lanes(&raised))
}

/// Raises the blocks to the private exponents modulo one prime of each key.
#[target_feature(enable = "avx512f,avx512ifma")]
fn decrypt_modulo(primes: [&Prime; LANES], blocks: &[__m512i; WHOLE]) -> [__m512i; HALF] {
    let Moduli { limbs: m, k, r2 } = moduli(primes.map(|prime| &prime.modulus));
    let exponents = into_lanes(primes.map(|prime| &prime.exponent));

    // A block is high · R + low. Each product with R² is a factor of R.
    let [low, high] = halves(blocks).map(|half| product(&half, &r2, &m, k));
    let base = add(&low, &product(&high, &r2, &m, k));
    let raised = power(&base, &exponents, &product(&r2, &one(), &m, k), &m, k);
    reduce(&product(&raised, &one(), &m, k), &m)
}

/// Raises numbers to 65537: sixteen squares, and once more the number itself.
#[target_feature(enable = "avx512f,avx512ifma")]
fn public_power(number: &[__m512i; WHOLE], n: &Moduli<WHOLE>) -> [__m512i; WHOLE] {
    let mut raised = product(number, &n.r2, &n.limbs, n.k);
    for _ in 0..16 {
        raised = product(&raised, &raised, &n.limbs, n.k);
    }
    product(&raised, number, &n.limbs, n.k)
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn moduli<const L: usize>(moduli: [&Modulus<L>; LANES]) -> Moduli<L> {
    let [k] = into_lanes(moduli.map(|modulus| std::array::from_ref(&modulus.k)));
    Moduli {
        limbs: into_lanes(moduli.map(|modulus| &modulus.limbs)),
        k,
        r2: into_lanes(moduli.map(|modulus| &modulus.r2)),
    }
}

/// The lower and the upper half of each number.
fn halves(numbers: &[__m512i; WHOLE]) -> [[__m512i; HALF]; 2] {
    [0, HALF].map(|from| std::array::from_fn(|at| numbers[from + at]))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn one() -> [__m512i; HALF] {
    let mut one = [_mm512_setzero_si512(); HALF];
    one[0] = _mm512_set1_epi64(1);
    one
}
