//! Signed webhooks, in the form of Standard Webhooks (standardwebhooks.com): one request to a receiver that an operator
//! named, and what its answer means. What push to devices has in common with it is here, too.
//!
//! In: a [`Target`] of the settings, an event's id and body. Out: a [`Verdict`]; when to try again is [`Backoff`]'s
//! matter. What is to be sent, in which order, and where it waits is up to the caller, who has the database.
//!
//! What must hold: every request is signed under all secrets of its target; no redirect is followed and no proxy used, so
//! that nothing is sent to where the operator did not say; URLs, secrets and bodies are in no log and no error.

mod answer;
mod backoff;
mod secret;
mod sender;
mod settings;
mod target;

pub use answer::{Answer, ask, client_builder};
pub use backoff::Backoff;
pub use secret::{InvalidSecret, SigningSecret, signatures};
pub use sender::{Message, Sender, SenderFault, Verdict};
pub use settings::DeliverySettings;
pub use target::{Target, TargetFault};
