//! What SMS text is made of: alphabets, segmentation, delivery receipts, message ids, sender addresses. Pure: no I/O,
//! no clock, no network protocol; SMPP's PDUs are the crate `smpp`'s.
//!
//! - [`message_parts`]: a text to the octets of its segments, in GSM 03.38 when every character fits, else in UCS-2.
//! - [`udh`], [`decode_text`]: the way back, for messages that come in.
//! - [`receipt`]: the text of a delivery receipt, merged with its TLVs.
//! - [`message_id`]: ids that an SMSC writes in two ways.
//! - [`sender`]: type of number and numbering plan of a sender id.

mod coding;
pub mod gsm7;
pub mod message_id;
mod parts;
pub mod receipt;
pub mod sender;
pub mod udh;

pub use coding::{Coding, decode_text};
pub use parts::{Part, Parts, PartsError, Reference, message_parts};
