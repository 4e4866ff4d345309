//! Bodies of these interfaces: JSON objects, whatever content type they are sent as.

use actix_web::web::Bytes;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// The members of a body.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body; `invalid` is what one is told that is not a JSON object.
    pub(super) fn read(body: Result<Bytes, actix_web::Error>, invalid: &str) -> Result<Self, Refusal> {
        // The words of the parser may quote the body, so they go to nobody.
        let object = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
        match object {
            Some(Value::Object(members)) => Ok(Self(members)),
            _ => Err(Refusal::invalid(invalid)),
        }
    }

    /// A text; `None` when it is not there, or is none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Refuses a body in which one of these members is not there: the first of them is named.
    pub(super) fn require(&self, members: &[(&str, &str)]) -> Result<(), Refusal> {
        match members.iter().find(|(name, _)| !self.0.contains_key(*name)) {
            Some((_, missing)) => Err(Refusal::invalid(*missing)),
            None => Ok(()),
        }
    }

    /// Anything.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text that has a form. That it is there is judged before ([`Self::require`]).
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<T, Refusal>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.text(name).ok_or_else(|| Refusal::invalid(format!("invalid {name}")))?;
        text.trim().parse().map_err(|error| Refusal::invalid(format!("invalid {name}: {error}")))
    }
}
