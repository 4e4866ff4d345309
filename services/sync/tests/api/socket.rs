//! What a subscriber sees: the timeline of §5.3 of the gateway server's documents, on both databases.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use common::models::{AccountId, Clock as _, SystemClock};
use serde_json::Value;
use testkit::clock::FakeClock;
use testkit::database::TestDb;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::harness::{
    DEADLINE, FAST, PASSWORD, Phone, Seen, Socket, TestApp, happy_end, last, over, path, shown,
};

/// A service on a clock that the test moves: until then no URL turns and no pause ends, however slow the machine is.
async fn on_a_clock(db: &TestDb, more: &[(&str, &str)]) -> (TestApp, FakeClock) {
    let clock = FakeClock::at(SystemClock.now());
    (TestApp::start_at(db, &[&FAST[..], more].concat(), clock.shared()).await, clock)
}

on_both! {
    // Acceptance 2 and 6, the first halves.
    async fn left_alone_a_session_shows_three_urls_and_ends(db: TestDb) {
        let (app, clock) = on_a_clock(&db, &[]).await;
        let url = app.begin().await;
        let mut socket = Socket::open(&url).await;

        let mut frames = Vec::new();
        for _ in 0..3 {
            frames.push(socket.text().await);
            clock.advance(Duration::from_millis(900));
            assert!(socket.is_silent().await, "too early after {frames:?}");
            clock.advance(Duration::from_millis(100));
        }

        assert_eq!(socket.rest().await, [over()]);
        let sessions = format!("{}/v2/sync/users/{}/sessions/", app.host.url, app.account);
        for frame in &frames {
            assert_eq!(*frame, format!("{sessions}{}/handshake", shown(frame)));
        }
        assert_eq!(shown(&frames[0]), last(&url));
        assert_eq!(frames.iter().collect::<HashSet<_>>().len(), 3);
        assert_eq!(app.count("sync_sessions").await, 0, "the last id is worthless, too");
        assert_eq!(Socket::try_open(&url).await.err(), Some(404));
    }

    // Acceptance 3.
    async fn only_the_url_that_was_shown_last_is_good(db: TestDb) {
        let (app, clock) = on_a_clock(&db, &[]).await;
        let (phone, http) = (Phone::new(), &app.host.http);
        let mut socket = Socket::open(&app.begin().await).await;
        let first = socket.text().await;
        clock.advance(Duration::from_secs(1));
        let second = socket.text().await;

        let early = phone.handshake(http, path(&first)).await;
        let late = phone.handshake(http, path(&second)).await;

        early.assert_status(400);
        late.assert_status(200);
        assert_eq!(socket.text().await, "201- pause");
    }

    // Acceptance 5 and 7.
    async fn keys_and_password_are_told_once_each_and_end_it(db: TestDb) {
        let (app, clock) = on_a_clock(&db, &[]).await;
        let (phone, http) = (Phone::new(), &app.host.http);
        let mut socket = Socket::open(&app.begin().await).await;
        let url = socket.text().await;

        let handshake = phone.handshake(http, path(&url)).await.expect(200).value();
        assert_eq!(socket.text().await, "201- pause");
        phone.verify(http, &handshake, "wrong").await.assert_status(401);
        // Another URL would be due by now.
        clock.advance(Duration::from_millis(1200));
        assert!(socket.is_silent().await, "in its pause a session shows nothing");
        let answer = phone.verify(http, &handshake, PASSWORD).await.expect(200);
        let again = phone.verify(http, &handshake, PASSWORD).await.expect(200).value();

        assert_eq!(socket.rest().await, happy_end());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer = answer.value();
        let key = phone.decrypt(answer["shared_key"].as_str().unwrap(), "sha1");
        assert_eq!(key.len(), 32);
        assert!(key.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f')), "{key}");
        assert_eq!(answer["user_platforms"], serde_json::json!([]));
        assert_eq!(answer["gateway_clients"], serde_json::json!([]));
        assert_eq!(answer["seeds_url"], format!("{}/seeds", app.host.url));
        assert_eq!(phone.decrypt(again["shared_key"].as_str().unwrap(), "sha1"), key);
    }

    async fn without_a_websocket_it_works_as_well(db: TestDb) {
        let app = TestApp::start(&db).await;
        let session = last(&app.begin().await);
        let handshake = format!("/v2/sync/users/{}/sessions/{session}/handshake", app.account);

        Phone::new().synchronize(&app.host.http, &handshake, PASSWORD).await.assert_status(200);

        assert_eq!(app.count("synchronized_devices").await, 1);
    }

    // Acceptance 6.
    async fn a_pause_that_nothing_follows_ends_after_its_time(db: TestDb) {
        let (app, clock) = on_a_clock(&db, &[]).await;
        let (phone, http) = (Phone::new(), &app.host.http);
        let mut socket = Socket::open(&app.begin().await).await;
        let url = socket.text().await;
        let handshake = phone.handshake(http, path(&url)).await.expect(200).value();
        assert_eq!(socket.text().await, "201- pause");

        clock.advance(Duration::from_millis(2900));
        assert!(socket.is_silent().await, "too early");
        clock.advance(Duration::from_millis(100));

        assert_eq!(socket.rest().await, [over()]);
        phone.verify(http, &handshake, PASSWORD).await.assert_status(400);
    }

    async fn the_second_subscriber_is_refused_and_the_first_keeps_everything(db: TestDb) {
        let (app, _clock) = on_a_clock(&db, &[]).await;
        let phone = Phone::new();
        let url = app.begin().await;
        let mut first = Socket::open(&url).await;
        let shown = first.text().await;

        let second = Socket::open(&url).await.rest().await;
        phone.synchronize(&app.host.http, path(&shown), PASSWORD).await.assert_status(200);

        assert_eq!(second, [Seen::Closed(4409, "already connected".to_owned())]);
        let mut expected = happy_end();
        expected.insert(0, Seen::Text("201- pause".to_owned()));
        let rest = first.rest().await;
        // Both may have happened before it was looked at.
        assert!(rest == expected || rest == expected[1..], "{rest:?}");
    }

    async fn whoever_comes_back_goes_on_where_the_session_is(db: TestDb) {
        // No ping may find out what the end of a connection tells.
        let (app, _clock) = on_a_clock(&db, &[("sync.ping", "60s"), ("sync.idle", "90s")]).await;
        let (phone, http) = (Phone::new(), &app.host.http);
        let url = app.begin().await;
        let mut socket = Socket::open(&url).await;
        let first = socket.text().await;

        // The peer that goes is noticed at once: its place is free as soon as it has closed.
        drop(socket);
        let mut socket = comes_back(&url).await;
        assert_eq!(socket.text().await, first);
        let handshake = phone.handshake(http, path(&first)).await.expect(200).value();
        assert_eq!(socket.text().await, "201- pause");
        drop(socket);
        let mut socket = comes_back(&url).await;
        assert_eq!(socket.text().await, "201- pause");
        drop(socket);
        phone.verify(http, &handshake, PASSWORD).await.assert_status(200);
        let socket = comes_back(&url).await;
        assert_eq!(socket.rest().await, happy_end());
    }

    async fn only_sessions_that_there_are_are_shown(db: TestDb) {
        let app = TestApp::start(&db).await;
        let url = app.begin().await;
        let base = app.host.url.replacen("http", "ws", 1);
        let (session, user) = (last(&url), app.account);

        for path in [
            format!("/v2/sync/init/{user}/{}", "0".repeat(32)),
            format!("/v2/sync/init/{}/{session}", AccountId::new()),
            format!("/v2/sync/init/{user}/x"),
            "/v2/sync/init/x".to_owned(),
            "/v2/sync/init".to_owned(),
            format!("/v2/sync/init/{user}/{session}/more"),
        ] {
            assert_eq!(Socket::try_open(&format!("{base}{path}")).await.err(), Some(404), "{path}");
        }
        assert_eq!(Socket::try_open(&format!("{url}?format=xml")).await.err(), Some(400));
        app.host.http.get(path(&url)).await.assert_status(400);
    }

    async fn a_process_shows_so_many_sessions(db: TestDb) {
        let app = TestApp::start_with(&db, &[("sync.max_sockets", "1")]).await;
        let (first, second) = (app.begin().await, app.begin().await);
        let mut socket = Socket::open(&first).await;
        socket.text().await;

        let refused = Socket::try_open(&second).await.err();
        drop(socket);

        assert_eq!(refused, Some(503));
        wait_until("the place of the first", || async { Socket::try_open(&second).await.is_ok() }).await;
    }

    async fn frames_come_bare_or_as_json(db: TestDb) {
        let app = TestApp::start(&db).await;

        let (url, bare) = (app.begin().await, app.begin().await);
        let asked = Socket::open(&format!("{url}?format=json")).await.text().await;
        let bare = Socket::open(&format!("{bare}?format=text")).await.text().await;

        assert!(bare.starts_with("http://"), "{bare}");
        let frame: Value = serde_json::from_str(&asked).unwrap();
        let qr = frame["qr_url"].as_str().unwrap();
        assert_eq!(shown(qr), last(&url));
        assert_eq!(frame["mobile_url"], qr.replacen("http", "app", 1));
        assert_eq!(frame["server_key_fingerprint"], app.fingerprint());
        app.host.stop().await;
        let app = TestApp::start_with(&db, &[("sync.format", "json")]).await;
        let frame = Socket::open(&app.begin().await).await.text().await;
        assert!(frame.starts_with('{'), "{frame}");
    }
}

/// Connects again as soon as the connection before is known to be gone.
async fn comes_back(url: &str) -> Socket {
    let began = Instant::now();
    loop {
        let mut socket = Socket::open(url).await;
        match socket.next().await {
            Seen::Closed(4409, _) if began.elapsed() < DEADLINE => {}
            seen => return socket.before(seen),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
