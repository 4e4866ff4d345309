//! Load: so many clients, each with a connection that it keeps, each sending its next request when it has the answer
//! to its last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::error::BenchError;
use crate::http::Connection;

/// When a round ends.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After this time; what is under way is finished.
    Elapsed(Duration),
    /// After so many requests.
    Requests(u64),
}

/// What the clients ask for.
pub(crate) trait Traffic: Send + Sync + 'static {
    /// Writes request `number`, counted over all clients from 0, into the empty `out`.
    fn write(&self, client: usize, number: u64, out: &mut Vec<u8>);
}

/// What came of it.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    /// Requests answered 2xx; any other answer ends the bench.
    pub(crate) requests: u64,
    /// From the first request to the last answer.
    pub(crate) wall: Duration,
    /// Half of the answers came within this time.
    pub(crate) median: Duration,
    /// Of 100 answers 99 came within this time.
    pub(crate) p99: Duration,
}

impl Measured {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }
}

/// Runs the clients, all on one thread: more threads would take more from the cores that are measured.
///
/// # Errors
/// The first answer that is not 2xx, or a connection that fails.
pub(crate) async fn run(
    clients: usize,
    address: SocketAddr,
    until: Until,
    traffic: Arc<dyn Traffic>,
) -> Result<Measured, BenchError> {
    let running = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| BenchError::Io("a runtime for the load", error))?;
        runtime.block_on(load(clients, address, until, &*traffic))
    });
    running.await.map_err(|error| BenchError::of("the load", error))?
}

async fn load(
    clients: usize,
    address: SocketAddr,
    until: Until,
    traffic: &dyn Traffic,
) -> Result<Measured, BenchError> {
    let failed = |error| BenchError::Io("a client's connection", error);
    let connections = try_join_all((0..clients).map(|_| Connection::open(address))).await.map_err(failed)?;
    let counter = AtomicU64::new(0);
    let start = Instant::now();
    let work = connections.into_iter().enumerate().map(async |(client, mut connection)| {
        let (mut times, mut request) = (Vec::<u32>::new(), Vec::new());
        loop {
            let number = counter.fetch_add(1, Ordering::Relaxed);
            let over = match until {
                Until::Elapsed(limit) => start.elapsed() >= limit,
                Until::Requests(count) => number >= count,
            };
            if over {
                return Ok::<_, BenchError>(times);
            }
            request.clear();
            traffic.write(client, number, &mut request);
            let sent = Instant::now();
            connection.exchange(&request).await.map_err(failed)?.success("a request of the load")?;
            times.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    });
    let mut times: Vec<u32> = try_join_all(work).await?.concat();
    let wall = start.elapsed();
    times.sort_unstable();
    let at = |part: f64| {
        let place = (times.len() as f64 * part) as usize;
        times.get(place).map_or(Duration::ZERO, |&time| Duration::from_micros(time.into()))
    };
    Ok(Measured { requests: times.len() as u64, wall, median: at(0.5), p99: at(0.99) })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::http::write_request;

    struct Gets;

    impl Traffic for Gets {
        fn write(&self, _: usize, number: u64, out: &mut Vec<u8>) {
            write_request(out, &["GET /", &number.to_string()], &["Accept: */*"], b"");
        }
    }

    /// Answers `status` to everything.
    async fn server(status: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut input = [0; 1024];
                    while stream.read(&mut input).await.is_ok_and(|read| read > 0) {
                        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_counted_round_sends_so_many() {
        let address = server("200 OK").await;

        let measured = run(3, address, Until::Requests(50), Arc::new(Gets)).await.unwrap();

        assert_eq!(measured.requests, 50);
        assert!(measured.rate() > 0.0 && measured.median <= measured.p99);
    }

    #[tokio::test]
    async fn an_answer_that_is_no_success_ends_the_bench() {
        let address = server("503 Service Unavailable").await;

        let error = run(2, address, Until::Requests(50), Arc::new(Gets)).await.err().unwrap();

        assert!(error.to_string().contains("503"), "{error}");
    }
}
