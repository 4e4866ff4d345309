//! Receivers that do everything right, and everything wrong.

use std::time::Duration;

use common::models::UnixMillis;
use telemetry::TraceContext;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use url::Url;
use webhook::{DeliverySettings, Message, Sender, SigningSecret, Target, Verdict, signatures};

const NOW: UnixMillis = UnixMillis(1_700_000_000_123);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn secret() -> SigningSecret {
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap()
}

fn target(port: u16) -> Target {
    let url = Url::parse(&format!("http://127.0.0.1:{port}/hook")).unwrap();
    Target::new("team", &url, &[secret()], false).unwrap()
}

/// Sends one event to a receiver that does `answer` with its connection; gives the verdict, and the request unless the
/// answer is silence.
async fn exchange(answer: &'static [u8]) -> (Verdict, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(listener.local_addr().unwrap().port());
    // An answer of nothing is silence, which alone has to be waited for.
    let silent = answer.is_empty();
    let timeout = if silent { Duration::from_millis(300) } else { Duration::from_secs(20) };
    let settings = DeliverySettings { timeout, ..DeliverySettings::default() };
    let sender = Sender::new(&settings, std::slice::from_ref(&target)).unwrap();
    let receiving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let request = read(&mut socket).await;
        let _ = socket.write_all(answer).await;
        // The connection of a silent one stays.
        (request, silent.then_some(socket))
    });

    let trace = TraceContext::parse(&format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let message = Message { id: "evt_1".to_owned(), body: br#"{"a":1}"#.to_vec(), trace };
    let verdict = sender.send(&target, message, NOW).await;
    // On a busy machine the time of a silent one may be over before it has been reached.
    let request = if silent { String::new() } else { receiving.await.unwrap().0 };
    (verdict, request)
}

async fn read(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(br#"{"a":1}"#) {
        let mut part = [0; 1024];
        let count = socket.read(&mut part).await.unwrap();
        assert!(count > 0, "the whole request");
        request.extend_from_slice(&part[..count]);
    }
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn a_request_has_its_headers_and_the_body_that_was_signed() {
    let (verdict, request) = exchange(b"HTTP/1.1 204 No Content\r\n\r\n").await;

    assert_eq!(verdict, Verdict::Taken);
    let signed = signatures(&[secret()], "evt_1", 1_700_000_000, br#"{"a":1}"#);
    for line in [
        "POST /hook HTTP/1.1",
        "webhook-id: evt_1",
        "webhook-timestamp: 1700000000",
        &format!("webhook-signature: {signed}"),
        "content-type: application/json",
    ] {
        assert!(request.lines().any(|own| own == line), "{line} in {request}");
    }
    assert!(request.contains(&format!("\r\ntraceparent: 00-{TRACE}-")), "{request}");
    assert!(!request.contains("00f067aa0ba902b7"), "a span of its own: {request}");
}

#[tokio::test]
async fn a_receiver_that_resets_is_silent_or_talks_nonsense_is_tried_later() {
    for answer in [&b""[..], b"HTTP/1.1", b"\x16\x03\x01nonsense\r\n\r\n"] {
        assert_eq!(exchange(answer).await.0, Verdict::Later(None), "{answer:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_later() {
    // Held, so that nobody else is given the port, and not listened on.
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let target = target(held.local_addr().unwrap().port());
    let sender = Sender::new(&DeliverySettings::default(), std::slice::from_ref(&target)).unwrap();

    let message = Message { id: "evt_1".to_owned(), body: Vec::new(), trace: None };

    assert_eq!(sender.send(&target, message, NOW).await, Verdict::Later(None));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let away =
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";

    assert_eq!(exchange(away).await.0, Verdict::Later(None));
}

#[tokio::test]
async fn an_endless_answer_is_not_read() {
    // 1 MB is announced and never comes: what matters is known after the head.
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nx";

    assert_eq!(exchange(answer).await.0, Verdict::Taken);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_told() {
    let answer = b"HTTP/1.1 429 Slow Down\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n";

    assert_eq!(exchange(answer).await.0, Verdict::Later(Some(Duration::from_secs(120))));
}

#[test]
fn a_file_of_authorities_that_is_none_is_told() {
    let missing = DeliverySettings { ca_file: Some("/nowhere/ca.pem".into()), ..DeliverySettings::default() };
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let other = DeliverySettings { ca_file: Some(own.into()), ..DeliverySettings::default() };

    assert!(Sender::new(&missing, &[]).unwrap_err().to_string().starts_with("/nowhere/ca.pem: "));
    assert!(Sender::new(&other, &[]).unwrap_err().to_string().ends_with("no certificates in PEM"));
}
