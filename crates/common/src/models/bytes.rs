//! Binary values in JSON: base64, lenient when read, one form when written.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const READ_STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const READ_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Bytes that travel as base64 text (RFC 4648): written in the standard alphabet with padding; read in the standard or
/// the URL-safe alphabet, padded or not. `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "diesel",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
    diesel(sql_type = diesel::sql_types::Binary)
)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(value_type = String, format = Byte))]
pub struct Base64Bytes(pub Vec<u8>);

/// Text that is not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64")]
pub struct InvalidBase64;

impl Base64Bytes {
    /// Decodes either alphabet, padded or not.
    ///
    /// # Errors
    /// [`InvalidBase64`] for a foreign character (line breaks included), a mixture of both alphabets, an impossible
    /// length, or bits left over that are not zero.
    pub fn parse(text: &str) -> Result<Self, InvalidBase64> {
        let url_safe = text.bytes().any(|octet| matches!(octet, b'-' | b'_'));
        let engine = if url_safe { &READ_URL_SAFE } else { &READ_STANDARD };
        engine.decode(text).map(Self).map_err(|_| InvalidBase64)
    }

    /// Borrows the bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Gives the bytes.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for Base64Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Base64Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::str::FromStr for Base64Bytes {
    type Err = InvalidBase64;

    fn from_str(text: &str) -> Result<Self, InvalidBase64> {
        Self::parse(text)
    }
}

impl fmt::Display for Base64Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for Base64Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64Bytes({} bytes)", self.0.len())
    }
}

impl serde::Serialize for Base64Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for Base64Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "diesel")]
impl<DB> diesel::serialize::ToSql<diesel::sql_types::Binary, DB> for Base64Bytes
where
    DB: diesel::backend::Backend,
    [u8]: diesel::serialize::ToSql<diesel::sql_types::Binary, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
        self.0.as_slice().to_sql(out)
    }
}

#[cfg(feature = "diesel")]
impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Binary, DB> for Base64Bytes
where
    DB: diesel::backend::Backend,
    Vec<u8>: diesel::deserialize::FromSql<diesel::sql_types::Binary, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        Vec::from_sql(raw).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn written_in_the_standard_alphabet_with_padding() {
        let bytes = Base64Bytes(vec![0xfb, 0xff, 0xfe, 0xff]);

        assert_eq!(serde_json::to_string(&bytes).unwrap(), "\"+//+/w==\"");
    }

    #[test]
    fn foreign_text_is_refused() {
        for text in ["a", "ab\ncd", " abcd", "+-ab", "ab=c", "ab!d"] {
            assert_eq!(Base64Bytes::parse(text), Err(InvalidBase64), "{text:?}");
        }
    }

    #[test]
    fn debug_keeps_the_content_to_itself() {
        assert_eq!(format!("{:?}", Base64Bytes(vec![1, 2, 3])), "Base64Bytes(3 bytes)");
    }

    proptest! {
        #[test]
        fn every_spelling_reads_the_same(bytes: Vec<u8>) {
            for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
                prop_assert_eq!(&Base64Bytes::parse(&engine.encode(&bytes)).unwrap().0, &bytes);
            }
            let json = serde_json::to_string(&Base64Bytes(bytes.clone())).unwrap();
            prop_assert_eq!(serde_json::from_str::<Base64Bytes>(&json).unwrap().0, bytes);
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            let _ = Base64Bytes::parse(&text);
        }
    }
}
