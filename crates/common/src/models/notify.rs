//! Notifications on the wire: frames of `/v1/notify/ws`, the one form that a notification has at every door, and the
//! records of the topic `notify`.
//!
//! What a client is told is written down in `proto/notify.md`, with golden examples beside it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Epoch, NotificationId, Problem, UnixMillis};

/// Where a notification stands in its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Place {
    /// Its number: 1, 2, 3, ... without gaps, for as long as the epoch is the same.
    pub offset: i64,
    /// The life of the channel that the number belongs to.
    pub epoch: Epoch,
}

/// A notification, as every door hands it out.
#[derive(Clone, Copy, Serialize)]
pub struct NotificationFrame<'a> {
    /// `message`.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// What it says beside its data.
    #[serde(flatten)]
    pub meta: NotificationMeta<'a>,
    /// What was published, as it was written.
    pub data: &'a RawValue,
}

/// The `type` of a [`NotificationFrame`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageType {
    /// A notification.
    Message,
}

/// What is known of a notification beside its data; the second argument of the event over Socket.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NotificationMeta<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The id: the same each time it comes.
    pub id: NotificationId,
    /// Its place; a volatile one has none.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// When it was published.
    pub at: UnixMillis,
}

/// What a client sends over `/v1/notify/ws`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum NotifyRequest {
    /// Joins a channel, or goes on with another token.
    Subscribe {
        /// Chosen by the client; the answer names it.
        id: u64,
        /// A token of the channel; for the channel of an account, an access token.
        token: String,
        /// The last offset that was seen; what came after it is sent first.
        #[serde(default)]
        offset: Option<i64>,
        /// The epoch that it was seen in.
        #[serde(default)]
        epoch: Option<Epoch>,
        /// Whether it wants to know who is present.
        #[serde(default)]
        presence: bool,
    },
    /// Leaves a channel.
    Unsubscribe {
        /// Chosen by the client; the answer names it.
        id: u64,
        /// The channel.
        channel: String,
    },
}

impl fmt::Debug for NotifyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscribe { id, .. } => f.debug_struct("Subscribe").field("id", id).finish_non_exhaustive(),
            Self::Unsubscribe { id, .. } => {
                f.debug_struct("Unsubscribe").field("id", id).finish_non_exhaustive()
            }
        }
    }
}

/// What the server says over `/v1/notify/ws` beside notifications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum NotifyFrame {
    /// The channel is joined. What was missed follows, then what comes.
    Subscribed {
        /// That of the request; the event stream has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// The channel.
        channel: String,
        /// The last offset that was published, and its epoch.
        #[serde(flatten)]
        place: Place,
        /// Whether nothing is missing: what was missed follows completely, or nothing was asked for. Else the client has
        /// to fetch anew what it shows, from wherever it is kept.
        recovered: bool,
    },
    /// The channel is left.
    Unsubscribed {
        /// That of the request.
        id: u64,
        /// The channel.
        channel: String,
    },
    /// Something is missing behind what came last, and cannot be had any more: fetch anew.
    Lost {
        /// The channel.
        channel: String,
        /// The last offset up to which something may be missing.
        #[serde(flatten)]
        place: Place,
    },
    /// Who is present in the channel, for a client that asked for it.
    Presence {
        /// The channel.
        channel: String,
        /// How many members are.
        count: u64,
        /// Their names: in the first of these frames, unless there are too many, and when they can be told again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        members: Option<Vec<String>>,
        /// Who has come since the last of these frames.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        joined: Vec<String>,
        /// Who has gone since then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<String>,
    },
    /// The channel was left, and not because the client asked for it.
    Ended {
        /// The channel.
        channel: String,
        /// Why.
        reason: EndReason,
    },
    /// A request was refused.
    Refused {
        /// That of the request.
        id: u64,
        /// Why.
        problem: Problem,
    },
}

/// Why a session in a channel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum EndReason {
    /// The token, or the session that an access token belongs to, was revoked.
    Revoked,
    /// The token expired: join with another one.
    Expired,
    /// The client reads too slowly: connect again with the last offset.
    Slow,
}

impl EndReason {
    /// Gives the word used on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Slow => "slow",
        }
    }
}

/// A record of the topic `notify`; the channel is the record's key. `Debug` shows none of the data.
#[derive(Serialize, Deserialize)]
pub struct NotificationRecord {
    /// What to publish: any JSON value.
    pub data: Box<RawValue>,
    /// Whether it is for whoever is connected alone, and kept nowhere.
    #[serde(default)]
    pub volatile: bool,
}

impl fmt::Debug for NotificationRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotificationRecord").field("volatile", &self.volatile).finish_non_exhaustive()
    }
}

impl NotificationRecord {
    /// The topic.
    pub const TOPIC: &'static str = "notify";
    /// The record header `schema`, of producers of ours; records without it are taken as well.
    pub const SCHEMA: &'static str = "notification.1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_goes_out_as_it_was_written() {
        let data = RawValue::from_string(r#"{"b":1.0,"a":123456789012345678901}"#.to_owned()).unwrap();
        let meta = NotificationMeta {
            channel: "a/b \"c\"",
            id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            place: Some(Place { offset: 7, epoch: "5e0c26b0-5e5a-4c0e-8f0a-0123456789ab".parse().unwrap() }),
            at: UnixMillis(1),
        };

        let text =
            serde_json::to_string(&NotificationFrame { kind: MessageType::Message, meta, data: &data });

        assert_eq!(
            text.unwrap(),
            r#"{"type":"message","channel":"a/b \"c\"","id":"01890a5d-ac96-774b-bcce-b302099a8057","offset":7,"epoch":"5e0c26b0-5e5a-4c0e-8f0a-0123456789ab","at":1,"data":{"b":1.0,"a":123456789012345678901}}"#
        );
        let volatile = serde_json::to_value(NotificationMeta { place: None, ..meta }).unwrap();
        assert!(volatile.get("offset").is_none() && volatile.get("epoch").is_none(), "{volatile}");
    }

    #[test]
    fn tokens_stay_out_of_debug() {
        let request: NotifyRequest =
            serde_json::from_str(r#"{"type":"subscribe","id":1,"token":"secret","more":true}"#).unwrap();

        assert!(matches!(&request, NotifyRequest::Subscribe { id: 1, offset: None, .. }));
        assert!(!format!("{request:?}").contains("secret"));
    }
}
