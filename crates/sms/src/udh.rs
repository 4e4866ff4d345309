//! The user data header (3GPP TS 23.040 §9.2.3.24), and its element that joins the segments of a long message
//! (§9.2.3.24.1, §9.2.3.24.8).

/// Identifier of the concatenation element with an 8-bit reference.
const CONCATENATION_8: u8 = 0x00;
/// Identifier of the concatenation element with a 16-bit reference.
const CONCATENATION_16: u8 = 0x08;

/// Names the message that segments belong to. It must differ between two long messages that are under way from one
/// sender to one recipient at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reference {
    /// 8 bits: a header of 6 octets, which every handset knows.
    Eight(u8),
    /// 16 bits: a header of 7 octets, which leaves one character less a segment.
    Sixteen(u16),
}

/// Tells a segment's place in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Concatenation {
    /// The message.
    pub reference: Reference,
    /// Number of segments.
    pub total: u8,
    /// Number of this segment, from 1.
    pub number: u8,
}

impl Concatenation {
    /// Gives the user data header, its length octet first.
    pub fn header(self) -> Vec<u8> {
        match self.reference {
            Reference::Eight(reference) => vec![5, CONCATENATION_8, 3, reference, self.total, self.number],
            Reference::Sixteen(reference) => {
                let [high, low] = reference.to_be_bytes();
                vec![6, CONCATENATION_16, 4, high, low, self.total, self.number]
            }
        }
    }

    /// Finds the concatenation element in a user data header; `None` when there is none, or an impossible one
    /// (number 0 or over the total), which is to be taken as if it were not there.
    pub fn find(header: &[u8]) -> Option<Self> {
        let place = |(identifier, value): (u8, &[u8])| match (identifier, value) {
            (CONCATENATION_8, &[reference, total, number]) => {
                Some(Self { reference: Reference::Eight(reference), total, number })
            }
            (CONCATENATION_16, &[high, low, total, number]) => {
                let reference = Reference::Sixteen(u16::from_be_bytes([high, low]));
                Some(Self { reference, total, number })
            }
            _ => None,
        };
        elements(header).find_map(place).filter(|place| (1..=place.total).contains(&place.number))
    }
}

/// Gives the elements of a user data header, identifier and value, as far as they are whole.
pub(crate) fn elements(header: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = header.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&[identifier, length], after) = rest.split_first_chunk::<2>()?;
        let (value, after) = after.split_at_checked(usize::from(length))?;
        rest = after;
        Some((identifier, value))
    })
}

/// Cuts a message whose `esm_class` says that it has a header into header (its length octet included) and text. A
/// header longer than the message takes all of it.
pub fn split(octets: &[u8]) -> (&[u8], &[u8]) {
    let length = octets.first().map_or(0, |&length| usize::from(length) + 1);
    octets.split_at(length.min(octets.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_are_those_of_the_specification() {
        let place = |reference| Concatenation { reference, total: 3, number: 2 };

        assert_eq!(place(Reference::Eight(0xAB)).header(), [5, 0, 3, 0xAB, 3, 2]);
        assert_eq!(place(Reference::Sixteen(0xABCD)).header(), [6, 8, 4, 0xAB, 0xCD, 3, 2]);
    }

    #[test]
    fn concatenation_is_found_behind_other_elements() {
        let header = [11, 5, 4, 0x0B, 0x84, 0x23, 0xF0, 0, 3, 7, 2, 1];

        assert_eq!(
            Concatenation::find(&header),
            Some(Concatenation { reference: Reference::Eight(7), total: 2, number: 1 })
        );
    }

    #[test]
    fn impossible_places_are_none() {
        for header in [[5, 0, 3, 7, 2, 0], [5, 0, 3, 7, 2, 3], [5, 0, 3, 7, 0, 0], [5, 0, 9, 7, 2, 1]] {
            assert_eq!(Concatenation::find(&header), None, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_can_be_searched(octets: Vec<u8>) {
            let (header, text) = split(&octets);
            let _ = Concatenation::find(header);
            prop_assert_eq!([header, text].concat(), octets);
        }
    }
}
