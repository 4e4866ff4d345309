//! An HTTP/1.1 client that costs as little as it can: it shares the cores with what it measures.
//!
//! One connection, one request at a time, bytes that were put together beforehand. Answers need a `Content-Length`,
//! which ours have.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::BenchError;

/// More than any answer that is measured.
const LIMIT: usize = 1024 * 1024;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

/// An answer, read to its end.
pub(crate) struct Answer<'a> {
    /// The status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Vec::with_capacity(4096) })
    }

    /// Sends the bytes of one request and reads its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.input.clear();
        loop {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, body)) = head(&self.input)? {
                while self.input.len() < body.end {
                    if self.stream.read_buf(&mut self.input).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                return Ok(Answer { status, body: &self.input[body] });
            }
        }
    }

    /// Sends a request and reads until `mark` has come; for what follows an upgrade. The connection is given away.
    pub(crate) async fn upgrade(mut self, request: &[u8], mark: &[u8]) -> io::Result<TcpStream> {
        self.stream.write_all(request).await?;
        self.input.clear();
        while !self.input.windows(mark.len()).any(|window| window == mark) {
            let read = self.stream.read_buf(&mut self.input).await?;
            let refused = self.input.len() >= 12 && !self.input.starts_with(b"HTTP/1.1 101");
            if read == 0 || refused || self.input.len() > LIMIT {
                return Err(io::Error::other(String::from_utf8_lossy(&self.input).into_owned()));
            }
        }
        Ok(self.stream)
    }
}

impl Answer<'_> {
    /// Checks that the status is 2xx.
    ///
    /// # Errors
    /// With the answer.
    pub(crate) fn success(&self, what: &str) -> Result<(), BenchError> {
        if (200..300).contains(&self.status) {
            return Ok(());
        }
        let body = String::from_utf8_lossy(self.body);
        Err(BenchError::unexpected(format!("{what} was answered {}: {body}", self.status)))
    }
}

/// The status, and where the body is; `None` while the head is not complete.
fn head(input: &[u8]) -> io::Result<Option<(u16, std::ops::Range<usize>)>> {
    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not an answer that this client can read");
    let text = std::str::from_utf8(&input[..end]).map_err(|_| invalid())?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(invalid)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let length = match (length, status) {
        (Some(Ok(length)), _) if length <= LIMIT => length,
        (None, 204) => 0,
        _ => return Err(invalid()),
    };
    Ok(Some((status, end + 4..end + 4 + length)))
}

/// A request with a JSON body, or none when it is empty.
pub(crate) fn request(method: &str, path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512 + body.len());
    write_request(&mut bytes, &[method, " ", path], &["Authorization: Bearer ", token], body);
    bytes
}

/// Appends a request: the method and the path in parts, the lines of other headers in parts, the body.
pub(crate) fn write_request(out: &mut Vec<u8>, target: &[&str], headers: &[&str], body: &[u8]) {
    let mut push = |text: &str| out.extend_from_slice(text.as_bytes());
    target.iter().for_each(|part| push(part));
    push(" HTTP/1.1\r\nHost: localhost\r\n");
    headers.iter().for_each(|part| push(part));
    if !body.is_empty() {
        push("\r\nContent-Type: application/json\r\nContent-Length: ");
        push(&body.len().to_string());
    }
    push("\r\n\r\n");
    out.extend_from_slice(body);
}

/// The address in a base URL of `testkit`, such as `http://127.0.0.1:41234`.
///
/// # Errors
/// For anything else.
pub(crate) fn address(url: &str) -> Result<SocketAddr, BenchError> {
    let text = url.strip_prefix("http://").unwrap_or(url);
    text.parse().map_err(|error| BenchError::of(url, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_length_has_come() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

        assert_eq!(head(&bytes[..30]).unwrap(), None);
        let (status, body) = head(bytes).unwrap().unwrap();
        assert_eq!((status, &bytes[body]), (200, &b"{}"[..]));
    }

    #[test]
    fn an_answer_without_a_body_has_no_length() {
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some((204, 27..27)));
        assert!(head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_carries_its_length() {
        assert_eq!(
            String::from_utf8(request("PUT", "/x", "t", b"{}")).unwrap(),
            "PUT /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        );
        assert!(request("GET", "/x", "t", b"").ends_with(b"Bearer t\r\n\r\n"));
    }
}
