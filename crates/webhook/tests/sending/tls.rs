//! A receiver behind a certificate is called if it is of an authority that the operator named, and else not.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use common::models::UnixMillis;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;
use webhook::{DeliverySettings, Message, Sender, Target, Verdict};

/// Makes a key and a certificate for an address, which is its own authority.
fn certify(folder: &Path, address: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-keyout", "key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=receiver"])
        .args(["-addext", &format!("subjectAltName=IP:{address}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// Answers whoever trusts it with 204; gives the port.
async fn receiver(folder: &Path) -> u16 {
    let chain = vec![CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let (listener, acceptor) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TlsAcceptor::from(Arc::new(config)));
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    port
}

async fn send(port: u16, authority: &Path) -> Verdict {
    let url = Url::parse(&format!("https://127.0.0.1:{port}/hook")).unwrap();
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
    let target = Target::new("team", &url, &[secret], false).unwrap();
    let settings =
        DeliverySettings { ca_file: Some(authority.join("ca.pem")), ..DeliverySettings::default() };
    let sender = Sender::new(&settings, std::slice::from_ref(&target)).unwrap();
    sender
        .send(&target, Message { id: "evt_1".to_owned(), body: b"{}".to_vec(), trace: None }, UnixMillis(0))
        .await
}

#[tokio::test]
async fn only_a_certificate_of_a_named_authority_and_for_the_address_is_trusted() {
    let (own, other, elsewhere) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certify(own.path(), "127.0.0.1");
    certify(other.path(), "127.0.0.1");
    certify(elsewhere.path(), "127.0.0.2");
    let (port, wrong) = (receiver(own.path()).await, receiver(elsewhere.path()).await);

    assert_eq!(send(port, own.path()).await, Verdict::Taken);
    assert_eq!(send(port, other.path()).await, Verdict::Later(None), "another authority");
    assert_eq!(send(wrong, elsewhere.path()).await, Verdict::Later(None), "another address");
}
