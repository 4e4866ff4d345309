//! What `data_coding` 0 means: each SMSC has a default alphabet, and the specification leaves it open (SMPP 3.4
//! §5.2.19).

use crate::gsm7::{self, Septets};

/// The alphabet that an SMSC takes octets of `data_coding` 0 for.
///
/// On the air such a text is always in septets of GSM 03.38: the SMSC turns the octets into them and packs them. So in
/// each of these alphabets the limits are 160 and 153 *septets*, however many octets the PDU has for them; and a
/// character that the alphabet has but GSM 03.38 has not (`ê` in Latin-1, the grave accent in ASCII) counts as not in
/// it, as the SMSC could only put another in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DefaultAlphabet {
    /// GSM 03.38 with its extension table, one octet for each septet: what the name says, and most SMSCs mean.
    #[default]
    Gsm7,
    /// ISO-8859-1.
    Latin1,
    /// ASCII.
    Ascii,
}

/// A word that names no [`DefaultAlphabet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected gsm7, latin1 or ascii")]
pub struct UnknownAlphabet;

impl DefaultAlphabet {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gsm7, Self::Latin1, Self::Ascii];

    /// Gives the word used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Latin1 => "latin1",
            Self::Ascii => "ascii",
        }
    }

    /// Reads octets of `data_coding` 0. What is not a character shows as U+FFFD.
    pub fn decode(self, octets: &[u8]) -> String {
        match self {
            Self::Gsm7 => gsm7::decode(octets),
            Self::Latin1 => octets.iter().map(|&octet| char::from(octet)).collect(),
            Self::Ascii => octets.iter().map(|&octet| ascii(octet)).collect(),
        }
    }

    /// `None` when the alphabet, or GSM 03.38, does not have the character.
    pub(crate) fn encode(self, character: char) -> Option<Encoded> {
        let septets = gsm7::encode_char(character)?;
        let octet = u8::try_from(character).ok();
        match self {
            Self::Gsm7 => Some(Encoded { septets, octet: None }),
            Self::Latin1 => octet.map(|octet| Encoded { septets, octet: Some(octet) }),
            Self::Ascii => octet.filter(u8::is_ascii).map(|octet| Encoded { septets, octet: Some(octet) }),
        }
    }
}

fn ascii(octet: u8) -> char {
    if octet.is_ascii() { char::from(octet) } else { char::REPLACEMENT_CHARACTER }
}

impl std::str::FromStr for DefaultAlphabet {
    type Err = UnknownAlphabet;

    fn from_str(word: &str) -> Result<Self, UnknownAlphabet> {
        Self::ALL.into_iter().find(|alphabet| alphabet.as_str() == word).ok_or(UnknownAlphabet)
    }
}

/// A character of a default alphabet.
#[derive(Clone, Copy)]
pub(crate) struct Encoded {
    /// What it takes on the air.
    septets: Septets,
    /// What stands for it in the PDU, if not the septets.
    octet: Option<u8>,
}

impl Encoded {
    pub(crate) fn width(self) -> usize {
        self.septets.width()
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self.octet {
            Some(octet) => out.push(octet),
            None => self.septets.write(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(alphabet: DefaultAlphabet, text: &str) -> Option<Vec<u8>> {
        let mut octets = Vec::new();
        for character in text.chars() {
            alphabet.encode(character)?.write(&mut octets);
        }
        Some(octets)
    }

    #[test]
    fn the_same_text_has_other_octets_in_each() {
        assert_eq!(octets(DefaultAlphabet::Gsm7, "@[é").unwrap(), [0x00, 0x1B, 0x3C, 0x05]);
        assert_eq!(octets(DefaultAlphabet::Latin1, "@[é").unwrap(), [0x40, 0x5B, 0xE9]);
        assert_eq!(octets(DefaultAlphabet::Ascii, "@[").unwrap(), [0x40, 0x5B]);
    }

    #[test]
    fn what_the_handset_or_the_alphabet_lacks_does_not_fit() {
        for (alphabet, text) in [
            (DefaultAlphabet::Gsm7, "ê"),
            (DefaultAlphabet::Latin1, "ê"),
            (DefaultAlphabet::Latin1, "€"),
            (DefaultAlphabet::Latin1, "Ω"),
            (DefaultAlphabet::Ascii, "é"),
            (DefaultAlphabet::Ascii, "`"),
            (DefaultAlphabet::Ascii, "\t"),
        ] {
            assert_eq!(octets(alphabet, text), None, "{alphabet:?} {text}");
        }
    }

    #[test]
    fn every_character_that_fits_is_read_back() {
        for alphabet in DefaultAlphabet::ALL {
            for character in '\0'..='\u{20AC}' {
                if let Some(octets) = octets(alphabet, &character.to_string()) {
                    assert_eq!(alphabet.decode(&octets), character.to_string(), "{alphabet:?}");
                }
            }
        }
        assert_eq!(DefaultAlphabet::Ascii.decode(b"a\xE9"), "a\u{FFFD}");
    }

    #[test]
    fn words_of_the_settings_are_read() {
        for alphabet in DefaultAlphabet::ALL {
            assert_eq!(alphabet.as_str().parse(), Ok(alphabet));
        }
        assert_eq!("GSM".parse::<DefaultAlphabet>(), Err(UnknownAlphabet));
    }
}
