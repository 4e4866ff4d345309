//! `test_prekey_bundle.py`.

use reqwest::Method;
use testkit::on_both;

use crate::harness::{
    Server, User, assert_detail, assert_device_changed, assert_no_device, assert_no_prekeys,
    assert_no_recipient, assert_no_recipient_device,
};

/// Bob's one prekey waits still.
async fn assert_kept(bob: &User) {
    bob.fetch("bob").await.assert_status(200);
}

on_both! {
    async fn test_get_prekey_bundle(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        let bundle = alice.fetch("bob").await.expect(200).value();

        assert_eq!((&bundle["address"], &bundle["registrationId"]), (&"bob.1".into(), &5678.into()));
        assert_eq!(bundle["identityKey"], bob.identity.public_key().to_string());
        assert_eq!((&bundle["preKey"]["keyId"], &bundle["signedPreKey"]["keyId"]), (&1.into(), &1.into()));
        assert_eq!(bundle["preKey"]["publicKey"].as_str().unwrap().len(), 44);
        assert_eq!(bundle["signedPreKey"]["signature"].as_str().unwrap().len(), 88);
        assert_no_prekeys(&alice.fetch("bob").await);
    }

    async fn test_get_prekey_bundle_no_prekeys(db: TestDb) {
        let server = Server::start(&db).await;
        let (mut alice, mut bob) = (server.user("alice").await, server.user("bob").await);
        alice.register(1234, 1).await;
        bob.register(5678, 0).await;

        assert_no_prekeys(&alice.fetch("bob").await);
    }

    // test_get_prekey_bundle_address_not_hex: in profile S the path has a name, and nothing in it is wrong in itself.
    async fn test_get_prekey_bundle_address_not_hex(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        assert_no_recipient(&alice.fetch("test2.1").await);

        assert_kept(&bob).await;
    }

    async fn test_get_prekey_bundle_no_sender_device(db: TestDb) {
        let server = Server::start(&db).await;
        let (_, bob) = server.pair().await;
        let carol = User { registration_id: 1234, ..server.user("carol").await };

        assert_no_device(&carol.fetch("bob").await);

        assert_kept(&bob).await;
    }

    async fn test_get_prekey_bundle_no_recipient_device(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;
        server.user("carol").await;

        assert_no_recipient_device(&alice.fetch("carol").await);
    }

    async fn test_get_prekey_bundle_changed_identity(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        for registration_id in [1235, 1_000_000] {
            assert_device_changed(&User { registration_id, ..alice.clone() }.fetch("bob").await);
        }
        let beyond = alice.client.get("/prekeybundle/bob/99999999999999999999999999/").await;

        assert_device_changed(&beyond);
        assert_kept(&bob).await;
    }

    async fn test_get_prekey_bundle_recipient_user_does_not_exist(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        assert_no_recipient(&alice.fetch("carol").await);
    }

    async fn test_put_prekey_bundle(db: TestDb) {
        refuses(&db, Method::PUT).await;
    }

    async fn test_post_prekey_bundle(db: TestDb) {
        refuses(&db, Method::POST).await;
    }

    async fn test_delete_prekey_bundle(db: TestDb) {
        refuses(&db, Method::DELETE).await;
    }
}

async fn refuses(db: &testkit::database::TestDb, method: Method) {
    let server = Server::start(db).await;
    let (alice, bob) = server.pair().await;

    let refused = alice.client.send(alice.client.request(method, "/prekeybundle/bob/1234/")).await;

    assert_detail(&refused, 405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
    assert_kept(&bob).await;
}
