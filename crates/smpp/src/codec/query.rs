//! Parameters of query_sm and its response (SMPP 3.4 §4.8).

use super::error::{EncodeError, Fault};
use super::fields::{Reader, put_text};
use super::message::Address;

/// Asks for the state of a message (SMPP 3.4 §4.8.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuerySm {
    /// Id that the SMSC gave in submit_sm_resp.
    pub message_id: String,
    /// Source of the message, as submitted.
    pub source: Address,
}

impl QuerySm {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self { message_id: reader.text("message_id")?, source: Address::decode(reader, "source_addr")? })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.message_id, "message_id", 65)?;
        self.source.encode(out, "source_addr", 21)
    }
}

/// Answers [`QuerySm`] (SMPP 3.4 §4.8.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuerySmResp {
    /// The id that was asked for.
    pub message_id: String,
    /// When the message reached a final state, in the format of §7.1.1; empty before.
    pub final_date: String,
    /// One of [`super::message_state`].
    pub message_state: u8,
    /// Network or SMSC error code, zero for none.
    pub error_code: u8,
}

impl QuerySmResp {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self {
            message_id: reader.text("message_id")?,
            final_date: reader.text("final_date")?,
            message_state: reader.u8("message_state")?,
            error_code: if reader.is_empty() { 0 } else { reader.u8("error_code")? },
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.message_id, "message_id", 65)?;
        put_text(out, &self.final_date, "final_date", 17)?;
        out.extend([self.message_state, self.error_code]);
        Ok(())
    }
}
