//! An HTTP listener that answers 200 to everything and remembers what it was asked: where others call back to.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The listener; gone when dropped.
#[derive(Debug)]
pub struct Calls {
    base: String,
    seen: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Calls {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let seen = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&seen)));
        Ok(Self { base, seen, serving })
    }

    /// Its address, `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Path and query of every request so far, in the order of their arrival.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        // A caller that goes away half-way has not called.
        if let Ok(target) = answer(stream).await {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(target);
        }
    }
}

/// Reads one request without a body; gives its target.
async fn answer(stream: TcpStream) -> std::io::Result<String> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 && !line.trim_end().is_empty() {
        line.clear();
    }
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    Ok(first.split(' ').nth(1).unwrap_or_default().to_owned())
}
