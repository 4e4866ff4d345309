//! `sms vault`, beside Java's keytool and OpenSSL.

use std::os::unix::fs::PermissionsExt as _;

use crate::program::{PASSWORD, Place};

const KEYTOOL: &str = "-keyalg RSA -keysize 2048 -validity 36500 -storepass:env SEALPOST_VAULT_PASSWORD";

/// The public key that keytool shows for an alias, as the tools write it.
fn by_keytool(place: &Place, vault: &str, alias: &str) -> String {
    place.script(&format!(
        "keytool -exportcert -rfc -keystore {vault} -storepass:env SEALPOST_VAULT_PASSWORD -alias '{alias}' 2>/dev/null |
         openssl x509 -noout -pubkey | grep -v -- ----- | tr -d '\\n'"
    ))
}

#[test]
fn keytool_and_openssl_read_what_we_make() {
    let place = Place::new();
    place.sealpost("sms vault create v.p12").ok();
    for client in ["acme", "test", "acme"] {
        place.sealpost(&format!("sms vault add v.p12 {client}")).ok();
    }

    assert_eq!(place.sealpost("sms vault aliases v.p12").ok(), "acme\nacme#2\ntest\n");
    let key = place.sealpost("sms vault pubkey v.p12 acme").ok();
    assert_eq!((key.len(), &key[..8]), (392, "MIIBIjAN"), "one line without its end: {key}");
    assert_eq!(key, by_keytool(&place, "v.p12", "acme#2"), "the newest");
    assert_ne!(key, by_keytool(&place, "v.p12", "acme"));
    let by_openssl =
        place.run("openssl", "pkcs12 -in v.p12 -nodes -nocerts -passin env:SEALPOST_VAULT_PASSWORD");
    for name in ["friendlyName: acme\n", "friendlyName: acme#2\n", "friendlyName: test\n"] {
        assert!(by_openssl.contains(name), "{name} in {by_openssl}");
    }
}

#[test]
fn vaults_of_keytool_are_used_and_imported() {
    let place = Place::new();
    place.run("keytool", &format!("-genkeypair {KEYTOOL} -keystore theirs.p12 -alias acme -dname CN=acme"));
    let old =
        format!("-genkeypair {KEYTOOL} -keystore old.jks -storetype JKS -alias legacy -dname CN=legacy");
    place.run("keytool", &old);
    place.sealpost("sms vault create ours.p12").ok();

    assert_eq!(
        place.sealpost("sms vault pubkey theirs.p12 ACME").ok(),
        by_keytool(&place, "theirs.p12", "acme")
    );
    place.sealpost("sms vault add theirs.p12 other").ok();
    assert_eq!(
        place.sealpost("sms vault import ours.p12 theirs.p12").stderr,
        "imported acme\nimported other\n"
    );
    assert_eq!(
        place.sealpost("sms vault import ours.p12 old.jks --client legacy").stderr,
        "imported legacy\n"
    );
    let again = place.sealpost("sms vault import ours.p12 theirs.p12 --client acme");
    assert_eq!(again.stderr, "nothing to import: the vault has these keys already\n");

    assert_eq!(place.sealpost("sms vault aliases ours.p12").ok(), "acme\nlegacy\nother\n");
    for (vault, alias) in [("theirs.p12", "acme"), ("old.jks", "legacy"), ("theirs.p12", "other")] {
        let ours = place.sealpost(&format!("sms vault pubkey ours.p12 {alias}")).ok();
        assert_eq!(ours, by_keytool(&place, vault, alias), "{alias}");
    }
}

#[test]
fn a_source_may_have_a_password_of_its_own() {
    let place = Place::new();
    place.write("their-password", "another one\n");
    for (vault, options) in [("ours.p12", ""), ("theirs.p12", "--password-file their-password")] {
        place.sealpost(&format!("sms vault create {vault} {options}")).ok();
    }
    place.sealpost("sms vault add theirs.p12 acme --password-file their-password").ok();

    let refused = place.sealpost("sms vault import ours.p12 theirs.p12").refusal();
    assert_eq!(refused, "theirs.p12: wrong password, or the vault is damaged");
    let taken = "sms vault import ours.p12 theirs.p12 --source-password-file their-password";
    assert_eq!(place.sealpost(taken).stderr, "imported acme\n");
}

#[test]
fn a_key_of_openssl_is_imported_under_the_name_that_is_given() {
    let place = Place::new();
    place.sealpost("sms vault create v.p12").ok();
    place.run("openssl", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out key.pem -quiet");

    let nameless = place.sealpost("sms vault import v.p12 key.pem").refusal();
    place.sealpost("sms vault import v.p12 key.pem --client acme").ok();

    assert_eq!(nameless, "a PEM file names no client: give --client");
    let key = place.script("openssl pkey -in key.pem -pubout | grep -v -- ----- | tr -d '\\n'");
    assert_eq!(place.sealpost("sms vault pubkey v.p12 acme").ok(), key);
}

#[test]
fn keys_of_both_kinds_are_listed_and_handed_out() {
    let place = Place::new();
    place.sealpost("sms vault create v.p12").ok();
    place.sealpost("sms vault add v.p12 acme").ok();
    place.sealpost("sms vault add v.p12 acme --kind x25519").ok();

    let list = place.sealpost("sms vault list v.p12").ok();
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        (&rows[0][..3], &rows[1][..3]),
        (&["acme", "rsa", "2048"][..], &["acme#2", "x25519", "255"][..])
    );
    for row in &rows {
        assert!(row.len() == 5 && row[3].ends_with('Z') && row[4] == "0", "made today: {row:?}");
    }
    let pubkey = |kind: &str| place.sealpost(&format!("sms vault pubkey v.p12 acme {kind}")).ok();
    assert_eq!(pubkey("--kind rsa"), by_keytool(&place, "v.p12", "acme"));
    assert_eq!(pubkey("--kind x25519"), by_keytool(&place, "v.p12", "acme#2"));
    assert_eq!(pubkey(""), pubkey("--kind x25519"), "the newest");
    assert!(pubkey("").starts_with("MCowBQYDK2VuAyEA") && pubkey("").len() == 60);
}

#[test]
fn a_key_that_is_published_is_taken_for_the_client_test_only() {
    let place = Place::new();
    let vectors = include_str!("../../../../proto/sms/envelope-v2.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).expect("the vectors");
    let pkcs8 = vectors["recipient"]["pkcs8"].as_str().expect("a private key");
    place.write("key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{pkcs8}\n-----END PRIVATE KEY-----\n"));
    place.sealpost("sms vault create v.p12").ok();

    let refused = place.sealpost("sms vault import v.p12 key.pem --client acme").refusal();
    place.sealpost("sms vault import v.p12 key.pem --client test").ok();

    assert_eq!(refused, "key.pem: not a key to be used: the private key is published");
    assert_eq!(place.sealpost("sms vault aliases v.p12").ok(), "test\n");
}

#[test]
fn a_key_that_the_client_test_has_too_is_shown_and_not_taken() {
    let place = Place::new();
    place.run("keytool", &format!("-genkeypair {KEYTOOL} -keystore theirs.p12 -alias test -dname CN=test"));
    let passwords = "-srcstorepass:env SEALPOST_VAULT_PASSWORD -deststorepass:env SEALPOST_VAULT_PASSWORD";
    for alias in ["test", "acme"] {
        let copied =
            format!("-srcalias test -destalias {alias} -srckeystore theirs.p12 -destkeystore shared.p12");
        place.run("keytool", &format!("-importkeystore -noprompt {copied} {passwords}"));
    }
    place.sealpost("sms vault create ours.p12").ok();

    let list = place.sealpost("sms vault list shared.p12").ok();
    let refused = place.sealpost("sms vault import ours.p12 shared.p12").refusal();

    let acme = list.lines().find(|line| line.starts_with("acme\t")).expect("a line");
    assert!(acme.ends_with("\tthe client test has the same key"), "{acme}");
    assert_eq!(refused, "shared.p12: not a key to be used: the client test has the same key");
    assert_eq!(place.sealpost("sms vault aliases ours.p12").ok(), "");
}

#[test]
fn a_vault_is_private_and_never_overwritten_by_create() {
    let place = Place::new();
    place.sealpost("sms vault create v.p12").ok();
    place.sealpost("sms vault add v.p12 acme").ok();

    let again = place.sealpost("sms vault create v.p12").refusal();

    assert_eq!(again, "v.p12 exists already");
    assert_eq!(place.sealpost("sms vault aliases v.p12").ok(), "acme\n");
    assert_eq!(place.path("v.p12").metadata().expect("the vault").permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_be_done_is_told_in_one_line() {
    let place = Place::new();
    place.sealpost("sms vault create v.p12").ok();
    place.write("wrong", "wrong one");
    place.write("text", "no keystore");
    place.run("openssl", "genpkey -algorithm ED25519 -out other.pem");

    for (arguments, reason) in [
        ("list missing.p12", "missing.p12: No such file or directory (os error 2)"),
        ("list v.p12 --password-file wrong", "v.p12: wrong password, or the vault is damaged"),
        ("list v.p12 --password-file missing", "missing: No such file or directory (os error 2)"),
        ("list text", "text: not a PKCS#12 or JKS keystore"),
        ("pubkey v.p12 acme", "acme: the vault has no key for this client"),
        ("add v.p12 acme#2", "this client id cannot be an alias of the vault"),
        ("add v.p12 acme --bits 1024", "an RSA key of 2048 to 8192 bits or an X25519 key is needed"),
        (
            "import v.p12 other.pem --client acme",
            "other.pem: an RSA key of 2048 to 8192 bits or an X25519 key is needed",
        ),
        ("add v.p12 acme --kind x25519 --bits 2048", "--bits: an X25519 key has one size"),
        ("import v.p12 v.p12", "v.p12: the vault has no key for this client"),
        ("create nowhere/v.p12", "nowhere/v.p12: No such file or directory (os error 2)"),
    ] {
        let refusal = place.sealpost(&format!("sms vault {arguments}")).refusal();
        assert!(refusal.starts_with(reason), "{arguments}: {refusal}");
        assert!(!refusal.contains(PASSWORD), "{refusal}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let place = Place::new();

    for arguments in ["", "sms", "sms vault", "sms vault add v.p12", "sms nonsense", "sms encrypt key text"] {
        assert_eq!(place.sealpost(arguments).code, Some(2), "{arguments:?}");
    }
    for arguments in ["--help", "sms --help", "sms send --help", "smsc --help", "--version"] {
        assert_eq!(place.sealpost(arguments).code, Some(0), "{arguments:?}");
    }
}
