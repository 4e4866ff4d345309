//! X25519 keys in vaults against `openssl` and Java's `keytool`, both ways.

use std::fs;
use std::path::Path;

use common::crypto::sms_envelope::{KeyKind, SealingKey};
use common::crypto::vault::{DEFAULT_BITS, Vault, VaultFormat};
use common::models::UnixMillis;

use crate::program::{run, text};
use crate::vault::{PASSWORD, exported, generate, line};

/// Makes a key with keytool that cannot sign its own certificate; `signer` does.
fn generate_x25519(folder: &Path, store: &str, (client, signer): (&str, &str)) {
    let name = format!("CN={client}");
    let line = ["keytool", "-genkeypair", "-keystore", store, "-storepass", PASSWORD, "-keyalg", "X25519"];
    let rest = ["-alias", client, "-signer", signer, "-validity", "36500", "-dname", &name];
    run(folder, &[line.as_slice(), &rest].concat(), b"");
}

#[test]
fn keytool_and_openssl_read_our_x25519_keys() {
    for format in [VaultFormat::Pkcs12, VaultFormat::Jks] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut vault = Vault::new(format);
        vault.add("acme", DEFAULT_BITS, UnixMillis(1_707_568_496_789)).unwrap();
        vault.add_x25519("acme", UnixMillis(1_707_568_496_790)).unwrap();
        fs::write(folder.join("store"), vault.to_bytes(PASSWORD).unwrap()).unwrap();

        let listing = text(folder, &["keytool", "-list", "-v", "-keystore", "store", "-storepass", PASSWORD]);
        let converted = [
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
        ];
        run(folder, &converted, b"");
        let pem = ["openssl", "pkcs12", "-in", "copy", "-passin", "pass:123456", "-nodes", "-nocerts"];
        let pem = text(folder, &pem);

        assert_eq!(listing.matches("Entry type: PrivateKeyEntry").count(), 2, "{listing}");
        assert!(listing.contains("XDH") || listing.contains("X25519"), "{listing}");
        let x25519 = line(&vault, "acme", 0);
        assert_eq!(exported(folder, "store", "acme#2"), x25519, "{format:?}");
        let block = pem.split("friendlyName: acme#2").nth(1).unwrap();
        let public = run(folder, &["openssl", "pkey", "-pubout"], block.as_bytes());
        let public = SealingKey::parse(&String::from_utf8(public).unwrap()).unwrap();
        assert_eq!((public.kind(), public.to_line().unwrap()), (KeyKind::X25519, x25519), "{format:?}");
        let copy = Vault::open(&fs::read(folder.join("copy")).unwrap(), PASSWORD).unwrap();
        assert_eq!(line(&copy, "acme", 0), line(&vault, "acme", 0), "as Java wrote it again");
    }
}

#[test]
fn we_open_x25519_keys_of_keytool_and_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    generate(folder, "store", "PKCS12", "ca");
    generate_x25519(folder, "store", ("acme", "ca"));
    run(folder, &["openssl", "genpkey", "-algorithm", "X25519", "-outform", "DER", "-out", "key"], b"");

    let mut vault = Vault::open(&fs::read(folder.join("store")).unwrap(), PASSWORD).unwrap();
    vault.import("acme", &fs::read(folder.join("key")).unwrap(), UnixMillis(0)).unwrap();

    let der = run(folder, &["openssl", "pkey", "-inform", "DER", "-in", "key", "-pubout"], b"");
    let of_openssl = SealingKey::parse(&String::from_utf8(der).unwrap()).unwrap();
    assert_eq!(line(&vault, "acme", 0), of_openssl.to_line().unwrap());
    assert_eq!(line(&vault, "acme", 1), exported(folder, "store", "acme"));
    assert!(vault.keys("acme").iter().all(|key| key.kind() == KeyKind::X25519));
}
