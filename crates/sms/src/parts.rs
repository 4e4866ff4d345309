//! Cutting a text into segments (3GPP TS 23.040 §9.2.3.24.1): 160 septets or 70 UTF-16 units alone; less where a
//! header joins segments, see [`LongText`]. No cut goes through an escape sequence or a surrogate pair.

mod long_text;

use crate::alphabet::{DefaultAlphabet, Encoded};
use crate::coding::Coding;
use crate::gsm7;
use crate::udh::Concatenation;
pub use crate::udh::Reference;
pub use long_text::{LongText, UnknownLongText};

/// Octets that the user data of one SMS holds.
const USER_DATA: usize = 140;
/// Most segments of one message: their number is one octet.
const MOST_PARTS: usize = 255;

/// A text ready to be submitted.
#[derive(Clone, PartialEq, Eq)]
pub struct Parts {
    /// Alphabet of every part.
    pub coding: Coding,
    /// How many SMS it is on the air, where operators count: as many as there are parts, but for a `message_payload`
    /// that the SMSC has to cut.
    pub segments: u8,
    /// What to submit, in this order; one part when the text fits one SMS.
    pub parts: Vec<Part>,
}

/// The content of one `submit_sm`.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// User data header with its length octet; empty when the text stands alone. When there is one, `esm_class` needs
    /// its UDHI bit (0x40).
    pub udh: Vec<u8>,
    /// The text, in the alphabet of the message.
    pub octets: Vec<u8>,
    /// Where the text goes, and what goes with it.
    pub carrier: Carrier,
}

/// What of a `submit_sm` carries a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `short_message`, header and text.
    ShortMessage,
    /// `short_message`, and the three TLVs that tell its place.
    Sar(Sar),
    /// The TLV `message_payload`; `short_message` is empty then (SMPP 3.4 §5.3.2.32).
    MessagePayload,
}

/// The TLVs of a segment (SMPP 3.4 §5.3.2.22 to 24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sar {
    /// `sar_msg_ref_num`: the same in each segment of a message.
    pub reference: u16,
    /// `sar_total_segments`.
    pub total: u8,
    /// `sar_segment_seqnum`, from 1.
    pub number: u8,
}

impl Part {
    /// Gives header and text as SMPP's `short_message` holds them: nothing when `message_payload` has the text.
    pub fn short_message(&self) -> Vec<u8> {
        match self.carrier {
            Carrier::MessagePayload => Vec::new(),
            Carrier::ShortMessage | Carrier::Sar(_) => [self.udh.as_slice(), &self.octets].concat(),
        }
    }

    /// Gives the value of the TLV `message_payload`, if there is to be one.
    pub fn message_payload(&self) -> Option<&[u8]> {
        (self.carrier == Carrier::MessagePayload).then_some(self.octets.as_slice())
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
        f.debug_struct("Part")
            .field("udh", &self.udh)
            .field("octets", &self.octets.len())
            .field("carrier", &self.carrier)
            .finish()
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
    /// It does not fit the `message_payload` that the SMSC takes.
    #[error("the text has {octets} octets, over the SMSC's limit of {most}")]
    TooLong {
        /// How many it has.
        octets: usize,
        /// The limit.
        most: u16,
    },
}

/// Cuts `text` with a header of ours for an SMSC whose default alphabet is GSM 03.38; see [`parts`].
///
/// # Errors
/// [`PartsError::TooManyParts`] when 255 segments do not hold the text.
pub fn message_parts(text: &str, reference: Reference) -> Result<Parts, PartsError> {
    match reference {
        Reference::Eight(number) => parts(text, DefaultAlphabet::Gsm7, LongText::Udh8, number.into()),
        Reference::Sixteen(number) => parts(text, DefaultAlphabet::Gsm7, LongText::Udh16, number),
    }
}

/// Cuts `text` into what is to be submitted: in the default alphabet when every character fits it, else in UCS-2.
/// `reference` is used only when there are two segments or more, and only the low octet of it where the form has room
/// for no more. An empty text is one empty part.
///
/// # Errors
/// [`PartsError`], see its variants.
pub fn parts(
    text: &str,
    alphabet: DefaultAlphabet,
    form: LongText,
    reference: u16,
) -> Result<Parts, PartsError> {
    let room = USER_DATA - form.header_octets();
    let of_septets = |whole| if whole <= USER_DATA * 8 / 7 { USER_DATA * 8 / 7 } else { room * 8 / 7 };
    let (coding, texts) = if is_plain(text) {
        let texts = text.as_bytes().chunks(of_septets(text.len())).map(<[u8]>::to_vec).collect();
        (Coding::Default(alphabet), texts)
    } else if let Some(whole) = septets(text, alphabet) {
        let characters = text.chars().filter_map(|character| alphabet.encode(character));
        let texts = cut(characters, of_septets(whole), Encoded::width, Encoded::write);
        (Coding::Default(alphabet), texts)
    } else {
        let whole = text.encode_utf16().count();
        let size = if whole <= USER_DATA / 2 { USER_DATA / 2 } else { room / 2 };
        (Coding::Ucs2, cut(text.chars(), size, char::len_utf16, write_utf16))
    };
    let total = u8::try_from(texts.len()).ok().filter(|&total| usize::from(total) <= MOST_PARTS);
    let segments = total.ok_or(PartsError::TooManyParts { parts: texts.len() })?;
    let parts = match form {
        LongText::Payload { most_octets } if segments > 1 => vec![payload(texts.concat(), most_octets)?],
        _ => (1..=segments)
            .zip(texts)
            .map(|(number, octets)| segment(form, Sar { reference, total: segments, number }, octets))
            .collect(),
    };
    Ok(Parts { coding, segments, parts })
}

/// Tells whether each octet of the text is its septet, too, in whatever alphabet; most texts are so.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(gsm7::is_plain)
}

/// Counts what the text takes on the air; `None` when a character is not in the alphabet.
fn septets(text: &str, alphabet: DefaultAlphabet) -> Option<usize> {
    text.chars().try_fold(0, |sum, character| Some(sum + alphabet.encode(character)?.width()))
}

fn payload(octets: Vec<u8>, most: u16) -> Result<Part, PartsError> {
    if octets.len() > usize::from(most) {
        return Err(PartsError::TooLong { octets: octets.len(), most });
    }
    Ok(Part { udh: Vec::new(), octets, carrier: Carrier::MessagePayload })
}

fn segment(form: LongText, place: Sar, octets: Vec<u8>) -> Part {
    let Sar { reference, total, number } = place;
    let [_, low] = reference.to_be_bytes();
    let header = |reference| Concatenation { reference, total, number }.header();
    let (udh, carrier) = match form {
        _ if total == 1 => (Vec::new(), Carrier::ShortMessage),
        LongText::Udh8 => (header(Reference::Eight(low)), Carrier::ShortMessage),
        LongText::Udh16 => (header(Reference::Sixteen(reference)), Carrier::ShortMessage),
        LongText::Sar | LongText::Payload { .. } => {
            (Vec::new(), Carrier::Sar(Sar { reference: low.into(), ..place }))
        }
    };
    Part { udh, octets, carrier }
}

fn write_utf16(character: char, out: &mut Vec<u8>) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.extend(unit.to_be_bytes());
    }
}

/// Fills segment after segment, of `size` septets or UTF-16 units each, with whole characters.
fn cut<T: Copy>(
    characters: impl Iterator<Item = T>,
    size: usize,
    width: impl Fn(T) -> usize,
    write: impl Fn(T, &mut Vec<u8>),
) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    let mut text = Vec::with_capacity(USER_DATA * 8 / 7);
    let mut filled = 0;
    for character in characters {
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

#[cfg(test)]
mod tests;
