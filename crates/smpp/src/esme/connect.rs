//! Getting a connection: TCP, and TLS over it where the settings say so.

use std::io;

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
    let stream = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
    // Our own batches are better than Nagle's.
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn secure(tls: &ClientTls, stream: TcpStream) -> Result<Stream, LinkError> {
    let stream = tls.connect(stream).await.map_err(LinkError::Tls)?;
    Ok(Stream::Tls(Box::new(stream)))
}
