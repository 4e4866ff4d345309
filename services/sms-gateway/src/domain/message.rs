//! What an opened message must be before an SMSC gets it, and its segments.

use common::crypto::sms_payload::SmsPayload;
use common::models::E164;
use sms::sender::{Sender, SenderError};
use sms::{Coding, Reference, message_parts};

use super::numbers::NumberPattern;

/// Why an SMSC will not get a message; INVALID. Never quotes the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsendable {
    /// The recipient's number has no or too many digits, or is not on the list.
    #[error("recipient is not allowed: the number fits none of the allowed patterns")]
    Recipient,
    /// No sender.
    #[error("sender is missing")]
    SenderMissing,
    /// A sender that SMPP cannot carry.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// Nothing but blanks.
    #[error("message text is blank")]
    Blank,
    /// Too long.
    #[error(transparent)]
    Segments(#[from] sms::PartsError),
}

/// A message ready for an SMSC.
pub(crate) struct Outgoing {
    /// Who receives it.
    pub(crate) to: E164,
    /// Who sends it.
    pub(crate) sender: Sender,
    /// The text, cut.
    pub(crate) coding: Coding,
    /// `short_message` of each segment, and whether it begins with a header.
    pub(crate) segments: Vec<Segment>,
}

/// One segment as `submit_sm` carries it.
pub(crate) struct Segment {
    /// Header and text.
    pub(crate) octets: Vec<u8>,
    /// Whether there is a header.
    pub(crate) has_header: bool,
}

/// Checks a message against the rules of the SMSC back end and cuts it. `reference` joins its segments.
///
/// # Errors
/// [`Unsendable`], in the order of the contract.
pub(crate) fn prepare(
    message: &SmsPayload,
    allowed: &[NumberPattern],
    reference: u8,
) -> Result<Outgoing, Unsendable> {
    let to: E164 = message.to().parse().map_err(|_| Unsendable::Recipient)?;
    if !allowed.iter().any(|pattern| pattern.fits(to.as_str())) {
        return Err(Unsendable::Recipient);
    }
    let sender = sms::sender::detect(message.sender().ok_or(Unsendable::SenderMissing)?)?;
    if message.text().trim().is_empty() {
        return Err(Unsendable::Blank);
    }
    let cut = message_parts(message.text(), Reference::Eight(reference))?;
    let segments = cut
        .parts
        .iter()
        .map(|part| Segment { octets: part.short_message(), has_header: !part.udh.is_empty() })
        .collect();
    Ok(Outgoing { to, sender, coding: cut.coding, segments })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(to: &str, sender: Option<&str>, text: &str) -> Result<usize, Unsendable> {
        let message = SmsPayload::new(to, sender, text).unwrap();
        prepare(&message, &[NumberPattern::any()], 1).map(|outgoing| outgoing.segments.len())
    }

    #[test]
    fn a_message_is_checked_in_the_order_of_the_contract() {
        const TO: &str = "+255123456789";

        assert_eq!(check(TO, Some("TEST"), "hello"), Ok(1));
        assert_eq!(check(TO, Some("TEST"), &"a".repeat(161)), Ok(2));
        assert_eq!(check("+123", None, " "), Err(Unsendable::Recipient));
        assert_eq!(check(TO, None, " "), Err(Unsendable::SenderMissing));
        assert_eq!(check(TO, Some("TWELVE CHARS"), " "), Err(SenderError::TooLong.into()));
        assert_eq!(check(TO, Some("TEST"), " \n\t "), Err(Unsendable::Blank));
        let long = check(TO, Some("TEST"), &"a".repeat(255 * 153 + 1));
        assert!(matches!(long, Err(Unsendable::Segments(_))));
    }

    #[test]
    fn only_listed_numbers_pass() {
        let message = SmsPayload::new("+255123456789", Some("TEST"), "hello").unwrap();
        let allowed = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
            prepare(&message, &patterns, 1).is_ok()
        };

        assert!(allowed(&["+254*", "+255#########"]));
        assert!(!allowed(&["+254*"]));
        assert!(!allowed(&[]));
    }
}
