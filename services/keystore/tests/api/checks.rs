//! Comparing what a client holds with what is stored.

use common::models::{AccountId, Base64Bytes};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity, SignedPreKey};

use crate::harness::Keystore;

/// The digest that a client computes over the keys that stay.
fn digest_of(identity: &Identity, signed: &SignedPreKey, last_resort: &SignedPreKey) -> Value {
    let mut octets = identity.public_key().0;
    for key in [signed, last_resort] {
        octets.extend(key.key_id.to_be_bytes());
        octets.extend(&key.public_key.0);
    }
    json!({"digest": Base64Bytes(digest(&SHA256, &octets).as_ref().to_vec())})
}

fn fingerprint(key: &Base64Bytes) -> Base64Bytes {
    Base64Bytes(digest(&SHA256, &key.0).as_ref()[..4].to_vec())
}

on_both! {
    async fn the_keys_that_stay_are_compared_by_their_digest(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let identity = Identity::new();
        let registration = DeviceRegistration::new(&identity);
        let device = keystore.device_with(AccountId::new(), &identity, &registration).await;
        let held = digest_of(&identity, &registration.signed_pre_key, &registration.pq_last_resort_pre_key);

        let same = device.client.post("/v1/keys/check", &held).await;
        keystore.bundle(device.account, "1").await.assert_status(200);
        let after_a_fetch = device.client.post("/v1/keys/check", &held).await;
        let signed = identity.signed_pre_key(2);
        device.client.put("/v1/keys", &json!({"signedPreKey": signed})).await.assert_status(200);
        let after_a_rotation = device.client.post("/v1/keys/check", &held).await;

        same.assert_status(200);
        after_a_fetch.assert_status(200);
        assert_eq!(after_a_rotation.expect(409).problem().slug(), "keys-differ");
        let rotated = digest_of(&identity, &signed, &registration.pq_last_resort_pre_key);
        device.client.post("/v1/keys/check", &rotated).await.assert_status(200);
        let short = json!({"digest": Base64Bytes(vec![0; 31])});
        let refused = device.client.post("/v1/keys/check", &short).await.expect(400).problem();
        assert_eq!(refused.errors[0].pointer, "/digest");
    }

    async fn only_identities_that_have_changed_are_told(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (same, changed) = (keystore.person().await, keystore.person().await);
        let held = |account: AccountId, key: &Base64Bytes| json!({"accountId": account, "fingerprint": fingerprint(key)});
        let earlier = Identity::new().public_key();
        let elements = [
            held(same.account, &same.identity.public_key()),
            held(changed.account, &earlier),
            held(AccountId::new(), &earlier),
        ];

        let told = same.client.post("/v1/keys/identity-check", &json!({"elements": elements})).await.expect(200);

        let expected = json!([{"accountId": changed.account, "identityKey": changed.identity.public_key()}]);
        assert_eq!(told.value(), json!({"elements": expected}));
    }

    async fn a_thousand_identities_are_compared_at_once_and_no_more(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let person = keystore.person().await;
        let key = person.identity.public_key();
        let body = |count: usize| {
            let element = || json!({"accountId": AccountId::new(), "fingerprint": fingerprint(&key)});
            json!({"elements": (0..count).map(|_| element()).collect::<Vec<_>>()})
        };

        let most = person.client.post("/v1/keys/identity-check", &body(1000)).await.expect(200);
        let more = person.client.post("/v1/keys/identity-check", &body(1001)).await.expect(422);

        assert_eq!(most.value(), json!({"elements": []}));
        assert_eq!(more.problem().slug(), "too-many-identities");
    }
}
