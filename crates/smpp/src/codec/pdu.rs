//! A whole PDU: status, sequence number and typed body.

use super::bind::{Bind, BindResp, Outbind};
use super::command::CommandId;
use super::error::{BadPdu, EncodeError, Fault};
use super::fields::Reader;
use super::frame::Frame;
use super::message::{AlertNotification, DataSm, DataSmResp, DeliverSm, SubmitSm, SubmitSmResp};
use super::query::{QuerySm, QuerySmResp};
use super::status::CommandStatus;

/// One protocol data unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// How the request went; zero in a request.
    pub status: CommandStatus,
    /// Chosen by who asks, repeated by who answers: 1 to 0x7FFFFFFF (§3.2).
    pub sequence: u32,
    /// The operation and its parameters.
    pub body: Body,
}

/// An operation with its parameters (SMPP 3.4 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the operations of CommandId, where each has its sentence")]
pub enum Body {
    GenericNack,
    BindReceiver(Bind),
    BindReceiverResp(BindResp),
    BindTransmitter(Bind),
    BindTransmitterResp(BindResp),
    BindTransceiver(Bind),
    BindTransceiverResp(BindResp),
    QuerySm(QuerySm),
    QuerySmResp(QuerySmResp),
    SubmitSm(SubmitSm),
    SubmitSmResp(SubmitSmResp),
    DeliverSm(DeliverSm),
    DeliverSmResp,
    Unbind,
    UnbindResp,
    Outbind(Outbind),
    EnquireLink,
    EnquireLinkResp,
    AlertNotification(AlertNotification),
    DataSm(DataSm),
    DataSmResp(DataSmResp),
}

impl Body {
    /// Gives the `command_id` on the wire.
    pub fn command_id(&self) -> CommandId {
        match self {
            Self::GenericNack => CommandId::GenericNack,
            Self::BindReceiver(_) => CommandId::BindReceiver,
            Self::BindReceiverResp(_) => CommandId::BindReceiverResp,
            Self::BindTransmitter(_) => CommandId::BindTransmitter,
            Self::BindTransmitterResp(_) => CommandId::BindTransmitterResp,
            Self::BindTransceiver(_) => CommandId::BindTransceiver,
            Self::BindTransceiverResp(_) => CommandId::BindTransceiverResp,
            Self::QuerySm(_) => CommandId::QuerySm,
            Self::QuerySmResp(_) => CommandId::QuerySmResp,
            Self::SubmitSm(_) => CommandId::SubmitSm,
            Self::SubmitSmResp(_) => CommandId::SubmitSmResp,
            Self::DeliverSm(_) => CommandId::DeliverSm,
            Self::DeliverSmResp => CommandId::DeliverSmResp,
            Self::Unbind => CommandId::Unbind,
            Self::UnbindResp => CommandId::UnbindResp,
            Self::Outbind(_) => CommandId::Outbind,
            Self::EnquireLink => CommandId::EnquireLink,
            Self::EnquireLinkResp => CommandId::EnquireLinkResp,
            Self::AlertNotification(_) => CommandId::AlertNotification,
            Self::DataSm(_) => CommandId::DataSm,
            Self::DataSmResp(_) => CommandId::DataSmResp,
        }
    }

    fn decode(command: CommandId, reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(match command {
            CommandId::GenericNack => Self::GenericNack,
            CommandId::BindReceiver => Self::BindReceiver(Bind::decode(reader)?),
            CommandId::BindReceiverResp => Self::BindReceiverResp(BindResp::decode(reader)),
            CommandId::BindTransmitter => Self::BindTransmitter(Bind::decode(reader)?),
            CommandId::BindTransmitterResp => Self::BindTransmitterResp(BindResp::decode(reader)),
            CommandId::BindTransceiver => Self::BindTransceiver(Bind::decode(reader)?),
            CommandId::BindTransceiverResp => Self::BindTransceiverResp(BindResp::decode(reader)),
            CommandId::QuerySm => Self::QuerySm(QuerySm::decode(reader)?),
            CommandId::QuerySmResp => Self::QuerySmResp(QuerySmResp::decode(reader)),
            CommandId::SubmitSm => Self::SubmitSm(SubmitSm::decode(reader)?),
            CommandId::SubmitSmResp => Self::SubmitSmResp(SubmitSmResp::decode(reader)),
            CommandId::DeliverSm => Self::DeliverSm(DeliverSm::decode(reader)?),
            CommandId::DeliverSmResp => Self::DeliverSmResp,
            CommandId::Unbind => Self::Unbind,
            CommandId::UnbindResp => Self::UnbindResp,
            CommandId::Outbind => Self::Outbind(Outbind::decode(reader)?),
            CommandId::EnquireLink => Self::EnquireLink,
            CommandId::EnquireLinkResp => Self::EnquireLinkResp,
            CommandId::AlertNotification => Self::AlertNotification(AlertNotification::decode(reader)?),
            CommandId::DataSm => Self::DataSm(DataSm::decode(reader)?),
            CommandId::DataSmResp => Self::DataSmResp(DataSmResp::decode(reader)),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::BindReceiver(bind) | Self::BindTransmitter(bind) | Self::BindTransceiver(bind) => {
                bind.encode(out)
            }
            Self::BindReceiverResp(resp)
            | Self::BindTransmitterResp(resp)
            | Self::BindTransceiverResp(resp) => resp.encode(out),
            Self::QuerySm(query) => query.encode(out),
            Self::QuerySmResp(resp) => resp.encode(out),
            Self::SubmitSm(message) | Self::DeliverSm(message) => message.encode(out),
            Self::SubmitSmResp(resp) => resp.encode(out),
            // message_id is unused and set to NUL (§4.6.2).
            Self::DeliverSmResp => {
                out.push(0);
                Ok(())
            }
            Self::Outbind(outbind) => outbind.encode(out),
            Self::AlertNotification(alert) => alert.encode(out),
            Self::DataSm(data) => data.encode(out),
            Self::DataSmResp(resp) => resp.encode(out),
            Self::GenericNack
            | Self::Unbind
            | Self::UnbindResp
            | Self::EnquireLink
            | Self::EnquireLinkResp => Ok(()),
        }
    }

    /// Tells whether an error response of this body goes without it: the specification says so of the binds and of
    /// submit_sm (§4.1.2, §4.4.2).
    fn is_omitted_on_error(&self) -> bool {
        match self {
            Self::BindReceiverResp(resp)
            | Self::BindTransmitterResp(resp)
            | Self::BindTransceiverResp(resp) => *resp == BindResp::default(),
            Self::SubmitSmResp(resp) => resp.message_id.is_empty(),
            _ => false,
        }
    }
}

impl Pdu {
    /// Makes a request or a successful response.
    pub fn ok(sequence: u32, body: Body) -> Self {
        Self { status: CommandStatus::ROK, sequence, body }
    }

    /// Tells whether it answers a request, whose sequence number it then has (generic_nack included).
    pub fn is_response(&self) -> bool {
        CommandId::is_response(self.body.command_id().as_u32())
    }

    /// Reads one PDU of a stream.
    ///
    /// # Errors
    /// [`BadPdu`] when the command is unknown or a mandatory parameter is cut short.
    pub fn decode(frame: &Frame) -> Result<Self, BadPdu> {
        let header = frame.header;
        let bad = |fault| BadPdu { header, fault };
        let command = CommandId::from_u32(header.command_id).ok_or(bad(Fault::UnknownCommand))?;
        let body = Body::decode(command, &mut Reader::new(&frame.body)).map_err(bad)?;
        Ok(Self { status: header.status, sequence: header.sequence, body })
    }

    /// Appends the PDU's octets to `out`.
    ///
    /// # Errors
    /// [`EncodeError`] when a value does not fit its field; `out` is then as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        out.extend([0; 4]);
        out.extend(self.body.command_id().as_u32().to_be_bytes());
        out.extend(self.status.0.to_be_bytes());
        out.extend(self.sequence.to_be_bytes());
        if (self.status.is_ok() || !self.body.is_omitted_on_error())
            && let Err(error) = self.body.encode(out)
        {
            out.truncate(start);
            return Err(error);
        }
        let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}
