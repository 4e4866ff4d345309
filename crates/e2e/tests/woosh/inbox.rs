//! What an inbox does with its messages.

use std::collections::HashSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::TestClient;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::harness::{Server, User, assert_refused, registration};

fn ids(messages: &[Value]) -> Vec<i64> {
    messages.iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

/// Deletes an account the way that our own interface has for it.
async fn delete_account(http: &TestClient, user: &User) {
    let login = json!({"username": user.username, "password": "s3cr3"});
    let session = http.post("/v1/sessions", &login).await.expect(201).value();
    let client = http.with_token(session["accessToken"].as_str().unwrap());
    let delete = client.request(Method::DELETE, "/v1/accounts/current").json(&json!({"password": "s3cr3"}));
    client.send(delete).await.assert_status(204);
}

on_both! {
    async fn of_250_waiting_messages_each_is_seen_before_it_is_removed(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        for number in 0..250 {
            alice.send("bob", &number.to_string()).await.assert_status(201);
        }
        server.pass(1);

        let (mut seen, mut sizes, mut removed) = (HashSet::new(), Vec::new(), Vec::new());
        loop {
            let (query_time, messages) = bob.poll().await;
            let page = ids(&messages);
            if page.is_empty() {
                break;
            }
            assert!(page.is_sorted_by(|newer, older| newer > older), "the newest first");
            assert!(seen.iter().all(|old| page.iter().all(|id| id > old)), "the oldest page first");
            sizes.push(page.len());
            seen.extend(page);
            removed.push(bob.delete_until(query_time).await);
        }

        assert_eq!((sizes, removed, seen.len()), (vec![100, 100, 50], vec![100, 100, 50], 250));
    }

    async fn what_no_poll_has_shown_stays_whatever_the_time(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        alice.send("bob", "one").await.assert_status(201);
        server.pass(10);

        assert_eq!(bob.delete_until(i64::MAX).await, 0);
        bob.call(Method::HEAD, "/messages", "").await.assert_status(200);
        assert_eq!(bob.delete_until(i64::MAX).await, 0, "HEAD shows nothing");
        let (query_time, _) = bob.poll().await;
        alice.send("bob", "two").await.assert_status(201);
        let far = bob.delete_until(query_time + 1000).await;

        assert_eq!(far, 1, "what was shown is removed by a time to come as well");
        assert_eq!(bob.contents().await, ["two"]);
    }

    async fn until_excludes_its_own_second_so_that_it_comes_again(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        alice.send("bob", "one").await.assert_status(201);

        let (query_time, first) = bob.poll().await;
        assert_eq!(bob.delete_until(query_time).await, 0);
        let (_, again) = bob.poll().await;

        assert_eq!(again, first);
        assert_eq!(bob.delete_until(-1).await, 0);
        assert_eq!(bob.delete_until(query_time + 1).await, 1);
        assert_eq!(bob.poll().await, (query_time, vec![]));
    }

    async fn ids_ascend_and_are_not_used_again(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob, carol) = (server.user("alice").await, server.user("bob").await, server.user("carol").await);
        let mut all = Vec::new();

        for round in 0..3 {
            for to in ["bob", "carol"] {
                all.push(alice.send(to, &round.to_string()).await.expect(201).value()["id"].as_i64().unwrap());
            }
            server.pass(1);
            for user in [&bob, &carol] {
                let (query_time, _) = user.poll().await;
                assert_eq!(user.delete_until(query_time).await, 1);
            }
        }

        assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
    }

    async fn a_deletion_concerns_nobody_else(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob, carol) = (server.user("alice").await, server.user("bob").await, server.user("carol").await);
        alice.send("bob", "for bob").await.assert_status(201);
        alice.send("carol", "for carol").await.assert_status(201);
        server.pass(1);
        let (query_time, _) = bob.poll().await;
        carol.poll().await;

        assert_eq!(bob.delete_until(query_time).await, 1);
        assert_eq!(alice.delete_until(query_time).await, 0);

        assert_eq!(carol.contents().await, ["for carol"]);
    }

    async fn sends_at_once_are_all_stored_and_shown(db: TestDb) {
        let server = Server::start(&db).await;
        let bob = server.user("bob").await;
        let mut senders = Vec::new();
        for number in 0..4 {
            senders.push(server.user(&format!("sender{number}")).await);
        }

        let sends = senders.iter().flat_map(|sender| (0..20).map(move |number| (sender, number)));
        let sent = join_all(sends.map(|(sender, number)| async move {
            sender.send("bob", &number.to_string()).await.expect(201).value()["id"].as_i64().unwrap()
        })).await;
        server.pass(1);
        let (query_time, messages) = bob.poll().await;

        assert_eq!(ids(&messages).into_iter().collect::<HashSet<_>>(), sent.into_iter().collect());
        assert_eq!(bob.delete_until(query_time).await, 80);
    }

    async fn a_full_inbox_refuses_and_keeps_what_it_has(db: TestDb) {
        let server = Server::start_with(&db, &[("mailbox.max_envelopes", "2")]).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        for contents in ["one", "two"] {
            alice.send("bob", contents).await.assert_status(201);
        }

        assert_refused(&alice.send("bob", "three").await, 507, "inbox is full");
        server.pass(1);
        let (query_time, messages) = bob.poll().await;
        assert_eq!((messages.len(), bob.delete_until(query_time).await), (2, 2));

        alice.send("bob", "three").await.assert_status(201);
    }

    async fn what_nobody_fetches_expires(db: TestDb) {
        let server = Server::start_with(&db, &[("mailbox.ttl", "1h"), ("mailbox.sweep_every", "20ms")]).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        alice.send("bob", "old").await.assert_status(201);
        server.pass(3599);
        alice.send("bob", "young").await.assert_status(201);

        server.pass(2);

        wait_until("only what is young", || async { bob.contents().await == ["young"] }).await;
    }

    async fn who_takes_the_name_of_a_deleted_account_inherits_nothing(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        alice.send("bob", "to the first bob").await.assert_status(201);
        bob.send("alice", "from the first bob").await.assert_status(201);

        delete_account(&server.host.http, &bob).await;
        assert_refused(&bob.get("/messages").await, 401, "unauthorized");
        assert_refused(&alice.send("bob", "to nobody").await, 404, "user not found");
        let second = server.user("bob").await;
        second.send("alice", "from the second bob").await.assert_status(201);

        assert_eq!(second.contents().await, [""; 0]);
        let (_, messages) = alice.poll().await;
        let from: Vec<_> = messages.iter().map(|message| (&message["from_user"], &message["contents"])).collect();
        assert_eq!(from, [
            (&json!("bob"), &json!("from the second bob")),
            (&json!("deleted user"), &json!("from the first bob")),
        ]);
        assert_refused(&server.nobody().post("/users", &registration("deleted user")).await, 400,
            "bad username, should be alphanumeric, not shorter than 3 and not longer than 32 characters");
    }

    async fn messages_of_the_worlds_do_not_mix(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let http = &server.host.http;
        let native = json!({"username": "carol", "password": "correct horse battery"});
        http.post("/v1/accounts", &native).await.assert_status(201);
        alice.send("bob", "hello").await.assert_status(201);
        let login = json!({"username": "bob", "password": "s3cr3"});
        let session = http.post("/v1/sessions", &login).await.expect(201).value();
        let token = session["accessToken"].as_str().unwrap();

        assert_refused(&alice.send("carol", "hello").await, 404, "user not found");
        let native = http.with_token(token).get("/v1/messages").await;
        assert_eq!(native.problem().slug(), "device-required");
        let to_bob = format!("/v1/messages/{}", session["accountId"].as_str().unwrap());
        let send = json!({"messages": [], "timestamp": 1});
        http.with_token(token).put(&to_bob, &send).await.assert_status(403);
        assert_eq!(bob.contents().await, ["hello"]);
    }
}
