//! The message websocket: a stream of any octets is read as the same messages however it is cut, none over the limit, and
//! what was understood of them says the same when it is written again.

use bytes::BytesMut;
use common::models::ws::ClientFrame;
use web::ws::{Fault, Incoming, Message, Reader};

/// The largest message.
const LIMIT: usize = 1024;

/// Checks one stream; its first octet says how long the pieces are in which it comes the second time. Of a frame that
/// breaks several rules, another may be seen first then.
pub fn check(octets: &[u8]) {
    let Some((piece, stream)) = octets.split_first() else { return };
    let (whole, fault) = read(stream.chunks(stream.len().max(1)));
    let (cut, fault_of_cut) = read(stream.chunks(usize::from(*piece) + 1));
    assert_eq!((&cut, fault_of_cut.is_some()), (&whole, fault.is_some()), "{fault:?}, {fault_of_cut:?}");
    for incoming in whole {
        match incoming {
            Incoming::Message(Message::Text(text)) => check_text(&text),
            Incoming::Message(Message::Binary(data)) => assert!(data.len() <= LIMIT),
            Incoming::Ping(payload) => assert!(payload.len() <= 125, "RFC 6455, 5.5"),
            Incoming::Pong | Incoming::Close(_) => {}
        }
    }
}

/// Everything up to the end of the stream, or up to what cannot be read.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Incoming>, Option<Fault>) {
    let mut reader = Reader::new(BytesMut::new(), LIMIT);
    let mut all = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.read() {
                Ok(Some(incoming)) => all.push(incoming),
                Ok(None) => break,
                Err(fault) => return (all, Some(fault)),
            }
        }
    }
    (all, None)
}

fn check_text(text: &str) {
    assert!(text.len() <= LIMIT);
    let Ok(frame) = serde_json::from_str::<ClientFrame>(text) else { return };
    let written = serde_json::to_string(&frame).expect("what was JSON");
    let again: ClientFrame = serde_json::from_str(&written).expect("our own JSON");
    // Without bodies: a number that is read and written may differ in its last digit.
    match (frame, again) {
        (ClientFrame::Request(one), ClientFrame::Request(other)) => {
            assert_eq!((one.id, one.verb, one.path), (other.id, other.verb, other.path));
        }
        (ClientFrame::Response(one), ClientFrame::Response(other)) => {
            assert_eq!((one.id, one.status), (other.id, other.status));
        }
        (one, other) => panic!("{one:?} and {other:?}"),
    }
}
