//! The service `relay`: gateway clients (modems with a SIM) and what comes in and goes out through them.
//!
//! In: SMS that gateway clients or Twilio hand over, SMS that back-ends want sent, questions of RabbitMQ about its users.
//! Out: decrypted messages to the publisher, jobs to the queues of modems, lists of who is there.
//!
//! What must hold: an answer to an intake means that the SMS is on disk; each reaches the publisher at least once; an SMS
//! that no modem serves is an error, never lost; a gateway client sees its own queues and nothing else.

mod app;
mod broker;
mod domain;
mod handlers;
mod metrics;
mod publishing;
mod routes;
mod settings;
mod store;

pub use app::App;
pub use routes::internal as internal_routes;
pub use settings::{Platform, Platforms, Publisher, RelaySettings};
pub use store::MIGRATIONS;
