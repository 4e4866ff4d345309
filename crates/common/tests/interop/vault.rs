//! Vaults against `openssl pkcs12` and Java's `keytool`, both ways.

use std::fs;
use std::path::Path;

use common::crypto::sms_envelope::SealingKey;
use common::crypto::vault::{DEFAULT_BITS, Vault, VaultError, VaultFormat};
use common::models::UnixMillis;

use crate::program::{run, text};

pub(crate) const PASSWORD: &str = "123456";

fn made(format: VaultFormat) -> Vault {
    let mut vault = Vault::new(format);
    for client in ["test", "Acme", "Acme"] {
        vault.add(client, DEFAULT_BITS, UnixMillis(1_707_568_496_789)).unwrap();
    }
    vault
}

/// The public key of one of a client's keys, counted from the newest.
pub(crate) fn line(vault: &Vault, client: &str, index: usize) -> String {
    vault.keys(client)[index].sealing_key().unwrap().to_line().unwrap()
}

/// The public key that keytool exports for an alias.
pub(crate) fn exported(folder: &Path, store: &str, alias: &str) -> String {
    let pem = text(
        folder,
        &["keytool", "-exportcert", "-rfc", "-keystore", store, "-storepass", PASSWORD, "-alias", alias],
    );
    let key = run(folder, &["openssl", "x509", "-noout", "-pubkey"], pem.as_bytes());
    SealingKey::parse(&String::from_utf8(key).unwrap()).unwrap().to_line().unwrap()
}

/// Makes an RSA key with keytool.
pub(crate) fn generate(folder: &Path, store: &str, kind: &str, client: &str) {
    let name = format!("CN={client}");
    run(
        folder,
        &[
            "keytool",
            "-genkeypair",
            "-keystore",
            store,
            "-storetype",
            kind,
            "-storepass",
            PASSWORD,
            "-keypass",
            PASSWORD,
            "-alias",
            client,
            "-keyalg",
            "RSA",
            "-keysize",
            "2048",
            "-validity",
            "36500",
            "-dname",
            &name,
        ],
        b"",
    );
}

#[test]
fn openssl_lists_and_opens_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let vault = made(VaultFormat::Pkcs12);
    fs::write(folder.path().join("vault.p12"), vault.to_bytes(PASSWORD).unwrap()).unwrap();

    let listing = text(
        folder.path(),
        &["openssl", "pkcs12", "-in", "vault.p12", "-passin", "pass:123456", "-nodes", "-nocerts"],
    );

    for alias in ["test", "Acme", "Acme#2"] {
        assert!(listing.contains(&format!("friendlyName: {alias}\n")), "{alias}");
    }
    assert_eq!(listing.matches("-----BEGIN PRIVATE KEY-----").count(), 3);
    assert!(listing.contains("localKeyID: 54 69 6D 65 20"), "Java's form of the key's id");
}

#[test]
fn keytool_opens_what_we_write() {
    for format in [VaultFormat::Pkcs12, VaultFormat::Jks] {
        let folder = tempfile::tempdir().unwrap();
        let vault = made(format);
        fs::write(folder.path().join("store"), vault.to_bytes(PASSWORD).unwrap()).unwrap();

        let listing =
            text(folder.path(), &["keytool", "-list", "-v", "-keystore", "store", "-storepass", PASSWORD]);

        assert_eq!(listing.matches("Entry type: PrivateKeyEntry").count(), 3, "{listing}");
        assert!(listing.contains("Owner: CN=test\n") && listing.contains("SHA256withRSA"), "{listing}");
        assert_eq!(exported(folder.path(), "store", "test"), line(&vault, "test", 0));
        assert_eq!(exported(folder.path(), "store", "acme#2"), line(&vault, "Acme", 0));

        // Converting makes keytool decrypt every private key.
        run(
            folder.path(),
            &[
                "keytool",
                "-importkeystore",
                "-srckeystore",
                "store",
                "-srcstorepass",
                PASSWORD,
                "-destkeystore",
                "copy",
                "-deststoretype",
                "PKCS12",
                "-deststorepass",
                PASSWORD,
                "-noprompt",
            ],
            b"",
        );
        let copy = Vault::open(&fs::read(folder.path().join("copy")).unwrap(), PASSWORD).unwrap();
        assert_eq!(line(&copy, "test", 0), line(&vault, "test", 0));
    }
}

#[test]
fn we_open_what_keytool_writes() {
    for (kind, format) in [("PKCS12", VaultFormat::Pkcs12), ("JKS", VaultFormat::Jks)] {
        let folder = tempfile::tempdir().unwrap();
        for client in ["test", "ACME"] {
            generate(folder.path(), "store", kind, client);
        }

        let mut vault = Vault::open(&fs::read(folder.path().join("store")).unwrap(), PASSWORD).unwrap();

        assert_eq!((vault.format(), vault.aliases()), (format, vec!["acme", "test"]));
        assert_eq!(line(&vault, "Acme", 0), exported(folder.path(), "store", "acme"));

        // A key is added to Java's own file, and Java still reads all of it.
        vault.add("acme", DEFAULT_BITS, UnixMillis(0)).unwrap();
        fs::write(folder.path().join("store"), vault.to_bytes(PASSWORD).unwrap()).unwrap();
        assert_eq!(
            exported(folder.path(), "store", "acme#2"),
            line(&vault, "acme", 0),
            "the newest is first"
        );
        assert_eq!(exported(folder.path(), "store", "acme"), line(&vault, "acme", 1));
    }
}

#[test]
fn jceks_is_named_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), "store", "JCEKS", "test");

    let opened = Vault::open(&fs::read(folder.path().join("store")).unwrap(), PASSWORD);

    assert_eq!(opened.map(|_| ()), Err(VaultError::Jceks));
}

#[test]
fn a_file_with_certificates_is_read_but_not_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), "store", "PKCS12", "test");
    let pem = text(
        folder.path(),
        &["keytool", "-exportcert", "-rfc", "-keystore", "store", "-storepass", PASSWORD, "-alias", "test"],
    );
    run(
        folder.path(),
        &[
            "keytool",
            "-importcert",
            "-noprompt",
            "-keystore",
            "store",
            "-storepass",
            PASSWORD,
            "-alias",
            "other",
        ],
        pem.as_bytes(),
    );

    let vault = Vault::open(&fs::read(folder.path().join("store")).unwrap(), PASSWORD).unwrap();

    assert_eq!(vault.keys("test").len(), 1);
    assert_eq!(vault.to_bytes(PASSWORD), Err(VaultError::OtherEntries));
}

#[test]
fn old_forms_of_pkcs12_open() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(
        folder,
        &[
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old", "-keyout",
            "k.pem", "-out", "c.pem",
        ],
        b"",
    );
    run(
        folder,
        &[
            "openssl",
            "pkcs12",
            "-export",
            "-legacy",
            "-inkey",
            "k.pem",
            "-in",
            "c.pem",
            "-name",
            "old",
            "-passout",
            "pass:123456",
            "-out",
            "old.p12",
        ],
        b"",
    );

    let vault = Vault::open(&fs::read(folder.join("old.p12")).unwrap(), PASSWORD).unwrap();

    assert_eq!((vault.aliases(), vault.keys("OLD").len()), (vec!["old"], 1));
}

#[test]
fn the_vault_of_the_vectors_asks_for_its_password() {
    let file = include_bytes!("../vectors/sms-vault.p12");

    assert_eq!(Vault::open(file, "not the password").map(|_| ()), Err(VaultError::WrongPassword));
}
