//! Certificates for the listeners of test servers, by OpenSSL's program.

use std::path::Path;
use std::process::Command;

use crate::process::{self, InfraError};

/// Makes `name.pem` and `name.key`: a certificate for 127.0.0.1 that has signed itself, and its key.
///
/// # Errors
/// [`InfraError`] when OpenSSL's program is missing, or refuses.
pub fn self_signed(folder: &Path, name: &str) -> Result<(), InfraError> {
    let subject = format!("/CN={name}");
    // Else it is a CA's, which no server may show as its own.
    let leaf = "basicConstraints=critical,CA:FALSE";
    openssl(folder, name, &["-subj", &subject, "-addext", "subjectAltName=IP:127.0.0.1", "-addext", leaf])
}

/// Makes `name.pem` and `name.key`: a certificate for a day and its key.
pub(crate) fn openssl(folder: &Path, name: &str, more: &[&str]) -> Result<(), InfraError> {
    let mut openssl = Command::new("openssl");
    openssl
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
        .args(more);
    process::complete("openssl req", &mut openssl)
}
