//! Small numbers of the Signal protocol: device, registration and key ids, each within its range.

use std::fmt;

/// A number outside the range that its type allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be within {min}..={max}")]
pub struct OutOfRange {
    what: &'static str,
    min: i32,
    max: i32,
}

macro_rules! ranged_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $min:tt, $max:tt) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        #[cfg_attr(
            feature = "diesel",
            derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
            diesel(sql_type = diesel::sql_types::Integer)
        )]
        #[cfg_attr(
            feature = "utoipa",
            derive(utoipa::ToSchema),
            schema(value_type = i32, minimum = $min, maximum = $max)
        )]
        pub struct $name(i32);

        impl $name {
            /// Takes `number` if it is in range.
            ///
            /// # Errors
            /// [`OutOfRange`] names the range.
            pub fn new(number: i64) -> Result<Self, OutOfRange> {
                i32::try_from(number)
                    .ok()
                    .filter(|number| ($min..=$max).contains(number))
                    .map(Self)
                    .ok_or(OutOfRange { what: $what, min: $min, max: $max })
            }

            /// Gives the number.
            pub fn as_i32(self) -> i32 {
                self.0
            }
        }

        impl TryFrom<i32> for $name {
            type Error = OutOfRange;

            fn try_from(number: i32) -> Result<Self, OutOfRange> {
                Self::new(number.into())
            }
        }

        impl std::str::FromStr for $name {
            type Err = OutOfRange;

            fn from_str(text: &str) -> Result<Self, OutOfRange> {
                // `i64::from_str` would take a sign as well.
                let digits = text.bytes().all(|octet| octet.is_ascii_digit());
                Self::new(text.parse().ok().filter(|_| digits).unwrap_or(-1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }

        sql_number!($name, i32, Integer);
    };
}

ranged_type!(
    /// A device of an account: 1..=127, the range that libsignal accepts.
    DeviceId,
    "device id",
    1,
    127
);
ranged_type!(
    /// Tells one installation on a device id from the next: 1..=16383 (14 bits).
    RegistrationId,
    "registration id",
    1,
    16_383
);
ranged_type!(
    /// A prekey's id, chosen by its owner: 1..=2^31-1.
    KeyId,
    "key id",
    1,
    2_147_483_647
);
ranged_type!(
    /// A registration id or key id of signal_server: 0..=999999, chosen by the client (profile S, §1 and §3).
    SignalServerId,
    "id",
    0,
    999_999
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_the_range_are_refused() {
        assert!(DeviceId::new(1).is_ok() && DeviceId::new(127).is_ok());
        for number in [i64::MIN, -1, 0, 128, 4_294_967_297] {
            assert!(DeviceId::new(number).is_err(), "{number}");
        }
        assert!(RegistrationId::new(16_384).is_err());
        assert!(KeyId::new(2_147_483_647).is_ok() && KeyId::new(2_147_483_648).is_err());
        assert!(serde_json::from_str::<DeviceId>("128").is_err());
        assert!(serde_json::from_str::<DeviceId>("\"1\"").is_err());
    }

    #[test]
    fn path_text_is_digits_only() {
        assert_eq!("7".parse(), DeviceId::new(7));
        for text in ["", "+7", "-7", " 7", "7 ", "7.0", "99999999999999999999"] {
            assert!(text.parse::<DeviceId>().is_err(), "{text}");
        }
    }
}
