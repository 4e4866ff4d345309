//! Senders that an account does not want to hear from.

use common::models::{AccountId, Clock, SystemClock};
use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::http::TestClient;

use crate::harness::{Device, REGISTRATION, TestApp, copy, message};

async fn blocked_by(client: &TestClient) -> Vec<Value> {
    client.get("/v1/blocks").await.expect(200).value()["accounts"].as_array().unwrap().clone()
}

fn path(account: AccountId) -> String {
    format!("/v1/blocks/{account}")
}

async fn block(by: &Device, account: AccountId) {
    by.client.put(&path(account), &json!({})).await.assert_status(204);
}

testkit::on_both! {
    async fn a_list_holds_each_account_once_and_up_to_its_limit(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.max_blocks", "2")]).await;
        let bob = app.device().await;
        let (one, two, three) = (AccountId::new(), AccountId::new(), AccountId::new());
        for account in [one, two, one] {
            block(&bob, account).await;
        }

        let full = bob.client.put(&path(three), &json!({})).await.expect(422).problem();

        assert_eq!(full.slug(), "block-list-full");
        let mut expected = [json!(one), json!(two)];
        expected.sort_by_key(ToString::to_string);
        assert_eq!(blocked_by(&bob.client).await, expected);
        for _ in 0..2 {
            bob.client.delete(&path(one)).await.assert_status(204);
        }
        block(&bob, three).await;
        let own = bob.client.put(&path(bob.account), &json!({})).await.expect(422).problem();
        assert_eq!(own.slug(), "own-account");
        bob.client.put("/v1/blocks/nobody", &json!({})).await.assert_status(400);
        app.host.http.get("/v1/blocks").await.assert_status(401);
        app.host.stop().await;
    }

    async fn a_blocked_sender_is_answered_as_ever_and_nothing_is_stored(test: TestDb) {
        let app = TestApp::start(&test).await;
        let account = AccountId::new();
        let (phone, tablet) = (app.device_of(account, 1).await, app.device_of(account, 2).await);
        let (mallory, alice) = (app.device().await, app.device().await);
        let second = app.device_of(mallory.account, 2).await;
        block(&phone, mallory.account).await;
        let both = message(&[copy(1, REGISTRATION, b"x"), copy(2, REGISTRATION, b"x")]);

        for sender in [&mallory, &second] {
            let receipt = sender.client.put(&phone.path(), &both).await.expect(200).value();
            let devices: Vec<_> = receipt["devices"].as_array().unwrap().iter().map(|d| &d["deviceId"]).collect();
            assert_eq!(devices, [1, 2]);
            assert!(receipt["serverTimestamp"].is_i64());
        }
        let keyed = mallory.send_keyed(&phone, &both, "key").await.expect(200);
        let again = mallory.send_keyed(&phone, &both, "key").await.expect(200);

        assert_eq!((keyed.value(), again.header("idempotent-replay")), (again.value(), Some("true")));
        let one = message(&[copy(1, REGISTRATION, b"x")]);
        mallory.client.put(&phone.path(), &one).await.assert_status(409);
        assert!(phone.fetch_all().await.is_empty() && tablet.fetch_all().await.is_empty());
        alice.client.put(&phone.path(), &both).await.assert_status(200);
        assert_eq!(phone.fetch_all().await, [(1, "x".to_owned())], "no seq was used up");

        phone.client.delete(&path(mallory.account)).await.assert_status(204);
        mallory.client.put(&phone.path(), &both).await.assert_status(200);
        assert_eq!(tablet.fetch_all().await.len(), 2);
        app.host.stop().await;
    }

    async fn a_device_that_is_linked_later_is_kept_from_a_blocked_sender_too(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (bob, mallory) = (app.device().await, app.device().await);
        block(&bob, mallory.account).await;
        let tablet = app.device_of(bob.account, 2).await;
        app.close(&bob, bob.generation).await.assert_status(204);

        mallory.send(&tablet, "x").await.assert_status(200);

        assert!(tablet.fetch_all().await.is_empty());
        app.host.stop().await;
    }

    async fn what_is_for_connected_devices_alone_is_kept_away_as_well(test: TestDb) {
        // On a clock that stands still: what is seconds old is passed on to nobody.
        let app = TestApp::start_at(&test, &[], FakeClock::default().shared()).await;
        let (bob, mallory, alice) = (app.device().await, app.device().await, app.device().await);
        block(&bob, mallory.account).await;
        let mut socket = bob.connect().await;
        socket.queue_empty().await;
        let mut body = message(&[copy(1, REGISTRATION, b"x")]);
        body["online"] = json!(true);

        let receipt = mallory.client.put(&bob.path(), &body).await.expect(200).value();
        alice.client.put(&bob.path(), &body).await.assert_status(200);

        assert_eq!(receipt["online"], true);
        let (_, envelope) = socket.request("/v1/message/online").await;
        assert_eq!(envelope["sourceAccount"], json!(alice.account));
        app.host.stop().await;
    }

    async fn a_deleted_account_leaves_no_list(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;
        block(&bob, AccountId::new()).await;

        let now = SystemClock.now().as_i64();
        app.nudge(&json!({"type": "account.deleted", "accountId": bob.account, "at": now})).await;

        use diesel::prelude::*;
        let db = app.host.database("mailbox");
        let left = db.read(|conn| Ok::<i64, db::DbError>(blocks::table.count().get_result(conn)?));
        assert_eq!(left.await.unwrap(), 0);
        app.host.stop().await;
    }
}

diesel::table! {
    blocks (account_id, blocked_account) {
        account_id -> Text,
        blocked_account -> Text,
    }
}
