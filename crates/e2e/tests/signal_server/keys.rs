//! Device, prekeys, signed prekey: what is taken and what is refused.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;
use testkit::signal::{Identity, PreKey, pre_keys};

use crate::harness::{
    Server, assert_coded, assert_detail, assert_incorrect, assert_invalid, assert_no_device,
    assert_no_prekeys,
};

const MAX: (u16, &str, &str) =
    (400, "reached_max_prekeys", "User has reached the maximum number of prekeys allowed");
const EXISTS: (u16, &str, &str) = (400, "prekey_id_exists", "A prekey with that keyId already exists");

/// What upstream's own tests take for a key.
const TEXT: &str = "abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd";

on_both! {
    async fn a_device_that_breaks_a_rule_is_not_stored(db: TestDb) {
        let server = Server::start(&db).await;
        let alice = server.user("alice").await;
        let good = alice.device(1234, 2);
        let stranger = Identity::new();
        let with = |name: &str, value: Value| {
            let mut device = good.clone();
            device[name] = value;
            device
        };

        for (name, value) in [
            ("address", json!("")), ("address", json!("a".repeat(101))), ("address", json!(null)), ("address", json!(["a"])),
            ("identityKey", json!("A".repeat(45))), ("identityKey", json!(TEXT)),
            ("registrationId", json!(-1)), ("registrationId", json!(1_000_000)), ("registrationId", json!(1.5)),
            ("registrationId", json!("x")), ("registrationId", json!(true)), ("registrationId", json!(null)),
            ("preKeys", json!(null)), ("preKeys", json!({})), ("preKeys", json!("x")), ("preKeys", json!([7])),
            ("preKeys", json!([{"keyId": 1}])), ("preKeys", json!([{"keyId": 1, "publicKey": TEXT}])),
            ("signedPreKey", json!([])), ("signedPreKey", json!({})),
            ("signedPreKey", json!(stranger.signed_pre_key(1))),
        ] {
            let refused = alice.client.post("/device/", &with(name, value)).await;
            let errors = assert_invalid(&refused);
            assert_eq!(errors.as_object().unwrap().keys().collect::<Vec<_>>(), [name], "{errors}");
        }
        for name in ["address", "identityKey", "registrationId", "preKeys", "signedPreKey"] {
            let mut device = good.clone();
            device.as_object_mut().unwrap().remove(name);
            assert!(assert_invalid(&alice.client.post("/device/", &device).await)[name].is_array());
        }
        for body in [json!([]), json!(null), json!(7)] {
            assert!(assert_invalid(&alice.client.post("/device/", &body).await)["non_field_errors"].is_array());
        }
        let broken = alice.client.request(Method::POST, "/device/").header("content-type", "application/json").body("{");
        assert_detail(&alice.client.send(broken).await, 400);
        assert_no_device(&alice.client.delete("/device/").await);

        let texts = with("registrationId", json!(" 01234.0 "));
        alice.client.post("/device/", &texts).await.assert_status(201);
        alice.client.get("/messages/1234/").await.assert_status(200);
    }

    async fn a_device_has_100_prekeys_at_most_each_under_its_own_id(db: TestDb) {
        let server = Server::start(&db).await;
        let mut alice = server.user("alice").await;
        let with = |keys: Vec<PreKey>| {
            let mut device = alice.device(1234, 0);
            device["preKeys"] = json!(keys);
            device
        };
        let (twice, more) = (PreKey::new(7), with(pre_keys(1, 101)));

        assert_coded(&alice.client.post("/device/", &more).await, MAX.0, MAX.1, MAX.2);
        let clash = with(vec![PreKey::new(1), twice.clone(), PreKey::new(7)]);
        assert_coded(&alice.client.post("/device/", &clash).await, EXISTS.0, EXISTS.1, EXISTS.2);
        assert_no_device(&alice.client.delete("/device/").await);
        let same = with(vec![twice.clone(), twice]);
        alice.client.post("/device/", &same).await.assert_status(201);
        alice.registration_id = 1234;

        alice.fetch("alice").await.assert_status(200);
        assert_no_prekeys(&alice.fetch("alice").await);
    }

    async fn uploads_of_any_length_are_taken_or_refused_as_a_whole(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;
        let uploads = [(2, 1), (3, 2), (5, 3), (8, 92)].map(|(first, count)| json!(pre_keys(first, count)));
        for upload in &uploads {
            alice.post("prekeys", upload).await.assert_status(200);
        }

        assert_coded(&alice.post("prekeys", &json!(pre_keys(200, 2))).await, MAX.0, MAX.1, MAX.2);
        alice.post("prekeys", &json!(pre_keys(300, 1))).await.assert_status(200);
        for one in [400, 1] {
            assert_coded(&alice.post("prekeys", &json!(pre_keys(one, 1))).await, MAX.0, MAX.1, MAX.2);
        }
        for again in &uploads {
            alice.post("prekeys", again).await.assert_status(200);
        }
        // Validation comes before either.
        let wrong = json!([{"keyId": 1, "publicKey": "short"}]);
        assert_invalid(&alice.post("prekeys", &wrong).await);

        let mut given = Vec::new();
        for _ in 0..100 {
            given.push(alice.fetch("alice").await.expect(200).value()["preKey"]["keyId"].as_i64().unwrap());
        }
        assert_eq!(given, (1..=99).chain([300]).collect::<Vec<i64>>(), "the oldest first");
        assert_no_prekeys(&alice.fetch("alice").await);
    }

    async fn prekeys_of_another_shape_are_refused(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;
        let raw = async |content_type: &str, body: &'static str| {
            let request = alice.client.request(Method::POST, "/prekeys/1234/");
            alice.client.send(request.header("content-type", content_type).body(body)).await
        };

        for body in [json!([]), json!({}), json!(PreKey::new(2))] {
            assert_incorrect(&alice.post("prekeys", &body).await);
        }
        assert_incorrect(&raw("application/json", "").await);
        for body in [json!(null), json!(7), json!("x"), json!(false)] {
            alice.post("prekeys", &body).await.assert_status(400);
        }
        assert_detail(&raw("application/json", "[").await, 400);
        assert_detail(&raw("application/xml", "<a/>").await, 415);
        for item in [json!(7), json!(null), json!([]), json!({}), json!({"keyId": 2.5, "publicKey": PreKey::new(1).public_key}),
            json!({"keyId": 1_000_000, "publicKey": PreKey::new(1).public_key}), json!({"keyId": 2, "publicKey": TEXT})] {
            assert_invalid(&alice.post("prekeys", &json!([PreKey::new(9), item])).await);
        }

        alice.fetch("alice").await.assert_status(200);
        assert_no_prekeys(&alice.fetch("alice").await);
    }

    async fn a_signed_prekey_is_signed_by_the_identity_of_the_device(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;
        let good = json!(alice.identity.signed_pre_key(9));
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            key
        };

        for (name, value) in [
            ("keyId", json!(null)), ("keyId", json!(-1)), ("keyId", json!(1_000_000)), ("publicKey", json!(TEXT)),
            ("publicKey", json!(7)), ("signature", json!("x")), ("signature", json!("abcd".repeat(22))),
            ("signature", json!(Identity::new().signed_pre_key(9).signature)),
        ] {
            let errors = assert_invalid(&alice.post("signedprekey", &with(name, value)).await);
            assert_eq!(errors.as_object().unwrap().keys().collect::<Vec<_>>(), [name]);
        }
        for body in [json!([good]), json!([]), json!(null), json!(7), json!({})] {
            assert_invalid(&alice.post("signedprekey", &body).await);
        }
        assert_eq!(alice.fetch("alice").await.expect(200).value()["signedPreKey"]["keyId"], 1);

        alice.post("signedprekey", &with("keyId", json!("9"))).await.assert_status(200);
        alice.post("prekeys", &json!([PreKey::new(2)])).await.assert_status(200);
        assert_eq!(alice.fetch("alice").await.expect(200).value()["signedPreKey"], good);
    }

    async fn without_strictness_anything_as_long_as_a_key_is_one(db: TestDb) {
        let server = Server::start_with(&db, &[("compat.signal_server.strict_keys", "false")]).await;
        let mut alice = server.user("alice").await;
        let (signature, key) = ("!".repeat(88), |id: i64| json!({"keyId": id, "publicKey": TEXT}));
        let device = json!({"address": "test.1", "identityKey": "ä".repeat(44), "registrationId": 1234,
            "preKeys": [key(1), key(2)], "signedPreKey": {"keyId": 1, "publicKey": TEXT, "signature": signature}});

        alice.client.post("/device/", &device).await.assert_status(201);
        alice.registration_id = 1234;
        alice.post("prekeys", &json!([key(3)])).await.assert_status(200);
        let short = json!([{"keyId": 4, "publicKey": "abcd"}]);
        assert_invalid(&alice.post("prekeys", &short).await);

        for id in [1, 2, 3] {
            let expected = json!({"address": "test.1", "identityKey": "ä".repeat(44), "registrationId": 1234,
                "preKey": key(id), "signedPreKey": device["signedPreKey"]});
            assert_eq!(alice.fetch("alice").await.expect(200).value(), expected);
        }
        assert_no_prekeys(&alice.fetch("alice").await);
    }
}
