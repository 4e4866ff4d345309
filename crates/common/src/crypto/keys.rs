//! Checks of public keys before a server stores them: exact length, known prefix, and for Curve25519 a point that is
//! worth agreeing on.

use curve25519_dalek::constants::X25519_LOW_ORDER_POINTS;

/// Octets of a serialized Curve25519 public key: the prefix and the u-coordinate, little endian.
pub const EC_LEN: usize = 33;
/// First octet of a Curve25519 public key.
pub const EC_PREFIX: u8 = 0x05;
/// Octets of a serialized Kyber-1024 public key: the prefix and 1568 octets.
pub const KYBER_LEN: usize = 1569;
/// First octet of a Kyber-1024 (round 3) public key; ML-KEM would be 0x0A.
pub const KYBER_PREFIX: u8 = 0x08;

/// 2^255 - 19, little endian: a canonical coordinate is less.
const FIELD_PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

/// Why a public key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the exact length.
    #[error("public key has a wrong length")]
    Length,
    /// Not the type octet expected.
    #[error("public key is of another type")]
    Prefix,
    /// A coordinate that has a shorter spelling.
    #[error("public key is not canonical")]
    NotCanonical,
    /// A point of small order: any agreement with it is known to all.
    #[error("public key has a low order")]
    LowOrder,
}

/// Checks a serialized Curve25519 public key; gives its u-coordinate.
///
/// # Errors
/// [`KeyError`] by its variants.
pub fn check_ec(key: &[u8]) -> Result<[u8; 32], KeyError> {
    let coordinate = typed(key, EC_LEN, EC_PREFIX)?;
    let coordinate: [u8; 32] = coordinate.try_into().map_err(|_| KeyError::Length)?;
    check_x25519(&coordinate)?;
    Ok(coordinate)
}

/// Checks the u-coordinate of an X25519 public key (RFC 7748 §5), little endian.
///
/// # Errors
/// [`KeyError::NotCanonical`], [`KeyError::LowOrder`].
pub fn check_x25519(coordinate: &[u8; 32]) -> Result<(), KeyError> {
    if coordinate.iter().rev().ge(FIELD_PRIME.iter().rev()) {
        return Err(KeyError::NotCanonical);
    }
    if X25519_LOW_ORDER_POINTS.iter().any(|point| point.as_bytes() == coordinate) {
        return Err(KeyError::LowOrder);
    }
    Ok(())
}

/// Checks a serialized Kyber-1024 public key: length and type, as nothing else can be told from outside.
///
/// # Errors
/// [`KeyError::Length`], [`KeyError::Prefix`].
pub fn check_kyber(key: &[u8]) -> Result<(), KeyError> {
    typed(key, KYBER_LEN, KYBER_PREFIX).map(|_| ())
}

fn typed(key: &[u8], length: usize, prefix: u8) -> Result<&[u8], KeyError> {
    if key.len() != length {
        return Err(KeyError::Length);
    }
    match key.split_first() {
        Some((first, rest)) if *first == prefix => Ok(rest),
        _ => Err(KeyError::Prefix),
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::montgomery::MontgomeryPoint;
    use curve25519_dalek::scalar::Scalar;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_accepted_has_one_spelling_and_is_worth_agreeing_on(
            prefix in prop_oneof![Just(EC_PREFIX), any::<u8>()],
            rest in prop_oneof![4 => vec(any::<u8>(), EC_LEN - 1), 1 => vec(any::<u8>(), 0..40)],
        ) {
            let key = [&[prefix], &rest[..]].concat();

            if let Ok(coordinate) = check_ec(&key) {
                prop_assert_eq!(key, [&[EC_PREFIX], &coordinate[..]].concat());
                // Times 8 a point of small order is gone, and what comes back is reduced: as it was, if canonical.
                let point = MontgomeryPoint(coordinate);
                prop_assert_ne!((point * Scalar::from(8_u8)).to_bytes(), [0; 32]);
                prop_assert_eq!((point * Scalar::ONE).to_bytes(), coordinate);
            }
        }

        #[test]
        fn every_agreement_key_is_accepted(secret: [u8; 32]) {
            let public = MontgomeryPoint::mul_base_clamped(secret).to_bytes();

            prop_assert_eq!(check_ec(&[&[EC_PREFIX], &public[..]].concat()), Ok(public));
        }

        #[test]
        fn kyber_keys_are_told_by_length_and_type(
            prefix in prop_oneof![Just(KYBER_PREFIX), any::<u8>()],
            length in prop_oneof![Just(KYBER_LEN - 1), 0..2000_usize],
        ) {
            let key = [vec![prefix], vec![7; length]].concat();

            prop_assert_eq!(check_kyber(&key).is_ok(), prefix == KYBER_PREFIX && key.len() == KYBER_LEN);
        }
    }

    fn ec(low: u8, fill: u8, high: u8) -> Vec<u8> {
        let mut key = vec![fill; EC_LEN];
        key[0] = EC_PREFIX;
        key[1] = low;
        key[32] = high;
        key
    }

    #[test]
    fn the_base_point_passes() {
        assert!(check_ec(&ec(9, 0, 0)).is_ok());
    }

    #[test]
    fn length_and_type_are_exact() {
        let key = ec(9, 0, 0);

        assert_eq!(check_ec(&key[..32]), Err(KeyError::Length));
        assert_eq!(check_ec(&[&key[..], &[0]].concat()), Err(KeyError::Length));
        assert_eq!(check_ec(&[&[4], &key[1..]].concat()), Err(KeyError::Prefix));
        assert_eq!(check_ec(&[]), Err(KeyError::Length));

        let kyber = |prefix, length| check_kyber(&[vec![prefix], vec![0; length]].concat());
        assert_eq!(kyber(0x08, 1568), Ok(()));
        assert_eq!(kyber(0x0A, 1568), Err(KeyError::Prefix));
        assert_eq!(kyber(0x08, 1567), Err(KeyError::Length));
        assert_eq!(kyber(0x08, 1569), Err(KeyError::Length));
    }

    #[test]
    fn a_coordinate_has_one_spelling() {
        assert_eq!(check_ec(&ec(0xec, 0xff, 0x7f)), Err(KeyError::LowOrder), "p - 1");
        assert_eq!(check_ec(&ec(0xeb, 0xff, 0x7f)).map(|_| ()), Ok(()), "p - 2");
        for (low, high) in [(0xed, 0x7f), (0xee, 0x7f), (0xff, 0x7f), (0xff, 0xff)] {
            assert_eq!(check_ec(&ec(low, 0xff, high)), Err(KeyError::NotCanonical));
        }
        assert_eq!(check_ec(&ec(9, 0, 0x80)), Err(KeyError::NotCanonical), "the top bit is not part of it");
    }

    #[test]
    fn points_of_low_order_are_refused() {
        assert_eq!(check_ec(&ec(0, 0, 0)), Err(KeyError::LowOrder));
        assert_eq!(check_ec(&ec(1, 0, 0)), Err(KeyError::LowOrder));
        for point in X25519_LOW_ORDER_POINTS {
            assert!(check_ec(&[&[EC_PREFIX], &point.as_bytes()[..]].concat()).is_err());
        }
    }
}
