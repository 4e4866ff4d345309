//! An answer to a body that is not read reaches who sends it.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use web::HttpSettings;

use crate::{
    harness::{DEADLINE, Host, settings},
    toy::toy,
};

/// More than the buffers of both sides hold.
const LARGE: usize = 32 * 1024 * 1024;

/// Begins a request with a body of so many bytes, of which `/v1/small` takes 64.
async fn begin(host: &Host, length: usize) -> TcpStream {
    let mut client = TcpStream::connect(host.http).await.unwrap();
    let head = format!(
        "POST /v1/small HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_gets_the_refusal() {
    // So that a busy machine gets to send all of it.
    let linger = 3 * DEADLINE;
    let host = Host::start_with(&HttpSettings { linger, ..settings() }, [toy().0]);
    let mut client = begin(&host, LARGE).await;

    timeout(DEADLINE, client.write_all(&vec![b'x'; LARGE])).await.unwrap().expect("a connection that stays");

    let mut answer = String::new();
    while !answer.ends_with('}') {
        let mut read = [0; 1024];
        let count = timeout(DEADLINE, client.read(&mut read)).await.unwrap().expect("the answer");
        assert!(count > 0, "an end after {answer:?}");
        answer.push_str(std::str::from_utf8(&read[..count]).unwrap());
    }
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("connection: close") && answer.contains("urn:problem:too-large"), "{answer}");
    drop(client);
    host.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_on_and_on_is_cut_off() {
    let linger = Duration::from_millis(1200);
    let host = Host::start_with(&HttpSettings { linger, ..settings() }, [toy().0]);
    let (begun, chunk) = (Instant::now(), [b'x'; 1024]);
    let mut client = begin(&host, usize::MAX / 2).await;

    let sending = async { while client.write_all(&chunk).await.is_ok() {} };

    timeout(DEADLINE, sending).await.expect("an end");
    // The clock of actix is up to half a second behind.
    assert!(begun.elapsed() >= linger - Duration::from_millis(500), "{:?}", begun.elapsed());
    host.stop().await;
}
