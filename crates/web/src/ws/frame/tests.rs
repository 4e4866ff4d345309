use proptest::{collection::vec, prelude::*};

use super::*;

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1u8, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        n if n < 126 => frame.push(0x80 | n as u8),
        n => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(n as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn reader(bytes: &[u8]) -> Reader {
    Reader::new(BytesMut::from(bytes), 1000)
}

#[test]
fn fragments_with_a_ping_between_make_one_message() {
    let bytes = [masked(0x01, b"hel"), masked(0x89, b"?"), masked(0x80, b"lo")].concat();
    let mut reader = reader(&[]);
    let mut found = Vec::new();

    // One byte at a time, as the worst of networks would deliver it.
    for byte in bytes {
        reader.push(&[byte]);
        found.extend(reader.read().unwrap());
    }

    assert_eq!(
        found,
        [Incoming::Ping(Bytes::from_static(b"?")), Incoming::Message(Message::Text("hello".to_owned()))]
    );
    assert_eq!(reader.buffer.capacity(), 0);
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_bytes_arrive() {
    let mut huge = vec![0x82, 0xff];
    huge.extend_from_slice(&(1u64 << 62).to_be_bytes());

    assert_eq!(reader(&huge).read().unwrap_err().code, CloseCode::TOO_BIG);
}

#[test]
fn fragments_together_stay_under_the_limit() {
    let bytes = [masked(0x02, &[0; 900]), masked(0x00, &[0; 101])].concat();

    assert_eq!(reader(&bytes).read().unwrap_err().code, CloseCode::TOO_BIG);
}

#[test]
fn broken_frames_are_answered_with_the_right_code() {
    let cases: [(Vec<u8>, CloseCode); 8] = [
        (masked(0x81, &[0xff, 0xfe]), CloseCode::INVALID),
        (masked(0xc1, b"reserved bit"), CloseCode::PROTOCOL),
        (masked(0x83, b"opcode"), CloseCode::PROTOCOL),
        (masked(0x80, b"continues nothing"), CloseCode::PROTOCOL),
        (masked(0x09, b"ping in parts"), CloseCode::PROTOCOL),
        (masked(0x89, &[0; 126]), CloseCode::PROTOCOL),
        (masked(0x88, &[3]), CloseCode::PROTOCOL),
        (vec![0x81, 0x01, b'a'], CloseCode::PROTOCOL),
    ];
    for (bytes, code) in cases {
        assert_eq!(reader(&bytes).read().unwrap_err().code, code, "{bytes:02x?}");
    }
}

#[test]
fn a_close_reason_is_cut_at_a_character() {
    let frame = Frame::close(CloseCode::POLICY, &"é".repeat(100)).into_bytes();

    assert_eq!(frame.len(), 2 + 2 + 122);
    assert!(std::str::from_utf8(&frame[4..]).is_ok());
}

fn read_all(reader: &mut Reader) -> (Vec<Message>, Option<Fault>) {
    let mut messages = Vec::new();
    loop {
        match reader.read() {
            Ok(Some(Incoming::Message(message))) => messages.push(message),
            Ok(Some(_)) => {}
            Ok(None) => return (messages, None),
            Err(fault) => return (messages, Some(fault)),
        }
    }
}

proptest! {
    #[test]
    fn messages_survive_any_fragmentation_and_any_split_of_the_stream(
        messages in vec(vec(vec(any::<u8>(), 0..200), 1..4), 0..5),
        cuts in vec(1usize..50, 1..20),
    ) {
        let mut stream = Vec::new();
        for fragments in &messages {
            for (index, payload) in fragments.iter().enumerate() {
                let fin = if index + 1 == fragments.len() { 0x80 } else { 0 };
                let opcode = if index == 0 { 2 } else { 0 };
                stream.extend(masked(fin | opcode, payload));
            }
        }
        let (mut reader, mut found, mut rest) = (reader(&[]), Vec::new(), &stream[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            reader.push(now);
            let (more, fault) = read_all(&mut reader);
            prop_assert_eq!(fault, None);
            found.extend(more);
            rest = later;
        }

        let sent: Vec<_> = messages.iter().map(|fragments| Message::Binary(fragments.concat().into())).collect();
        prop_assert_eq!(found, sent);
    }

    #[test]
    fn no_bytes_make_the_reader_keep_more_than_a_message(bytes in vec(any::<u8>(), 0..4000)) {
        let mut reader = reader(&[]);
        for chunk in bytes.chunks(97) {
            reader.push(chunk);
            if read_all(&mut reader).1.is_some() {
                return Ok(());
            }
            let held = reader.fragments.as_ref().map_or(0, |fragments| fragments.data.len());
            prop_assert!(held <= 1000 && reader.buffer.len() <= 1000 + 14);
        }
    }
}
