//! JSON documents with places.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Template, TemplateError, Values};

/// A JSON document with places in its texts. A text that is `{validity_seconds}` and nothing else is a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct JsonTemplate(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(Template),
    Seconds,
    Fixed(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl TryFrom<Value> for JsonTemplate {
    type Error = TemplateError;

    fn try_from(value: Value) -> Result<Self, TemplateError> {
        Node::read(value).map(Self)
    }
}

impl Node {
    fn read(value: Value) -> Result<Self, TemplateError> {
        Ok(match value {
            Value::String(text) if text == "{validity_seconds}" => Self::Seconds,
            Value::String(text) => Self::Text(text.parse()?),
            Value::Array(items) => Self::List(items.into_iter().map(Self::read).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                let read = |(name, value)| Ok((name, Self::read(value)?));
                Self::Object(fields.into_iter().map(read).collect::<Result<_, _>>()?)
            }
            fixed => Self::Fixed(fixed),
        })
    }

    fn fill(&self, values: &Values<'_>) -> Value {
        match self {
            Self::Text(template) => template.fill(values).into(),
            Self::Seconds => values.validity_seconds.into(),
            Self::Fixed(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.fill(values)).collect(),
            Self::Object(fields) => {
                let fill = |(name, node): &(String, Node)| (name.clone(), node.fill(values));
                Value::Object(fields.iter().map(fill).collect::<Map<_, _>>())
            }
        }
    }
}

impl JsonTemplate {
    /// Puts the values in.
    pub(crate) fn fill(&self, values: &Values<'_>) -> Value {
        self.0.fill(values)
    }
}
