//! A provider that answers, or does not, as a test says. It speaks HTTP/1.1 by hand, so that it can also speak it badly.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// What it does with a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers with a status, more header fields, and a body.
    Answer(u16, &'static str, String),
    /// Answers after a while.
    Late(Duration, Box<Act>),
    /// Says these octets and closes.
    Raw(Vec<u8>),
    /// Resets the connection.
    Reset,
    /// Says nothing.
    Silent,
}

impl Act {
    pub(crate) fn answer(status: u16, body: impl Into<String>) -> Self {
        Self::Answer(status, "", body.into())
    }
}

/// What it does with a connection before it reads of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    /// Resets it when a request has come, unread.
    Reset,
    /// Reads nothing and says nothing, not even TLS.
    Mute,
}

/// A request that it has read.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The request line.
    pub(crate) line: String,
    /// The header fields, names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What stands between the tags of an element.
    pub(crate) fn element(&self, name: &str) -> &str {
        let (_, rest) = self.body.split_once(&format!("<{name}>")).unwrap();
        rest.split_once(&format!("</{name}>")).unwrap().0
    }
}

type Script = dyn Fn(&Seen, usize) -> Act + Send + Sync;

#[derive(Default)]
struct Record {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

/// The provider; it ends when it is dropped.
pub(crate) struct Stub {
    pub(crate) port: u16,
    record: Arc<Record>,
    task: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// Starts one. The script gets each request and its number, from 1.
    pub(crate) async fn start(script: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static) -> Self {
        Self::with(0, Door::Open, None, script).await
    }

    /// One that lets no request in.
    pub(crate) async fn closed(door: Door) -> Self {
        Self::with(0, door, None, |_, _| Act::Silent).await
    }

    pub(crate) async fn with(
        port: u16,
        door: Door,
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let record = Arc::new(Record::default());
        let script: Arc<Script> = Arc::new(script);
        let task = tokio::spawn({
            let record = record.clone();
            async move {
                // Dropped with the listener, and so are the connections.
                let mut connections = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    record.connections.fetch_add(1, Ordering::SeqCst);
                    let (record, script, tls) = (record.clone(), script.clone(), tls.clone());
                    connections.spawn(async move {
                        // A connection that breaks is the gateway's affair.
                        let _ = match (door, tls) {
                            (Door::Reset, _) => {
                                // `readable` may say so too early, and the client would not have connected yet.
                                let _ = stream.peek(&mut [0]).await;
                                stream.set_zero_linger()
                            }
                            (Door::Mute, _) => {
                                std::future::pending::<()>().await;
                                drop(stream);
                                Ok(())
                            }
                            (Door::Open, None) => {
                                stream.set_zero_linger().unwrap();
                                serve(stream, &record, &*script).await
                            }
                            (Door::Open, Some(tls)) => match tls.accept(stream).await {
                                Ok(stream) => serve(stream, &record, &*script).await,
                                Err(error) => Err(error),
                            },
                        };
                    });
                }
            }
        });
        Self { port, record, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/submit", self.port)
    }

    /// The requests that it has read.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.record.seen.lock().unwrap().clone()
    }

    /// Connections that were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.record.connections.load(Ordering::SeqCst)
    }

    /// Requests that it had at the same time, at most.
    pub(crate) fn most_under_way(&self) -> usize {
        self.record.most_under_way.load(Ordering::SeqCst)
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    record: &Record,
    script: &Script,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read(&mut stream).await? {
        let number = {
            let mut all = record.seen.lock().unwrap();
            all.push(seen.clone());
            all.len()
        };
        let under_way = record.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        record.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        let goes_on = act(&mut stream, script(&seen, number), record).await?;
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

/// Does what it is told, and says whether the connection stays.
async fn act(stream: &mut (impl AsyncWrite + Unpin), mut act: Act, record: &Record) -> io::Result<bool> {
    while let Act::Late(wait, then) = act {
        sleep(wait).await;
        act = *then;
    }
    if !matches!(act, Act::Silent) {
        record.under_way.fetch_sub(1, Ordering::SeqCst);
    }
    match act {
        Act::Answer(status, headers, body) => {
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
            Ok(true)
        }
        Act::Raw(octets) => {
            stream.write_all(&octets).await?;
            stream.shutdown().await?;
            // What is not read yet would make a reset of the end.
            sleep(Duration::from_millis(50)).await;
            Ok(false)
        }
        Act::Silent => std::future::pending().await,
        Act::Reset | Act::Late(..) => Ok(false),
    }
}

async fn read(stream: &mut BufReader<impl AsyncRead + Unpin>) -> io::Result<Option<Seen>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut field = String::new();
        stream.read_line(&mut field).await?;
        let Some((name, value)) = field.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    let body = String::from_utf8(body).unwrap();
    Ok(Some(Seen { line: line.trim_end().to_owned(), headers, body }))
}

/// Keeps a port that nobody listens at until a stub does.
pub(crate) fn free_port() -> u16 {
    testkit::process::ports::free()
}
