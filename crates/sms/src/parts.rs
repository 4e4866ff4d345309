//! Cutting a text into segments (3GPP TS 23.040 §9.2.3.24.1): 160 septets or 70 UTF-16 units alone; 153 or 67 with an
//! 8-bit reference, 152 or 66 with a 16-bit one. No cut goes through an escape sequence or a surrogate pair.

use crate::coding::Coding;
use crate::gsm7::{self, Septets};
use crate::udh::Concatenation;
pub use crate::udh::Reference;

/// Octets that the user data of one SMS holds.
const USER_DATA: usize = 140;
/// Most segments of one message: their number is one octet.
const MOST_PARTS: usize = 255;

/// A text ready to be submitted.
#[derive(Clone, PartialEq, Eq)]
pub struct Parts {
    /// Alphabet of every part.
    pub coding: Coding,
    /// The segments in their order; one without header when the text fits one SMS.
    pub parts: Vec<Part>,
}

/// One segment.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// User data header with its length octet; empty for a message of one part. When there is one, `esm_class` needs
    /// its UDHI bit (0x40).
    pub udh: Vec<u8>,
    /// The text, in the alphabet of the message.
    pub octets: Vec<u8>,
}

impl Part {
    /// Gives header and text as SMPP's `short_message` holds them.
    pub fn short_message(&self) -> Vec<u8> {
        [self.udh.as_slice(), &self.octets].concat()
    }
}

impl std::fmt::Debug for Parts {
    /// Shows sizes only: the octets are somebody's message.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("coding", &self.coding).field("parts", &self.parts).finish()
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("udh", &self.udh).field("octets", &self.octets.len()).finish()
    }
}

/// Why a text cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// It needs more segments than their number can count.
    #[error("the text needs {parts} parts, over the limit of 255")]
    TooManyParts {
        /// How many it would need.
        parts: usize,
    },
}

/// Cuts `text` into the segments of one message: in GSM 03.38 when every character is in it, else in UCS-2.
/// `reference` is used only when there are two segments or more. An empty text is one empty part.
///
/// # Errors
/// [`PartsError::TooManyParts`] when 255 segments do not hold the text.
pub fn message_parts(text: &str, reference: Reference) -> Result<Parts, PartsError> {
    let septets: Option<Vec<Septets>> = text.chars().map(gsm7::encode_char).collect();
    let (coding, texts) = match septets {
        Some(septets) => {
            let sizes = Sizes::new(USER_DATA * 8 / 7, (USER_DATA - header_length(reference)) * 8 / 7);
            (Coding::Gsm7, sizes.cut(&septets, |septets| septets.width(), |septets, out| septets.write(out)))
        }
        None => {
            let characters: Vec<char> = text.chars().collect();
            let sizes = Sizes::new(USER_DATA / 2, (USER_DATA - header_length(reference)) / 2);
            (Coding::Ucs2, sizes.cut(&characters, |character| character.len_utf16(), write_utf16))
        }
    };
    let total = u8::try_from(texts.len()).ok().filter(|&total| usize::from(total) <= MOST_PARTS);
    let total = total.ok_or(PartsError::TooManyParts { parts: texts.len() })?;
    let header = |number| match total {
        1 => Vec::new(),
        _ => Concatenation { reference, total, number }.header(),
    };
    let parts = (1..=total).zip(texts).map(|(number, octets)| Part { udh: header(number), octets }).collect();
    Ok(Parts { coding, parts })
}

fn header_length(reference: Reference) -> usize {
    match reference {
        Reference::Eight(_) => 6,
        Reference::Sixteen(_) => 7,
    }
}

fn write_utf16(character: char, out: &mut Vec<u8>) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.extend(unit.to_be_bytes());
    }
}

/// How much a segment holds, in septets or UTF-16 units.
struct Sizes {
    alone: usize,
    segment: usize,
}

impl Sizes {
    fn new(alone: usize, segment: usize) -> Self {
        Self { alone, segment }
    }

    /// Fills segment after segment with whole characters.
    fn cut<T: Copy>(
        &self,
        characters: &[T],
        width: impl Fn(T) -> usize,
        write: impl Fn(T, &mut Vec<u8>),
    ) -> Vec<Vec<u8>> {
        let whole: usize = characters.iter().map(|&character| width(character)).sum();
        let size = if whole <= self.alone { self.alone } else { self.segment };
        let mut texts = Vec::new();
        let mut text = Vec::new();
        let mut filled = 0;
        for &character in characters {
            if filled + width(character) > size {
                texts.push(std::mem::take(&mut text));
                filled = 0;
            }
            write(character, &mut text);
            filled += width(character);
        }
        texts.push(text);
        texts
    }
}

#[cfg(test)]
mod tests;
