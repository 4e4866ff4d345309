//! Requests that are refused, and that nothing of them is stored.

use common::models::{AccountId, Base64Bytes};
use serde_json::{Value, json};
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity, kyber_pre_keys, pre_keys};

use crate::harness::Keystore;

/// A valid registration with one place changed.
fn with(identity: &Identity, pointer: &str, value: Value) -> Value {
    let mut body = serde_json::to_value(DeviceRegistration::new(identity)).unwrap();
    match body.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => body[&pointer[1..]] = value,
    }
    body
}

on_both! {
    async fn a_registration_out_of_form_is_refused(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let identity = Identity::new();
        let login = keystore.log_in(AccountId::new());
        let long = "x".repeat(226);
        for (pointer, value, at) in [
            ("/registrationId", json!(0), "/registrationId"),
            ("/registrationId", json!(16384), "/registrationId"),
            ("/registrationId", json!("7"), "/registrationId"),
            ("/signedPreKey/keyId", json!(0), "/signedPreKey/keyId"),
            ("/preKeys/1/keyId", json!(2_147_483_648_u64), "/preKeys/1/keyId"),
            ("/preKeys/1/publicKey", json!("not base64!"), "/preKeys/1/publicKey"),
            ("/preKeys", json!(null), "/preKeys"),
            ("/replaceDeviceId", json!(128), "/replaceDeviceId"),
            ("/name", json!(long), "/name"),
            ("/surprise", json!(1), "/surprise"),
        ] {
            let answer = login.client.post("/v1/devices", &with(&identity, pointer, value)).await.expect(400);
            assert_eq!(answer.problem().errors[0].pointer, at);
        }
        assert!(keystore.device_ids(login.account).await.is_empty());
        assert!(keystore.peers.held().mailboxes.is_empty());
    }

    async fn keys_that_are_none_are_refused_by_kind_and_id(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (identity, other) = (Identity::new(), Identity::new());
        let login = keystore.log_in(AccountId::new());
        let low_order = Base64Bytes([vec![5], vec![0; 32]].concat());
        let short = Base64Bytes(vec![5; 32]);
        let ml_kem = Base64Bytes([vec![10], vec![7; 1568]].concat());
        let mut one_bad = kyber_pre_keys(&identity, 1, 100);
        one_bad[99].signature = other.kyber_pre_key(100).signature;
        for (pointer, value, slug, kind, key_id) in [
            ("/identityKey", json!(low_order), "bad-key", "identityKey", Value::Null),
            ("/preKeys/2/publicKey", json!(low_order), "bad-key", "preKey", json!(3)),
            ("/signedPreKey/publicKey", json!(short), "bad-key", "signedPreKey", json!(1)),
            ("/pqPreKeys/0/publicKey", json!(ml_kem), "bad-key", "pqPreKey", json!(1)),
            ("/signedPreKey", json!(other.signed_pre_key(8)), "bad-signature", "signedPreKey", json!(8)),
            ("/pqPreKeys", json!(one_bad), "bad-signature", "pqPreKey", json!(100)),
            ("/pqLastResortPreKey", json!(other.kyber_pre_key(9)), "bad-signature", "pqLastResortPreKey", json!(9)),
            ("/preKeys/1/keyId", json!(1), "duplicate-keys", "preKey", json!(1)),
            ("/pqPreKeys/1/keyId", json!(1000), "duplicate-keys", "pqPreKey", json!(1000)),
            ("/preKeys", json!(pre_keys(1, 101)), "too-many-keys", "preKey", json!(101)),
        ] {
            let answer = login.client.post("/v1/devices", &with(&identity, pointer, value)).await.expect(422);
            let problem = answer.problem();
            assert_eq!(problem.slug(), slug, "{pointer}");
            let said = |member: &str| problem.extensions.get(member).cloned().unwrap_or_default();
            assert_eq!((said("kind"), said("keyId")), (json!(kind), key_id));
        }
        assert!(keystore.device_ids(login.account).await.is_empty());
        assert!(keystore.peers.held().mailboxes.is_empty());
        login.register(&DeviceRegistration::new(&identity)).await.assert_status(201);
    }

    async fn an_upload_with_one_bad_key_stores_nothing(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let (good, bad) = (kyber_pre_keys(&device.identity, 10, 3), kyber_pre_keys(&Identity::new(), 20, 1));

        let kyber = [good, bad].concat();
        let body = json!({"preKeys": pre_keys(10, 3), "pqPreKeys": kyber});
        let refused = device.client.put("/v1/keys", &body).await.expect(422).problem();

        assert_eq!(refused.slug(), "bad-signature");
        assert_eq!(refused.extensions["keyId"], 20);
        assert_eq!(device.counts().await, [3, 3, 0]);
        device.client.put("/v1/keys", &json!({"preKey": []})).await.assert_status(400);
        device.client.put("/v1/keys", &json!([])).await.assert_status(400);
    }

    async fn bodies_have_a_limit_that_full_ones_keep(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let identity = Identity::new();
        let login = keystore.log_in(AccountId::new());
        let mut full = DeviceRegistration::new(&identity).with_keys(&identity, 100, 100);
        login.register(&full).await.assert_status(201);

        full.pre_keys = pre_keys(1, 6000);

        let second = keystore.log_in(login.account);
        assert_eq!(second.register(&full).await.expect(413).problem().slug(), "too-large");
    }

    async fn paths_out_of_form_are_refused(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let account = device.account;

        for path in [format!("/v1/keys/{account}/0"), format!("/v1/keys/{account}/all"), "/v1/keys/alice/1".into()] {
            assert_eq!(device.client.get(&path).await.expect(400).problem().slug(), "invalid-request");
        }
        device.client.delete("/v1/devices/128").await.assert_status(400);
        device.client.delete("/v1/devices").await.assert_status(405);
    }

    async fn callers_without_device_have_no_keys(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let login = keystore.log_in(AccountId::new());
        let nobody = &keystore.host.http;

        assert_eq!(login.client.get("/v1/keys").await.expect(403).problem().slug(), "device-required");
        login.client.put("/v1/keys", &json!({})).await.assert_status(403);
        for answer in [
            nobody.get("/v1/devices").await,
            nobody.get("/v1/keys").await,
            nobody.put("/v1/keys", &json!({})).await,
            nobody.post("/v1/devices", &json!({})).await,
            nobody.delete("/v1/devices/1").await,
            nobody.put("/v1/devices/1/name", &json!({"name": null})).await,
            nobody.delete("/v1/keys/onetime").await,
            nobody.post("/v1/keys/check", &json!({})).await,
            nobody.post("/v1/keys/identity-check", &json!({})).await,
        ] {
            assert_eq!(answer.expect(401).problem().slug(), "unauthenticated");
        }
    }
}
