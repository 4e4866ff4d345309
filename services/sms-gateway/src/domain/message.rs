//! What an opened message must be before an SMSC gets it, and its segments.

use common::crypto::sms_payload::SmsPayload;
use common::models::E164;
use sms::sender::{Sender, SenderError};
use sms::{Coding, Part, Reference, message_parts};

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

/// A message that an SMSC may get.
pub(crate) struct Outgoing {
    /// Who receives it.
    pub(crate) to: E164,
    /// Who sends it.
    pub(crate) sender: Sender,
    /// Alphabet of the text.
    pub(crate) coding: Coding,
    /// The text, cut; with a reference of nobody's.
    parts: Vec<Part>,
    message: SmsPayload,
}

impl Outgoing {
    /// Gives the message back, as it was opened.
    pub(crate) fn into_message(self) -> SmsPayload {
        self.message
    }

    /// Counts the segments.
    pub(crate) fn segments(&self) -> i32 {
        i32::try_from(self.parts.len()).unwrap_or(i32::MAX)
    }

    /// Gives the segments; `reference`, 1 to 65 535, joins those of one message.
    pub(crate) fn cut(&self, reference: i32) -> Vec<Segment> {
        let eight = u8::try_from(1 + (reference - 1).rem_euclid(255)).unwrap_or(1);
        let joined = match self.parts.len() {
            1 => None,
            _ => message_parts(self.message.text(), Reference::Eight(eight)).ok(),
        };
        let parts = joined.as_ref().map_or(&self.parts, |joined| &joined.parts);
        let segment =
            |part: &Part| Segment { octets: part.short_message(), has_header: !part.udh.is_empty() };
        parts.iter().map(segment).collect()
    }
}

/// One segment as `submit_sm` carries it.
pub(crate) struct Segment {
    /// Header and text.
    pub(crate) octets: Vec<u8>,
    /// Whether there is a header.
    pub(crate) has_header: bool,
}

/// Checks a message against the rules of the SMSC back end and cuts it.
///
/// # Errors
/// [`Unsendable`], in the order of the contract.
pub(crate) fn prepare(message: SmsPayload, allowed: &[NumberPattern]) -> Result<Outgoing, Unsendable> {
    let to: E164 = message.to().parse().map_err(|_| Unsendable::Recipient)?;
    if !allowed.iter().any(|pattern| pattern.fits(to.as_str())) {
        return Err(Unsendable::Recipient);
    }
    let sender = sms::sender::detect(message.sender().ok_or(Unsendable::SenderMissing)?)?;
    if message.text().trim().is_empty() {
        return Err(Unsendable::Blank);
    }
    let cut = message_parts(message.text(), Reference::Eight(0))?;
    Ok(Outgoing { to, sender, coding: cut.coding, parts: cut.parts, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(to: &str, sender: Option<&str>, text: &str) -> Result<i32, Unsendable> {
        let message = SmsPayload::new(to, sender, text).unwrap();
        prepare(message, &[NumberPattern::any()]).map(|outgoing| outgoing.segments())
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
    fn segments_of_one_message_carry_its_reference() {
        let references = |text: &str, reference: i32| -> Vec<Option<u8>> {
            let message = SmsPayload::new("+255123456789", Some("TEST"), text).unwrap();
            let segments = prepare(message, &[NumberPattern::any()]).unwrap().cut(reference);
            segments.iter().map(|segment| segment.has_header.then(|| segment.octets[3])).collect()
        };

        assert_eq!(references("short", 7), [None]);
        assert_eq!(references(&"a".repeat(161), 7), [Some(7), Some(7)]);
        assert_eq!(references(&"a".repeat(161), 255), [Some(255), Some(255)]);
        assert_eq!(references(&"a".repeat(161), 256), [Some(1), Some(1)]);
    }

    #[test]
    fn only_listed_numbers_pass() {
        let message = SmsPayload::new("+255123456789", Some("TEST"), "hello").unwrap();
        let allowed = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
            prepare(message.clone(), &patterns).is_ok()
        };

        assert!(allowed(&["+254*", "+255#########"]));
        assert!(!allowed(&["+254*"]));
        assert!(!allowed(&[]));
    }
}
