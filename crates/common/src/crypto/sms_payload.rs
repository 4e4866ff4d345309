//! The message inside an SMS envelope: header lines, an empty line, the text.
//!
//! In: decrypted octets. Out: recipient, sender and text, wiped when dropped. Errors never quote the content.

use std::fmt;

use zeroize::Zeroizing;

/// Why a decrypted message cannot be sent; all INVALID. In the order in which the contract checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// A line before the empty one is no header, or there is no empty line.
    #[error("message does not follow the grammar: header lines, an empty line, the text")]
    Grammar,
    /// No `To`.
    #[error("recipient is missing")]
    RecipientMissing,
    /// `To` does not begin with `+`.
    #[error("recipient is not a full international number")]
    RecipientNotInternational,
    /// `To` is not `+` and digits.
    #[error("recipient is not a valid number")]
    RecipientInvalid,
    /// No text.
    #[error("message text is empty")]
    TextEmpty,
}

/// A message to be sent as SMS. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SmsPayload {
    to: Zeroizing<String>,
    sender: Option<Zeroizing<String>>,
    text: Zeroizing<String>,
}

impl SmsPayload {
    /// Makes a message out of its parts, for a writer. Line ends in the text become LF.
    ///
    /// # Errors
    /// [`PayloadError`], as if it had been read; [`PayloadError::Grammar`] for a sender with a line end.
    pub fn new(to: &str, sender: Option<&str>, text: &str) -> Result<Self, PayloadError> {
        if sender.is_some_and(|sender| sender.contains(['\r', '\n'])) {
            return Err(PayloadError::Grammar);
        }
        let text = Zeroizing::new(text.replace("\r\n", "\n"));
        let text = Zeroizing::new(text.replace('\r', "\n"));
        Self::checked(Some(to), sender.map(trim).filter(|sender| !sender.is_empty()), &text)
    }

    /// Reads decrypted octets: UTF-8, malformed sequences become U+FFFD; lines end with LF, CRLF or CR.
    ///
    /// # Errors
    /// [`PayloadError`]: the grammar first, then recipient, then text.
    pub fn parse(octets: &[u8]) -> Result<Self, PayloadError> {
        let source = Zeroizing::new(String::from_utf8_lossy(octets).into_owned());
        let (mut to, mut sender) = (None, None);
        let mut rest = source.as_str();
        loop {
            // A last line without an end is a line; nothing at all is not.
            if rest.is_empty() {
                return Err(PayloadError::Grammar);
            }
            let (line, after) = split_line(rest);
            rest = after;
            let line = trim(line);
            if line.is_empty() {
                break;
            }
            let (name, value) = header(line).ok_or(PayloadError::Grammar)?;
            // The last one wins, and an empty value removes an earlier one.
            let value = Some(value).filter(|value| !value.is_empty());
            match name {
                "To" => to = value,
                "Sender" => sender = value,
                _ => {}
            }
        }

        let mut text = Zeroizing::new(String::with_capacity(rest.len()));
        while !rest.is_empty() {
            let (line, after) = split_line(rest);
            text.push_str(line);
            if !after.is_empty() {
                text.push('\n');
            }
            rest = after;
        }
        Self::checked(to, sender, &text)
    }

    fn checked(to: Option<&str>, sender: Option<&str>, text: &str) -> Result<Self, PayloadError> {
        let to = to.ok_or(PayloadError::RecipientMissing)?;
        let digits = to.strip_prefix('+').ok_or(PayloadError::RecipientNotInternational)?;
        if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(PayloadError::RecipientInvalid);
        }
        if text.is_empty() {
            return Err(PayloadError::TextEmpty);
        }
        let keep = |part: &str| Zeroizing::new(part.to_owned());
        Ok(Self { to: keep(to), sender: sender.map(keep), text: keep(text) })
    }

    /// Shows the recipient: `+` and one or more digits. Whether a back end takes it is for that to say.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Shows the sender, if one is given; never empty.
    pub fn sender(&self) -> Option<&str> {
        self.sender.as_ref().map(|sender| sender.as_str())
    }

    /// Shows the text, its lines joined by LF; never empty, but perhaps blank.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes the message in the form that [`SmsPayload::parse`] reads.
    pub fn to_octets(&self) -> Zeroizing<Vec<u8>> {
        let sender = self.sender().map_or(String::new(), |sender| format!("Sender: {sender}\n"));
        // A reader takes one line end off, which is not to be one of the text's own.
        let end = if self.text().ends_with('\n') { "\n" } else { "" };
        Zeroizing::new(format!("To: {}\n{sender}\n{}{end}", self.to(), self.text()).into_bytes())
    }
}

impl fmt::Debug for SmsPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmsPayload([redacted])")
    }
}

/// Cuts characters up to U+0020 from both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// Gives the first line without its end, and what follows the end.
pub(super) fn split_line(text: &str) -> (&str, &str) {
    let Some((line, after)) = text.split_once(['\r', '\n']) else { return (text, "") };
    let ended_by_cr = text.as_bytes().get(line.len()) == Some(&b'\r');
    (line, after.strip_prefix('\n').filter(|_| ended_by_cr).unwrap_or(after))
}

/// Takes a trimmed line as `NAME [blanks] : [blanks] VALUE`.
pub(super) fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end_matches([' ', '\t']);
    let word = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
    let valid =
        name.bytes().next().is_some_and(word) && name.bytes().all(|octet| word(octet) || octet == b'-');
    valid.then(|| (name, trim(value)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(octets: &[u8]) -> Result<(String, Option<String>, String), PayloadError> {
        SmsPayload::parse(octets)
            .map(|sms| (sms.to().to_owned(), sms.sender().map(str::to_owned), sms.text().to_owned()))
    }

    fn sms(
        to: &str,
        sender: Option<&str>,
        text: &str,
    ) -> Result<(String, Option<String>, String), PayloadError> {
        Ok((to.to_owned(), sender.map(str::to_owned), text.to_owned()))
    }

    #[test]
    fn accepted_messages() {
        for (source, expected) in [
            ("To: +255123456789\nSender: TEST\n\nHello", sms("+255123456789", Some("TEST"), "Hello")),
            ("To:+1\r\nSender : A:B\r\n\r\nHello\r\n", sms("+1", Some("A:B"), "Hello")),
            ("To: +1\r\rone\rtwo\r\n\n", sms("+1", None, "one\ntwo\n")),
            (" To\t:\t+1 \n \t\n  spaced  \n\n", sms("+1", None, "  spaced  \n")),
            ("Sender: X\nSender:\nTo: +1\nTo: +2\n\nx", sms("+2", None, "x")),
            ("to: junk\nX-Extra_1: y\nTo: +1\n\nx", sms("+1", None, "x")),
            ("To: +1\n\n ", sms("+1", None, " ")),
            ("To: +1\n\n\nx", sms("+1", None, "\nx")),
        ] {
            assert_eq!(parts(source.as_bytes()), expected, "{source:?}");
        }
        assert_eq!(parts(b"To: +1\n\n\xff"), sms("+1", None, "\u{fffd}"));
    }

    #[test]
    fn refused_messages() {
        use PayloadError::{
            Grammar, RecipientInvalid, RecipientMissing, RecipientNotInternational, TextEmpty,
        };

        for (source, expected) in [
            ("", Grammar),
            ("To: +1", Grammar),
            ("To: +1\n", Grammar),
            ("To: +1\nnot a header\n\nx", Grammar),
            ("To: +1\n-X: y\n\nx", Grammar),
            ("To: +1\nX y: z\n\nx", Grammar),
            (": +1\n\nx", Grammar),
            ("\u{feff}To: +1\n\nx", Grammar),
            ("\n\nx", RecipientMissing),
            ("Sender: X\n\nx", RecipientMissing),
            ("to: +1\n\nx", RecipientMissing),
            ("To: +1\nTo:\n\nx", RecipientMissing),
            ("To: 255123456789\n\nx", RecipientNotInternational),
            ("To: +\n\nx", RecipientInvalid),
            ("To: +1 2\n\nx", RecipientInvalid),
            ("To: +1\u{0662}\n\nx", RecipientInvalid),
            ("To: +1\n\n", TextEmpty),
            ("To: +1\n\n\n", TextEmpty),
            ("To: +1\n\n\r\n", TextEmpty),
        ] {
            assert_eq!(parts(source.as_bytes()), Err(expected), "{source:?}");
        }
    }

    #[test]
    fn a_writer_cannot_smuggle_a_header() {
        assert_eq!(SmsPayload::new("+1", Some("X\nTo: +2"), "x"), Err(PayloadError::Grammar));
        assert_eq!(SmsPayload::new("+1\nX: y", None, "x"), Err(PayloadError::RecipientInvalid));
    }

    #[test]
    fn debug_shows_nothing() {
        let sms = SmsPayload::new("+255123456789", Some("CLINIC"), "secret").unwrap();

        assert_eq!(format!("{sms:?}"), "SmsPayload([redacted])");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(to in "\\+[0-9]{1,15}", sender in "[!-~]{0,11}", text in "[^\r]{1,60}|[a\r\n]{1,9}") {
            let sms = SmsPayload::new(&to, Some(&sender), &text).unwrap();

            prop_assert_eq!(SmsPayload::parse(&sms.to_octets()), Ok(sms));
        }

        #[test]
        fn line_ends_are_all_the_same(lines in proptest::collection::vec("[ -~]{1,20}", 1..5)) {
            let source = |end: &str| format!("To: +1{end}{end}{}", lines.join(end));

            prop_assert_eq!(parts(source("\r\n").as_bytes()), parts(source("\n").as_bytes()));
            prop_assert_eq!(parts(source("\r").as_bytes()), parts(source("\n").as_bytes()));
        }

        #[test]
        fn any_octets_are_read_without_panic(octets: Vec<u8>, text in "(To|Sender|[:+0-9\r\n \u{feff}])*") {
            let _ = (SmsPayload::parse(&octets), SmsPayload::parse(text.as_bytes()));
        }
    }
}
