//! Headers as one column: for each, the name's length and bytes, then the value's; a null value has length -1.

use crate::Headers;

const NULL: i32 = -1;

pub(super) fn encode(headers: &Headers) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers.iter() {
        bytes.extend_from_slice(&(name.len() as i32).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&value.map_or(NULL, |value| value.len() as i32).to_le_bytes());
        bytes.extend_from_slice(value.unwrap_or_default());
    }
    bytes
}

/// Reads what `encode` wrote; `None` when it is something else.
pub(super) fn decode(mut bytes: &[u8]) -> Option<Headers> {
    let mut headers = Headers::new();
    while !bytes.is_empty() {
        let length = take_length(&mut bytes)?;
        let name = std::str::from_utf8(bytes.split_off(..usize::try_from(length).ok()?)?).ok()?;
        let value = match take_length(&mut bytes)? {
            NULL => None,
            length => Some(bytes.split_off(..usize::try_from(length).ok()?)?.to_vec()),
        };
        headers.push(name, value);
    }
    Some(headers)
}

fn take_length(bytes: &mut &[u8]) -> Option<i32> {
    let (length, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(i32::from_le_bytes(*length))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn headers_come_back_as_they_were(list in vec((".{0,12}", option::of(vec(any::<u8>(), 0..40))), 0..6)) {
            let headers: Headers = list.into_iter().collect();

            prop_assert_eq!(decode(&encode(&headers)), Some(headers));
        }

        #[test]
        fn foreign_bytes_are_refused_without_panic(bytes in vec(any::<u8>(), 0..64)) {
            if let Some(headers) = decode(&bytes) {
                prop_assert_eq!(encode(&headers), bytes);
            }
        }
    }
}
