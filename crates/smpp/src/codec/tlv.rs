//! Optional parameters: tag, length, value (SMPP 3.4 §3.2.4, §5.3).

use std::fmt;

use super::error::EncodeError;
use super::fields::{Reader, put_characters, text_of};

/// Tags of the parameters that [`Tlv`] has a variant for (SMPP 3.4 §5.3.2).
pub mod tag {
    /// receipted_message_id, §5.3.2.12.
    pub const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
    /// user_message_reference, §5.3.2.17.
    pub const USER_MESSAGE_REFERENCE: u16 = 0x0204;
    /// sar_msg_ref_num, §5.3.2.22.
    pub const SAR_MSG_REF_NUM: u16 = 0x020C;
    /// sar_total_segments, §5.3.2.23.
    pub const SAR_TOTAL_SEGMENTS: u16 = 0x020E;
    /// sar_segment_seqnum, §5.3.2.24.
    pub const SAR_SEGMENT_SEQNUM: u16 = 0x020F;
    /// sc_interface_version, §5.3.2.25.
    pub const SC_INTERFACE_VERSION: u16 = 0x0210;
    /// network_error_code, §5.3.2.31.
    pub const NETWORK_ERROR_CODE: u16 = 0x0423;
    /// message_payload, §5.3.2.32.
    pub const MESSAGE_PAYLOAD: u16 = 0x0424;
    /// message_state, §5.3.2.35.
    pub const MESSAGE_STATE: u16 = 0x0427;
}

/// One optional parameter.
#[derive(Clone, PartialEq, Eq)]
pub enum Tlv {
    /// Id of the message that a receipt is for.
    ReceiptedMessageId(String),
    /// State of the message that a receipt is for: see [`super::MessageState`].
    MessageState(u8),
    /// Text of the message when short_message does not hold it, at most 64 KiB.
    MessagePayload(Vec<u8>),
    /// Reference number that the segments of one message share.
    SarMsgRefNum(u16),
    /// Number of segments.
    SarTotalSegments(u8),
    /// Number of this segment, from 1.
    SarSegmentSeqnum(u8),
    /// Error code of the network that a receipt reports: type of network, then code.
    NetworkErrorCode(u8, u16),
    /// Reference chosen by the ESME; some SMSCs repeat it in the receipt.
    UserMessageReference(u16),
    /// SMPP version of the SMSC.
    ScInterfaceVersion(u8),
    /// Any other parameter, or a known one whose value has an impossible size: kept as it came.
    Other {
        /// The tag.
        tag: u16,
        /// The value.
        value: Vec<u8>,
    },
}

impl fmt::Debug for Tlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReceiptedMessageId(id) => write!(f, "ReceiptedMessageId({id:?})"),
            Self::MessageState(state) => write!(f, "MessageState({state})"),
            Self::NetworkErrorCode(network, code) => write!(f, "NetworkErrorCode({network}, {code})"),
            other => write!(f, "Tlv(0x{:04X})", other.tag()),
        }
    }
}

/// An unsigned number of any width, as SMSCs send wider ones than the table says; `None` when it does not fit.
fn number<T: TryFrom<u64>>(value: &[u8]) -> Option<T> {
    if value.is_empty() || value.len() > 8 {
        return None;
    }
    T::try_from(value.iter().fold(0u64, |number, &octet| number << 8 | u64::from(octet))).ok()
}

impl Tlv {
    /// Gives the tag on the wire.
    pub fn tag(&self) -> u16 {
        match self {
            Self::ReceiptedMessageId(_) => tag::RECEIPTED_MESSAGE_ID,
            Self::MessageState(_) => tag::MESSAGE_STATE,
            Self::MessagePayload(_) => tag::MESSAGE_PAYLOAD,
            Self::SarMsgRefNum(_) => tag::SAR_MSG_REF_NUM,
            Self::SarTotalSegments(_) => tag::SAR_TOTAL_SEGMENTS,
            Self::SarSegmentSeqnum(_) => tag::SAR_SEGMENT_SEQNUM,
            Self::NetworkErrorCode(..) => tag::NETWORK_ERROR_CODE,
            Self::UserMessageReference(_) => tag::USER_MESSAGE_REFERENCE,
            Self::ScInterfaceVersion(_) => tag::SC_INTERFACE_VERSION,
            Self::Other { tag, .. } => *tag,
        }
    }

    fn decode(tag: u16, value: &[u8]) -> Self {
        let typed = match tag {
            tag::RECEIPTED_MESSAGE_ID => {
                let end = value.iter().position(|&octet| octet == 0).unwrap_or(value.len());
                Some(Self::ReceiptedMessageId(text_of(&value[..end])))
            }
            tag::MESSAGE_STATE => number(value).map(Self::MessageState),
            tag::MESSAGE_PAYLOAD => Some(Self::MessagePayload(value.to_vec())),
            tag::SAR_MSG_REF_NUM => number(value).map(Self::SarMsgRefNum),
            tag::SAR_TOTAL_SEGMENTS => number(value).map(Self::SarTotalSegments),
            tag::SAR_SEGMENT_SEQNUM => number(value).map(Self::SarSegmentSeqnum),
            tag::NETWORK_ERROR_CODE => match *value {
                [network, high, low] => {
                    Some(Self::NetworkErrorCode(network, u16::from_be_bytes([high, low])))
                }
                _ => None,
            },
            tag::USER_MESSAGE_REFERENCE => number(value).map(Self::UserMessageReference),
            tag::SC_INTERFACE_VERSION => number(value).map(Self::ScInterfaceVersion),
            _ => None,
        };
        typed.unwrap_or_else(|| Self::Other { tag, value: value.to_vec() })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.tag().to_be_bytes());
        let length_at = out.len();
        out.extend([0, 0]);
        match self {
            Self::ReceiptedMessageId(id) => {
                put_characters(out, id, "receipted_message_id", 65)?;
                out.push(0);
            }
            Self::MessageState(value)
            | Self::SarTotalSegments(value)
            | Self::SarSegmentSeqnum(value)
            | Self::ScInterfaceVersion(value) => out.push(*value),
            Self::SarMsgRefNum(value) | Self::UserMessageReference(value) => out.extend(value.to_be_bytes()),
            Self::NetworkErrorCode(network, code) => {
                out.push(*network);
                out.extend(code.to_be_bytes());
            }
            Self::MessagePayload(value) | Self::Other { value, .. } => out.extend(value),
        }
        let length = u16::try_from(out.len() - length_at - 2).map_err(|_| EncodeError::TooLong {
            field: "optional parameter",
            limit: usize::from(u16::MAX),
        })?;
        if let Some(place) = out.get_mut(length_at..length_at + 2) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}

/// The place of a segment in its message, as the sar parameters tell it (SMPP 3.4 §5.3.2.22 to §5.3.2.24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sar {
    /// Number that the segments of one message share.
    pub reference: u16,
    /// How many there are.
    pub total: u8,
    /// Which one this is, from 1.
    pub number: u8,
}

/// The optional parameters of a PDU, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tlvs(pub Vec<Tlv>);

impl Tlvs {
    /// Reads what is left of a PDU. A value cut short is kept as far as it goes, and fewer octets than a tag and a
    /// length take are dropped: padding after the parameters is common.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        let mut tlvs = Vec::new();
        while let (Ok(tag), Ok(length)) = (reader.u16("tag"), reader.u16("length")) {
            tlvs.push(Tlv::decode(tag, reader.up_to(usize::from(length))));
        }
        Self(tlvs)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.iter().try_for_each(|tlv| tlv.encode(out))
    }

    /// Puts a parameter in, in the place of the one with its tag, if there is one.
    pub fn set(&mut self, tlv: Tlv) {
        match self.0.iter_mut().find(|other| other.tag() == tlv.tag()) {
            Some(place) => *place = tlv,
            None => self.0.push(tlv),
        }
    }

    /// Puts in the three parameters that place a segment in its message.
    pub fn set_sar(&mut self, sar: Sar) {
        self.set(Tlv::SarMsgRefNum(sar.reference));
        self.set(Tlv::SarTotalSegments(sar.total));
        self.set(Tlv::SarSegmentSeqnum(sar.number));
    }

    /// Puts in message_payload. Its short_message must be empty: [`super::ShortMessage::set_payload`] sees to both.
    pub fn set_message_payload(&mut self, text: Vec<u8>) {
        self.set(Tlv::MessagePayload(text));
    }

    /// Puts in user_message_reference.
    pub fn set_user_message_reference(&mut self, reference: u16) {
        self.set(Tlv::UserMessageReference(reference));
    }

    fn first<'a, T: 'a>(&'a self, value: impl FnMut(&'a Tlv) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(value)
    }

    /// Gives the value of message_payload.
    pub fn message_payload(&self) -> Option<&[u8]> {
        self.first(|tlv| match tlv {
            Tlv::MessagePayload(value) => Some(value.as_slice()),
            _ => None,
        })
    }

    /// Gives the place of a segment; `None` when one of the three parameters is missing or they make no sense, for then
    /// the message is to be taken for a whole one (§5.3.2.22).
    pub fn sar(&self) -> Option<Sar> {
        let reference = self.first(|tlv| match tlv {
            Tlv::SarMsgRefNum(value) => Some(*value),
            _ => None,
        })?;
        let total = self.first(|tlv| match tlv {
            Tlv::SarTotalSegments(value) => Some(*value),
            _ => None,
        })?;
        let number = self.first(|tlv| match tlv {
            Tlv::SarSegmentSeqnum(value) => Some(*value),
            _ => None,
        })?;
        (1..=total).contains(&number).then_some(Sar { reference, total, number })
    }

    /// Gives the value of user_message_reference.
    pub fn user_message_reference(&self) -> Option<u16> {
        self.first(|tlv| match tlv {
            Tlv::UserMessageReference(reference) => Some(*reference),
            _ => None,
        })
    }

    /// Gives the value of sc_interface_version.
    pub fn sc_interface_version(&self) -> Option<u8> {
        self.first(|tlv| match tlv {
            Tlv::ScInterfaceVersion(version) => Some(*version),
            _ => None,
        })
    }

    /// Gives the value of receipted_message_id, `None` too when it is empty.
    pub fn receipted_message_id(&self) -> Option<&str> {
        self.first(|tlv| match tlv {
            Tlv::ReceiptedMessageId(id) if !id.is_empty() => Some(id.as_str()),
            _ => None,
        })
    }

    /// Gives the value of message_state, as [`super::MessageState`] numbers it.
    pub fn message_state(&self) -> Option<u8> {
        self.first(|tlv| match tlv {
            Tlv::MessageState(state) => Some(*state),
            _ => None,
        })
    }

    /// Gives the code of network_error_code.
    pub fn network_error_code(&self) -> Option<u16> {
        self.first(|tlv| match tlv {
            Tlv::NetworkErrorCode(_, code) => Some(*code),
            _ => None,
        })
    }

    /// Gives the first parameter without which the message would be another one: its text, or its place among others.
    pub(crate) fn essential(&self) -> Option<u16> {
        const ESSENTIAL: [u16; 4] =
            [tag::MESSAGE_PAYLOAD, tag::SAR_MSG_REF_NUM, tag::SAR_TOTAL_SEGMENTS, tag::SAR_SEGMENT_SEQNUM];
        self.0.iter().map(Tlv::tag).find(|tag| ESSENTIAL.contains(tag))
    }
}
