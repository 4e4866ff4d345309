//! `test_prekeys.py`.

use reqwest::Method;
use serde_json::json;
use testkit::on_both;
use testkit::signal::PreKey;

use crate::harness::{
    Server, User, assert_coded, assert_detail, assert_device_changed, assert_invalid, assert_no_device,
    assert_no_prekeys,
};

/// So many prekeys of Alice wait, with these ids; they are gone after this.
async fn assert_waiting(alice: &User, ids: &[i64]) {
    for id in ids {
        assert_eq!(alice.fetch("alice").await.expect(200).value()["preKey"]["keyId"], *id);
    }
    assert_no_prekeys(&alice.fetch("alice").await);
}

on_both! {
    async fn test_update_prekeys(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        let stored = alice.post("prekeys", &json!([PreKey::new(2)])).await;

        assert_coded(&stored, 200, "prekeys_stored", "Prekeys successfully stored");
        assert_waiting(&alice, &[1, 2]).await;
    }

    async fn test_duplicate_prekeys(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        let refused = alice.post("prekeys", &json!([PreKey::new(2), PreKey::new(1)])).await;

        assert_coded(&refused, 400, "prekey_id_exists", "A prekey with that keyId already exists");
        assert_waiting(&alice, &[1]).await;
    }

    async fn test_incorrect_prekeys(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        let body = json!([PreKey::new(2), {"keyId": 3, "publicKey": "abcd"}]);
        let refused = alice.post("prekeys", &body).await;

        assert!(assert_invalid(&refused)["publicKey"].is_array());
        assert_waiting(&alice, &[1]).await;
    }

    async fn test_prekeys_changed_registration_id(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        let refused = alice.client.post("/prekeys/1235/", &json!([PreKey::new(3)])).await;

        assert_device_changed(&refused);
        assert_waiting(&alice, &[1]).await;
    }

    async fn test_update_prekeys_no_device(db: TestDb) {
        let server = Server::start(&db).await;
        let carol = server.user("carol").await;

        assert_no_device(&carol.client.post("/prekeys/1234/", &json!([PreKey::new(2)])).await);
    }

    async fn test_prekeys_get(db: TestDb) {
        refuses(&db, Method::GET).await;
    }

    async fn test_prekeys_put(db: TestDb) {
        refuses(&db, Method::PUT).await;
    }

    async fn test_prekeys_delete(db: TestDb) {
        refuses(&db, Method::DELETE).await;
    }
}

async fn refuses(db: &testkit::database::TestDb, method: Method) {
    let server = Server::start(db).await;
    let (alice, _) = server.pair().await;

    let refused = alice.client.send(alice.client.request(method, "/prekeys/1234/").json(&json!({}))).await;

    assert_detail(&refused, 405);
    assert_eq!(refused.header("allow"), Some("OPTIONS, POST"));
}
