//! The service `notify`: notifications from back-ends to their clients.
//!
//! In: notifications, by REST or from the topic `notify`; `mailbox-events`, which become wake-ups without content. Out:
//! one stream of them for each channel, over plain websockets and event streams, in the order in which they were
//! published; signed webhooks for receivers that want to know who connects and who is present.
//!
//! What must hold: an answer to a publisher means that the notification is on disk; its offset in the channel has no gap
//! before it; a client gets every notification of its channel after the offset that it names, once and in order, or is
//! told that it cannot; who has no valid token hears nothing.

mod app;
mod delivery;
mod domain;
mod handlers;
mod inputs;
mod metrics;
mod push;
mod routes;
mod settings;
mod store;
mod webhooks;

pub use app::App;
pub use push::policy::{EndpointRule, InvalidRule};
pub use settings::{ApiKey, ApiKeys, NotifySettings, PushSettings, Scope, WebhookSettings};
pub use store::MIGRATIONS;
pub use webhooks::EventKind;
