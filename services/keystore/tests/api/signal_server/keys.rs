//! Which keys are the same, and are not given again.

use serde_json::json;
use testkit::on_both;
use testkit::signal::PreKey;

use super::{OWN, User, code, prekey_of};
use crate::harness::Keystore;

const LENIENT: [(&str, &str); 1] = [("compat.signal_server.strict_keys", "false")];

on_both! {
    async fn a_prekey_that_was_given_out_is_not_taken_in_again(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let (alice, bob) =
            (User::new(http, peers, "alice"), User::with_device(http, peers, "bob", 0).await);
        let device = alice.device(2);
        alice.client.post("/device/", &device).await.assert_status(201);
        assert_eq!(prekey_of(&bob.fetch("alice").await), 1);
        let path = format!("/prekeys/{OWN}/");

        alice.client.post(&path, &device["preKeys"]).await.assert_status(200);
        let renamed = json!([{"keyId": 9, "publicKey": device["preKeys"][0]["publicKey"]}]);
        alice.client.post(&path, &renamed).await.assert_status(200);
        assert_eq!(prekey_of(&bob.fetch("alice").await), 2);
        assert_eq!(code(&bob.fetch("alice").await), (400, "no_prekeys".to_owned()));
        alice.client.delete("/device/").await.assert_status(204);
        alice.client.post("/device/", &device).await.assert_status(201);

        assert_eq!(code(&bob.fetch("alice").await), (400, "no_prekeys".to_owned()), "in no other device either");
        alice.client.post(&path, &json!([PreKey::new(1)])).await.assert_status(200);
        assert_eq!(prekey_of(&bob.fetch("alice").await), 1, "the id is free");
    }

    async fn a_key_has_one_id(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let alice = User::with_device(&keystore.host.http, &keystore.peers, "alice", 0).await;
        let key = PreKey::new(1);
        let path = format!("/prekeys/{OWN}/");
        alice.client.post(&path, &json!([key, key])).await.assert_status(200);

        let renamed = json!([PreKey::new(2), {"keyId": 3, "publicKey": key.public_key}]);
        assert_eq!(code(&alice.client.post(&path, &renamed).await), (400, "prekey_id_exists".to_owned()));

        assert_eq!(prekey_of(&alice.fetch("alice").await), 1);
        assert_eq!(code(&alice.fetch("alice").await), (400, "no_prekeys".to_owned()), "nothing of it was stored");
    }

    async fn without_strictness_the_same_text_may_have_many_ids_and_lives(db: TestDb) {
        let keystore = Keystore::start_with(&db, &LENIENT).await;
        let alice = User::new(&keystore.host.http, &keystore.peers, "alice");
        let text = "abcd".repeat(11);
        let key = |id: i64| json!({"keyId": id, "publicKey": text});
        let mut device = alice.device(0);
        device["identityKey"] = json!(text);
        device["preKeys"] = json!([key(1), key(2)]);
        device["signedPreKey"] = json!({"keyId": 1, "publicKey": text, "signature": "abcd".repeat(22)});

        for _ in 0..2 {
            alice.client.post("/device/", &device).await.assert_status(201);
            assert_eq!(prekey_of(&alice.fetch("alice").await), 1);
            alice.client.post(&format!("/prekeys/{OWN}/"), &json!([key(1), key(3)])).await.assert_status(200);
            assert_eq!(prekey_of(&alice.fetch("alice").await), 2);
            assert_eq!(prekey_of(&alice.fetch("alice").await), 3, "1 was given out in this life");
            assert_eq!(code(&alice.fetch("alice").await), (400, "no_prekeys".to_owned()));
            alice.client.delete("/device/").await.assert_status(204);
        }
    }
}
