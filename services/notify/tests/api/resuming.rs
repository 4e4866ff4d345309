//! Clients that come back: what they missed, in order, once, or that it cannot be had.

use std::time::Duration;

use common::models::Epoch;
use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::database::{TestDb, administer};

use crate::harness::{Events, TestApp};

testkit::on_both! {
    async fn what_was_missed_comes_first_and_then_what_comes(test: TestDb) {
        let app = TestApp::start_with(&test, &[("notify.page", "7")]).await;
        let token = app.backend.channel_token("a").await;
        for number in 1..=30 {
            app.backend.publish("a", &json!(number)).await;
        }

        for seen in [0, 1, 15, 29, 30] {
            let mut socket = app.connect().await;
            let joined = socket.subscribe(&json!({"token": token, "offset": seen})).await;
            assert_eq!((&joined["recovered"], &joined["offset"]), (&json!(true), &json!(30)), "{seen}");
            let missed = usize::try_from(30 - seen).unwrap();
            assert!(socket.offsets(missed).await.into_iter().eq(seen + 1..=30));
            socket.hears_nothing().await;
        }
        let mut socket = app.connect().await;
        socket.subscribe(&json!({"token": token, "offset": 28})).await;
        assert_eq!(app.backend.publish("a", &json!(31)).await, 31);
        assert_eq!(socket.offsets(3).await, [29, 30, 31]);
        app.host.stop().await;
    }

    async fn there_is_no_gap_and_no_repetition_at_the_seam(test: TestDb) {
        let app = TestApp::start_with(&test, &[("notify.page", "5"), ("notify.recent", "16")]).await;
        let token = app.backend.channel_token("a").await;
        let backend = app.backend.clone();
        let publisher = tokio::spawn(async move {
            for number in 1..=400 {
                backend.publish("a", &json!(number)).await;
            }
        });

        // Many come and go while it is published, each goes on where it was.
        let client = |number: u64| {
            let (app, token) = (&app, &token);
            async move {
                let mut seen = 0;
                while seen < 400 {
                    let mut socket = app.connect().await;
                    let joined = socket.subscribe(&json!({"token": token, "offset": seen})).await;
                    assert_eq!(joined["recovered"], true);
                    let stay = 1 + (number * 7 + u64::try_from(seen).unwrap()) % 40;
                    for _ in 0..stay {
                        if seen == 400 {
                            break;
                        }
                        let (offset, data) = socket.message().await;
                        assert_eq!((offset, data), (seen + 1, json!(seen + 1)));
                        seen = offset;
                    }
                }
            }
        };
        futures_util::future::join_all((0..20).map(client)).await;
        publisher.await.unwrap();
        app.host.stop().await;
    }

    async fn what_cannot_be_had_any_more_is_told(test: TestDb) {
        let clock = FakeClock::default();
        let more = [("notify.history_size", "10"), ("notify.history_ttl", "1h")];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        let token = app.backend.issue(&json!({"channel": "a"})).await["token"].clone();
        for number in 1..=25 {
            app.backend.publish("a", &json!(number)).await;
        }
        let join = async |more: Value| {
            let mut request = json!({"token": token});
            for (name, value) in more.as_object().unwrap() {
                request[name] = value.clone();
            }
            let mut socket = app.connect().await;
            (socket.subscribe(&request).await["recovered"].clone(), socket)
        };
        let epoch = app.backend.history("a", "").await["epoch"].clone();

        let (whole, mut socket) = join(json!({"offset": 15, "epoch": epoch})).await;
        assert_eq!(whole, true);
        assert!(socket.offsets(10).await.into_iter().eq(16..=25));
        for lost in [
            json!({"offset": 14}),
            json!({"offset": 0}),
            json!({"offset": 26}),
            json!({"offset": -1}),
            json!({"offset": 25, "epoch": Epoch::new()}),
        ] {
            let (recovered, mut socket) = join(lost.clone()).await;
            assert_eq!(recovered, false, "{lost}");
            socket.hears_nothing().await;
        }
        let (_, mut live) = join(json!({"offset": 3})).await;
        app.backend.publish("a", &json!(26)).await;
        assert_eq!(live.message().await, (26, json!(26)), "and then what comes");
        clock.advance(Duration::from_secs(3600));
        assert_eq!(join(json!({"offset": 20})).await.0, false, "its time has passed");
        assert_eq!(join(json!({"offset": 26})).await.0, true, "nothing was missed");
        let history = app.backend.history("a", "&after=10").await;
        assert_eq!((&history["complete"], &history["offset"]), (&json!(false), &json!(26)));
        app.host.stop().await;
    }

    async fn an_event_stream_resumes_by_the_id_of_its_last_event(test: TestDb) {
        let app = TestApp::start(&test).await;
        let token = app.backend.channel_token("a/ü").await;
        let http = &app.host.http;
        let open = || http.with_token(&token).request(reqwest::Method::GET, "/v1/notify/sse");

        let mut first = Events::open(open()).await;
        let opening = first.event("subscribed").await;
        app.backend.message("a/ü", &json!({"n": 1})).await;
        let one = first.event("message").await;
        drop(first);
        app.backend.message("a/ü", &json!({"n": 2})).await;
        let mut again = Events::open(open().header("last-event-id", one.id.as_deref().unwrap())).await;
        let mut from_start = Events::open(open().header("last-event-id", opening.id.as_deref().unwrap())).await;
        let query = format!("/v1/notify/sse?token={token}&offset=1");
        let mut by_query = Events::open(http.request(reqwest::Method::GET, &query)).await;

        assert_eq!((&opening.data["offset"], &opening.data["channel"]), (&json!(0), &json!("a/ü")));
        assert_eq!((&one.data["data"], &one.data["offset"]), (&json!({"n": 1}), &json!(1)));
        assert_eq!(again.event("subscribed").await.data["recovered"], true);
        assert_eq!(again.event("message").await.data["data"], json!({"n": 2}));
        from_start.event("subscribed").await;
        assert_eq!(from_start.event("message").await, one);
        by_query.event("subscribed").await;
        assert_eq!(by_query.event("message").await.data["offset"], 2);
        app.backend.message("a/ü", &json!({"n": 3})).await;
        for stream in [&mut again, &mut by_query] {
            assert_eq!(stream.event("message").await.data["offset"], 3);
        }
        let refused = http.get("/v1/notify/sse").await;
        refused.assert_status(401);
        http.with_token("x".repeat(43)).get("/v1/notify/sse").await.assert_status(401);
        http.send(open().header("last-event-id", "7")).await.assert_status(400);
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_frames_close_the_connection() {
    let test = testkit::database::TestDb::sqlite().await;
    let app = TestApp::start(&test).await;

    for text in [
        "",
        "{",
        "[]",
        r#"{"type":"hello"}"#,
        r#"{"type":"subscribe","id":1}"#,
        r#"{"type":"subscribe","token":"x"}"#,
    ] {
        let mut socket = app.connect().await;
        socket.text(text).await;
        assert_eq!(socket.closed().await.0, 1007, "{text}");
    }
    let mut socket = app.member("a").await;
    socket.ask(&json!({"token": "x".repeat(43)})).await;
    let refusal = socket.frame("refused").await;
    assert_eq!((&refusal["id"], &refusal["problem"]["status"]), (&json!(1), &json!(401)));
    socket.hears_nothing().await;
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_channel_whose_life_ends_while_somebody_joins_has_another_one() {
    let test = TestDb::postgres().await;
    let app = TestApp::start(&test).await;
    app.backend.publish("a", &json!(1)).await;
    let before = app.backend.history("a", "").await["epoch"].clone();
    // As another process may, right after it was found that the channel lives.
    let end = "CREATE FUNCTION notify.end_life() RETURNS trigger LANGUAGE plpgsql AS \
            'BEGIN DELETE FROM notify.channels WHERE next_offset > 1; RETURN NULL; END'; \
        CREATE TRIGGER end_life AFTER INSERT ON notify.channels \
            FOR EACH STATEMENT EXECUTE FUNCTION notify.end_life()";
    administer(&test.settings().url, end).unwrap();
    let token = app.backend.channel_token("a").await;

    let joined = app.connect().await.subscribe(&json!({"token": token})).await;

    assert_eq!(joined["offset"], 0);
    assert_ne!(joined["epoch"], before);
    app.host.stop().await;
}
