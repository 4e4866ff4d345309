//! A client of the message websocket, as `proto/ws.md` has it.

use common::models::ws::{
    ClientFrame, KEYS_LOW, KeysLow, MESSAGE, QUEUE_EMPTY, QueueEmpty, ServerFrame, WsRequest, WsResponse,
};
use common::models::{AccountId, Base64Bytes, DeviceId, EnvelopeId, UnixMillis};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::wait::DEADLINE;

/// An envelope as the server hands it out, by websocket and by `GET /v1/messages`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Its id; the same each time it is delivered.
    pub guid: EnvelopeId,
    /// Its place in the mailbox, from 1, without gaps.
    pub seq: i64,
    /// The sender's type of ciphertext.
    #[serde(rename = "type")]
    pub kind: i64,
    /// Who sent it.
    pub source_account: AccountId,
    /// From which device.
    pub source_device: DeviceId,
    /// When the sender says it was sent.
    pub timestamp: UnixMillis,
    /// When the server stored it.
    pub server_timestamp: UnixMillis,
    /// The ciphertext.
    pub content: Base64Bytes,
    /// Whether the sender wants the device woken.
    pub urgent: bool,
}

/// What the server sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Push {
    /// An envelope; answer request `id` with a 2xx to delete it.
    Message {
        /// The number of the request.
        id: u64,
        /// The envelope.
        envelope: Envelope,
    },
    /// The backlog has been answered; the last `seq` of it.
    QueueEmpty(i64),
    /// A kind of prekey runs out.
    KeysLow(KeysLow),
    /// The answer to a request of ours.
    Response(WsResponse),
    /// The end; the close code, or none when the connection was just cut.
    Closed(Option<u16>),
}

/// An open message websocket.
#[derive(Debug)]
pub struct MessageSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl MessageSocket {
    /// Connects to the message websocket of `base`, such as `http://127.0.0.1:41234`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn connect(base: &str, token: &str) -> Self {
        Self::try_connect(base, token).await.expect("an open websocket")
    }

    /// As [`MessageSocket::connect`], where a refusal is expected.
    ///
    /// # Errors
    /// The status that refuses it; none when there was no answer.
    ///
    /// # Panics
    /// When the deadline passes.
    pub async fn try_connect(base: &str, token: &str) -> Result<Self, Option<u16>> {
        let url = format!("{}/v1/websocket", base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("the URL of a test server");
        let bearer = format!("Bearer {token}").parse().expect("a token without line breaks");
        request.headers_mut().insert("authorization", bearer);
        match timeout(DEADLINE, connect_async(request)).await.expect("an answer to the handshake") {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Http(answer)) => Err(Some(answer.status().as_u16())),
            Err(_) => Err(None),
        }
    }

    /// The next push, answer or the end.
    ///
    /// # Panics
    /// When there is none before the deadline, or it is not in the documented form.
    pub async fn next(&mut self) -> Push {
        loop {
            match timeout(DEADLINE, self.stream.next()).await.expect("a frame before the deadline") {
                Some(Ok(Message::Text(text))) => return read(text.as_str()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Push::Closed(frame.map(|frame| frame.code.into())),
                Some(Ok(other)) => panic!("a frame that is not text: {other:?}"),
                Some(Err(_)) | None => return Push::Closed(None),
            }
        }
    }

    /// The next push, which must be an envelope; acks it.
    ///
    /// # Panics
    /// When something else comes, or the socket is lost.
    pub async fn take(&mut self) -> Envelope {
        match self.next().await {
            Push::Message { id, envelope } => {
                assert!(self.answer(id, 200).await, "the socket was lost before the ack");
                envelope
            }
            other => panic!("expected an envelope, not {other:?}"),
        }
    }

    /// Takes and acks the backlog, up to the message that says it is done; its envelopes and the last `seq`.
    ///
    /// # Panics
    /// When something else comes.
    pub async fn backlog(&mut self) -> (Vec<Envelope>, i64) {
        let mut envelopes = Vec::new();
        loop {
            match self.next().await {
                Push::Message { id, envelope } => {
                    assert!(self.answer(id, 200).await, "the socket was lost before the ack");
                    envelopes.push(envelope);
                }
                Push::QueueEmpty(last) => return (envelopes, last),
                other => panic!("expected the backlog, not {other:?}"),
            }
        }
    }

    /// Reads on to the end and gives the close code, if there was one. What else comes is dropped.
    ///
    /// # Panics
    /// When the deadline passes without an end.
    pub async fn closed(&mut self) -> Option<u16> {
        let end = async {
            loop {
                if let Push::Closed(code) = self.next().await {
                    return code;
                }
            }
        };
        timeout(DEADLINE, end).await.expect("a socket that closes")
    }

    /// Answers a request of the server; 200 acks an envelope. False when the connection is lost.
    pub async fn answer(&mut self, id: u64, status: u16) -> bool {
        self.frame(&ClientFrame::Response(WsResponse { id, status, body: None })).await
    }

    /// Sends a request without a body. False when the connection is lost.
    pub async fn request(&mut self, id: u64, verb: &str, path: &str) -> bool {
        let request = WsRequest { id, verb: verb.to_owned(), path: path.to_owned(), body: None };
        self.frame(&ClientFrame::Request(request)).await
    }

    /// Sends any text as a frame. False when the connection is lost.
    pub async fn text(&mut self, text: impl Into<String>) -> bool {
        self.stream.send(Message::text(text.into())).await.is_ok()
    }

    async fn frame(&mut self, frame: &ClientFrame) -> bool {
        self.text(serde_json::to_string(frame).expect("a frame as JSON")).await
    }
}

fn read(text: &str) -> Push {
    let frame = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in the frame {text}"));
    let request: WsRequest = match frame {
        ServerFrame::Response(response) => return Push::Response(response),
        ServerFrame::Request(request) => request,
    };
    assert_eq!(request.verb, "PUT", "{text}");
    match request.path.as_str() {
        MESSAGE => Push::Message { id: request.id, envelope: body(request) },
        QUEUE_EMPTY => Push::QueueEmpty(body::<QueueEmpty>(request).last_seq),
        KEYS_LOW => Push::KeysLow(body(request)),
        _ => panic!("an unknown request: {text}"),
    }
}

fn body<T: DeserializeOwned>(request: WsRequest) -> T {
    let body = request.body.unwrap_or_default();
    serde_json::from_value(body).unwrap_or_else(|error| panic!("{error} in the body of {}", request.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_told_apart() {
        assert_eq!(
            read(r#"{"type":"request","id":7,"verb":"PUT","path":"/v1/queue/empty","body":{"lastSeq":3}}"#),
            Push::QueueEmpty(3)
        );
        assert!(matches!(read(r#"{"type":"response","id":7,"status":404}"#), Push::Response(_)));
    }

    #[test]
    #[should_panic(expected = "an unknown request")]
    fn what_the_protocol_does_not_have_fails_the_test() {
        read(r#"{"type":"request","id":7,"verb":"PUT","path":"/v1/nothing"}"#);
    }
}
