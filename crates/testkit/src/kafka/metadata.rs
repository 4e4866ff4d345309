//! The one request that tells a broker which serves from one that only listens.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Length 19, key 3 (Metadata), version 1, correlation id 0, client id "infra", no topics
/// (<https://kafka.apache.org/protocol>).
const REQUEST: [u8; 23] = *b"\0\0\0\x13\0\x03\0\x01\0\0\0\0\0\x05infra\0\0\0\0";

/// Whether the broker on this loopback port answers a metadata request and lists a broker (itself).
pub(super) async fn answers(port: u16) -> bool {
    let listed = tokio::time::timeout(Duration::from_secs(1), brokers(port)).await;
    matches!(listed, Ok(Ok(count)) if count > 0)
}

async fn brokers(port: u16) -> std::io::Result<i32> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(&REQUEST).await?;
    let _length = stream.read_i32().await?;
    let _correlation = stream.read_i32().await?;
    stream.read_i32().await
}
