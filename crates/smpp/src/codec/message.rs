//! Parameters of submit_sm, deliver_sm, data_sm, alert_notification (SMPP 3.4 §4.4, §4.6, §4.7, §4.12).

use std::fmt;

use super::error::{EncodeError, Fault};
use super::fields::{Reader, put_text};
use super::tlv::Tlvs;

/// Bits of `esm_class` (SMPP 3.4 §5.2.12).
pub mod esm_class {
    /// The message begins with a user data header.
    pub const UDHI: u8 = 0x40;
    /// The message is a delivery receipt of the SMSC.
    pub const RECEIPT: u8 = 0x04;
    /// The message is an intermediate notification.
    pub const INTERMEDIATE: u8 = 0x20;
    /// The bits that tell the type of a message.
    pub const TYPE_MASK: u8 = 0x3C;
}

/// An address: type of number, numbering plan, digits or letters (SMPP 3.4 §5.2.5 to §5.2.9).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// Type of number: 1 international, 3 network specific, 5 alphanumeric.
    pub ton: u8,
    /// Numbering plan: 1 is E.164.
    pub npi: u8,
    /// At most 20 characters (64 in data_sm and alert_notification).
    pub value: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.value.chars().take(4).collect();
        write!(f, "{}/{} {shown}*** ({} characters)", self.ton, self.npi, self.value.chars().count())
    }
}

impl Address {
    pub(super) fn decode(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, Fault> {
        Ok(Self { ton: reader.u8(field)?, npi: reader.u8(field)?, value: reader.text(field)? })
    }

    pub(super) fn encode(
        &self,
        out: &mut Vec<u8>,
        field: &'static str,
        limit: usize,
    ) -> Result<(), EncodeError> {
        out.extend([self.ton, self.npi]);
        put_text(out, &self.value, field, limit)
    }
}

/// One short message: submit_sm and deliver_sm have one layout (SMPP 3.4 §4.4.1, §4.6.1).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ShortMessage {
    /// Service, at most 5 characters; empty is the SMSC's default.
    pub service_type: String,
    /// Who sends.
    pub source: Address,
    /// Who receives.
    pub destination: Address,
    /// Mode, type and features: [`esm_class`].
    pub esm_class: u8,
    /// Protocol identifier of the network.
    pub protocol_id: u8,
    /// 0 (lowest) to 3.
    pub priority_flag: u8,
    /// When to deliver (§7.1.1); empty means at once, and is what deliver_sm has.
    pub schedule_delivery_time: String,
    /// When to give up (§7.1.1), empty for the SMSC's default; empty in deliver_sm.
    pub validity_period: String,
    /// Which receipts are asked for (§5.2.17): bits 0 and 1, 1 is "success and failure".
    pub registered_delivery: u8,
    /// Replaces an earlier message of the same source, destination and service when 1.
    pub replace_if_present_flag: u8,
    /// Alphabet (§5.2.19): 0 the SMSC's default, 8 UCS-2.
    pub data_coding: u8,
    /// Predefined message to send, 0 for none.
    pub sm_default_msg_id: u8,
    /// The text with its user data header, at most 254 octets.
    pub short_message: Vec<u8>,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

/// The parameters of submit_sm.
pub type SubmitSm = ShortMessage;
/// The parameters of deliver_sm.
pub type DeliverSm = ShortMessage;

impl fmt::Debug for ShortMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShortMessage")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("esm_class", &self.esm_class)
            .field("data_coding", &self.data_coding)
            .field("registered_delivery", &self.registered_delivery)
            .field("octets", &self.short_message.len())
            .field("tlvs", &self.tlvs)
            .finish_non_exhaustive()
    }
}

impl ShortMessage {
    /// Gives the text: short_message, or message_payload if that is empty (§4.4.1).
    pub fn text(&self) -> &[u8] {
        match self.tlvs.message_payload() {
            Some(payload) if self.short_message.is_empty() => payload,
            _ => &self.short_message,
        }
    }

    /// Puts the text into message_payload and empties short_message, as only one of them may hold it (§4.4.1). For
    /// texts of more than 254 octets, up to 64 KiB.
    pub fn set_payload(&mut self, text: Vec<u8>) {
        self.short_message.clear();
        self.tlvs.set_message_payload(text);
    }

    /// Tells whether it is a delivery receipt: by the type bits of `esm_class`, or by a receipt's TLVs. The text is
    /// not asked, for a handset can write any text.
    pub fn is_receipt(&self) -> bool {
        self.esm_class & esm_class::TYPE_MASK == esm_class::RECEIPT
            || self.tlvs.receipted_message_id().is_some() && self.tlvs.message_state().is_some()
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut message = Self {
            service_type: reader.text("service_type")?,
            source: Address::decode(reader, "source_addr")?,
            destination: Address::decode(reader, "destination_addr")?,
            esm_class: reader.u8("esm_class")?,
            protocol_id: reader.u8("protocol_id")?,
            priority_flag: reader.u8("priority_flag")?,
            schedule_delivery_time: reader.text("schedule_delivery_time")?,
            validity_period: reader.text("validity_period")?,
            registered_delivery: reader.u8("registered_delivery")?,
            replace_if_present_flag: reader.u8("replace_if_present_flag")?,
            data_coding: reader.u8("data_coding")?,
            sm_default_msg_id: reader.u8("sm_default_msg_id")?,
            ..Self::default()
        };
        let length = reader.u8("sm_length")?;
        message.short_message = reader.octets(usize::from(length), "short_message")?.to_vec();
        message.tlvs = Tlvs::decode(reader);
        Ok(message)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.service_type, "service_type", 6)?;
        self.source.encode(out, "source_addr", 21)?;
        self.destination.encode(out, "destination_addr", 21)?;
        out.extend([self.esm_class, self.protocol_id, self.priority_flag]);
        put_text(out, &self.schedule_delivery_time, "schedule_delivery_time", 17)?;
        put_text(out, &self.validity_period, "validity_period", 17)?;
        out.extend([self.registered_delivery, self.replace_if_present_flag, self.data_coding]);
        out.push(self.sm_default_msg_id);
        match u8::try_from(self.short_message.len()) {
            Ok(length) if length <= 254 => out.push(length),
            _ => return Err(EncodeError::TooLong { field: "short_message", limit: 254 }),
        }
        out.extend(&self.short_message);
        self.tlvs.encode(out)
    }
}

/// Answers submit_sm (SMPP 3.4 §4.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubmitSmResp {
    /// The SMSC's id of the message, at most 64 characters; empty in an error response, and from some SMSCs.
    pub message_id: String,
}

impl SubmitSmResp {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self { message_id: reader.last_text() }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.message_id, "message_id", 65)
    }
}

/// Data either way; some SMSCs send receipts in it (SMPP 3.4 §4.7.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataSm {
    /// Service, at most 5 characters.
    pub service_type: String,
    /// Who sends; up to 64 characters.
    pub source: Address,
    /// Who receives; up to 64 characters.
    pub destination: Address,
    /// Mode, type and features: [`esm_class`].
    pub esm_class: u8,
    /// Which receipts are asked for.
    pub registered_delivery: u8,
    /// Alphabet.
    pub data_coding: u8,
    /// Optional parameters; the text is message_payload.
    pub tlvs: Tlvs,
}

impl DataSm {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self {
            service_type: reader.text("service_type")?,
            source: Address::decode(reader, "source_addr")?,
            destination: Address::decode(reader, "destination_addr")?,
            esm_class: reader.u8("esm_class")?,
            registered_delivery: reader.u8("registered_delivery")?,
            data_coding: reader.u8("data_coding")?,
            tlvs: Tlvs::decode(reader),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.service_type, "service_type", 6)?;
        self.source.encode(out, "source_addr", 65)?;
        self.destination.encode(out, "destination_addr", 65)?;
        out.extend([self.esm_class, self.registered_delivery, self.data_coding]);
        self.tlvs.encode(out)
    }
}

impl From<DataSm> for ShortMessage {
    /// Takes a data_sm for the deliver_sm that it stands for; the text stays in message_payload.
    fn from(data: DataSm) -> Self {
        Self {
            service_type: data.service_type,
            source: data.source,
            destination: data.destination,
            esm_class: data.esm_class,
            registered_delivery: data.registered_delivery,
            data_coding: data.data_coding,
            tlvs: data.tlvs,
            ..Self::default()
        }
    }
}

impl From<ShortMessage> for DataSm {
    /// Carries a message as data_sm, with its text in message_payload; times, protocol and priority have no place there.
    fn from(mut message: ShortMessage) -> Self {
        if !message.short_message.is_empty() {
            let text = std::mem::take(&mut message.short_message);
            message.set_payload(text);
        }
        Self {
            service_type: message.service_type,
            source: message.source,
            destination: message.destination,
            esm_class: message.esm_class,
            registered_delivery: message.registered_delivery,
            data_coding: message.data_coding,
            tlvs: message.tlvs,
        }
    }
}

/// Answers data_sm (SMPP 3.4 §4.7.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataSmResp {
    /// Id of the message.
    pub message_id: String,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

impl DataSmResp {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self { message_id: reader.last_text(), tlvs: Tlvs::decode(reader) }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.message_id, "message_id", 65)?;
        self.tlvs.encode(out)
    }
}

/// Says that a subscriber has become available (SMPP 3.4 §4.12.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertNotification {
    /// The subscriber.
    pub source: Address,
    /// The ESME that had asked.
    pub esme: Address,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

impl AlertNotification {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self {
            source: Address::decode(reader, "source_addr")?,
            esme: Address::decode(reader, "esme_addr")?,
            tlvs: Tlvs::decode(reader),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.source.encode(out, "source_addr", 65)?;
        self.esme.encode(out, "esme_addr", 65)?;
        self.tlvs.encode(out)
    }
}
