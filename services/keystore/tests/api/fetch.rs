//! Bundles: who gets which key.

use std::collections::HashSet;

use common::models::AccountId;
use db::{Db, DbError};
use diesel::RunQueryDsl;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity, PreKey, SignedPreKey};

use crate::harness::{Device, Keystore};

const FETCHERS: usize = 64;
const KEYS: usize = 100;

/// A device with as many keys of each kind as a request carries.
async fn rich(keystore: &Keystore) -> (Device, DeviceRegistration) {
    let identity = Identity::new();
    let registration = DeviceRegistration::new(&identity).with_keys(&identity, KEYS, KEYS);
    (keystore.device_with(AccountId::new(), &identity, &registration).await, registration)
}

/// Many fetch at once, spread over the instances, until there must be nothing left; returns all that was given.
async fn drain(instances: &[&Keystore], device: &Device) -> Vec<Value> {
    let path = format!("/v1/keys/{}/1", device.account);
    let fetchers = (0..FETCHERS).map(|nr| {
        let client = instances[nr % instances.len()].log_in(AccountId::new()).client;
        let path = &path;
        async move {
            let mut given = Vec::new();
            for _ in 0..2 {
                given.push(client.get(path).await.expect(200).value()["devices"][0].clone());
            }
            given
        }
    });
    join_all(fetchers).await.into_iter().flatten().collect()
}

/// Each key of the registration was given once; the other fetchers got none, and the last-resort key.
async fn assert_each_given_once(device: &Device, registration: &DeviceRegistration, given: &[Value]) {
    let ec: Vec<PreKey> = given
        .iter()
        .filter(|one| !one["preKey"].is_null())
        .map(|one| serde_json::from_value(one["preKey"].clone()).unwrap())
        .collect();
    let all_pq: Vec<SignedPreKey> =
        given.iter().map(|one| serde_json::from_value(one["pqPreKey"].clone()).unwrap()).collect();
    let last_resort = |key: &&SignedPreKey| key.key_id == registration.pq_last_resort_pre_key.key_id;
    let pq: Vec<&SignedPreKey> = all_pq.iter().filter(|key| !last_resort(key)).collect();

    assert_eq!((ec.len(), pq.len()), (KEYS, KEYS));
    assert_eq!(ec.iter().map(|key| &key.public_key).collect::<HashSet<_>>().len(), KEYS);
    assert_eq!(pq.iter().map(|key| &key.public_key).collect::<HashSet<_>>().len(), KEYS);
    assert!(ec.iter().all(|key| registration.pre_keys.contains(key)));
    assert!(pq.iter().all(|key| registration.pq_pre_keys.contains(key)));
    let rest = all_pq.iter().filter(last_resort);
    assert!(rest.clone().all(|key| *key == registration.pq_last_resort_pre_key));
    assert_eq!(rest.count(), 2 * FETCHERS - KEYS);
    assert_eq!(device.counts().await, [0, 0, i64::try_from(2 * FETCHERS - KEYS).unwrap()]);
}

on_both! {
    async fn many_fetchers_at_once_get_each_key_once(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (device, registration) = rich(&keystore).await;

        let given = drain(&[&keystore], &device).await;

        assert_each_given_once(&device, &registration, &given).await;
    }

    async fn keys_uploaded_again_while_they_are_fetched_are_given_once(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (device, registration) = rich(&keystore).await;
        let again = json!({"preKeys": registration.pre_keys, "pqPreKeys": registration.pq_pre_keys});
        let uploading = async {
            for _ in 0..5 {
                device.client.put("/v1/keys", &again).await.assert_status(200);
            }
        };

        let instances = [&keystore];
        let (given, ()) = tokio::join!(drain(&instances, &device), uploading);

        assert_each_given_once(&device, &registration, &given).await;
    }

    async fn keys_replaced_by_themselves_while_they_are_fetched_are_given_once(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (device, registration) = rich(&keystore).await;
        let (ec, pq) = (&registration.pre_keys, &registration.pq_pre_keys);
        let same = json!({"mode": "replace", "preKeys": ec, "pqPreKeys": pq});
        let replacing = async {
            for _ in 0..5 {
                device.client.put("/v1/keys", &same).await.assert_status(200);
            }
        };

        let instances = [&keystore];
        let (given, ()) = tokio::join!(drain(&instances, &device), replacing);

        // While they are being replaced there are none to give: fewer than all may have been.
        let ids = |field: &str| -> Vec<i64> {
            let keys = given.iter().filter_map(|one| one[field]["keyId"].as_i64());
            keys.filter(|id| *id != registration.pq_last_resort_pre_key.key_id).collect()
        };
        for (kind, ids) in [ids("preKey"), ids("pqPreKey")].into_iter().enumerate() {
            assert!(!ids.is_empty());
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
            assert_eq!(device.counts().await[kind], i64::try_from(KEYS - ids.len()).unwrap());
        }
    }

    async fn one_device_is_fetched_without_touching_the_others(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let (first, second) = (keystore.device(account, &identity).await, keystore.device(account, &identity).await);

        let one = keystore.bundle(account, "2").await.expect(200).value();
        let all = keystore.bundle(account, "*").await.expect(200).value();

        let ids = |bundle: &Value| -> Vec<Value> {
            bundle["devices"].as_array().unwrap().iter().map(|device| device["deviceId"].clone()).collect()
        };
        assert_eq!((ids(&one), ids(&all)), (vec![json!(2)], vec![json!(1), json!(2)]));
        assert_eq!((first.counts().await, second.counts().await), ([2, 2, 0], [1, 1, 0]));
    }

    async fn a_last_resort_key_looks_like_any_other(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let fields = |bundle: &Value| -> Vec<String> {
            bundle["devices"][0].as_object().unwrap().keys().cloned().collect()
        };
        let first = keystore.bundle(device.account, "1").await.expect(200).value();
        for _ in 0..2 {
            keystore.bundle(device.account, "1").await.assert_status(200);
        }

        let last = keystore.bundle(device.account, "1").await.expect(200).value();

        assert_eq!(fields(&first), fields(&last));
        assert_eq!(last["devices"][0]["preKey"], Value::Null);
        let keys = |key: &Value| -> Vec<String> { key.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(keys(&first["devices"][0]["pqPreKey"]), keys(&last["devices"][0]["pqPreKey"]));
    }

    async fn a_device_without_a_signed_kyber_key_is_in_no_bundle(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let identity = Identity::new();
        let bare = DeviceRegistration::new(&identity).with_keys(&identity, 1, 0);
        let broken = keystore.device_with(AccountId::new(), &identity, &bare).await;
        let sound = keystore.device(broken.account, &identity).await;
        let tables = Db::new(db.settings(), "keystore").unwrap();
        let losing = format!(
            "DELETE FROM last_resort_keys WHERE account_id = '{}' AND device_id = 1",
            broken.account
        );
        tables.write(move |conn| Ok::<_, DbError>(diesel::sql_query(losing).execute(conn)?)).await.unwrap();

        let one = keystore.bundle(broken.account, "1").await.expect(404);
        let all = keystore.bundle(broken.account, "*").await.expect(200).value();

        assert_eq!(one.problem().slug(), "keys-not-found");
        assert_eq!(all["devices"].as_array().unwrap().len(), 1);
        assert_eq!(all["devices"][0]["deviceId"], json!(sound.id));
        let metrics = keystore.host.internal.get("/metrics").await.text();
        assert!(metrics.contains("sealpost_keystore_bundles_withheld_total{service=\"keystore\"} 2"), "{metrics}");
    }

    async fn a_key_that_is_remembered_as_given_is_not_given_whatever_the_tables_say(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let tables = Db::new(db.settings(), "keystore").unwrap();
        let forging = "INSERT INTO issued_keys (account_id, key_hash, issued_at) \
            SELECT account_id, key_hash, 9000000000000 FROM one_time_keys WHERE kind = 'ec'";
        tables.write(move |conn| Ok::<_, DbError>(diesel::sql_query(forging).execute(conn)?)).await.unwrap();

        keystore.bundle(device.account, "1").await.assert_status(500);

        assert_eq!(device.counts().await, [3, 3, 0]);
        device.client.delete("/v1/keys/onetime").await.assert_status(204);
        keystore.bundle(device.account, "1").await.assert_status(200);
    }

    async fn of_one_account_all_devices_and_single_ones_are_fetched_at_once(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let registration = || DeviceRegistration::new(&identity).with_keys(&identity, KEYS, 0);
        for _ in 0..3 {
            keystore.device_with(account, &identity, &registration()).await;
        }

        let targets = ["*", "1", "2", "*", "3", "1", "*", "2"];
        let bundles = targets.iter().cycle().take(FETCHERS).map(|target| keystore.bundle(account, target));
        let bundles = join_all(bundles).await;

        let mut given = HashSet::new();
        for (bundle, target) in bundles.into_iter().zip(targets.iter().cycle()) {
            let bundle = bundle.expect(200).value();
            let devices = bundle["devices"].as_array().unwrap();
            assert_eq!(devices.len(), if *target == "*" { 3 } else { 1 });
            for device in devices {
                assert!(given.insert(device["preKey"]["publicKey"].to_string()), "given twice");
            }
        }
    }

    async fn there_is_no_bundle_of_nobody(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;

        for (account, id) in [(AccountId::new(), "*"), (AccountId::new(), "1"), (device.account, "2")] {
            assert_eq!(keystore.bundle(account, id).await.expect(404).problem().slug(), "keys-not-found");
        }
        keystore.host.http.get(&format!("/v1/keys/{}/1", device.account)).await.assert_status(401);
        assert_eq!(device.counts().await, [3, 3, 0]);
    }

    async fn two_instances_on_one_database_give_each_key_once(db: TestDb) {
        let one = Keystore::start(&db).await;
        let other = one.another(&db).await;
        let (device, registration) = rich(&one).await;

        let given = drain(&[&one, &other], &device).await;

        assert_each_given_once(&device, &registration, &given).await;
    }
}
