//! What is told on `mailbox-events`.

use common::models::Base64Bytes;
use common::models::events::{MailboxChange, MailboxEvent};
use serde_json::json;
use testkit::database::TestDb;
use testkit::wait::wait_until;

use crate::harness::{Device, REGISTRATION, TestApp, copy, message};

diesel::table! {
    outbox (id) {
        id -> BigInt,
        topic -> Text,
        record_key -> Nullable<Binary>,
        record_value -> Nullable<Binary>,
        headers -> Text,
        published_at -> Nullable<BigInt>,
    }
}

pub(crate) const AVAILABLE: MailboxChange = MailboxChange::MessagesAvailable { urgent: true };

/// Topic, key, value.
type Row = (String, Option<Vec<u8>>, Option<Vec<u8>>);

/// What the outbox holds, published or not, in order.
pub(crate) async fn told(test: &TestDb) -> Vec<MailboxEvent> {
    use diesel::prelude::*;

    let db = db::Db::new(test.settings(), "mailbox").unwrap();
    let rows: Vec<Row> = db
        .read(|conn| {
            let rows = outbox::table
                .order(outbox::id)
                .select((outbox::topic, outbox::record_key, outbox::record_value))
                .load(conn)?;
            Ok::<_, db::DbError>(rows)
        })
        .await
        .unwrap();
    let event = |(topic, key, value): Row| {
        let event: MailboxEvent = serde_json::from_slice(&value.unwrap()).unwrap();
        assert_eq!(
            (topic.as_str(), key.unwrap()),
            ("mailbox-events", event.account_id.to_string().into_bytes())
        );
        event
    };
    rows.into_iter().map(event).collect()
}

pub(crate) fn changes(events: &[MailboxEvent], of: &Device) -> Vec<MailboxChange> {
    events.iter().filter(|event| event.account_id == of.account).map(|event| event.change).collect()
}

testkit::on_both! {
    async fn envelopes_for_a_device_that_is_away_are_told_once(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob, carol) = (app.device().await, app.device().await, app.device().await);
        let mut socket = carol.connect().await;
        socket.queue_empty().await;

        alice.send(&bob, "first").await.assert_status(200);
        alice.send(&bob, "second").await.assert_status(200);
        alice.send(&carol, "live").await.assert_status(200);
        bob.ack(&json!({"ackSeq": 2})).await.assert_status(204);
        alice.send(&bob, "third").await.assert_status(200);

        let events = told(&test).await;
        assert_eq!(changes(&events, &bob), [AVAILABLE; 2]);
        assert_eq!(changes(&events, &carol), []);
        app.host.stop().await;
    }

    async fn what_is_not_urgent_says_so_until_something_urgent_comes(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let send = async |urgent: bool| {
            let mut body = message(&[copy(1, REGISTRATION, b"x")]);
            body["urgent"] = json!(urgent);
            alice.client.put(&bob.path(), &body).await.assert_status(200);
        };
        let quiet = MailboxChange::MessagesAvailable { urgent: false };

        for urgent in [false, false, true, true, false] {
            send(urgent).await;
        }
        assert_eq!(changes(&told(&test).await, &bob), [quiet, AVAILABLE]);
        bob.ack(&json!({"ackSeq": 4})).await.assert_status(204);
        send(true).await;
        assert_eq!(changes(&told(&test).await, &bob), [quiet, AVAILABLE], "it has not been empty since");
        bob.ack(&json!({"ackSeq": 6})).await.assert_status(204);
        send(false).await;

        assert_eq!(changes(&told(&test).await, &bob), [quiet, AVAILABLE, quiet]);
        assert_eq!(bob.fetch_all().await.len(), 1);
        app.host.stop().await;
    }

    async fn a_full_mailbox_is_told_once_until_there_is_room(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.max_envelopes", "1")]).await;
        let (alice, bob) = (app.device().await, app.device().await);
        for _ in 0..2 {
            alice.send(&bob, "x").await.assert_status(200);
            alice.send(&bob, "x").await.assert_status(507);
            alice.send(&bob, "x").await.assert_status(507);
            let seq = bob.fetch_all().await[0].0;
            bob.ack(&json!({"ackSeq": seq})).await.assert_status(204);
        }

        let events = told(&test).await;

        let expected = [AVAILABLE, MailboxChange::Full].repeat(2);
        assert_eq!(changes(&events, &bob), expected);
        app.host.stop().await;
    }

    async fn an_event_is_of_the_trace_of_the_send_that_caused_it(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let trace = "0af7651916cd43dd8448eb211c80319c";

        let body = message(&[copy(bob.id, REGISTRATION, b"x")]);
        let request = alice.client.request(reqwest::Method::PUT, &bob.path()).json(&body);
        let request = request.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
        alice.client.send(request).await.assert_status(200);

        let told = traceparent(&test).await;
        assert_eq!(told.split('-').nth(1), Some(trace), "{told}");
        app.host.stop().await;
    }

    async fn events_reach_the_bus(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);

        alice.send(&bob, "x").await.assert_status(200);

        wait_until("the outbox is empty", || async {
            unpublished(&test).await == 0
        })
        .await;
        app.host.stop().await;
    }
}

async fn unpublished(test: &TestDb) -> i64 {
    use diesel::prelude::*;

    let db = db::Db::new(test.settings(), "mailbox").unwrap();
    let waiting = outbox::table.filter(outbox::published_at.is_null()).count();
    db.read(move |conn| Ok::<_, db::DbError>(waiting.get_result(conn)?)).await.unwrap()
}

/// Of the one record in the outbox.
async fn traceparent(test: &TestDb) -> String {
    use diesel::prelude::*;

    let db = db::Db::new(test.settings(), "mailbox").unwrap();
    let headers: String = db
        .read(|conn| Ok::<_, db::DbError>(outbox::table.select(outbox::headers).first(conn)?))
        .await
        .unwrap();
    let headers: Vec<(String, Base64Bytes)> = serde_json::from_str(&headers).unwrap();
    let (_, value) = headers.into_iter().find(|(name, _)| name == "traceparent").unwrap();
    String::from_utf8(value.as_slice().to_vec()).unwrap()
}
