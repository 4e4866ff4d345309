//! Two processes on one PostgreSQL, with RabbitMQ between them.

use std::time::{Duration, Instant};

use testkit::database::TestDb;
use testkit::rabbitmq::{RabbitMq, vhost};

use crate::harness::{
    DEADLINE, FAST, PASSWORD, PHONE, Phone, Seen, Socket, TestApp, at, contains, happy_end, path,
};

/// A subscriber looks at the table, and is shown another URL, later than a test waits for anything: what arrives was told.
const SLOW_LOOKS: [(&str, &str); 2] = [("sync.recheck", "60s"), ("sync.session_sleep_timeout", "60s")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_websocket_is_on_one_process_and_the_calls_are_on_another() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let live = [&[("live.url", vhost.url())], &SLOW_LOOKS[..]].concat();
    let here = TestApp::start_with(&test, &live).await;
    let there = here.sibling(&test, &live).await;
    let mut socket = Socket::open(&here.begin().await).await;
    let (url, phone) = (socket.text().await, Phone::new());

    let handshake = phone.handshake(&there.host.http, path(&url)).await.expect(200).value();
    assert_eq!(socket.text().await, "201- pause");
    let answer = phone.verify(&here.host.http, &handshake, PASSWORD).await.expect(200).value();

    assert_eq!(socket.rest().await, happy_end());
    let keys = there.shared_keys(PHONE).await.expect(200).value();
    assert_eq!(keys["keys"][0]["key"], phone.decrypt(answer["shared_key"].as_str().unwrap(), "sha1"));
    there.host.stop().await;
    here.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_subscribers_in_two_processes_the_first_one_stays() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let live = [("live.url", vhost.url())];
    let here = TestApp::start_with(&test, &live).await;
    let there = here.sibling(&test, &live).await;
    for _ in 0..5 {
        let url = here.begin().await;
        let elsewhere = at(&url, &there.host.url);

        let (a, b, c) = tokio::join!(Socket::open(&url), Socket::open(&elsewhere), Socket::open(&elsewhere));

        let mut shown = Vec::new();
        let mut refused = 0;
        for mut socket in [a, b, c] {
            match socket.next().await {
                Seen::Text(_) => shown.push(socket),
                Seen::Closed(4409, reason) if reason == "already connected" => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((shown.len(), refused), (1, 2));
    }
    there.host.stop().await;
    here.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_is_forgotten_at_once_and_its_session_goes_on_elsewhere() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let live = [&[("live.url", vhost.url())], &SLOW_LOOKS[..]].concat();
    let here = TestApp::start_with(&test, &live).await;
    let mut program = here.program(&test, &live).await;
    let url = here.begin().await;
    let mut socket = Socket::open(&at(&url, &program.url)).await;
    let (shown, phone) = (socket.text().await, Phone::new());
    assert_eq!(Socket::open(&url).await.rest().await, [Seen::Closed(4409, "already connected".to_owned())]);

    program.kill();
    assert_eq!(socket.next().await, Seen::Lost);
    let mut socket = taken_over(&url).await;
    let again = socket.text().await;
    let handshake = phone.handshake(&here.host.http, path(&again)).await.expect(200).value();

    assert_eq!(path(&again), path(&shown));
    assert_eq!(socket.text().await, "201- pause");
    program.restart().await.unwrap();
    phone.verify(&program.http, &handshake, PASSWORD).await.assert_status(200);
    assert_eq!(socket.rest().await, happy_end());
    here.host.stop().await;
}

/// Connects once the database knows that the process before is gone.
async fn taken_over(url: &str) -> Socket {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_that_is_away_does_not_tell_is_seen_in_the_table() {
    let (test, mut broker) = (TestDb::postgres().await, RabbitMq::start().await.unwrap());
    let url = broker.url();
    // Its looks are frequent; neither the URL nor the pause ends meanwhile.
    let patient = [("sync.session_sleep_timeout", "60s"), ("sync.session_paused_timeout", "60s")];
    let live = [&[("live.url", &*url)], &FAST[..], &patient[..]].concat();
    let here = TestApp::start_with(&test, &live).await;
    let there = here.sibling(&test, &live).await;
    let mut socket = Socket::open(&here.begin().await).await;
    let (shown, phone) = (socket.text().await, Phone::new());
    broker.kill();

    let handshake = phone.handshake(&there.host.http, path(&shown)).await.expect(200).value();
    assert_eq!(socket.text().await, "201- pause");
    phone.verify(&there.host.http, &handshake, PASSWORD).await.assert_status(200);

    assert_eq!(socket.rest().await, happy_end());
    there.host.stop().await;
    here.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_did_not_hear_its_key_gets_it_again_after_a_crash_and_no_secret_is_anywhere() {
    for test in [TestDb::sqlite().await, TestDb::postgres().await] {
        let settings = [("telemetry.level", "trace"), ("sync.start", "open")];
        let keys = TestApp::start(&TestDb::sqlite().await).await;
        let mut program = keys.program(&test, &settings).await;
        let start = format!("/v2/sync/users/{}", keys.account);
        let url = program.http.get(&start).await.expect(200).text();
        let mut socket = Socket::open(&url).await;
        let (shown, phone) = (socket.text().await, Phone::new());

        let handshake = phone.handshake(&program.http, path(&shown)).await.expect(200).value();
        program.restart().await.unwrap();
        phone.handshake(&program.http, path(&shown)).await.assert_status(200);
        let first = phone.verify(&program.http, &handshake, PASSWORD).await.expect(200).value();
        program.restart().await.unwrap();
        let again = phone.verify(&program.http, &handshake, PASSWORD).await.expect(200).value();
        let mut socket = Socket::open(&url).await;
        let last = socket.next().await;
        phone.verify(&program.http, &handshake, "wrong password").await.assert_status(401);
        program.stop().await.unwrap();

        let key = phone.decrypt(first["shared_key"].as_str().unwrap(), "sha1");
        assert_eq!(phone.decrypt(again["shared_key"].as_str().unwrap(), "sha1"), key);
        assert_eq!(last, happy_end()[0]);
        let log = program.log();
        let session = crate::harness::last(&url);
        for secret in [&*key, PASSWORD, "wrong password", &session, PHONE, "PRIVATE KEY"] {
            assert!(!log.contains(secret), "{secret} in the log");
        }
        if let Some(file) = test.settings().url.strip_prefix("sqlite:") {
            for file in [file.to_owned(), format!("{file}-wal")] {
                assert!(!contains(file.as_ref(), &[&key, PASSWORD]), "in the table");
            }
        }
        keys.host.stop().await;
    }
}
