//! Engine.IO packets, revision 4: <https://github.com/socketio/engine.io-protocol>.
//!
//! A packet is a digit and data. On a websocket each is a text frame; binary data is a binary frame without a digit. A
//! polling payload is text: packets joined by the byte 0x1E, binary data as `b` and base64.

use std::str::Split;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;

use super::Malformed;

/// What separates the packets of a payload.
const SEPARATOR: char = '\u{1e}';

/// One packet; borrows its text from where it was read.
#[derive(Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0`: the handshake, of the server, once.
    Open(&'a str),
    /// `1`: asks for the end of the transport.
    Close,
    /// `2`: of the server; with data `probe`, of a client that upgrades.
    Ping(&'a str),
    /// `3`: the answer to a ping, with its data.
    Pong(&'a str),
    /// `4`: a message.
    Text(&'a str),
    /// A binary message.
    Binary(Bytes),
    /// `5`: of the client, completes an upgrade.
    Upgrade,
    /// `6`: of the server, ends a held poll.
    Noop,
}

impl<'a> Packet<'a> {
    /// Reads a packet as it is in a text frame.
    ///
    /// # Errors
    /// [`Malformed`]: no such type, or data where there must be none.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let (kind, data) = text.split_at_checked(1).ok_or(Malformed("a packet without a type"))?;
        match (kind, data) {
            ("0", data) => Ok(Self::Open(data)),
            ("1", "") => Ok(Self::Close),
            ("2", data) => Ok(Self::Ping(data)),
            ("3", data) => Ok(Self::Pong(data)),
            ("4", data) => Ok(Self::Text(data)),
            ("5", "") => Ok(Self::Upgrade),
            ("6", "") => Ok(Self::Noop),
            ("1" | "5" | "6", _) => Err(Malformed("a packet with data that its type does not have")),
            _ => Err(Malformed("an unknown packet type")),
        }
    }

    /// Reads a packet of a payload, where it may also be binary.
    ///
    /// # Errors
    /// As [`Packet::decode`], and for what is not base64.
    pub fn decode_part(text: &'a str) -> Result<Self, Malformed> {
        match text.strip_prefix('b') {
            Some(data) => {
                let data =
                    BASE64_STANDARD.decode(data).map_err(|_| Malformed("binary that is not base64"))?;
                Ok(Self::Binary(data.into()))
            }
            None => Self::decode(text),
        }
    }
}

/// Tells the type and the length only.
impl std::fmt::Debug for Packet<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(data) => write!(formatter, "Open({} bytes)", data.len()),
            Self::Close => formatter.write_str("Close"),
            Self::Ping(data) => write!(formatter, "Ping({} bytes)", data.len()),
            Self::Pong(data) => write!(formatter, "Pong({} bytes)", data.len()),
            Self::Text(data) => write!(formatter, "Text({} bytes)", data.len()),
            Self::Binary(data) => write!(formatter, "Binary({} bytes)", data.len()),
            Self::Upgrade => formatter.write_str("Upgrade"),
            Self::Noop => formatter.write_str("Noop"),
        }
    }
}

/// The packets of a payload, decoded one after the other as they are asked for.
#[derive(Clone, Debug)]
pub struct Payload<'a>(Split<'a, char>);

impl<'a> Payload<'a> {
    /// Begins to read a payload.
    pub fn new(text: &'a str) -> Self {
        Self(text.split(SEPARATOR))
    }
}

impl<'a> Iterator for Payload<'a> {
    type Item = Result<Packet<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Packet::decode_part)
    }
}

/// A packet as it waits to be put into a payload.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// In its text form: digit and data.
    Text(&'a [u8]),
    /// A binary message.
    Binary(&'a [u8]),
}

impl Part<'_> {
    /// Returns how many bytes it takes in a payload, a separator included.
    pub fn encoded_bytes(&self) -> usize {
        match self {
            Self::Text(packet) => packet.len() + 1,
            Self::Binary(data) => data.len().div_ceil(3) * 4 + 2,
        }
    }
}

/// Writes a payload.
pub fn encode_payload<'a>(parts: impl IntoIterator<Item = Part<'a>>) -> Vec<u8> {
    let mut payload = Vec::new();
    for (place, part) in parts.into_iter().enumerate() {
        if place > 0 {
            payload.push(0x1e);
        }
        match part {
            Part::Text(packet) => payload.extend_from_slice(packet),
            Part::Binary(data) => {
                payload.push(b'b');
                payload.extend_from_slice(BASE64_STANDARD.encode(data).as_bytes());
            }
        }
    }
    payload
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_type_has_its_digit() {
        let cases = [
            ("0{}", Packet::Open("{}")),
            ("1", Packet::Close),
            ("2", Packet::Ping("")),
            ("2probe", Packet::Ping("probe")),
            ("3", Packet::Pong("")),
            ("3probe", Packet::Pong("probe")),
            ("4", Packet::Text("")),
            ("4€", Packet::Text("€")),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
        ];
        for (text, packet) in cases {
            assert_eq!(Packet::decode(text), Ok(packet), "{text}");
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for text in ["", "7", "a", "abc", "€", "1x", "5x", "6x", " 4", "\u{1e}"] {
            assert!(Packet::decode(text).is_err(), "{text:?}");
        }
        for text in ["b!", "bAQ", "bAQIDBA", "b AQIDBA=="] {
            assert!(Packet::decode_part(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_payload_has_several_packets() {
        let packets: Vec<_> = Payload::new("4hello\u{1e}2\u{1e}bAQIDBA==").collect();

        let binary = Packet::Binary(Bytes::from_static(&[1, 2, 3, 4]));
        assert_eq!(packets, [Ok(Packet::Text("hello")), Ok(Packet::Ping("")), Ok(binary)]);
        assert_eq!(Payload::new("").collect::<Vec<_>>(), [Err(Malformed("a packet without a type"))]);
    }

    #[test]
    fn the_size_of_a_payload_is_known_before_it_is_written() {
        let parts = [Part::Text(b"4a"), Part::Binary(&[1]), Part::Binary(&[1, 2, 3, 4]), Part::Text(b"2")];

        let payload = encode_payload(parts);

        assert_eq!(payload, b"4a\x1ebAQ==\x1ebAQIDBA==\x1e2");
        assert_eq!(parts.iter().map(Part::encoded_bytes).sum::<usize>(), payload.len() + 1);
    }

    proptest! {
        #[test]
        fn payloads_come_back(messages in prop::collection::vec(
            prop_oneof![
                "[^\u{1e}]{0,20}".prop_map(|text| (Some(text), Vec::new())),
                prop::collection::vec(any::<u8>(), 0..20).prop_map(|data| (None, data)),
            ],
            1..10,
        )) {
            let packets: Vec<_> = messages.iter().map(|(text, _)| text.as_ref().map(|text| format!("4{text}"))).collect();
            let parts = packets.iter().zip(&messages).map(|(packet, (_, data))| match packet {
                Some(packet) => Part::Text(packet.as_bytes()),
                None => Part::Binary(data),
            });

            let payload = String::from_utf8(encode_payload(parts)).unwrap();
            let read: Result<Vec<_>, _> = Payload::new(&payload).collect();

            let sent: Vec<_> = messages.iter().map(|(text, data)| match text {
                Some(text) => Packet::Text(text),
                None => Packet::Binary(data.clone().into()),
            }).collect();
            prop_assert_eq!(read, Ok(sent));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            for packet in Payload::new(&text) {
                let _ = packet;
            }
        }
    }
}
