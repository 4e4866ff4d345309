//! The ways in which SMPP carries a text that does not fit one SMS.

/// How an SMSC wants a text that is longer than one SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LongText {
    /// Segments, each with a header of 6 octets that has an 8-bit reference: 153 septets or 67 units. Every handset
    /// and SMSC knows it.
    #[default]
    Udh8,
    /// Segments, each with a header of 7 octets that has a 16-bit reference: 152 or 66. Two long messages to one phone
    /// are less likely to be mixed up.
    Udh16,
    /// Segments with the TLVs `sar_msg_ref_num`, `sar_total_segments` and `sar_segment_seqnum` (SMPP 3.4 §5.3.2.22 to
    /// 24) and no header. The SMSC makes the header for the air out of them, so that its 6 octets must be left free:
    /// 153 or 67 as well. The reference is kept to 8 bits, else an SMSC may make a header of 7.
    Sar,
    /// The whole text in the TLV `message_payload` (SMPP 3.4 §5.3.2.32), cut by the SMSC.
    Payload {
        /// Most octets that the SMSC takes in it.
        most_octets: u16,
    },
}

/// A word that names no [`LongText`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected udh8, udh16, sar or payload")]
pub struct UnknownLongText;

impl LongText {
    /// Gives the word used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udh8 => "udh8",
            Self::Udh16 => "udh16",
            Self::Sar => "sar",
            Self::Payload { .. } => "payload",
        }
    }

    /// Tells whether it needs optional parameters, which SMPP 3.3 does not have.
    pub fn needs_tlvs(self) -> bool {
        matches!(self, Self::Sar | Self::Payload { .. })
    }

    /// Octets of a segment that its text leaves free: those of the header that joins it to the others, whoever writes
    /// it.
    pub(super) fn header_octets(self) -> usize {
        match self {
            Self::Udh16 => 7,
            Self::Udh8 | Self::Sar | Self::Payload { .. } => 6,
        }
    }
}

impl std::str::FromStr for LongText {
    type Err = UnknownLongText;

    /// Reads a word of the settings; `payload` with as many octets as a TLV can have.
    fn from_str(word: &str) -> Result<Self, UnknownLongText> {
        [Self::Udh8, Self::Udh16, Self::Sar, Self::Payload { most_octets: u16::MAX }]
            .into_iter()
            .find(|form| form.as_str() == word)
            .ok_or(UnknownLongText)
    }
}
