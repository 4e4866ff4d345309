//! Bodies and queries of requests, and bodies of answers.

use common::models::problem::AsProblem;
use common::models::{AccountId, Base64Bytes, DeviceId, EnvelopeId, Problem, RegistrationId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::sending::Done;
use crate::domain::online::OnlineReceipt;
use crate::domain::receive::{Envelope, Page};
use crate::domain::{MailboxError, SendReceipt};

/// One message to all devices of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SendRequest {
    /// One envelope for each device; the sender's own device excepted.
    pub(crate) messages: Vec<OutgoingEnvelope>,
    /// Only for devices that are connected now, never stored: a typing indicator.
    #[serde(default)]
    pub(crate) online: bool,
    /// Whether the recipient should be woken for it.
    #[serde(default = "yes")]
    pub(crate) urgent: bool,
    /// When it was sent, by the sender's clock: Unix milliseconds.
    pub(crate) timestamp: i64,
}

fn yes() -> bool {
    true
}

/// What one device gets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OutgoingEnvelope {
    /// The device.
    pub(crate) destination_device_id: DeviceId,
    /// The installation on it for which the content is encrypted.
    pub(crate) destination_registration_id: RegistrationId,
    /// 1 ciphertext, 3 prekey message, 6 sealed sender, 8 plaintext error.
    #[serde(rename = "type")]
    pub(crate) kind: i64,
    /// The ciphertext, base64.
    pub(crate) content: Base64Bytes,
}

/// What became of a send.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum SendAnswer {
    /// Every copy is on disk.
    Stored(SendReceipt),
    /// Passed on to the devices that are connected.
    Online(OnlineReceipt),
}

/// One message to several accounts, encrypted for each of their devices.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BatchRequest {
    /// The recipients, each once.
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) sends: Vec<BatchSend>,
    /// As in a send to one account.
    #[serde(default)]
    pub(crate) online: bool,
    /// As in a send to one account.
    #[serde(default = "yes")]
    pub(crate) urgent: bool,
    /// As in a send to one account.
    pub(crate) timestamp: i64,
}

/// What one account gets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BatchSend {
    /// The recipient.
    pub(crate) account: AccountId,
    /// One envelope for each device; the sender's own device excepted.
    pub(crate) messages: Vec<OutgoingEnvelope>,
}

/// What became of the sends of a batch, in their order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchAnswer {
    /// One for each recipient.
    pub(crate) results: Vec<BatchResult>,
}

/// What became of the send to one account: what `PUT /v1/messages/{account}` would have answered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchResult {
    /// The recipient.
    account: AccountId,
    /// The status.
    status: u16,
    /// With status 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<SendAnswer>,
    /// The same request was stored before; nothing was stored now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    /// With any other status.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

impl BatchResult {
    pub(super) fn of(account: AccountId, sent: Result<Done, MailboxError>) -> Self {
        match sent {
            Ok(Done { answer, replayed }) => {
                Self { account, status: 200, receipt: Some(answer), replayed, problem: None }
            }
            Err(error) => {
                let problem = Problem::of(&error);
                if error.kind().is_fault() {
                    tracing::warn!(%error, status = problem.status, "one send of a batch failed");
                }
                Self {
                    account,
                    status: problem.status,
                    receipt: None,
                    replayed: false,
                    problem: Some(problem),
                }
            }
        }
    }
}

/// Whom an account blocks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockList {
    /// In the order of their ids.
    pub(crate) accounts: Vec<AccountId>,
}

/// How a websocket is opened.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConnectQuery {
    /// In place of the header `Authorization`, for clients that cannot send it.
    pub(crate) ticket: Option<String>,
}

/// A ticket for one websocket.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketAnswer {
    /// The ticket, to be sent as `GET /v1/websocket?ticket=`.
    pub(crate) ticket: String,
    /// Seconds for which it can be used.
    pub(crate) expires_in: u64,
}

/// Which envelopes to fetch.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FetchQuery {
    /// Only envelopes of a greater `seq`.
    #[serde(default)]
    #[param(minimum = 0, default = 0)]
    pub(crate) after_seq: i64,
    /// Most envelopes.
    #[serde(default = "most")]
    #[param(minimum = 1, maximum = 100, default = 100)]
    pub(crate) limit: usize,
    /// Seconds to wait if there is none.
    #[serde(default)]
    #[param(minimum = 0, maximum = 30, default = 0)]
    pub(crate) timeout: u64,
}

fn most() -> usize {
    100
}

/// A page of envelopes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FetchAnswer {
    /// In the order of their `seq`.
    pub(crate) messages: Vec<Envelope>,
    /// More follow.
    pub(crate) more: bool,
}

impl From<Page> for FetchAnswer {
    fn from(page: Page) -> Self {
        Self { messages: page.envelopes, more: page.more }
    }
}

/// What the device has stored on its side: exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AckRequest {
    /// Every envelope up to this `seq`.
    #[serde(default)]
    pub(crate) ack_seq: Option<i64>,
    /// These envelopes; unknown ones are passed over.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub(crate) guids: Option<Vec<EnvelopeId>>,
}
