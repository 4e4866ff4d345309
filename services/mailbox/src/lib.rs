//! The service `mailbox`: a durable queue for each device.
//!
//! In: sends to all devices of an account, openings and closings by keystore, `account-events`. Out: envelopes, over
//! HTTP and websockets; `messages.available` and `mailbox.full` on `mailbox-events`.
//!
//! What must hold: a 200 to a sender means that every copy is on disk; a send reaches every device of the account as it
//! was at one moment, or none; an envelope leaves only after its device has acked it (or its time to live has passed),
//! and comes in the order of its `seq`, which has no gaps.

mod app;
mod delivery;
mod domain;
mod handlers;
mod metrics;
mod routes;
mod settings;
mod store;

pub use app::App;
pub use routes::internal as internal_routes;
pub use settings::MailboxSettings;
pub use store::MIGRATIONS;
