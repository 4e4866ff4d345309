//! Reading and writing the parameter types of SMPP 3.4 §3.1: integers, C-octet strings, octet strings.

use super::error::{EncodeError, Fault};

/// Walks over the octets of one PDU; never past them.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(super) fn octets(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Truncated(field))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, Fault> {
        let (&first, rest) = self.rest.split_first().ok_or(Fault::Truncated(field))?;
        self.rest = rest;
        Ok(first)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, Fault> {
        let (&first, rest) = self.rest.split_first_chunk::<2>().ok_or(Fault::Truncated(field))?;
        self.rest = rest;
        Ok(u16::from_be_bytes(first))
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, Fault> {
        let (&first, rest) = self.rest.split_first_chunk::<4>().ok_or(Fault::Truncated(field))?;
        self.rest = rest;
        Ok(u32::from_be_bytes(first))
    }

    /// Reads up to a NUL, however far it is: real SMSCs send fields over their length.
    pub(super) fn text(&mut self, field: &'static str) -> Result<String, Fault> {
        let end = self.rest.iter().position(|&octet| octet == 0).ok_or(Fault::Truncated(field))?;
        let text = text_of(&self.rest[..end]);
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    /// Reads up to a NUL or, if there is none, all that is left. For the last field of a PDU.
    pub(super) fn last_text(&mut self) -> String {
        let end = self.rest.iter().position(|&octet| octet == 0).unwrap_or(self.rest.len());
        let text = text_of(&self.rest[..end]);
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        text
    }

    /// Takes at most `count` octets.
    pub(super) fn up_to(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}

/// One character for each octet, so that nothing is lost.
pub(super) fn text_of(octets: &[u8]) -> String {
    octets.iter().map(|&octet| char::from(octet)).collect()
}

/// Appends one octet for each character, without a NUL.
pub(super) fn put_characters(
    out: &mut Vec<u8>,
    text: &str,
    field: &'static str,
    limit: usize,
) -> Result<(), EncodeError> {
    let start = out.len();
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(octet) if octet != 0 => out.push(octet),
            _ => return Err(EncodeError::Character(field)),
        }
    }
    if out.len() - start + 1 > limit {
        return Err(EncodeError::TooLong { field, limit });
    }
    Ok(())
}

/// Appends a C-octet string; `limit` counts its NUL, as the tables of the specification do.
pub(super) fn put_text(
    out: &mut Vec<u8>,
    text: &str,
    field: &'static str,
    limit: usize,
) -> Result<(), EncodeError> {
    put_characters(out, text, field, limit)?;
    out.push(0);
    Ok(())
}
