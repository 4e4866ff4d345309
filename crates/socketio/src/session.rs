//! The rules of both protocols as state machines: no socket, no task, no clock of their own.
//!
//! - [`engine`]: one Engine.IO session: its transport, polls and posts, the upgrade, the heartbeat, the end.
//! - [`socket`]: what a client may say in which namespace, and events with attachments put together.
//!
//! What must hold: every call has an answer in every state, and a session that has ended stays so, with its first
//! reason.

pub mod engine;
pub mod heartbeat;
mod reason;
pub mod socket;

pub use reason::Reason;
