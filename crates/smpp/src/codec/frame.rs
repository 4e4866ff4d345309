//! Cutting a byte stream into PDUs (SMPP 3.4 §3.2).

use bytes::{Buf, Bytes, BytesMut};

use super::error::{Fault, FrameError};
use super::fields::Reader;
use super::status::CommandStatus;

/// Octets of a PDU header.
pub const HEADER_LENGTH: usize = 16;

/// A limit that every lawful PDU fits: a message_payload of 64 KiB with its mandatory parameters.
pub const DEFAULT_MAX_FRAME: u32 = 72 * 1024;

/// The four fields that every PDU begins with (SMPP 3.4 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole PDU.
    pub length: u32,
    /// Raw `command_id`; it may be one that this crate does not speak.
    pub command_id: u32,
    /// Status of a response, zero in a request.
    pub status: CommandStatus,
    /// Number that a response repeats.
    pub sequence: u32,
}

impl Header {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self {
            length: reader.u32("command_length")?,
            command_id: reader.u32("command_id")?,
            status: CommandStatus(reader.u32("command_status")?),
            sequence: reader.u32("sequence_number")?,
        })
    }
}

/// One PDU's octets: its header and its body, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header.
    pub header: Header,
    /// The parameters.
    pub body: Bytes,
}

/// Takes the first whole PDU off `buffer`; `None` while there is none.
///
/// # Errors
/// [`FrameError`] when the announced length is less than a header or more than `max` octets: the stream is out of
/// step, and the connection is to be closed.
pub fn split_frame(buffer: &mut BytesMut, max: u32) -> Result<Option<Frame>, FrameError> {
    let Some(&announced) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(announced);
    if (length as usize) < HEADER_LENGTH {
        return Err(FrameError::TooShort(length));
    }
    if length > max {
        return Err(FrameError::TooLong { length, limit: max });
    }
    if buffer.len() < length as usize {
        return Ok(None);
    }
    let mut octets = buffer.split_to(length as usize).freeze();
    let Ok(header) = Header::read(&mut Reader::new(&octets)) else {
        return Err(FrameError::TooShort(length));
    };
    octets.advance(HEADER_LENGTH);
    Ok(Some(Frame { header, body: octets }))
}
