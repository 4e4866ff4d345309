//! From a plain port on loopback into TLS: lets clients that know no TLS come to nginx as those do that do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// A tunnel, until it is dropped.
pub(crate) struct Tunnel {
    /// Where it begins.
    pub(crate) url: String,
    running: JoinHandle<()>,
}

impl Tunnel {
    /// Opens one to `server`, which has to show the certificate in the file `trusted`. Comes from `source`.
    pub(crate) async fn open(server: SocketAddr, trusted: &Path, source: Ipv4Addr) -> Self {
        // Another part of the process may have installed it already: the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let running = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, tls.clone(), server, source));
            }
        });
        Self { url, running }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Carries one connection. Its failure is seen by the client, as an end without an answer.
async fn carry(mut client: TcpStream, tls: TlsConnector, server: SocketAddr, source: Ipv4Addr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(source), 0)).unwrap();
    let connected = socket.connect(server).await.unwrap();
    let name = ServerName::IpAddress(server.ip().into());
    let mut server = tls.connect(name, connected).await.expect("a certificate that is trusted");
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
