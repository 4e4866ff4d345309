//! TLS between the ESME and the simulator: real handshakes, and files that cannot be used.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use bytes::BytesMut;
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslVersion};
use smpp::codec::{BindResp, Body, CommandStatus, DEFAULT_MAX_FRAME, Pdu, split_frame};
use smpp::esme::{Esme, EsmeSettings, EsmeState, LinkError};
use smpp::smsc::{Behaviour, Receipts, Smsc};
use smpp::tls::{ServerTlsSettings, TlsError, TlsFailure, TlsSettings};

use crate::certificates::{Certificates, Validity, start};
use crate::harness::{Bound, settings, simulator, wait_counts, wait_state};

const HOST: &str = "127.0.0.1";

fn over_tls(smsc: &Smsc, tls: &TlsSettings) -> EsmeSettings {
    EsmeSettings { tls: Some(tls.load(HOST).unwrap()), ..settings(smsc.address()) }
}

/// Waits until the ESME says why it has no link.
async fn wait_failure(smsc: &Smsc, tls: &TlsSettings, expected: impl Fn(TlsFailure) -> bool) {
    let (esme, _events) = Esme::spawn(over_tls(smsc, tls));
    let failed = |state: &EsmeState| matches!(state, EsmeState::Waiting { error: LinkError::Tls(failure) } if expected(*failure));
    wait_state(&esme, failed).await;
    assert_eq!(esme.stats().binds, 0);
}

#[tokio::test]
async fn an_smsc_of_our_own_ca_is_accepted() {
    let place = Certificates::new();
    let smsc = place.smsc(HOST).await;
    smsc.behave(|behaviour| behaviour.receipts = Some(Receipts::default()));
    let mut bound = Bound::spawn(over_tls(&smsc, &place.trusting())).await;

    bound.submit([1]).await;

    assert_eq!(bound.response().await.status, CommandStatus::ROK);
    bound.delivery().await.answer(CommandStatus::ROK);
    wait_counts(&smsc, |counts| counts.delivered == 1).await;
}

#[tokio::test]
async fn a_link_over_tls_is_renewed_like_others() {
    let place = Certificates::new();
    let smsc = place.smsc(HOST).await;
    let mut bound = Bound::spawn(over_tls(&smsc, &place.trusting())).await;

    smsc.kill();
    smsc.revive().await.unwrap();
    bound.wait_bound().await;

    assert_eq!(bound.esme.stats().binds, 2);
}

#[tokio::test]
async fn an_smsc_of_an_unknown_ca_is_refused() {
    let ours = Certificates::of("Our CA");

    for theirs in ["Their CA", "Our CA"] {
        let smsc = Certificates::of(theirs).smsc(HOST).await;
        wait_failure(&smsc, &ours.trusting(), |failure| failure == TlsFailure::UnknownAuthority).await;
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_unless_that_name_is_expected() {
    let place = Certificates::new();
    let smsc = place.smsc("smsc.example").await;
    let named = TlsSettings { server_name: Some("smsc.example".into()), ..place.trusting() };

    wait_failure(&smsc, &place.trusting(), |failure| failure == TlsFailure::WrongName).await;
    Bound::spawn(over_tls(&smsc, &named)).await;
}

#[tokio::test]
async fn a_ca_that_shows_its_own_certificate_is_refused_with_the_reason() {
    let place = Certificates::new();
    let smsc = start(&place.serving_itself()).await;

    wait_failure(&smsc, &place.trusting(), |failure| failure == TlsFailure::IsAuthority).await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let place = Certificates::new();
    let smsc = start(&place.serving(HOST, Validity::Past)).await;

    wait_failure(&smsc, &place.trusting(), |failure| failure == TlsFailure::Expired).await;
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_wanted() {
    let (place, strangers) = (Certificates::new(), Certificates::new());
    let wanting = ServerTlsSettings {
        client_ca_file: Some(place.path("ca.pem")),
        ..place.serving(HOST, Validity::Now)
    };
    let smsc = start(&wanting).await;
    let showing = |(certificate, key)| TlsSettings {
        certificate_file: Some(certificate),
        key_file: Some(key),
        ..place.trusting()
    };
    let ours = showing(place.issue("esme.example", Validity::Now));
    let stranger = showing(strangers.issue("esme.example", Validity::Now));

    wait_failure(&smsc, &place.trusting(), |failure| failure == TlsFailure::CertificateWanted).await;
    wait_failure(&smsc, &stranger, |failure| matches!(failure, TlsFailure::Refused(_))).await;
    Bound::spawn(over_tls(&smsc, &ours)).await;
}

/// An SMSC over OpenSSL that speaks TLS 1.2 at most, and lets one ESME bind.
fn openssl_smsc(files: &ServerTlsSettings) -> (SocketAddr, JoinHandle<String>) {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    acceptor.set_certificate_chain_file(&files.certificate_file).unwrap();
    acceptor.set_private_key_file(&files.key_file, SslFiletype::PEM).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let mut stream = acceptor.accept(listener.accept().unwrap().0).unwrap();
        let mut inbox = [0; 1024];
        let count = stream.read(&mut inbox).unwrap();
        let frame = split_frame(&mut BytesMut::from(&inbox[..count]), DEFAULT_MAX_FRAME).unwrap().unwrap();
        let bind = Pdu::decode(&frame).unwrap();
        let mut answer = Vec::new();
        Pdu::ok(bind.sequence, Body::BindTransceiverResp(BindResp::default())).encode(&mut answer).unwrap();
        stream.write_all(&answer).unwrap();
        // Until the ESME goes.
        while stream.read(&mut inbox).is_ok_and(|count| count > 0) {}
        stream.ssl().version_str().to_owned()
    });
    (address, serving)
}

#[tokio::test]
async fn an_smsc_of_another_library_with_tls_1_2_is_accepted() {
    let place = Certificates::new();
    let (address, serving) = openssl_smsc(&place.serving(HOST, Validity::Now));
    let tls = Some(place.trusting().load(HOST).unwrap());

    let bound = Bound::spawn(EsmeSettings { tls, ..settings(address) }).await;

    drop(bound);
    let version = tokio::task::spawn_blocking(|| serving.join().unwrap()).await.unwrap();
    assert_eq!(version, "TLSv1.2");
}

#[tokio::test]
async fn an_smsc_without_tls_is_told_from_one_that_is_refused() {
    let place = Certificates::new();
    let smsc = simulator(Behaviour::default()).await;

    wait_failure(&smsc, &place.trusting(), |failure| failure == TlsFailure::NotTls).await;
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let place = Certificates::new();
    let (certificate, key) = place.issue("a", Validity::Now);
    let (_, other_key) = place.issue("b", Validity::Now);
    let (missing, junk) = (place.path("missing"), place.path("junk"));
    std::fs::write(&junk, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let with_ca = |file| TlsSettings { ca_file: Some(file), ..TlsSettings::default() };
    let with_identity =
        |certificate_file, key_file| TlsSettings { certificate_file, key_file, ..place.trusting() };
    let cases = [
        (with_ca(missing.clone()), "missing: No such file"),
        (with_ca(junk), "junk: broken PEM"),
        (with_ca(key.clone()), "a.key: holds no certificate"),
        (
            with_identity(Some(certificate.clone()), Some(certificate.clone())),
            "a.pem: holds no unencrypted private key",
        ),
        (with_identity(Some(certificate.clone()), Some(missing)), "missing: No such file"),
        (with_identity(Some(certificate.clone()), None), "a.pem: a client certificate goes with its key"),
        (with_identity(None, Some(key)), "a.key: a client certificate goes with its key"),
        (with_identity(Some(certificate), Some(other_key)), "a.pem and "),
    ];

    for (settings, said) in cases {
        let error = settings.load(HOST).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_name_that_cannot_be_verified_is_refused_at_once() {
    let place = Certificates::new();

    let error = place.trusting().load("not a name").unwrap_err();

    assert!(matches!(error, TlsError::ServerName(name) if name == "not a name"));
    assert!(place.trusting().load("2001:db8::1").is_ok());
}
