//! Packets as text and bytes, and back. Pure: no socket, no clock, no state.
//!
//! - [`engine`]: the outer layer, Engine.IO revision 4 (one digit, then data; payloads of several packets).
//! - [`socket`]: the inner layer, Socket.IO revision 5 (what an Engine.IO message carries).
//!
//! What must hold: a decoder takes any input, holds no more memory than its input times a small constant, and refuses
//! what the protocol does not have; what was decoded encodes to a text that decodes to the same. No `Debug` output
//! shows what a packet carries.

pub mod engine;
mod json;
pub mod socket;

pub use json::Json;

/// A packet that the protocol does not have. Says what is wrong, and nothing of what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);
