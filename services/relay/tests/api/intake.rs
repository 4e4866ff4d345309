//! SMS that gateway clients hand in (§8 of the interface), as far as the answer.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::wait::wait_until;

use crate::harness::{KEYS, SENDER, TestApp, encrypted, mail};
use crate::publishing::metric;

const PATH: &str = "/sms/platform/gateway-client";

testkit::on_both! {
    async fn an_sms_of_any_device_of_its_sender_is_taken(test: TestDb) {
        let app = TestApp::start(&test).await;
        let client = app.client(&json!({})).await;

        for (number, key) in KEYS.iter().enumerate() {
            let text = encrypted(key, &format!("g:a@b.c:::Hi:{number}"));
            let answer = client.forward(&text).await.expect(200);
            assert_eq!(answer.text(), "message published successfully");
        }
        let later = json!({"text": mail("later"), "address": SENDER, "date": 1, "date_sent": 2});
        client.post(PATH, &later).await.assert_status(200);

        let listed = app.operator.get("/v1/gateway-clients").await.value();
        assert!(listed["clients"][0]["lastPublishedAt"].as_i64().is_some());
        app.host.stop().await;
    }

    async fn what_is_no_message_of_its_sender_is_refused(test: TestDb) {
        let app = TestApp::start(&test).await;
        let client = app.client(&json!({})).await;
        let of = |text: &str, sender: &str| json!({"text": text, "MSISDN": sender});
        let stranger = "00000000000000000000000000000000";

        for (body, status, text) in [
            (json!({"MSISDN": SENDER}), 400, "missing key - text"),
            (json!({"text": mail("x")}), 400, "missing key - MSISDN"),
            (json!([]), 400, "invalid data type, json expected"),
            (json!("text"), 400, "invalid data type, json expected"),
            (of("hello", SENDER), 400, "the text is not an encrypted message"),
            (of("MTIzNDU2", SENDER), 400, "the text is not an encrypted message"),
            (of(&mail("x"), "+237690000000"), 403, "the message is not one of this sender's"),
            (of(&encrypted(stranger, "g:a@b.c:::Hi:x"), SENDER), 403, "the message is not one of this sender's"),
            (of(&encrypted(KEYS[0], "hello"), SENDER), 403, "the message is not one of this sender's"),
        ] {
            let answer = client.post(PATH, &body).await;
            assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, text), "{body}");
        }
        let number = client.post(PATH, &of(&mail("x"), "677123456")).await.expect(400);
        assert!(number.text().starts_with("invalid MSISDN"));
        assert_eq!(client.post(PATH, &Value::Null).await.expect(400).text(), "invalid data type, json expected");
        app.host.stop().await;
    }

    async fn a_nul_in_what_is_looked_for_finds_nothing(test: TestDb) {
        let app = TestApp::start(&test).await;

        for path in ["/seeds/%00", "/seeds/624%00"] {
            assert_eq!(app.host.http.get(path).await.expect(200).text(), "", "{path}");
        }
        for path in ["?country=a%00", "?operator=%00", "?protocols=%00", "/a%00/operators"] {
            assert_eq!(app.host.http.get(&format!("/v3/clients{path}")).await.expect(200).value(), json!([]), "{path}");
        }
        app.host.stop().await;
    }

    async fn nobody_hands_in_sms_without_credentials(test: TestDb) {
        let app = TestApp::start(&test).await;
        let client = app.client(&json!({})).await;
        let body = json!({"text": mail("x"), "MSISDN": SENDER});

        app.host.http.post(PATH, &body).await.assert_status(401);
        client.with_secret("wrong").post(PATH, &body).await.assert_status(401);
        app.operator.post(PATH, &body).await.assert_status(401);
        app.host.stop().await;
    }

    async fn while_the_keys_cannot_be_had_nothing_is_taken_and_the_sms_may_come_again(test: TestDb) {
        let nowhere = format!("http://127.0.0.1:{}", testkit::process::ports::free());
        let app = TestApp::start_with(&test, &[("internal.sync_url", &nowhere)]).await;
        let client = app.client(&json!({})).await;

        let answer = client.forward(&mail("later")).await.expect(503);

        assert_eq!(answer.text(), "Temporarily unavailable");
        assert!(answer.header("retry-after").is_some());
        assert_eq!(sealed(&app).await.len(), 0);
        app.host.stop().await;
        let app = TestApp::start(&test).await;
        client.at(&app).forward(&mail("later")).await.assert_status(200);
        app.host.stop().await;
    }

    async fn the_same_sms_again_is_one_until_the_window_has_passed(test: TestDb) {
        let clock = FakeClock::default();
        let publisher = crate::harness::Others::start();
        let url = publisher.publisher();
        let more = [("relay.publisher", &*url), ("relay.dedupe_window", "1h")];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        let (one, two) = (app.client(&json!({})).await, app.client(&json!({})).await);

        for client in [&one, &two, &one] {
            client.forward(&mail("once")).await.assert_status(200);
        }
        one.forward(&mail("another")).await.assert_status(200);
        publisher.has(2).await;
        // As long as a row says that it waits, the same SMS is no other one, whatever the clock says.
        wait_until("both to be marked", || async { sealed(&app).await.iter().all(Vec::is_empty) }).await;
        clock.advance(Duration::from_secs(3601));
        two.forward(&mail("once")).await.assert_status(200);

        publisher.has(3).await;
        let ids: Vec<String> = publisher.published().into_iter().map(|(id, _)| id).collect();
        assert!(ids.iter().filter(|id| **id == ids[2]).count() == 2, "{ids:?}");
        app.host.stop().await;
    }

    async fn texts_and_the_table_of_those_that_wait_have_their_bounds(test: TestDb) {
        let app = TestApp::start_with(&test, &[("relay.max_text_bytes", "200"), ("relay.max_waiting", "1")]).await;
        let client = app.client(&json!({})).await;
        client.forward(&mail("first")).await.assert_status(200);
        wait_until("it to be counted", || async { metric(&app, "incoming_waiting").await == 1 }).await;

        let second = client.forward(&mail("second")).await.expect(503);
        let again = client.forward(&mail("first")).await;
        let long = client.forward(&mail(&"x".repeat(200))).await.expect(413);

        assert!(second.header("retry-after").is_some());
        again.assert_status(200);
        assert_eq!(long.text(), "the text of an SMS has 200 bytes at most");
        app.host.stop().await;
    }

    async fn calls_of_a_client_and_looks_at_lists_are_limited(test: TestDb) {
        let hour = "1h";
        let limits = [
            ("limits.enabled", "true"),
            ("limits.gateway_client.size", "2"),
            ("limits.gateway_client.refill", hour),
            ("limits.gateway_list_address.size", "6"),
            ("limits.gateway_list_address.refill", hour),
        ];
        let app = TestApp::start_with(&test, &limits).await;
        let (one, two) = (app.client(&json!({})).await, app.client(&json!({})).await);

        one.forward(&mail("one")).await.assert_status(200);
        one.ping("624011234567890", SENDER, "seed").await.assert_status(200);
        let third = one.forward(&mail("two")).await.expect(429);
        two.forward(&mail("two")).await.assert_status(200);
        let lists = ["/seeds", "/seeders", "/seeds/1", "/v3/clients", "/v3/clients/countries", "/v3/clients/x/operators"];
        for list in lists {
            app.host.http.get(list).await.assert_status(200);
        }

        assert!(third.header("retry-after").is_some());
        for list in lists.into_iter().chain(["/v3/clients/+237677123456/tests"]) {
            app.host.http.get(list).await.assert_status(429);
        }
        app.host.stop().await;
    }

    async fn without_a_publisher_sms_wait_and_lie_sealed(test: TestDb) {
        let app = TestApp::start(&test).await;
        let client = app.client(&json!({})).await;
        client.forward(&mail("waits for long")).await.assert_status(200);

        let rows = sealed(&app).await;
        app.host.stop().await;
        let publisher = crate::harness::Others::start();
        let app = TestApp::start_with(&test, &[("relay.publisher", &*publisher.publisher())]).await;

        assert_eq!(rows.len(), 1);
        for part in ["waits", "a@b.c", "gmail", "67712"] {
            assert!(!rows[0].windows(part.len()).any(|window| window == part.as_bytes()), "{part}");
        }
        let published = publisher.has(1).await;
        assert_eq!(published, [json!({"MSISDN": SENDER, "message": "g:a@b.c:::Hi:waits for long"})]);
        wait_until("the text to be gone", || async { sealed(&app).await == [Vec::<u8>::new()] }).await;
        app.host.stop().await;
    }
}

/// What the rows of SMS hold.
async fn sealed(app: &TestApp) -> Vec<Vec<u8>> {
    use diesel::prelude::*;
    use diesel::sql_types::Binary;

    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Binary)]
        sealed: Vec<u8>,
    }
    let rows = app.host.database("relay");
    let read = rows.read(|conn| {
        Ok::<_, db::DbError>(diesel::sql_query("SELECT sealed FROM incoming").load::<Row>(conn)?)
    });
    read.await.unwrap().into_iter().map(|row| row.sealed).collect()
}
