//! What SMS text is made of: alphabets, segmentation, delivery receipts, message ids, sender addresses. Pure: no I/O,
//! no clock, no network protocol; SMPP's PDUs are the crate `smpp`'s.
//!
//! - [`parts`]: a text to the octets of its segments, in the SMSC's default alphabet when every character fits, else in
//!   UCS-2, in the form that the SMSC wants for long texts.
//! - [`validity`]: a deadline as the SMSC is told it.
//! - [`udh`], [`decode_text_in`], [`join`]: the way back, for messages that come in.
//! - [`receipt`]: the text of a delivery receipt, merged with its TLVs.
//! - [`message_id`]: ids that an SMSC writes in two ways.
//! - [`sender`]: type of number and numbering plan of a sender id.

mod alphabet;
mod coding;
pub mod gsm7;
mod joined;
pub mod message_id;
mod national;
mod parts;
pub mod receipt;
pub mod sender;
pub mod udh;
pub mod validity;

pub use alphabet::{DefaultAlphabet, UnknownAlphabet};
pub use coding::{Coding, decode_text, decode_text_in};
pub use joined::{Joined, Piece, join, plain_coding};
pub use parts::{
    Carrier, LongText, Part, Parts, PartsError, Reference, Sar, UnknownLongText, message_parts, parts,
};
