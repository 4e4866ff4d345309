//! The listener of a broker that wants TLS and a password, and everything that a client needs for it.

use std::path::{Path, PathBuf};

use bus::{SecurityProtocol, SecuritySettings};
use common::crypto::Secret;

use crate::certificates::openssl;
use crate::process::InfraError;

/// Who may come in.
const USER: &str = "sealpost";
/// Its password; in no test's output.
const PASSWORD: &str = "scram-password-1618033988";

/// What the broker shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Signed by the authority of [`Secured::security`], for the listener's address.
    Sound,
    /// Signed by the same, for another name.
    Misnamed,
    /// Signed by nobody that a client trusts.
    Stranger,
}

impl Certificate {
    /// The stem of its files.
    fn stem(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Misnamed => "misnamed",
            Self::Stranger => "stranger",
        }
    }
}

/// A SASL_SSL listener on 127.0.0.1: SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN, with one user, who may do everything.
#[derive(Debug)]
pub struct Secured {
    port: u16,
    /// `none`, or `required`: whether a client has to show a certificate that the authority has signed.
    client_auth: &'static str,
    folder: PathBuf,
}

impl Secured {
    /// Makes the authorities and the certificates in `folder`, which is the broker's.
    pub(super) fn make(port: u16, client_auth: &'static str, folder: &Path) -> Result<Self, InfraError> {
        let secured = Self { port, client_auth, folder: folder.to_owned() };
        let authority = ["-CA", "authority.pem", "-CAkey", "authority.key"];
        openssl(folder, "authority", &["-subj", "/CN=authority"])?;
        openssl(folder, Certificate::Stranger.stem(), &["-subj", "/CN=stranger"])?;
        for (certificate, name) in
            [(Certificate::Sound, "IP:127.0.0.1"), (Certificate::Misnamed, "DNS:elsewhere.invalid")]
        {
            let named = ["-subj", "/CN=broker", "-addext", &format!("subjectAltName={name}")];
            openssl(folder, certificate.stem(), &[&named[..], &authority].concat())?;
        }
        openssl(folder, "client", &[&["-subj", "/CN=client"][..], &authority].concat())?;
        secured.present(Certificate::Sound)?;
        Ok(secured)
    }

    /// Lets the broker present this certificate from its next start on.
    ///
    /// # Errors
    /// [`InfraError::Io`] when its key store cannot be written.
    pub fn present(&self, certificate: Certificate) -> Result<(), InfraError> {
        let file = |kind| self.folder.join(format!("{}.{kind}", certificate.stem()));
        let read = |kind| std::fs::read_to_string(file(kind));
        // Kafka takes a key and its chain from one file.
        let join = || std::fs::write(self.folder.join("keystore.pem"), read("key")? + &read("pem")?);
        join().map_err(|error| InfraError::Io("keystore.pem", error))
    }

    /// Its address, `127.0.0.1:port`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What lets a client in, by SCRAM-SHA-512.
    #[must_use]
    pub fn security(&self) -> SecuritySettings {
        SecuritySettings {
            protocol: SecurityProtocol::SaslSsl,
            sasl_mechanism: Some("SCRAM-SHA-512".to_owned()),
            username: Some(USER.to_owned()),
            password: Some(Secret::new(PASSWORD.to_owned())),
            ca_file: Some(self.folder.join("authority.pem")),
            certificate_file: None,
            key_file: None,
        }
    }

    /// The same with a certificate of the client's own: one that the broker trusts (`"client"`), or that of a
    /// [`Certificate::Stranger`] (`"stranger"`).
    #[must_use]
    pub fn security_with(&self, certificate: &str) -> SecuritySettings {
        let file = |kind| Some(self.folder.join(format!("{certificate}.{kind}")));
        SecuritySettings { certificate_file: file("pem"), key_file: file("key"), ..self.security() }
    }

    /// What lets another user in, who has to have been made, and may do nothing but what was granted.
    #[must_use]
    pub fn security_of(&self, user: &str, password: &str) -> SecuritySettings {
        SecuritySettings {
            username: Some(user.to_owned()),
            password: Some(Secret::new(password.to_owned())),
            ..self.security()
        }
    }

    /// The password, to look for where it must not be.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Arguments of `StorageTool format` that make the user.
    pub(super) fn users(&self) -> Vec<String> {
        let user = |mechanism| format!("{mechanism}=[name={USER},password={PASSWORD}]");
        ["SCRAM-SHA-512", "SCRAM-SHA-256"].map(|one| ["--add-scram".to_owned(), user(one)]).concat()
    }

    /// The listener's address, as the broker's settings write it.
    pub(super) fn listener(&self) -> String {
        format!(",SASL_SSL://127.0.0.1:{}", self.port)
    }

    /// The broker's settings for this listener.
    pub(super) fn properties(&self) -> String {
        let (keystore, listener) = (self.folder.join("keystore.pem"), "listener.name.sasl_ssl");
        let authority = self.folder.join("authority.pem");
        let module = "sasl.jaas.config=org.apache.kafka.common.security";
        format!(
            "ssl.keystore.type=PEM
ssl.keystore.location={}
{listener}.ssl.truststore.type=PEM
{listener}.ssl.truststore.location={}
{listener}.ssl.client.auth={}
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{USER}
{listener}.scram-sha-512.{module}.scram.ScramLoginModule required;
{listener}.scram-sha-256.{module}.scram.ScramLoginModule required;
{listener}.plain.{module}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
",
            keystore.display(),
            authority.display(),
            self.client_auth
        )
    }
}
