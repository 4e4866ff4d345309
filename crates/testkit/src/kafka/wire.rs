//! The two requests that the handle makes itself (<https://kafka.apache.org/protocol>): is it serving, make a topic.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::DEADLINE;

const METADATA: i16 = 3;
const CREATE_TOPICS: i16 = 19;
/// "Topic already exists".
const EXISTS: i16 = 36;
/// "Timed out", "too few brokers for the replicas", "not the controller": the only broker was stopped for so long that it
/// has to be let in again.
const PASSING: [i16; 3] = [7, 38, 41];

/// Whether the broker at this address answers a metadata request and lists a broker (itself). A broker that starts
/// listens before it does.
pub(super) async fn answers(address: &str) -> bool {
    let listed = async {
        // No topics; version 1 answers with the brokers first.
        let answer = call(address, METADATA, 1, &0_i32.to_be_bytes()).await?;
        number(&answer, 0).map(i32::from_be_bytes)
    };
    matches!(tokio::time::timeout(Duration::from_secs(1), listed).await, Ok(Ok(count)) if count > 0)
}

/// Makes a topic unless it exists.
pub(super) async fn create_topic(address: &str, name: &str, partitions: u16) -> io::Result<()> {
    let mut body = 1_i32.to_be_bytes().to_vec();
    put_text(&mut body, name);
    body.extend(i32::from(partitions).to_be_bytes());
    // One replica, no assignments and no settings of its own; 10 s to do it; not only a trial.
    body.extend([0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    body.extend(10_000_i32.to_be_bytes());
    body.push(0);
    let begun = Instant::now();
    loop {
        let answer = tokio::time::timeout(DEADLINE, call(address, CREATE_TOPICS, 2, &body)).await;
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        // Throttle time, count of topics, length of the name, the name, then its error.
        let code = answer.and_then(|answer| number(&answer, 10 + name.len()).map(i16::from_be_bytes));
        let (error, passes) = match code {
            Ok(0 | EXISTS) => return Ok(()),
            Ok(code) => {
                let refused = format!("Kafka refused to make topic {name}: error {code}");
                (io::Error::other(refused), PASSING.contains(&code))
            }
            Err(error) => (error, true),
        };
        if !passes || begun.elapsed() > DEADLINE {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sends one request and reads the body of its answer.
async fn call(address: &str, key: i16, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut request = [key.to_be_bytes(), version.to_be_bytes()].concat();
    request.extend(0_i32.to_be_bytes());
    put_text(&mut request, "testkit");
    request.extend(body);
    let length = i32::try_from(request.len()).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&request).await?;
    let length = usize::try_from(stream.read_i32().await?).map_err(io::Error::other)?;
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    // The correlation id.
    Ok(answer.split_off(4.min(length)))
}

fn put_text(request: &mut Vec<u8>, text: &str) {
    request.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    request.extend(text.as_bytes());
}

fn number<const N: usize>(answer: &[u8], at: usize) -> io::Result<[u8; N]> {
    let bytes = answer.get(at..at + N).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}
