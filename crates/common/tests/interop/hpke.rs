//! Version 2 of the SMS envelope against a program of another language, which knows the contract alone:
//! `deploy/test-peers/npm/envelope.mjs`.

use std::path::Path;

use common::crypto::sms_envelope::{
    Binding, OpeningKey, SealingKey, decode_payload, encode_payload, seal_v2,
};
use openssl::pkey::PKey;
use serde_json::{Value, json};

use crate::program::run;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/test-peers/npm");

/// A key pair as either side takes it.
struct Pair {
    ours: OpeningKey,
    private: String,
    public: String,
}

fn pair() -> Pair {
    let key = PKey::generate_x25519().unwrap();
    Pair {
        ours: OpeningKey::from_pkcs8(&key.private_key_to_pkcs8().unwrap()).unwrap(),
        private: hex::encode(key.raw_private_key().unwrap()),
        public: hex::encode(key.raw_public_key().unwrap()),
    }
}

/// Requests as they may come, and messages for them.
fn cases() -> Vec<([&'static str; 3], Vec<u8>)> {
    let request = ["acme", "C1", "2100-01-01T00:00:00Z"];
    vec![
        (request, b"To: +255123456789\nSender: TEST\n\nHello".to_vec()),
        (request, Vec::new()),
        (["", "", ""], b"x".to_vec()),
        (
            ["clinique-\u{e9}", "\u{1f600}", "2100-01-01t02:00:00.5+02:00"],
            "\u{645}\u{631}".as_bytes().to_vec(),
        ),
        (request, (0..10_000_u32).map(|number| number as u8).collect()),
    ]
}

fn binding<'a>([client_id, correl_id, deadline]: &[&'a str; 3]) -> Binding<'a> {
    Binding { client_id, correl_id, deadline }
}

/// A task for the peer.
fn task(what: &str, [client, correl, deadline]: &[&str; 3], rest: Value) -> Value {
    let mut task = json!({"do": what, "clientId": client, "correlId": correl, "deadline": deadline});
    task.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    task
}

fn by_peer(tasks: &[Value]) -> Vec<Value> {
    assert!(Path::new(PEERS).join("node_modules/@hpke/core").exists(), "run `npm ci` in {PEERS}");
    let tasks = serde_json::to_vec(tasks).unwrap();
    serde_json::from_slice(&run(Path::new(PEERS), &["node", "envelope.mjs"], &tasks)).unwrap()
}

#[test]
fn we_open_what_npm_seals() {
    let pair = pair();
    let tasks: Vec<_> = cases()
        .iter()
        .map(|(request, message)| {
            task("seal", request, json!({"publicKey": pair.public, "message": hex::encode(message)}))
        })
        .collect();

    let sealed = by_peer(&tasks);

    let mut opener = pair.ours.opener().unwrap();
    for ((request, message), sealed) in cases().iter().zip(&sealed) {
        let envelope = decode_payload(sealed["payload"].as_str().unwrap()).unwrap();
        assert_eq!(&*opener.open(&envelope, &binding(request)).unwrap(), message, "{request:?}");
    }
}

#[test]
fn npm_opens_what_we_seal_for_its_request_alone() {
    let pair = pair();
    let key: SealingKey = pair.ours.sealing_key().unwrap();
    let mut tasks = Vec::new();
    for (request, message) in cases() {
        let payload = encode_payload(&seal_v2(&key, &binding(&request), &message).unwrap());
        let rest = json!({"privateKey": pair.private, "payload": payload});
        let [client, correl, _] = request;
        let later = [client, correl, "2100-01-01T00:00:01Z"];
        tasks.extend([task("open", &request, rest.clone()), task("open", &later, rest)]);
    }

    let opened = by_peer(&tasks);

    for ((request, message), opened) in cases().iter().zip(opened.chunks(2)) {
        assert_eq!(opened[0], json!({"message": hex::encode(message)}), "{request:?}");
        assert_eq!(opened[1], json!({"error": "OpenError"}), "{request:?}");
    }
}
