//! SMPP: a stream of any octets is cut and decoded, and what was understood says the same when it is written again.

use bytes::BytesMut;
use smpp::codec::{DEFAULT_MAX_FRAME, Pdu, split_frame};

/// Checks one stream.
pub fn check(octets: &[u8]) {
    let mut stream = BytesMut::from(octets);
    while let Ok(Some(frame)) = split_frame(&mut stream, DEFAULT_MAX_FRAME) {
        assert_eq!(frame.header.length as usize, 16 + frame.body.len());
        let Ok(pdu) = Pdu::decode(&frame) else { continue };
        let mut written = Vec::new();
        // The decoder is more tolerant than the encoder: fields over their length are read and not written.
        if pdu.encode(&mut written).is_err() {
            assert!(written.is_empty(), "a refusal leaves nothing behind");
            continue;
        }
        let mut again = BytesMut::from(written.as_slice());
        let frame = split_frame(&mut again, u32::MAX).expect("a frame").expect("all of it");
        assert_eq!(Pdu::decode(&frame).as_ref(), Ok(&pdu));
        assert!(again.is_empty());
    }
}
