//! JSON that is carried and not looked into, unless somebody asks.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON text, known to be well-formed and kept as it came: numbers lose no digit, objects keep their order.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Writes a value as JSON.
    ///
    /// # Errors
    /// What serde makes of a value without a form in JSON, such as a map with keys that are no texts.
    pub fn of(value: &(impl Serialize + ?Sized)) -> serde_json::Result<Self> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// Takes over a JSON text.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_text(text: impl Into<String>) -> serde_json::Result<Self> {
        RawValue::from_string(text.into()).map(Self)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads it as a `T`. For the arguments of an event, a tuple names exactly as many as there must be.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(self.as_str())
    }

    /// Reads one item of an array as a `T`; `None` when the array is shorter.
    ///
    /// # Errors
    /// When it is no array, or the item is not a `T`.
    pub fn item<T: DeserializeOwned>(&self, index: usize) -> serde_json::Result<Option<T>> {
        let item = serde_json::Deserializer::from_str(self.as_str()).deserialize_seq(Item(index))?;
        item.map(|item| serde_json::from_str(item.get())).transpose()
    }

    /// Returns what an array has between its brackets; nothing of any other JSON.
    pub(crate) fn items(&self) -> &str {
        let inner = self.as_str().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        inner.unwrap_or_default().trim_ascii()
    }

    /// An array without items.
    pub fn empty_array() -> Self {
        Self(RawValue::from_string("[]".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

/// Tells how long the text is; the text may be anybody's secret.
impl fmt::Debug for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Json({} bytes)", self.as_str().len())
    }
}

/// The same text; two texts for one value are different.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

/// Finds the item at an index, and looks at the others only to pass them.
struct Item(usize);

impl<'de> Visitor<'de> for Item {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.0 {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let item = items.next_element()?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_order_survive() {
        let text = r#"{"b":1.10,"a":12345678901234567890123}"#;

        let json = Json::from_text(text).unwrap();

        assert_eq!(json.as_str(), text);
        assert_eq!(Json::of(&(&json, 1)).unwrap().as_str(), format!("[{text},1]"));
    }

    #[test]
    fn items_of_an_array_are_read_by_their_place() {
        let json = Json::from_text(r#"[1,{"a":[2]},"x"]"#).unwrap();

        assert_eq!(json.item::<u8>(0).unwrap(), Some(1));
        assert_eq!(json.item::<String>(2).unwrap(), Some("x".to_owned()));
        assert_eq!(json.item::<u8>(3).unwrap(), None);
        assert!(json.item::<u8>(1).is_err());
        assert!(Json::of("no array").unwrap().item::<u8>(0).is_err());
    }

    #[test]
    fn debug_output_shows_no_content() {
        let json = Json::of("hunter2").unwrap();

        assert_eq!(format!("{json:?}"), "Json(9 bytes)");
    }
}
