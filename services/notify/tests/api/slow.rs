//! A client that does not read.

use std::time::Duration;

use serde_json::json;
use testkit::database::TestDb;
use testkit::program::Program;
use testkit::wait::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{Backend, Socket, TestApp};

/// A masked text frame (RFC 6455 §5.2); a mask of zeros leaves the text as it is.
fn frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x81, 0xfe][..], &length, &[0; 4], text.as_bytes()].concat()
}

/// Opens a websocket with little room for what comes, joins, and leaves all that comes unread.
async fn idler(url: &str, token: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(url.trim_start_matches("http://").parse().unwrap()).await.unwrap();
    let head = "GET /v1/notify/ws HTTP/1.1\r\nHost: notify\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let subscribe = json!({"type": "subscribe", "id": 1, "token": token}).to_string();
    stream.write_all(&frame(&subscribe)).await.unwrap();
    stream
}

/// Kilobytes that a process has in memory.
fn resident(program: &Program) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_cut_and_costs_no_memory_and_can_resume() {
    let test = TestDb::sqlite().await;
    let app = TestApp::start(&test).await;
    let more = [
        ("notify.client_bytes", "262144"),
        ("notify.client_messages", "128"),
        ("notify.history_size", "2000"),
    ];
    let program = app.program(&test, &more).await;
    let backend = Backend::new(&program.url);
    let token = backend.channel_token("a").await;
    let mut idlers = Vec::new();
    for _ in 0..20 {
        idlers.push(idler(&program.url, &token).await);
    }
    let mut reader = Socket::connect(&program.url).await;
    reader.subscribe(&json!({"token": token})).await;
    let metrics = async || program.internal.get("/metrics").await.expect(200).text();
    wait_until("all to have joined", || async {
        metrics().await.contains(r#"sealpost_notify_joins_total{outcome="joined",service="notify"} 21"#)
    })
    .await;
    let data = json!("x".repeat(30_000));
    // It keeps pace: what waits for it is no more than one at a time.
    let mut publish = async |offsets: std::ops::RangeInclusive<i64>| {
        for offset in offsets {
            backend.publish("a", &data).await;
            assert_eq!(reader.message().await.0, offset);
        }
    };
    // So much comes up anyway: buffers, caches of the database.
    publish(1..=20).await;
    let before = resident(&program);

    publish(21..=1000).await;

    // 30 MB for each of them were published; what may wait for each is half a megabyte.
    let grown = resident(&program) - before;
    assert!(grown < 40 * 1024, "{grown} kB more");
    let slow = r#"sealpost_notify_ended_total{reason="slow",service="notify"} 20"#;
    wait_until("all idlers to be cut", || async { metrics().await.contains(slow) }).await;
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(10), idlers.remove(0).read_to_end(&mut rest)).await;
    let told = String::from_utf8_lossy(&rest);
    assert!(told.contains(r#""type":"subscribed""#), "it got what came first");
    let mut again = Socket::connect(&program.url).await;
    let joined = again.subscribe(&json!({"token": token, "offset": 3})).await;
    assert_eq!(joined["recovered"], true);
    assert!(again.offsets(997).await.into_iter().eq(4..=1000));
    app.host.stop().await;
}
