//! Bodies and queries of requests, and bodies of answers.

pub(crate) mod push;

use common::models::notify::Place;
use common::models::problem::AsProblem;
use common::models::{ChannelTokenId, Epoch, NotificationId, Problem, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::domain::publish::Receipt;
use crate::domain::{NotifyError, Publication};
use crate::push::Wish;
use crate::store::presences::MemberRow;
use crate::store::tokens::TokenRow;

/// A notification to be published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PublishRequest {
    /// The channel: any text.
    pub(crate) channel: String,
    /// What is published: any JSON value. It goes out as it was written.
    #[schema(value_type = Value)]
    pub(crate) data: Box<RawValue>,
    /// For whoever is connected now, kept nowhere, without offset: a typing indicator.
    #[serde(default)]
    pub(crate) volatile: bool,
    /// What is pushed to devices that are not connected; nothing is of what is volatile.
    #[serde(default)]
    pub(crate) push: Wish,
}

/// Notifications to be published, each in a channel of its own choice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BatchRequest {
    /// The notifications; those of one channel keep their order.
    #[schema(min_items = 1, max_items = 1000)]
    pub(crate) messages: Vec<PublishRequest>,
}

/// One notification for many channels.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BroadcastRequest {
    /// The channels.
    #[schema(min_items = 1, max_items = 1000)]
    pub(crate) channels: Vec<String>,
    /// What is published: any JSON value.
    #[schema(value_type = Value)]
    pub(crate) data: Box<RawValue>,
    /// As in a single publication.
    #[serde(default)]
    pub(crate) volatile: bool,
    /// As in a single publication.
    #[serde(default)]
    pub(crate) push: Wish,
}

/// What became of a publication.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublishAnswer {
    /// Its id; clients get it too.
    id: NotificationId,
    /// Its place in the channel; a volatile one has none.
    #[serde(flatten)]
    place: Option<Place>,
    /// How many clients of this process were in the channel when it was answered: a hint, no receipt.
    reached: usize,
}

impl PublishAnswer {
    pub(crate) fn new(receipt: &Receipt, reached: usize) -> Self {
        Self { id: receipt.id, place: receipt.place, reached }
    }
}

/// What became of several publications, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PublishAnswers {
    /// One for each.
    pub(crate) results: Vec<PublishResult>,
}

/// What became of one of several publications: what it alone would have been answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum PublishResult {
    /// It is published.
    Published(PublishAnswer),
    /// It is not.
    Refused {
        /// Why.
        problem: Box<Problem>,
    },
}

impl PublishResult {
    pub(crate) fn refused(error: &NotifyError) -> Self {
        if error.kind().is_fault() {
            tracing::warn!(%error, "a publication of several failed");
        }
        Self::Refused { problem: Box::new(Problem::of(error)) }
    }
}

/// Which part of a history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// The channel.
    pub(crate) channel: String,
    /// Only greater offsets; 0 for all.
    #[serde(default)]
    pub(crate) after: i64,
    /// Most notifications, 1 to 256.
    #[serde(default = "page")]
    pub(crate) limit: usize,
}

fn page() -> usize {
    100
}

/// A part of a history.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HistoryAnswer {
    /// The last place that was given in the channel; none when the channel was never used.
    #[serde(flatten)]
    pub(crate) place: Option<Place>,
    /// Notifications, in order.
    pub(crate) messages: Vec<KeptNotification>,
    /// Whether nothing between `after` and the first of them is missing.
    pub(crate) complete: bool,
    /// Whether more follow.
    pub(crate) more: bool,
}

/// A notification as it is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptNotification {
    id: NotificationId,
    offset: i64,
    epoch: Epoch,
    at: UnixMillis,
    #[schema(value_type = Value)]
    data: Box<RawValue>,
}

impl KeptNotification {
    pub(crate) fn of(publication: &Publication) -> Option<Self> {
        let meta = publication.meta();
        let Place { offset, epoch } = meta.place?;
        Some(Self { id: meta.id, offset, epoch, at: meta.at, data: publication.data().to_owned() })
    }
}

/// Whose presence.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PresenceQuery {
    /// The channel.
    pub(crate) channel: String,
    /// Only members whose names come after this one.
    #[serde(default)]
    pub(crate) after: String,
}

/// Who is present in a channel, in the order of their names.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PresenceAnswer {
    /// Members with at least one client in the channel, at any process.
    pub(crate) members: Vec<PresentMember>,
    /// Whether more follow the last one.
    pub(crate) more: bool,
}

/// One who is present.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PresentMember {
    /// As the token says.
    member: String,
    /// How many clients.
    connections: i64,
    /// Since when, without a pause.
    since: UnixMillis,
}

impl From<MemberRow> for PresentMember {
    fn from(row: MemberRow) -> Self {
        Self {
            member: row.member,
            connections: row.connections.unwrap_or(0),
            since: row.since.unwrap_or(UnixMillis(0)),
        }
    }
}

/// A token for one device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TokenRequestBody {
    /// The channel that it opens.
    pub(crate) channel: String,
    /// What it is called, for people: up to 128 characters.
    pub(crate) label: Option<String>,
    /// Who is present while a client with this token is in the channel: up to 128 characters. None: nobody is.
    pub(crate) member: Option<String>,
    /// How many seconds it lives; as long as the settings allow when not given.
    pub(crate) expires_in: Option<u64>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenAnswer {
    /// Names it to back-ends; opens nothing.
    pub(crate) id: ChannelTokenId,
    /// The token. It is told now and never again.
    pub(crate) token: String,
    /// When it expires.
    pub(crate) expires_at: UnixMillis,
}

/// Tokens of which channel.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TokensQuery {
    /// The channel.
    pub(crate) channel: String,
}

/// The tokens of a channel that live.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokensAnswer {
    /// In the order in which they were made.
    pub(crate) tokens: Vec<TokenView>,
}

/// A token, without what opens the channel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenView {
    /// Names it; all zeros for the one that ChannelAPI hands out.
    id: ChannelTokenId,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Who is present by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    /// The name of the API key by which it was asked for.
    issued_by: String,
    /// When it was made.
    created_at: UnixMillis,
    /// When it expires.
    expires_at: UnixMillis,
    /// When a client last joined with it, to the minute; none: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<UnixMillis>,
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        let TokenRow { token_id, label, member, issued_by, created_at, expires_at, used_at, .. } = row;
        Self { id: token_id, label, member, issued_by, created_at, expires_at, used_at }
    }
}

/// How an event stream is opened where headers cannot be set.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// A token, if it is not in the header `Authorization`. It may end up in the logs of proxies: prefer the header, or
    /// tokens that live shortly.
    pub(crate) token: Option<String>,
    /// The last offset that was seen; `Last-Event-ID` wins over it.
    pub(crate) offset: Option<i64>,
    /// The epoch in which it was seen.
    pub(crate) epoch: Option<Epoch>,
    /// Whether events shall tell who is present.
    #[serde(default)]
    pub(crate) presence: bool,
}
