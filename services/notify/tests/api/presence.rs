//! Clients that asked who is present in their channel hear of it.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::database::{TestDb, administer};
use testkit::rabbitmq::vhost;
use testkit::wait::wait_until;

use crate::harness::{Events, Socket, TestApp};
use crate::socketio::client::SocketIo;

/// How long comings and goings gather.
const GATHER: (&str, &str) = ("notify.presence_gather", "20ms");

/// A token of the channel `a`, of a member.
async fn token(app: &TestApp, member: &str) -> Value {
    app.backend.issue(&json!({"channel": "a", "member": member})).await["token"].clone()
}

/// A member comes.
async fn come(app: &TestApp, member: &str) -> Socket {
    let mut socket = app.connect().await;
    socket.subscribe(&json!({"token": token(app, member).await})).await;
    socket
}

/// One who asks who is present, and is nobody.
async fn watcher(app: &TestApp) -> Socket {
    let mut socket = app.connect().await;
    socket.subscribe(&json!({"token": app.backend.channel_token("a").await, "presence": true})).await;
    socket
}

testkit::on_both! {
    async fn who_asks_hears_at_each_door_who_is_present_who_comes_and_who_goes(test: TestDb) {
        let app = TestApp::start_with(&test, &[GATHER]).await;
        let alice = come(&app, "alice").await;
        let shared = app.backend.channel_token("a").await;
        let mut incurious = app.member("a").await;

        let mut socket = watcher(&app).await;
        let first = json!({"type": "presence", "channel": "a", "count": 1, "members": ["alice"]});
        // What alice's coming had others told may come first.
        while socket.frame("presence").await != first {}
        let client = app.host.http.with_token(&*shared);
        let mut events = Events::open(client.request(Method::GET, "/v1/notify/sse?presence=true")).await;
        events.event("subscribed").await;
        let mut sockets = SocketIo::connected(&app.host.url).await;
        sockets.join(&json!({"token": shared, "presence": true})).await;
        assert_eq!(events.event("presence").await.data, first);
        assert_eq!(sockets.event().await, json!(["presence", first]));
        let bob = come(&app, "bob").await;
        let joined = json!({"type": "presence", "channel": "a", "count": 2, "joined": ["bob"]});
        assert_eq!(socket.frame("presence").await, joined);
        assert_eq!(events.event("presence").await.data, joined);
        assert_eq!(sockets.event().await, json!(["presence", joined]));
        let again = come(&app, "bob").await;
        bob.cut();
        alice.cut();

        let left = json!({"type": "presence", "channel": "a", "count": 1, "left": ["alice"]});
        assert_eq!(socket.frame("presence").await, left, "bob is there by another connection");
        assert_eq!(events.event("presence").await.data, left);
        assert_eq!(sockets.event().await, json!(["presence", left]));
        again.cut();
        incurious.hears_nothing().await;
        app.host.stop().await;
    }

    async fn a_crowd_is_counted_and_not_named(test: TestDb) {
        let app = TestApp::start_with(&test, &[GATHER, ("notify.presence_members", "2")]).await;
        let mut crowd = vec![come(&app, "alice").await, come(&app, "bob").await, come(&app, "carol").await];
        let mut socket = watcher(&app).await;
        while socket.frame("presence").await != json!({"type": "presence", "channel": "a", "count": 3}) {}

        crowd.pop().unwrap().cut();
        let named = json!({"type": "presence", "channel": "a", "count": 2, "members": ["alice", "bob"]});
        assert_eq!(socket.frame("presence").await, named);

        crowd.push(come(&app, "dave").await);
        assert_eq!(socket.frame("presence").await, json!({"type": "presence", "channel": "a", "count": 3}));
        app.host.stop().await;
    }

    async fn comings_and_goings_are_told_together(test: TestDb) {
        let app = TestApp::start_with(&test, &[("notify.presence_gather", "300ms")]).await;
        let mut socket = watcher(&app).await;
        assert_eq!(socket.frame("presence").await["count"], 0);
        let tokens = futures_util::future::join_all(["alice", "bob", "carol"].map(|name| token(&app, name))).await;
        let begun = Instant::now();

        let mut crowd = Vec::new();
        for token in tokens.iter().cycle().take(30) {
            let mut member = app.connect().await;
            member.subscribe(&json!({"token": token})).await;
            crowd.push(member);
        }
        crowd.truncate(3);
        let mut heard = 1;
        while socket.frame("presence").await["count"] != 3 {
            heard += 1;
        }

        let most = begun.elapsed().as_millis() / 300 + 1;
        assert!(heard <= most, "{heard} frames in {:?}", begun.elapsed());
        app.host.stop().await;
    }

    async fn who_was_at_a_process_that_was_killed_has_left_within_the_lease(test: TestDb) {
        let more = [GATHER, ("notify.presence_lease", "1s")];
        let app = TestApp::start_with(&test, &more).await;
        let mut program = app.program(&test, &more).await;
        let mut far = Socket::connect(&program.url).await;
        far.subscribe(&json!({"token": token(&app, "alice").await})).await;
        let mut socket = watcher(&app).await;
        while socket.frame("presence").await["count"] != 1 {}

        program.kill();

        // Sooner than the lease would be over if it were not set. One that had stalled may have been missed before.
        let left = json!({"type": "presence", "channel": "a", "count": 0, "left": ["alice"]});
        while socket.frame("presence").await != left {}
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_other_processes_hear_of_it_promptly() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    // Without the live bus it would be a third of the lease.
    let more = [GATHER, ("live.url", vhost.url()), ("notify.presence_lease", "1h")];
    let here = TestApp::start_with(&test, &more).await;
    let there = here.sibling(&test, &more).await;
    let mut socket = watcher(&here).await;
    assert_eq!(socket.frame("presence").await["count"], 0);

    let alice = come(&there, "alice").await;
    assert_eq!(socket.frame("presence").await["joined"], json!(["alice"]));
    alice.cut();
    assert_eq!(socket.frame("presence").await["left"], json!(["alice"]));

    there.host.stop().await;
    here.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_come_while_the_bus_may_have_dropped_it_is_looked_for_at_once() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let more = [GATHER, ("live.url", vhost.url()), ("notify.presence_lease", "1h")];
    let app = TestApp::start_with(&test, &more).await;
    let mut socket = watcher(&app).await;
    assert_eq!(socket.frame("presence").await["count"], 0);

    // Nobody is told of it.
    let coming = format!("INSERT INTO notify.presences VALUES ('a', 'alice', 'another', 1, 0, {})", i64::MAX);
    administer(&test.settings().url, &coming).unwrap();
    wait_until("the connection to the broker to be cut", || async {
        vhost.close_connections().await.is_ok_and(|count| count > 0)
    })
    .await;

    assert_eq!(socket.frame("presence").await["joined"], json!(["alice"]));
    app.host.stop().await;
}
