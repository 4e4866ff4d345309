//! TLS towards a provider: verified, with the system's authorities or those of a file.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use smpp::tls::ServerTlsSettings;
use testkit::on_both;
use tokio_rustls::TlsAcceptor;

use super::stub::{Door, Stub};
use super::wasp;
use super::wasp::submitted;
use crate::binds::certify;
use crate::cases::{ACME, message};
use crate::harness::{Gateway, World};

fn acceptor(files: &ServerTlsSettings) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(&files.certificate_file).unwrap();
    let key = PrivateKeyDer::from_pem_file(&files.key_file).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

on_both! {
    async fn a_provider_that_nobody_vouches_for_gets_nothing(test: TestDb) {
        let world = World::new(Default::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let files = certify(folder.path());
        let stub = Stub::with(0, Door::Open, Some(acceptor(&files)), |_, _| submitted(0, "1", "")).await;
        let url = format!("https://127.0.0.1:{}/submit", stub.port);

        let gateway = Gateway::with(&world, &test, wasp(&world, std::slice::from_ref(&url))).await;
        gateway.request(&world.maker.request(ACME, "unverified", &message("hello"))).await;
        gateway.statuses("unverified", 1).await;
        assert_eq!(gateway.names("unverified"), ["FAILED"]);
        assert_eq!((stub.connections(), stub.seen().len()), (1, 0));
        gateway.stop().await;

        let mut settings = wasp(&world, &[url]);
        settings.wasp[0].connection.ca_file = Some(files.certificate_file);
        let gateway = Gateway::with(&world, &test, settings).await;
        gateway.request(&world.maker.request(ACME, "verified", &message("hello"))).await;
        gateway.statuses("verified", 1).await;
        assert_eq!((gateway.names("verified"), stub.seen().len()), (vec!["SENT".into()], 1));
        gateway.stop().await;
    }
}
