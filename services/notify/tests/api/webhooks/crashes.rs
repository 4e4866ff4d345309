//! Processes that are killed, and two that share the work.

use std::collections::HashSet;
use std::time::Duration;

use common::models::{Clock as _, SystemClock};
use serde_json::json;
use testkit::clock::FakeClock;
use testkit::database::{TestDb, administer};
use testkit::wait::wait_until;
use testkit::webhooks::{Receiver, SECRET};

use super::{ALL, CLAIM, PRESENCE, all_told, borrowed, come, hook, pass, settings, start};
use crate::harness::{Backend, Socket, TestApp};

testkit::on_both! {
    async fn an_event_that_was_being_sent_when_its_process_was_killed_comes_again_under_its_id(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let settings = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &["presence.enter"])]);
        // It is here for its database and its keys; it has nobody to tell.
        let app = start(&test, &[]).await;
        let mut program = app.program(&test, &borrowed(&settings)).await;
        receiver.answer(&json!({"statuses": [-1, 204]})).await;
        let backend = Backend::new(&program.url);
        let token = backend.issue(&json!({"channel": "a", "member": "alice"})).await["token"].clone();
        let mut socket = Socket::connect(&program.url).await;
        socket.subscribe(&json!({"token": token})).await;
        receiver.asked(1).await;

        program.kill();
        let db = app.host.database("notify");
        pass(&db, CLAIM, "webhook_queues", "due_at").await;
        program.restart().await.unwrap();
        receiver.taken(1).await;

        let all = receiver.all().await;
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!((&all[0].id, &all[0].body), (&all[1].id, &all[1].body));
        program.stop().await.unwrap();
        app.host.stop().await;
    }

    async fn who_was_at_a_killed_process_leaves_when_its_lease_is_over(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let mut own = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &ALL)]);
        own.push(("notify.presence_lease", "1h".to_owned()));
        own.push(("notify.sweep_every", "100ms".to_owned()));
        let app = start(&test, &[]).await;
        let mut program = app.program(&test, &borrowed(&own)).await;
        let token = Backend::new(&program.url).issue(&json!({"channel": "a", "member": "alice"})).await["token"].clone();
        let mut socket = Socket::connect(&program.url).await;
        socket.subscribe(&json!({"token": token})).await;
        receiver.taken(2).await;

        program.kill();
        let db = app.host.database("notify");
        pass(&db, CLAIM, "webhook_queues", "due_at").await;
        for table in ["presences", "connections"] {
            pass(&db, Duration::from_secs(3600), table, "expires_at").await;
        }
        program.restart().await.unwrap();

        // What was taken just before the end may come again, under its id.
        let events = async || {
            let mut all = receiver.all().await;
            let mut ids = HashSet::new();
            all.retain(|one| ids.insert(one.id.clone()));
            all
        };
        wait_until("what is gone", async || events().await.len() >= 4).await;
        let all = events().await;
        let mut gone = all_told(&all[2..]);
        gone.sort_unstable();
        assert_eq!(gone, [("disconnect", "a", "alice"), ("presence.leave", "a", "alice")]);
        program.stop().await.unwrap();
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_work_and_each_event_comes_once() {
    let test = TestDb::postgres().await;
    let receiver = Receiver::start(&[SECRET]);
    let settings = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &PRESENCE)]);
    let here = start(&test, &settings).await;
    let there = here.sibling(&test, &borrowed(&settings)).await;

    let mut members = Vec::new();
    for number in 0..30 {
        let app = if number % 2 == 0 { &here } else { &there };
        members.push(come(app, &format!("channel-{}", number % 5), &format!("member-{number}")).await);
    }
    // By a socket at each process, one is present once.
    members.push(come(&here, "both", "alice").await);
    receiver.taken(31).await;
    let second = come(&there, "both", "alice").await;
    let first = members.pop().unwrap();
    there.wait_connections("both", "alice", 2).await;
    first.cut();
    there.wait_connections("both", "alice", 1).await;
    second.cut();
    let all = receiver.taken(32).await;

    assert_eq!(all_told(&all)[31], ("presence.leave", "both", "alice"));
    let ids: HashSet<_> = all.iter().map(|one| &one.id).collect();
    assert_eq!(ids.len(), 32);
    there.host.stop().await;
    here.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_taken_for_gone_while_the_table_could_not_be_written_is_said_anew() {
    let test = TestDb::postgres().await;
    let receiver = Receiver::start(&[SECRET]);
    let mut own = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &ALL)]);
    own.push(("notify.presence_lease", "900ms".to_owned()));
    own.push(("notify.sweep_every", "100ms".to_owned()));
    // Its lease ends when it is said so, not whenever the machine stalls.
    let clock = FakeClock::at(SystemClock.now());
    let app = TestApp::start_at(&test, &borrowed(&own), clock.shared()).await;
    let alice = come(&app, "a", "alice").await;
    receiver.taken(2).await;

    // What is over can be removed still.
    let not_now = "ALTER TABLE notify.presences ADD CONSTRAINT not_now CHECK (false) NOT VALID";
    administer(&test.settings().url, not_now).unwrap();
    // Longer than the lease: then it knows that it is late with its renewal, and may have been taken for dead.
    tokio::time::sleep(Duration::from_secs(2)).await;
    clock.advance(Duration::from_secs(1));
    receiver.taken(4).await;
    administer(&test.settings().url, "ALTER TABLE notify.presences DROP CONSTRAINT not_now").unwrap();

    receiver.taken(6).await;
    alice.cut();
    let all = receiver.taken(8).await;
    let told: Vec<_> = all
        .chunks(2)
        .map(|both| {
            let mut both = all_told(both);
            both.sort_unstable();
            both
        })
        .collect();
    let come = [("connect", "a", "alice"), ("presence.enter", "a", "alice")];
    let gone = [("disconnect", "a", "alice"), ("presence.leave", "a", "alice")];
    assert_eq!(told, [come, gone, come, gone]);
    app.host.stop().await;
}
