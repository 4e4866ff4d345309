//! Frames as bytes: outgoing ones encoded once and shared, incoming ones joined into whole messages.
//!
//! In: bytes of a client (masked frames). Out: messages, pings, closes, or the code to close with. What must hold: no
//! more than one message of the permitted size is ever kept, whatever length a header announces.

use actix_http::ws::{OpCode, Parser, ProtocolError};
use bytes::{Bytes, BytesMut};

use super::CloseCode;

/// An encoded server frame. Cloning shares the bytes: encode once for many sockets.
#[derive(Clone, Debug)]
pub struct Frame(Bytes);

impl Frame {
    /// Encodes a text message.
    pub fn text(text: &str) -> Self {
        Self::encode(OpCode::Text, text.as_bytes())
    }

    /// Encodes a binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(OpCode::Binary, payload)
    }

    /// Tells whether it is a binary message.
    pub fn is_binary(&self) -> bool {
        self.0.first().is_some_and(|first| first & 0x0f == u8::from(OpCode::Binary))
    }

    /// Returns how many bytes it has, header included.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Returns the message without the header, which a server's frame has alone before it. Shares the bytes.
    pub fn payload(&self) -> Bytes {
        let header = match self.0.get(1) {
            Some(127) => 10,
            Some(126) => 4,
            _ => 2,
        };
        self.0.slice(header.min(self.0.len())..)
    }

    pub(super) fn ping() -> Self {
        Self(Bytes::from_static(&[0x89, 0]))
    }

    pub(super) fn pong(payload: &[u8]) -> Self {
        Self::encode(OpCode::Pong, payload)
    }

    /// Encodes a close frame; `reason` is cut to the 123 bytes that a control frame has room for.
    pub(super) fn close(code: CloseCode, reason: &str) -> Self {
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let mut payload = code.as_u16().to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes().get(..end).unwrap_or_default());
        Self::encode(OpCode::Close, &payload)
    }

    fn encode(opcode: OpCode, payload: &[u8]) -> Self {
        let mut frame = BytesMut::new();
        Parser::write_message(&mut frame, payload, opcode, true, false);
        Self(frame.freeze())
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// A whole message from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text; checked to be UTF-8.
    Text(String),
    /// Binary.
    Binary(Bytes),
}

/// What one step of decoding found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole message.
    Message(Message),
    /// A ping and what it carries, which the pong gives back (RFC 6455 §5.5.2).
    Ping(Bytes),
    /// An answer to a ping.
    Pong,
    /// The peer closes, with the code it gave.
    Close(Option<u16>),
}

/// Why the connection cannot go on, as the code and the reason of the close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub code: CloseCode,
    /// The reason; says nothing of what came.
    pub reason: &'static str,
}

const fn fault(code: CloseCode, reason: &'static str) -> Fault {
    Fault { code, reason }
}

#[derive(Debug)]
struct Fragments {
    text: bool,
    data: BytesMut,
}

/// Joins a client's bytes (RFC 6455 §5.2) into messages; holds nothing while the peer is between messages.
#[derive(Debug)]
pub struct Reader {
    buffer: BytesMut,
    fragments: Option<Box<Fragments>>,
    max_bytes: usize,
}

impl Reader {
    /// Begins with the bytes that are there already; `max_bytes` is the largest message.
    pub fn new(buffer: BytesMut, max_bytes: usize) -> Self {
        Self { buffer, fragments: None, max_bytes }
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Forgets what has come in; used once the connection is closing.
    pub(super) fn discard(&mut self) {
        self.buffer = BytesMut::new();
        self.fragments = None;
    }

    /// Takes the next item out of the bytes pushed so far, `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`Fault`]: nothing that follows can be read.
    pub fn read(&mut self) -> Result<Option<Incoming>, Fault> {
        loop {
            if self.buffer.is_empty() {
                // Gives the memory back: an idle socket keeps no buffer.
                self.buffer = BytesMut::new();
                return Ok(None);
            }
            self.check_header()?;
            let frame = Parser::parse(&mut self.buffer, true, self.max_bytes).map_err(parse_fault)?;
            let Some((last, opcode, payload)) = frame else { return Ok(None) };
            let payload = payload.unwrap_or_default();
            match opcode {
                OpCode::Ping => return Ok(Some(Incoming::Ping(payload.freeze()))),
                OpCode::Pong => return Ok(Some(Incoming::Pong)),
                OpCode::Close => return close(&payload).map(|code| Some(Incoming::Close(code))),
                OpCode::Text | OpCode::Binary | OpCode::Continue => {
                    if let Some(message) = self.data(last, opcode, payload)? {
                        return Ok(Some(Incoming::Message(message)));
                    }
                }
                OpCode::Bad => return Err(fault(CloseCode::PROTOCOL, "unknown opcode")),
            }
        }
    }

    /// The parser waits for the whole frame before it looks at its length, so the announced length is checked first.
    fn check_header(&self) -> Result<(), Fault> {
        let [first, second, rest @ ..] = &self.buffer[..] else { return Ok(()) };
        let control = first & 0x08 != 0;
        let length = match (second & 0x7f, rest) {
            (126, [a, b, ..]) => u64::from(u16::from_be_bytes([*a, *b])),
            (127, [a, b, c, d, e, f, g, h, ..]) => u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            (126 | 127, _) => return Ok(()),
            (short, _) => u64::from(short),
        };
        if control && (first & 0x80 == 0 || length > 125) {
            return Err(fault(CloseCode::PROTOCOL, "a control frame is whole and at most 125 bytes"));
        }
        let held = self.fragments.as_ref().map_or(0, |fragments| fragments.data.len());
        let room = if control { 125 } else { self.max_bytes.saturating_sub(held) };
        if length > u64::try_from(room).unwrap_or(u64::MAX) {
            return Err(fault(CloseCode::TOO_BIG, "message over the limit"));
        }
        Ok(())
    }

    fn data(&mut self, last: bool, opcode: OpCode, payload: BytesMut) -> Result<Option<Message>, Fault> {
        let (text, data) = match (opcode, self.fragments.take()) {
            (OpCode::Continue, Some(mut fragments)) => {
                fragments.data.extend_from_slice(&payload);
                (fragments.text, fragments.data)
            }
            (OpCode::Continue, None) => return Err(fault(CloseCode::PROTOCOL, "nothing to continue")),
            (_, Some(_)) => return Err(fault(CloseCode::PROTOCOL, "the message before is not finished")),
            (_, None) => (opcode == OpCode::Text, payload),
        };
        if !last {
            self.fragments = Some(Box::new(Fragments { text, data }));
            return Ok(None);
        }
        if !text {
            return Ok(Some(Message::Binary(data.freeze())));
        }
        match String::from_utf8(data.into()) {
            Ok(text) => Ok(Some(Message::Text(text))),
            Err(_) => Err(fault(CloseCode::INVALID, "text that is not UTF-8")),
        }
    }
}

fn close(payload: &[u8]) -> Result<Option<u16>, Fault> {
    let reason = Parser::try_parse_close_payload(payload)
        .map_err(|_| fault(CloseCode::PROTOCOL, "a close frame that breaks the rules"))?;
    Ok(reason.map(|reason| reason.code.into()))
}

fn parse_fault(error: ProtocolError) -> Fault {
    match error {
        ProtocolError::Overflow => fault(CloseCode::TOO_BIG, "message over the limit"),
        ProtocolError::UnmaskedFrame => fault(CloseCode::PROTOCOL, "a client masks its frames"),
        _ => fault(CloseCode::PROTOCOL, "a frame that breaks the rules"),
    }
}

#[cfg(test)]
mod tests;
