//! What a server sends: an event, or the answer to one.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use web::ws::Frame;

use crate::codec::Json;
use crate::codec::socket::{is_reserved, write_event, write_head};

/// An event, or the arguments of an acknowledgement, as it is put together.
///
/// ```
/// # fn main() -> serde_json::Result<()> {
/// use socketio::Packet;
///
/// let mut photo = Packet::event("photo");
/// let place = photo.attach(vec![0xff, 0xd8]);
/// let photo = photo.arg(&("a cat", place))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Packet {
    name: String,
    /// What stands between the brackets.
    args: String,
    attachments: Vec<Bytes>,
}

/// Stands for an attachment in the arguments of its packet.
#[derive(Clone, Copy, Debug)]
pub struct Attachment(usize);

impl Packet {
    /// Begins an event. The reserved names (`connect`, `disconnect`, ...) mean something else to clients; an event of
    /// such a name is sent as `message`.
    pub fn event(name: impl Into<String>) -> Self {
        let name = name.into();
        debug_assert!(!is_reserved(&name), "{name} is a reserved event name");
        let name = if is_reserved(&name) { "message".to_owned() } else { name };
        Self { name, ..Self::default() }
    }

    /// Begins the answer to an event, for [`Ack::send`](crate::Ack::send).
    pub fn answer() -> Self {
        Self::default()
    }

    /// Adds an argument.
    ///
    /// # Errors
    /// What serde makes of a value without a form in JSON.
    pub fn arg(mut self, value: &(impl Serialize + ?Sized)) -> serde_json::Result<Self> {
        let value = serde_json::to_string(value)?;
        self.add(&value);
        Ok(self)
    }

    /// Adds an argument that is JSON already.
    #[must_use]
    pub fn json(mut self, value: &Json) -> Self {
        self.add(value.as_str());
        self
    }

    /// Adds all the arguments of another event, such as one that came in; its attachments are added with [`Packet::attach`],
    /// in their order, before any other.
    #[must_use]
    pub fn args(mut self, args: &Json) -> Self {
        self.add(args.items());
        self
    }

    /// Adds an attachment, and returns what stands for it in the arguments.
    pub fn attach(&mut self, data: impl Into<Bytes>) -> Attachment {
        self.attachments.push(data.into());
        Attachment(self.attachments.len() - 1)
    }

    /// Adds an attachment as an argument.
    #[must_use]
    pub fn binary(mut self, data: impl Into<Bytes>) -> Self {
        let Attachment(place) = self.attach(data);
        self.add(&format!(r#"{{"_placeholder":true,"num":{place}}}"#));
        self
    }

    /// Encodes an event for everybody in a namespace; once, however many get it.
    pub fn encode(&self, namespace: &str) -> Encoded {
        Encoded(Arc::new(Inner { namespace: namespace.to_owned(), frames: self.frames(namespace, None) }))
    }

    /// The frames of an event: the text with the digit of Engine.IO before it, then the attachments.
    pub(crate) fn frames(&self, namespace: &str, id: Option<u64>) -> Vec<Frame> {
        let kind = if self.attachments.is_empty() { '2' } else { '5' };
        self.write(kind, namespace, id, |text| write_event(text, &self.name, &self.args))
    }

    /// The frames of an acknowledgement.
    pub(crate) fn as_answer(&self, namespace: &str, id: u64) -> Vec<Frame> {
        let kind = if self.attachments.is_empty() { '3' } else { '6' };
        self.write(kind, namespace, Some(id), |text| {
            text.push('[');
            text.push_str(&self.args);
            text.push(']');
        })
    }

    fn write(
        &self,
        kind: char,
        namespace: &str,
        id: Option<u64>,
        json: impl FnOnce(&mut String),
    ) -> Vec<Frame> {
        let mut text = String::with_capacity(self.args.len() + 64);
        text.push('4');
        write_head(&mut text, kind, self.attachments.len(), namespace, id);
        json(&mut text);
        let mut frames = Vec::with_capacity(1 + self.attachments.len());
        frames.push(Frame::text(&text));
        frames.extend(self.attachments.iter().map(|data| Frame::binary(data)));
        frames
    }

    fn add(&mut self, items: &str) {
        if !self.args.is_empty() && !items.is_empty() {
            self.args.push(',');
        }
        self.args.push_str(items);
    }
}

/// Tells the sizes only.
impl std::fmt::Debug for Packet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Packet")
            .field("name", &self.name)
            .field("bytes", &self.args.len())
            .field("attachments", &self.attachments.len())
            .finish()
    }
}

impl Serialize for Attachment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut placeholder = serializer.serialize_map(Some(2))?;
        placeholder.serialize_entry("_placeholder", &true)?;
        placeholder.serialize_entry("num", &self.0)?;
        placeholder.end()
    }
}

/// An event that is encoded for one namespace. Clones share it; so does every client that it is sent to.
#[derive(Clone, Debug)]
pub struct Encoded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    namespace: String,
    frames: Vec<Frame>,
}

impl Encoded {
    /// Returns the namespace that it is encoded for.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    pub(crate) fn frames(&self) -> &[Frame] {
        &self.0.frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(frames: &[Frame]) -> Vec<String> {
        frames.iter().map(|frame| String::from_utf8_lossy(&frame.payload()).into_owned()).collect()
    }

    #[test]
    fn events_are_written_as_the_protocol_shows_them() {
        let event = Packet::event("foo").arg(&1).unwrap().arg("x").unwrap();

        assert_eq!(texts(event.encode("/").frames()), [r#"42["foo",1,"x"]"#]);
        assert_eq!(texts(event.encode("/admin").frames()), [r#"42/admin,["foo",1,"x"]"#]);
        assert_eq!(texts(&event.frames("/", Some(12))), [r#"4212["foo",1,"x"]"#]);
        assert_eq!(texts(Packet::event("foo").encode("/").frames()), [r#"42["foo"]"#]);
        assert_eq!(texts(&Packet::answer().as_answer("/", 12)), ["4312[]"]);
    }

    #[test]
    fn attachments_follow_in_order() {
        let mut event = Packet::event("baz");
        let place = event.attach(&b"one"[..]);
        let event = event.arg(&[place]).unwrap().binary(&b"two"[..]);

        let frames = event.frames("/", None);

        let text = r#"452-["baz",[{"_placeholder":true,"num":0}],{"_placeholder":true,"num":1}]"#;
        assert_eq!(texts(&frames), [text, "one", "two"]);
        assert_eq!(frames.iter().map(Frame::is_binary).collect::<Vec<_>>(), [false, true, true]);
        let answer = Packet::answer().binary(&b"x"[..]);
        assert_eq!(texts(&answer.as_answer("/", 7))[0], r#"461-7[{"_placeholder":true,"num":0}]"#);
    }

    #[test]
    fn arguments_of_another_event_are_passed_on_as_they_came() {
        let args = Json::from_text(r#"[1.50, {"b":1,"a":2}]"#).unwrap();

        let event = Packet::event("back").args(&args).json(&Json::of("x").unwrap());

        assert_eq!(texts(event.encode("/").frames()), [r#"42["back",1.50, {"b":1,"a":2},"x"]"#]);
        let none = Packet::event("back").args(&Json::empty_array());
        assert_eq!(texts(none.encode("/").frames()), [r#"42["back"]"#]);
    }
}
