//! Subscribers of a notification server: websockets of which each says its lines, and then counts what comes.
//!
//! They run in this process, on one thread, whose CPU time is not counted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::error::BenchError;
use crate::http::Connection;

/// Handshakes at the same time.
const CLIENTS: usize = 16;

/// No answer within this time is a failure of the server.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a subscriber gets to its notifications.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    /// Where the websocket is, with the query.
    pub(super) path: String,
    /// What it waits for at first, and then what it says and waits for in turn.
    pub(super) greeting: Option<String>,
    /// Lines, and what the answer to each begins with.
    pub(super) lines: Vec<(String, String)>,
    /// What each notification begins with.
    pub(super) notification: String,
}

/// Open subscriptions. They end when it is dropped.
pub(super) struct Subscribers {
    count: usize,
    tally: Arc<Tally>,
    _tasks: tokio::task::JoinSet<()>,
}

#[derive(Default)]
struct Tally {
    received: AtomicU64,
    /// Connections that ended.
    lost: AtomicU64,
    /// How many are waited for.
    wanted: AtomicU64,
    reached: Notify,
}

impl Subscribers {
    /// Opens `count` of them.
    ///
    /// # Errors
    /// When the server refuses one, or says something else than expected.
    pub(super) async fn open(
        address: SocketAddr,
        opening: &Opening,
        count: usize,
    ) -> Result<Self, BenchError> {
        let parts = (0..CLIENTS).map(|client| count / CLIENTS + usize::from(client < count % CLIENTS));
        let opened = parts.map(async |part| {
            let mut streams = Vec::with_capacity(part);
            for _ in 0..part {
                let opened = timeout(PATIENCE, open(address, opening)).await;
                let stream = opened.map_err(|_| BenchError::unexpected("a subscriber gets no answer"))?;
                streams.push(stream.map_err(|error| BenchError::Io("a subscriber", error))?);
            }
            Ok::<_, BenchError>(streams)
        });
        let streams = try_join_all(opened).await?.into_iter().flatten();
        let tally = Arc::new(Tally::default());
        let mut tasks = tokio::task::JoinSet::new();
        for (stream, input) in streams {
            tasks.spawn(count_all(stream, input, opening.notification.clone(), tally.clone()));
        }
        Ok(Self { count, tally, _tasks: tasks })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// What all together have received up to now.
    pub(super) fn received(&self) -> u64 {
        self.tally.received.load(Ordering::SeqCst)
    }

    /// Waits until they have received `total` since they were opened.
    ///
    /// # Errors
    /// When that takes too long, or one of them was cut off.
    pub(super) async fn reach(&self, total: u64) -> Result<(), BenchError> {
        self.tally.wanted.store(total, Ordering::SeqCst);
        let reached = async {
            while self.received() < total {
                self.tally.reached.notified().await;
            }
        };
        let in_time = timeout(PATIENCE, reached).await.is_ok();
        let lost = self.tally.lost.load(Ordering::SeqCst);
        if in_time && lost == 0 {
            return Ok(());
        }
        let received = self.received();
        Err(BenchError::unexpected(format!(
            "{received} of {total} deliveries came, {lost} subscribers were lost"
        )))
    }
}

/// Opens one; what was read beyond the last answer comes along.
async fn open(address: SocketAddr, opening: &Opening) -> io::Result<(TcpStream, Vec<u8>)> {
    let handshake = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        opening.path
    );
    let connection = Connection::open(address).await?;
    let mark = opening.greeting.as_deref().unwrap_or("\r\n\r\n");
    let mut stream = connection.upgrade(handshake.as_bytes(), mark.as_bytes()).await?;
    let mut input = Vec::with_capacity(1024);
    for (line, answer) in &opening.lines {
        stream.write_all(&frame(line)).await?;
        while !take_answer(&mut input, answer) {
            if stream.read_buf(&mut input).await? == 0 {
                return Err(io::Error::other(format!("no answer to {line}")));
            }
        }
    }
    Ok((stream, input))
}

/// Takes frames out until one begins with `answer`; tells whether there was one.
fn take_answer(input: &mut Vec<u8>, answer: &str) -> bool {
    while let Some((_, payload)) = next_frame(input) {
        let found = input[payload.clone()].starts_with(answer.as_bytes());
        input.drain(..payload.end);
        if found {
            return true;
        }
    }
    false
}

/// A text frame of a client: masked, with a mask of zeros, which changes nothing (RFC 6455 §5.3).
fn frame(text: &str) -> Vec<u8> {
    let length = text.len();
    let mut bytes = vec![0x81];
    match u16::try_from(length) {
        Ok(short @ 0..126) => bytes.push(0x80 | short as u8),
        Ok(long) => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&long.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Counts notifications until the connection ends, and answers what asks for a sign of life.
async fn count_all(mut stream: TcpStream, mut input: Vec<u8>, notification: String, tally: Arc<Tally>) {
    while stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
        let (mut place, mut counted) = (0, 0);
        while let Some((opcode, payload)) = next_frame(&input[place..]) {
            let body = &input[place..][payload.clone()];
            let answer = match opcode {
                // Engine.IO: ping and pong.
                1 if body == b"2" => Some(frame("3")),
                1 if body.starts_with(notification.as_bytes()) => {
                    counted += 1;
                    None
                }
                9 => Some(vec![0x8a, 0x80, 0, 0, 0, 0]),
                _ => None,
            };
            if let Some(answer) = answer
                && stream.write_all(&answer).await.is_err()
            {
                break;
            }
            place += payload.end;
        }
        input.drain(..place);
        if counted > 0 {
            let received = tally.received.fetch_add(counted, Ordering::SeqCst) + counted;
            if received >= tally.wanted.load(Ordering::SeqCst) {
                tally.reached.notify_one();
            }
        }
    }
    tally.lost.fetch_add(1, Ordering::SeqCst);
    tally.reached.notify_one();
}

/// The first frame of a server, if it is complete: opcode, and where its payload is.
fn next_frame(input: &[u8]) -> Option<(u8, std::ops::Range<usize>)> {
    let (&first, &second) = (input.first()?, input.get(1)?);
    let (start, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(input.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(input.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    (input.len() >= start + length).then_some((first & 0x0f, start..start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_one_after_the_other() {
        let mut input = vec![0x81, 1, b'2', 0x81, 126, 0, 200];
        input.extend([b'x'; 200]);

        assert_eq!(next_frame(&input), Some((1, 2..3)));
        assert_eq!(next_frame(&input[3..]), Some((1, 4..204)));
        assert_eq!(next_frame(&input[3..100]), None);
        assert_eq!(next_frame(&[0x81]), None);
    }

    #[test]
    fn lines_are_masked_with_nothing() {
        assert_eq!(frame("40"), [0x81, 0x82, 0, 0, 0, 0, b'4', b'0']);
        assert_eq!(frame(&"x".repeat(300))[..4], [0x81, 0xfe, 1, 44]);
    }
}
