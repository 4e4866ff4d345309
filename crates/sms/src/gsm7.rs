//! The GSM 7 bit default alphabet and its extension table (3GPP TS 23.038 §6.2.1, §6.2.1.1), unpacked: one octet for
//! each septet, as SMPP's data_coding 0 wants it.

/// Announces that the next septet is of the extension table.
pub const ESCAPE: u8 = 0x1B;

/// The default alphabet in the order of its codes; the escape's place holds a no-break space, which is what a reader
/// without the extension table would show.
const ALPHABET: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{A0}', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table: code after the escape, character.
pub(crate) const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// How one character is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Septets {
    /// One septet of the default alphabet.
    Basic(u8),
    /// [`ESCAPE`], then this septet of the extension table.
    Extended(u8),
}

impl Septets {
    /// Gives the number of septets, 1 or 2.
    pub fn width(self) -> usize {
        match self {
            Self::Basic(_) => 1,
            Self::Extended(_) => 2,
        }
    }

    /// Appends the septets, one octet each.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Basic(code) => out.push(code),
            Self::Extended(code) => out.extend([ESCAPE, code]),
        }
    }
}

/// Tells whether an octet of ASCII is the code of its character: those of letters, digits and most punctuation are.
pub(crate) fn is_plain(octet: u8) -> bool {
    matches!(octet, b' '..=b'#' | b'%'..=b'?' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Gives the septets of a character, `None` when neither table has it.
pub fn encode_char(character: char) -> Option<Septets> {
    if let Some(octet) = u8::try_from(character).ok().filter(|&octet| is_plain(octet)) {
        return Some(Septets::Basic(octet));
    }
    if character == '\u{A0}' {
        return None;
    }
    if let Some(code) = ALPHABET.iter().position(|&other| other == character) {
        return u8::try_from(code).ok().map(Septets::Basic);
    }
    EXTENSION.iter().find(|(_, other)| *other == character).map(|&(code, _)| Septets::Extended(code))
}

/// Reads unpacked septets. An unknown code after an escape shows as its place in the default alphabet (§6.2.1.1); a
/// last escape alone and octets over 127 show as a replacement character.
pub fn decode(octets: &[u8]) -> String {
    decode_by(octets, &[], &EXTENSION)
}

/// The same with other tables: `own` goes before the default alphabet, `extension` holds after an escape.
pub(crate) fn decode_by(octets: &[u8], own: &[(u8, char)], extension: &[(u8, char)]) -> String {
    let of = |table: &[(u8, char)], code| {
        table.iter().find(|(other, _)| *other == code).map(|(_, character)| *character)
    };
    let plain = |code| of(own, code).unwrap_or_else(|| basic(code));
    let extended = |code| of(extension, code).unwrap_or_else(|| plain(code));
    let mut text = String::with_capacity(octets.len());
    let mut octets = octets.iter().copied();
    while let Some(octet) = octets.next() {
        if octet == ESCAPE {
            text.push(octets.next().map_or(char::REPLACEMENT_CHARACTER, extended));
        } else {
            text.push(plain(octet));
        }
    }
    text
}

fn basic(code: u8) -> char {
    ALPHABET.get(usize::from(code)).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_both_tables_is_its_character_and_back() {
        for code in (0..128u8).filter(|&code| code != ESCAPE) {
            assert_eq!(encode_char(basic(code)), Some(Septets::Basic(code)), "0x{code:02X}");
        }
        for (code, character) in EXTENSION {
            assert_eq!(encode_char(character), Some(Septets::Extended(code)));
            assert_eq!(decode(&[ESCAPE, code]), character.to_string());
        }
    }

    #[test]
    fn codes_are_those_of_the_specification() {
        let cases =
            [('@', 0x00), ('$', 0x02), ('_', 0x11), ('Ω', 0x15), ('¤', 0x24), ('Ä', 0x5B), ('à', 0x7F)];

        for (character, code) in cases {
            assert_eq!(encode_char(character), Some(Septets::Basic(code)), "{character}");
        }
    }

    #[test]
    fn other_characters_do_not_fit() {
        for character in ['ç', '`', 'Ё', '漢', '😀', '\u{A0}', '\t', '\0'] {
            assert_eq!(encode_char(character), None, "{character:?}");
        }
    }

    #[test]
    fn odd_octets_do_not_stop_decoding() {
        assert_eq!(decode(&[b'a', ESCAPE]), "a\u{FFFD}");
        assert_eq!(decode(&[0xC3, b'a', ESCAPE, b'b']), "\u{FFFD}ab");
    }
}
