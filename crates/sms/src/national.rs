//! National language shift tables (3GPP TS 23.038 §6.2.1.2, annex A): septets that a user data header gives another
//! meaning (TS 23.040 §9.2.3.24.15, §9.2.3.24.16). For reading: what goes out in such letters goes as UCS-2.

use crate::gsm7;
use crate::udh::elements;

/// Identifier of the element that names the table for septets after an escape.
const SINGLE_SHIFT: u8 = 0x24;
/// Identifier of the element that names the table for all others.
const LOCKING_SHIFT: u8 = 0x25;

/// Codes of a table with their characters.
type Table = &'static [(u8, char)];

/// Characters that every single shift table here has in common with the extension table.
macro_rules! single_shift {
    ($($own:expr),+ $(,)?) => {
        &[
            (0x0A, '\u{0C}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2F, '\\'), (0x3C, '['), (0x3D, '~'),
            (0x3E, ']'), (0x40, '|'), (0x65, '€'), $($own),+
        ]
    };
}

/// A.2.1, A.2.2, A.2.3 by the language's identifier (TS 23.038 §6.2.1.2.4).
#[rustfmt::skip]
const SINGLE: [(u8, Table); 3] = [
    (1, single_shift![
        (0x47, 'Ğ'), (0x49, 'İ'), (0x53, 'Ş'), (0x63, 'ç'), (0x67, 'ğ'), (0x69, 'ı'), (0x73, 'ş'),
    ]),
    (2, single_shift![
        (0x09, 'ç'), (0x41, 'Á'), (0x49, 'Í'), (0x4F, 'Ó'), (0x55, 'Ú'), (0x61, 'á'), (0x69, 'í'), (0x6F, 'ó'),
        (0x75, 'ú'),
    ]),
    (3, single_shift![
        (0x05, 'ê'), (0x09, 'ç'), (0x0B, 'Ô'), (0x0C, 'ô'), (0x0E, 'Á'), (0x0F, 'á'), (0x12, 'Φ'), (0x13, 'Γ'),
        (0x15, 'Ω'), (0x16, 'Π'), (0x17, 'Ψ'), (0x18, 'Σ'), (0x19, 'Θ'), (0x1F, 'Ê'), (0x41, 'À'), (0x49, 'Í'),
        (0x4F, 'Ó'), (0x55, 'Ú'), (0x5B, 'Ã'), (0x5C, 'Õ'), (0x61, 'Â'), (0x69, 'í'), (0x6F, 'ó'), (0x75, 'ú'),
        (0x7B, 'ã'), (0x7C, 'õ'), (0x7F, 'â'),
    ]),
];

/// A.3.1 and A.3.3, as far as they are not the default alphabet. There is none for Spanish.
#[rustfmt::skip]
const LOCKING: [(u8, Table); 2] = [
    (1, &[
        (0x04, '€'), (0x07, 'ı'), (0x0B, 'Ğ'), (0x0C, 'ğ'), (0x1C, 'Ş'), (0x1D, 'ş'), (0x40, 'İ'), (0x60, 'ç'),
    ]),
    (3, &[
        (0x04, 'ê'), (0x06, 'ú'), (0x07, 'í'), (0x08, 'ó'), (0x09, 'ç'), (0x0B, 'Ô'), (0x0C, 'ô'), (0x0E, 'Á'),
        (0x0F, 'á'), (0x12, 'ª'), (0x13, 'Ç'), (0x14, 'À'), (0x15, '∞'), (0x16, '^'), (0x17, '\\'), (0x18, '€'),
        (0x19, 'Ó'), (0x1A, '|'), (0x1C, 'Â'), (0x1D, 'â'), (0x1E, 'Ê'), (0x24, 'º'), (0x40, 'Í'), (0x5B, 'Ã'),
        (0x5C, 'Õ'), (0x5D, 'Ú'), (0x60, '~'), (0x7B, 'ã'), (0x7C, 'õ'), (0x7D, '`'),
    ]),
];

/// The tables that a header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShiftTables {
    single: Table,
    locking: Table,
}

impl ShiftTables {
    /// Finds the tables in a user data header; `None` where it names none that is known, so that the default ones
    /// hold, as for a handset that does not have them (§6.2.1.2.2, §6.2.1.2.3).
    pub(crate) fn find(header: &[u8]) -> Option<Self> {
        let named = |element, tables: &[(u8, Table)]| {
            let named = elements(header).filter(|(identifier, _)| *identifier == element);
            // The last of several counts (TS 23.040 §9.2.3.24).
            let language = *named.last()?.1.first()?;
            tables.iter().find(|(of, _)| *of == language).map(|(_, table)| *table)
        };
        let (single, locking) = (named(SINGLE_SHIFT, &SINGLE), named(LOCKING_SHIFT, &LOCKING));
        (single.is_some() || locking.is_some()).then(|| Self {
            single: single.unwrap_or(&gsm7::EXTENSION),
            locking: locking.unwrap_or_default(),
        })
    }

    /// Reads unpacked septets.
    pub(crate) fn decode(&self, octets: &[u8]) -> String {
        gsm7::decode_by(octets, self.locking, self.single)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(header: &[u8], octets: &[u8]) -> Option<String> {
        Some(ShiftTables::find(header)?.decode(octets))
    }

    #[test]
    fn letters_of_a_language_are_read_by_the_table_that_the_header_names() {
        let cases: [(&[u8], &[u8], &str); 6] = [
            (&[3, 0x24, 1, 1], b"\x1BSi\x1Bsli, \x1Be5", "Şişli, €5"),
            (&[3, 0x25, 1, 1], b"\x1Ci\x1Dli\x04 \x1B\x65", "Şişli€ €"),
            (&[3, 0x24, 1, 2], b"ma\x7Dana, s\x1Bi, \x1Bo", "mañana, sí, ó"),
            (&[3, 0x24, 1, 3], b"n\x1B\x7Bo \x1B\x09", "não ç"),
            (&[6, 0x25, 1, 3, 0x24, 1, 3], b"n\x7Bo \x09\x1B\x12", "não çΦ"),
            (&[8, 0, 3, 7, 2, 1, 0x24, 1, 1], b"\x1Bg\x1BG", "ğĞ"),
        ];

        for (header, octets, text) in cases {
            assert_eq!(decode(header, octets).as_deref(), Some(text), "{header:?}");
        }
    }

    #[test]
    fn what_a_table_has_not_is_as_without_it() {
        // After an escape: the locking table's character (§6.2.1.2.2).
        assert_eq!(decode(&[3, 0x24, 1, 1], b"\x1BA\x00").as_deref(), Some("A@"));
        assert_eq!(decode(&[3, 0x25, 1, 3], b"\x1B\x5B").as_deref(), Some("Ã"));
        for header in [&[][..], &[3, 0x24, 1, 13], &[3, 0x25, 1, 2], &[2, 0x24, 0], &[5, 0, 3, 7, 2, 1]] {
            assert_eq!(decode(header, b"a"), None, "{header:?}");
        }
    }

    #[test]
    fn no_code_is_in_a_table_twice() {
        for (_, table) in SINGLE.iter().chain(&LOCKING) {
            let codes: std::collections::BTreeSet<u8> = table.iter().map(|(code, _)| *code).collect();
            assert_eq!(codes.len(), table.len());
        }
    }

    proptest! {
        #[test]
        fn any_header_and_octets_can_be_read(header: Vec<u8>, octets: Vec<u8>) {
            let _ = decode(&header, &octets);
        }
    }
}
