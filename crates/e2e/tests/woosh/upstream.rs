//! The test cases of the project itself (`test/sanity.py`, SanityTestCase), by their names.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

use crate::harness::{Server, User, assert_refused, registration};

/// A view without what the server chooses.
fn without(mut view: Value, chosen: &[&str]) -> Value {
    let members = view.as_object_mut().unwrap();
    for name in chosen {
        assert!(members.remove(*name).is_some_and(|value| value.is_i64()), "{name}");
    }
    view
}

on_both! {
    async fn test_registration(db: TestDb) {
        let server = Server::start(&db).await;

        let alice = server.user("alice").await;
        let me = alice.get("/users/me").await.expect(200).value();

        let expected = json!({"username": "alice", "public_key": "alice-public", "private_key": "alice-private", "info": ""});
        assert_eq!(without(me, &["id"]), expected);
    }

    async fn test_registration_multiple(db: TestDb) {
        let server = Server::start(&db).await;

        server.user("alice").await;
        server.user("bob").await;

        server.nobody().post("/users", &registration("alice!@?$")).await.assert_status(400);
        assert_refused(&server.nobody().post("/users", &registration("alice")).await, 400, "username is already in use");
    }

    async fn test_update_user(db: TestDb) {
        let server = Server::start(&db).await;
        let alice = server.user("alice").await;

        let updated = alice.post("/users/me", &json!({"info": "some info"})).await.expect(200).value();
        alice.call(Method::POST, "/users/me", "").await.assert_status(400);

        assert_eq!(updated["info"], "some info");
        assert_eq!(alice.get("/users/me").await.expect(200).value(), updated);
    }

    async fn test_user_search(db: TestDb) {
        let server = Server::start(&db).await;
        let alice = server.user("alice").await;
        server.user("bob").await;

        let found = alice.get("/users/friends?username=bob").await.expect(200).value();

        assert_eq!(without(found, &["id"]), json!({"username": "bob", "public_key": "bob-public"}));
    }

    async fn test_send_message(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob, carol) = (server.user("alice").await, server.user("bob").await, server.user("carol").await);

        let sent = alice.send("bob", "hello").await.expect(201).value();
        server.pass(1);
        let (query_time, first) = bob.poll().await;
        let (_, foreign) = carol.poll().await;
        alice.send("bob", "again").await.assert_status(201);
        let deleted = bob.delete_until(query_time).await;

        assert_eq!(without(sent.clone(), &["id", "sent_at"]), json!({"from_user": "alice", "to_user": "bob", "contents": "hello"}));
        assert_eq!((first, foreign, deleted), (vec![sent], vec![], 1));
        assert_eq!(bob.contents().await, ["again"]);
    }

    async fn test_authentication_policy(db: TestDb) {
        let server = Server::start(&db).await;
        let alice = server.user("alice").await;

        alice.get("/users/me").await.assert_status(200);
        server.nobody().get("/users/me").await.assert_status(401);
        alice.with_token("s3cr4").get("/users/me").await.assert_status(401);
    }

    async fn test_penetration(db: TestDb) {
        let server = Server::start(&db).await;
        let nobody: User = server.nobody();

        nobody.call(Method::POST, "/users", "").await.assert_status(400);
        for (method, path) in [
            (Method::GET, "/users/me"),
            (Method::POST, "/users/me"),
            (Method::GET, "/users/friends"),
            (Method::POST, "/messages"),
            (Method::GET, "/messages"),
            (Method::DELETE, "/messages"),
        ] {
            assert_refused(&nobody.call(method, path, "").await, 401, "unauthorized");
        }
    }
}
