//! Devices that are told through a webhook, by whoever has a way of its own to them.

use common::models::{Clock as _, SystemClock};
use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::database::TestDb;
use testkit::http::TestClient;
use testkit::wait::wait_until;
use testkit::webhooks::{Receiver, SECRET};

use super::{DELAY, SUBSCRIPTION, VAPID, borrowed, counted, read_on, refused, subscribe, wait_seen};
use crate::harness::TestApp;

/// Settings with a receiver that may tell devices, of the channels that begin with `a`, and one that may not.
fn settings(receiver: &Receiver) -> Vec<(&'static str, String)> {
    let hook = |name: &str, event: &str| {
        let url = receiver.url(name);
        format!(
            "{{name=\"{name}\",url=\"{url}\",secrets=[\"{SECRET}\"],events=[\"{event}\"],channels=[\"a\"]}}"
        )
    };
    vec![
        ("notify.push.vapid_key", VAPID.to_owned()),
        ("notify.push.subject", "mailto:operator@example.org".to_owned()),
        ("notify.push.delay", "200ms".to_owned()),
        ("notify.push.first_pause", "100ms".to_owned()),
        ("notify.presence_lease", "3s".to_owned()),
        ("notify.webhooks", format!("[{},{}]", hook("apns", "notification"), hook("other", "connect"))),
    ]
}

async fn start(test: &TestDb) -> (TestApp, Receiver) {
    let receiver = Receiver::start(&[SECRET]);
    let app = TestApp::start_with(test, &borrowed(&settings(&receiver))).await;
    (app, receiver)
}

/// A device with a token of its own, which the receiver knows by `name`.
async fn device(app: &TestApp, channel: &str, name: &str) -> TestClient {
    let token = app.backend.issue(&json!({"channel": channel})).await["token"].as_str().unwrap().to_owned();
    subscribe(&app.host.url, &token, &json!({"webhook": "apns", "device": name})).await;
    TestClient::new(&app.host.url).with_token(&token)
}

testkit::on_both! {
    async fn the_receiver_of_a_device_is_told_of_it_without_content(test: TestDb) {
        let (app, receiver) = start(&test).await;
        device(&app, "a", "apns:1").await;

        app.backend.publish("a", &json!({"secret": "watermelon"})).await;
        let told = receiver.taken(1).await.remove(0);

        assert!(told.genuine && told.path.ends_with("apns"), "{told:?}");
        assert_eq!(told.body["id"], told.id);
        assert_eq!((&told.body["type"], &told.body["device"]), (&json!("notification"), &json!("apns:1")));
        assert_eq!((&told.body["channel"], &told.body["offset"]), (&json!("a"), &json!(1)));
        assert!(told.body["expiresAt"].as_i64() > told.body["at"].as_i64());
        assert!(!told.body.to_string().contains("watermelon"), "{told:?}");
        app.host.stop().await;
    }

    async fn data_goes_along_and_a_receiver_that_is_busy_gets_the_same_event_again(test: TestDb) {
        let (app, receiver) = start(&test).await;
        device(&app, "a", "apns:1").await;
        receiver.answer(&json!({"statuses": [503]})).await;

        let body = json!({"channel": "a", "data": "hello", "push": {"carry": "data", "urgency": "high"}});
        app.backend.client.post("/v1/notify/messages", &body).await.assert_status(200);
        let told = receiver.asked(2).await;

        assert_eq!(told[0].id, told[1].id);
        assert_eq!((&told[1].body["data"], &told[1].body["urgency"]), (&json!("hello"), &json!("high")));
        app.host.stop().await;
    }

    async fn a_device_that_is_gone_is_told_no_more_and_the_others_are(test: TestDb) {
        let (app, receiver) = start(&test).await;
        let gone = device(&app, "a1", "apns:gone").await;
        device(&app, "a2", "apns:there").await;
        receiver.answer(&json!({"statuses": [410]})).await;

        app.backend.publish("a1", &json!(1)).await;
        wait_until("the registration to go", async || gone.get(SUBSCRIPTION).await.status == 404).await;
        app.backend.publish("a2", &json!(1)).await;

        let told = receiver.asked(2).await;
        assert_eq!(told[1].body["device"], "apns:there");
        app.host.stop().await;
    }

    async fn a_device_that_is_connected_is_not_told_of(test: TestDb) {
        // Of today, or receivers would refuse what it signs.
        let (clock, receiver) = (FakeClock::at(SystemClock.now()), Receiver::start(&[SECRET]));
        let app = TestApp::start_at(&test, &borrowed(&settings(&receiver)), clock.shared()).await;
        let token = app.backend.issue(&json!({"channel": "a"})).await["token"].as_str().unwrap().to_owned();
        subscribe(&app.host.url, &token, &json!({"webhook": "apns", "device": "apns:1"})).await;
        app.backend.publish("a", &json!(1)).await;

        // It comes by itself, before it is to be told of.
        clock.advance(DELAY / 2);
        let mut socket = app.connect().await;
        socket.subscribe(&json!({"token": token})).await;
        read_on(socket);
        wait_seen(&app).await;
        clock.advance(DELAY / 2);

        wait_until("the push to be needless", || counted(&app, "connected")).await;
        let told = receiver.all().await;
        assert!(told.iter().all(|one| one.body["type"] != "notification"), "{told:?}");
        app.host.stop().await;
    }

    async fn a_device_names_a_receiver_that_may_tell_it_or_is_refused(test: TestDb) {
        let (app, _receiver) = start(&test).await;
        let token = async |channel: &str| {
            let issued = app.backend.issue(&json!({"channel": channel})).await;
            TestClient::new(&app.host.url).with_token(issued["token"].as_str().unwrap())
        };
        let (fits, other) = (token("a").await, token("b").await);
        let named = |webhook: &str, device: &str| json!({"webhook": webhook, "device": device});

        for (client, body) in [
            (&fits, named("other", "x")),
            (&fits, named("nobody", "x")),
            (&fits, named("apns", "")),
            (&fits, named("apns", &"x".repeat(4097))),
            (&other, named("apns", "x")),
        ] {
            refused(client.put(SUBSCRIPTION, &body).await, 422, "push-subscription-refused");
        }
        fits.put(SUBSCRIPTION, &json!({"webhook": "apns"})).await.assert_status(400);
        let put = fits.put(SUBSCRIPTION, &named("apns", "x")).await.expect(200).value();
        assert_eq!((&put["channel"], &put["device"]), (&json!("a"), &Value::Null));
        app.host.stop().await;
    }
}
