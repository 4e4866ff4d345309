//! `test_signed_prekeys.py`.

use reqwest::Method;
use serde_json::json;
use testkit::on_both;

use crate::harness::{
    Server, assert_coded, assert_detail, assert_device_changed, assert_invalid, assert_no_device,
};

on_both! {
    async fn test_update_signedprekeys(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        // With the id of the one before: it is replaced all the same.
        let key = serde_json::to_value(alice.identity.signed_pre_key(1)).unwrap();

        let stored = alice.post("signedprekey", &key).await;

        assert_coded(&stored, 200, "signed_prekey_stored", "Signed prekey successfully stored");
        assert_eq!(bob.fetch("alice").await.expect(200).value()["signedPreKey"], key);
    }

    async fn test_incorrect_signedprekeys(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let mut key = serde_json::to_value(alice.identity.signed_pre_key(2)).unwrap();
        key["publicKey"] = json!("abcd");

        let refused = alice.post("signedprekey", &key).await;

        assert!(assert_invalid(&refused)["publicKey"].is_array());
        assert_eq!(bob.fetch("alice").await.expect(200).value()["signedPreKey"]["keyId"], 1);
    }

    async fn test_signedprekeys_changed_registration_id(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        let refused = alice.client.post("/signedprekey/1235/", &alice.identity.signed_pre_key(2)).await;

        assert_device_changed(&refused);
        assert_eq!(bob.fetch("alice").await.expect(200).value()["signedPreKey"]["keyId"], 1);
    }

    async fn test_signedprekeys_no_device(db: TestDb) {
        let server = Server::start(&db).await;
        let carol = server.user("carol").await;

        assert_no_device(&carol.client.post("/signedprekey/1234/", &carol.identity.signed_pre_key(2)).await);
    }

    async fn test_signedprekeys_get(db: TestDb) {
        refuses(&db, Method::GET).await;
    }

    async fn test_signedprekeys_put(db: TestDb) {
        refuses(&db, Method::PUT).await;
    }

    async fn test_signedprekeys_delete(db: TestDb) {
        refuses(&db, Method::DELETE).await;
    }
}

async fn refuses(db: &testkit::database::TestDb, method: Method) {
    let server = Server::start(db).await;
    let (alice, _) = server.pair().await;

    let refused =
        alice.client.send(alice.client.request(method, "/signedprekey/1234/").json(&json!({}))).await;

    assert_detail(&refused, 405);
    assert_eq!(refused.header("allow"), Some("OPTIONS, POST"));
}
