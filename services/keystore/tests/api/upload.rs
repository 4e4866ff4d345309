//! Keys that an owner adds.

use std::time::Duration;

use db::Db;
use serde_json::{Value, json};
use testkit::on_both;
use testkit::signal::{PreKey, kyber_pre_keys, pre_keys};
use testkit::wait::wait_until;

use crate::events::rows_of;
use crate::harness::{Device, Keystore};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn put(device: &Device, body: Value) -> Value {
    device.client.put("/v1/keys", &body).await.expect(200).value()
}

on_both! {
    async fn keys_are_added_behind_those_that_wait(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let (ec, pq) = (pre_keys(1001, 100), kyber_pre_keys(&device.identity, 2001, 100));

        let uploaded = put(&device, json!({"preKeys": ec, "pqPreKeys": pq})).await;

        assert_eq!(uploaded, json!({"count": 103, "pqCount": 103, "alreadyUsed": []}));
        let mut seen = Vec::new();
        for _ in 0..5 {
            let bundle = keystore.bundle(device.account, "1").await.expect(200).value();
            seen.push(bundle["devices"][0]["preKey"]["keyId"].as_i64().unwrap());
        }
        assert_eq!(seen, [1, 2, 3, 1001, 1002]);
    }

    async fn replaced_keys_are_gone_and_those_of_the_other_kind_stay(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let (first, second) = (pre_keys(1, 2), pre_keys(1, 4));
        put(&device, json!({"mode": "replace", "preKeys": first})).await;

        let replaced = put(&device, json!({"mode": "replace", "preKeys": second})).await;

        assert_eq!(replaced, json!({"count": 4, "pqCount": 3, "alreadyUsed": []}));
        for expected in [json!(second[0]), json!(second[1]), json!(second[2]), json!(second[3]), Value::Null] {
            let bundle = keystore.bundle(device.account, "1").await.expect(200).value();
            assert_eq!(bundle["devices"][0]["preKey"], expected);
        }
    }

    async fn replacing_brings_no_key_back_that_was_given_out(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let keys = pre_keys(10, 3);
        put(&device, json!({"mode": "replace", "preKeys": keys})).await;
        let given = keystore.bundle(device.account, "1").await.expect(200).value();

        let again = put(&device, json!({"mode": "replace", "preKeys": keys})).await;

        assert_eq!(given["devices"][0]["preKey"], json!(keys[0]));
        assert_eq!(again, json!({"count": 2, "pqCount": 2, "alreadyUsed": [10]}));
    }

    async fn a_conflict_leaves_what_was_to_be_replaced(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let sibling = keystore.device(device.account, &device.identity).await;
        let keys = pre_keys(10, 3);
        put(&sibling, json!({"preKeys": keys})).await;

        let body = json!({"mode": "replace", "preKeys": keys});
        let conflict = device.client.put("/v1/keys", &body).await.expect(409).problem();

        assert_eq!(conflict.extensions["conflictingKeyIds"], json!([10, 11, 12]));
        assert_eq!(device.counts().await, [3, 3, 0]);
    }

    async fn of_two_devices_that_bring_the_same_keys_at_once_one_has_them(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let first = keystore.person().await;
        let second = keystore.device(first.account, &first.identity).await;
        for round in 1..=5 {
            let body = json!({"preKeys": pre_keys(round * 100, 20)});

            let (one, other) = tokio::join!(first.client.put("/v1/keys", &body), second.client.put("/v1/keys", &body));

            let mut statuses = [one.status.as_u16(), other.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 409]);
        }
        assert_eq!(first.counts().await[0] + second.counts().await[0], 3 + 3 + 5 * 20);
    }

    async fn a_client_that_lost_its_keys_drops_those_that_wait(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;

        device.client.delete("/v1/keys/onetime").await.assert_status(204);

        assert_eq!(device.counts().await, [0, 0, 0]);
        let uploaded = put(&device, json!({"preKeys": pre_keys(1, 2)})).await;
        assert_eq!(uploaded, json!({"count": 2, "pqCount": 0, "alreadyUsed": []}));
    }

    async fn the_same_key_again_changes_nothing(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let keys = pre_keys(50, 10);
        put(&device, json!({"preKeys": keys})).await;

        let again = put(&device, json!({"preKeys": keys})).await;

        assert_eq!(again, json!({"count": 13, "pqCount": 3, "alreadyUsed": []}));
    }

    async fn an_id_in_use_for_another_key_is_a_conflict_and_nothing_is_stored(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let mut keys = pre_keys(3, 3);
        let stored = pre_keys(70, 1);
        put(&device, json!({"preKeys": stored})).await;
        keys.push(PreKey { key_id: 71, ..stored[0].clone() });
        let signed = device.identity.signed_pre_key(9);

        let body = json!({"preKeys": keys, "signedPreKey": signed});
        let conflict = device.client.put("/v1/keys", &body).await.expect(409).problem();

        assert_eq!(conflict.slug(), "key-conflict");
        assert_eq!(conflict.extensions["conflictingKeyIds"], json!([3, 71]));
        assert_eq!(device.counts().await, [4, 3, 0]);
        let bundle = keystore.bundle(device.account, "1").await.expect(200).value();
        assert_eq!(bundle["devices"][0]["signedPreKey"]["keyId"], 1);
    }

    async fn kyber_keys_of_both_sorts_share_their_ids(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let as_last_resort = kyber_pre_keys(&device.identity, 1000, 1);
        let as_one_time = device.identity.kyber_pre_key(2);

        let one = device.client.put("/v1/keys", &json!({"pqPreKeys": as_last_resort})).await.expect(409);
        let other = device.client.put("/v1/keys", &json!({"pqLastResortPreKey": as_one_time})).await.expect(409);

        assert_eq!(one.problem().extensions["conflictingKeyIds"], json!([1000]));
        assert_eq!(other.problem().extensions["conflictingKeyIds"], json!([2]));
    }

    async fn signed_keys_are_replaced(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let (signed, last) = (device.identity.signed_pre_key(2), device.identity.kyber_pre_key(1001));
        for _ in 0..4 {
            keystore.bundle(device.account, "1").await.assert_status(200);
        }
        assert_eq!(device.counts().await, [0, 0, 1]);

        put(&device, json!({"signedPreKey": signed, "pqLastResortPreKey": last})).await;

        assert_eq!(device.counts().await, [0, 0, 0]);
        let bundle = keystore.bundle(device.account, "1").await.expect(200).value();
        assert_eq!(bundle["devices"][0]["signedPreKey"], json!(signed));
        assert_eq!(bundle["devices"][0]["pqPreKey"], json!(last));
        assert_eq!(device.counts().await, [0, 0, 1]);
    }

    async fn a_key_that_was_given_out_is_never_taken_in_again(db: TestDb) {
        let keystore = Keystore::start_with(&db, &[("keystore.tombstone_days", "2")]).await;
        let device = keystore.person().await;
        let first = keystore.bundle(device.account, "1").await.expect(200).value()["devices"][0].clone();
        let (ec, pq) = (first["preKey"].clone(), first["pqPreKey"].clone());
        let mut renamed = ec.clone();
        renamed["keyId"] = json!(77);

        let again = put(&device, json!({"preKeys": [ec], "pqPreKeys": [pq]})).await;
        let under_another_id = put(&device, json!({"preKeys": [renamed]})).await;
        let sibling = keystore.device(device.account, &device.identity).await;
        let on_another_device = put(&sibling, json!({"preKeys": [renamed]})).await;

        assert_eq!(again, json!({"count": 2, "pqCount": 2, "alreadyUsed": [1, 1]}));
        assert_eq!(under_another_id["alreadyUsed"], json!([77]));
        assert_eq!(on_another_device["alreadyUsed"], json!([77]));
        for _ in 0..3 {
            let bundle = keystore.bundle(device.account, "1").await.expect(200).value();
            assert_ne!(bundle["devices"][0]["preKey"], first["preKey"]);
            assert_ne!(bundle["devices"][0]["pqPreKey"], first["pqPreKey"]);
        }
    }

    async fn tombstones_are_forgotten_when_their_days_are_over(db: TestDb) {
        let keystore = Keystore::start_with(&db, &[("keystore.tombstone_days", "2")]).await;
        let device = keystore.person().await;
        keystore.bundle(device.account, "1").await.assert_status(200);
        let tables = Db::new(db.settings(), "keystore").unwrap();
        keystore.clock.advance(DAY + DAY);
        wait_until("a sweep or two", || async { rows_of(&tables, "issued_keys", device.account).await == 2 }).await;

        keystore.clock.advance(DAY);

        wait_until("none to be left", || async { rows_of(&tables, "issued_keys", device.account).await == 0 }).await;
    }

    async fn a_device_may_have_so_many_keys_waiting(db: TestDb) {
        let keystore = Keystore::start_with(&db, &[("keystore.max_one_time_keys", "100")]).await;
        let device = keystore.person().await;

        let refused = device.client.put("/v1/keys", &json!({"preKeys": pre_keys(10, 98)})).await.expect(422);
        let stored = put(&device, json!({"preKeys": pre_keys(10, 97)})).await;

        assert_eq!(refused.problem().slug(), "too-many-keys");
        assert_eq!(stored["count"], 100);
    }
}
