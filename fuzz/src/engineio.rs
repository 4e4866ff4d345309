//! Engine.IO: a payload of any octets is read or refused; what was read says the same when it is written again.

use socketio::codec::engine::{Packet, Part, Payload, encode_payload};

/// Checks one payload.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    for part in text.split('\u{1e}') {
        let _ = Packet::decode(part);
    }
    let Ok(packets) = Payload::new(text).collect::<Result<Vec<_>, _>>() else { return };
    let texts: Vec<_> = packets.iter().map(written).collect();
    let parts = packets.iter().zip(&texts).map(|(packet, text)| match packet {
        Packet::Binary(data) => Part::Binary(data),
        _ => Part::Text(text.as_bytes()),
    });
    let size: usize = parts.clone().map(|part| part.encoded_bytes()).sum();
    let payload = String::from_utf8(encode_payload(parts)).expect("text and base64");
    assert_eq!(size, payload.len() + 1);
    let again: Result<Vec<_>, _> = Payload::new(&payload).collect();
    assert_eq!(again, Ok(packets));
}

fn written(packet: &Packet<'_>) -> String {
    match packet {
        Packet::Open(data) => format!("0{data}"),
        Packet::Close => "1".to_owned(),
        Packet::Ping(data) => format!("2{data}"),
        Packet::Pong(data) => format!("3{data}"),
        Packet::Text(data) => format!("4{data}"),
        Packet::Upgrade => "5".to_owned(),
        Packet::Noop => "6".to_owned(),
        Packet::Binary(_) => String::new(),
    }
}
