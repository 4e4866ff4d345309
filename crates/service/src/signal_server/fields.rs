//! The fields of a body, by the rules of signal_server: what is read, and what is wrong with it.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::Refusal;

/// What is wrong with the fields of a body: texts by name, or what is nested below a name.
#[derive(Debug, Default)]
pub struct Errors(Map<String, Value>);

impl Errors {
    /// Adds a text about a field.
    pub fn add(&mut self, name: &str, text: impl Into<String>) {
        let texts = self.0.entry(name).or_insert_with(|| json!([]));
        if let Value::Array(texts) = texts {
            texts.push(Value::String(text.into()));
        }
    }

    /// Puts what is wrong within a field, in the field's own shape.
    pub fn nest(&mut self, name: &str, errors: impl Into<Value>) {
        self.0.insert(name.to_owned(), errors.into());
    }

    /// Tells whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Errors> for Value {
    fn from(errors: Errors) -> Self {
        Self::Object(errors.0)
    }
}

/// The rule of a text: its length in characters, and whether blanks around it are part of it.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Least characters, after trimming.
    pub least: usize,
    /// Most characters, after trimming.
    pub most: usize,
    /// Whether blanks around it are cut off.
    pub trimmed: bool,
}

impl Text {
    /// A text of 1 to `most` characters, with blanks around it cut off.
    #[must_use]
    pub fn up_to(most: usize) -> Self {
        Self { least: 1, most, trimmed: true }
    }

    /// A text of exactly so many characters, with blanks around it cut off.
    #[must_use]
    pub fn exactly(characters: usize) -> Self {
        Self { least: characters, most: characters, trimmed: true }
    }
}

/// Reads an integer: a number without a fraction (`1.0` is 1), or the same in decimal digits.
#[must_use]
pub fn integer(value: &Value) -> Option<i64> {
    // Beyond this not every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
            // It has no fraction, and is in range.
            Some(float as i64)
        }),
        Value::String(text) => {
            let text = text.trim();
            text.strip_suffix(".0").unwrap_or(text).parse().ok()
        }
        _ => None,
    }
}

/// The fields of a body that is an object, on the way to be read. `Debug` shows none: they may be passwords.
pub struct Fields {
    given: Map<String, Value>,
    errors: Errors,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("errors", &self.errors).finish_non_exhaustive()
    }
}

impl Fields {
    /// Takes a body; none at all has no fields.
    ///
    /// # Errors
    /// The 400 of a body that is no object.
    pub fn of(body: Option<Value>) -> Result<Self, Refusal> {
        match body {
            None => Ok(Self { given: Map::new(), errors: Errors::default() }),
            Some(Value::Object(given)) => Ok(Self { given, errors: Errors::default() }),
            Some(_) => Err(Refusal::non_field("Invalid data. Expected a dictionary.")),
        }
    }

    /// Takes a field as it is, for a rule of the caller's own; `None` when it is not there, which is noted.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.given.remove(name);
        match value {
            None => self.errors.add(name, "This field is required."),
            Some(Value::Null) => self.errors.add(name, "This field may not be null."),
            Some(value) => return Some(value),
        }
        None
    }

    /// Tells whether a field is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Reads a text; a number counts as its digits. What is wrong is noted.
    pub fn text(&mut self, name: &str, rule: Text) -> Option<String> {
        let text = match self.take(name)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return self.wrong(name, "Not a valid string."),
        };
        let text = if rule.trimmed { text.trim().to_owned() } else { text };
        let length = text.chars().count();
        if text.is_empty() && rule.least > 0 {
            self.wrong(name, "This field may not be blank.")
        } else if length < rule.least {
            self.wrong(name, &format!("Ensure this field has at least {} characters.", rule.least))
        } else if length > rule.most {
            self.wrong(name, &format!("Ensure this field has no more than {} characters.", rule.most))
        } else if text.contains('\0') {
            self.wrong(name, "Null characters are not allowed.")
        } else {
            Some(text)
        }
    }

    /// Reads a text that is a `T`. What is wrong is noted, with the words of `T`.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str, rule: Text) -> Option<T> {
        match self.text(name, rule)?.parse() {
            Ok(value) => Some(value),
            Err(error) => self.wrong(name, &error.to_string()),
        }
    }

    /// Reads an integer ([`integer`]). What is wrong is noted.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.take(name)?;
        match integer(&value) {
            None => self.wrong(name, "A valid integer is required."),
            Some(number) if number < *range.start() => {
                let text = format!("Ensure this value is greater than or equal to {}.", range.start());
                self.wrong(name, &text)
            }
            Some(number) if number > *range.end() => {
                let text = format!("Ensure this value is less than or equal to {}.", range.end());
                self.wrong(name, &text)
            }
            number => number,
        }
    }

    /// Notes what is wrong with a field; there is no value of it then.
    pub fn wrong<T>(&mut self, name: &str, text: &str) -> Option<T> {
        self.errors.add(name, text);
        None
    }

    /// Gives what is wrong so far.
    #[must_use]
    pub fn errors(self) -> Errors {
        self.errors
    }

    /// Ends the reading, and gives what was read.
    ///
    /// # Errors
    /// The 400 with the texts of all fields, when something is wrong.
    pub fn complete<T>(mut self, read: Option<T>) -> Result<T, Refusal> {
        self.checked()?;
        // What is missing has been noted.
        read.ok_or_else(|| Refusal::non_field("Invalid data."))
    }

    /// Tells what is wrong so far.
    ///
    /// # Errors
    /// The 400 with the texts of all fields, when something is wrong.
    pub fn checked(&mut self) -> Result<(), Refusal> {
        match std::mem::take(&mut self.errors) {
            errors if errors.is_empty() => Ok(()),
            errors => Err(Refusal::fields(errors)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: Value) -> Fields {
        Fields::of(Some(body)).unwrap()
    }

    #[test]
    fn a_text_is_trimmed_where_its_rule_says_so_and_counted_in_characters() {
        let read = |value: Value, rule| {
            let mut fields = fields(json!({"name": value}));
            (fields.text("name", rule), fields.errors().is_empty())
        };
        let untrimmed = Text { trimmed: false, ..Text::up_to(4) };

        assert_eq!(read(json!(" äöü "), Text::exactly(3)), (Some("äöü".to_owned()), true));
        assert_eq!(read(json!(" äö "), untrimmed), (Some(" äö ".to_owned()), true));
        assert_eq!(read(json!(12.5), untrimmed), (Some("12.5".to_owned()), true));
        for wrong in
            [json!(""), json!("  "), json!("12345"), json!("a\0"), json!(null), json!(true), json!(["a"])]
        {
            assert_eq!(read(wrong.clone(), Text::up_to(4)), (None, false), "{wrong}");
        }
        assert_eq!(read(json!("äö"), Text::exactly(3)), (None, false));
    }

    #[test]
    fn an_integer_has_no_fraction_and_may_be_text() {
        for (value, expected) in [
            (json!(7), Some(7)),
            (json!(1.0), Some(1)),
            (json!(" 007 "), Some(7)),
            (json!("1.0"), Some(1)),
            (json!("-1"), Some(-1)),
            (json!(5.5), None),
            (json!("5.5"), None),
            (json!(1e300), None),
            (json!(18_446_744_073_709_551_615_u64), None),
            (json!(true), None),
            (json!(null), None),
            (json!([1]), None),
            (json!("0x7"), None),
            (json!(""), None),
        ] {
            assert_eq!(integer(&value), expected, "{value}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let mut fields = fields(json!({"id": 1_000_000, "key": null}));

        let read =
            (fields.integer("id", 0..=999_999), fields.text("key", Text::up_to(9)), fields.take("more"));
        let errors: Value = fields.errors().into();

        assert_eq!(read, (None, None, None));
        assert_eq!(errors.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "key", "more"]);
        let secret = Fields::of(Some(json!({"password": "hunter2"}))).unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(Fields::of(Some(json!([]))).is_err() && Fields::of(Some(Value::Null)).is_err());
        assert!(Fields::of(None).unwrap().checked().is_ok());
    }
}
