//! The alphabets a message can be in, by SMPP's `data_coding` (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4).

use crate::alphabet::DefaultAlphabet;

/// The alphabet of a message that goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// The SMSC's default, septets on the air.
    Default(DefaultAlphabet),
    /// UCS-2, big endian, with surrogate pairs (that is, UTF-16).
    Ucs2,
}

impl Coding {
    /// Gives the `data_coding` of SMPP: 0 or 8.
    pub fn data_coding(self) -> u8 {
        match self {
            Self::Default(_) => 0x00,
            Self::Ucs2 => 0x08,
        }
    }

    /// Gives the name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default(alphabet) => alphabet.as_str(),
            Self::Ucs2 => "ucs2",
        }
    }
}

/// Reads the text of a message (without its user data header), of an SMSC whose default alphabet is GSM 03.38; see
/// [`decode_text_in`].
pub fn decode_text(data_coding: u8, octets: &[u8]) -> Option<String> {
    decode_text_in(DefaultAlphabet::Gsm7, data_coding, octets)
}

/// Reads the text of a message (without its user data header). `None` for an alphabet that is none of the SMSC's
/// `default` (0), ASCII (1), Latin-1 (3) or UCS-2 (8). What is not a character shows as U+FFFD.
pub fn decode_text_in(default: DefaultAlphabet, data_coding: u8, octets: &[u8]) -> Option<String> {
    match data_coding {
        0x00 => Some(default.decode(octets)),
        // Some send Latin-1 and call it ASCII; what is ASCII is the same in both.
        0x01 | 0x03 => Some(DefaultAlphabet::Latin1.decode(octets)),
        0x08 => {
            let (pairs, rest) = octets.as_chunks::<2>();
            let units = pairs.iter().map(|&pair| u16::from_be_bytes(pair));
            let mut text: String =
                char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            if !rest.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            Some(text)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_its_alphabet() {
        let cases: [(u8, &[u8], Option<&str>); 6] = [
            (0, b"\x00a\x1B\x65", Some("@a€")),
            (3, b"\xE9@", Some("é@")),
            (8, b"\x04\x16\xD8\x3D\xDE\x00", Some("Ж😀")),
            (8, b"\xD8\x3D\x00a", Some("\u{FFFD}a")),
            (8, b"\x00a\x00", Some("a\u{FFFD}")),
            (4, b"\x01", None),
        ];

        for (coding, octets, text) in cases {
            assert_eq!(decode_text(coding, octets).as_deref(), text, "{coding} {octets:?}");
        }
    }

    #[test]
    fn coding_0_is_what_the_smsc_takes_it_for() {
        assert_eq!(decode_text_in(DefaultAlphabet::Latin1, 0, b"\xE9@").as_deref(), Some("é@"));
        assert_eq!(decode_text_in(DefaultAlphabet::Gsm7, 0, b"\x05\x00").as_deref(), Some("é@"));
        assert_eq!(decode_text_in(DefaultAlphabet::Ascii, 3, b"\xE9").as_deref(), Some("é"));
    }
}
