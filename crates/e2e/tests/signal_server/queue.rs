//! What waits: its order, its deletion, its limits, its end.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::on_both;
use testkit::wait::wait_until;

use crate::harness::{
    Server, User, assert_detail, assert_device_changed, assert_incorrect, assert_no_device,
};

fn ids(messages: &[Value]) -> Vec<i64> {
    messages.iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

on_both! {
    async fn a_list_of_any_length_is_deleted_with_a_result_for_each(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let own = async |count: usize| {
            let mut ids = Vec::new();
            for _ in 0..count {
                ids.push(alice.send(&bob, "x").await.expect(201).value()["id"].as_i64().unwrap());
            }
            ids
        };
        let foreign = bob.send(&alice, "stays").await.expect(201).value()["id"].clone();

        for count in [1, 2, 3, 4] {
            let all = own(count).await;
            assert_eq!(bob.delete(&json!(all)).await.expect(200).value(), json!(vec!["success"; count]));
            assert_eq!(bob.messages().await.len(), 0);
        }
        let [one, two, three] = own(3).await[..] else { unreachable!() };
        let mixed = json!([one, foreign, i64::MAX, "x", 1.5, null, true, [one], format!("{two}"), one, -1]);
        let results = bob.delete(&mixed).await.expect(200).value();

        let gone = "non-existant_message";
        let expected = json!(["success", "not_message_owner", gone, gone, gone, gone, gone, gone, "success", gone, gone]);
        assert_eq!(results, expected);
        assert_eq!(ids(&bob.messages().await), [three]);
        assert_eq!(alice.messages().await.len(), 1);
    }

    async fn a_deletion_of_another_shape_is_refused(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        alice.send(&bob, "x").await.assert_status(201);

        for body in [json!([]), json!({}), json!({"id": 1})] {
            assert_incorrect(&bob.delete(&body).await);
        }
        assert_incorrect(&bob.client.delete("/messages/5678/").await);
        for body in [json!(null), json!(1), json!("1")] {
            bob.delete(&body).await.assert_status(400);
        }
        assert_device_changed(&bob.client.send(
            bob.client.request(reqwest::Method::DELETE, "/messages/5679/").json(&json!([1]))
        ).await);
        let carol = User { registration_id: 1, ..server.user("carol").await };
        assert_no_device(&carol.delete(&json!([1])).await);
        assert_no_device(&carol.client.get("/messages/1/").await);

        assert_eq!(bob.messages().await.len(), 1);
    }

    async fn sends_at_once_are_all_stored_in_the_order_of_their_numbers(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;

        let sends = (0..60).map(|number| {
            let (alice, bob) = (&alice, &bob);
            async move {
                let to = if number % 3 == 0 { alice } else { bob };
                let sent = alice.send(to, &number.to_string()).await.expect(201).value();
                (sent["content"].as_str().unwrap().to_owned(), sent["id"].as_i64().unwrap())
            }
        });
        let sent: HashSet<(String, i64)> = join_all(sends).await.into_iter().collect();

        let (own, received) = (alice.messages().await, bob.messages().await);
        assert_eq!((own.len(), received.len()), (20, 40));
        assert!(ids(&own).is_sorted() && ids(&received).is_sorted());
        let stored = own.iter().chain(&received)
            .map(|one| (one["content"].as_str().unwrap().to_owned(), one["id"].as_i64().unwrap()));
        assert_eq!(stored.collect::<HashSet<_>>(), sent, "each answer names its own message");
    }

    async fn numbers_are_not_used_again(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let mut all = Vec::new();

        for _ in 0..3 {
            let sent = alice.send(&bob, "x").await.expect(201).value()["id"].clone();
            bob.delete(&json!([sent])).await.assert_status(200);
            all.push(sent.as_i64().unwrap());
        }

        assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
    }

    async fn a_full_queue_refuses_and_has_room_again(db: TestDb) {
        let bytes = crate::harness::message(5678, "x").len() * 3;
        for limit in [("mailbox.max_envelopes", "3".to_owned()), ("mailbox.max_bytes", bytes.to_string())] {
            let more = [("mailbox.max_content_bytes", "10"), (limit.0, limit.1.as_str())];
            let server = Server::start_with(&db, &more).await;
            // The tables outlive the server of the round before.
            let names = [format!("alice{}", limit.0.len()), format!("bob{}", limit.0.len())];
            let (mut alice, mut bob) = (server.user(&names[0]).await, server.user(&names[1]).await);
            alice.register(1234, 0).await;
            bob.register(5678, 0).await;
            let sends = join_all((0..6).map(|_| alice.send(&bob, "x"))).await;
            let mut statuses: Vec<u16> = sends.iter().map(|answer| answer.status.as_u16()).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 201, 201, 507, 507, 507], "{}", limit.0);
            assert_detail(&alice.send(&bob, "x").await, 507);

            let first = ids(&bob.messages().await)[0];
            bob.delete(&json!([first])).await.assert_status(200);

            alice.send(&bob, "x").await.assert_status(201);
            assert_detail(&alice.send(&bob, "x").await, 507);
            assert_eq!(bob.messages().await.len(), 3);
            server.host.stop().await;
        }
    }

    async fn what_nobody_deletes_expires(db: TestDb) {
        let more = [("mailbox.ttl", "1h"), ("mailbox.sweep_every", "20ms"), ("compat.signal_server.token_ttl", "1h"),
            ("mailbox.max_envelopes", "2")];
        let server = Server::start_with(&db, &more).await;
        let (alice, bob) = server.pair().await;
        alice.send(&bob, "old").await.assert_status(201);
        server.pass(3000);
        let young = alice.send(&bob, "young").await.expect(201).value();

        server.pass(599);
        assert_eq!(bob.messages().await.len(), 2);
        server.pass(2);
        let bob = User {
            client: bob.client.with_token(crate::harness::log_in(&server.host.http, "bob").await), ..bob
        };

        wait_until("only what is young", || async { bob.messages().await == [young.clone()] }).await;
        let alice = User {
            client: alice.client.with_token(crate::harness::log_in(&server.host.http, "alice").await), ..alice
        };
        alice.send(&bob, "its room is free").await.assert_status(201);
    }
}
