//! Typed HTTP clients of our own services' internal calls; the bodies are those of [`common::models::internal`].
//!
//! In: the internal base URL of a service and the token between services. Out: typed answers or a [`ClientError`].
//!
//! What must hold: every call ends within its time limit; only calls that may be repeated are repeated, and few times;
//! the ids of the current request go along; the token reaches no log line, no error and no redirect target;
//! the end of a worker thread ends no call of another.

mod auth;
mod dispatch;
mod error;
mod http;
mod mailbox;
mod nudge;
mod relay;
mod sync;

pub use auth::{AuthClient, PasswordVerdict, WooshCaller};
pub use dispatch::Dispatch;
pub use error::ClientError;
pub use http::{Peer, Timeouts, http_client};
pub use mailbox::MailboxClient;
pub use nudge::Nudger;
pub use relay::RelayClient;
pub use sync::SyncClient;
