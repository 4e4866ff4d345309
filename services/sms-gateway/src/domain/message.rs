//! What an opened message must be before an SMSC gets it, and its segments.

use common::crypto::sms_payload::SmsPayload;
use common::models::E164;
use smpp::codec::{Address, SubmitSm, esm_class};
use sms::sender::{Sender, SenderError};
use sms::{Carrier, DefaultAlphabet, LongText, Part, Parts, parts};

use super::numbers::NumberPattern;
use super::route::Route;
use crate::settings::SmscSettings;

/// The specification's "urgent", which the known gateway sends, too.
const PRIORITY: u8 = 1;

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
    /// The text, cut; with a reference of nobody's.
    parts: Parts,
    form: Form,
    message: SmsPayload,
}

/// How an SMSC wants texts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    /// What it takes data_coding 0 for.
    pub(crate) alphabet: DefaultAlphabet,
    /// How what does not fit one SMS is carried.
    pub(crate) long_text: LongText,
    /// Numbering plan of recipients (SMPP 3.4 §5.2.6).
    pub(crate) destination_npi: u8,
    /// Which receipts are asked for (SMPP 3.4 §5.2.17), for each segment: the message is delivered when all are.
    pub(crate) registered_delivery: u8,
}

impl Form {
    /// Takes it from an SMSC's settings.
    pub(crate) fn of(smsc: &SmscSettings) -> Self {
        Self {
            alphabet: smsc.default_alphabet,
            long_text: smsc.long_text,
            destination_npi: smsc.destination_npi,
            registered_delivery: smsc.registered_delivery,
        }
    }

    /// Takes over what a route says of long texts, if it does.
    pub(crate) fn by(self, route: &Route) -> Self {
        Self { long_text: route.long_text.unwrap_or(self.long_text), ..self }
    }
}

impl Outgoing {
    /// Gives the message back, as it was opened.
    pub(crate) fn into_message(self) -> SmsPayload {
        self.message
    }

    /// Shows the message, as it was opened.
    pub(crate) fn message(&self) -> &SmsPayload {
        &self.message
    }

    /// Names the alphabet that the text is in.
    pub(crate) fn alphabet(&self) -> &'static str {
        self.parts.coding.as_str()
    }

    /// Counts what is to be submitted.
    pub(crate) fn segments(&self) -> i32 {
        i32::try_from(self.parts.parts.len()).unwrap_or(i32::MAX)
    }

    /// Counts the SMS that it is on the air, where an operator counts.
    pub(crate) fn on_air(&self) -> u64 {
        self.parts.segments.into()
    }

    /// Gives the submissions, in order and complete but for when they end. `reference`, 1 to 65 535, joins the segments
    /// of one message.
    pub(crate) fn cut(&self, reference: i32) -> Vec<SubmitSm> {
        let reference = u16::try_from(reference).unwrap_or_default();
        let joined = match self.parts.parts.len() {
            1 => None,
            _ => parts(self.message.text(), self.form.alphabet, self.form.long_text, reference).ok(),
        };
        let parts = joined.as_ref().unwrap_or(&self.parts);
        parts.parts.iter().map(|part| self.submission(part)).collect()
    }

    fn submission(&self, part: &Part) -> SubmitSm {
        let (ton, npi) = self.sender.kind.ton_npi();
        let mut pdu = SubmitSm {
            source: Address { ton, npi, value: self.sender.value.clone() },
            destination: Address {
                ton: 1,
                npi: self.form.destination_npi,
                value: self.to.digits().to_owned(),
            },
            esm_class: if part.udh.is_empty() { 0 } else { esm_class::UDHI },
            priority_flag: PRIORITY,
            registered_delivery: self.form.registered_delivery,
            data_coding: self.parts.coding.data_coding(),
            ..SubmitSm::default()
        };
        match part.carrier {
            Carrier::ShortMessage => pdu.short_message = part.short_message(),
            Carrier::Sar(sms::Sar { reference, total, number }) => {
                pdu.short_message = part.short_message();
                pdu.tlvs.set_sar(smpp::codec::Sar { reference, total, number });
            }
            Carrier::MessagePayload => pdu.set_payload(part.octets.clone()),
        }
        pdu
    }
}

/// Checks a message against the rules of the SMSC back end and cuts it.
///
/// # Errors
/// [`Unsendable`], in the order of the contract.
pub(crate) fn prepare(
    message: SmsPayload,
    allowed: &[NumberPattern],
    form: Form,
) -> Result<Outgoing, Unsendable> {
    let to: E164 = message.to().parse().map_err(|_| Unsendable::Recipient)?;
    if !allowed.iter().any(|pattern| pattern.fits(to.as_str())) {
        return Err(Unsendable::Recipient);
    }
    let sender = sms::sender::detect(message.sender().ok_or(Unsendable::SenderMissing)?)?;
    if message.text().trim().is_empty() {
        return Err(Unsendable::Blank);
    }
    let parts = parts(message.text(), form.alphabet, form.long_text, 0)?;
    Ok(Outgoing { to, sender, parts, form, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(to: &str, sender: Option<&str>, text: &str) -> Result<i32, Unsendable> {
        let message = SmsPayload::new(to, sender, text).unwrap();
        prepare(message, &[NumberPattern::any()], Form::default()).map(|outgoing| outgoing.segments())
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

    fn cut(text: &str, form: Form, reference: i32) -> Vec<SubmitSm> {
        let message = SmsPayload::new("+255123456789", Some("TEST"), text).unwrap();
        prepare(message, &[NumberPattern::any()], form).unwrap().cut(reference)
    }

    #[test]
    fn segments_of_one_message_carry_its_reference() {
        let references = |text: &str, reference| -> Vec<Option<u8>> {
            let cut = cut(text, Form::default(), reference);
            cut.iter().map(|pdu| (pdu.esm_class == 0x40).then(|| pdu.short_message[3])).collect()
        };

        assert_eq!(references("short", 7), [None]);
        assert_eq!(references(&"a".repeat(161), 7), [Some(7), Some(7)]);
        assert_eq!(references(&"a".repeat(161), 0x1FF), [Some(0xFF), Some(0xFF)]);
    }

    #[test]
    fn a_long_text_takes_the_form_that_the_smsc_wants() {
        let form = |long_text| Form { long_text, ..Form::default() };
        let text = "a".repeat(161);

        let sixteen = cut(&text, form(LongText::Udh16), 0x0102);
        assert!(sixteen.iter().all(|pdu| pdu.short_message.starts_with(&[6, 8, 4, 1, 2, 2])));
        let sar = cut(&text, form(LongText::Sar), 9);
        let places: Vec<_> = sar.iter().filter_map(|pdu| pdu.tlvs.sar()).collect();
        let place = |number| smpp::codec::Sar { reference: 9, total: 2, number };
        assert_eq!(places, [place(1), place(2)]);
        assert!(sar.iter().all(|pdu| pdu.esm_class == 0));
        let whole = cut(&text, form(LongText::Payload { most_octets: u16::MAX }), 9);
        assert_eq!(whole.len(), 1);
        assert_eq!((whole[0].short_message.len(), whole[0].text().len()), (0, 161));
    }

    #[test]
    fn data_coding_0_is_in_the_alphabet_of_the_smsc() {
        let latin = Form { alphabet: DefaultAlphabet::Latin1, ..Form::default() };

        assert_eq!(cut("@", Form::default(), 0)[0].short_message, [0]);
        assert_eq!(cut("@", latin, 0)[0].short_message, *b"@");
        assert_eq!(cut("ж", latin, 0)[0].data_coding, 8);
    }

    #[test]
    fn only_listed_numbers_pass() {
        let message = SmsPayload::new("+255123456789", Some("TEST"), "hello").unwrap();
        let allowed = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
            prepare(message.clone(), &patterns, Form::default()).is_ok()
        };

        assert!(allowed(&["+254*", "+255#########"]));
        assert!(!allowed(&["+254*"]));
        assert!(!allowed(&[]));
    }
}
