//! What can be wrong with octets that came in, and with values that should go out.

use super::command::CommandId;
use super::frame::Header;
use super::pdu::{Body, Pdu};
use super::status::CommandStatus;

/// The stream can no longer be cut into PDUs; only a new connection helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// `command_length` is less than the header itself.
    #[error("command_length {0} is less than a header")]
    TooShort(u32),
    /// `command_length` is over the limit that the reader has set.
    #[error("command_length {length} is over the limit of {limit}")]
    TooLong {
        /// What the peer announced, in octets.
        length: u32,
        /// What the reader allows, in octets.
        limit: u32,
    },
}

/// Why the body of a PDU could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The `command_id` is not one that this crate speaks.
    #[error("unknown command")]
    UnknownCommand,
    /// The PDU ended in or before this field.
    #[error("the PDU ends before {0} does")]
    Truncated(&'static str),
}

/// A PDU of which only the header could be read. The stream is still in step: the next PDU can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed PDU (command 0x{:08X}, sequence {}): {fault}", header.command_id, header.sequence)]
pub struct BadPdu {
    /// The header, as received.
    pub header: Header,
    /// What was wrong after it.
    pub fault: Fault,
}

impl BadPdu {
    /// Gives the generic_nack that answers it (SMPP 3.4 §3.3); `None` when it was itself a response, for those
    /// are never answered.
    pub fn nack(&self) -> Option<Pdu> {
        if CommandId::is_response(self.header.command_id) {
            return None;
        }
        let status = match self.fault {
            Fault::UnknownCommand => CommandStatus::RINVCMDID,
            Fault::Truncated(_) => CommandStatus::RINVCMDLEN,
        };
        Some(Pdu { status, sequence: self.header.sequence, body: Body::GenericNack })
    }
}

/// A value does not fit its field. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The field is over its length.
    #[error("{field} is over its limit of {limit} octets")]
    TooLong {
        /// The field's name in the specification.
        field: &'static str,
        /// Most octets it may have; the NUL of a text field counts.
        limit: usize,
    },
    /// The text holds a NUL or a character that is not one octet.
    #[error("{0} holds a character that does not fit one octet")]
    Character(&'static str),
    /// The message needs an optional parameter, and the session speaks SMPP 3.3, which has none.
    #[error("SMPP 3.3 has no optional parameters, and the message needs 0x{0:04X}")]
    OptionalParameter(u16),
}
