//! A notification: what is published, then where it stands, then the forms in which it goes out.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use common::models::notify::{MessageType, NotificationFrame, NotificationMeta, Place};
use common::models::{NotificationId, UnixMillis};
use serde::Deserialize;
use serde_json::value::RawValue;
use socketio::{Encoded, Packet};
use web::ws::Frame;

use super::channel_name::ChannelName;

/// What is published. `Debug` shows none of the data.
#[derive(Clone)]
pub(crate) struct Notification {
    pub(crate) channel: ChannelName,
    pub(crate) id: NotificationId,
    pub(crate) at: UnixMillis,
    pub(crate) data: Box<RawValue>,
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A notification on its way to clients. Each form is made once, when the first client wants it, and shared by all.
pub(crate) struct Publication {
    notification: Notification,
    /// None: it is volatile.
    place: Option<Place>,
    frame: OnceLock<Frame>,
    event: OnceLock<Bytes>,
    plain: OnceLock<Encoded>,
    with_meta: OnceLock<Encoded>,
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { notification, place, .. } = self;
        f.debug_struct("Publication")
            .field("id", &notification.id)
            .field("place", place)
            .finish_non_exhaustive()
    }
}

impl Publication {
    /// Puts a notification into its place; a volatile one has none.
    pub(crate) fn new(notification: Notification, place: Option<Place>) -> Arc<Self> {
        let (frame, event, plain, with_meta) = Default::default();
        Arc::new(Self { notification, place, frame, event, plain, with_meta })
    }

    /// Gives the channel.
    pub(crate) fn channel(&self) -> &ChannelName {
        &self.notification.channel
    }

    /// Gives the place; a volatile one has none.
    pub(crate) fn place(&self) -> Option<Place> {
        self.place
    }

    /// Gives the data, as it was written.
    pub(crate) fn data(&self) -> &RawValue {
        &self.notification.data
    }

    /// Gives how much room it takes, about.
    pub(crate) fn size(&self) -> usize {
        self.notification.data.get().len() + self.notification.channel.as_str().len()
    }

    /// Gives what is known of it beside the data.
    pub(crate) fn meta(&self) -> NotificationMeta<'_> {
        let Notification { channel, id, at, .. } = &self.notification;
        NotificationMeta { channel: channel.as_str(), id: *id, place: self.place, at: *at }
    }

    /// Gives the frame of a plain websocket.
    pub(crate) fn frame(&self) -> Frame {
        self.frame.get_or_init(|| Frame::text(&self.json())).clone()
    }

    /// Gives the event of an event stream (WHATWG HTML §9.2.6). Its id is where a client resumes.
    pub(crate) fn event(&self) -> Bytes {
        let make = || {
            let json = self.json();
            match self.place {
                Some(Place { offset, epoch }) => {
                    format!("id: {offset}/{epoch}\nevent: message\ndata: {json}\n\n")
                }
                None => format!("event: message\ndata: {json}\n\n"),
            }
            .into()
        };
        self.event.get_or_init(make).clone()
    }

    /// Gives the event of Socket.IO: the value as the only argument, or what is known of it as the second.
    pub(crate) fn packet(&self, meta: bool) -> &Encoded {
        let make = |meta: bool| {
            let packet = Packet::event("message").arg(self.data());
            let packet = if meta { packet.and_then(|packet| packet.arg(&self.meta())) } else { packet };
            // Plain fields and JSON that was checked always have a form in JSON.
            packet.unwrap_or_default().encode("/")
        };
        let form = if meta { &self.with_meta } else { &self.plain };
        form.get_or_init(|| make(meta))
    }

    fn json(&self) -> String {
        let frame = NotificationFrame { kind: MessageType::Message, meta: self.meta(), data: self.data() };
        // Plain fields and JSON that was checked always have a form in JSON.
        serde_json::to_string(&frame).unwrap_or_default()
    }
}

/// Reads a JSON object. What is no object is refused, where serde would take the fields out of a list.
pub(crate) fn read_object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok()).flatten()
}

/// Takes line ends out of JSON, where they can only stand between its parts: an event stream ends its fields by them.
pub(crate) fn one_line(data: Box<RawValue>) -> Box<RawValue> {
    if !data.get().contains(['\n', '\r']) {
        return data;
    }
    let text = data.get().replace(['\n', '\r'], " ");
    // Blanks for blanks: it is the same value.
    RawValue::from_string(text).unwrap_or(data)
}

#[cfg(test)]
mod tests {
    use common::models::Epoch;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn nothing_of_the_data_is_in_debug() {
        let data = RawValue::from_string(r#""a secret""#.to_owned()).unwrap();
        let channel = ChannelName::parse("a", 255).unwrap();
        let notification = Notification { channel, id: NotificationId::new(), at: UnixMillis(0), data };

        let shown = format!("{notification:?} {:?}", Publication::new(notification.clone(), None));

        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_list_is_no_object() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Fields {
            a: u8,
        }

        assert_eq!(read_object(b" \n{\"a\": 1, \"b\": 2}"), Some(Fields { a: 1 }));
        for other in [&b"[1]"[..], b"", b"1", b"{}", b"{\"a\":1}x"] {
            assert_eq!(read_object::<Fields>(other), None);
        }
    }

    #[test]
    fn an_event_is_one_line_of_data_with_the_place_to_resume_from() {
        let notification = Notification {
            channel: ChannelName::parse("a", 255).unwrap(),
            id: NotificationId::new(),
            at: UnixMillis(1),
            data: one_line(raw("{\"a\":\r\n \"x\\ny\"}")),
        };
        let epoch = Epoch::new();

        let stored = Publication::new(notification.clone(), Some(Place { offset: 7, epoch })).event();
        let volatile = Publication::new(notification, None).event();

        let stored = std::str::from_utf8(&stored).unwrap();
        assert!(stored.starts_with(&format!("id: 7/{epoch}\nevent: message\ndata: {{")), "{stored}");
        assert!(stored.ends_with("\"data\":{\"a\":   \"x\\ny\"}}\n\n"), "{stored}");
        assert_eq!(stored.lines().count(), 4);
        assert!(volatile.starts_with(b"event: message\ndata: "));
    }
}
