//! The wire format (SMPP 3.4 §3.2, §4, §5): octets to typed PDUs and back, no I/O.
//!
//! In: a receive buffer, cut into [`Frame`]s by [`split_frame`], each decoded by [`Pdu::decode`]. Out: octets
//! appended by [`Pdu::encode`].
//! The decoder accepts what SMSCs are known to send although the specification forbids it: a last field without
//! its NUL, fields over their length, octets outside ASCII, trailing octets after the parameters, TLVs of odd
//! sizes, error responses without a body. What stays unreadable becomes a [`BadPdu`] that carries the header, so
//! that a session can answer it and live. The encoder keeps every limit. Neither panics on any input.
//!
//! Text fields are `String`s of which every character stands for one octet (Latin-1), so that decoding loses
//! nothing.

mod bind;
mod command;
mod error;
mod fields;
mod frame;
mod message;
mod pdu;
mod query;
mod state;
mod status;
pub(crate) mod time;
mod tlv;

pub use bind::{Bind, BindResp, Outbind};
pub use command::CommandId;
pub use error::{BadPdu, EncodeError, Fault, FrameError};
pub use frame::{DEFAULT_MAX_FRAME, Frame, HEADER_LENGTH, Header, split_frame};
pub use message::{
    Address, AlertNotification, DataSm, DataSmResp, DeliverSm, ShortMessage, SubmitSm, SubmitSmResp,
    esm_class,
};
pub use pdu::{Body, Pdu};
pub use query::{QuerySm, QuerySmResp};
pub use state::MessageState;
pub use status::CommandStatus;
pub use time::{absolute_time, read_absolute_time};
pub use tlv::{Sar, Tlv, Tlvs, tag};

#[cfg(test)]
mod tests;
