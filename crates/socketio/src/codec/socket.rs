//! Socket.IO packets, revision 5: <https://github.com/socketio/socket.io-protocol>.
//!
//! `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`, the text of one Engine.IO message. Attachments follow as
//! binary messages; in the JSON each has a placeholder.

use std::fmt::Write;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Json, Malformed};

/// The namespace that is not written.
pub const MAIN: &str = "/";

/// The longest name of a namespace, in bytes.
pub const MAX_NAMESPACE_BYTES: usize = 256;

/// Names that mean something to the clients' libraries, and so are no names of events.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Tells whether events may not have this name.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The namespace; [`MAIN`] when none is written.
    pub namespace: &'a str,
    /// The rest.
    pub body: Body,
}

/// What a packet says to its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `0`: of the client, with credentials; of the server, with the id of the connection.
    Connect(Option<Json>),
    /// `1`: leaves the namespace.
    Disconnect,
    /// `2`, or `5` with attachments.
    Event {
        /// The id by which it is to be acknowledged.
        id: Option<u64>,
        /// The name.
        name: String,
        /// The arguments: an array.
        args: Json,
        /// How many binary messages follow.
        attachments: usize,
    },
    /// `3`, or `6` with attachments: acknowledges an event.
    Ack {
        /// The id of the event.
        id: u64,
        /// The arguments: an array.
        args: Json,
        /// How many binary messages follow.
        attachments: usize,
    },
    /// `4`: of the server, refuses a connect.
    ConnectError(Json),
}

impl Body {
    /// Returns how many binary messages belong to the packet.
    pub fn attachments(&self) -> usize {
        match self {
            Self::Event { attachments, .. } | Self::Ack { attachments, .. } => *attachments,
            Self::Connect(_) | Self::Disconnect | Self::ConnectError(_) => 0,
        }
    }
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`Malformed`]: an unknown type, JSON of the wrong kind, anything between the parts, a placeholder for an
    /// attachment that is not announced, a reserved event name.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let (kind, rest) = text.split_at_checked(1).ok_or(Malformed("an empty packet"))?;
        let binary = matches!(kind, "5" | "6");
        let (attachments, rest) = if binary { take_attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = take_namespace(rest)?;
        let (id, json) = take_id(rest)?;
        let body = match (kind, id) {
            ("0", None) => Body::Connect(object(json)?),
            ("1", None) if json.is_empty() => Body::Disconnect,
            ("2" | "5", id) => {
                let (name, args) = name_and_args(json)?;
                Body::Event { id, name, args, attachments }
            }
            ("3" | "6", Some(id)) => {
                let args: Json = serde_json::from_str(json).map_err(|_| NOT_JSON)?;
                if !args.as_str().starts_with('[') {
                    return Err(Malformed("the arguments of an ACK are an array"));
                }
                Body::Ack { id, args, attachments }
            }
            ("3" | "6", None) => return Err(Malformed("an ACK without an id")),
            ("4", None) => {
                Body::ConnectError(object(json)?.ok_or(Malformed("a CONNECT_ERROR without data"))?)
            }
            ("1", None) => return Err(Malformed("a DISCONNECT has no data")),
            ("0" | "1" | "4", Some(_)) => return Err(Malformed("only events and their ACKs have an id")),
            _ => return Err(Malformed("an unknown packet type")),
        };
        if binary && let Body::Event { args, .. } | Body::Ack { args, .. } = &body {
            check_placeholders(args, attachments)?;
        }
        Ok(Self { namespace, body })
    }

    /// Writes the packet after what `text` has.
    pub fn encode(&self, text: &mut String) {
        let attachments = self.body.attachments();
        let kind = match (&self.body, attachments) {
            (Body::Connect(_), _) => '0',
            (Body::Disconnect, _) => '1',
            (Body::Event { .. }, 0) => '2',
            (Body::Ack { .. }, 0) => '3',
            (Body::ConnectError(_), _) => '4',
            (Body::Event { .. }, _) => '5',
            (Body::Ack { .. }, _) => '6',
        };
        let id = match &self.body {
            Body::Event { id, .. } => *id,
            Body::Ack { id, .. } => Some(*id),
            _ => None,
        };
        write_head(text, kind, attachments, self.namespace, id);
        match &self.body {
            Body::Connect(Some(data)) | Body::ConnectError(data) => text.push_str(data.as_str()),
            Body::Connect(None) | Body::Disconnect => {}
            Body::Event { name, args, .. } => write_event(text, name, args.items()),
            Body::Ack { args, .. } => text.push_str(args.as_str()),
        }
    }
}

const NOT_JSON: Malformed = Malformed("data that is not JSON");

/// Writes everything before the JSON.
pub(crate) fn write_head(
    text: &mut String,
    kind: char,
    attachments: usize,
    namespace: &str,
    id: Option<u64>,
) {
    text.push(kind);
    if attachments > 0 {
        // Writing to a text cannot fail.
        let _ = write!(text, "{attachments}-");
    }
    if namespace != MAIN {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(id) = id {
        let _ = write!(text, "{id}");
    }
}

/// Writes the JSON of an event; `items` is what its arguments have between their brackets.
pub(crate) fn write_event(text: &mut String, name: &str, items: &str) {
    text.push('[');
    // A text always has a form in JSON.
    text.push_str(&serde_json::to_string(name).unwrap_or_default());
    if !items.is_empty() {
        text.push(',');
        text.push_str(items);
    }
    text.push(']');
}

fn take_attachments(text: &str) -> Result<(usize, &str), Malformed> {
    let wrong = Malformed("a wrong number of attachments");
    let (count, rest) = text.split_once('-').ok_or(wrong)?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong);
    }
    Ok((count.parse().map_err(|_| wrong)?, rest))
}

fn take_namespace(text: &str) -> Result<(&str, &str), Malformed> {
    if !text.starts_with('/') {
        return Ok((MAIN, text));
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    if namespace.len() > MAX_NAMESPACE_BYTES {
        return Err(Malformed("a namespace with too long a name"));
    }
    Ok((namespace, rest))
}

fn take_id(text: &str) -> Result<(Option<u64>, &str), Malformed> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (id, rest) = text.split_at_checked(digits).unwrap_or_default();
    if id.is_empty() {
        return Ok((None, rest));
    }
    Ok((Some(id.parse().map_err(|_| Malformed("an id over the limit"))?), rest))
}

fn object(json: &str) -> Result<Option<Json>, Malformed> {
    if json.is_empty() {
        return Ok(None);
    }
    let data: Json = serde_json::from_str(json).map_err(|_| NOT_JSON)?;
    if !data.as_str().starts_with('{') {
        return Err(Malformed("the data of this packet type is an object"));
    }
    Ok(Some(data))
}

/// Splits the JSON of an event: `["name",1,2]` is the name and `[1,2]`.
fn name_and_args(json: &str) -> Result<(String, Json), Malformed> {
    let array: &RawValue = serde_json::from_str(json).map_err(|_| NOT_JSON)?;
    let inner = array.get().strip_prefix('[').ok_or(Malformed("the data of an event is an array"))?;
    let mut items = serde_json::Deserializer::from_str(inner).into_iter::<String>();
    let name = match items.next() {
        Some(Ok(name)) => name,
        _ => return Err(Malformed("an event begins with its name")),
    };
    if is_reserved(&name) {
        return Err(Malformed("a reserved event name"));
    }
    // The whole was found to be an array, so what follows the name is its end, or a comma and the rest.
    let rest = inner.get(items.byte_offset()..).unwrap_or_default().trim_ascii();
    let rest = rest.strip_suffix(']').unwrap_or(rest);
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_ascii();
    Ok((name, Json::from_text(format!("[{rest}]")).map_err(|_| NOT_JSON)?))
}

/// Every placeholder stands for an attachment that is announced.
fn check_placeholders(args: &Json, attachments: usize) -> Result<(), Malformed> {
    fn holds(value: &Value, attachments: usize) -> bool {
        match value {
            Value::Array(items) => items.iter().all(|item| holds(item, attachments)),
            Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
                let place = fields.get("num").and_then(Value::as_u64);
                place.is_some_and(|place| usize::try_from(place).is_ok_and(|place| place < attachments))
            }
            Value::Object(fields) => fields.values().all(|field| holds(field, attachments)),
            _ => true,
        }
    }
    // Nested deeper than serde_json goes, it is refused here.
    let args = args.parse::<Value>().map_err(|_| Malformed("data that is nested too deeply"))?;
    if holds(&args, attachments) { Ok(()) } else { Err(Malformed("a placeholder without an attachment")) }
}

#[cfg(test)]
mod tests;
