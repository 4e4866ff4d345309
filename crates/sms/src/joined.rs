//! Messages from handsets: the parts of one, put together again.

use crate::alphabet::DefaultAlphabet;
use crate::coding::decode_text_in;
use crate::national::ShiftTables;

/// `data_coding` of GSM 03.38, Latin-1 and UCS-2 as [`plain_coding`] gives them.
const GSM7: u8 = 0x00;
const LATIN1: u8 = 0x03;
const UCS2: u8 = 0x08;
/// What stands for parts that are missing.
const GAP: &str = "[\u{2026}]";

/// One part, without its user data header.
#[derive(Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its alphabet, as [`plain_coding`] gives it.
    pub coding: u8,
    /// The text in it.
    pub octets: Vec<u8>,
}

impl Piece {
    /// Takes a part with its user data header. Septets that the header gives a national meaning become UCS-2: other
    /// parts of the message may have other tables.
    pub fn of(coding: u8, header: &[u8], octets: &[u8]) -> Self {
        match ShiftTables::find(header).filter(|_| coding == GSM7) {
            Some(tables) => {
                let units = tables.decode(octets);
                Self { coding: UCS2, octets: units.encode_utf16().flat_map(u16::to_be_bytes).collect() }
            }
            None => Self { coding, octets: octets.to_vec() },
        }
    }
}

impl std::fmt::Debug for Piece {
    /// Shows sizes only: the octets are somebody's message.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece").field("coding", &self.coding).field("octets", &self.octets.len()).finish()
    }
}

/// A whole message.
#[derive(Clone, PartialEq, Eq)]
pub enum Joined {
    /// Text.
    Text(String),
    /// Octets that are no text.
    Binary {
        /// The `data_coding` of the first of them.
        coding: u8,
        /// Those of all parts.
        octets: Vec<u8>,
    },
}

impl std::fmt::Debug for Joined {
    /// Shows the kind only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Binary { .. } => "Binary",
        })
    }
}

/// Reduces a `data_coding` to 0 (GSM 03.38), 3 (Latin-1), 8 (UCS-2), or leaves it as it is for what is no text: message
/// class and waiting indication are taken off (3GPP TS 23.038 §4), and 0 becomes what the SMSC takes it for.
pub fn plain_coding(data_coding: u8, default: DefaultAlphabet) -> u8 {
    let own = match default {
        DefaultAlphabet::Gsm7 => GSM7,
        DefaultAlphabet::Latin1 | DefaultAlphabet::Ascii => LATIN1,
    };
    match data_coding {
        0x00 => own,
        0x01 | LATIN1 => LATIN1,
        UCS2 => UCS2,
        // General data coding, not compressed: bits 2 and 3 tell the alphabet.
        0x10..=0x1F => match data_coding & 0x0C {
            0x00 => GSM7,
            0x08 => UCS2,
            _ => data_coding,
        },
        // Message waiting: discard, store; store in UCS-2.
        0xC0..=0xDF => GSM7,
        0xE0..=0xEF => UCS2,
        // Message class: bit 2 tells the alphabet.
        0xF0..=0xFF if data_coding & 0x04 == 0 => GSM7,
        _ => data_coding,
    }
}

/// Puts the parts of a message together, in order; `None` stands for one that is missing. Neighbours in one alphabet are
/// joined before they are read, for a surrogate pair or an escape sequence may be cut. A run of missing ones shows as
/// `[…]` in text. If one part is no text, the message is none.
pub fn join(pieces: &[Option<Piece>]) -> Joined {
    let binary = |piece: &&Piece| !matches!(piece.coding, GSM7 | LATIN1 | UCS2);
    if let Some(coding) = pieces.iter().flatten().find(binary).map(|piece| piece.coding) {
        let octets = pieces.iter().flatten().flat_map(|piece| piece.octets.iter().copied()).collect();
        return Joined::Binary { coding, octets };
    }
    let same = |one: &Option<Piece>, other: &Option<Piece>| {
        one.as_ref().map(|piece| piece.coding) == other.as_ref().map(|piece| piece.coding)
    };
    let run = |run: &[Option<Piece>]| {
        let Some(Some(first)) = run.first() else { return GAP.to_owned() };
        let octets: Vec<u8> = run.iter().flatten().flat_map(|piece| piece.octets.iter().copied()).collect();
        decode_text_in(DefaultAlphabet::Gsm7, first.coding, &octets).unwrap_or_default()
    };
    Joined::Text(pieces.chunk_by(same).map(run).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{LongText, parts};

    fn piece(coding: u8, octets: &[u8]) -> Option<Piece> {
        Some(Piece { coding, octets: octets.to_vec() })
    }

    #[test]
    fn a_data_coding_says_the_alphabet_whatever_else_it_says() {
        for (data_coding, plain) in [
            (0x00, 0),
            (0x01, 3),
            (0x03, 3),
            (0x04, 4),
            (0x08, 8),
            (0x10, 0),
            (0x15, 0x15),
            (0x18, 8),
            (0xC8, 0),
            (0xD0, 0),
            (0xE1, 8),
            (0xF1, 0),
            (0xF5, 0xF5),
        ] {
            assert_eq!(plain_coding(data_coding, DefaultAlphabet::Gsm7), plain, "{data_coding:#x}");
        }
        assert_eq!(plain_coding(0, DefaultAlphabet::Latin1), 3);
    }

    #[test]
    fn characters_that_were_cut_are_whole_again() {
        let cut = [piece(8, b"\0a\xD8\x3D"), piece(8, b"\xDE\x00"), piece(0, b"\x1B"), piece(0, b"\x65")];

        assert_eq!(join(&cut), Joined::Text("a😀€".into()));
    }

    #[test]
    fn a_part_in_national_letters_is_joined_with_others() {
        let turkish = Piece::of(GSM7, &[3, 0x24, 1, 1], b"\x1Bs");
        let plain = Piece::of(GSM7, &[5, 0, 3, 7, 2, 1], b"\x1Bs");
        let latin = Piece::of(LATIN1, &[3, 0x24, 1, 1], b"\xE9");

        assert_eq!(join(&[Some(turkish), Some(plain), Some(latin)]), Joined::Text("şsé".into()));
    }

    #[test]
    fn missing_parts_leave_a_mark() {
        let partial = [None, piece(0, b"b"), None, None, piece(0, b"e")];

        assert_eq!(join(&partial), Joined::Text("[…]b[…]e".into()));
    }

    #[test]
    fn what_is_no_text_stays_octets() {
        let mixed = [piece(0, b"a"), piece(4, &[0xFF]), None];

        assert_eq!(join(&mixed), Joined::Binary { coding: 4, octets: vec![b'a', 0xFF] });
    }

    proptest! {
        #[test]
        fn what_was_cut_is_joined(text in "[ -~]{1,400}|[a-zäß€\\[ж😀]{1,200}", alphabet in 0..3usize) {
            let alphabet = DefaultAlphabet::ALL[alphabet];
            let cut = parts(&text, alphabet, LongText::Udh8, 7).unwrap();
            let coding = plain_coding(cut.coding.data_coding(), alphabet);
            let pieces: Vec<_> = cut.parts.into_iter().map(|part| piece(coding, &part.octets)).collect();

            prop_assert_eq!(join(&pieces), Joined::Text(text));
        }

        #[test]
        fn any_pieces_are_joined(pieces in proptest::collection::vec(proptest::option::of((any::<u8>(), any::<Vec<u8>>())), 0..6)) {
            let pieces: Vec<_> = pieces.into_iter()
                .map(|part| part.map(|(coding, octets)| Piece { coding: plain_coding(coding, DefaultAlphabet::Gsm7), octets }))
                .collect();
            let _ = join(&pieces);
        }
    }
}
