//! Arithmetic in eight lanes: the same steps in each, whatever the numbers.

use core::arch::x86_64::{
    __m512i, _mm256_extract_epi64, _mm512_add_epi64, _mm512_and_si512, _mm512_cmplt_epi64_mask,
    _mm512_extracti64x4_epi64, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_mov_epi64,
    _mm512_rol_epi64, _mm512_set_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srai_epi64,
    _mm512_srli_epi64, _mm512_sub_epi64, _mm512_ternarylogic_epi64, _mm512_xor_si512,
};

use super::Lanes;
use crate::LANES;
use crate::key::EXPONENT_WORDS;
use crate::limbs::{HALF, MASK, WHOLE};

/// Bits of an exponent that are served by one multiplication: a table of 16 powers stays in the nearest cache.
const WINDOW: usize = 4;
const POWERS: usize = 1 << WINDOW;

/// The truth table of "the second where the first is one, else the third".
const SELECT: i32 = 0b1100_1010;

/// Puts eight numbers into the lanes.
#[target_feature(enable = "avx512f")]
pub(super) fn into_lanes<const L: usize>(numbers: [&[u64; L]; LANES]) -> [__m512i; L] {
    let mut limbs = [_mm512_setzero_si512(); L];
    for (at, limb) in limbs.iter_mut().enumerate() {
        let [a, b, c, d, e, f, g, h] = numbers.map(|number| number[at].cast_signed());
        *limb = _mm512_set_epi64(h, g, f, e, d, c, b, a);
    }
    limbs
}

/// Takes eight numbers out of the lanes.
#[target_feature(enable = "avx512f")]
pub(super) fn out_of_lanes<const L: usize>(limbs: &[__m512i; L]) -> Lanes<L> {
    let mut numbers = [[0; L]; LANES];
    for (at, limb) in limbs.iter().enumerate() {
        let low = _mm512_extracti64x4_epi64::<0>(*limb);
        let high = _mm512_extracti64x4_epi64::<1>(*limb);
        let values = [
            _mm256_extract_epi64::<0>(low),
            _mm256_extract_epi64::<1>(low),
            _mm256_extract_epi64::<2>(low),
            _mm256_extract_epi64::<3>(low),
            _mm256_extract_epi64::<0>(high),
            _mm256_extract_epi64::<1>(high),
            _mm256_extract_epi64::<2>(high),
            _mm256_extract_epi64::<3>(high),
        ];
        numbers.iter_mut().zip(values).for_each(|(number, value)| number[at] = value.cast_unsigned());
    }
    numbers
}

/// Montgomery's product: `a` · `b` / R modulo `m`, below `m` + `a` · `b` / R; `k` is −`m`⁻¹ modulo 2⁵².
///
/// Limbs of the sum are let grow beyond 52 bits until the end: one takes part in `L` turns at most, and each adds four
/// numbers of 52 bits, which leaves four bits to spare for the longest.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn product<const L: usize>(
    a: &[__m512i; L],
    b: &[__m512i; L],
    m: &[__m512i; L],
    k: __m512i,
) -> [__m512i; L] {
    let zero = _mm512_setzero_si512();
    let mut sum = [zero; L];
    for b in b {
        let lowest = _mm512_madd52lo_epu64(sum[0], a[0], *b);
        // With so many `m` the lowest limb becomes zero and is left out: a division by 2⁵².
        let times = _mm512_madd52lo_epu64(zero, lowest, k);
        let carry = _mm512_srli_epi64::<52>(_mm512_madd52lo_epu64(lowest, m[0], times));
        for at in 1..L {
            let limb = _mm512_madd52lo_epu64(sum[at], a[at], *b);
            let limb = _mm512_madd52hi_epu64(limb, a[at - 1], *b);
            let limb = _mm512_madd52lo_epu64(limb, m[at], times);
            sum[at - 1] = _mm512_madd52hi_epu64(limb, m[at - 1], times);
        }
        sum[0] = _mm512_add_epi64(sum[0], carry);
        sum[L - 1] = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, a[L - 1], *b), m[L - 1], times);
    }
    carried(&sum)
}

/// Raises `base` to the exponents. `base` and the result are in Montgomery's form, `r` is one in that form.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn power(
    base: &[__m512i; HALF],
    exponents: &[__m512i; EXPONENT_WORDS],
    r: &[__m512i; HALF],
    m: &[__m512i; HALF],
    k: __m512i,
) -> [__m512i; HALF] {
    let mut powers = [*r; POWERS];
    for at in 1..POWERS {
        powers[at] = product(&powers[at - 1], base, m, k);
    }
    let window = _mm512_set1_epi64(POWERS as i64 - 1);
    let mut raised = *r;
    for word in exponents.iter().rev() {
        let mut word = *word;
        for _ in 0..64 / WINDOW {
            for _ in 0..WINDOW {
                raised = product(&raised, &raised, m, k);
            }
            word = _mm512_rol_epi64::<{ WINDOW as i32 }>(word);
            raised = product(&raised, &choose(&powers, _mm512_and_si512(word, window)), m, k);
        }
    }
    raised
}

/// Picks for each lane the entry with its number. All are read; what is not wanted is masked after it was loaded, not
/// by the mask of a load, which a processor might then leave out.
#[inline]
#[target_feature(enable = "avx512f")]
fn choose(entries: &[[__m512i; HALF]; POWERS], numbers: __m512i) -> [__m512i; HALF] {
    let one = _mm512_set1_epi64(1);
    let [first, others @ ..] = entries;
    let mut chosen = *first;
    for (number, entry) in (1..).zip(others) {
        let distance = _mm512_xor_si512(numbers, _mm512_set1_epi64(number));
        // All ones where there is no distance.
        let wanted = _mm512_srai_epi64::<63>(_mm512_sub_epi64(distance, one));
        for at in 0..HALF {
            chosen[at] = _mm512_ternarylogic_epi64::<SELECT>(wanted, entry[at], chosen[at]);
        }
    }
    chosen
}

/// Adds.
#[target_feature(enable = "avx512f")]
pub(super) fn add(a: &[__m512i; HALF], b: &[__m512i; HALF]) -> [__m512i; HALF] {
    let mut sum = *a;
    for at in 0..HALF {
        sum[at] = _mm512_add_epi64(a[at], b[at]);
    }
    carried(&sum)
}

/// Brings a number below 2`m` below `m`.
#[target_feature(enable = "avx512f")]
pub(super) fn reduce<const L: usize>(number: &[__m512i; L], m: &[__m512i; L]) -> [__m512i; L] {
    let (mut less, borrow) = difference(number, m);
    let below = _mm512_cmplt_epi64_mask(borrow, _mm512_setzero_si512());
    for at in 0..L {
        less[at] = _mm512_mask_mov_epi64(less[at], below, number[at]);
    }
    less
}

/// Gives `a` · `b` + `c`, whole.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply_add(
    a: &[__m512i; HALF],
    b: &[__m512i; HALF],
    c: &[__m512i; HALF],
) -> [__m512i; WHOLE] {
    let mut sum = [_mm512_setzero_si512(); WHOLE];
    sum[..HALF].copy_from_slice(c);
    for at in 0..HALF {
        for by in 0..HALF {
            sum[at + by] = _mm512_madd52lo_epu64(sum[at + by], a[at], b[by]);
            sum[at + by + 1] = _mm512_madd52hi_epu64(sum[at + by + 1], a[at], b[by]);
        }
    }
    carried(&sum)
}

/// Gives `a` less `b`, and −1 where `b` was the larger one.
#[target_feature(enable = "avx512f")]
pub(super) fn difference<const L: usize>(a: &[__m512i; L], b: &[__m512i; L]) -> ([__m512i; L], __m512i) {
    let mask = _mm512_set1_epi64(MASK.cast_signed());
    let mut less = *a;
    let mut borrow = _mm512_setzero_si512();
    for at in 0..L {
        let limb = _mm512_add_epi64(_mm512_sub_epi64(a[at], b[at]), borrow);
        borrow = _mm512_srai_epi64::<52>(limb);
        less[at] = _mm512_and_si512(limb, mask);
    }
    (less, borrow)
}

/// Brings all limbs to 52 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn carried<const L: usize>(limbs: &[__m512i; L]) -> [__m512i; L] {
    let mask = _mm512_set1_epi64(MASK.cast_signed());
    let mut carried = *limbs;
    let mut carry = _mm512_setzero_si512();
    for limb in &mut carried {
        let whole = _mm512_add_epi64(*limb, carry);
        carry = _mm512_srli_epi64::<52>(whole);
        *limb = _mm512_and_si512(whole, mask);
    }
    carried
}
