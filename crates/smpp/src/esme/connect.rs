//! Getting a connection: TCP, and TLS over it where the settings say so.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{EsmeSettings, LinkError};
use crate::tls::ClientTls;

/// A connection to the SMSC.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects within [`EsmeSettings::connect_timeout`], the handshake included; with `tls` in place of the settings'.
pub(super) async fn connect(settings: &EsmeSettings, tls: Option<ClientTls>) -> Result<Stream, LinkError> {
    let connecting = async {
        let stream = tcp(settings).await.map_err(|error| LinkError::Connect(error.kind()))?;
        match &tls {
            None => Ok(Stream::Plain(stream)),
            Some(tls) => secure(tls, stream).await,
        }
    };
    match tokio::time::timeout(settings.connect_timeout, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(LinkError::Connect(io::ErrorKind::TimedOut)),
    }
}

async fn tcp(settings: &EsmeSettings) -> io::Result<TcpStream> {
    let addresses = tokio::net::lookup_host((settings.host.as_str(), settings.port)).await?;
    let stream = first_of(&addresses.collect::<Vec<_>>(), settings.connect_timeout).await?;
    // Our own batches are better than Nagle's.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects to the first address that answers. Each has its part of the time, so that one that is silent leaves some for
/// the others.
async fn first_of(addresses: &[SocketAddr], time: Duration) -> io::Result<TcpStream> {
    let each = time / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        last = match tokio::time::timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
    }
    Err(last)
}

async fn secure(tls: &ClientTls, stream: TcpStream) -> Result<Stream, LinkError> {
    let stream = tls.connect(stream).await.map_err(LinkError::Tls)?;
    Ok(Stream::Tls(Box::new(stream)))
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn an_address_that_is_silent_leaves_time_for_the_next() {
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = silent.listen(1).unwrap();
        let silent_address = silent.local_addr().unwrap();
        let mut queued = Vec::new();
        // Nobody accepts: once the backlog is full, the system answers nobody.
        while let Ok(connected) =
            tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(silent_address)).await
        {
            queued.push(connected.unwrap());
        }
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive_address = alive.local_addr().unwrap();

        let time = Duration::from_secs(1);
        let connected = first_of(&[silent_address, alive_address], time).await.unwrap();

        assert_eq!(connected.peer_addr().unwrap(), alive_address);
        let lost = first_of(&[silent_address], time).await.unwrap_err();
        assert_eq!(lost.kind(), io::ErrorKind::TimedOut);
        assert!(!queued.is_empty());
    }
}
