//! `test_device.py`.

use reqwest::Method;
use serde_json::json;
use testkit::on_both;

use crate::harness::{
    Server, assert_coded, assert_detail, assert_invalid, assert_no_device, assert_no_recipient_device,
};

on_both! {
    async fn test_device_creation(db: TestDb) {
        let server = Server::start(&db).await;
        let (mut alice, mut bob) = (server.user("alice").await, server.user("bob").await);
        bob.register(5678, 0).await;
        alice.registration_id = 1234;
        let device = alice.device(1234, 2);

        let created = alice.client.post("/device/", &device).await;

        assert_coded(&created, 201, "device_created", "Device successfully created");
        for prekey in 0..2 {
            let expected = json!({"address": "alice.1", "identityKey": device["identityKey"], "registrationId": 1234,
                "preKey": device["preKeys"][prekey], "signedPreKey": device["signedPreKey"]});
            assert_eq!(bob.fetch("alice").await.expect(200).value(), expected);
        }
        assert_eq!(alice.messages().await.len(), 0);
    }

    async fn test_incorrect_device_creation(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, mut bob) = (server.user("alice").await, server.user("bob").await);
        bob.register(5678, 0).await;
        let mut device = alice.device(1234, 2);
        device["identityKey"] = json!("abcd");

        let refused = alice.client.post("/device/", &device).await;

        assert!(assert_invalid(&refused)["identityKey"].is_array());
        assert_no_recipient_device(&bob.fetch("alice").await);
        assert_no_device(&alice.client.delete("/device/").await);
    }

    async fn test_single_device_creation(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        let refused = alice.client.post("/device/", &alice.device(4321, 2)).await;

        assert_coded(&refused, 403, "device_exists", "A device has already been created for this user");
        assert_eq!(bob.fetch("alice").await.expect(200).value()["registrationId"], 1234);
    }

    async fn test_device_deletion(db: TestDb) {
        let server = Server::start(&db).await;
        let (mut alice, bob) = server.pair().await;

        for path in ["/device/1234/", "/device/1234", "/device/x", "/device/"] {
            let deleted = alice.client.delete(path).await.expect(204);
            assert_eq!(deleted.text(), "", "{path}");
            assert_no_recipient_device(&bob.fetch("alice").await);
            alice.register(1234, 1).await;
        }
    }

    async fn test_device_put(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        for method in [Method::PUT, Method::PATCH] {
            let refused = alice.client.send(alice.client.request(method, "/device/1234/").json(&json!({}))).await;
            assert_detail(&refused, 405);
            assert_eq!(refused.header("allow"), Some("DELETE, OPTIONS, POST"));
        }
    }

    async fn test_device_get(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        assert_detail(&alice.client.get("/device/").await, 405);
    }
}
