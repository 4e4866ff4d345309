//! Queues of signal_server: opened, closed, and filled by several processes at once. Their wire is tested over the real
//! services.

use common::models::{AccountId, Generation};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::http::{Answer, TestClient};
use testkit::on_both;

use crate::harness::TestApp;

/// A device, as keystore and its owner have it. Its registration id is 7.
struct Device {
    account: AccountId,
    generation: Generation,
    client: TestClient,
}

impl Device {
    async fn new(app: &TestApp) -> Self {
        let (account, generation) = (AccountId::new(), Generation::new());
        let client = app.host.http.with_token(app.signal_server_token(account));
        let device = Self { account, generation, client };
        device.open(app, generation, 7).await.assert_status(204);
        device
    }

    /// The same device, as a client of another process.
    fn at(&self, app: &TestApp) -> Self {
        let client = app.host.http.with_token(app.signal_server_token(self.account));
        Self { client, ..*self }
    }

    fn internal(&self) -> String {
        format!("/internal/mailbox/v1/signal-server/{}", self.account)
    }

    async fn open(&self, app: &TestApp, generation: Generation, registration_id: i64) -> Answer {
        let body =
            json!({"generation": generation, "registrationId": registration_id, "address": "somebody.1"});
        app.host.internal.put(&self.internal(), &body).await
    }

    async fn close(&self, app: &TestApp, generation: Generation) -> Answer {
        app.host.internal.delete(&format!("{}?generation={generation}", self.internal())).await
    }

    async fn send(&self, to: &Device, content: &str) -> Answer {
        let message = json!({"registrationId": 7, "content": content}).to_string();
        self.client.post("/messages/7/", &json!({"recipient": to.account, "message": message})).await
    }

    async fn messages(&self) -> Vec<i64> {
        let all: Vec<Value> = self.client.get("/messages/7/").await.expect(200).json();
        all.iter().map(|message| message["id"].as_i64().unwrap()).collect()
    }
}

on_both! {
    async fn opening_again_changes_nothing_and_another_life_begins_empty(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (Device::new(&app).await, Device::new(&app).await);
        alice.send(&bob, "kept").await.assert_status(201);

        bob.open(&app, bob.generation, 7).await.assert_status(204);
        assert_eq!(bob.messages().await.len(), 1);
        bob.open(&app, Generation::new(), 7).await.assert_status(204);
        assert!(bob.messages().await.is_empty());

        let late = bob.open(&app, bob.generation, 7).await.expect(409);
        assert_eq!(late.problem().slug(), "generation-closed");
        alice.send(&bob, "for the new one").await.assert_status(201);
        bob.close(&app, bob.generation).await.assert_status(204);
        assert_eq!(bob.messages().await.len(), 1, "closing the old one does not touch the new one");
        app.host.stop().await;
    }

    async fn a_close_that_overtakes_its_open_wins(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = Device::new(&app).await;
        let generation = Generation::new();

        for _ in 0..2 {
            bob.close(&app, generation).await.assert_status(204);
            bob.open(&app, generation, 8).await.assert_status(409);
        }

        assert!(bob.messages().await.is_empty());
        bob.close(&app, bob.generation).await.assert_status(204);
        assert_eq!(bob.client.get("/messages/7/").await.expect(400).value()["code"], "no_device");
        app.host.stop().await;
    }

    async fn a_deleted_account_has_no_queue_and_gets_none(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (Device::new(&app).await, Device::new(&app).await);
        alice.send(&bob, "lost").await.assert_status(201);
        bob.send(&alice, "kept").await.assert_status(201);

        app.nudge(&json!({"type": "account.deleted", "accountId": bob.account, "at": 1})).await;

        assert_eq!(alice.send(&bob, "x").await.expect(400).value()["code"], "no_device");
        let late = bob.open(&app, Generation::new(), 7).await.expect(409);
        assert_eq!(late.problem().slug(), "account-deleted");
        assert_eq!(alice.messages().await.len(), 1);
        app.host.stop().await;
    }

    async fn numbers_ascend_in_the_order_in_which_a_reader_sees_them(test: TestDb) {
        let app = TestApp::start(&test).await;
        let sibling = app.sibling(&test, &[]).await;
        let (alice, bob) = (Device::new(&app).await, Device::new(&app).await);
        let there = alice.at(&sibling);

        let sends = join_all((0..80).map(|number| {
            let from = if number % 2 == 0 { &alice } else { &there };
            let bob = &bob;
            async move { from.send(bob, "x").await.expect(201).value()["id"].as_i64().unwrap() }
        }));
        let reads = async {
            let mut seen: Vec<i64> = Vec::new();
            while seen.len() < 80 {
                let now = bob.messages().await;
                assert!(now.is_sorted() && now.starts_with(&seen), "{seen:?} {now:?}");
                seen = now;
            }
            seen
        };
        let (mut sent, seen) = tokio::join!(sends, reads);

        sent.sort_unstable();
        assert_eq!(sent, seen);
        sibling.host.stop().await;
        app.host.stop().await;
    }

    async fn two_processes_keep_to_the_room_of_a_queue(test: TestDb) {
        let limited = [("mailbox.max_envelopes", "10")];
        let app = TestApp::start_with(&test, &limited).await;
        let sibling = app.sibling(&test, &limited).await;
        let (alice, bob) = (Device::new(&app).await, Device::new(&app).await);
        let there = alice.at(&sibling);

        let mut statuses = join_all((0..40).map(|number| {
            let from = if number % 2 == 0 { &alice } else { &there };
            let bob = &bob;
            async move { from.send(bob, "x").await.status.as_u16() }
        }))
        .await;

        statuses.sort_unstable();
        assert_eq!(statuses, [vec![201; 10], vec![507; 30]].concat());
        let ids = bob.messages().await;
        assert_eq!(ids.len(), 10);
        let request = bob.client.request(reqwest::Method::DELETE, "/messages/7/").json(&ids);
        bob.client.send(request).await.assert_status(200);
        join_all((0..10).map(async |_| there.send(&bob, "x").await.assert_status(201))).await;
        there.send(&bob, "x").await.assert_status(507);
        sibling.host.stop().await;
        app.host.stop().await;
    }
}
