//! Push, against a push service of another hand that decrypts what comes.

mod endings;
mod service;
mod told;

use std::sync::Arc;
use std::time::Duration;

use common::models::{AccountId, Clock as _, SharedClock, SystemClock};
use db::DbError;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::http::{Answer, TestClient};
use testkit::wait::wait_until;

use crate::harness::{Backend, Seen, Socket, TestApp};
use service::PushService;

/// A key as `web-push generate-vapid-keys` prints it: the sender of RFC 8291 appendix A.
const VAPID: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
const VAPID_PUBLIC: &str =
    "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";

const SUBSCRIPTION: &str = "/v1/notify/push/subscription";

/// How long a device has to come by itself.
const DELAY: Duration = Duration::from_millis(200);

/// Settings with which a service pushes to what listens at this port.
fn settings(service: &PushService) -> Vec<(&'static str, String)> {
    vec![
        ("notify.push.vapid_key", VAPID.to_owned()),
        ("notify.push.subject", "mailto:operator@example.org".to_owned()),
        ("notify.push.endpoints", format!(r#"["http://127.0.0.1:{}", "*.example.org"]"#, service.port)),
        ("notify.push.delay", "200ms".to_owned()),
        ("notify.push.first_pause", "100ms".to_owned()),
        // Longer than anything stalls: a request that is given up is sent again.
        ("notify.push.timeout", "20s".to_owned()),
        ("notify.presence_lease", "3s".to_owned()),
    ]
}

/// Settings by which a connection that is dead is soon given up, and one that is stalled is not.
fn soon_given_up() -> impl Iterator<Item = (&'static str, String)> {
    let often = ["notify.ping", "notify.socketio.ping_interval", "notify.socketio.ping_timeout"];
    often.map(|name| (name, "1s".to_owned())).into_iter().chain([("notify.idle", "6s".to_owned())])
}

/// Waits until a table has such rows.
async fn wait_rows(app: &TestApp, such: &str) {
    let count = format!("(SELECT count(*) FROM {such})");
    let found = async || {
        let (db, select) = (app.host.database("notify"), diesel::select(sql::<BigInt>(&count)));
        db.read(move |conn| Ok::<i64, DbError>(select.get_result(conn)?)).await.unwrap() > 0
    };
    wait_until(such, found).await;
}

/// Waits until it is written down that a device is connected: when it was seen last is before what is published now.
async fn wait_seen(app: &TestApp) {
    wait_rows(app, "push_presences").await;
}

/// Connects a device of channel `a`.
async fn connected(app: &TestApp, service: &PushService) -> Socket {
    let token = device(&app.backend, &app.host.url, "a", service).await;
    let mut socket = app.connect().await;
    socket.subscribe(&json!({"token": token})).await;
    wait_seen(app).await;
    socket
}

/// Reads on, so that pings are answered.
fn read_on(mut socket: Socket) {
    tokio::spawn(async move { while let Seen::Frame(_) = socket.next().await {} });
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn start(test: &testkit::database::TestDb) -> (TestApp, PushService) {
    start_at(test, &[], Arc::new(SystemClock)).await
}

async fn start_at(
    test: &testkit::database::TestDb,
    more: &[(&'static str, String)],
    clock: SharedClock,
) -> (TestApp, PushService) {
    let service = PushService::start();
    let own = [&settings(&service)[..], more].concat();
    let app = TestApp::start_at(test, &borrowed(&own), clock).await;
    (app, service)
}

/// A device with a token of its own, that has said where it is reached.
async fn device(backend: &Backend, url: &str, channel: &str, service: &PushService) -> String {
    let token = backend.issue(&json!({"channel": channel})).await["token"].as_str().unwrap().to_owned();
    subscribe(url, &token, &service.subscription("phone")).await;
    token
}

async fn subscribe(url: &str, token: &str, subscription: &Value) {
    TestClient::new(url).with_token(token).put(SUBSCRIPTION, subscription).await.assert_status(200);
}

#[track_caller]
fn refused(answer: Answer, status: u16, slug: &str) {
    assert_eq!(answer.expect(status).problem().slug(), slug);
}

async fn counted(app: &TestApp, outcome: &str) -> bool {
    let metrics = app.host.internal.get("/metrics").await.expect(200).text();
    let series = format!(r#"sealpost_notify_pushes_total{{outcome="{outcome}",service="notify"}}"#);
    metrics.contains(&series)
}

testkit::on_both! {
    async fn a_device_that_is_not_connected_is_woken_once_without_content(test: TestDb) {
        let clock = FakeClock::default();
        let (app, service) = start_at(&test, &[], clock.shared()).await;
        let key = app.backend.client.get("/v1/notify/push/vapid").await.expect(200).value();
        let token = device(&app.backend, &app.host.url, "a", &service).await;

        for number in 1..=3 {
            app.backend.publish("a", &json!({"secret": number})).await;
        }
        clock.advance(DELAY);
        let first = service.received(1).await.remove(0);
        // Before that it is not known that the device was woken.
        wait_until("the push to be noted", || counted(&app, "sent")).await;
        app.backend.publish("a", &json!("asleep still")).await;
        clock.advance(DELAY);
        let mut socket = app.connect().await;
        socket.subscribe(&json!({"token": token})).await;
        socket.cut();
        // That the device has come and gone is written down a little later.
        let gone = "push_subscriptions WHERE seen_at > pushed_at AND NOT EXISTS (SELECT 1 FROM push_presences)";
        wait_rows(&app, gone).await;
        app.backend.publish("a", &json!("again")).await;
        clock.advance(DELAY);

        assert_eq!(key, json!({"publicKey": VAPID_PUBLIC}));
        assert_eq!(first["plain"], json!({"channel": "a", "offset": 3}), "{first}");
        assert_eq!((&first["path"], &first["key"]), (&json!("/push/phone"), &json!(VAPID_PUBLIC)));
        assert_eq!(first["claims"]["aud"], service.origin());
        assert_eq!(first["claims"]["sub"], "mailto:operator@example.org");
        let headers = &first["headers"];
        assert_eq!((&headers["content-encoding"], &headers["urgency"]), (&json!("aes128gcm"), &json!("normal")));
        assert!(headers["ttl"].as_str().unwrap().parse::<u32>().unwrap() > 86_000, "{headers}");
        let all = service.received(2).await;
        assert_eq!(all[1]["plain"], json!({"channel": "a", "offset": 5}), "{all:?}");
        app.host.stop().await;
    }

    async fn a_device_that_is_connected_is_not_pushed_to(test: TestDb) {
        let (clock, more) = (FakeClock::default(), soon_given_up().collect::<Vec<_>>());
        let (app, service) = start_at(&test, &more, clock.shared()).await;
        let mut socket = connected(&app, &service).await;

        app.backend.publish("a", &json!(1)).await;

        assert_eq!(socket.message().await.0, 1);
        read_on(socket);
        // Until it would have been given up if it had been dead; less than its lease at a time, as it is to be believed
        // to be there throughout.
        let step = Duration::from_millis(2500);
        for _ in 0..7 {
            clock.advance(step);
            let renewed = format!("push_presences WHERE expires_at > {}", (clock.now() + step).as_i64());
            wait_rows(&app, &renewed).await;
        }
        wait_until("the push to be needless", || counted(&app, "connected")).await;
        assert_eq!(service.all().await, Vec::<Value>::new());
        app.host.stop().await;
    }

    async fn a_device_whose_connection_was_dead_already_is_pushed_to(test: TestDb) {
        let more: Vec<_> = soon_given_up().collect();
        let (app, service) = start_at(&test, &more, Arc::new(SystemClock)).await;
        let socket = connected(&app, &service).await;

        // It reads nothing more, and so answers no ping.
        app.backend.publish("a", &json!(1)).await;

        assert_eq!(service.received(1).await[0]["plain"], json!({"channel": "a", "offset": 1}));
        drop(socket);
        app.host.stop().await;
    }

    async fn data_goes_along_when_the_publisher_says_so_but_not_to_accounts(test: TestDb) {
        let (app, service) = start(&test).await;
        device(&app.backend, &app.host.url, "a", &service).await;
        let account = AccountId::new();
        let (access, _) = app.access_token(account).await;
        subscribe(&app.host.url, &access, &service.subscription("account")).await;
        let push = json!({"carry": "data", "urgency": "high", "ttl": 60, "topic": "t1"});
        let of_account = format!("account:{account}");

        // Its key is for channels of accounts, and the other one is not.
        let narrow = app.backend.narrow();
        let publish = async |channel: &str, data: Value| {
            let backend = if channel == "a" { &app.backend } else { &narrow };
            let body = json!({"channel": channel, "data": data, "push": push});
            backend.client.post("/v1/notify/messages", &body).await.assert_status(200);
        };
        publish("a", json!({"text": "hello"})).await;
        let small = service.received(1).await.remove(0);
        publish("a", json!("x".repeat(5000))).await;
        let large = service.received(2).await.remove(1);
        publish(&of_account, json!("of an account")).await;
        let account = service.received(3).await.remove(2);

        assert_eq!(small["plain"], json!({"channel": "a", "offset": 1, "data": {"text": "hello"}}), "{small}");
        let headers = &small["headers"];
        assert_eq!((&headers["urgency"], &headers["topic"]), (&json!("high"), &json!("t1")));
        let ttl: u32 = headers["ttl"].as_str().unwrap().parse().unwrap();
        assert!((50..=60).contains(&ttl), "{ttl}");
        assert_eq!(large["plain"], json!({"channel": "a", "offset": 2}));
        assert_eq!(account["plain"], json!({"channel": of_account, "offset": 1}), "{account}");
        app.host.stop().await;
    }

    async fn a_subscription_that_is_gone_is_removed(test: TestDb) {
        let (app, service) = start(&test).await;
        let token = device(&app.backend, &app.host.url, "a", &service).await;
        let phone = TestClient::new(&app.host.url).with_token(&token);
        phone.get(SUBSCRIPTION).await.assert_status(200);
        service.answer(&json!({"statuses": [410]})).await;

        app.backend.publish("a", &json!(1)).await;

        wait_until("the subscription to go", async || phone.get(SUBSCRIPTION).await.status == 404).await;
        assert_eq!(service.all().await.len(), 1);
        app.host.stop().await;
    }

    async fn a_push_service_that_is_busy_is_waited_for_as_long_as_it_says(test: TestDb) {
        let (app, service) = start(&test).await;
        device(&app.backend, &app.host.url, "a", &service).await;
        service.answer(&json!({"statuses": [503, 429], "retryAfter": 1})).await;

        let since = std::time::Instant::now();
        app.backend.publish("a", &json!(1)).await;
        let all = service.received(3).await;

        let statuses: Vec<&Value> = all.iter().map(|one| &one["status"]).collect();
        assert_eq!(statuses, [503, 429, 201]);
        assert!(since.elapsed() >= Duration::from_secs(2), "{:?}", since.elapsed());
        app.host.stop().await;
    }

    async fn a_push_that_is_refused_or_led_elsewhere_is_not_repeated(test: TestDb) {
        let (app, service) = start(&test).await;
        device(&app.backend, &app.host.url, "a", &service).await;
        service.answer(&json!({"statuses": [307]})).await;

        app.backend.publish("a", &json!(1)).await;
        wait_until("the refusal", || counted(&app, "refused")).await;
        app.backend.publish("a", &json!(2)).await;

        let all = service.received(2).await;
        let offsets: Vec<&Value> = all.iter().map(|one| &one["plain"]["offset"]).collect();
        assert_eq!(offsets, [1, 2]);
        assert!(all.iter().all(|one| one["path"] == "/push/phone"), "{all:?}");
        app.host.stop().await;
    }

    async fn a_push_survives_the_death_of_the_process_that_published(test: TestDb) {
        let service = PushService::start();
        let app = TestApp::start(&test).await;
        let mut own = settings(&service);
        own.retain(|(name, _)| *name != "notify.push.delay");
        own.push(("notify.push.delay", "1h".to_owned()));
        let mut program = app.program(&test, &borrowed(&own)).await;
        let backend = Backend::new(&program.url);
        device(&backend, &program.url, "a", &service).await;

        backend.publish("a", &json!(1)).await;
        program.kill();
        let before = service.all().await;
        let due = "UPDATE pushes SET due_at = 0";
        let db = app.host.database("notify");
        let updated = db.write(move |conn| Ok::<_, DbError>(diesel::sql_query(due).execute(conn)?));
        let updated = updated.await.unwrap();
        program.restart().await.unwrap();

        assert_eq!((before, updated), (Vec::<Value>::new(), 1), "killed before it could push");
        assert_eq!(service.received(1).await[0]["plain"], json!({"channel": "a", "offset": 1}));
        app.host.stop().await;
    }

    async fn neither_endpoint_nor_keys_nor_content_are_in_the_log(test: TestDb) {
        let (app, service) = start(&test).await;
        let program = app.program(&test, &borrowed(&settings(&service))).await;
        let backend = Backend::new(&program.url);
        let token = device(&backend, &program.url, "a", &service).await;
        app.host.stop().await;
        service.answer(&json!({"statuses": [403]})).await;

        let body = json!({"channel": "a", "data": "watermelon", "push": {"carry": "data"}});
        backend.client.post("/v1/notify/messages", &body).await.assert_status(200);
        wait_until("the refusal", async || program.log().contains("refused a push")).await;

        let (log, subscription) = (program.log(), service.subscription("phone"));
        let secrets = [&subscription["keys"]["p256dh"], &subscription["keys"]["auth"]];
        for secret in secrets.map(|secret| secret.as_str().unwrap()) {
            assert!(!log.contains(secret), "{log}");
        }
        for secret in ["/push/phone", "watermelon", VAPID, &token] {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
    }

    async fn what_cannot_be_pushed_to_is_refused(test: TestDb) {
        let (app, service) = start(&test).await;
        let token = app.backend.issue(&json!({"channel": "a"})).await["token"].as_str().unwrap().to_owned();
        let phone = TestClient::new(&app.host.url).with_token(&token);
        let shared = TestClient::new(&app.host.url).with_token(&app.backend.channel_token("a").await);
        let good = service.subscription("phone");
        let with = |endpoint: &str| json!({"endpoint": endpoint, "keys": good["keys"]});

        for endpoint in [
            "http://127.0.0.1:1/", "https://127.0.0.1/", "https://169.254.169.254/", "https://[::1]/",
            "https://other.example.com/", "http://push.example.org/", "https://u:p@push.example.org/", "x",
        ] {
            let answer = phone.put(SUBSCRIPTION, &with(endpoint)).await;
            refused(answer, 422, "push-subscription-refused");
        }
        let bad = json!({"endpoint": good["endpoint"], "keys": {"p256dh": "AAAA", "auth": good["keys"]["auth"]}});
        refused(phone.put(SUBSCRIPTION, &bad).await, 422, "push-subscription-refused");
        refused(shared.put(SUBSCRIPTION, &good).await, 403, "token-shared");
        app.backend.client.put(SUBSCRIPTION, &good).await.assert_status(401);
        refused(phone.get(SUBSCRIPTION).await, 404, "push-subscription-not-found");
        app.host.stop().await;
    }

    async fn a_subscription_is_shown_without_its_endpoint_and_goes_with_its_token(test: TestDb) {
        let (app, service) = start(&test).await;
        let issued = app.backend.issue(&json!({"channel": "a"})).await;
        let phone = TestClient::new(&app.host.url).with_token(issued["token"].as_str().unwrap());

        let put = phone.put(SUBSCRIPTION, &service.subscription("phone")).await.expect(200).text();
        let got = phone.get(SUBSCRIPTION).await.expect(200).text();
        let gone = format!("/v1/notify/tokens/{}?channel=a", issued["id"].as_str().unwrap());
        app.backend.client.delete(&gone).await.assert_status(204);
        device(&app.backend, &app.host.url, "b", &service).await;
        for channel in ["a", "b"] {
            app.backend.publish(channel, &json!(1)).await;
        }

        assert!(put == got && !put.contains("127.0.0.1") && !put.contains("p256dh"), "{put} {got}");
        let all = service.received(1).await;
        assert_eq!(all[0]["plain"]["channel"], "b");
        app.host.stop().await;
    }

    async fn a_process_without_a_key_pushes_nothing(test: TestDb) {
        let app = TestApp::start(&test).await;

        let answer = app.backend.client.get("/v1/notify/push/vapid").await;

        refused(answer, 404, "push-off");
        app.host.stop().await;
    }

    async fn a_device_that_is_connected_to_another_process_is_not_pushed_to(test: TestDb) {
        let clock = FakeClock::default();
        let (app, service) = start_at(&test, &[], clock.shared()).await;
        let other = app.sibling(&test, &borrowed(&settings(&service))).await;
        let token = device(&app.backend, &app.host.url, "a", &service).await;
        app.backend.publish("a", &json!(1)).await;

        // It comes by itself, before the push is due.
        clock.advance(DELAY / 2);
        let mut socket = Socket::connect(&other.host.url).await;
        socket.subscribe(&json!({"token": token})).await;
        read_on(socket);
        wait_seen(&app).await;
        clock.advance(DELAY / 2);

        wait_until("the push to be needless", async || counted(&app, "connected").await || counted(&other, "connected").await).await;
        assert_eq!(service.all().await, Vec::<Value>::new());
        app.host.stop().await;
        other.host.stop().await;
    }
}
