//! Socket.IO: messages of any text, one a line, are read or refused; what was read says the same when it is written
//! again, and a session lets nothing through to a namespace that was not joined.

use std::collections::BTreeSet;

use bytes::Bytes;
use socketio::codec::socket::Packet;
use socketio::session::socket::{SocketLimits, SocketSession, Step};

const LIMITS: SocketLimits = SocketLimits { namespaces: 3, attachments: 3, packet_bytes: 256 };

/// Checks one session. A line that begins with `!` is a binary message; every CONNECT is let in.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let mut session = SocketSession::<String>::default();
    let mut inside = BTreeSet::new();
    for line in text.lines() {
        check_packet(line);
        let step = match line.strip_prefix('!') {
            Some(data) => session.binary(Bytes::copy_from_slice(data.as_bytes()), &LIMITS),
            None => session.text(line, &LIMITS),
        };
        match step {
            Err(_) => return,
            Ok(Step::None) => {}
            Ok(Step::Join { namespace, .. }) => {
                session.join(namespace.as_str().into(), namespace.clone());
                assert!(inside.insert(namespace));
            }
            Ok(Step::Event { client, attachments, .. } | Step::Ack { client, attachments, .. }) => {
                assert!(inside.contains(&client));
                assert!(attachments.len() <= LIMITS.attachments);
            }
            Ok(Step::Leave(client)) => assert!(inside.remove(&client)),
        }
        assert!(inside.len() <= LIMITS.namespaces);
    }
}

fn check_packet(text: &str) {
    let Ok(packet) = Packet::decode(text) else { return };
    let mut written = String::new();
    packet.encode(&mut written);
    assert_eq!(Packet::decode(&written), Ok(packet));
}
