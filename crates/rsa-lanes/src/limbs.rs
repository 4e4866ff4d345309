//! Numbers of fixed size in radix 2⁵², least limb first.

use zeroize::Zeroizing;

/// Bits of a limb.
pub(crate) const BITS: usize = 52;
/// All of a limb's bits.
pub(crate) const MASK: u64 = (1 << BITS) - 1;

/// Limbs that hold 1024 bits, a prime.
pub(crate) const HALF: usize = 20;
/// Limbs that hold 2048 bits, a modulus.
pub(crate) const WHOLE: usize = 2 * HALF;

/// Reads octets, the first one the most significant. There must be no more than `L` limbs hold.
pub(crate) fn of_octets<const L: usize>(octets: &[u8]) -> [u64; L] {
    let mut limbs = [0; L];
    for (place, octet) in octets.iter().rev().enumerate() {
        let (limb, shift) = (place * 8 / BITS, place * 8 % BITS);
        let octet = u64::from(*octet) << shift;
        limbs[limb] |= octet & MASK;
        if let Some(next) = limbs.get_mut(limb + 1) {
            *next |= octet >> BITS;
        }
    }
    limbs
}

/// Gives octets, the first one the most significant; what does not fit into `N` is left out.
pub(crate) fn to_octets<const L: usize, const N: usize>(limbs: &[u64; L]) -> Zeroizing<[u8; N]> {
    let mut octets = Zeroizing::new([0; N]);
    for (place, octet) in octets.iter_mut().rev().enumerate() {
        let (limb, shift) = (place * 8 / BITS, place * 8 % BITS);
        let next = limbs.get(limb + 1).copied().unwrap_or_default();
        *octet = (limbs[limb] >> shift | next << (BITS - shift)) as u8;
    }
    octets
}

/// Gives −`odd`⁻¹ modulo 2⁵².
pub(crate) fn negative_inverse(odd: u64) -> u64 {
    // Each turn doubles the bits that are right; the first three are (an odd number's square is 1 modulo 8).
    let inverse = (0..5)
        .fold(odd, |inverse: u64, _| inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse))));
    inverse.wrapping_neg() & MASK
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn octets_come_back(low: [u8; 32], high: [u8; 32]) {
            let octets: [u8; 64] = std::array::from_fn(|at| if at < 32 { high[at] } else { low[at - 32] });

            let limbs: [u64; 10] = of_octets(&octets);

            prop_assert!(limbs.iter().all(|limb| *limb <= MASK));
            prop_assert_eq!(limbs[0], u64::from_be_bytes(*octets.last_chunk().unwrap()) & MASK);
            prop_assert_eq!(*to_octets(&limbs), octets);
        }

        #[test]
        fn an_odd_number_times_its_negative_inverse_is_minus_one(half: u64) {
            let odd = half | 1;

            prop_assert_eq!(odd.wrapping_mul(negative_inverse(odd)) & MASK, MASK);
        }
    }
}
