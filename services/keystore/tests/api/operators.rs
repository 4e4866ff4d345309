//! What operators see of devices, and do with them.

use std::time::Duration;

use common::models::AccountId;
use serde_json::{Value, json};
use testkit::clock::START;
use testkit::host::ADMIN_TOKEN;
use testkit::http::TestClient;
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity};

use crate::harness::Keystore;

const AUDIT: &str = "/internal/keystore/v1/audit";

fn operator(keystore: &Keystore) -> TestClient {
    keystore.host.internal.with_token(ADMIN_TOKEN)
}

fn path(account: AccountId) -> String {
    format!("/internal/keystore/v1/operators/accounts/{account}/devices")
}

async fn facts(keystore: &Keystore, account: AccountId) -> Value {
    operator(keystore).get(&path(account)).await.expect(200).value()["devices"].clone()
}

on_both! {
    async fn an_operator_sees_how_many_keys_are_left_and_when_the_signed_one_was_replaced(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let registration = DeviceRegistration::new(&identity).with_keys(&identity, 3, 2);
        let device = keystore.device_with(account, &identity, &registration).await;
        keystore.bundle(account, "*").await.assert_status(200);

        let before = facts(&keystore, account).await;
        keystore.clock.advance(Duration::from_secs(60));
        let same = serde_json::to_value(&registration).unwrap()["signedPreKey"].clone();
        device.client.put("/v1/keys", &json!({"signedPreKey": same})).await.assert_status(200);
        let unchanged = facts(&keystore, account).await;
        let other = serde_json::to_value(DeviceRegistration::new(&identity)).unwrap()["signedPreKey"].clone();
        device.client.put("/v1/keys", &json!({"signedPreKey": other})).await.assert_status(200);
        let rotated = facts(&keystore, account).await;

        assert_eq!(before, json!([{"kind": "native", "deviceId": 1, "state": "active", "createdAt": START.as_i64(),
            "preKeys": [{"kind": "ec", "left": 2}, {"kind": "pq", "left": 1}], "rotatedAt": START.as_i64(), "lastResortServed": 0}]));
        assert_eq!(unchanged[0]["rotatedAt"], START.as_i64(), "the same key again is no rotation");
        assert_eq!(rotated[0]["rotatedAt"], START.as_i64() + 60_000);
        assert_eq!(facts(&keystore, AccountId::new()).await, json!([]));
    }

    async fn an_operator_removes_a_device_as_its_owner_can_and_leaves_an_entry(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        let one = format!("{}/{}", path(device.account), device.id);

        operator(&keystore).delete(&one).await.assert_status(204);
        operator(&keystore).delete(&format!("{}/9", path(device.account))).await.assert_status(404);
        facts(&keystore, device.account).await;

        assert_eq!(keystore.device_ids(device.account).await, [0_i64; 0]);
        device.client.get("/v1/keys").await.assert_status(401);
        let log = operator(&keystore).get(AUDIT).await.expect(200).value();
        let actions: Vec<&str> = log.as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["devices.remove", "devices.list"], "what fails leaves none");
        assert_eq!(log[0]["target"], format!("account={} device={}", device.account, device.id));
        assert!(log.as_array().unwrap().iter().all(|one| one["intact"] == true));
    }

    async fn strangers_get_nothing(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;

        for stranger in [&keystore.host.internal, &device.client] {
            let status = stranger.get(&path(device.account)).await.status;
            assert!([401, 404].contains(&status.as_u16()), "{status}");
        }
        keystore.host.internal.delete(&format!("{}/1", path(device.account))).await.assert_status(401);
        keystore.host.internal.get(AUDIT).await.assert_status(401);
    }
}

#[test]
fn every_route_is_known_above() {
    let description = web::openapi("", "", &web::routes(keystore::internal_routes));
    let description = serde_json::to_value(description).unwrap();

    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();

    let base = "/internal/keystore/v1/operators/accounts/{account}/devices";
    assert_eq!(paths, [AUDIT, base, &format!("{base}/{{device}}")], "see that the new one leaves an entry");
}
