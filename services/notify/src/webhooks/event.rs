//! What receivers are told.

use common::models::{ChannelTokenId, UnixMillis};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ChannelName;

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// A client has joined a channel.
    #[serde(rename = "connect")]
    Connect,
    /// A client has left a channel.
    #[serde(rename = "disconnect")]
    Disconnect,
    /// A member is present in a channel, who was not.
    #[serde(rename = "presence.enter")]
    Enter,
    /// A member is not present any more: the last connection is gone.
    #[serde(rename = "presence.leave")]
    Leave,
    /// A device is to be told of a notification, which named this receiver as the way to it.
    #[serde(rename = "notification")]
    Notification,
}

/// An event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    pub(crate) kind: EventKind,
    pub(crate) at: UnixMillis,
    pub(crate) channel: ChannelName,
    pub(crate) member: Option<String>,
    /// Of connections.
    pub(crate) connection: Option<Uuid>,
    /// Of connections by a token of one device.
    pub(crate) token: Option<ChannelTokenId>,
}

/// The form of `proto/notify/webhook.schema.json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: EventKind,
    id: Uuid,
    at: UnixMillis,
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<ChannelTokenId>,
    #[serde(skip_serializing_if = "is_none")]
    missed: i64,
}

fn is_none(missed: &i64) -> bool {
    *missed == 0
}

impl Event {
    /// An event of a member.
    pub(crate) fn of_member(kind: EventKind, channel: ChannelName, member: String, at: UnixMillis) -> Self {
        Self { id: Uuid::now_v7(), kind, at, channel, member: Some(member), connection: None, token: None }
    }

    /// Gives the body, which tells that so many events before it are lost.
    pub(crate) fn body(&self, missed: i64) -> String {
        let body = Body {
            kind: self.kind,
            id: self.id,
            at: self.at,
            channel: self.channel.as_str(),
            member: self.member.as_deref(),
            connection_id: self.connection,
            token_id: self.token,
            missed,
        };
        // Plain fields always have a form in JSON.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn id(last: char) -> Uuid {
        format!("01890a5d-ac96-774b-bcce-b302099a805{last}").parse().unwrap()
    }

    #[test]
    fn events_have_the_form_of_the_golden_examples() {
        let golden: Vec<Value> =
            serde_json::from_str(include_str!("../../../../proto/notify/webhooks.json")).unwrap();
        let channel = ChannelName::parse("orders/7", usize::MAX).unwrap();
        let at = UnixMillis(1_767_225_600_000);
        let member = |kind, last| Event {
            id: id(last),
            ..Event::of_member(kind, channel.clone(), "alice".to_owned(), at)
        };
        let token: ChannelTokenId = id('9').into();
        let connected =
            Event { connection: Some(id('8')), token: Some(token), ..member(EventKind::Connect, '1') };
        let gone = Event {
            kind: EventKind::Disconnect,
            member: None,
            token: None,
            id: id('2'),
            ..connected.clone()
        };

        let bodies = [
            connected.body(0),
            gone.body(0),
            member(EventKind::Enter, '3').body(0),
            member(EventKind::Leave, '4').body(17),
        ];

        let bodies: Vec<Value> = bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
        // The last example is of a notification, which is no event of a channel.
        assert_eq!(bodies, golden[..4]);
    }
}
