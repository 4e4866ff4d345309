//! The SMS envelope against the `openssl` program and messages of the known clients.

use std::fs;

use common::crypto::sms_envelope::{OpenError, SealingKey, decode_payload, encode_payload, open_v1, seal_v1};
use common::crypto::vault::{DEFAULT_BITS, Vault, VaultFormat};
use common::models::UnixMillis;
use serde::Deserialize;

use crate::program::{run, text};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Vector {
    client_id: String,
    payload: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../vectors/sms-v1.json")).unwrap()
}

fn public_key(client: &str) -> SealingKey {
    SealingKey::parse(match client {
        "test" => include_str!("../vectors/sms-test.pub.pem"),
        "acme" => include_str!("../vectors/sms-acme.pub.pem"),
        "big" => include_str!("../vectors/sms-big.pub.pem"),
        other => panic!("no public key of {other}"),
    })
    .unwrap()
}

/// A vault with one client `test`, and that client's keys as files for the programs.
fn client(folder: &std::path::Path) -> Vault {
    let mut vault = Vault::new(VaultFormat::Pkcs12);
    vault.add("test", DEFAULT_BITS, UnixMillis(1)).unwrap();
    fs::write(folder.join("vault.p12"), vault.to_bytes("secret").unwrap()).unwrap();
    fs::write(folder.join("key.pub"), vault.sealing_key("test").unwrap().to_line().unwrap()).unwrap();
    run(
        folder,
        &[
            "openssl",
            "pkcs12",
            "-in",
            "vault.p12",
            "-passin",
            "pass:secret",
            "-nodes",
            "-nocerts",
            "-out",
            "key.pem",
        ],
        b"",
    );
    vault
}

#[test]
fn messages_of_known_clients_have_our_layout() {
    for vector in vectors() {
        let theirs = decode_payload(&vector.payload).unwrap();
        let ours = seal_v1(&public_key(&vector.client_id), b"x").unwrap();

        assert_eq!(theirs[..4], ours[..4], "same magic and length of wrapped key for {}", vector.client_id);
        let wrapped = usize::from(u16::from_be_bytes([theirs[2], theirs[3]]) & 0x3fff);
        assert!((theirs.len() - 4 - wrapped).is_multiple_of(16) && theirs.len() > 4 + wrapped);
        assert_eq!(encode_payload(&theirs), vector.payload);
    }
}

#[test]
fn messages_to_others_do_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let key = client(folder.path()).keys("test").remove(0);

    for vector in vectors() {
        let opened = open_v1(&key, &decode_payload(&vector.payload).unwrap());
        assert_eq!(opened, Err(OpenError::WrongKey), "{}", vector.client_id);
    }
}

#[test]
fn the_openssl_program_opens_what_we_seal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let vault = client(folder);
    let message = "To: +255123456789\nSender: TEST\n\nHello, \u{645}\u{631}\u{62d}\u{628}\u{627}".as_bytes();

    let envelope = seal_v1(&vault.sealing_key("test").unwrap(), message).unwrap();

    let (wrapped, body) = envelope[4..].split_at(256);
    let aes_key = run(
        folder,
        &[
            "openssl",
            "pkeyutl",
            "-decrypt",
            "-inkey",
            "key.pem",
            "-pkeyopt",
            "rsa_padding_mode:oaep",
            "-pkeyopt",
            "rsa_oaep_md:sha256",
            "-pkeyopt",
            "rsa_mgf1_md:sha256",
        ],
        wrapped,
    );
    let iv = run(folder, &["openssl", "dgst", "-md5", "-binary"], &aes_key);
    let (aes_key, iv) = (hex::encode(aes_key), hex::encode(iv));
    let padded =
        run(folder, &["openssl", "enc", "-d", "-aes-256-cfb", "-nosalt", "-K", &aes_key, "-iv", &iv], body);
    let added = usize::from(*padded.last().unwrap());
    assert_eq!(&padded[..padded.len() - added], message);
    assert_eq!(padded[padded.len() - added..], vec![added as u8; added]);
}

#[test]
fn we_open_what_the_openssl_program_seals() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let vault = client(folder);
    let message = b"To: +255123456789\nSender: TEST\n\nsixteen octets..".to_vec();

    let aes_key = run(folder, &["openssl", "rand", "32"], b"");
    let iv = run(folder, &["openssl", "dgst", "-md5", "-binary"], &aes_key);
    run(folder, &["openssl", "base64", "-d", "-A", "-in", "key.pub", "-out", "key.der"], b"");
    let wrapped = run(
        folder,
        &[
            "openssl",
            "pkeyutl",
            "-encrypt",
            "-pubin",
            "-keyform",
            "DER",
            "-inkey",
            "key.der",
            "-pkeyopt",
            "rsa_padding_mode:oaep",
            "-pkeyopt",
            "rsa_oaep_md:sha256",
            "-pkeyopt",
            "rsa_mgf1_md:sha256",
        ],
        &aes_key,
    );
    let added = 16 - message.len() % 16;
    let padded = [message.clone(), vec![added as u8; added]].concat();
    let (key, iv) = (hex::encode(&aes_key), hex::encode(iv));
    let body = run(folder, &["openssl", "enc", "-aes-256-cfb", "-nosalt", "-K", &key, "-iv", &iv], &padded);
    let envelope = [&[0x10, 0xd0, 0x81, 0x00], &wrapped[..], &body].concat();

    let mut opener = vault.keys("test")[0].opener().unwrap();
    for _ in 0..2 {
        assert_eq!(opener.open_v1(&envelope).unwrap().to_vec(), message);
    }
}

#[test]
fn public_keys_are_read_in_every_form_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let vault = client(folder.path());
    let line = vault.sealing_key("test").unwrap().to_line().unwrap();

    let pem = text(folder.path(), &["openssl", "pkey", "-in", "key.pem", "-pubout"]);

    assert!(!line.contains('\n'));
    for form in [line.clone(), format!("{line}\n"), pem] {
        assert_eq!(SealingKey::parse(&form).unwrap().to_line().unwrap(), line);
    }
}
