//! The native interface of back-ends: publishing, batches, keys, limits, history.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::obstacle::Obstacle;

use crate::harness::TestApp;

const PATH: &str = "/v1/notify/messages";

testkit::on_both! {
    async fn offsets_have_no_gaps_whoever_publishes(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut socket = app.member("a").await;

        let publish = |number: usize| {
            let backend = app.backend.clone();
            async move { (backend.publish("a", &json!(number)).await, number) }
        };
        let mut published = join_all((0..200).map(publish)).await;

        published.sort_unstable();
        assert!(published.iter().map(|(offset, _)| *offset).eq(1..=200));
        for (offset, number) in published {
            assert_eq!(socket.message().await, (offset, json!(number)));
        }
        let history = app.backend.history("a", "&after=190").await;
        let offsets: Vec<i64> =
            history["messages"].as_array().unwrap().iter().map(|one| one["offset"].as_i64().unwrap()).collect();
        assert!(offsets.into_iter().eq(191..=200));
        assert_eq!((&history["offset"], &history["complete"], &history["more"]), (&json!(200), &json!(true), &json!(false)));
        app.host.stop().await;
    }

    async fn the_same_key_gets_the_same_answer_also_at_the_same_time(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut socket = app.member("a").await;
        let body = json!({"channel": "a", "data": {"n": 1}});

        let answers = join_all((0..50).map(|_| app.backend.publish_keyed(&body, "key-1"))).await;
        let later = app.backend.publish_keyed(&body, "key-1").await.expect(200);
        let other_channel =
            app.backend.publish_keyed(&json!({"channel": "b", "data": 2}), "key-1").await.expect(200);
        let other_data = app.backend.publish_keyed(&json!({"channel": "a", "data": 2}), "key-1").await;
        let narrow = json!({"channel": "orders/1", "data": 3});
        app.backend.publish_keyed(&narrow, "key-1").await.assert_status(200);
        let of_another_key = app.backend.narrow().publish_keyed(&narrow, "key-1").await.expect(200);

        let first = answers.iter().filter(|answer| answer.header("idempotent-replay").is_none()).count();
        assert_eq!(first, 1);
        for answer in answers.iter().chain([&later]) {
            let (value, first) = (answer.value(), later.value());
            assert_eq!((&value["id"], &value["offset"], &value["epoch"]), (&first["id"], &json!(1), &first["epoch"]));
        }
        assert_eq!(later.header("idempotent-replay"), Some("true"));
        assert_eq!(other_channel.value()["offset"], 1);
        assert_eq!(other_data.expect(422).problem().slug(), "idempotency-key-reused");
        assert_eq!(of_another_key.value()["offset"], 2);
        assert_eq!(socket.message().await.0, 1);
        socket.hears_nothing().await;
        for key in ["", "a b", "ä", &"k".repeat(129)] {
            app.backend.publish_keyed(&body, key).await.assert_status(400);
        }
        app.host.stop().await;
    }

    async fn a_batch_has_a_result_for_each_and_publishes_what_was_missing_when_it_is_repeated(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut socket = app.member("a").await;
        let messages: Vec<Value> = (0..1000).map(|number| json!({"channel": "a", "data": number})).collect();
        let body = json!({"messages": messages});
        let send = async |body: &Value, key: &str| {
            let request = app.backend.client.request(reqwest::Method::POST, &format!("{PATH}/batch"));
            app.backend.client.send(request.header("idempotency-key", key).json(body)).await
        };

        let first = send(&body, "batch-1").await.expect(200).value();
        let second = send(&body, "batch-1").await.expect(200).value();
        let mixed = json!({"messages": [
            {"channel": "a", "data": 1}, {"channel": "", "data": 2}, {"channel": "a", "data": "x".repeat(70_000)},
            {"channel": "account:5e0c26b0-5e5a-4c0e-8f0a-0123456789ab", "data": 3}, {"channel": "a", "data": 4, "volatile": true},
        ]});
        let mixed = send(&mixed, "batch-2").await.expect(200).value();

        let ids = |answer: &Value| {
            answer["results"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&first), ids(&second));
        for offset in 1..=1000 {
            assert_eq!(socket.message().await, (offset, json!(offset - 1)));
        }
        let of = |number: usize| mixed["results"][number].clone();
        assert_eq!(of(0)["offset"], 1001);
        assert_eq!((&of(1)["problem"]["status"], &of(2)["problem"]["status"]), (&json!(400), &json!(413)));
        assert_eq!(of(3)["problem"]["type"], "urn:problem:channel-forbidden");
        assert!(of(4)["id"].is_string() && of(4)["offset"].is_null());
        for body in [json!({"messages": []}), json!({"messages": vec![json!({"channel": "a", "data": 1}); 1001]})] {
            send(&body, "batch-3").await.assert_status(400);
        }
        app.host.stop().await;
    }

    async fn a_broadcast_reaches_each_of_its_channels(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut sockets = Vec::new();
        for name in ["a", "b", "c"] {
            sockets.push(app.member(name).await);
        }

        let body = json!({"channels": ["a", "b", "c"], "data": "to all"});
        let answer = app.backend.client.post(&format!("{PATH}/broadcast"), &body).await.expect(200).value();

        assert_eq!(answer["results"].as_array().unwrap().len(), 3);
        assert!(answer["results"].as_array().unwrap().iter().all(|one| one["offset"] == 1 && one["reached"] == 1));
        for socket in &mut sockets {
            assert_eq!(socket.message().await, (1, json!("to all")));
        }
        app.host.stop().await;
    }

    async fn a_volatile_notification_is_kept_nowhere(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut socket = app.member("a").await;
        let body = json!({"channel": "a", "data": "typing", "volatile": true});

        let answer = app.backend.client.post(PATH, &body).await.expect(200).value();
        app.backend.publish("a", &json!("said")).await;

        let frame = socket.frame("message").await;
        assert_eq!((&frame["data"], &frame["id"]), (&json!("typing"), &answer["id"]));
        assert!(frame.get("offset").is_none() && answer.get("offset").is_none());
        assert_eq!(socket.message().await, (1, json!("said")));
        assert_eq!(app.backend.history("a", "").await["messages"].as_array().unwrap().len(), 1);
        app.host.stop().await;
    }

    async fn keys_are_for_their_channels_and_wrong_ones_for_none(test: TestDb) {
        let app = TestApp::start(&test).await;
        let account = "account:5e0c26b0-5e5a-4c0e-8f0a-0123456789ab";
        let body = |channel: &str| json!({"channel": channel, "data": 1});

        for (backend, channel, status) in [
            (&app.backend, "a", 200),
            (&app.backend, "orders/1", 200),
            (&app.backend, account, 403),
            (&app.backend.narrow(), "orders/1", 200),
            (&app.backend.narrow(), account, 200),
            (&app.backend.narrow(), "a", 403),
        ] {
            backend.client.post(PATH, &body(channel)).await.assert_status(status);
        }
        for path in ["/v1/notify/history?channel=a", "/v1/notify/presence?channel=a", "/v1/notify/tokens?channel=a"] {
            app.backend.narrow().client.get(path).await.assert_status(403);
            let refusal = app.host.http.get(path).await.expect(401);
            assert_eq!(refusal.header("www-authenticate"), Some("Bearer"));
            app.host.http.with_token("the API key of a back-end in tests!").get(path).await.assert_status(401);
        }
        app.host.http.post(PATH, &body("a")).await.assert_status(401);
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_publications_are_told_to_wait() {
    let test = testkit::database::TestDb::sqlite().await;
    let more = [
        ("limits.enabled", "true"),
        ("limits.notify_channel", "{ size = 3, refill = \"1h\" }"),
        ("limits.notify_token_address", "{ size = 2, refill = \"1h\" }"),
    ];
    let app = TestApp::start_with(&test, &more).await;
    for offset in 1..=3 {
        assert_eq!(app.backend.publish("a", &json!(1)).await, offset);
    }

    let refused = app.backend.client.post(PATH, &json!({"channel": "a", "data": 1})).await.expect(429);
    let compat = app.backend.channel_api("/message/a", r#"{"message":1}"#).await.expect(429);
    let other = app.backend.publish("b", &json!(1)).await;
    let guesses =
        async || app.host.http.with_token("a wrong API key").get("/v1/notify/tokens?channel=a").await.status;
    let guesses = [guesses().await, guesses().await, guesses().await].map(|status| status.as_u16());

    assert!(refused.header("retry-after").is_some());
    assert!(compat.header("retry-after").is_some() && compat.value()["success"] == false);
    assert_eq!(other, 1);
    assert_eq!(guesses, [401, 401, 429]);
    app.host.stop().await;
}

/// Each process looks for the key and stores it with one statement, whose snapshot is as old as its wait for the channel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_key_that_comes_during_the_wait_for_a_channel_counts() {
    let test = TestDb::postgres().await;
    let app = TestApp::start(&test).await;
    let other = app.sibling(&test, &[]).await;
    app.backend.publish("a", &json!("first")).await;
    let [same, different] = ["same", "else"].map(|data| json!({"channel": "a", "data": data}));
    let channel = || Obstacle::new(&test, "SELECT 1 FROM notify.channels FOR UPDATE");

    let both = channel().clear_for(2, async {
        tokio::join!(app.backend.publish_keyed(&same, "one"), other.backend.publish_keyed(&same, "one"))
    });
    let (here, away) = both.await;
    let reused = channel().clear_for(2, async {
        tokio::join!(app.backend.publish_keyed(&same, "two"), other.backend.publish_keyed(&different, "two"))
    });
    let (one, two) = reused.await;

    assert_eq!((here.status.as_u16(), away.status.as_u16()), (200, 200), "{} {}", here.text(), away.text());
    assert_eq!(here.value()["id"], away.value()["id"]);
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    assert_eq!(app.backend.history("a", "").await["offset"], 3);
    other.host.stop().await;
    app.host.stop().await;
}
