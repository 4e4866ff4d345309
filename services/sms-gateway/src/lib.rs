//! The SMS gateway: a worker between the event bus and SMS centres, for messages that nobody in between may read.
//!
//! In: requests of `send-sms` (or `POST /v1/sms`), encrypted to a key that only the gateway holds. Out: `submit_sm` to
//! an SMSC over SMPP, and statuses on `sms-status` (and `GET /v1/sms/status`, and signed webhooks). The other way: messages from handsets, to
//! `sms-inbound` (and `GET /v1/sms/inbound`), encrypted to the client that owns the number.
//!
//! What must hold:
//! - A request is stored, still encrypted, before its offset is; it leads to at least one status or a dead letter (the
//!   loop-back markers that ask for silence apart).
//! - A row says that a segment may have left before it does; what may have left is never submitted again.
//! - Each status is published at most once per attempt; SENT is never published twice.
//! - The same ids are not submitted twice while an attempt is open or has succeeded.
//! - A message from a handset is acknowledged once it is durable, and reaches its owner once, encrypted. Nothing leaves
//!   for who has opted out once the SMSC has been told that we know.
//! - Text, full numbers and keys are in no row, log line, error, metric or record header.

mod app;
mod domain;
pub mod dry_run;
mod handlers;
mod metrics;
mod pipeline;
mod routes;
mod settings;
mod store;

pub use app::App;
pub use routes::internal as internal_routes;
pub use settings::{
    Bind, ClientOptOut, ClientQuota, Connection, Encodings, Encryption, HealthSettings, HttpHeader, HttpKeys,
    HttpMethod, HttpReceipts, HttpSettings, IdPlace, Inbound, InboundSender, JsonTemplate, NumberPattern,
    NumberPrefix, OptOut, OwnNumber, Pattern, Pointer, Price, QuotaSettings, ReceiptWord, RouteSettings,
    Rule, Settings, SmscSettings, SmscShare, Statuses, Template, Tls, Topics, Unowned, Unreachable,
    UrlTemplate, WaspSettings, WebhookSettings,
};
