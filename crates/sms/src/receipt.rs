//! Delivery receipts: the text that SMPP 3.4 Appendix B suggests, in the shapes that SMSCs really send, merged with the
//! TLVs that say the same more reliably.
//!
//! Fields are found whatever their case and order, and any may be missing. Whatever is unreadable counts as missing;
//! a date that makes no sense never costs the receipt.

mod date;
mod fields;

pub use date::ReceiptDate;

use std::borrow::Cow;

use fields::Fields;

/// What a receipt says about its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The SMSC's id of the message, as written; see [`crate::message_id`].
    pub id: String,
    /// What has become of the message.
    pub state: ReceiptState,
    /// The error code, `None` when there is none or it is zero.
    pub err: Option<String>,
    /// When the message was submitted, in the SMSC's local time.
    pub submitted: Option<ReceiptDate>,
    /// When it reached this state, in the SMSC's local time.
    pub done: Option<ReceiptDate>,
}

/// States of a message (SMPP 3.4 §5.2.28, Appendix B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptState {
    /// On its way.
    Enroute,
    /// Taken, on its way.
    Accepted,
    /// Delivered.
    Delivered,
    /// Validity period ended before delivery.
    Expired,
    /// Deleted at the SMSC.
    Deleted,
    /// Cannot be delivered.
    Undeliverable,
    /// Rejected.
    Rejected,
    /// The SMSC says that it does not know.
    Unknown,
    /// The receipt names no state, or one that is not in the specification.
    Unrecognised,
}

impl ReceiptState {
    /// Gives the seven-letter word of Appendix B; for [`Self::Unrecognised`] that of "unknown".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enroute => "ENROUTE",
            Self::Accepted => "ACCEPTD",
            Self::Delivered => "DELIVRD",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
            Self::Undeliverable => "UNDELIV",
            Self::Rejected => "REJECTD",
            Self::Unknown | Self::Unrecognised => "UNKNOWN",
        }
    }

    /// Tells whether no other state is to be expected.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Enroute | Self::Accepted)
    }

    /// Gives the state of a message_state value (SMPP 3.4 §5.2.28), `None` for another number.
    pub fn from_message_state(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::Enroute,
            2 => Self::Delivered,
            3 => Self::Expired,
            4 => Self::Deleted,
            5 => Self::Undeliverable,
            6 => Self::Accepted,
            7 => Self::Unknown,
            8 => Self::Rejected,
            _ => return None,
        })
    }

    /// Gives the state of a `stat` word, in the spellings that are about.
    fn from_word(word: &str) -> Option<Self> {
        const WORDS: [(ReceiptState, &[&str]); 8] = [
            (ReceiptState::Delivered, &["DELIVRD", "DELIVERED", "DELIVERD"]),
            (ReceiptState::Expired, &["EXPIRED", "EXPIRD"]),
            (ReceiptState::Deleted, &["DELETED"]),
            // No specification has FAILED, but many an SMSC; none means anything else by it.
            (
                ReceiptState::Undeliverable,
                &["UNDELIV", "UNDELIVRD", "UNDELIVERED", "UNDELIVERABLE", "UNDELIVERD", "FAILED"],
            ),
            (ReceiptState::Accepted, &["ACCEPTD", "ACCEPTED"]),
            // A message that waits is on its way: SMPP 5.0 §4.7.15, and words for the same.
            (ReceiptState::Enroute, &["ENROUTE", "SCHEDULED", "SCHEDLD", "BUFFERED", "BUFFRED", "QUEUED"]),
            (ReceiptState::Unknown, &["UNKNOWN"]),
            (ReceiptState::Rejected, &["REJECTD", "REJECTED"]),
        ];
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let known =
            |(_, spellings): &&(Self, &[&str])| spellings.iter().any(|s| s.eq_ignore_ascii_case(word));
        WORDS.iter().find(known).map(|&(state, _)| state)
    }
}

/// The TLVs of the deliver_sm (or data_sm) that carried a receipt; absent ones are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReceiptTlvs<'a> {
    /// receipted_message_id.
    pub message_id: Option<&'a str>,
    /// message_state.
    pub message_state: Option<u8>,
    /// The code of network_error_code.
    pub network_error: Option<u16>,
}

impl Receipt {
    /// Reads a receipt. `text` is the message's text in whatever alphabet: all that counts in it is ASCII, and two
    /// octets a character are noticed, for some SMSCs forget to say so. A TLV wins over the field of the text that
    /// says the same. `None` when neither names an id.
    pub fn read(text: &[u8], tlvs: ReceiptTlvs<'_>) -> Option<Self> {
        let text = characters(text);
        let fields = Fields::find(&text);
        let named = tlvs.message_id.map(|id| id.trim_matches(|c: char| c.is_whitespace() || c == '\0'));
        let id = named.filter(|id| !id.is_empty()).or(fields.id)?;
        let state = tlvs
            .message_state
            .and_then(ReceiptState::from_message_state)
            .or_else(|| fields.stat.and_then(ReceiptState::from_word))
            // SCHEDULED of SMPP 5.0 (§4.7.15), and what others send who mean nothing by it.
            .or_else(|| (tlvs.message_state == Some(0)).then_some(ReceiptState::Enroute))
            .unwrap_or(ReceiptState::Unrecognised);
        let err = fields.err.filter(|code| !is_zero(code)).map(str::to_owned);
        let err = err.or_else(|| tlvs.network_error.filter(|&code| code != 0).map(|code| code.to_string()));
        Some(Self {
            id: id.to_owned(),
            state,
            err,
            submitted: fields.submit_date.and_then(ReceiptDate::parse),
            done: fields.done_date.and_then(ReceiptDate::parse),
        })
    }
}

/// Gives a character for each octet, or for each two where one of two is zero from the start.
fn characters(text: &[u8]) -> Cow<'_, str> {
    let skipped = match text {
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => 1,
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => 0,
        _ => match std::str::from_utf8(text) {
            Ok(text) if text.is_ascii() => return Cow::Borrowed(text),
            _ => return text.iter().map(|&octet| char::from(octet)).collect(),
        },
    };
    text.iter().skip(skipped).step_by(2).map(|&octet| char::from(octet)).collect()
}

/// `0`, `000`, `0x00` and the like say that there was no error.
fn is_zero(code: &str) -> bool {
    let digits = code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")).unwrap_or(code);
    digits.bytes().all(|octet| octet == b'0')
}

#[cfg(test)]
mod tests;
