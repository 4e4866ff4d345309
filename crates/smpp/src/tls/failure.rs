//! What goes wrong in a handshake, in the words of who must mend it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// Why there is no TLS session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// No CA that is trusted here stands behind the peer's certificate.
    #[error("the peer's certificate is not from a CA that is trusted here")]
    UnknownAuthority,
    /// The peer's certificate is for another name.
    #[error("the peer's certificate is for another name")]
    WrongName,
    /// The peer's certificate has expired, or is not valid yet.
    #[error("the peer's certificate has expired, or is not valid yet")]
    Expired,
    /// The peer shows the certificate of a CA, such as `openssl req -x509` makes by default, as its own.
    #[error(
        "the peer shows the certificate of a CA as its own: \
         it needs one of its own from that CA, or one with basicConstraints=CA:FALSE"
    )]
    IsAuthority,
    /// The peer's certificate cannot be accepted for another reason.
    #[error("the peer's certificate cannot be accepted")]
    BadCertificate,
    /// The peer wants a certificate from us.
    #[error("the peer wants a client certificate")]
    CertificateWanted,
    /// The peer refuses: our certificate, our versions, the name we asked for.
    #[error("the peer refuses: {0:?}")]
    Refused(AlertDescription),
    /// What the peer says is not TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// The connection ended in the handshake; a peer that does not speak TLS often does that.
    #[error("the connection ended in the handshake")]
    Interrupted,
    /// The two sides cannot agree, or the peer broke the protocol.
    #[error("the two sides cannot agree")]
    Protocol,
}

impl TlsFailure {
    /// Finds the failure in an error of a TLS stream; `None` when TLS is not to blame. With TLS 1.3 a client learns from
    /// its first read that its certificate was refused.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Error>().map(Self::of_tls)
    }

    fn of_tls(error: &Error) -> Self {
        match error {
            // A bad signature is that of another CA of the same name, such as one whose key was renewed.
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                Self::UnknownAuthority
            }
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::WrongName,
            Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::Expired,
            // A reason of the verifier's own, whose type is not ours to name.
            Error::InvalidCertificate(CertificateError::Other(reason))
                if format!("{reason:?}").contains("CaUsedAsEndEntity") =>
            {
                Self::IsAuthority
            }
            Error::InvalidCertificate(_) => Self::BadCertificate,
            Error::AlertReceived(AlertDescription::CertificateRequired) => Self::CertificateWanted,
            Error::AlertReceived(alert) => Self::Refused(*alert),
            Error::InvalidMessage(_) => Self::NotTls,
            _ => Self::Protocol,
        }
    }
}
