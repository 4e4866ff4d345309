//! A CA, certificates of it, and a simulator that shows one.

use std::path::PathBuf;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use smpp::smsc::{Smsc, SmscSettings};
use smpp::tls::{ServerTlsSettings, TlsSettings};
use tempfile::TempDir;

use crate::harness;

/// Days for which a certificate is valid.
#[derive(Clone, Copy)]
pub(crate) enum Validity {
    Now,
    Past,
}

/// A folder with the certificate of a CA in it, and room for more.
pub(crate) struct Certificates {
    folder: TempDir,
    authority: X509,
    key: PKey<Private>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        Self::of("Test CA")
    }

    /// Makes another CA, perhaps of the same name.
    pub(crate) fn of(name: &str) -> Self {
        let key = new_key();
        let authority = certificate(name, &key, None, Validity::Now);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.to_pem().unwrap()).unwrap();
        Self { folder, authority, key }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a certificate for a name or address, and its key; gives the two files.
    pub(crate) fn issue(&self, name: &str, validity: Validity) -> (PathBuf, PathBuf) {
        let key = new_key();
        let certificate = certificate(name, &key, Some((&self.authority, &self.key)), validity);
        let (certificate_file, key_file) =
            (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        std::fs::write(&certificate_file, certificate.to_pem().unwrap()).unwrap();
        std::fs::write(&key_file, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        (certificate_file, key_file)
    }

    /// What an ESME is told that trusts this CA.
    pub(crate) fn trusting(&self) -> TlsSettings {
        TlsSettings { ca_file: Some(self.path("ca.pem")), ..TlsSettings::default() }
    }

    /// What a simulator is told that shows a certificate for that name.
    pub(crate) fn serving(&self, name: &str, validity: Validity) -> ServerTlsSettings {
        let (certificate_file, key_file) = self.issue(name, validity);
        ServerTlsSettings { certificate_file, key_file, client_ca_file: None }
    }

    /// What a simulator is told that shows the certificate of the CA itself.
    pub(crate) fn serving_itself(&self) -> ServerTlsSettings {
        let key_file = self.path("ca.key");
        std::fs::write(&key_file, self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        ServerTlsSettings { certificate_file: self.path("ca.pem"), key_file, client_ca_file: None }
    }

    /// A simulator that shows a certificate for that name.
    pub(crate) async fn smsc(&self, name: &str) -> Smsc {
        start(&self.serving(name, Validity::Now)).await
    }
}

/// A simulator over TLS.
pub(crate) async fn start(tls: &ServerTlsSettings) -> Smsc {
    harness::start(SmscSettings { tls: Some(tls.load().unwrap()), ..SmscSettings::default() }).await
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A certificate of a CA, or without one that of a CA.
fn certificate(
    name: &str,
    key: &PKey<Private>,
    issuer: Option<(&X509, &PKey<Private>)>,
    validity: Validity,
) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let ends = match validity {
        Validity::Now => now + 86_400,
        Validity::Past => now - 3600,
    };
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(127, openssl::bn::MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now - 86_400).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(ends).unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_pubkey(key).unwrap();
    match issuer {
        None => {
            builder.set_issuer_name(&subject).unwrap();
            builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
            builder.sign(key, MessageDigest::sha256()).unwrap();
        }
        Some((authority, authority_key)) => {
            builder.set_issuer_name(authority.subject_name()).unwrap();
            let mut names = SubjectAlternativeName::new();
            if name.parse::<std::net::IpAddr>().is_ok() {
                names.ip(name)
            } else {
                names.dns(name)
            };
            let names = names.build(&builder.x509v3_context(Some(authority), None)).unwrap();
            builder.append_extension(names).unwrap();
            builder.sign(authority_key, MessageDigest::sha256()).unwrap();
        }
    }
    builder.build()
}
