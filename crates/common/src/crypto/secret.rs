//! Values that must not be printed by accident, and are wiped when dropped.

use std::fmt;

use serde::{Deserialize, Deserializer, Serializer};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize;

/// A secret value: `Debug` prints `[redacted]`, there is no `Display` and no `Serialize`; wiped when dropped.
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes charge of `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Shows the value: the one greppable way to it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// Tells whether `other` is the same text, in time that depends on the lengths only.
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

/// Writes the secret, for `#[serde(serialize_with)]` on a body that is how it reaches the one who must have it.
pub(crate) fn exposed<S: Serializer>(secret: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

#[cfg(feature = "utoipa")]
mod openapi {
    use std::borrow::Cow;

    use utoipa::openapi::schema::SchemaFormat;
    use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::Secret;

    impl PartialSchema for Secret<String> {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
                .into()
        }
    }

    impl ToSchema for Secret<String> {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("Secret")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_redacted() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "read by Debug")]
        struct Settings {
            password: Secret<String>,
        }

        let shown = format!("{:?}", Settings { password: "hunter2".into() });

        assert_eq!(shown, "Settings { password: [redacted] }");
    }

    #[test]
    fn only_the_same_text_matches() {
        let secret = Secret::from("hunter2");

        assert!(secret.matches("hunter2"));
        assert!(!secret.matches("hunter3") && !secret.matches("hunter") && !secret.matches(""));
    }
}
