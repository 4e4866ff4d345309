//! Send, fetch, ack.

use common::models::AccountId;
use serde_json::json;

use crate::harness::{REGISTRATION, TestApp, copy, message};

testkit::on_both! {
    async fn an_envelope_stays_until_its_ack(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);

        let receipt = alice.send(&bob, "hello").await.expect(200).value();
        alice.send(&bob, "again").await.assert_status(200);

        let page = bob.fetch("limit=1").await;
        let first = &page["messages"][0];
        assert_eq!(
            first,
            &json!({"guid": receipt["devices"][0]["guid"], "seq": 1, "type": 1, "sourceAccount": alice.account,
                "sourceDevice": 1, "timestamp": 1_700_000_000_000_i64, "serverTimestamp": receipt["serverTimestamp"],
                "content": "aGVsbG8=", "urgent": true})
        );
        assert_eq!(page["more"], true);
        assert_eq!(bob.fetch_all().await.len(), 2);
        for _ in 0..2 {
            bob.ack(&json!({"guids": [first["guid"], AccountId::new()]})).await.assert_status(204);
            assert_eq!(bob.fetch_all().await, [(2, "again".to_owned())]);
        }
        bob.ack(&json!({"ackSeq": 2})).await.assert_status(204);
        bob.ack(&json!({"ackSeq": 1})).await.assert_status(204);
        assert!(bob.fetch_all().await.is_empty());
        alice.send(&bob, "third").await.assert_status(200);
        assert_eq!(bob.fetch_all().await, [(3, "third".to_owned())]);
        app.host.stop().await;
    }

    async fn every_device_gets_its_copy_and_the_sender_none(test: TestDb) {
        let app = TestApp::start(&test).await;
        let account = AccountId::new();
        let phone = app.device_of(account, 1).await;
        let tablet = app.device_of(account, 2).await;
        let alice = app.device().await;

        let both = message(&[copy(1, REGISTRATION, b"for 1"), copy(2, REGISTRATION, b"for 2")]);
        alice.client.put(&phone.path(), &both).await.assert_status(200);
        let sync = message(&[copy(2, REGISTRATION, b"from 1")]);
        phone.client.put(&phone.path(), &sync).await.assert_status(200);

        assert_eq!(phone.fetch_all().await, [(1, "for 1".to_owned())]);
        assert_eq!(tablet.fetch_all().await, [(1, "for 2".to_owned()), (2, "from 1".to_owned())]);
        app.host.stop().await;
    }

    async fn a_send_that_names_other_devices_is_told_all_of_it(test: TestDb) {
        let app = TestApp::start(&test).await;
        let account = AccountId::new();
        let (one, two) = (app.device_of(account, 1).await, app.device_of(account, 2).await);
        let alice = app.device().await;
        let stale = REGISTRATION + 1;
        // (device, registration id) of the copies, status, slug, missing, extra, stale.
        let cases = [
            (vec![(1, REGISTRATION)], 409, "device-set-mismatch", json!([[2], [], []])),
            (vec![(1, REGISTRATION), (2, REGISTRATION), (3, 1)], 409, "device-set-mismatch", json!([[], [3], []])),
            (vec![(1, stale), (2, REGISTRATION)], 410, "stale-devices", json!([[], [], [1]])),
            (vec![(1, stale), (2, stale)], 410, "stale-devices", json!([[], [], [1, 2]])),
            (vec![(1, stale), (7, 1)], 409, "device-set-mismatch", json!([[2], [7], [1]])),
            (vec![], 409, "device-set-mismatch", json!([[1, 2], [], []])),
        ];
        for (named, status, slug, lists) in cases {
            let copies: Vec<_> = named.iter().map(|(device, life)| copy(*device, *life, b"x")).collect();

            let problem = alice.client.put(&one.path(), &message(&copies)).await.expect(status).problem();

            assert_eq!(problem.slug(), slug);
            let told = ["missingDevices", "extraDevices", "staleDevices"].map(|list| &problem.extensions[list]);
            assert_eq!(json!(told), lists, "{named:?}");
        }
        assert!(one.fetch_all().await.is_empty() && two.fetch_all().await.is_empty());
        let nobody = app.stranger(AccountId::new(), 1);
        assert_eq!(alice.send(&nobody, "x").await.expect(404).problem().slug(), "mailbox-not-found");
        app.host.stop().await;
    }
}
