//! A client that does not read.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use testkit::wait::wait_for_within;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{Device, TestApp};

/// A masked text frame (RFC 6455 §5.2); a mask of zeros leaves the text as it is.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).unwrap();
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

/// Opens a websocket with little room for what comes, and leaves all frames unread.
async fn connect(app: &TestApp, device: &Device) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = app.host.url.trim_start_matches("http://").parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let head = format!(
        "GET /v1/websocket HTTP/1.1\r\nHost: mailbox\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        device.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

testkit::on_both! {
    async fn a_client_that_asks_without_reading_is_cut_and_can_come_back(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        alice.send(&bob, "waiting").await.assert_status(200);
        let mut stream = connect(&app, &bob).await;
        let question = frame(r#"{"type":"request","id":1,"verb":"GET","path":"/v1/keepalive"}"#).repeat(1000);

        // Until the server has given the connection up, after tens of thousands of answers that found room on the way.
        let asking = async {
            while stream.write_all(&question).await.is_ok() {}
            pending::<Infallible>().await
        };
        let closed = r#"sealpost_mailbox_sockets_closed_total{code="1013",service="mailbox"} 1"#;
        let given_up = wait_for_within(Duration::from_secs(60), "the connection to be given up", || async {
            app.metrics().await.contains(closed).then_some(())
        });
        tokio::select! {
            never = asking => match never {},
            () = given_up => {}
        }

        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        let mut socket = bob.connect().await;
        assert_eq!(socket.envelope().await.2, "waiting");
        app.host.stop().await;
    }
}
