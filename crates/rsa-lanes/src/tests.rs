use std::sync::OnceLock;

use openssl::bn::BigNum;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn lanes_of(key: &Rsa<Private>) -> PrivateKey {
    PrivateKey::new(key).unwrap()
}

/// Distinct blocks below any modulus of 2048 bits.
fn block(seed: u8) -> Block {
    std::array::from_fn(
        |at| if at == 0 { seed & 0x7f } else { (at as u8).wrapping_mul(seed).wrapping_add(seed) },
    )
}

fn block_of(number: &BigNum) -> Block {
    number.to_vec_padded(256).unwrap().try_into().unwrap()
}

/// What OpenSSL makes of it; `None` where it refuses.
fn reference(key: &Rsa<Private>, block: &Block) -> Option<Block> {
    let mut plain = [0; 256];
    key.private_decrypt(block, &mut plain, Padding::NONE).ok().map(|_| plain)
}

/// Compares the lanes with OpenSSL; without such a processor they must leave everything to it.
fn assert_same(keys: &[Rsa<Private>], blocks: &[Block]) {
    let lanes: Vec<PrivateKey> = keys.iter().map(lanes_of).collect();
    let jobs: Vec<_> = lanes.iter().cycle().zip(blocks).collect();

    let results = decrypt_all(&jobs);

    assert_eq!(results.len(), blocks.len());
    for (at, (result, block)) in results.iter().zip(blocks).enumerate() {
        let expected = reference(&keys[at % keys.len()], block).filter(|_| is_available());
        assert_eq!(result.as_deref(), expected.as_ref(), "block {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_blocks_are_done_as_by_openssl(blocks in vec(vec(any::<u8>(), 256), 3..12), zeros in 0_usize..256) {
        static KEYS: OnceLock<Vec<Rsa<Private>>> = OnceLock::new();
        let keys = KEYS.get_or_init(|| (0..5).map(|_| Rsa::generate(2048).unwrap()).collect());
        let mut blocks: Vec<Block> = blocks.into_iter().map(|octets| octets.try_into().unwrap()).collect();
        blocks[0][..zeros].fill(0);
        blocks[1][zeros..].fill(0xff);
        // All are done, not a few of them left over.
        blocks.resize(blocks.len().next_multiple_of(LANES), [3; 256]);

        assert_same(keys, &blocks);
    }
}

#[test]
fn each_lane_has_its_own_key_and_block() {
    let keys: Vec<_> = (0..LANES).map(|_| Rsa::generate(2048).unwrap()).collect();

    assert_same(&keys, &std::array::from_fn::<_, 40, _>(|at| block(at as u8 + 1)));
}

#[test]
fn one_key_serves_all_lanes() {
    assert_same(
        &[Rsa::generate(2048).unwrap()],
        &std::array::from_fn::<_, 16, _>(|at| block(200 - at as u8)),
    );
}

#[test]
fn a_few_left_over_are_left_to_openssl() {
    let key = lanes_of(&Rsa::generate(2048).unwrap());
    let blocks: Vec<Block> = (0..18).map(block).collect();
    let counts = [0, 1, 2, 3, 8, 9, 10, 11, 18].map(|count| {
        let jobs: Vec<_> = blocks[..count].iter().map(|block| (&key, block)).collect();
        decrypt_all(&jobs).iter().flatten().count()
    });

    assert_eq!(counts, [0, 0, 0, 3, 8, 8, 8, 11, 16].map(|count| if is_available() { count } else { 0 }));
}

#[test]
fn the_least_and_the_largest_blocks_are_right_and_those_beyond_the_modulus_are_not_done() {
    let key = Rsa::generate(2048).unwrap();
    let moved = |by: i32| {
        let mut number = key.n().to_owned().unwrap();
        if by < 0 {
            number.sub_word(by.unsigned_abs()).unwrap()
        } else {
            number.add_word(by.unsigned_abs()).unwrap()
        }
        block_of(&number)
    };
    let small = [0, 1, 2].map(|number| block_of(&BigNum::from_u32(number).unwrap()));
    let blocks = [&small[..], &[moved(-2), moved(-1), moved(0), moved(1), [0xff; 256]]].concat();

    assert!(blocks[5..].iter().all(|block| reference(&key, block).is_none()));
    assert_same(&[key], &blocks);
}

#[test]
fn the_smaller_prime_may_come_first() {
    let key = Rsa::generate(2048).unwrap();
    let own = |number: &openssl::bn::BigNumRef| number.to_owned().unwrap();
    let mut inverse = BigNum::new().unwrap();
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    inverse.mod_inverse(key.p().unwrap(), key.q().unwrap(), &mut context).unwrap();
    let swapped = Rsa::from_private_components(
        own(key.n()),
        own(key.e()),
        own(key.d()),
        own(key.q().unwrap()),
        own(key.p().unwrap()),
        own(key.dmq1().unwrap()),
        own(key.dmp1().unwrap()),
        inverse,
    );

    assert_same(&[key, swapped.unwrap()], &std::array::from_fn::<_, 8, _>(|at| block(at as u8 + 77)));
}

#[test]
fn a_damaged_key_decrypts_nothing() {
    let key = Rsa::generate(2048).unwrap();
    let (whole, mut damaged) = (lanes_of(&key), lanes_of(&key));
    damaged.p.exponent[3] ^= 1 << 17;
    let blocks: Vec<Block> = (1..9).map(block).collect();
    let jobs: Vec<_> = [&whole, &damaged].into_iter().cycle().zip(&blocks).collect();

    let done = decrypt_all(&jobs).iter().map(Option::is_some).collect::<Vec<_>>();

    assert_eq!(done, [is_available(), false].repeat(4));
}

#[test]
fn keys_of_other_kinds_are_not_taken() {
    let three = BigNum::from_u32(3).unwrap();

    for bits in [1024, 2040, 3072] {
        assert!(PrivateKey::new(&Rsa::generate(bits).unwrap()).is_none(), "{bits}");
    }
    assert!(PrivateKey::new(&Rsa::generate_with_e(2048, &three).unwrap()).is_none());
    assert_eq!(format!("{:?}", lanes_of(&Rsa::generate(2048).unwrap())), "PrivateKey([redacted])");
}
