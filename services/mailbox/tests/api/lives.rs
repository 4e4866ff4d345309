//! Mailboxes open, close, and change hands.

use common::models::{AccountId, Generation};
use serde_json::{Value, json};

use crate::harness::{REGISTRATION, TestApp, copy, message};

testkit::on_both! {
    async fn opening_again_changes_nothing(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        alice.send(&bob, "kept").await.assert_status(200);

        app.open(&bob, bob.generation, REGISTRATION).await.assert_status(204);

        assert_eq!(bob.fetch_all().await, [(1, "kept".to_owned())]);
        app.host.stop().await;
    }

    async fn a_new_generation_starts_empty_and_its_senders_are_told(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        alice.send(&bob, "for the old one").await.assert_status(200);

        app.open(&bob, Generation::new(), REGISTRATION + 1).await.assert_status(204);

        assert!(bob.fetch_all().await.is_empty());
        assert_eq!(alice.send(&bob, "x").await.expect(410).problem().slug(), "stale-devices");
        let right = message(&[copy(1, REGISTRATION + 1, b"for the new one")]);
        alice.client.put(&bob.path(), &right).await.assert_status(200);
        assert_eq!(bob.fetch_all().await, [(1, "for the new one".to_owned())]);
        let late = app.open(&bob, bob.generation, REGISTRATION).await.expect(409);
        assert_eq!(late.problem().slug(), "generation-closed");
        // Nor does closing the old one touch the new one.
        app.close(&bob, bob.generation).await.assert_status(204);
        assert_eq!(bob.fetch_all().await.len(), 1);
        app.host.stop().await;
    }

    async fn a_closed_mailbox_is_gone_and_does_not_come_back(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        alice.send(&bob, "x").await.assert_status(200);

        app.close(&bob, bob.generation).await.assert_status(204);
        app.close(&bob, bob.generation).await.assert_status(204);

        assert_eq!(bob.client.get("/v1/messages").await.expect(404).problem().slug(), "mailbox-not-found");
        bob.ack(&json!({"ackSeq": 1})).await.assert_status(404);
        alice.send(&bob, "x").await.assert_status(404);
        app.open(&bob, bob.generation, REGISTRATION).await.assert_status(409);
        app.open(&bob, Generation::new(), REGISTRATION).await.assert_status(204);
        assert!(bob.fetch_all().await.is_empty());
        app.host.stop().await;
    }

    async fn a_close_that_overtakes_its_open_wins(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.stranger(AccountId::new(), 1);

        app.close(&bob, bob.generation).await.assert_status(204);

        app.open(&bob, bob.generation, REGISTRATION).await.assert_status(409);
        app.host.stop().await;
    }

    async fn a_removed_device_loses_its_mailbox(test: TestDb) {
        let app = TestApp::start(&test).await;
        let account = AccountId::new();
        let (one, two) = (app.device_of(account, 1).await, app.device_of(account, 2).await);
        let removed = |generation: Generation| {
            json!({"type": "device.removed", "accountId": account, "at": 1, "deviceId": 2, "generation": generation})
        };

        app.nudge(&removed(Generation::new())).await;
        let still_there = two.client.get("/v1/messages").await;
        app.nudge(&removed(two.generation)).await;
        app.nudge(&removed(two.generation)).await;

        still_there.assert_status(200);
        two.client.get("/v1/messages").await.assert_status(404);
        assert!(one.fetch_all().await.is_empty());
        app.host.stop().await;
    }

    async fn a_deleted_account_leaves_nothing(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        alice.send(&bob, "to bob").await.assert_status(200);
        bob.send(&alice, "from bob").await.assert_status(200);
        let body = message(&[copy(1, REGISTRATION, b"keyed")]);
        bob.send_keyed(&alice, &body, "key").await.assert_status(200);

        // Long ago, so that the tokens still work and show what is left.
        let deleted = json!({"type": "account.deleted", "accountId": bob.account, "at": 1});
        app.nudge(&deleted).await;
        app.nudge(&deleted).await;

        bob.client.get("/v1/messages").await.assert_status(404);
        alice.send(&bob, "x").await.assert_status(404);
        let late = app.open(&bob, Generation::new(), REGISTRATION).await.expect(409);
        assert_eq!(late.problem().slug(), "account-deleted");
        let forgotten = bob.send_keyed(&alice, &body, "key").await.expect(200);
        assert_eq!(forgotten.header("idempotent-replay"), None);
        // What others hold of it is theirs.
        assert_eq!(alice.fetch_all().await.len(), 3);
        app.host.stop().await;
    }

    async fn the_internal_calls_refuse_nonsense(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.stranger(AccountId::new(), 1);
        let path = bob.internal_path();
        let generation = Generation::new();
        let good = json!({"generation": generation, "registrationId": 1});
        let put = async |path: &str, body: &Value| app.host.internal.put(path, body).await.status.as_u16();

        for body in [
            json!({}),
            json!({"generation": generation}),
            json!({"generation": "x", "registrationId": 1}),
            json!({"generation": generation, "registrationId": 0}),
            json!({"generation": generation, "registrationId": "1"}),
        ] {
            assert_eq!(put(&path, &body).await, 400, "{body}");
        }
        let base = "/internal/mailbox/v1/mailboxes";
        assert_eq!(put(&format!("{base}/nobody/1"), &good).await, 400);
        assert_eq!(put(&format!("{base}/{}/128", bob.account), &good).await, 400);
        app.host.internal.delete(&path).await.assert_status(400);
        app.host.internal.with_token("wrong").put(&path, &good).await.assert_status(401);
        app.host.http.put(&path, &good).await.assert_status(404);
        bob.client.get("/v1/messages").await.assert_status(404);
        app.host.stop().await;
    }
}
