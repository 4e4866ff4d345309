//! What each party sees when a device changes (§10).

use serde_json::json;
use testkit::on_both;

use crate::harness::{
    Server, User, assert_device_changed, assert_identity_changed, assert_no_device,
    assert_no_recipient_device, message,
};

on_both! {
    async fn a_deleted_device_takes_what_waits_for_it_along(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, mut bob) = server.pair().await;
        alice.send(&bob, "lost").await.assert_status(201);

        bob.client.delete("/device/").await.assert_status(204);

        assert_no_device(&bob.client.get("/messages/5678/").await);
        assert_no_device(&bob.delete(&json!([1])).await);
        assert_no_device(&bob.send(&alice, "x").await);
        assert_no_device(&bob.fetch("alice").await);
        assert_no_device(&bob.post("prekeys", &json!([{}])).await);
        assert_no_device(&bob.post("signedprekey", &json!({})).await);
        assert_no_recipient_device(&alice.send(&bob, "x").await);
        assert_no_recipient_device(&alice.fetch("bob").await);
        bob.register(5678, 0).await;
        assert_eq!(bob.messages().await.len(), 0, "old messages do not come back");
        alice.send(&bob, "x").await.assert_status(201);
    }

    async fn a_device_with_another_id_is_another_for_everybody(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, mut bob) = server.pair().await;
        alice.send(&bob, "lost").await.assert_status(201);
        let before = bob.clone();

        bob.client.delete("/device/5678/").await.assert_status(204);
        bob.register(8765, 1).await;

        for answer in [
            before.client.get("/messages/5678/").await,
            before.delete(&json!([1])).await,
            before.send(&alice, "x").await,
            before.fetch("alice").await,
            before.post("prekeys", &json!([{}])).await,
            before.post("signedprekey", &json!({})).await,
        ] {
            assert_device_changed(&answer);
        }
        assert_identity_changed(&alice.send(&before, "x").await);
        assert_eq!(alice.fetch("bob").await.expect(200).value()["registrationId"], 8765);
        assert_eq!(bob.messages().await.len(), 0);
        alice.send(&bob, "x").await.assert_status(201);
        assert_eq!(bob.messages().await.len(), 1);
    }

    async fn what_a_device_has_sent_stays_when_it_or_its_account_goes(db: TestDb) {
        let server = Server::start(&db).await;
        let (mut alice, bob) = server.pair().await;
        let first = alice.send(&bob, "from the first").await.expect(201).value();

        alice.client.delete("/device/").await.assert_status(204);
        alice.register(4321, 0).await;
        let second = alice.send(&bob, "from the second").await.expect(201).value();
        alice.delete_account().await;

        assert_eq!((&first["senderRegistrationID"], &second["senderRegistrationID"]), (&json!(1234), &json!(4321)));
        assert_eq!(bob.messages().await, [first.clone(), second.clone()]);
        let ids = json!([first["id"], second["id"]]);
        assert_eq!(bob.delete(&ids).await.expect(200).value(), json!(["success", "success"]));
    }

    async fn a_changed_name_keeps_the_device_and_its_messages(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        alice.send(&bob, "kept").await.assert_status(201);

        let body = json!({"new_username": "robert", "username": "robert", "current_password": crate::harness::PASSWORD});
        let renamed = bob.client.post("/auth/username/", &body).await;
        assert!(renamed.status.is_success(), "{}", renamed.text());
        assert_eq!(bob.client.get("/messages/5678/").await.status, 401, "the token ends with the name");
        let token = crate::harness::log_in(&server.host.http, "robert").await;
        let robert = User { client: bob.client.with_token(token), username: "robert".to_owned(), ..bob };

        assert_eq!(robert.messages().await.len(), 1);
        alice.fetch("robert").await.assert_status(200);
        let old = json!({"recipient": "bob", "message": message(5678, "x")});
        crate::harness::assert_no_recipient(&alice.post("messages", &old).await);
    }
}
