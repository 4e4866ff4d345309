//! `test_message.py`.

use reqwest::Method;
use serde_json::json;
use testkit::on_both;

use crate::harness::{
    Server, User, assert_detail, assert_device_changed, assert_incorrect, assert_no_recipient, message,
};

/// The same user, who believes to have another device.
fn changed(user: &User) -> User {
    User { registration_id: user.registration_id + 1, ..user.clone() }
}

on_both! {
    async fn test_send_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        let sent = alice.send(&bob, "test").await.expect(201).value();

        let expected = json!({"id": sent["id"], "content": message(5678, "test"), "senderAddress": "alice.1",
            "senderRegistrationID": 1234, "recipientAddress": "bob.1"});
        assert!(sent["id"].is_i64());
        assert_eq!(sent, expected);
        assert_eq!(bob.messages().await, [sent]);
    }

    async fn test_receive_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let sent = alice.send(&bob, "test").await.expect(201).value();

        let received = bob.messages().await;

        assert_eq!(received[0]["id"], sent["id"]);
        assert_eq!(bob.messages().await, received, "reading takes nothing");
    }

    async fn test_delete_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let first = alice.send(&bob, "test").await.expect(201).value();
        let second = alice.send(&bob, "test2").await.expect(201).value();

        let deleted = bob.delete(&json!([first["id"], second["id"]])).await.expect(200).value();

        assert_eq!(deleted, json!(["success", "success"]));
        assert_eq!(bob.messages().await.len(), 0);
    }

    async fn test_non_existant_recipient_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        let body = json!({"recipient": "carol", "message": message(5678, "test")});
        assert_no_recipient(&alice.post("messages", &body).await);

        assert_eq!(bob.messages().await.len() + alice.messages().await.len(), 0);
    }

    // test_incorrectly_formatted_email_message: in profile S a recipient is a name, which has no form of its own.
    async fn test_incorrectly_formatted_email_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        let body = json!({"recipient": "test", "message": message(5678, "test")});
        assert_no_recipient(&alice.post("messages", &body).await);

        assert_eq!(bob.messages().await.len(), 0);
    }

    async fn test_no_json_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        let body = json!({"recipient": "bob", "message": "notjson"});
        assert_incorrect(&alice.post("messages", &body).await);

        assert_eq!(bob.messages().await.len(), 0);
    }

    async fn test_changed_identity_send_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        assert_device_changed(&changed(&alice).send(&bob, "test").await);

        assert_eq!(bob.messages().await.len(), 0);
    }

    async fn test_changed_identity_receive_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        assert_device_changed(&alice.client.get(&changed(&alice).own("messages")).await);
    }

    async fn test_changed_identity_delete_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let sent = alice.send(&bob, "test").await.expect(201).value();

        assert_device_changed(&changed(&bob).delete(&json!([sent["id"]])).await);

        assert_eq!(bob.messages().await, [sent]);
    }

    async fn test_no_messages_available(db: TestDb) {
        let server = Server::start(&db).await;
        let (_, bob) = server.pair().await;

        let answer = bob.client.get("/messages/5678/").await.expect(200);

        assert_eq!(answer.text(), "[]");
    }

    async fn test_delete_message_not_owner(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let sent = bob.send(&alice, "test").await.expect(201).value();

        let deleted = bob.delete(&json!([sent["id"]])).await.expect(200).value();

        assert_eq!(deleted, json!(["not_message_owner"]));
        assert_eq!(alice.messages().await, [sent]);
    }

    async fn test_put_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        let put = alice.client.request(Method::PUT, "/messages/1234/").json(&json!([]));
        let refused = alice.client.send(put).await;

        assert_detail(&refused, 405);
        assert_eq!(refused.header("allow"), Some("DELETE, GET, HEAD, OPTIONS, POST"));
    }
}
