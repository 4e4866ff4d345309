use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use super::*;
use crate::crypto::sms_envelope::{Binding, decode_payload, seal};
use crate::models::UnixMillis;

const PASSWORD: &str = "correct horse";

fn made(format: VaultFormat, clients: &[&str]) -> Vault {
    let mut vault = Vault::new(format);
    for client in clients {
        vault.add(client, DEFAULT_BITS, UnixMillis(1_700_000_000_000)).unwrap();
    }
    vault
}

/// A key whose private half is in `proto/sms/envelope-v2.json`.
fn published() -> Vec<u8> {
    let vectors = include_str!("../../../../../proto/sms/envelope-v2.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    decode_payload(vectors["recipient"]["pkcs8"].as_str().unwrap()).unwrap()
}

fn lines(vault: &Vault, client: &str) -> Vec<String> {
    vault.keys(client).iter().map(|key| key.sealing_key().unwrap().to_line().unwrap()).collect()
}

#[test]
fn both_formats_give_back_what_was_added() {
    for format in [VaultFormat::Pkcs12, VaultFormat::Jks] {
        let vault = made(format, &["test", "acme", "acme"]);

        let read = Vault::open(&vault.to_bytes(PASSWORD).unwrap(), PASSWORD).unwrap();

        assert_eq!(read.format(), format);
        assert_eq!(read.aliases(), ["acme", "acme#2", "test"]);
        assert_eq!(lines(&read, "acme"), lines(&vault, "acme"), "{format:?}");
        assert_eq!(lines(&read, "test"), lines(&vault, "test"), "{format:?}");
    }
}

#[test]
fn a_clients_newest_key_comes_first() {
    let mut vault = made(VaultFormat::Pkcs12, &["acme"]);
    let old = lines(&vault, "acme");

    assert_eq!(vault.add("ACME", DEFAULT_BITS, UnixMillis(0)).unwrap(), "ACME#2");

    let both = lines(&vault, "Acme");
    assert_eq!((both.len(), &both[1]), (2, &old[0]));
    assert_eq!(vault.sealing_key("acme").unwrap().to_line().unwrap(), both[0]);
    assert!(both[0].starts_with("MIIBIjAN") && both[0].len() == 392, "{}", both[0]);
}

#[test]
fn clients_do_not_get_each_others_keys() {
    let vault = made(VaultFormat::Pkcs12, &["acme"]);

    for client in ["", "acm", "acme2", "acme#1", "#", "other"] {
        assert!(vault.keys(client).is_empty(), "{client}");
    }
    assert_eq!(vault.sealing_key("other").map(|_| ()), Err(VaultError::NoSuchKey));
}

#[test]
fn wrong_passwords_and_foreign_files_are_refused() {
    for format in [VaultFormat::Pkcs12, VaultFormat::Jks] {
        let file = made(format, &["test"]).to_bytes(PASSWORD).unwrap();

        assert_eq!(Vault::open(&file, "wrong one").map(|_| ()), Err(VaultError::WrongPassword));
        assert!(Vault::open(&file[..file.len() / 2], PASSWORD).is_err());
    }
    assert_eq!(Vault::open(b"", PASSWORD).map(|_| ()), Err(VaultError::Unreadable));
    assert_eq!(Vault::open(&JCEKS_MAGIC, PASSWORD).map(|_| ()), Err(VaultError::Jceks));
}

#[test]
fn a_damaged_jks_file_is_not_even_parsed() {
    let mut vault = Vault::new(VaultFormat::Jks);
    vault.add_x25519("acme", UnixMillis(1)).unwrap();
    let file = vault.to_bytes(PASSWORD).unwrap();

    for at in 4..file.len() {
        let mut damaged = file.clone();
        // A count of which the highest bit is set asks for memory that nobody has.
        damaged[at] ^= 0x80;
        assert_eq!(Vault::open(&damaged, PASSWORD).map(|_| ()), Err(VaultError::WrongPassword), "{at}");
    }
}

#[test]
fn bad_aliases_and_keys_are_refused() {
    let mut vault = Vault::new(VaultFormat::Pkcs12);

    for client in ["", "acme#2", "a\nb", "\u{1f600}"] {
        assert_eq!(vault.add(client, DEFAULT_BITS, UnixMillis(0)), Err(VaultError::BadAlias), "{client:?}");
    }
    assert_eq!(vault.add("acme", 1024, UnixMillis(0)), Err(VaultError::BadKey));
    assert_eq!(vault.import("acme", b"junk", UnixMillis(0)), Err(VaultError::BadKey));
    assert!(vault.aliases().is_empty());
}

#[test]
fn an_imported_key_keeps_its_public_half() {
    let key = PKey::from_rsa(Rsa::generate(DEFAULT_BITS).unwrap()).unwrap();
    let mut vault = Vault::new(VaultFormat::Pkcs12);

    vault.import("clinic-ä", &key.private_key_to_pkcs8().unwrap(), UnixMillis(5)).unwrap();

    let read = Vault::open(&vault.to_bytes(PASSWORD).unwrap(), PASSWORD).unwrap();
    let expected = SealingKey::from_der(&key.public_key_to_der().unwrap()).unwrap();
    assert_eq!(read.sealing_key("Clinic-Ä").unwrap().to_line().unwrap(), expected.to_line().unwrap());
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", made(VaultFormat::Pkcs12, &["test"])), "Vault(Pkcs12, 1 keys)");
}

#[test]
fn merging_takes_what_is_not_there_and_keeps_the_order_of_ages() {
    let mut ours = made(VaultFormat::Pkcs12, &["acme"]);
    let own = lines(&ours, "acme");
    let mut theirs = Vault::new(VaultFormat::Jks);
    for client in ["acme", "acme", "test"] {
        theirs.add(client, DEFAULT_BITS, UnixMillis(1_800_000_000_000)).unwrap();
    }
    let foreign = lines(&theirs, "acme");
    let now = UnixMillis(1_900_000_000_000);

    assert_eq!(ours.merge(&theirs, Some("acme"), now).unwrap(), ["acme#2", "acme#3"]);
    assert_eq!(ours.merge(&theirs, None, now).unwrap(), ["test"]);
    assert!(ours.merge(&theirs, None, now).unwrap().is_empty(), "nothing is taken twice");
    assert_eq!(ours.merge(&theirs, Some("other"), now), Err(VaultError::NoSuchKey));

    let read = Vault::open(&ours.to_bytes(PASSWORD).unwrap(), PASSWORD).unwrap();
    assert_eq!(read.aliases(), ["acme", "acme#2", "acme#3", "test"]);
    let all: Vec<String> = lines(&read, "acme");
    assert_eq!(all.len(), 3);
    assert_eq!(all[2], own[0], "ours is the oldest");
    assert_eq!(all[..2], foreign);
}

#[test]
fn a_client_may_have_keys_of_both_kinds() {
    for format in [VaultFormat::Pkcs12, VaultFormat::Jks] {
        let mut vault = made(format, &["acme"]);
        let rsa = vault.sealing_key("acme").unwrap();

        assert_eq!(vault.add_x25519("acme", UnixMillis(1_800_000_000_000)).unwrap(), "acme#2");

        let read = Vault::open(&vault.to_bytes(PASSWORD).unwrap(), PASSWORD).unwrap();
        let newest = read.sealing_key("acme").unwrap();
        assert_eq!(newest.kind(), KeyKind::X25519);
        let of = |kind| read.sealing_key_of("acme", kind).unwrap().to_line().unwrap();
        assert_eq!(of(KeyKind::Rsa), rsa.to_line().unwrap());
        assert_eq!(of(KeyKind::X25519), newest.to_line().unwrap());

        let binding = Binding { client_id: "acme", correl_id: "C1", deadline: "2100-01-01T00:00:00Z" };
        let mut opener = read.opener("ACME").unwrap();
        for key in [rsa, newest] {
            let envelope = seal(&key, &binding, b"hello").unwrap();
            assert_eq!(opener.open(&envelope, &binding).unwrap().as_slice(), b"hello", "{key:?}");
        }
        assert!(read.opener("other").is_none());
    }
}

#[test]
fn entries_tell_kind_size_and_age() {
    let mut vault = made(VaultFormat::Pkcs12, &["acme"]);
    vault.add_x25519("acme", UnixMillis(1_800_000_000_000)).unwrap();

    let read = Vault::open(&vault.to_bytes(PASSWORD).unwrap(), PASSWORD).unwrap();

    let made = |millis| Some(UnixMillis(millis));
    assert_eq!(
        read.entries(),
        [
            VaultEntry {
                alias: "acme",
                key: Some((KeyKind::Rsa, DEFAULT_BITS)),
                created: made(1_700_000_000_000)
            },
            VaultEntry {
                alias: "acme#2",
                key: Some((KeyKind::X25519, 255)),
                created: made(1_800_000_000_000)
            },
        ]
    );
}

#[test]
fn a_published_key_is_for_the_loop_back_client_alone() {
    let mut vault = made(VaultFormat::Pkcs12, &["acme"]);

    let refused = vault.import("acme", &published(), UnixMillis(5)).map(str::to_owned);
    let taken = vault.import("Test", &published(), UnixMillis(5)).map(str::to_owned);

    assert_eq!(refused, Err(VaultError::Exposed(Exposure::Published)));
    assert_eq!(taken.as_deref(), Ok("Test"));
    assert!(vault.exposed().is_empty() && vault.opener("test").is_some());
}

#[test]
fn no_client_shares_a_key_with_the_loop_back_client() {
    let own = PKey::generate_x25519().unwrap().private_key_to_pkcs8().unwrap();
    let mut vault = Vault::new(VaultFormat::Pkcs12);
    vault.import("test", &own, UnixMillis(5)).unwrap();

    let shared = vault.import("acme", &own, UnixMillis(6)).map(str::to_owned);

    assert_eq!(shared, Err(VaultError::Exposed(Exposure::LoopBack)));
    let mut other = Vault::new(VaultFormat::Pkcs12);
    other.import("acme", &own, UnixMillis(6)).unwrap();
    assert_eq!(other.merge(&vault, None, UnixMillis(7)), Err(VaultError::Exposed(Exposure::LoopBack)));
    assert_eq!(vault.merge(&other, None, UnixMillis(7)), Err(VaultError::Exposed(Exposure::LoopBack)));
    assert_eq!(vault.aliases(), ["test"]);
}

#[test]
fn exposed_keys_of_a_file_are_named_open_nothing_and_seal_nothing() {
    let mut file = made(VaultFormat::Pkcs12, &["acme"]);
    let own = file.sealing_key("acme").unwrap().to_line().unwrap();
    for (client, pkcs8) in [("test", published()), ("clinic", published()), ("acme", published())] {
        // As another program would have written it.
        let created = UnixMillis(1_800_000_000_000 + file.entries.len() as i64);
        let chain = vec![certificate::make(client, &pkcs8).unwrap()];
        let alias = file.free_alias(client);
        file.entries.push(Entry { alias, pkcs8: pkcs8.into(), chain, created });
    }

    let vault = Vault::open(&file.to_bytes(PASSWORD).unwrap(), PASSWORD).unwrap();

    let exposed = |alias| Exposed { alias, why: Exposure::Published };
    assert_eq!(vault.exposed(), [exposed("acme#2"), exposed("clinic")]);
    assert!(vault.opener("clinic").is_none());
    let opener = vault.opener("acme").unwrap();
    assert_eq!(format!("{opener:?}"), "Opener(1 RSA keys, 0 X25519 keys)");
    assert!(vault.opener("test").is_some());
    for given in [vault.sealing_key("acme"), vault.sealing_key_of("acme", KeyKind::Rsa)] {
        assert_eq!(given.unwrap().to_line().unwrap(), own, "the newest is exposed");
    }
    assert_eq!(vault.sealing_key("clinic").map(|_| ()), Err(VaultError::NoSuchKey));
    assert!(vault.sealing_key("test").is_ok());
}
