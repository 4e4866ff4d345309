//! One message to many accounts.

use common::models::AccountId;
use serde_json::{Value, json};

use crate::harness::{Device, REGISTRATION, TestApp, copy};

fn to(recipient: &Device, text: &str) -> Value {
    json!({"account": recipient.account, "messages": [copy(recipient.id, REGISTRATION, text.as_bytes())]})
}

fn batch(sends: &[Value]) -> Value {
    json!({"sends": sends, "timestamp": 1})
}

async fn post(from: &Device, body: &Value) -> Vec<Value> {
    let answer = from.client.post("/v1/messages/batch", body).await.expect(200).value();
    answer["results"].as_array().unwrap().clone()
}

testkit::on_both! {
    async fn each_recipient_has_an_outcome_of_its_own(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.max_envelopes", "1")]).await;
        let alice = app.device().await;
        let (bob, full, linked) = (app.device().await, app.device().await, app.device().await);
        app.device_of(linked.account, 2).await;
        let nobody = app.stranger(AccountId::new(), 1);
        alice.send(&full, "the one").await.assert_status(200);
        let mut empty = to(&bob, "");
        empty["account"] = json!(app.device().await.account);

        let sends = [to(&bob, "for bob"), to(&full, "x"), to(&linked, "x"), to(&nobody, "x"), empty];
        let results = post(&alice, &batch(&sends)).await;

        let seen: Vec<_> = results.iter().map(|result| (&result["account"], result["status"].as_u64().unwrap())).collect();
        let accounts: Vec<_> = sends.iter().map(|send| &send["account"]).collect();
        let statuses = [200, 507, 409, 404, 422];
        assert_eq!(seen, accounts.into_iter().zip(statuses).collect::<Vec<_>>());
        assert_eq!(results[0]["receipt"]["devices"][0]["deviceId"], 1);
        assert_eq!(results[2]["problem"]["missingDevices"], json!([2]));
        assert_eq!(results[4]["problem"]["type"], "urn:problem:empty-content");
        assert_eq!(bob.fetch_all().await, [(1, "for bob".to_owned())]);
        assert!(linked.fetch_all().await.is_empty());
        app.host.stop().await;
    }

    async fn the_same_batch_again_sends_to_those_alone_who_did_not_get_it(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob, carol) = (app.device().await, app.device().await, app.device().await);
        app.close(&carol, carol.generation).await.assert_status(204);
        let body = batch(&[to(&bob, "x"), to(&carol, "x")]);
        let send = async || {
            let request = alice.client.request(reqwest::Method::POST, "/v1/messages/batch");
            let answer = alice.client.send(request.header("Idempotency-Key", "k").json(&body)).await;
            answer.expect(200).value()["results"].clone()
        };

        let first = send().await;
        let carol = app.device_of(carol.account, 1).await;
        let second = send().await;
        let third = send().await;

        let statuses = |results: &Value| [0, 1].map(|place| results[place]["status"].as_u64().unwrap());
        assert_eq!([&first, &second, &third].map(statuses), [[200, 404], [200, 200], [200, 200]]);
        let replayed = |results: &Value| [0, 1].map(|place| results[place]["replayed"] == true);
        assert_eq!([&first, &second, &third].map(replayed), [[false, false], [true, false], [true, true]]);
        assert_eq!(first[0]["receipt"], third[0]["receipt"]);
        assert_eq!((bob.fetch_all().await.len(), carol.fetch_all().await.len()), (1, 1));
        app.host.stop().await;
    }

    async fn a_batch_that_breaks_its_form_sends_nothing(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.batch_recipients", "2")]).await;
        let (alice, bob, carol) = (app.device().await, app.device().await, app.device().await);
        let one = to(&bob, "x");
        let cases = [
            batch(&[]),
            batch(&[one.clone(), to(&carol, "x"), to(&alice, "x")]),
            batch(&[one.clone(), one.clone()]),
            batch(&[one.clone(), json!({"account": carol.account})]),
            json!({"sends": [one.clone()]}),
            json!({"sends": [one.clone()], "timestamp": -1}),
            json!({"sends": [one], "timestamp": 1, "more": 1}),
        ];
        for body in cases {
            alice.client.post("/v1/messages/batch", &body).await.assert_status(400);
        }

        assert!(bob.fetch_all().await.is_empty() && carol.fetch_all().await.is_empty());
        app.host.stop().await;
    }

    async fn a_large_batch_reaches_everybody(test: TestDb) {
        let app = TestApp::start(&test).await;
        let alice = app.device().await;
        let mut recipients = Vec::new();
        for _ in 0..100 {
            recipients.push(app.device().await);
        }
        let sends: Vec<Value> = recipients.iter().map(|recipient| to(recipient, "to all")).collect();

        let results = post(&alice, &batch(&sends)).await;

        assert!(results.iter().all(|result| result["status"] == 200));
        for recipient in &recipients {
            assert_eq!(recipient.fetch_all().await, [(1, "to all".to_owned())]);
        }
        app.host.stop().await;
    }
}
