//! Parameters of query_sm and its response (SMPP 3.4 §4.8).

use std::time::SystemTime;

use super::error::{EncodeError, Fault};
use super::fields::{Reader, put_text};
use super::message::Address;
use super::state::MessageState;
use super::time::read_absolute_time;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuerySmResp {
    /// The id that was asked for.
    pub message_id: String,
    /// When the message reached a final state, in the format of §7.1.1; empty before.
    pub final_date: String,
    /// What has become of it.
    pub message_state: MessageState,
    /// Network or SMSC error code, zero for none.
    pub error_code: u8,
}

impl Default for QuerySmResp {
    /// An answer that tells nothing.
    fn default() -> Self {
        Self {
            message_id: String::new(),
            final_date: String::new(),
            message_state: MessageState::Unknown,
            error_code: 0,
        }
    }
}

impl QuerySmResp {
    /// Gives the time of `final_date`; `None` when there is none that can be read.
    pub fn finished_at(&self) -> Option<SystemTime> {
        read_absolute_time(&self.final_date)
    }

    /// What is missing at the end is taken for unknown, as an error response has no body at all (§4.8.2 leaves it open)
    /// and some SMSCs send no date.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            message_id: reader.last_text(),
            final_date: reader.last_text(),
            message_state: reader.u8("message_state").map_or(MessageState::Unknown, MessageState::from),
            error_code: reader.u8("error_code").unwrap_or_default(),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.message_id, "message_id", 65)?;
        put_text(out, &self.final_date, "final_date", 17)?;
        out.extend([self.message_state.as_u8(), self.error_code]);
        Ok(())
    }
}
