//! The message from a handset inside an SMS envelope: `From`, `To`, an empty line, the text. The form is that of
//! [`super::sms_payload`]; what differs is who may stand in it, for here the network says who.
//!
//! In: what an SMSC brought, or decrypted octets. Out: the other one, wiped when dropped.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::sms_envelope::Binding;
use super::sms_payload::{header, split_line, trim};

/// Name of the header that says that the body is base64, of octets in this `data_coding`.
const DATA_CODING: &str = "Data-Coding";

/// Decrypted octets that are no message from a handset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message from a handset: headers From and To, an empty line, the text")]
pub struct NotInbound;

/// What a handset sent.
#[derive(Clone, PartialEq, Eq)]
pub enum InboundBody {
    /// Text; perhaps empty.
    Text(Zeroizing<String>),
    /// Octets in an alphabet that is none, such as 8-bit data.
    Binary {
        /// SMPP's `data_coding`.
        coding: u8,
        /// As they came.
        octets: Zeroizing<Vec<u8>>,
    },
}

/// A message from a handset. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct InboundSms {
    from: Zeroizing<String>,
    to: Zeroizing<String>,
    body: InboundBody,
}

impl InboundSms {
    /// Makes one. Blanks at the ends of the addresses go, and so do line ends and other control characters in them:
    /// whoever chooses an address cannot add a header.
    pub fn new(from: &str, to: &str, body: InboundBody) -> Self {
        let clean = |address: &str| {
            let kept: String = address.chars().filter(|c| !c.is_control()).collect();
            Zeroizing::new(trim(&kept).to_owned())
        };
        Self { from: clean(from), to: clean(to), body }
    }

    /// Shows who sent it: `+` and digits, or as the SMSC writes what is no international number.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Shows the number of ours that it was sent to.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Shows what was sent.
    pub fn body(&self) -> &InboundBody {
        &self.body
    }

    /// Writes it in the form that [`InboundSms::parse`] reads. The text stands as it is, with whatever line ends.
    pub fn to_octets(&self) -> Zeroizing<Vec<u8>> {
        let mut octets = Zeroizing::new(format!("From: {}\nTo: {}\n", *self.from, *self.to).into_bytes());
        match &self.body {
            InboundBody::Text(text) => {
                octets.push(b'\n');
                octets.extend_from_slice(text.as_bytes());
            }
            InboundBody::Binary { coding, octets: body } => {
                octets.extend_from_slice(format!("{DATA_CODING}: {coding}\n\n").as_bytes());
                octets.extend_from_slice(STANDARD.encode(body.as_slice()).as_bytes());
            }
        }
        octets
    }

    /// Reads decrypted octets. Unknown headers are ignored; what follows the empty line is the text, untouched.
    ///
    /// # Errors
    /// [`NotInbound`].
    pub fn parse(octets: &[u8]) -> Result<Self, NotInbound> {
        let source = std::str::from_utf8(octets).map_err(|_| NotInbound)?;
        let (mut from, mut to, mut coding) = (None, None, None);
        let mut rest = source;
        loop {
            if rest.is_empty() {
                return Err(NotInbound);
            }
            let (line, after) = split_line(rest);
            rest = after;
            let line = trim(line);
            if line.is_empty() {
                break;
            }
            let (name, value) = header(line).ok_or(NotInbound)?;
            match name {
                "From" => from = Some(value),
                "To" => to = Some(value),
                DATA_CODING => coding = Some(value.parse().map_err(|_| NotInbound)?),
                _ => {}
            }
        }
        let body = match coding {
            None => InboundBody::Text(Zeroizing::new(rest.to_owned())),
            Some(coding) => {
                let octets = Zeroizing::new(STANDARD.decode(rest).map_err(|_| NotInbound)?);
                InboundBody::Binary { coding, octets }
            }
        };
        let (Some(from), Some(to)) = (from, to) else { return Err(NotInbound) };
        Ok(Self::new(from, to, body))
    }
}

impl fmt::Debug for InboundSms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboundSms([redacted])")
    }
}

impl fmt::Debug for InboundBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboundBody([redacted])")
    }
}

/// The record of `sms-inbound` that an envelope of version 2 belongs to, with its fields' texts as they stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboundBinding<'a> {
    /// `client-id`.
    pub client_id: &'a str,
    /// `inbound-id`.
    pub inbound_id: &'a str,
    /// `timestamp`.
    pub timestamp: &'a str,
    /// `recipient`.
    pub recipient: &'a str,
}

impl InboundBinding<'_> {
    /// Calls `with` with the binding of the envelope: the third text, where a request has its deadline, is timestamp,
    /// blank and recipient. That is no deadline, so that nobody can put the envelope into a request.
    pub fn with<T>(&self, with: impl FnOnce(&Binding<'_>) -> T) -> T {
        let place = format!("{} {}", self.timestamp, self.recipient);
        with(&Binding { client_id: self.client_id, correl_id: self.inbound_id, deadline: &place })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::models::sms::parse_deadline;

    fn text(text: &str) -> InboundBody {
        InboundBody::Text(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn the_form_is_that_of_the_contract() {
        let sms = InboundSms::new("+255123456789", "15050", text("Yes\r\nplease\n"));
        let octets = InboundBody::Binary { coding: 4, octets: Zeroizing::new(vec![0, 255]) };
        let binary = InboundSms::new("+255123456789", "15050", octets);

        assert_eq!(sms.to_octets().as_slice(), b"From: +255123456789\nTo: 15050\n\nYes\r\nplease\n");
        assert_eq!(binary.to_octets().as_slice(), b"From: +255123456789\nTo: 15050\nData-Coding: 4\n\nAP8=");
    }

    #[test]
    fn an_address_adds_no_header() {
        let sms = InboundSms::new("EVIL\nTo: +1\n\nx", "15050", text("hello"));

        let read = InboundSms::parse(&sms.to_octets()).unwrap();

        assert_eq!((read.to(), read.body() == &text("hello")), ("15050", true));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for octets in [&b""[..], b"From: 1\nTo: 2", b"To: 2\n\nx", b"From: 1\n\nx", b"x\n\n", b"\xff\n\n"] {
            assert_eq!(InboundSms::parse(octets), Err(NotInbound), "{octets:?}");
        }
        for coding in ["x", "256", "4"] {
            let octets = format!("From: 1\nTo: 2\nData-Coding: {coding}\n\n!");
            assert_eq!(InboundSms::parse(octets.as_bytes()), Err(NotInbound), "{coding}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let sms = InboundSms::new("+255123456789", "15050", text("secret"));

        assert_eq!(format!("{sms:?} {:?}", sms.body()), "InboundSms([redacted]) InboundBody([redacted])");
    }

    #[test]
    fn no_request_has_the_binding_of_a_record() {
        let (timestamp, recipient) = ("2026-02-10T12:34:56Z", "15050");
        let record = InboundBinding { client_id: "acme", inbound_id: "1", timestamp, recipient };

        record.with(|binding| assert!(parse_deadline(binding.deadline).is_err(), "{binding:?}"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(from in "\\+?[0-9A-Za-z]{1,15}", to in "[0-9]{1,15}", body in "\\PC*|[a\r\n :]{0,9}") {
            let sms = InboundSms::new(&from, &to, text(&body));

            prop_assert_eq!(InboundSms::parse(&sms.to_octets()), Ok(sms));
        }

        #[test]
        fn octets_are_read_back(coding: u8, octets: Vec<u8>) {
            let sms = InboundSms::new("1", "2", InboundBody::Binary { coding, octets: Zeroizing::new(octets) });

            prop_assert_eq!(InboundSms::parse(&sms.to_octets()), Ok(sms));
        }

        #[test]
        fn any_octets_are_read_without_panic(octets: Vec<u8>, text in "(To|From|Data-Coding|[:+0-9\r\n \u{feff}])*") {
            let _ = (InboundSms::parse(&octets), InboundSms::parse(text.as_bytes()));
        }
    }
}
