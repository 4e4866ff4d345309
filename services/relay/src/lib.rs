//! The service `relay`: gateway clients (modems with a SIM) and what comes in and goes out through them.
//!
//! In: SMS that gateway clients or Twilio hand over, SMS that back-ends want sent. Out: decrypted messages to the
//! publisher, jobs to the queues of modems.
//!
//! What must hold: an answer to an intake means that the SMS is on disk; each reaches the publisher at least once; an SMS
//! that no modem serves is an error, never lost; a gateway client sees its own queues and nothing else.

mod app;
mod routes;
mod settings;

pub use app::App;
pub use settings::RelaySettings;
